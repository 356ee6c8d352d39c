package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// Pages that are made from the code say what the code does.
func TestGeneratedPages(t *testing.T) {
	for page, c := range map[string]struct {
		command string
		run     func(io.Writer) error
	}{
		"access.md":   {"access", accessCmd{}.Run},
		"audit.md":    {"audit events", auditEventsCmd{}.Run},
		"data-map.md": {"data-map", dataMapCmd{}.Run},
	} {
		want, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if err := c.run(&got); err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("docs/%s is not what the code says: run “go run ./cmd/wardseal %s > docs/%s”", page, c.command, page)
		}
	}
}
