package e2e

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// page asks for a page and fails the test when it is no page.
func (p *person) page(path string, want int) string {
	p.h.t.Helper()
	a := p.send("GET", path, nil)
	if a.status != want {
		p.h.t.Fatalf("%s: %d, want %d: %s", path, a.status, want, a.body)
	}
	return string(a.body)
}

// does sends a form and gives the page that it leads to, and that page's path.
func (p *person) does(path string, form url.Values, want int) string {
	p.h.t.Helper()
	a := p.submit(path, form)
	if a.status != want {
		p.h.t.Fatalf("%s: %d, want %d: %s", path, a.status, want, a.body)
	}
	return string(a.body)
}

// says fails the test unless a page has each of the words.
func says(t *testing.T, page string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(page, w) {
			t.Errorf("the page does not say %q: %s", w, main(page))
		}
	}
}

// main is what a page itself shows.
func main(page string) string {
	_, page, _ = strings.Cut(page, "<main")
	page, _, _ = strings.Cut(page, "</main>")
	return page
}

var testPatient = url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"9990000018"}, "dob_day": {"31"}, "dob_month": {"1"}, "dob_year": {"1950"}}

// with adds fields to a form.
func with(f url.Values, more ...string) url.Values {
	out := url.Values{}
	for name, v := range f {
		out[name] = v
	}
	for i := 0; i < len(more); i += 2 {
		out.Add(more[i], more[i+1])
	}
	return out
}

// The pages of the records team keep to the table: who may not, sees a page
// that says so, and an auditor's have nothing to send.
func TestRecordsPagesKeepToTheTable(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.England, time.Hour))
	it := h.file(h.as("nurse"))
	record := "/records/" + string(it.Patient)
	h.dead(it.Patient)
	batch := "/disposals/" + h.proposed(h.as("records"), body{"ground": "erasure", "items": []media.ItemID{it.ID}, "reason": "asked for"})
	one := record + "/items/" + string(it.ID)
	for path, officerOnly := range map[string]bool{"/records": false, record: false, "/schedule": false, "/holds": false, "/due": false, "/disposals": false, batch: false, "/holds/new": true, one: true} {
		for _, who := range []string{"nurse", "consultant", "outsider", "admin"} {
			h.as(who).page(path, http.StatusForbidden)
		}
		h.as("records").page(path, http.StatusOK)
		if officerOnly {
			h.as("auditor").page(path, http.StatusForbidden)
			continue
		}
		for _, form := range regexp.MustCompile(`method="post" action="([^"]+)"`).FindAllStringSubmatch(main(h.as("auditor").page(path, http.StatusOK)), -1) {
			if form[1] != "/records/find" && !strings.HasSuffix(form[1], "/match#made") {
				t.Errorf("an auditor's %s has the form %s", path, form[1])
			}
		}
	}
	gone := "/0190a5e6-0000-7000-8000-000000000000"
	for _, path := range []string{"/records" + gone, "/disposals" + gone, record + "/items" + gone, "/records/nobody", "/holds/new?patient=" + gone[1:]} {
		h.as("records").page(path, http.StatusNotFound)
	}
	for _, path := range []string{record + "/events", record + "/class", record + "/merge", one + "/class", one + "/move", one + "/end", one + "/consent", "/records/teams", "/records/find",
		"/schedule/confirm", "/schedule/simulate", "/schedule/apply", "/holds", "/holds/new", "/holds" + gone + "/release", "/due", batch + "/approve", batch + "/refuse", batch + "/undo", batch + "/match"} {
		form := with(testPatient, "event", "died", "on_day", "3", "on_month", "2", "on_year", "2010", "reason", "x", "ground", "erasure", "end_reason", "x", "decision", "destroy", "item", string(it.ID),
			"authority", "y", "everything", "yes", "class", "adult", "consent", "A", "approved_reason", "x", "refused_reason", "x", "undone_reason", "x", "version", "1", "team", string(h.team))
		h.as("nurse").does(path, form, http.StatusForbidden)
		if path != "/records/find" && path != batch+"/match" {
			h.as("auditor").does(path, form, http.StatusForbidden)
		}
	}
}

