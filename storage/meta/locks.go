package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// Lock is what an item's object in the store is to have.
type Lock struct {
	Item   media.ItemID
	Object string
	Until  time.Time
}

func (s *Store) locks(ctx context.Context, where string, args ...any) ([]Lock, error) {
	var out []Lock
	err := s.all(ctx, func(scan func(...any) error) error {
		var l Lock
		var until micros
		err := scan(&l.Item, &l.Object, &until)
		l.Until = until.time()
		out = append(out, l)
		return err
	}, "SELECT i.id, r.object_key, i.due_on FROM items i JOIN renditions r ON r.item = i.id AND r.rendition = ? WHERE "+where, append([]any{string(media.Original)}, args...)...)
	return out, err
}

// Unlocked lists items whose objects are locked for less long than the items
// are kept.
func (s *Store) Unlocked(ctx context.Context, limit int) ([]Lock, error) {
	return s.locks(ctx, "i.due_on > i.locked_until AND i.destroyed_at = 0 ORDER BY i.id LIMIT ?", limit)
}

// KeepLock records that an item's object is locked.
func (s *Store) KeepLock(ctx context.Context, l Lock) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE items SET locked_until = ? WHERE id = ? AND locked_until < ?", at(l.Until), string(l.Item), at(l.Until))
		return err
	})
}

// NextHold gives a hold whose present state is not yet that of the objects;
// ErrNotFound when there is none.
func (s *Store) NextHold(ctx context.Context) (retention.Hold, error) {
	holds, err := s.holds(ctx, "SELECT "+holdColumns+" FROM holds h WHERE h.placed_below = FALSE ORDER BY h.id LIMIT 1")
	if err == nil && len(holds) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return retention.Hold{}, err
	}
	return holds[0], nil
}

// HeldObjects pages through the items of a live hold whose objects do not have
// one, or after its release through those that have one and are under none.
func (s *Store) HeldObjects(ctx context.Context, h retention.Hold, after media.ItemID, limit int) ([]Lock, error) {
	if h.ReleasedAt.IsZero() {
		return s.locks(ctx, "i.legal_hold = FALSE AND i.destroyed_at = 0 AND i.id > ? AND EXISTS (SELECT 1 FROM holds h WHERE h.id = ? AND "+matches+") ORDER BY i.id LIMIT ?", string(after), string(h.ID), limit)
	}
	return s.locks(ctx, "i.legal_hold AND i.destroyed_at = 0 AND i.id > ? AND NOT "+held+" ORDER BY i.id LIMIT ?", string(after), limit)
}

// HeldBelow records whether an item's object has a legal hold.
func (s *Store) HeldBelow(ctx context.Context, item media.ItemID, on bool) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE items SET legal_hold = ? WHERE id = ?", on, string(item))
		return err
	})
}

// PlacedBelow records that a hold's state, as it was read, is that of the objects.
func (s *Store) PlacedBelow(ctx context.Context, h retention.Hold) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE holds SET placed_below = TRUE WHERE id = ? AND released_at = ?", string(h.ID), at(h.ReleasedAt))
		return err
	})
}
