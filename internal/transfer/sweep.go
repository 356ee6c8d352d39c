package transfer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wardseal/wardseal/storage/blob"
)

// SweepStore is what the sweep needs of the database.
type SweepStore interface {
	ObjectKeyExists(ctx context.Context, key string) (bool, error)
}

// orphanAge is how old an object without a row must be before it is taken for
// an orphan: longer than any upload takes from its object to its row.
const orphanAge = time.Hour

// Sweep removes objects that no row names: what a crash between an object and
// its row leaves behind, and what one in the midst of an object does, and
// nothing else. It returns how many it removed.
func Sweep(ctx context.Context, objects blob.Store, rows SweepStore, now time.Time) (int, error) {
	n, err := sweep(ctx, objects, "items/", rows.ObjectKeyExists, now)
	if t, ok := objects.(blob.Tidier); ok && err == nil {
		left := 0
		if left, err = t.Tidy(ctx, now); left > 0 {
			slog.Info("removed what writes left that were broken off", "count", left)
		}
		n += left
	}
	return n, err
}

func sweep(ctx context.Context, objects blob.Store, prefix string, named func(context.Context, string) (bool, error), now time.Time) (int, error) {
	var orphans []blob.Info
	err := objects.List(ctx, prefix, func(o blob.Info) error {
		if !Stale(o.Modified, now) {
			return nil
		}
		known, err := named(ctx, string(o.Key))
		if err == nil && !known {
			orphans = append(orphans, o)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look for orphans: %w", err)
	}
	removed := 0
	for _, o := range orphans {
		gone, err := removeOrphan(ctx, objects, named, o, now)
		if errors.Is(err, blob.ErrLocked) {
			continue // it goes when its lock ends
		}
		if err != nil {
			return removed, fmt.Errorf("remove an orphan: %w", err)
		}
		if gone {
			removed++
		}
	}
	return removed, nil
}

// Stale reports whether an object without a row is older than any upload takes
// from its object to its row, and so nobody's.
func Stale(modified, now time.Time) bool { return now.Sub(modified) >= orphanAge }

// RemoveOrphan is what the sweep does with one object: it asks once more whether
// no row names it, and removes every version. It reports whether it did.
func RemoveOrphan(ctx context.Context, objects blob.Store, rows SweepStore, o blob.Info, now time.Time) (bool, error) {
	return removeOrphan(ctx, objects, rows.ObjectKeyExists, o, now)
}

// RemovePart is RemoveOrphan for what is left of an upload.
func RemovePart(ctx context.Context, objects blob.Store, rows PartStore, o blob.Info, now time.Time) (bool, error) {
	return removeOrphan(ctx, objects, rows.PartKeyExists, o, now)
}

// PartStore tells which parts of uploads there are.
type PartStore interface {
	PartKeyExists(ctx context.Context, key string) (bool, error)
}

// Parts is where the parts of uploads that can be resumed are kept.
const Parts = "intake/"

func removeOrphan(ctx context.Context, objects blob.Store, named func(context.Context, string) (bool, error), o blob.Info, now time.Time) (bool, error) {
	if !Stale(o.Modified, now) {
		return false, nil
	}
	known, err := named(ctx, string(o.Key))
	if err != nil || known {
		return false, err
	}
	if err := objects.Delete(ctx, o.Key); err != nil {
		return false, err
	}
	slog.Info("removed an object without a row", "key", o.Key)
	return true, nil
}