// A record by its pages: what happened, classes, holds on it, corrections.
func TestRecordPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.England, time.Hour))
	records, nurse := h.as("records"), h.as("nurse")
	it := h.file(nurse, "consent", "C")
	record := "/records/" + string(it.Patient)
	one := record + "/items/" + string(it.ID)
	says(t, records.does("/records/find", testPatient, http.StatusOK), "Test Patient", "8 years after the last entry", "Rule not yet verified", "left heel")
	says(t, records.does("/records/find", url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"9990000018"}, "dob_day": {"30"}, "dob_month": {"1"}, "dob_year": {"1950"}}, http.StatusUnprocessableEntity), "There is a problem", "date of birth does not match", `value="9990000018"`)
	says(t, records.does(record+"/events", url.Values{"event": {"died"}, "on_year": {"2999"}, "on_month": {"1"}, "on_day": {"1"}}, http.StatusUnprocessableEntity), "has not come yet", `href="#on"`, `value="2999"`)
	says(t, records.does(record+"/events", url.Values{"event": {"died"}, "on_year": {"2010"}, "on_month": {"13"}, "on_day": {"1"}}, http.StatusUnprocessableEntity), "day, month and year")
	died := records.does(record+"/events", url.Values{"event": {"died"}, "on_year": {"2010"}, "on_month": {"2"}, "on_day": {"3"}, "note": {"from the registrar"}}, http.StatusOK)
	says(t, died, "from the registrar", "3 February 2010", "Recorded in error?", "on a page")
	says(t, records.does(record+"/class", url.Values{"class": {"mental-health"}}, http.StatusOK), "10 years after the death on 3 February 2010", "Due for review")
	if due := records.due(); len(due) != 1 { // dated at once, by the page
		t.Errorf("due: %+v", due)
	}
	says(t, nurse.page("/pictures/"+string(it.ID), http.StatusOK), "How long it is kept", "10 years after the death")
	cancel := regexp.MustCompile(`action="(` + record + `/events/[^"]+/cancel)"`).FindStringSubmatch(died)
	if cancel == nil {
		t.Fatal("an event cannot be cancelled")
	}
	says(t, records.does(cancel[1], nil, http.StatusOK), "Recorded in error.", "20 years after the last entry")

	says(t, records.page(one, http.StatusOK), "For the record only", "For the record and for teaching")
	says(t, records.does(one+"/consent", url.Values{}, http.StatusUnprocessableEntity), `href="#consent"`)
	says(t, records.does(one+"/class", url.Values{"class": {"teaching"}}, http.StatusOK), "Kept while there is consent to it.")
	records.does(one+"/consent", url.Values{"consent": {"A"}}, http.StatusOK)
	says(t, records.page(record, http.StatusOK), "because consent ended on")
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Other Patient", "date_of_birth": "1950-01-31"})
	other := with(url.Values{"dob_day": {"31"}, "dob_month": {"1"}, "dob_year": {"1950"}, "patient_number_kind": {"nhs"}, "patient_number": {"9990000026"}})
	says(t, records.does(one+"/move", other, http.StatusUnprocessableEntity), `href="#reason"`)
	says(t, records.does(one+"/move", with(other, "reason", "two wristbands were mixed up"), http.StatusOK), "Other Patient", "left heel")
	says(t, records.page(record, http.StatusOK), "Nothing is filed for this patient")
	says(t, records.does(record+"/merge", with(other, "reason", "the registry says so"), http.StatusOK), "Other Patient", "Both numbers find this patient now")

	says(t, records.does("/records/teams", url.Values{"team": {string(h.team)}, "class": {"maternity"}}, http.StatusOK), `value="maternity" selected`)
}

