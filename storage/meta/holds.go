package meta

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// matches is the condition that hold h is on item i. What cannot be told
// counts as meeting the criteria: an item whose time of capture or part of the
// body nobody knows.
const matches = `(
	(h.from_at = 0 AND h.to_at = 0)
	OR (i.filed_at >= h.from_at AND (h.to_at = 0 OR i.filed_at < h.to_at OR i.captured_at = 0))
	OR (i.captured_at > 0 AND i.captured_at >= h.from_at AND (h.to_at = 0 OR i.captured_at < h.to_at)))
	AND (h.site IS NULL OR i.site IS NULL OR i.site = h.site)
	AND (NOT EXISTS (SELECT 1 FROM hold_teams ht WHERE ht.hold = h.id) OR EXISTS (SELECT 1 FROM hold_teams ht WHERE ht.hold = h.id AND ht.team = i.team))
	AND (NOT EXISTS (SELECT 1 FROM hold_patients hp WHERE hp.hold = h.id) OR EXISTS (SELECT 1 FROM hold_patients hp WHERE hp.hold = h.id AND hp.patient = i.patient))`

// held is the one question that everything that deletes asks: is item i under
// a hold?
const held = `EXISTS (SELECT 1 FROM holds h WHERE h.released_at = 0 AND ` + matches + `)`

