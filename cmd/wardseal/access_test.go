package main

import (
	"os"
	"strings"
	"testing"
)

func TestAccessPageIsTheTable(t *testing.T) {
	want, err := os.ReadFile("../../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	if err := (accessCmd{}).Run(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Error("docs/access.md is not what the table says: run “go run ./cmd/wardseal access > docs/access.md”")
	}
}
