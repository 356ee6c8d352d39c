package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/test/servers"
)

var errKilled = errors.New("killed")

// killer ends a desk at one of its steps, the nth of its name, before or after
// what the step does; from then on nothing that the desk asks for is done.
type killer struct {
	mu    sync.Mutex
	name  string
	nth   int // from 1
	after bool
	seen  int
	dead  bool
}

func (k *killer) step(name string, do func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock() // one at a time, so that a step is the same each time
	if k.dead {
		return errKilled
	}
	if name != k.name {
		return do()
	}
	if k.seen++; k.seen != k.nth {
		return do()
	}
	if k.after {
		if err := do(); err != nil {
			return err
		}
	}
	k.dead = true
	return errKilled
}

type dyingStore struct {
	disposal.Store
	k *killer
}

func (s dyingStore) ClaimBatch(ctx context.Context, lease time.Duration) (b retention.Batch, err error) {
	err = s.k.step("claim", func() (err error) { b, err = s.Store.ClaimBatch(ctx, lease); return err })
	return b, err
}

func (s dyingStore) ExtendBatch(ctx context.Context, id retention.BatchID, lease time.Duration) error {
	return s.k.step("extend", func() error { return s.Store.ExtendBatch(ctx, id, lease) })
}

func (s dyingStore) StartBatch(ctx context.Context, id retention.BatchID, ev audit.Event) error {
	return s.k.step("start", func() error { return s.Store.StartBatch(ctx, id, ev) })
}

func (s dyingStore) DestroyKeys(ctx context.Context, b retention.Batch, item media.ItemID, facts []byte, ev, spared audit.Event) (why string, err error) {
	err = s.k.step("keys", func() (err error) { why, err = s.Store.DestroyKeys(ctx, b, item, facts, ev, spared); return err })
	return why, err
}

func (s dyingStore) ForgetItem(ctx context.Context, b retention.BatchID, item media.ItemID, ev audit.Event) error {
	return s.k.step("forget", func() error { return s.Store.ForgetItem(ctx, b, item, ev) })
}

func (s dyingStore) Purge(ctx context.Context) error {
	return s.k.step("purge", func() error { return s.Store.Purge(ctx) })
}

func (s dyingStore) FinishBatch(ctx context.Context, id retention.BatchID, certificate []byte, ev audit.Event) error {
	return s.k.step("finish", func() error { return s.Store.FinishBatch(ctx, id, certificate, ev) })
}

type dyingObjects struct {
	blob.Store
	k *killer
}

func (o dyingObjects) Create(ctx context.Context, key blob.Key, r io.Reader, size int64) (i blob.Info, err error) {
	err = o.k.step("account", func() (err error) { i, err = o.Store.Create(ctx, key, r, size); return err })
	return i, err
}

func (o dyingObjects) Delete(ctx context.Context, key blob.Key) error {
	return o.k.step("delete", func() error { return o.Store.Delete(ctx, key) })
}

// batchOf has two pictures of a new patient approved for destruction, at once.
func (h *house) batchOf() (string, []media.ItemID) {
	h.t.Helper()
	nurse, one, two := h.as("nurse"), h.as("records"), h.as("records2")
	if a := nurse.ask("POST", "/patients", body{"patient_number_kind": "nhs", "patient_number": "9990000018", "name": "Test Patient", "date_of_birth": "1950-01-31"}); a.status != http.StatusCreated && a.code() != "patient-known" {
		h.t.Fatalf("register: %d %s", a.status, a.body)
	}
	var items []media.ItemID
	var patient media.PatientID
	for range 2 {
		it := h.file(nurse)
		items, patient = append(items, it.ID), it.Patient
	}
	h.dead(patient)
	batch := h.proposed(one, body{"ground": "retention", "items": items, "reason": "x"})
	two.stepUp()
	two.must("POST", "/disposals/"+batch+"/approve", http.StatusNoContent, body{})
	return batch, items
}

// However it is killed, before or after any of its steps, destruction goes on
// where it stopped: nothing is half gone at the end, and it is certified once.
func TestDisposalKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			h := open(t, kind, kept(retention.Scotland, 0))
			if err := h.guided(h.hire("records2", "records-officer")); err != nil {
				t.Fatal(err)
			}
			kills := 0
			for _, step := range []string{"claim", "account", "start", "extend", "keys", "delete", "forget", "purge", "finish"} {
				for _, after := range []bool{false, true} {
					n := h.killedAt(step, after)
					if n == 0 {
						t.Errorf("it was never killed at %s (after it: %v)", step, after)
					}
					kills += n
				}
			}
			t.Logf("killed %d times", kills)
		})
	}
}

