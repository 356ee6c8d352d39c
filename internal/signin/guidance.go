package signin

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
)

//go:embed guidance.txt
var usualGuidance string

// GuidanceStore is what guidance needs of the database.
type GuidanceStore interface {
	Acknowledge(ctx context.Context, p access.PersonID, version string, ev audit.Event) error
	Acknowledged(ctx context.Context, p access.PersonID, version string) (bool, error)
}

// Guidance is what staff must have read before they go on: what the system is
// for, their duties, and how to report a breach. Its version is a hash of its
// text, so that every change is shown again.
type Guidance struct {
	store   GuidanceStore
	text    string
	version string
}

// NewGuidance makes guidance of a text in paragraphs; an empty one means the
// usual text.
func NewGuidance(store GuidanceStore, text string) *Guidance {
	if text = strings.TrimSpace(text); text == "" {
		text = strings.TrimSpace(usualGuidance)
	}
	sum := sha256.Sum256([]byte(text))
	return &Guidance{store, text, hex.EncodeToString(sum[:8])}
}

// Version names the present text.
func (g *Guidance) Version() string { return g.version }

// Part is a heading (empty for the first) and its paragraphs.
type Part struct {
	Heading    string
	Paragraphs []string
}

// Parts gives the text: a line that starts with "# " is a heading, and an
// empty line ends a paragraph.
func (g *Guidance) Parts() []Part {
	parts := []Part{{}}
	for _, p := range strings.Split(strings.ReplaceAll(g.text, "\r\n", "\n"), "\n\n") {
		p = strings.TrimSpace(p)
		if heading, ok := strings.CutPrefix(p, "# "); ok {
			heading, p, _ = strings.Cut(heading, "\n")
			parts = append(parts, Part{Heading: strings.TrimSpace(heading)})
		}
		if p = strings.TrimSpace(p); p != "" {
			last := &parts[len(parts)-1]
			last.Paragraphs = append(last.Paragraphs, strings.ReplaceAll(p, "\n", " "))
		}
	}
	return parts
}

// Read reports whether who has read the present text.
func (g *Guidance) Read(ctx context.Context, who access.Principal) (bool, error) {
	yes, err := g.store.Acknowledged(ctx, who.Person.ID, g.version)
	if err != nil {
		return false, down(fmt.Errorf("look for the guidance read: %w", err))
	}
	return yes, nil
}

// Acknowledge records that who has read the given version.
func (g *Guidance) Acknowledge(ctx context.Context, who access.Principal, version string) error {
	if version != g.version {
		return fault.New(fault.Conflict, "guidance-changed", "The guidance was changed meanwhile. Read it again, please.")
	}
	ev := audit.NewEvent(audit.GuidanceRead, who, audit.Subject{}).With("version", version)
	return down(g.store.Acknowledge(ctx, who.Person.ID, version, ev))
}
