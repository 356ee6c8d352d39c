package meta_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// Keys are replaced all or none, wrapped keys only where they are what they
// were, and no key goes that something needs.
func TestKeysAreReplaced(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		next := media.SealedKey{ID: uuid.NewString(), Purpose: "kek", Period: "2026-11.002", Sealed: []byte("n"), CreatedAt: time.Now()}
		w.must(w.AddSealedKey(ctx, next, ev(audit.KeyMade)))
		w.wants(w.ReplaceSealedKeys(ctx, []media.SealedKey{{ID: w.kek.ID, Sealed: []byte("other")}}, ev(audit.KeysResealed)), meta.ErrExists, "fewer keys than there are")
		w.wants(w.ReplaceSealedKeys(ctx, []media.SealedKey{w.kek, next, {ID: "unknown"}}, ev(audit.KeysResealed)), meta.ErrNotFound, "more keys than there are")
		sealed := func(k media.SealedKey) string {
			all, err := w.SealedKeys(ctx)
			w.must(err)
			for _, x := range all {
				if x.ID == k.ID {
					return string(x.Sealed)
				}
			}
			return ""
		}
		if sealed(w.kek) != "s" || sealed(next) != "n" {
			t.Error("half of the keys are replaced")
		}
		first := w.kek
		first.Sealed = []byte("other")
		w.must(w.ReplaceSealedKeys(ctx, []media.SealedKey{next, first}, ev(audit.KeysResealed)))
		if sealed(w.kek) != "other" || sealed(next) != "n" {
			t.Errorf("%q and %q", sealed(w.kek), sealed(next))
		}

		var items []media.ItemID
		for range 230 { // more than one statement replaces
			items = append(items, w.file(nil).ID)
		}
		w.wants(w.RetireKey(ctx, w.kek.ID, ev(audit.KeyRetired)), meta.ErrKeyInUse, "a key in use")
		rows, err := w.WrappedUnder(ctx, []string{w.kek.ID}, media.WrappedKey{}, 1000)
		if err != nil || len(rows) != len(items) || !bytes.Equal(rows[0].Wrapped, []byte("w")) || rows[0].Format != media.JPEG {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if tail, err := w.WrappedUnder(ctx, []string{w.kek.ID, next.ID}, rows[199].WrappedKey, 20); err != nil || len(tail) != 20 || tail[0].Item != rows[200].Item {
			t.Errorf("%d rows from behind the 200th, %v", len(tail), err)
		}
		var to []media.WrappedKey
		for _, r := range rows {
			r.KEK, r.Wrapped = next.ID, []byte("anew "+r.Item)
			to = append(to, r.WrappedKey)
		}
		if n, err := w.ReplaceWrapped(ctx, rows, to, ev(audit.KeysRewrapped)); err != nil || n != len(items) {
			t.Errorf("%d replaced, %v", n, err)
		}
		to[0].Wrapped = []byte("late")
		if n, err := w.ReplaceWrapped(ctx, rows[:1], to[:1], ev(audit.KeysRewrapped)); err != nil || n != 0 {
			t.Errorf("what is no longer as it was is replaced: %d, %v", n, err)
		}
		for _, id := range []media.ItemID{items[0], items[150], items[229]} {
			if _, k, err := w.Rendition(ctx, id, media.Original); err != nil || k.KEK != next.ID || string(k.Wrapped) != "anew "+string(id) {
				t.Errorf("%s: %s %q %v", id, k.KEK, k.Wrapped, err)
			}
		}
		if counts, err := w.WrappedCounts(ctx); err != nil || len(counts) != 1 || counts[next.ID] != int64(len(items)) {
			t.Errorf("%v %v", counts, err)
		}
		w.must(w.RetireKey(ctx, w.kek.ID, ev(audit.KeyRetired)))
		w.wants(w.RetireKey(ctx, w.kek.ID, ev(audit.KeyRetired)), meta.ErrNotFound, "a key that is gone")
	})
}