// killedAt kills a disposal at each step of a name, and gives how many there
// are.
func (h *house) killedAt(step string, after bool) int {
	h.t.Helper()
	for nth := 1; ; nth++ {
		batch, items := h.batchOf()
		k := &killer{name: step, nth: nth, after: after}
		d := *h.sys.Flows().Disposal
		d.Store, d.Objects, d.Lease = dyingStore{d.Store, k}, dyingObjects{d.Objects, k}, time.Millisecond
		_, err := d.Run(h.t.Context())
		if !k.dead {
			if err != nil {
				h.t.Fatal(err)
			}
			return nth - 1
		}
		if !errors.Is(err, errKilled) {
			h.t.Fatalf("killed at %s %d, it says %v", step, nth, err)
		}
		time.Sleep(5 * time.Millisecond) // the lease of the dead
		h.keep()
		h.nothingLeft(items)
		h.certified(h.as("records"), batch, 2)
		if h.t.Failed() {
			h.t.Fatalf("after being killed at %s %d (after it: %v)", step, nth, after)
		}
	}
}

// What was destroyed stays destroyed when an old backup of the database is
// restored: the accounts in the object store are replayed before serving.
func TestRestoreBringsNothingBack(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.Scotland, 0))
	if err := h.guided(h.hire("records2", "records-officer")); err != nil {
		t.Fatal(err)
	}
	h.as("nurse").must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Other Patient", "date_of_birth": "1950-01-31"})
	other := h.file(h.as("nurse"), "patient_number", "9990000026")
	batch, items := h.batchOf()
	path := filepath.Join(h.data, "wardseal.db")
	if err := h.sys.Close(); err != nil {
		t.Fatal(err)
	}
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h.reopen()
	h.keep()
	h.nothingLeft(items)
	before := h.certified(h.as("records"), batch, 2)
	if err := h.sys.Close(); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"-wal", "-shm"} {
		_ = os.Remove(path + more)
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	h.nothingLeft(items)
	if a := h.as("nurse").ask("GET", "/items/"+string(items[0]), nil); a.code() != "item-destroyed" {
		t.Errorf("an item came back: %d %s", a.status, a.code())
	}
	if got := h.events("disposal.repeated"); got != 2 {
		t.Errorf("%d items were destroyed again", got)
	}
	var b api.Batch
	h.as("records").must("GET", "/disposals/"+batch, http.StatusOK, nil).into(t, &b)
	c, _, err := h.sys.Flows().Disposal.Certificate(t.Context(), h.as("records").principal(), retention.BatchID(batch))
	if err != nil || b.State != retention.Destroyed || len(c.Destroyed) != 2 || !c.FinishedAt.Equal(before.FinishedAt) {
		t.Errorf("the log after it: %+v (%v)", b, err)
	}
	h.as("nurse").must("GET", "/items/"+string(other.ID)+"/renditions/original-clean", http.StatusOK, nil)
	h.keep()
	h.reopen() // and once more there is nothing to do
	if got := h.events("disposal.repeated"); got != 2 {
		t.Errorf("%d after another start", got)
	}
}

// A batch that was cut short, in a database that was restored from before it
// began: what has lost its objects stays destroyed, and the batch still ends.
func TestRestoreOfABatchCutShort(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.Scotland, 0))
	if err := h.guided(h.hire("records2", "records-officer")); err != nil {
		t.Fatal(err)
	}
	batch, items := h.batchOf()
	path := filepath.Join(h.data, "wardseal.db")
	if err := h.sys.Close(); err != nil {
		t.Fatal(err)
	}
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h.reopen()
	k := &killer{name: "forget", nth: 1}
	d := *h.sys.Flows().Disposal
	d.Store, d.Objects, d.Lease = dyingStore{d.Store, k}, dyingObjects{d.Objects, k}, time.Millisecond
	if _, err := d.Run(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if err := h.sys.Close(); err != nil {
		t.Fatal(err)
	}
	for _, more := range []string{"-wal", "-shm"} {
		_ = os.Remove(path + more)
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	again := h.events("disposal.repeated")
	if again == 0 {
		t.Error("what had lost its objects is there again")
	}
	h.keep()
	h.nothingLeft(items)
	var b api.Batch
	h.as("records").must("GET", "/disposals/"+batch, http.StatusOK, nil).into(t, &b)
	if b.State != retention.Destroyed || b.Spared != again || b.Destroyed != 2-again {
		t.Errorf("destroyed again: %d; the batch: %+v", again, b)
	}
}

// Of a bucket that keeps versions, no version is left.
func TestDisposalLeavesNoVersion(t *testing.T) {
	t.Parallel()
	srv := servers.VersityGW(t)
	bucket := srv.NewBucket(t, true)
	h := open(t, "postgres+s3", func(c *config.Config) {
		kept(retention.Scotland, 0)(c)
		c.Objects.Bucket = bucket
	})
	if err := h.guided(h.hire("records2", "records-officer")); err != nil {
		t.Fatal(err)
	}
	_, items := h.batchOf()
	if n := srv.Versions(t, bucket, "items/"); n != 2 {
		t.Fatalf("%d versions before", n)
	}
	h.keep()
	h.nothingLeft(items)
	if n := srv.Versions(t, bucket, "items/"); n != 0 {
		t.Errorf("%d versions are left", n)
	}
}
