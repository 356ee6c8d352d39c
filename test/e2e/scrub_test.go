package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/media"
)

// The server itself reads everything in time, and tells of what is not as it
// should be: to administrators, in the audit and as a metric.
func TestScrub(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		h.sys.Config.Limits.ScrubEvery = time.Microsecond // a round is due at once
		h.restart(h.sys.Config)
		var ids []media.ItemID
		for range 3 {
			ids = append(ids, h.file(h.as("nurse")).ID)
		}
		round := func() {
			t.Helper()
			for i, ended := 0, h.events("store.checked"); h.events("store.checked") == ended; i++ {
				if _, err := h.sys.Scrub(t.Context()); err != nil || i > 10 {
					t.Fatalf("slice %d: %v", i, err)
				}
			}
		}
		part := func() api.Part {
			for _, p := range h.status() {
				if p.Name == "Stored pictures read again" {
					return p
				}
			}
			t.Fatal("the status does not speak of it")
			return api.Part{}
		}
		round()
		if p := part(); !p.OK || !strings.HasPrefix(p.Says.String(), "all 3") || h.events("store.damage-found") != 0 {
			t.Errorf("a whole store: %+v", p)
		}
		b := below(h)
		key := b.key(ids[1], media.Original)
		x := b.read(key)
		x[100] ^= 1
		b.write(key, x)
		round()
		if p := part(); p.OK || !strings.HasPrefix(p.Says.String(), "NOT AS THEY SHOULD BE: 1.") || h.events("store.damage-found") != 1 {
			t.Errorf("a damaged store: %+v", p)
		}
		if m := h.metrics(); !strings.Contains(m, "wardseal_scrub_damaged 1") {
			t.Error("the metric does not tell")
		}
	})
}
