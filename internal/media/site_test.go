package media

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/wardseal/wardseal/internal/words"
)

// A hold by part of the body finds what the capture page writes: both must
// know the same parts.
func TestSitesAreThoseOfTheMap(t *testing.T) {
	text, err := os.ReadFile("../../api/ui/src/body.ts")
	if err != nil {
		t.Fatal(err)
	}
	var drawn []words.Text
	for _, m := range regexp.MustCompile(`(?m)^  \["([a-z ]+)", \d+`).FindAllStringSubmatch(string(text), -1) {
		drawn = append(drawn, words.Text(m[1]))
	}
	if !slices.Equal(drawn, Sites()) {
		t.Errorf("the map has %q, the holds know %q", drawn, Sites())
	}
	for written, want := range map[string]string{"Left heel": "heel", "right foot, big toe": "foot", "Back of the head, ear": "back of the head"} {
		if got, ok := SiteOf(written); !ok || got != want {
			t.Errorf("%q is about %q, %v", written, got, ok)
		}
	}
	if got, ok := SiteOf("L heel"); ok {
		t.Errorf("a word of one's own passes for %q", got)
	}
}
