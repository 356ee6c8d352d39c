package fsck

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// endless is a database of n objects that are nowhere: each is made when it is
// asked for.
type endless struct {
	Store
	n      int
	events int
}

// shelf is a store of the same.
type shelf struct {
	blob.Store
	n        int
	backward bool
}

func at(n int) string {
	id := fmt.Sprintf("01990000-0000-7000-8000-%012x", n)
	return fmt.Sprintf("items/00/%s-original-clean-%s.age", id, id)
}

func (e *endless) KeptAfter(_ context.Context, after string, limit int) (out []meta.Kept, err error) {
	first := 0
	if after != "" {
		if _, err := fmt.Sscanf(after[len("items/00/01990000-0000-7000-8000-"):][:12], "%x", &first); err != nil {
			return nil, err
		}
		first++
	}
	for i := first; i < min(e.n, first+limit); i++ {
		item, r, _ := named(blob.Key(at(i)))
		k := meta.Kept{RenditionRow: media.RenditionRow{Item: item, Rendition: r, Format: media.JPEG, ObjectKey: at(i), Bytes: 1, ObjectBytes: 2}, Manifest: make([]byte, 700)}
		k.Key.Wrapped = make([]byte, 180)
		out = append(out, k)
	}
	return out, nil
}

func (e shelf) List(_ context.Context, under string, each func(blob.Info) error) error {
	if under != prefix {
		return nil
	}
	for i := range e.n {
		if e.backward {
			i = e.n - 1 - i
		}
		if err := each(blob.Info{Key: blob.Key(at(i)), Bytes: 2, Modified: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}

func (e *endless) CountRenditions(context.Context) (int64, error)                     { return int64(e.n), nil }
func (e *endless) StrayKeys(context.Context, func(meta.Stray) error) error            { return nil }
func (e *endless) KeysOfDestroyed(context.Context, func(meta.Stray) error) error      { return nil }
func (e *endless) ItemsWithoutOriginal(context.Context, func(meta.Stray) error) error { return nil }
func (e *endless) ObjectKeyExists(context.Context, string) (bool, error)              { return false, nil }
func (e *endless) AppendEvent(context.Context, audit.Event) error                     { e.events++; return nil }

func (e *endless) UploadsWithParts(context.Context, string, int) ([]meta.Upload, error) {
	return nil, nil
}

func (e *endless) Batches(context.Context, retention.BatchID, int) ([]retention.Batch, error) {
	return nil, nil
}

func (e *endless) Item(context.Context, media.ItemID) (media.Item, error) {
	return media.Item{}, meta.ErrNotFound
}

// Ten times as many objects need no more memory.
func TestWalkNeedsNoMemoryForMore(t *testing.T) {
	most := func(n int) uint64 {
		e := &endless{n: n}
		var peak uint64
		c := &Checker{Store: e, Objects: shelf{n: n}, Fast: true}
		looks := 0
		c.Progress = func(Progress) {
			if looks++; looks%100 == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
		sum, err := c.Run(t.Context(), "")
		if err != nil || sum.Checked != int64(n) || sum.Wrong != 0 || e.events != 1 {
			t.Fatalf("%+v, %v", sum, err)
		}
		return peak
	}
	few := most(20_000)
	if many := most(200_000); many > few+4<<20 {
		t.Errorf("%d bytes for 20,000 objects, %d for 200,000", few, many)
	}
}

// A store that lists out of order is not compared with anything, rather than
// found to lack what it has.
func TestListOutOfOrder(t *testing.T) {
	c := &Checker{Store: &endless{n: 1000}, Objects: shelf{n: 1000, backward: true}, Fast: true, Found: func(f Finding) error { return errors.New(f.String()) }}
	if sum, err := c.Run(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "the store lists") || sum.Whole {
		t.Errorf("%+v, %v", sum, err)
	}
}
