package papers

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// docs/asvs.md has each requirement of levels 1 and 2, in the standard's order,
// with a known state; what is said to be met shows where.
func TestASVSIsWhole(t *testing.T) {
	list, err := os.ReadFile("testdata/asvs-5.0.0-l2.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/asvs.md")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(list))
	var got []string
	count := map[string]int{}
	for _, r := range rows(string(page)) {
		got = append(got, r.ID)
		if len(r.Cells) != 4 {
			t.Errorf("%s has %d cells after its number", r.ID, len(r.Cells))
			continue
		}
		state, evidence := r.Cells[2], r.Cells[3]
		if !slices.Contains([]string{"met", "partly", "not met", "organisation", "not applicable"}, state) {
			t.Errorf("%s is %q", r.ID, state)
		}
		count[state]++
		if evidence == "" {
			t.Errorf("%s says nothing about it", r.ID)
		}
	}
	for state, n := range count {
		if line := fmt.Sprintf("\n| %s | %d |\n", state, n); !strings.Contains(string(page), line) {
			t.Errorf("the summary does not say that %d are %s", n, state)
		}
	}
	if len(want) != 253 || !slices.Equal(got, want) {
		t.Errorf("docs/asvs.md has %d requirements, the standard %d:\nmissing %v\ntoo many %v", len(got), len(want), without(want, got), without(got, want))
	}
}

func without(from, these []string) []string {
	return slices.DeleteFunc(slices.Clone(from), func(s string) bool { return slices.Contains(these, s) })
}
