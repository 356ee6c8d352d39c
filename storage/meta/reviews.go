package meta

import (
	"context"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// DueFilter chooses items whose time has come; zero fields do not narrow.
type DueFilter struct {
	Team  access.TeamID
	Rule  retention.Class // that dated them
	After media.ItemID    // to page: those after this one in the list
	Limit int
}

// The clock is read once, by a query of its own: PostgreSQL could not use an
// index for it otherwise.
const due = `i.destroyed_at = 0 AND i.due_on > 0 AND i.due_on <= (SELECT {now}) AND NOT ` + claimed

// afterDue is the condition that an item comes after another in the list of what
// is due. Where that one is not due any more, because somebody kept it for
// longer or it was destroyed, the list starts again: nothing is passed over.
const afterDue = "(i.due_on, i.id) > (COALESCE((SELECT a.due_on FROM items a WHERE a.id = ? AND a.due_on <= (SELECT {now})), 0), ?)"

// DueItems lists items whose time has come and that neither a batch nor a
// handover has, those that have waited longest first: in the order of the index
// items_due, so that what is not due yet is never read.
func (s *Store) DueItems(ctx context.Context, f DueFilter) ([]Dated, error) {
	where, args := []string{due}, []any{}
	if f.After != "" {
		where, args = append(where, afterDue), append(args, string(f.After), string(f.After))
	}
	if f.Team != "" {
		// Not as a plain column, for which SQLite would read all that the team has.
		where, args = append(where, "i.team || '' = ?"), append(args, string(f.Team))
	}
	if f.Rule != "" {
		where, args = append(where, "i.due_rule = ?"), append(args, string(f.Rule))
	}
	return s.dated(ctx, strings.Join(where, " AND ")+" ORDER BY i.due_on, i.id LIMIT ?", append(args, max(f.Limit, 1))...)
}

// CountDue counts the items whose time has come, and those of them that are
// held.
func (s *Store) CountDue(ctx context.Context) (items, underHold int, err error) {
	err = s.read(ctx, "SELECT COUNT(*), COALESCE(SUM(CASE WHEN "+held+" THEN 1 ELSE 0 END), 0) FROM items i WHERE "+due).Scan(&items, &underHold)
	return items, underHold, s.d.classify(err)
}

// CountWaiting counts what waits for somebody to look at it: items whose time
// has come and that no hold is on, and batches that another person proposed. It
// looks at no more than most of each, so that it can be asked often.
func (s *Store) CountWaiting(ctx context.Context, by access.PersonID, most int) (items, proposals int, err error) {
	err = s.read(ctx, "SELECT COALESCE(SUM(free), 0) FROM (SELECT CASE WHEN "+held+" THEN 0 ELSE 1 END AS free FROM items i WHERE "+due+" LIMIT ?) AS counted", most).Scan(&items)
	if err == nil {
		err = s.read(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM batches WHERE state = 'proposed' AND proposed_by <> ? LIMIT ?) AS counted", string(by), most).Scan(&proposals)
	}
	return items, proposals, s.d.classify(err)
}

// Review is a decision to keep an item.
type Review struct {
	ID     string
	Item   media.ItemID
	Until  time.Time
	Reason media.Sealed
	By     access.PersonID
}

// AddReview records a decision, which moves the item's date.
func (s *Store) AddReview(ctx context.Context, r Review, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE items SET kept_until = ? WHERE id = ? AND destroyed_at = 0", at(r.Until), string(r.Item)); err != nil {
			return err
		}
		if err := t.stirOf(r.Item); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO reviews (id, item, decision, until, reason, decided_by, at) VALUES (?,?,'keep',?,?,?,{now})",
			r.ID, string(r.Item), at(r.Until), blob(r.Reason), string(r.By))
		return err
	})
}
