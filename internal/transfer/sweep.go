package transfer

import (
	"context"
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
	var orphans []blob.Key
	err := objects.List(ctx, prefix, func(o blob.Info) error {
		if now.Sub(o.Modified) < orphanAge {
			return nil
		}
		known, err := named(ctx, string(o.Key))
		if err == nil && !known {
			orphans = append(orphans, o.Key)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look for orphans: %w", err)
	}
	for i, key := range orphans {
		if err := objects.Delete(ctx, key); err != nil {
			return i, fmt.Errorf("remove an orphan: %w", err)
		}
		slog.Info("removed an object without a row", "key", key)
	}
	return len(orphans), nil
}
