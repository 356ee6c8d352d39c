package e2e

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/storage/meta"
)

// Breaking the glass opens one patient to one person for a while, and an
// auditor knows at once.
func TestEmergencyAccess(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		item := h.filed()
		outsider, auditor := h.as("outsider"), h.as("auditor")
		picture := "/items/" + item + "/renditions/original-clean"
		outsider.must("GET", picture, http.StatusNotFound, nil)
		var p api.Patient
		outsider.must("POST", "/patients/find", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"}).into(t, &p)
		if a := outsider.ask("POST", "/emergencies", body{"patient": p.ID, "reason": " "}); a.code() != "reason-missing" {
			t.Errorf("without a reason: %d %s", a.status, a.code())
		}
		outsider.must("GET", picture, http.StatusNotFound, nil)
		var e api.Emergency
		outsider.must("POST", "/emergencies", http.StatusCreated, body{"patient": p.ID, "reason": "Bleeding in resus"}).into(t, &e)
		outsider.must("GET", picture, http.StatusOK, nil)
		var list struct{ Items []api.ItemInList }
		outsider.must("GET", "/items", http.StatusOK, nil).into(t, &list)
		if len(list.Items) != 1 {
			t.Errorf("%d items are listed", len(list.Items))
		}
		h.as("consultant").must("GET", picture, http.StatusNotFound, nil) // it is one person's
		if a := outsider.ask("POST", "/items/"+item+"/links", body{"audience": body{"kind": "role", "id": "consultant"}, "purpose": "x"}); a.status != http.StatusNotFound {
			t.Errorf("a link is made: %d", a.status)
		}

		if a := auditor.send("GET", "/", nil); !strings.Contains(string(a.body), `, waiting: </span>1`) {
			t.Error("the auditor is not told")
		}
		var all struct{ Emergencies []api.Emergency }
		auditor.must("GET", "/emergencies", http.StatusOK, nil).into(t, &all)
		if len(all.Emergencies) != 1 || all.Emergencies[0].Reason != "Bleeding in resus" || all.Emergencies[0].Person != h.ids["outsider"] || all.Emergencies[0].ReviewedAt != nil {
			t.Fatalf("the auditor sees %+v", all)
		}
		auditor.must("POST", "/emergencies/"+string(e.ID)+"/review", http.StatusNoContent, body{"finding": "Needed"})
		if a := auditor.ask("POST", "/emergencies/"+string(e.ID)+"/review", body{"finding": "Again"}); a.status != http.StatusNotFound {
			t.Errorf("it is reviewed twice: %d", a.status)
		}

		if a := h.as("colleague").ask("POST", "/emergencies/"+string(e.ID)+"/end", nil); a.status != http.StatusNotFound {
			t.Errorf("somebody else ends it: %d", a.status)
		}
		outsider.must("POST", "/emergencies/"+string(e.ID)+"/end", http.StatusNoContent, nil)
		outsider.must("GET", picture, http.StatusNotFound, nil)
		for _, kind := range []audit.Type{audit.GlassBroken, audit.EmergencyReviewed, audit.EmergencyEnded, audit.OversightRead} {
			if events, err := h.sys.Store.Events(t.Context(), meta.EventFilter{Type: kind, Limit: 1}); err != nil || len(events) != 1 {
				t.Errorf("no event %s: %v", kind, err)
			}
		}
	})
}

// A report reaches the auditor, with the time by which the regulator must know.
func TestReports(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse, auditor := h.as("nurse"), h.as("auditor")
		for in, want := range map[*body]string{{"kind": "rumour", "text": "x"}: "kind-missing", {"kind": "breach", "text": ""}: "text-missing"} {
			if a := nurse.ask("POST", "/incidents", *in); a.code() != want {
				t.Errorf("%v: %d %s", *in, a.status, a.code())
			}
		}
		var made struct{ ID string }
		nurse.must("POST", "/incidents", http.StatusCreated, body{"kind": "breach", "text": "Sent to the wrong ward", "page": "/pictures?patient=secret"}).into(t, &made)
		var all struct{ Incidents []api.Incident }
		auditor.must("GET", "/incidents", http.StatusOK, nil).into(t, &all)
		if len(all.Incidents) != 1 {
			t.Fatalf("%+v", all)
		}
		if i := all.Incidents[0]; i.Text != "Sent to the wrong ward" || i.Page != "/pictures" || i.NotifyBy.Sub(i.At).Hours() != 72 || i.ClosedAt != nil {
			t.Errorf("%+v", i)
		}
		auditor.must("POST", "/incidents/"+made.ID+"/close", http.StatusNoContent, body{"outcome": "The ward deleted it"})
		if a := auditor.ask("POST", "/incidents/"+made.ID+"/close", body{"outcome": "Again"}); a.status != http.StatusNotFound {
			t.Errorf("it is closed twice: %d", a.status)
		}
		auditor.must("GET", "/incidents", http.StatusOK, nil).into(t, &all)
		if i := all.Incidents[0]; i.Outcome != "The ward deleted it" || i.ClosedAt == nil || i.ClosedBy != h.ids["auditor"] {
			t.Errorf("closed: %+v", i)
		}
	})
}

