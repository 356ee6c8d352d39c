package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
)

// Snapshot is the database at one moment, to be read only. It serves one
// goroutine.
type Snapshot struct {
	s   *Store
	tx  *sql.Tx
	ctx context.Context
}

// Snapshot has do read the database as it is at one moment, whatever others
// write meanwhile. On SQLite the log of changes grows until it is over; on
// PostgreSQL dead rows stay.
func (s *Store) Snapshot(ctx context.Context, do func(*Snapshot) error) error {
	tx, err := s.r.BeginTx(ctx, &s.d.snapshot)
	if err != nil {
		return s.d.classify(err)
	}
	defer func() { _ = tx.Rollback() }()
	return do(&Snapshot{s, tx, ctx})
}

// Tables lists the tables so that what a row refers to comes before it.
func (n *Snapshot) Tables() ([]Table, error) { return n.s.catalogue(n.ctx, n.tx) }

// Now is the database's clock.
func (n *Snapshot) Now() (time.Time, error) {
	var now micros
	err := n.tx.QueryRowContext(n.ctx, n.s.text("SELECT {now}")).Scan(&now)
	return now.time(), n.s.d.classify(err)
}

// Schema is the version of the schema.
func (n *Snapshot) Schema() (int64, error) {
	var v int64
	err := n.tx.QueryRowContext(n.ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&v)
	return v, n.s.d.classify(err)
}

// Rows gives every row of a table in the order of its key. Values are nil,
// string, int64, []byte or bool, as the kinds of the columns say.
func (n *Snapshot) Rows(t Table, each func(row []any) error) error {
	row, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range row {
		into[i] = &row[i]
	}
	return n.s.list(n.ctx, n.tx, "SELECT "+names(t.Columns)+" FROM "+quoted(t.Name)+" ORDER BY "+quoted(t.Key...), func(scan func(...any) error) error {
		if err := scan(into...); err != nil {
			return err
		}
		for i, c := range t.Columns {
			v, err := plain(row[i], c.Kind)
			if err != nil {
				return fmt.Errorf("%s.%s: %w", t.Name, c.Name, err)
			}
			row[i] = v
		}
		return each(row)
	})
}

// Objects gives the objects that the snapshot names, in the order of their
// keys, byte by byte; bytes is 0 where the length is not known.
func (n *Snapshot) Objects(each func(key string, bytes int64) error) error {
	for _, query := range []string{"SELECT object_key, 0 FROM upload_parts ORDER BY object_key", "SELECT object_key, object_bytes FROM renditions ORDER BY object_key"} {
		err := n.s.list(n.ctx, n.tx, query, func(scan func(...any) error) error {
			var key string
			var bytes int64
			if err := scan(&key, &bytes); err != nil {
				return err
			}
			return each(key, bytes)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func quoted(columns ...string) string { return `"` + strings.Join(columns, `", "`) + `"` }

func names(columns []Column) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.Name
	}
	return quoted(out...)
}

// plain gives a value as its kind has it, whatever the driver made of it.
func plain(v any, k Kind) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		if k == Bytes { // a default of '' is text to SQLite
			return []byte(v), nil
		}
		if k == Text {
			return v, nil
		}
	case []byte:
		switch k {
		case Bytes:
			return blob(v), nil
		case Text:
			return string(v), nil
		}
	case int64:
		switch k {
		case Integer:
			return v, nil
		case Boolean:
			return v != 0, nil
		}
	case int32:
		if k == Integer {
			return int64(v), nil
		}
	case bool:
		if k == Boolean {
			return v, nil
		}
	}
	return nil, fmt.Errorf("a value of the kind %s is a %T", k, v)
}

// ErrNotEmpty means that a database to restore into holds something already.
var ErrNotEmpty = errors.New("the database is not empty")

// Import is a transaction that fills an empty database.
type Import struct {
	t     *tx
	selfs map[string][][2]any // of tables that refer to themselves: key and reference
}

// Import has do fill an empty database, wholly or not at all. ErrNotEmpty when
// it is not empty.
func (s *Store) Import(ctx context.Context, do func(*Import) error) error {
	return s.within(ctx, func(t *tx) error {
		tables, err := s.catalogue(ctx, t.Tx)
		if err != nil {
			return err
		}
		for _, table := range tables {
			var some bool
			if slices.Contains(seeded, table.Name) {
				continue
			}
			if err := t.row("SELECT EXISTS (SELECT 1 FROM " + quoted(table.Name) + ")").Scan(&some); err != nil {
				return err
			}
			if some {
				return fmt.Errorf("%w: there is something in its table %s", ErrNotEmpty, table.Name)
			}
		}
		for _, name := range seeded {
			if !slices.ContainsFunc(tables, func(t Table) bool { return t.Name == name }) {
				continue // of an older schema
			}
			if _, err := t.exec("DELETE FROM " + quoted(name)); err != nil {
				return err
			}
		}
		return do(&Import{t, map[string][][2]any{}})
	})
}

