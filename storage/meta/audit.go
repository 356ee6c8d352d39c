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
	From, To time.Time // From included, To not
	After    int64     // to page: events with a smaller number than this
	Limit    int
}

// Events gives events, newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]audit.Event, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(set bool, cond string, a ...any) {
		if set {
			where, args = append(where, cond), append(args, a...)
		}
	}
	add(f.Item != "", "item = ?", string(f.Item))
	add(f.Patient != "", "patient = ?", string(f.Patient))
	add(f.Person != "", "(actor = ? OR person = ?)", string(f.Person), string(f.Person))
	add(f.Link != "", "link = ?", string(f.Link))
	add(f.Type != "", "type = ?", string(f.Type))
	add(!f.From.IsZero(), "at >= ?", at(f.From))
	add(!f.To.IsZero(), "at < ?", at(f.To))
	add(f.After > 0, "seq < ?", f.After)
	var out []audit.Event
	err := s.all(ctx, func(scan func(...any) error) error {
		var body []byte
		if err := scan(&body); err != nil {
			return err
		}
		var ev audit.Event
		if err := json.Unmarshal(body, &ev); err != nil {
			return fmt.Errorf("read an audit event: %w", err)
		}
		out = append(out, ev)
		return nil
	}, "SELECT body FROM audit_events WHERE "+strings.Join(where, " AND ")+" ORDER BY seq DESC LIMIT ?", append(args, max(f.Limit, 1))...)
	return out, err
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