// A file of events by its page: the lines that were refused come back alone.
func TestImportPage(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.England, time.Hour))
	records := h.as("records")
	const head = "patient_number_kind,patient_number,date_of_birth,event,on,note\n"
	send := func(who *person, field, text string) answer {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		if field == "file" {
			f, _ := w.CreateFormFile("file", "events.csv")
			_, _ = f.Write([]byte(text))
		} else {
			_ = w.WriteField(field, text)
		}
		_ = w.Close()
		return who.send("POST", "/records/import", &b, "Content-Type", w.FormDataContentType(), "Sec-Fetch-Site", "same-origin")
	}
	const good, bad = "nhs,999 000 0018,1950-01-31,discharged,2024-05-06,\"ward 4, home\"\n", "nhs,9990000018,1950-01-31,vanished,2024-05-06,\"a, b\"\n"
	for _, field := range []string{"file", "lines"} {
		a := send(records, field, head+good+bad+"nhs,99\"90000018\n"+good)
		says(t, string(a.body), "2 lines refused, 2 recorded", "Choose what happened", "quotation mark", ">"+head+strings.ReplaceAll(bad, `"`, "&#34;")+"nhs,99&#34;90000018\n</textarea>", `download="refused-events.csv"`)
	}
	if a := send(records, "lines", "what,when\n"); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "The first line must be") || !strings.Contains(string(a.body), ">what,when\n</textarea>") {
		t.Errorf("another header: %d %s", a.status, main(string(a.body)))
	}
	if a := send(records, "file", head+strings.Repeat(good, 25_000)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a file that is too large: %d", a.status)
	}
	for _, who := range []string{"nurse", "auditor"} {
		if a := send(h.as(who), "lines", head+good); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", who, a.status)
		}
	}
}

// Another schedule is looked at before it counts; rules are confirmed.
func TestSchedulePage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, "schedule.yaml")
	england, err := os.ReadFile("../../internal/retention/schedules/england.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, england, 0o600); err != nil {
		t.Fatal(err)
	}
	var cfg config.Config
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		kept(retention.England, time.Hour)(c)
		c.Records.Schedule = own
		cfg = *c
	})
	records := h.as("records")
	it := h.file(h.as("nurse"))
	h.keep()
	page := records.page("/schedule", http.StatusOK)
	says(t, page, "8 years after the patient was last seen", "Until the 25th birthday", "10 years after death", "applied by the system", "rules not yet verified")
	says(t, records.does("/schedule/simulate", nil, http.StatusConflict), "no other schedule")
	rule := regexp.MustCompile(`name="class" value="adult"><input type="hidden" name="rule" value="([0-9a-f]+)"`).FindStringSubmatch(page)
	if rule == nil {
		t.Fatal("the adult rule cannot be confirmed")
	}
	says(t, records.does("/schedule/confirm", url.Values{"class": {"adult"}, "rule": {rule[1]}}, http.StatusOK), "Confirmed", "by Example records")
	says(t, records.does("/schedule/confirm", url.Values{"class": {"adult"}, "rule": {"0"}}, http.StatusConflict), "has changed since")

	longer := strings.Replace(string(england), "years: 8", "years: 9", 1)
	if longer == string(england) || os.WriteFile(own, []byte(longer), 0o600) != nil {
		t.Fatal("the schedule did not change")
	}
	h.restart(cfg)
	records = h.as("records")
	says(t, h.as("auditor").page("/schedule", http.StatusOK), "Another schedule is offered", "A records officer can see")
	change := records.does("/schedule/simulate", nil, http.StatusOK)
	says(t, change, "the date of <strong>1</strong> would move", "1 would be kept longer", "Adult health record", "9 years after the patient was last seen", "Apply this schedule")
	if !strings.Contains(records.page("/records/"+string(it.Patient), http.StatusOK), "8 years after") {
		t.Error("looking at a schedule changes dates")
	}
	says(t, records.does("/schedule/apply", url.Values{"version": {"7"}}, http.StatusConflict), "has changed since")
	says(t, records.does("/schedule/apply", url.Values{"version": {"1"}}, http.StatusOK), "Version 2 here, applied by Example records")
	says(t, records.page("/records/"+string(it.Patient), http.StatusOK), "9 years after")
}

