package papers

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// matrix gives the risk of a likelihood (row) and a severity (column), both from 1.
var matrix = [5][5]int{{1, 1, 2, 2, 3}, {1, 2, 2, 3, 4}, {2, 2, 3, 3, 4}, {2, 3, 3, 4, 5}, {3, 4, 4, 5, 5}}

// docs/clinical-safety.md has hazards enough, each with a control that is a
// link, a risk that the matrix gives, and none that the controls make worse.
func TestHazards(t *testing.T) {
	page, err := os.ReadFile("../../docs/clinical-safety.md")
	if err != nil {
		t.Fatal(err)
	}
	hazards := rows(string(page))
	if len(hazards) < 20 {
		t.Errorf("only %d hazards", len(hazards))
	}
	for _, h := range hazards {
		if len(h.Cells) != 9 {
			t.Errorf("%s has %d cells after its number", h.ID, len(h.Cells))
			continue
		}
		var n [4]int
		for i, cell := range []string{h.Cells[3], h.Cells[4], h.Cells[5], h.Cells[7]} {
			if n[i], err = strconv.Atoi(cell); err != nil || n[i] < 1 || n[i] > 5 {
				t.Fatalf("%s: %q is no number from 1 to 5", h.ID, cell)
			}
		}
		if want := matrix[n[1]-1][n[0]-1]; n[2] != want {
			t.Errorf("%s: severity %d and likelihood %d are a risk of %d, not %d", h.ID, n[0], n[1], want, n[2])
		}
		if n[3] > n[2] {
			t.Errorf("%s: its controls make it worse", h.ID)
		}
		if !strings.Contains(h.Cells[6], "](../") {
			t.Errorf("%s has no control that is a link", h.ID)
		}
		if !strings.HasPrefix(h.Cells[8], "open") && !strings.HasPrefix(h.Cells[8], "transferred") && !strings.HasPrefix(h.Cells[8], "closed") {
			t.Errorf("%s stands as %q", h.ID, h.Cells[8])
		}
	}
}
