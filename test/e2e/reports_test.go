package e2e

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

type reportTable struct {
	Name, Title string
	Columns     []string
	Rows        [][]string
	Cut         bool
}

func (h *house) reports(who string) map[string]reportTable {
	h.t.Helper()
	var all struct{ Reports []reportTable }
	h.as(who).must("GET", "/reports?weeks=4", http.StatusOK, nil).into(h.t, &all)
	out := map[string]reportTable{}
	for _, r := range all.Reports {
		out[r.Name] = r
	}
	return out
}

// The reports say what happened, in exact numbers, and nothing of a patient.
func TestReportsSayWhatHappened(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		m := mistaken(t, h)
		nurse := h.as("nurse")
		for name, r := range h.reports("records") {
			if len(r.Rows) != 0 && name != "due" && !strings.HasPrefix(name, "filed") {
				t.Errorf("%s before anything happened: %v", name, r.Rows)
			}
		}
		var q struct{ ID string }
		nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []string{m.ours[0]}, "audience": body{"kind": "role", "id": "consultant"}, "question": "Infected?"}).into(t, &q)
		nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []string{m.ours[1]}, "audience": body{"kind": "person", "id": h.ids["consultant"]}, "question": "And this?"})
		for range 2 {
			h.nobody().ask("POST", "/session", body{"username": "colleague", "password": "wrong"})
		}
		h.nobody().ask("POST", "/session", body{"username": "stranger", "password": "wrong"})
		nurse.must("POST", "/incidents", http.StatusCreated, body{"kind": "breach", "text": "SECRET-TEXT"})
		var described struct{ Patient struct{ ID string } }
		nurse.must("GET", "/items/"+m.ours[2], http.StatusOK, nil).into(t, &described)
		h.as("consultant").must("POST", "/emergencies", http.StatusCreated, body{"patient": described.Patient.ID, "reason": "SECRET-REASON"})
		m.reported(q.ID, described.Patient.ID)
	})
}

func (m *mistake) reported(question, patient string) {
	t, h := m.t, m.house
	t.Helper()
	got := h.reports("auditor")
	if r := got["referrals"].Rows; len(r) != 2 || r[0][0] != "Tissue viability" || r[0][1] != "any consultant" || r[1][1] != "Example consultant" {
		t.Errorf("unseen: %v", r)
	}
	if r := got["sign-in-accounts"].Rows; len(r) != 2 || r[0][0] != "Example colleague" || r[0][1] != "2" || r[1][0] != "names that no account has" || r[1][1] != "1" {
		t.Errorf("by account: %v", r)
	}
	if r := got["sign-ins"].Rows; len(r) != 1 || r[0][1] != "3" {
		t.Errorf("by day: %v", r)
	}
	if r := got["incidents"].Rows; len(r) != 1 || r[0][0] != "Breach" || r[0][2] != "Example nurse" || !strings.Contains(r[0][4], "left to tell") {
		t.Errorf("incidents: %v", r)
	}
	if r := got["emergencies"].Rows; len(r) != 1 || r[0][0] != "Example consultant" || !strings.Contains(r[0][3], "Waits for review") {
		t.Errorf("emergencies: %v", r)
	}
	if r := got["reviews"].Rows; len(r) != 0 {
		t.Errorf("overdue reviews of a moment ago: %v", r)
	}
	if r := got["filed-by-team"].Rows; len(r) != 2 || r[0][0] != "Tissue viability" || r[0][1] != "3" || r[1][0] != "Burns" || r[1][1] != "1" {
		t.Errorf("by team: %v", r)
	}
	if r := got["filed-by-format"].Rows; len(r) != 1 || r[0][0] != "JPEG" || r[0][1] != "4" {
		t.Errorf("by format: %v", r)
	}
	today := time.Now().UTC()
	if r := got["filed"].Rows; len(r) != 4 || r[0][0] != today.AddDate(0, 0, -(int(today.Weekday())+6)%7).Format(time.DateOnly) || r[0][1] != "4" || r[1][1] != "0" {
		t.Errorf("by week: %v", r)
	}
	h.as("consultant").must("GET", "/referrals/"+question, http.StatusOK, nil) // seen now
	if r := h.reports("records")["referrals"].Rows; len(r) != 1 {
		t.Errorf("unseen once one is seen: %v", r)
	}
	if h.events("oversight.read") < 3 {
		t.Error("reading the reports is not recorded")
	}
	all := string(h.as("auditor").must("GET", "/reports", http.StatusOK, nil).body)
	for _, secret := range append(slices.Clone(m.ours), "SECRET", patient, "Test Patient", "9990000018") {
		if strings.Contains(all, secret) {
			t.Errorf("the reports hold %s", secret)
		}
	}
}

// The page draws charts that say in words what they show, and each table comes
// as CSV in which no name is a formula.
func TestReportsPage(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	mistaken(t, h)
	var team struct{ ID string }
	h.as("admin").must("POST", "/teams", http.StatusCreated, body{"name": "=cmd()"}).into(t, &team)
	h.as("admin").must("PUT", "/teams/"+team.ID+"/members/"+string(h.ids["colleague"]), http.StatusNoContent, nil)
	h.fileOf("colleague", team.ID, "9990000018", "ear")
	page := string(h.as("records").send("GET", "/reports", nil).body)
	for _, want := range []string{`role="img" aria-labelledby="chart-filed-title chart-filed-desc"`, "<desc id=\"chart-filed-by-team-desc\">Tissue viability: 3; =cmd(): 1; Burns: 1.</desc>", "Open incidents", "/reports/filed.csv?weeks=12"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
	if regexp.MustCompile(`<svg[^>]*style=|<script[^>]*>[^<]`).MatchString(page) {
		t.Error("the page has inline style or script")
	}
	a := h.as("records").send("GET", "/reports/filed-by-team.csv", nil)
	rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil || len(rows) != 4 || rows[0][0] != "Team" || rows[1][1] != "3" || rows[2][0] != "'=cmd()" {
		t.Errorf("csv: %v %v", rows, err)
	}
	is(t, "its type", a.header.Get("Content-Type"), "text/csv; charset=utf-8")
	is(t, "by the API", h.as("auditor").must("GET", "/reports/filed-by-team", http.StatusOK, nil).status, http.StatusOK)
	is(t, "an unknown one", h.as("auditor").send("GET", "/reports/none.csv", nil).status, http.StatusNotFound)
	for _, who := range []string{"nurse", "consultant", "admin"} {
		is(t, who+" at the reports", h.as(who).send("GET", "/reports", nil).status, http.StatusForbidden)
	}
}
