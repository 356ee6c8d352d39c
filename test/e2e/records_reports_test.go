package e2e

import (
	"net/http"
	"testing"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/retention"
)

// The reports count what is kept by class and year, and what holds are on.
func TestReportsOfRetention(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.Scotland, 0, func(t *testing.T, h *house) {
		it := h.file(h.as("nurse"))
		h.file(h.as("nurse"))
		h.keep()
		year := h.as("records").record(it.Patient).Items[0].ReviewOn[:4]
		h.as("records").must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "teams": []access.TeamID{h.team}})
		got := h.reports("auditor")
		if rows := got["due"].Rows; len(rows) != 1 || rows[0][0] != "adult" || rows[0][1] != year || rows[0][2] != "2" {
			t.Errorf("due: %v", rows)
		}
		if rows := got["holds"].Rows; len(rows) != 1 || rows[0][1] != "Example records" || rows[0][3] != "2" || rows[0][4] != "0" {
			t.Errorf("holds: %v", rows)
		}
		h.dead(it.Patient)
		if rows := h.reports("records")["due"].Rows; len(rows) != 1 || rows[0][1] != "2013" {
			t.Errorf("due after a death: %v", rows)
		}
		if rows := h.reports("records")["holds"].Rows; rows[0][4] != "2" {
			t.Errorf("a hold on what is due: %v", rows)
		}
	})
}
