package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/fsck"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/test/servers"
)

// Beside the objects of items, a check looks at the parts of uploads and at
// what is kept of disposals: what belongs there, what is missing, left over or
// altered. It removes leavings of uploads and writes a certificate again, says
// so before it does, and touches nothing else.
func TestFsckBesideItems(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := open(t, kind, func(c *config.Config) {
				kept(retention.Scotland, 0)(c)
				if c.Objects.Kind == "s3" {
					c.Objects.Bucket = servers.VersityGW(t).NewBucket(t, true)
				}
			})
			nurse, one := h.as("nurse"), h.as("records")
			if err := h.guided(h.hire("records2", "records-officer")); err != nil {
				t.Fatal(err)
			}
			h.file(nurse)
			batch := h.proposed(one, body{"ground": "erasure", "items": []media.ItemID{h.file(nurse).ID}, "reason": "asked for"})
			h.as("records2").proves().must("POST", "/disposals/"+batch+"/approve", http.StatusNoContent, body{})
			h.keep()
			sent := nurse.sealed(large(t), h.details())
			id := nurse.start(len(sent), "one")
			if a := nurse.patch(id, 0, bytes.NewReader(sent[:5<<20])); a.status != http.StatusNoContent {
				t.Fatalf("send: %d %s", a.status, a.body)
			}
			b := below(h)
			b.finds("a whole house", later)
			b.intakeDamaged(id)
			b.accountsDamaged(batch)
			b.repairsAreAnnounced(batch)
		})
	}
}

func (b hand) intakeDamaged(id string) {
	b.t.Helper()
	parts, err := b.sys.Store.Parts(b.t.Context(), id)
	if err != nil || len(parts) < 2 {
		b.t.Fatalf("%d parts, %v", len(parts), err)
	}
	first, second := parts[0].ObjectKey, parts[1].ObjectKey
	right, next := b.read(first), b.read(second)
	for _, at := range []int{len(right) / 2, len(right) - 1} {
		flipped := bytes.Clone(right)
		flipped[at] ^= 1
		b.write(first, flipped)
		b.finds(fmt.Sprintf("a bit of a part at %d", at), later, "altered "+first)
		b.finds("the same, compared only", func(c *fsck.Checker) { later(c); c.Fast = true })
	}
	b.write(first, right)
	flipped := bytes.Clone(next)
	flipped[len(next)/2] ^= 1
	b.write(second, flipped)
	b.finds("a bit of the second", later, "altered "+second)
	b.write(second, next[:len(next)-1])
	b.finds("a part that was cut", repairing, "altered "+second)
	if err := b.sys.Objects.Delete(b.t.Context(), blob.Key(second)); err != nil {
		b.t.Fatal(err)
	}
	b.finds("a part that is gone", repairing, "missing "+second)
	b.write(second, next)
	b.finds("put back", later)
}

func (b hand) accountsDamaged(batch string) {
	b.t.Helper()
	start, certificate := "disposals/"+batch+"/start.json", "disposals/"+batch+"/certificate.json"
	right := b.read(start)
	b.write(start, bytes.Replace(right, []byte(`"batch":"`), []byte(`"batch":"0`), 1))
	b.finds("an account that was changed", repairing, "altered "+start)
	b.write(start, b.read(certificate))
	b.finds("an account of another kind", repairing, "altered "+start)
	b.write(start, right)
	other := string(retention.NewBatchID())
	b.write("disposals/"+other+"/start.json", right)
	b.finds("the account of another", repairing, "altered disposals/"+other+"/start.json", "in-flight disposals/"+other+"/start.json")
	signed, err := b.sys.Ring.SignDocument("disposal start", []byte(`{"batch":"`+other+`","items":[]}`))
	if err != nil {
		b.t.Fatal(err)
	}
	b.write("disposals/"+other+"/start.json", signed)
	b.finds("one that a newer database knows", repairing, "in-flight disposals/"+other+"/start.json")
	if err := b.sys.Objects.Delete(b.t.Context(), blob.Key("disposals/"+other+"/start.json")); err != nil {
		b.t.Fatal(err)
	}
	b.write("disposals/notes.txt", []byte("x"))
	b.finds("what does not belong there", repairing, "orphan disposals/notes.txt")
	if err := b.sys.Objects.Delete(b.t.Context(), "disposals/notes.txt"); err != nil {
		b.t.Fatal(err)
	}
	if err := b.sys.Objects.Delete(b.t.Context(), blob.Key(start)); err != nil {
		b.t.Fatal(err)
	}
	b.finds("an account that is gone", repairing, "missing "+start)
	b.write(start, right)
	if b.s3 != nil {
		b.over(start, right)
		b.mark(certificate)
		b.finds("doubles and delete markers", later, "old-version "+start, "old-version "+certificate)
		b.finds("doubles and delete markers, repairing", repairing, "old-version "+start+" repaired", "old-version "+certificate+" repaired")
		b.finds("doubles and delete markers, repaired", later)
	}
}

// repairsAreAnnounced has repairs that remove or write something be in the audit
// before they do.
func (b hand) repairsAreAnnounced(batch string) {
	t := b.t
	t.Helper()
	certificate := "disposals/" + batch + "/certificate.json"
	right := b.read(certificate)
	if err := b.sys.Objects.Delete(t.Context(), blob.Key(certificate)); err != nil {
		t.Fatal(err)
	}
	orphan := "intake/" + uuid.NewString() + "/00000000000000-" + uuid.NewString()
	b.write(orphan, []byte("x"))
	b.finds("at once", nil, "in-flight "+orphan, "missing "+certificate)

	// Where nothing can be written down, nothing is done.
	c := &fsck.Checker{Store: mute{b.sys.Store}, Objects: b.sys.Objects, Ring: b.sys.Ring, By: "test", Repair: true, Clock: func() time.Time { return time.Now().Add(2 * time.Hour) }}
	if _, err := c.Run(t.Context(), ""); !errors.Is(err, errMute) {
		t.Errorf("a repair without an account of it: %v", err)
	}
	b.finds("after that", later, "orphan "+orphan, "missing "+certificate)

	begun, done := b.events("store.repair-begun"), b.events("store.repaired")
	b.finds("repairing", repairing, "orphan "+orphan+" repaired", "missing "+certificate+" repaired")
	if got := b.read(certificate); !bytes.Equal(got, right) {
		t.Error("another certificate was written")
	}
	if n, m := b.events("store.repair-begun")-begun, b.events("store.repaired")-done; n != 2 || m != 2 {
		t.Errorf("%d repairs begun and %d done are recorded", n, m)
	}
	said := slices.Concat(b.recorded(audit.RepairBegun)[:2], b.recorded(audit.StoreRepaired)[:2])
	slices.SortFunc(said, func(a, b audit.Event) int { return int(a.Seq - b.Seq) })
	for i, ev := range said {
		if want := []audit.Type{audit.RepairBegun, audit.StoreRepaired}[i%2]; ev.Type != want || want == audit.RepairBegun && !strings.Contains(orphan+certificate, ev.Detail["object"]) {
			t.Errorf("the account of it: %+v", said)
		}
	}
	b.finds("repaired", later)
}

var errMute = errors.New("nothing can be written down")

// mute is a database that takes no event of a repair that begins.
type mute struct{ fsck.Store }

func (m mute) AppendEvent(ctx context.Context, ev audit.Event) error {
	if ev.Type == audit.RepairBegun {
		return errMute
	}
	return m.Store.AppendEvent(ctx, ev)
}