// Staff read the guidance before anything else, and again when it changes.
func TestGuidance(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	h.hire("newcomer", access.Clinician)
	g := h.sys.Flows().Guidance
	newcomer := h.as("newcomer")
	first := func(path, want string) {
		t.Helper()
		if a := newcomer.send("GET", path, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), want) {
			t.Errorf("%s: %d without %q", path, a.status, want)
		}
	}
	first("/pictures?mine=yes", "<h1>Before you start</h1>")
	first("/report", "<h1>Report a problem or breach</h1>")
	if a := newcomer.submit("/guidance", url.Values{"version": {"old"}}); !strings.Contains(string(a.body), "changed meanwhile") {
		t.Errorf("an old version: %d", a.status)
	}
	if a := newcomer.submit("/guidance", url.Values{"version": {g.Version()}, "next": {"/pictures?mine=yes"}}); !strings.Contains(string(a.body), "<h1>Pictures</h1>") {
		t.Errorf("after acknowledging: %d", a.status)
	}
	first("/guidance", "You have acknowledged this")

	text := filepath.Join(t.TempDir(), "guidance.txt")
	if err := os.WriteFile(text, []byte("Ours.\n\n# Wards & wounds\nTake care."), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := h.sys.Config
	cfg.GuidanceFile = text
	var err error
	if h.sys, err = config.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.sys.Close() })
	h.serve()
	first("/pictures", "<h2>Wards &amp; wounds</h2><p>Take care.</p>")
	cfg.GuidanceFile = text + ".missing"
	if _, err := config.Open(t.Context(), cfg); err == nil {
		t.Error("it starts without the guidance that it was told to show")
	}
}

// The pages of both, without script.
func TestOversightPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	has := func(a answer, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(string(a.body), w) {
				t.Errorf("%d: no %q", a.status, w)
			}
		}
	}
	var p api.Patient
	outsider, auditor := h.as("outsider"), h.as("auditor")
	outsider.must("POST", "/patients/find", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"}).into(t, &p)
	has(outsider.send("GET", "/pictures?patient="+string(p.ID), nil), "Nothing here that you may see", "Take emergency access")
	has(outsider.submit("/emergencies", url.Values{"patient": {string(p.ID)}}), "Write a few words", `id="reason-error"`)
	has(outsider.submit("/emergencies", url.Values{"patient": {string(p.ID)}, "reason": {"Bleeding"}}), "/pictures/"+item+"/thumbnail", "Emergency access</strong> to")
	has(outsider.send("GET", "/account", nil), "End it now")
	has(auditor.send("GET", "/review", nil), "Example outsider", "Bleeding")
	var all struct{ Emergencies []api.Emergency }
	auditor.must("GET", "/emergencies", http.StatusOK, nil).into(t, &all)
	id := string(all.Emergencies[0].ID)
	has(auditor.submit("/review/emergencies/"+id, url.Values{}), `id="finding-`+id+`-error"`)
	has(auditor.submit("/review/emergencies/"+id, url.Values{"finding": {"Needed"}}), "Reviewed by Example auditor", "That is recorded")
	if a := outsider.submit("/emergencies/"+id+"/end", nil); strings.Contains(string(a.body), "End it now") {
		t.Error("the banner stays")
	}

	has(outsider.submit("/report", url.Values{"text": {"Lost"}}), "Choose whether something does not work")
	has(outsider.submit("/report", url.Values{"kind": {"breach"}, "text": {"Lost my phone"}, "page": {"/pictures/" + item}}), "It is reported")
	has(auditor.send("GET", "/review", nil), "Lost my phone", "the regulator must be told by", "/pictures/"+item)
	for _, who := range []string{"nurse", "consultant", "records", "admin"} {
		if a := h.as(who).send("GET", "/review", nil); a.status != http.StatusForbidden {
			t.Errorf("%s at /review: %d", who, a.status)
		}
	}
}