// Empty reports whether Import would find the database empty.
func (s *Store) Empty(ctx context.Context) error {
	tables, err := s.catalogue(ctx, s.r)
	if err != nil {
		return err
	}
	for _, table := range tables {
		var some bool
		if slices.Contains(seeded, table.Name) {
			continue
		}
		if err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM "+quoted(table.Name)+")").Scan(&some); err != nil {
			return s.d.classify(err)
		}
		if some {
			return fmt.Errorf("%w: there is something in its table %s", ErrNotEmpty, table.Name)
		}
	}
	return nil
}

// Tables lists the tables that there are to fill.
func (m *Import) Tables() ([]Table, error) { return m.t.s.catalogue(m.t.ctx, m.t.Tx) }

// mostArguments is how many values one statement may have, on either database.
const mostArguments = 30_000

// Insert adds rows to a table.
func (m *Import) Insert(t Table, rows [][]any) error {
	self := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == t.Self })
	key := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == t.Key[0] })
	mark := "(" + strings.TrimSuffix(strings.Repeat("?,", len(t.Columns)), ",") + ")"
	for most := min(rowsAtOnce, mostArguments/len(t.Columns)); len(rows) > 0; {
		n := min(len(rows), most)
		args := make([]any, 0, n*len(t.Columns))
		for _, row := range rows[:n] {
			if len(row) != len(t.Columns) {
				return fmt.Errorf("a row of %s has %d values", t.Name, len(row))
			}
			if self >= 0 && row[self] != nil { // what it refers to may come later
				m.selfs[t.Name] = append(m.selfs[t.Name], [2]any{row[key], row[self]})
				row = slices.Clone(row)
				row[self] = nil
			}
			args = append(args, row...)
		}
		if _, err := m.t.exec("INSERT INTO "+quoted(t.Name)+" ("+names(t.Columns)+") VALUES "+strings.TrimSuffix(strings.Repeat(mark+",", n), ","), args...); err != nil {
			return fmt.Errorf("fill %s: %w", t.Name, err)
		}
		rows = rows[n:]
	}
	return nil
}

// Done ends the filling of a table.
func (m *Import) Done(t Table) error {
	for _, pair := range m.selfs[t.Name] {
		if _, err := m.t.exec("UPDATE "+quoted(t.Name)+" SET "+quoted(t.Self)+" = ? WHERE "+quoted(t.Key[0])+" = ?", pair[1], pair[0]); err != nil {
			return err
		}
	}
	delete(m.selfs, t.Name)
	return nil
}

// KeptAfter is that of Store, of what was filled in.
func (m *Import) KeptAfter(after string, limit int) ([]Kept, error) {
	return m.t.s.kept(m.t.ctx, m.t.Tx, "WHERE r.object_key > ? ORDER BY r.object_key LIMIT ?", after, limit)
}

// Parts gives the objects that parts of uploads name.
func (m *Import) Parts(each func(key string) error) error {
	var keys []string
	err := m.t.s.list(m.t.ctx, m.t.Tx, "SELECT object_key FROM upload_parts ORDER BY object_key", func(scan func(...any) error) error {
		var key string
		err := scan(&key)
		keys = append(keys, key)
		return err
	})
	for _, key := range keys {
		if err == nil {
			err = each(key)
		}
	}
	return err
}

// Close ends what may have been ended after the backup was made, since nobody
// can know: sessions, tokens, tickets, visits and emergency accesses end, links and
// invitations are revoked, and leases of servers that are no more are let go.
// Then ev is recorded.
func (m *Import) Close(ev audit.Event) error {
	for _, do := range []string{
		"UPDATE sessions SET ended_at = {now} WHERE ended_at = 0",
		"UPDATE grants SET expires_at = {now} WHERE expires_at > {now}",
		"UPDATE visits SET ended_at = {now} WHERE ended_at = 0",
		"UPDATE emergencies SET expires_at = {now} WHERE expires_at > {now}",
		"UPDATE links SET revoked_at = {now} WHERE revoked_at = 0",
		"UPDATE invitations SET revoked_at = {now} WHERE revoked_at = 0",
		"DELETE FROM ceremonies",
		"DELETE FROM departures",
		"DELETE FROM password_tickets",
		"UPDATE jobs SET lease_until = 0",
		"UPDATE uploads SET filing_until = 0",
		"UPDATE batches SET lease_until = 0",
		"UPDATE audit_sequencer SET lease_until = 0, worker = ''",
	} {
		if _, err := m.t.exec(do); err != nil {
			return err
		}
	}
	return m.t.record(ev)
}
