package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
)

// After an older backup is restored, the place that has the later checkpoints
// is held against it: verifying says what is missing and which backup came
// back, right after the restore and once the restored system has gone further
// than the old one was. It passes neither for whole nor for forged; what was
// changed from before the backup is still told as that.
func TestOldSinkAfterRestore(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			oldSinkAfterRestore(t, kind)
		})
	}
}

func oldSinkAfterRestore(t *testing.T, kind string) {
	t.Helper()
	h, old := withSinks(t, kind)
	h.filed()
	h.checkpoint()
	dir, _, at := places(t, kind)
	command(t, h.sys.Config, 0, append([]string{"backup", "--to", dir}, at...)...)
	for range 3 { // recorded after the backup: what will be missing
		h.as("nurse")
		h.checkpoint()
	}
	last := h.lastEvent()
	command(t, h.sys.Config, 0, "audit", "verify", "--audit-file", old)

	to := newPlace(t, h.sys.Config, false)
	to.Audit = config.Default(to.Data).Audit
	command(t, to, 0, append(append([]string{"restore", "--from", dir}, h.shares("1", "2", "3")...), at...)...)
	back := &house{t: t, data: to.Data, team: h.team, ids: h.ids}
	var err error
	if back.sys, err = config.Open(t.Context(), withDefaults(to)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = back.sys.Close() })
	restored := back.recorded(audit.Restored)
	if len(restored) != 1 || restored[0].Seq > last {
		t.Fatalf("the restore is recorded as %+v", restored)
	}
	first, backup := restored[0].Seq, restored[0].Detail["backup"]
	tells := func(when string) {
		t.Helper()
		said := command(t, to, 1, "audit", "verify", "--audit-file", old)
		for _, part := range []string{fmt.Sprintf("events %d to %d: missing", first, last), "restored from backup " + backup, fmt.Sprintf("up to %d events", last), fmt.Sprintf("from before event %d is as it was signed", first), "put back by somebody else"} {
			if !strings.Contains(said, part) {
				t.Errorf("%s it does not say %q: %s", when, part, said)
			}
		}
	}
	tells("after the restore")

	// With a new place it goes on, and verifies; the old place tells the same.
	if err := back.sys.Close(); err != nil {
		t.Fatal(err)
	}
	to.Audit.File = filepath.Join(t.TempDir(), "checkpoints")
	if back.sys, err = config.Open(t.Context(), withDefaults(to)); err != nil {
		t.Fatal(err)
	}
	back.serve()
	for back.lastEvent() <= last+10 {
		back.as("nurse")
		back.checkpoint()
	}
	command(t, to, 0, "audit", "verify", "--audit-file", to.Audit.File)
	tells("once it has gone on")

	below(back).do("UPDATE audit_events SET patient = 'x' WHERE seq = 3")
	if said := command(t, to, 1, "audit", "verify", "--audit-file", old); !strings.Contains(said, "event 3: its columns") || strings.Contains(said, "restored") {
		t.Errorf("an event from before the backup was changed: %s", said)
	}
}
