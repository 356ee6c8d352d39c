package records

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// LockStore is what keeping the locks of objects needs of the database.
type LockStore interface {
	Unlocked(ctx context.Context, limit int) ([]meta.Lock, error)
	KeepLock(ctx context.Context, l meta.Lock) error
	NextHold(ctx context.Context) (retention.Hold, error)
	HeldObjects(ctx context.Context, h retention.Hold, after media.ItemID, limit int) ([]meta.Lock, error)
	HeldBelow(ctx context.Context, item media.ItemID, on bool) error
	PlacedBelow(ctx context.Context, h retention.Hold) error
}

// Locks has the object store keep what the database says is kept: the object
// of an item is locked until the item may be reviewed, and has a legal hold
// while a hold is on the item. Whoever has the store's own keys cannot delete
// it before either. Previews and the like can be made again, and are not
// locked.
type Locks struct {
	Store   LockStore
	Objects blob.Locker
}

const locksAtOnce = 200

// Keep brings the objects' locks to what they should be. The object is locked
// first and the database told after it, so what a crash leaves is done again.
func (l *Locks) Keep(ctx context.Context) error {
	for {
		page, err := l.Store.Unlocked(ctx, locksAtOnce)
		if err != nil {
			return fmt.Errorf("look for objects to lock: %w", err)
		}
		for _, k := range page {
			if err := l.lock(ctx, k); err != nil {
				return err
			}
		}
		if len(page) < locksAtOnce {
			break
		}
	}
	for {
		h, err := l.Store.NextHold(ctx)
		if errors.Is(err, meta.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for holds on objects: %w", err)
		}
		if err := l.hold(ctx, h); err != nil {
			return err
		}
	}
}

// lock locks one object for as long as its item is kept.
func (l *Locks) lock(ctx context.Context, k meta.Lock) error {
	if err := l.Objects.Retain(ctx, blob.Key(k.Object), k.Until); err != nil {
		return fmt.Errorf("lock an object: %w", err)
	}
	return l.Store.KeepLock(ctx, k)
}

func (l *Locks) set(ctx context.Context, k meta.Lock, on bool) error {
	if err := l.Objects.LegalHold(ctx, blob.Key(k.Object), on); err != nil {
		return fmt.Errorf("hold an object: %w", err)
	}
	return l.Store.HeldBelow(ctx, k.Item, on)
}

func (l *Locks) hold(ctx context.Context, h retention.Hold) error {
	for after := media.ItemID(""); ; {
		page, err := l.Store.HeldObjects(ctx, h, after, locksAtOnce)
		if err != nil {
			return fmt.Errorf("look for the objects of a hold: %w", err)
		}
		for _, k := range page {
			if err := l.set(ctx, k, h.ReleasedAt.IsZero()); err != nil {
				return err
			}
		}
		if len(page) == 0 {
			return l.Store.PlacedBelow(ctx, h)
		}
		after = page[len(page)-1].Item
	}
}
