package media

import (
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/words"
)

// Sites lists the parts of the body that the map of the capture page has,
// without their sides.
func Sites() []words.Text {
	return []words.Text{
		"head", "neck", "shoulder", "chest", "abdomen", "upper arm", "forearm", "hand", "groin", "hip", "thigh", "knee", "shin", "foot",
		"back of the head", "back of the neck", "shoulder blade", "back of the upper arm", "elbow", "back of the forearm", "back of the hand",
		"lower back", "sacrum", "buttock", "back of the thigh", "back of the knee", "calf", "heel",
	}
}

// SiteOf finds which of Sites a body site as written is about: the part before
// a comma, without its side. It reports false for what is not one of them.
func SiteOf(written string) (string, bool) {
	part, _, _ := strings.Cut(strings.ToLower(written), ",")
	part = strings.TrimSpace(part)
	for _, side := range []string{"left ", "right "} {
		part = strings.TrimPrefix(part, side)
	}
	return part, slices.Contains(Sites(), words.Text(part))
}
