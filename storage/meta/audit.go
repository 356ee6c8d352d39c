package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
)

// AppendEvent records an event that goes with no other change.
func (s *Store) AppendEvent(ctx context.Context, ev audit.Event) error {
	return s.change(ctx, ev, func(*tx) error { return nil })
}

// EventFilter chooses audit events; zero fields do not narrow.
type EventFilter struct {
	Item     media.ItemID
	Patient  media.PatientID
	Person   access.PersonID // as actor or as subject
	Link     link.ID
	Type     audit.Type
	Types    []audit.Type    // any of these
	Actor    access.PersonID // as actor only
	From, To time.Time       // From included, To not
	After    int64           // to page: events with a smaller number than this
	Limit    int

	Since, Until int64 // numbers: larger than Since and, unless it is 0, no larger than Until
}

// Events gives events, newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]audit.Event, error) {
	var out []audit.Event
	err := s.events(ctx, f, "DESC", func(_ int64, body []byte) error {
		var ev audit.Event
		if err := json.Unmarshal(body, &ev); err != nil {
			return fmt.Errorf("read an audit event: %w", err)
		}
		out = append(out, ev)
		return nil
	})
	return out, err
}

// EventBodies gives the canonical bodies of events, oldest first, and the
// number of the last.
func (s *Store) EventBodies(ctx context.Context, f EventFilter) (bodies [][]byte, last int64, err error) {
	err = s.events(ctx, f, "ASC", func(seq int64, body []byte) error {
		bodies, last = append(bodies, body), seq
		return nil
	})
	return bodies, last, err
}

func (s *Store) events(ctx context.Context, f EventFilter, order string, each func(seq int64, body []byte) error) error {
	where, args := []string{"1 = 1"}, []any{}
	add := func(set bool, cond string, a ...any) {
		if set {
			where, args = append(where, cond), append(args, a...)
		}
	}
	add(f.Item != "", "item = ?", string(f.Item))
	add(f.Patient != "", "patient = ?", string(f.Patient))
	add(f.Person != "", "(actor = ? OR person = ?)", string(f.Person), string(f.Person))
	add(f.Actor != "", "actor = ?", string(f.Actor))
	add(f.Link != "", "link = ?", string(f.Link))
	add(f.Type != "", "type = ?", string(f.Type))
	if f.Types != nil {
		in, types := list(f.Types)
		add(true, "type IN "+in, types...)
	}
	add(!f.From.IsZero(), "at >= ?", at(f.From))
	add(!f.To.IsZero(), "at < ?", at(f.To))
	add(f.After > 0, "seq < ?", f.After)
	add(f.Since > 0, "seq > ?", f.Since)
	add(f.Until > 0, "seq <= ?", f.Until)
	return s.all(ctx, func(scan func(...any) error) error {
		var seq int64
		var body []byte
		if err := scan(&seq, &body); err != nil {
			return err
		}
		return each(seq, body)
	}, "SELECT seq, body FROM audit_events WHERE "+strings.Join(where, " AND ")+" ORDER BY seq "+order+" LIMIT ?", append(args, max(f.Limit, 1))...)
}

// Viewing is one session looking at one rendition, through a grant or not.
type Viewing struct {
	Session   access.SessionID
	Item      media.ItemID
	Rendition media.Rendition
	Grant     link.GrantID
}

// RecordViewing commits ev, unless the same viewing was recorded less than
// within ago; it reports whether it did. Of several at once, one records.
func (s *Store) RecordViewing(ctx context.Context, v Viewing, within time.Duration, ev audit.Event) (bool, error) {
	args := []any{string(v.Session), string(v.Item), string(v.Rendition), string(v.Grant)}
	var fresh bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM viewings WHERE session = ? AND item = ? AND rendition = ? AND via = ? AND recorded_at > {now} - ?)",
		append(args, within.Microseconds())...).Scan(&fresh)
	if err != nil || fresh {
		return false, s.d.classify(err)
	}
	recorded := false
	err = s.within(ctx, func(t *tx) error {
		n, err := t.exec(`INSERT INTO viewings (session, item, rendition, via, recorded_at) VALUES (?, ?, ?, ?, {now})
			ON CONFLICT (session, item, rendition, via) DO UPDATE SET recorded_at = {now} WHERE viewings.recorded_at <= {now} - ?`,
			append(args, within.Microseconds())...)
		if err != nil || n == 0 {
			return err
		}
		recorded = true
		return t.record(ev)
	})
	return recorded && err == nil, err
}
