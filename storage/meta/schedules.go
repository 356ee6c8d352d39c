package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/retention"
)

// Applied is the schedule that counts.
type Applied struct {
	Version   int64
	Schedule  retention.Schedule
	AppliedBy access.PersonID // empty: by the system, at the first start
	AppliedAt time.Time
}

// Schedule gives the schedule that counts; ErrNotFound when none was applied.
func (s *Store) Schedule(ctx context.Context) (Applied, error) {
	var a Applied
	var body string
	var when micros
	err := s.read(ctx, "SELECT version, body, applied_by, applied_at FROM schedules ORDER BY version DESC LIMIT 1").
		Scan(&a.Version, &body, optional[access.PersonID]{&a.AppliedBy}, &when)
	if err != nil {
		return a, s.d.classify(err)
	}
	a.AppliedAt = when.time()
	if err := json.Unmarshal([]byte(body), &a.Schedule); err != nil {
		return a, fmt.Errorf("read the schedule: %w", err)
	}
	return a, nil
}

// ApplySchedule makes a schedule count, as the version after the one given,
// and has every date worked out again; ErrExists when another came first.
func (s *Store) ApplySchedule(ctx context.Context, after int64, sched retention.Schedule, by access.PersonID, ev audit.Event) error {
	body, err := json.Marshal(sched)
	if err != nil {
		return err
	}
	return s.change(ctx, ev, func(t *tx) error {
		if _, err := t.exec("INSERT INTO schedules (version, body, applied_by, applied_at) VALUES (?,?,?,{now})", after+1, string(body), optional[access.PersonID]{&by}); err != nil {
			return err
		}
		_, err := t.exec("UPDATE patients SET stale = stale + 1")
		return err
	})
}

// Confirmation is a records officer's word that a rule's figures are those of
// the code in force.
type Confirmation struct {
	Rule  string // Rule.Hash
	Class retention.Class
	By    access.PersonID
	At    time.Time
}

// Confirmations gives them by rule.
func (s *Store) Confirmations(ctx context.Context) (map[string]Confirmation, error) {
	out := map[string]Confirmation{}
	err := s.all(ctx, func(scan func(...any) error) error {
		var c Confirmation
		var when micros
		err := scan(&c.Rule, &c.Class, &c.By, &when)
		c.At = when.time()
		out[c.Rule] = c
		return err
	}, "SELECT rule, class, confirmed_by, at FROM confirmations")
	return out, err
}

// Confirm keeps a confirmation; ErrExists when there is one of the rule.
func (s *Store) Confirm(ctx context.Context, c Confirmation, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("INSERT INTO confirmations (rule, class, confirmed_by, at) VALUES (?,?,?,{now})", c.Rule, string(c.Class), string(c.By))
		return err
	})
}