// restart opens the house's system again with other settings.
func (h *house) restart(cfg config.Config) {
	h.t.Helper()
	if err := h.sys.Close(); err != nil {
		h.t.Fatal(err)
	}
	sys, err := config.Open(h.t.Context(), cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = sys.Close() })
	h.sys = sys
	h.serve()
}

// A hold by its pages: looked at, placed, seen wherever it matters, released.
func TestHoldPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", kept(retention.Scotland, time.Hour))
	records, nurse := h.as("records"), h.as("nurse")
	it := h.file(nurse)
	h.dead(it.Patient)
	ask := with(testPatient, "reason", "Inquiry into wound care", "authority", "Example Inquiry 7/26", "body_site", "heel", "from_day", "1", "from_month", "2", "from_year", "2020", "teams", string(h.team))
	for field, want := range map[string]string{"reason": "reason", "authority": "authority", "from_month": "from", "patient_number": "criteria", "dob_year": "date_of_birth"} {
		f := with(ask)
		f.Set(field, "")
		if field == "patient_number" { // nothing at all is said
			f = url.Values{"reason": {"x"}, "authority": {"y"}}
		}
		says(t, records.does("/holds/new", f, http.StatusUnprocessableEntity), "There is a problem", `href="#`+want+`"`, `id="`+want+`"`)
	}
	looked := records.does("/holds/new", ask, http.StatusOK)
	says(t, looked, "would be on <strong>1 picture", "of which 1 is due", "of Tissue viability", "of the heel", "Test Patient", "from 1 February 2020")
	form := url.Values{}
	for _, in := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(main(looked), -1) {
		form.Add(in[1], in[2])
	}
	if strings.Contains(form.Encode(), "9990000018") {
		t.Error("the number goes round")
	}
	says(t, records.does("/holds/new", with(form, "do", "change"), http.StatusOK), "Inquiry into wound care", "See what it would be on", `value="2020"`)
	placed := records.does("/holds", form, http.StatusOK)
	says(t, placed, "The hold is placed", "Inquiry into wound care", "Example Inquiry 7/26", "of which 1 would be due")
	says(t, records.page("/due", http.StatusOK), "Held", "1 hold on it: it stays")
	if strings.Contains(records.page("/due", http.StatusOK), `name="item"`) {
		t.Error("what is held can be ticked")
	}
	says(t, records.page("/records/"+string(it.Patient), http.StatusOK), ">Held<")
	says(t, nurse.page("/pictures/"+string(it.ID), http.StatusOK), "A hold keeps it from being destroyed")
	says(t, records.page("/records/"+string(it.Patient)+"/items/"+string(it.ID), http.StatusOK), "cannot be proposed for destruction")
	release := regexp.MustCompile(`action="(/holds/[^"]+/release)"`).FindStringSubmatch(placed)
	if release == nil {
		t.Fatal("the hold cannot be released")
	}
	says(t, records.does(release[1], url.Values{}, http.StatusUnprocessableEntity), `href="#reason-`)
	says(t, records.does(release[1], url.Values{"reason": {"the inquiry is over"}}, http.StatusOK), "No hold is in force", "the inquiry is over")
}

