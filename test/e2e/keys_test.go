package e2e

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/custody"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

func (h *house) custody() *custody.Desk {
	h.t.Helper()
	roots, err := config.Roots(h.sys.Config)
	if err != nil {
		h.t.Fatal(err)
	}
	escrow, err := config.Escrow(h.sys.Config)
	if err != nil {
		h.t.Fatal(err)
	}
	return &custody.Desk{Store: h.sys.Store, Roots: roots, Escrow: escrow, Settle: 300 * time.Millisecond}
}

func (h *house) original(item string) []byte {
	h.t.Helper()
	return h.as("nurse").must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil).body
}

// keks are the key-encryption keys of the month.
func (h *house) keks() (ids []string) {
	h.t.Helper()
	sealed, err := h.sys.Store.SealedKeys(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, k := range sealed {
		if k.Purpose == keyring.PurposeKEK {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

// While pictures are sent and looked at, the key-encryption key is rotated, is
// cut short in the middle, and rotated to the end: nobody is refused, no object
// changes, and nothing is left under the old keys, which are gone.
func TestKeysAreRotatedUnderLoad(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		var before []string
		for range 3 {
			before = append(before, h.filed())
		}
		want := h.original(before[0])
		old := h.keks()
		objects := map[blob.Key]time.Time{}
		if err := h.sys.Objects.List(t.Context(), "items/", func(o blob.Info) error { objects[o.Key] = o.Modified; return nil }); err != nil {
			t.Fatal(err)
		}

		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		var filed sync.Map
		for _, do := range []func(){
			func() { filed.Store(h.filed(), true) },
			func() {
				if !bytes.Equal(h.original(before[1]), want) {
					t.Error("a picture is not what it was")
				}
			},
			func() { // as every server does
				if err := h.sys.RefreshKeys(t.Context()); err != nil {
					t.Error(err)
				}
				time.Sleep(30 * time.Millisecond)
			},
		} {
			load.Go(func() {
				for ctx.Err() == nil && !t.Failed() {
					do()
				}
			})
		}
		desk := h.custody()
		cut, cancel := context.WithCancel(t.Context())
		if _, err := desk.RotateKEK(cut, func(p custody.Progress) { cancel() }); err == nil {
			t.Error("what was cut short ends well")
		}
		if st, err := desk.Status(t.Context()); err != nil || len(st.ToDo) != 1 || len(h.keks()) != 2*len(old) {
			t.Errorf("cut short: %+v, %v", st.ToDo, err)
		}
		if _, err := desk.RotateKEK(t.Context(), func(custody.Progress) {}); err != nil {
			t.Error(err)
		}
		stop()
		load.Wait()

		after := h.keks()
		for _, id := range old {
			for _, now := range after {
				if id == now {
					t.Errorf("key %s is still there", id)
				}
			}
		}
		if len(after) != len(old) || h.events("key.retired") != len(old) || h.events("keys.rewrapped") == 0 {
			t.Errorf("%d keys of %d; %d retired", len(after), len(old), h.events("key.retired"))
		}
		counts, err := h.sys.Store.WrappedCounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		items := len(before)
		filed.Range(func(any, any) bool { items++; return true })
		if total := counts[after[0]] + counts[after[len(after)-1]]; total != int64(items) || len(counts) != 1 {
			t.Errorf("%v wrapped of %d items", counts, items)
		}
		for _, item := range before {
			if !bytes.Equal(h.original(item), want) {
				t.Errorf("item %s is not what it was", item)
			}
		}
		filed.Range(func(item, _ any) bool { return bytes.Equal(h.original(item.(string)), want) || t.Failed() })
		if err := h.sys.Objects.List(t.Context(), "items/", func(o blob.Info) error {
			if was, ok := objects[o.Key]; ok && was.Equal(o.Modified) {
				delete(objects, o.Key)
			}
			return nil
		}); err != nil || len(objects) != 0 {
			t.Errorf("%d objects changed, %v", len(objects), err)
		}
		if st, err := desk.Status(t.Context()); err != nil || len(st.ToDo) != 0 {
			t.Errorf("at the end: %+v, %v", st.ToDo, err)
		}
	})
}

// A wrapped key that does not open stays, and so does the key it names; the
// others are taken over all the same.
func TestRotationLeavesWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	good, bad := h.filed(), h.filed()
	was, err := h.sys.Store.WrappedUnder(t.Context(), h.keks(), media.WrappedKey{}, 10)
	if err != nil || len(was) != 2 {
		t.Fatal(was, err)
	}
	for i, row := range was {
		if string(row.Item) == bad {
			broken := row.WrappedKey
			broken.Wrapped = was[1-i].Wrapped // the other's
			if _, err := h.sys.Store.ReplaceWrapped(t.Context(), []meta.WrappedRow{row}, []media.WrappedKey{broken}, audit.NewEvent(audit.KeysRewrapped, access.Principal{}, audit.Subject{})); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := h.original(good)
	if a := h.as("nurse").ask("GET", "/items/"+bad+"/renditions/original-clean", nil); a.status < 500 {
		t.Errorf("a picture with the key of another: %d", a.status)
	}
	n, err := h.custody().RotateKEK(t.Context(), func(custody.Progress) {})
	if err == nil || n != 1 {
		t.Errorf("%d taken over, %v", n, err)
	}
	if !bytes.Equal(h.original(good), want) || h.events("key.retired") != 0 {
		t.Error("the good one does not open, or a key was retired")
	}
}