// holdsOn lists the live holds that are on an item now.
func (t *tx) holdsOn(item media.ItemID) ([]retention.HoldID, error) {
	rows, err := t.QueryContext(t.ctx, t.s.text("SELECT h.id FROM holds h JOIN items i ON i.id = ? WHERE h.released_at = 0 AND "+matches), string(item))
	if err != nil {
		return nil, err
	}
	var out []retention.HoldID
	for rows.Next() {
		var id retention.HoldID
		if err := rows.Scan(&id); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, id)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// lookBelow has the holds that are on an item placed on its object too, where
// the store has locks. Elsewhere no hold is placed below, and this does nothing.
func (t *tx) lookBelow(item media.ItemID) error {
	_, err := t.exec("UPDATE holds SET placed_below = FALSE WHERE id IN (SELECT h.id FROM holds h JOIN items i ON i.id = ? WHERE h.released_at = 0 AND h.placed_below AND "+matches+")", string(item))
	return err
}

// PlaceHold places a hold; ErrNotFound when a patient of it was merged into another.
func (s *Store) PlaceHold(ctx context.Context, h retention.Hold, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.gate(); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO holds (id, reason, authority, from_at, to_at, site, placed_by, placed_at, release_reason) VALUES (?,?,?,?,?,?,?,{now},?)",
			string(h.ID), blob(h.Reason), blob(h.Authority), at(h.From), at(h.To), h.Site, string(h.PlacedBy), []byte{})
		if err != nil {
			return err
		}
		for _, team := range h.Teams {
			if _, err := t.exec("INSERT INTO hold_teams (hold, team) VALUES (?,?)", string(h.ID), string(team)); err != nil {
				return err
			}
		}
		for _, p := range h.Patients {
			if err := t.must("UPDATE patients SET stale = stale WHERE id = ? AND merged_into IS NULL", string(p)); err != nil {
				return err
			}
			if _, err := t.exec("INSERT INTO hold_patients (hold, patient) VALUES (?,?)", string(h.ID), string(p)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReleaseHold ends a hold; ErrNotFound when it has ended.
func (s *Store) ReleaseHold(ctx context.Context, id retention.HoldID, by access.PersonID, reason media.Sealed, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE holds SET released_by = ?, released_at = {now}, placed_below = FALSE, release_reason = ? WHERE id = ? AND released_at = 0", string(by), blob(reason), string(id))
	})
}

// Holds lists the live holds and then those released, each newest first.
func (s *Store) Holds(ctx context.Context, limit int) ([]retention.Hold, error) {
	return s.holds(ctx, "SELECT "+holdColumns+" FROM holds h ORDER BY h.released_at > 0, h.id DESC LIMIT ?", max(limit, 1))
}

// HoldsOn lists the live holds that are on an item.
func (s *Store) HoldsOn(ctx context.Context, id media.ItemID) ([]retention.Hold, error) {
	return s.holds(ctx, "SELECT "+holdColumns+" FROM holds h JOIN items i ON i.id = ? WHERE h.released_at = 0 AND "+matches+" ORDER BY h.id DESC", string(id))
}

const holdColumns = "h.id, h.reason, h.authority, h.from_at, h.to_at, h.site, h.placed_by, h.placed_at, h.released_by, h.released_at, h.release_reason"

func (s *Store) holds(ctx context.Context, query string, args ...any) ([]retention.Hold, error) {
	var out []retention.Hold
	err := s.all(ctx, func(scan func(...any) error) error {
		var h retention.Hold
		var from, to, placed, released micros
		err := scan(&h.ID, &h.Reason, &h.Authority, &from, &to, &h.Site, &h.PlacedBy, &placed, optional[access.PersonID]{&h.ReleasedBy}, &released, &h.ReleaseReason)
		h.From, h.To, h.PlacedAt, h.ReleasedAt = from.time(), to.time(), placed.time(), released.time()
		out = append(out, h)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if err := s.holdLists(ctx, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Store) holdLists(ctx context.Context, h *retention.Hold) error {
	err := s.all(ctx, func(scan func(...any) error) error {
		var id access.TeamID
		err := scan(&id)
		h.Teams = append(h.Teams, id)
		return err
	}, "SELECT team FROM hold_teams WHERE hold = ? ORDER BY team", string(h.ID))
	if err != nil {
		return err
	}
	return s.all(ctx, func(scan func(...any) error) error {
		var id media.PatientID
		err := scan(&id)
		h.Patients = append(h.Patients, id)
		return err
	}, "SELECT patient FROM hold_patients WHERE hold = ? ORDER BY patient", string(h.ID))
}

// CountMatching counts the items that criteria choose, and those of them that
// are due. It is what a hold would be on, before there is one.
func (s *Store) CountMatching(ctx context.Context, c retention.Criteria) (items, due int, err error) {
	where, args := []string{"i.destroyed_at = 0"}, []any{}
	add := func(cond string, a ...any) { where, args = append(where, cond), append(args, a...) }
	if !c.From.IsZero() || !c.To.IsZero() {
		from, to := at(c.From), at(c.To)
		if to == 0 {
			to = 1<<63 - 1
		}
		add("((i.filed_at >= ? AND (i.filed_at < ? OR i.captured_at = 0)) OR (i.captured_at > 0 AND i.captured_at >= ? AND i.captured_at < ?))", from, to, from, to)
	}
	if c.Site != nil {
		add("(i.site IS NULL OR i.site = ?)", c.Site)
	}
	if len(c.Teams) > 0 {
		in, a := list(c.Teams)
		add("i.team IN "+in, a...)
	}
	if len(c.Patients) > 0 {
		in, a := list(c.Patients)
		add("i.patient IN "+in, a...)
	}
	err = s.read(ctx, "SELECT COUNT(*), COALESCE(SUM(CASE WHEN i.due_on > 0 AND i.due_on <= {now} THEN 1 ELSE 0 END), 0) FROM items i WHERE "+strings.Join(where, " AND "), slices.Clip(args)...).Scan(&items, &due)
	return items, due, s.d.classify(err)
}

// DueCount is how many items of a class may be reviewed from a day; the zero
// day is of those that nothing ends yet.
type DueCount struct {
	Class retention.Class // whose rule dated them; empty before they are dated
	On    time.Time
	Items int64
}

// DueByClass counts the items that are kept, by class and by the month from
// which they may be reviewed.
func (s *Store) DueByClass(ctx context.Context) ([]DueCount, error) {
	var out []DueCount
	err := s.all(ctx, func(scan func(...any) error) error {
		var c DueCount
		var on micros
		err := scan(&c.Class, &on, &c.Items)
		c.On = on.time()
		out = append(out, c)
		return err
	}, "SELECT due_rule, due_on, COUNT(*) FROM items WHERE destroyed_at = 0 GROUP BY due_rule, due_on ORDER BY due_rule, due_on")
	return out, err
}
