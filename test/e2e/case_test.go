package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
)

// A case over time and a comparison show each person what they may see, and
// nobody more.
func TestCasesAndComparisonsKeepToTheTable(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	filed := func(details map[string]string) api.Item {
		var f api.Filing
		d := h.details()
		d["allow_repeat"] = "true"
		for k, v := range details {
			d[k] = v
		}
		a := nurse.upload(phone(t), d)
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		a.into(t, &f)
		return f.Item
	}
	first := filed(nil)
	var heel api.Case
	nurse.must("POST", "/patients/"+string(first.Patient)+"/cases", http.StatusCreated, body{"team": h.team, "title": "CASE-MARKER"}).into(t, &heel)
	older := filed(map[string]string{"case": string(heel.ID), "captured_at": "2026-01-31T09:00:00Z"})
	newer := filed(map[string]string{"case": string(heel.ID), "captured_at": "2026-02-28T09:00:00Z"})
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "999 000 0026", "name": "Another Patient", "date_of_birth": "1960-02-29"})
	stranger := filed(map[string]string{"patient_number": "9990000026", "date_of_birth": "1960-02-29"})
	h.linkTo(string(newer.ID), h.ids["consultant"])

	page := func(who, path string) (int, string) {
		a := h.as(who).send("GET", path, nil)
		return a.status, string(a.body)
	}
	both := "/compare?item=" + string(newer.ID) + "&item=" + string(older.ID)
	for path, want := range map[string]map[string]int{
		"/cases/" + string(heel.ID):                   {"nurse": 200, "colleague": 200, "records": 200, "consultant": 404, "outsider": 404, "auditor": 403, "admin": 403},
		"/cases/0190a5e6-0000-7000-8000-000000000000": {"nurse": 404, "records": 404},
		"/cases/x":                           {"nurse": 404},
		"/patients/" + string(first.Patient): {"nurse": 200, "records": 200, "consultant": 200, "outsider": 200, "auditor": 403, "admin": 403},
		"/patients/x":                        {"nurse": 404},
		both:                                 {"nurse": 200, "colleague": 200, "records": 404, "consultant": 404, "outsider": 404, "auditor": 403, "admin": 403},
		"/compare":                           {"nurse": 422},
		"/compare?item=" + string(older.ID):  {"nurse": 422},
		both + "&item=" + string(first.ID):   {"nurse": 422},
		"/compare?item=" + string(older.ID) + "&item=" + string(stranger.ID): {"nurse": 422},
		"/compare?item=" + string(older.ID) + "&item=" + string(older.ID):    {"nurse": 422},
	} {
		for who, status := range want {
			if got, _ := page(who, path); got != status {
				t.Errorf("%s at %s: %d, want %d", who, path, got, status)
			}
		}
	}

	_, text := page("nurse", "/cases/"+string(heel.ID))
	if strings.Index(text, "28 February 2026, 9:00am") > strings.Index(text, "31 January 2026, 9:00am") || !strings.Contains(text, "CASE-MARKER") || strings.Contains(text, string(first.ID)) {
		t.Error("a case is not its own pictures, the newest first")
	}
	if _, text := page("records", "/cases/"+string(heel.ID)); strings.Contains(text, "thumbnail") || strings.Contains(text, `name="item"`) {
		t.Error("a records officer's case leads to its pictures")
	}
	if _, text := page("consultant", "/patients/"+string(first.Patient)); !strings.Contains(text, string(newer.ID)) || strings.Contains(text, string(older.ID)) || strings.Contains(text, "thumbnail") {
		t.Error("a consultant sees more or less of a patient than what was shared")
	}
	if _, text := page("outsider", "/patients/"+string(first.Patient)); strings.Contains(text, "Test Patient") || !strings.Contains(text, "Nothing here that you may see") {
		t.Error("an outsider learns of a patient")
	}
	_, text = page("nurse", both)
	if strings.Index(text, string(older.ID)+"/renditions/") > strings.Index(text, string(newer.ID)+"/renditions/") || strings.Count(text, "Example nurse</text>") != 2 {
		t.Error("two pictures are not the older first, each under its watermark")
	}
	if _, text := page("nurse", "/compare?case="+string(heel.ID)+"&item="+string(older.ID)); !strings.Contains(text, "Choose two pictures to compare.") || !strings.Contains(text, "checked") {
		t.Error("one picture alone does not lead back to the choice")
	}
	if h.events("patient.shown") == 0 {
		t.Error("whose details were shown is not recorded")
	}
}

// What is looked at stands under who looks, and offers nothing to keep it by.
func TestViewersCarryAWatermark(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	secret, _ := h.link(item, body{"uses": 2})
	consultant := h.as("consultant")
	var g api.Grant
	consultant.must("POST", "/links/open", http.StatusOK, body{"secret": secret}).into(t, &g)
	for path, p := range map[string]*person{"/pictures/" + item: h.as("nurse"), "/opened/" + string(g.ID): consultant} {
		a := p.send("GET", path, nil)
		name := "Example nurse"
		if p == consultant {
			name = "Example consultant"
		}
		text := string(a.body)
		if !strings.Contains(text, name+"</text>") || !strings.Contains(text, `class="ws-watermark"`) {
			t.Errorf("%s: no watermark", path)
		}
		if strings.Contains(text, " download") || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the page may be kept", path)
		}
		if marks := strings.Contains(text, "data-annotates"); marks != (p != consultant) {
			t.Errorf("%s: can be marked: %v", path, marks)
		}
	}
}
