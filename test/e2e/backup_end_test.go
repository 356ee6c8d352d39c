package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/backup"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
)

// dying is a place that takes some things more and then nothing, as when who
// writes to it is killed.
type dying struct {
	blob.Store
	left int
}

func (d *dying) Create(ctx context.Context, key blob.Key, r io.Reader, size int64) (blob.Info, error) {
	if d.left == 0 {
		return blob.Info{}, errKilled
	}
	info, err := d.Store.Create(ctx, key, r, size)
	if err == nil {
		d.left--
	}
	return info, err
}

// maker makes backups of a house in this process.
func (h *house) maker(s blob.Store) *backup.Maker {
	h.t.Helper()
	parts, err := config.OpenParts(h.t.Context(), h.sys.Config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = parts.Close() })
	m, err := parts.Maker(s)
	if err != nil {
		h.t.Fatal(err)
	}
	m.Workers = 1
	return m
}

// Killed after each thing that it writes, a backup is there whole or not at all;
// what it had copied is not copied again, and the last run finishes.
func TestBackupKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	for range 2 {
		h.file(h.as("nurse"))
	}
	dir, s := place(t)
	d := &dying{Store: s}
	m := h.maker(d)
	kills := 0
	for ; ; kills++ {
		d.left = 1
		before := len(keysIn(t, s, ""))
		made, err := m.Make(t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, errKilled) || kills > 200 {
			t.Fatalf("kill %d: %v", kills, err)
		}
		if len(keysIn(t, s, "")) != before+1 || made.NewObjects > 1 {
			t.Fatalf("kill %d: %d things were written", kills, len(keysIn(t, s, ""))-before)
		}
		if ids, err := backup.List(t.Context(), s); err != nil || len(ids) != 0 {
			t.Fatalf("kill %d: half a backup is there: %v, %v", kills, ids, err)
		}
	}
	t.Logf("killed %d times", kills)
	to := newPlace(t, h.sys.Config, false)
	to.Keys = config.Keys{RootFile: h.sys.Config.RootFile(), EscrowFile: h.sys.Config.EscrowFile()}
	if said := command(t, to, 0, "restore", "--from", dir); !strings.Contains(said, "every object was read: 2") {
		t.Error(said)
	}
}

// What was destroyed goes from the backups too, when the last that holds it has
// been kept as long as it may be; and no older backup brings it back before.
func TestBackupsForgetWhatWasDestroyed(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.Scotland, 0))
	if err := h.guided(h.hire("records2", "records-officer")); err != nil {
		t.Fatal(err)
	}
	h.as("nurse").must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Other Patient", "date_of_birth": "1950-01-31"})
	h.file(h.as("nurse"), "patient_number", "9990000026")
	_, items := h.batchOf()
	dir, s := place(t)
	m := h.maker(s)
	m.Settled = time.Nanosecond
	first, err := m.Make(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.keep()
	h.nothingLeft(items)
	left := func() (n int) {
		for _, key := range keysIn(t, s, "wardseal-backup-1/objects/items/") {
			for _, id := range items {
				if strings.Contains(key, string(id)) {
					n++
				}
			}
		}
		return n
	}
	if _, err := m.Make(t.Context()); err != nil || left() != 2 {
		t.Fatalf("%v; %d objects of what was destroyed are in the place, where the first backup still names them", err, left())
	}

	to := newPlace(t, h.sys.Config, false)
	to.Keys = config.Keys{RootFile: h.sys.Config.RootFile(), EscrowFile: h.sys.Config.EscrowFile()}
	if said := command(t, to, 0, "restore", "--from", dir, "--backup", first.Manifest.ID); !strings.Contains(said, "every object was read: 3") { // one picture's, and the two accounts of the disposal
		t.Errorf("an old backup brings back what was destroyed since:\n%s", said)
	}

	parts := keysIn(t, s, "wardseal-backup-1/parts/")
	m.Keep = time.Nanosecond
	made, err := m.Make(t.Context())
	if err != nil || len(made.Pruned) != 2 {
		t.Fatalf("%v; removed %v", err, made.Pruned)
	}
	if n := left(); n != 0 {
		t.Errorf("%d objects of what was destroyed are left in the place", n)
	}
	var wrapped []backup.Part // the part with the keys, as the first backup had it
	for _, table := range first.Manifest.Tables {
		if table.Name == "wrapped_keys" {
			wrapped = table.Parts
		}
	}
	now := keysIn(t, s, "wardseal-backup-1/parts/")
	for _, p := range wrapped {
		if slices.ContainsFunc(now, func(k string) bool { return strings.Contains(k, p.Name) }) {
			t.Error("a destroyed key is left in the place")
		}
	}
	if len(wrapped) == 0 || len(now) >= len(parts) {
		t.Errorf("%d parts, of %d before", len(now), len(parts))
	}
	command(t, h.sys.Config, 2, "backup", "--to", dir, "--keep", "841h") // longer than certificates promise
	command(t, h.sys.Config, 0, "backup", "--to", dir)
}
