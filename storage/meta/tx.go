package meta

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
)

// micros is a time as the database keeps it.
type micros int64

func (m micros) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

func at(t time.Time) micros {
	if t.IsZero() {
		return 0
	}
	return micros(t.UnixMicro())
}

// blob keeps an empty value from becoming NULL.
func blob[T ~[]byte](b T) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// optional turns an empty identifier into NULL and back.
type optional[T ~string] struct{ v *T }

// Value implements driver.Valuer.
func (o optional[T]) Value() (driver.Value, error) {
	if *o.v == "" {
		return nil, nil
	}
	return string(*o.v), nil
}

// Scan implements sql.Scanner.
func (o optional[T]) Scan(src any) error {
	var s sql.NullString
	err := s.Scan(src)
	*o.v = T(s.String)
	return err
}

// list makes the placeholders and arguments of an IN list; an empty list
// contains nothing.
func list[T ~string](values []T) (string, []any) {
	if len(values) == 0 {
		return "('')", nil // no identifier is empty
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = string(v)
	}
	return "(" + strings.TrimSuffix(strings.Repeat("?,", len(values)), ",") + ")", args
}

// read runs a query of one row.
func (s *Store) read(ctx context.Context, query string, args ...any) *sql.Row {
	return s.r.QueryRowContext(ctx, s.text(query), args...)
}

// all runs a query and calls each for every row.
func (s *Store) all(ctx context.Context, each func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := s.r.QueryContext(ctx, s.text(query), args...)
	if err != nil {
		return s.d.classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return s.d.classify(rows.Err())
}

// tx is one transaction that changes something.
type tx struct {
	*sql.Tx
	ctx context.Context
	s   *Store
}

func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.ExecContext(t.ctx, t.s.text(query), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// must changes at least one row, or gives ErrNotFound.
func (t *tx) must(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

func (t *tx) row(query string, args ...any) *sql.Row {
	return t.QueryRowContext(t.ctx, t.s.text(query), args...)
}

// within runs do in a transaction, which is rolled back when do fails.
func (s *Store) within(ctx context.Context, do func(*tx) error) error {
	began, err := s.w.BeginTx(ctx, nil)
	if err != nil {
		return s.d.classify(err)
	}
	if err := do(&tx{began, ctx, s}); err != nil {
		_ = began.Rollback()
		return s.d.classify(err)
	}
	if err := began.Commit(); err != nil {
		return s.d.classify(err)
	}
	return nil
}

// change runs do in a transaction and commits it together with ev.
func (s *Store) change(ctx context.Context, ev audit.Event, do func(*tx) error) error {
	return s.within(ctx, func(t *tx) error {
		if err := do(t); err != nil {
			return err
		}
		return t.record(ev)
	})
}

// record appends an event. It comes last in a transaction: from here to its
// end no other can append, which makes the order of numbers that of commits
// and leaves no gaps.
func (t *tx) record(ev audit.Event) error {
	var when micros
	// One statement takes the number and the lock, and then reads the clock.
	err := t.row("UPDATE audit_counter SET seq = seq + 1 WHERE one = 1 RETURNING seq").Scan(&ev.Seq)
	if err == nil {
		err = t.row("SELECT {now}").Scan(&when)
	}
	if err != nil {
		return fmt.Errorf("number the audit event: %w", err)
	}
	ev.At = when.time()
	body, err := ev.Canonical()
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO audit_events (seq, id, at, type, actor, person, item, patient, link, body) VALUES (?,?,?,?,?,?,?,?,?,?)",
		ev.Seq, ev.ID, when, string(ev.Type), string(ev.Actor), ev.Subject.Person, ev.Subject.Item, ev.Subject.Patient, ev.Subject.Link, body)
	if errors.Is(t.s.d.classify(err), ErrExists) {
		return fmt.Errorf("audit event %s was recorded before", ev.ID) // not an ErrExists of the change itself
	}
	return err
}