// The whole way of an end by its pages, on both databases.
func TestDisposalPages(t *testing.T) {
	t.Parallel()
	eachKept(t, retention.Scotland, time.Second, func(t *testing.T, h *house) {
		one, two, nurse := h.as("records"), h.as("records2"), h.as("nurse")
		it, kept := h.file(nurse), h.file(nurse, "body_site", "sacrum")
		h.dead(it.Patient)
		says(t, one.page("/", http.StatusOK), "Due for review", "left heel", "3 years after the death", `name="item"`)
		tick := url.Values{"item": {string(it.ID)}, "reason": {"three years after the death"}}
		says(t, one.does("/due", url.Values{"decision": {"destroy"}}, http.StatusUnprocessableEntity), `href="#item"`, "Tick at least one")
		says(t, one.does("/due", with(tick), http.StatusUnprocessableEntity), `href="#decision"`, `value="`+string(it.ID)+`" checked`, "three years after the death</textarea>")
		says(t, one.does("/due", with(tick, "decision", "keep"), http.StatusUnprocessableEntity), `href="#until"`)
		longer := url.Values{"item": {string(kept.ID)}, "reason": {"the family has asked for a copy"}, "decision": {"keep"}, "until_day": {"27"}, "until_month": {"3"}, "until_year": {"2041"}}
		if page := one.does("/due", longer, http.StatusOK); strings.Contains(main(page), "sacrum") {
			t.Error("what is kept is still due")
		}
		says(t, one.page("/records/"+string(it.Patient), http.StatusOK), "keep it until 27 March 2041")

		proposed := one.does("/due", with(tick, "decision", "destroy"), http.StatusOK)
		says(t, proposed, "You proposed this yourself", "Take the proposal back", "Waits for a second person")
		batch := regexp.MustCompile(`/disposals/[0-9a-f-]{36}`).FindString(proposed)
		one.does(batch+"/approve", nil, http.StatusForbidden)
		says(t, two.page("/", http.StatusOK), `, waiting: </span>1</span>`)
		says(t, two.page(batch, http.StatusOK), "Approve destruction", "3 years after the death", "left heel", "Tissue viability")
		says(t, two.does(batch+"/refuse", url.Values{}, http.StatusUnprocessableEntity), `href="#refused_reason"`)
		back := two.send("POST", batch+"/approve", nil, "Sec-Fetch-Site", "same-origin", "Referer", h.url+batch+"/refuse")
		says(t, string(back.body), "Is it still you?", `name="next" value="`+batch+`"`)
		says(t, two.does("/step-up", url.Values{"password": {password}, "next": {batch}}, http.StatusOK), "Approve destruction")
		says(t, two.does(batch+"/approve", url.Values{"approved_reason": {"agreed"}}, http.StatusOK), "Can be undone until", "Undo the approval", "data-again")
		says(t, one.does(batch+"/undo", url.Values{"undone_reason": {"the family has asked"}}, http.StatusOK), "Undone", "the family has asked")

		batch = regexp.MustCompile(`/disposals/[0-9a-f-]{36}`).FindString(one.does("/due", with(tick, "decision", "destroy"), http.StatusOK))
		two.does(batch+"/approve", nil, http.StatusOK)
		time.Sleep(1100 * time.Millisecond) // the time of cooling off
		h.keep()
		says(t, one.page(batch, http.StatusOK), "Interim certificate", "certificate.pdf", "Keys of these may still be in backups", "JPEG")
		says(t, one.does(batch+"/match", url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"999 000 0018"}}, http.StatusOK), "<strong>Yes:</strong> 1 picture")
		says(t, one.does(batch+"/match", url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"9990000026"}}, http.StatusOK), "<strong>No:</strong>")
		says(t, one.does(batch+"/undo", url.Values{"undone_reason": {"too late"}}, http.StatusConflict), "too late to undo")
		says(t, h.as("auditor").page("/disposals", http.StatusOK), "1 destroyed", "Interim certificate", "Undone")

		// Before its time, because the patient asks.
		end := "/records/" + string(kept.Patient) + "/items/" + string(kept.ID) + "/end"
		says(t, one.does(end, url.Values{"ground": {"retention"}, "end_reason": {"x"}}, http.StatusUnprocessableEntity), `href="#ground"`)
		says(t, one.does(end, url.Values{"ground": {"erasure"}}, http.StatusUnprocessableEntity), `href="#end_reason"`)
		says(t, one.does(end, url.Values{"ground": {"erasure"}, "end_reason": {"asked for in a letter"}}, http.StatusOK), "Erasure was asked for", "asked for in a letter", "You proposed this yourself")
	})
}
