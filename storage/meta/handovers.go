package meta

import (
	"context"
	"fmt"
	"slices"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// claimed is the condition that something that is not over has a claim on item
// i: a batch to be destroyed, or a handover.
const claimed = `(EXISTS (SELECT 1 FROM batch_items bi JOIN batches b ON b.id = bi.batch WHERE bi.item = i.id AND bi.state <> 'spared' AND b.state IN ('proposed', 'approved', 'running'))
	OR EXISTS (SELECT 1 FROM handover_items hi JOIN handovers ho ON ho.id = hi.handover WHERE hi.item = i.id AND ho.state IN ('proposed', 'approved')))`

// claim refuses an item that may not be destroyed on a ground, or that
// something else has a claim on: ErrNotEligible.
func (t *tx) claim(item media.ItemID, g retention.Ground) error {
	why, err := t.eligible(item, g)
	if err != nil {
		return err
	}
	var taken bool
	if err := t.row("SELECT "+claimed+" FROM items i WHERE i.id = ?", string(item)).Scan(&taken); err != nil {
		return err
	}
	if why != "" || taken {
		return fmt.Errorf("%w: %s", ErrNotEligible, why)
	}
	return nil
}

// AddHandover proposes a handover. It is ErrNotEligible when an item's time has
// not come, when a hold is on it, or when something else has a claim on it.
func (s *Store) AddHandover(ctx context.Context, h retention.Handover, items []media.ItemID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		empty := []byte{}
		_, err := t.exec("INSERT INTO handovers (id, state, receiver, recipient, reason, proposed_by, proposed_at, decision, confirmation) VALUES (?,'proposed',?,?,?,?,{now},?,?)",
			string(h.ID), blob(h.Receiver), h.Recipient, blob(h.Reason), string(h.ProposedBy), empty, empty)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(slices.Values(items)) { // in one order, as in AddBatch
			if err := t.claim(id, retention.PeriodEnded); err != nil {
				return err
			}
			if _, err := t.exec("INSERT INTO handover_items (handover, item) VALUES (?,?)", string(h.ID), string(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ApproveHandover is a second person's yes; ErrNotFound when it is not a
// proposal any more, or was theirs.
func (s *Store) ApproveHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, words media.Sealed, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE handovers SET state = 'approved', decided_by = ?, decided_at = {now}, decision = ? WHERE id = ? AND state = 'proposed' AND proposed_by <> ?",
			string(by), blob(words), string(id), string(by))
	})
}

// EndHandover refuses a handover or takes it back; ErrNotFound when it has
// ended or arrived.
func (s *Store) EndHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, words media.Sealed, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE handovers SET state = 'ended', decided_by = ?, decided_at = {now}, decision = ? WHERE id = ? AND state IN ('proposed', 'approved')",
			string(by), blob(words), string(id))
	})
}

// SendHandover records that the package of an approved handover is being
// fetched, with an event for each item; ErrNotFound when it is not approved.
func (s *Store) SendHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, events []audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		if err := t.must("UPDATE handovers SET sent_by = ?, sent_at = {now} WHERE id = ? AND state = 'approved'", string(by), string(id)); err != nil {
			return err
		}
		for _, ev := range events {
			if err := t.record(ev); err != nil {
				return err
			}
		}
		return nil
	})
}

// ConfirmHandover records that the receiver has the package; ErrNotFound when
// it was not fetched, or is over.
func (s *Store) ConfirmHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, confirmation media.Sealed, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE handovers SET state = 'confirmed', confirmed_by = ?, confirmed_at = {now}, confirmation = ? WHERE id = ? AND state = 'approved' AND sent_at > 0",
			string(by), blob(confirmation), string(id))
	})
}

const handoverColumns = `h.id, h.state, h.receiver, h.recipient, h.reason, h.proposed_by, h.proposed_at, h.decided_by, h.decided_at, h.decision, h.sent_by, h.sent_at,
	h.confirmed_by, h.confirmed_at, h.confirmation, (SELECT COUNT(*) FROM handover_items hi WHERE hi.handover = h.id)`

func (s *Store) handovers(ctx context.Context, rest string, args ...any) ([]retention.Handover, error) {
	var out []retention.Handover
	err := s.all(ctx, func(scan func(...any) error) error {
		var h retention.Handover
		var proposed, decided, sent, confirmed micros
		err := scan(&h.ID, &h.State, &h.Receiver, &h.Recipient, &h.Reason, &h.ProposedBy, &proposed, optional[access.PersonID]{&h.DecidedBy}, &decided, &h.Decision,
			optional[access.PersonID]{&h.SentBy}, &sent, optional[access.PersonID]{&h.ConfirmedBy}, &confirmed, &h.Confirmation, &h.Items)
		h.ProposedAt, h.DecidedAt, h.SentAt, h.ConfirmedAt = proposed.time(), decided.time(), sent.time(), confirmed.time()
		out = append(out, h)
		return err
	}, "SELECT "+handoverColumns+" FROM handovers h "+rest, args...)
	return out, err
}

// Handover finds a handover.
func (s *Store) Handover(ctx context.Context, id retention.HandoverID) (retention.Handover, error) {
	return one(s.handovers(ctx, "WHERE h.id = ?", string(id)))
}

// HandedOver finds the handover by which an item last went to another
// organisation that confirmed it; ErrNotFound when there is none.
func (s *Store) HandedOver(ctx context.Context, item media.ItemID) (retention.Handover, error) {
	return one(s.handovers(ctx, "JOIN handover_items i ON i.handover = h.id WHERE i.item = ? AND h.state = 'confirmed' ORDER BY h.confirmed_at DESC LIMIT 1", string(item)))
}

func one(all []retention.Handover, err error) (retention.Handover, error) {
	if err != nil {
		return retention.Handover{}, err
	}
	if len(all) == 0 {
		return retention.Handover{}, ErrNotFound
	}
	return all[0], nil
}

// Handovers lists handovers, newest first, older than after.
func (s *Store) Handovers(ctx context.Context, after retention.HandoverID, limit int) ([]retention.Handover, error) {
	return s.handovers(ctx, "WHERE (? = '' OR h.id < ?) ORDER BY h.id DESC LIMIT ?", string(after), string(after), max(limit, 1))
}

// HandoverItems lists the items of a handover, in the order of identifiers.
func (s *Store) HandoverItems(ctx context.Context, id retention.HandoverID) ([]media.ItemID, error) {
	return s.itemIDs(ctx, "SELECT item FROM handover_items WHERE handover = ? ORDER BY item", string(id))
}
