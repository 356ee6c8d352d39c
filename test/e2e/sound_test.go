package e2e

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
)

// The sound of a film stays or goes as the uploader says; where it is the
// policy that it goes, it goes whatever they say.
func TestSoundOfFilms(t *testing.T) {
	t.Parallel()
	film := shot(t, ".mp4", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=5:duration=1", "-f", "lavfi", "-i", "sine=duration=1", "-c:v", "mpeg4", "-c:a", "aac")
	for _, policy := range []bool{false, true} {
		h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Limits.NoSound = policy })
		for choice, stays := range map[string]bool{"": !policy, "keep": !policy, "remove": false} {
			d := maps.Clone(h.details())
			d["sound"], d["allow_repeat"] = choice, "true"
			a := h.as("nurse").upload(film, d)
			if a.status != http.StatusCreated {
				t.Fatalf("policy %v, %q: %d %s", policy, choice, a.status, a.body)
			}
			var f api.Filing
			a.into(t, &f)
			seen := h.as("nurse").send("GET", "/api/v1/items/"+string(f.Item.ID)+"/renditions/original-clean", nil)
			if seen.status != http.StatusOK || bytes.Contains(seen.body, []byte("mp4a")) != stays {
				t.Errorf("policy %v, %q: %d, and the sound should stay: %v", policy, choice, seen.status, stays)
			}
			said := false
			for _, k := range f.Receipt.Removed {
				said = said || strings.Contains(k.Kind.String(), "sound removed")
			}
			if said == stays {
				t.Errorf("policy %v, %q: the receipt says that sound was removed: %v", policy, choice, said)
			}
		}
		d := maps.Clone(h.details())
		d["sound"] = "perhaps"
		if a := h.as("nurse").upload(film, d); a.code() != "sound-form" {
			t.Errorf("a choice that is none: %d %s", a.status, a.code())
		}
	}
}
