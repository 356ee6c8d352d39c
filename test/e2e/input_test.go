package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/media"
)

// otherPatient registers a second patient and gives how to name them.
func (h *house) otherPatient() map[string]string {
	h.t.Helper()
	who := map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000026", "date_of_birth": "1950-01-31"}
	h.as("nurse").must("POST", "/patients", http.StatusCreated, also(who, "name", "Other Patient"))
	return who
}

// also gives a copy of a form with one more field.
func also(form map[string]string, name, value string) map[string]string {
	out := map[string]string{name: value}
	for k, v := range form {
		if k != name {
			out[k] = v
		}
	}
	return out
}

// Text that a database cannot keep, or a backup not write down, is refused at
// every door, and one who sends it does not end the backups.
func TestTextThatCannotBeKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse, admin, auditor, records := h.as("nurse"), h.as("admin"), h.as("auditor"), h.as("records")
		item := h.filed()
		stored := 0
		if h.sys.Config.Objects.Kind != "s3" {
			stored = objects(t, h)
		}
		page := func(path string, form url.Values) answer {
			return nurse.send("POST", path, strings.NewReader(form.Encode()), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin", "Accept", "application/json")
		}
		for _, bad := range []string{"a\xff", "a\x00"} {
			for field := range h.details() {
				a := nurse.upload(phone(t), also(also(h.details(), "allow_repeat", "true"), field, "x"+bad))
				if a.status != http.StatusUnprocessableEntity || a.code() != "text-illegible" {
					t.Errorf("upload with %q in %s: %d %s", bad, field, a.status, a.code())
				}
			}
			for name, a := range map[string]answer{
				"a key":          nurse.upload(phone(t), also(also(h.details(), "allow_repeat", "true"), "idempotency_key", "k"+bad)),
				"an entry":       nurse.tus("POST", "", nil, "Upload-Length", "9000", "Upload-Metadata", "entry "+base64.StdEncoding.EncodeToString([]byte("e"+bad))),
				"a field's name": nurse.upload(phone(t), also(h.details(), "n\xff", "x")),
				"a page":         page("/account/email", url.Values{"email": {"x" + bad + "@example.org"}}),
			} {
				if a.status != http.StatusUnprocessableEntity || a.code() != "text-illegible" {
					t.Errorf("%s with %q: %d %s", name, bad, a.status, a.code())
				}
			}
			for path, want := range map[string]int{
				"/patients/%s/cases": 404, "/items/%s": 404, "/items?team=%s": 422, "/audit?type=%s": 422, "/due?class=%s": 422, "/disposals?after=%s": 422,
			} {
				who := map[bool]*person{true: auditor, false: nurse}[strings.HasPrefix(path, "/audit")]
				if strings.HasPrefix(path, "/d") {
					who = records
				}
				if a := who.ask("GET", fmt.Sprintf(path, url.QueryEscape(bad)), nil); a.status != want {
					t.Errorf("%s with %q: %d %s", path, bad, a.status, a.body)
				}
			}
			if a := records.send("POST", "/api/v1/patient-events", strings.NewReader("patient_number_kind,patient_number,date_of_birth,event,on,note\nnhs,9990000018,1950-01-31,in-use,2026-01-01,caf"+bad+"\n"), "Content-Type", "text/csv"); a.code() != "csv-encoding" {
				t.Errorf("a file with %q: %d %s", bad, a.status, a.body)
			}
		}
		raw := func(path, body string) answer {
			return admin.send("POST", "/api/v1"+path, strings.NewReader(body), "Content-Type", "application/json")
		}
		for name, a := range map[string]answer{
			"zero byte":     raw("/teams", `{"name":"x\u0000y"}`),
			"not UTF-8":     raw("/teams", "{\"name\":\"x\xff\"}"),
			"in a list":     nurse.ask("POST", "/referrals", body{"items": []string{item, "\x00"}, "question": "x", "audience": body{"kind": "role", "id": "consultant"}}),
			"of an address": nurse.ask("POST", "/items/"+item+"/links", body{"audience": body{"kind": "person", "id": "\x00"}, "purpose": "x"}),
			"nobody":        h.nobody().ask("POST", "/session", body{"username": "\x00", "password": "x"}),
		} {
			if a.status != http.StatusUnprocessableEntity || a.code() != "text-illegible" {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		if h.sys.Config.Objects.Kind != "s3" && objects(t, h) != stored {
			t.Error("something was stored")
		}
		if h.sys.Config.Objects.Kind == "filesystem" || h.sys.Config.Objects.Kind == "" {
			command(t, h.sys.Config, 0, "backup", "--to", filepath.Join(t.TempDir(), "backup"))
		}
	})
}

// Limits count characters: a language with more accents has no less room.
func TestLimitsCountCharacters(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	if a := nurse.upload(phone(t), also(h.details(), "body_site", strings.Repeat("ŵ", 200))); a.status != http.StatusCreated {
		t.Errorf("200 characters: %d %s", a.status, a.body)
	}
	if a := nurse.upload(phone(t), also(h.details(), "body_site", strings.Repeat("ŵ", 201))); a.code() != "body-site-long" {
		t.Errorf("201 characters: %d %s", a.status, a.body)
	}
	order := func(n int) answer {
		return nurse.ask("POST", "/items/"+h.filed()+"/links", body{"audience": body{"kind": "role", "id": "consultant"}, "purpose": strings.Repeat("ŷ", n)})
	}
	if a := order(500); a.status != http.StatusCreated {
		t.Errorf("a purpose of 500 characters: %d %s", a.status, a.body)
	}
	if a := order(501); a.code() != "link-purpose" {
		t.Errorf("a purpose of 501 characters: %d %s", a.status, a.body)
	}
}

// A form is whole when its last boundary says so, and not when its bytes end
// where one might have been: what would have followed is missing.
func TestFormsWithoutTheirEnd(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	var b bytes.Buffer
	for k, v := range also(h.details(), "allow_repeat", "true") {
		fmt.Fprintf(&b, "--XX\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", k, v)
	}
	fmt.Fprintf(&b, "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n\r\n%s\r\n", phone(t))
	for end, want := range map[string]string{
		"--XX--": "", "--XX--\r\n": "", "--XX--\r\nand what comes after": "",
		"": "upload-broken", "--XX": "upload-broken", "--XX-": "upload-broken", "--XX\r\n": "upload-broken",
		"--XX\r\nContent-Disposition: form-data; name=\"captured_at\"\r\n":     "upload-broken",
		"--XX\r\nContent-Disposition: form-data; name=\"captured_at\"\r\n\r\n": "upload-broken",
	} {
		a := h.as("nurse").send("POST", "/api/v1/items", strings.NewReader(b.String()+end), "Content-Type", "multipart/form-data; boundary=XX")
		if a.code() != want || (want == "") != (a.status == http.StatusCreated) {
			t.Errorf("a form that ends in %q: %d %s", end, a.status, a.body)
		}
		nurse := h.as("nurse")
		var terms api.IntakeTerms
		nurse.must("GET", "/intake", http.StatusOK, nil).into(t, &terms)
		to, err := age.ParseHybridRecipient(terms.Recipient)
		if err != nil {
			t.Fatal(err)
		}
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, to)
		if err == nil {
			_, err = w.Write([]byte(b.String() + end))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		id := nurse.start(sealed.Len(), "e"+end)
		nurse.patch(id, 0, &sealed)
		var came api.Outcome
		nurse.must("GET", "/uploads/"+id+"/outcome", http.StatusOK, nil).into(t, &came)
		if want == "" && came.State != "filed" || want != "" && (came.Problem == nil || came.Problem.Code != want) {
			t.Errorf("a sealed form that ends in %q: %+v", end, came)
		}
	}
}

// Nobody is born tomorrow, and nothing is photographed before its patient is born.
func TestImpossibleDates(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse, now := h.as("nurse"), time.Now().UTC()
	for born, want := range map[string]string{
		now.AddDate(0, 0, 3).Format(time.DateOnly): "date-of-birth-future", "2199-01-01": "date-of-birth-future",
		now.AddDate(-131, 0, 0).Format(time.DateOnly): "date-of-birth-long-ago", "0000-01-01": "date-of-birth-long-ago",
		"2023-02-29": "date-of-birth-form",
	} {
		a := nurse.ask("POST", "/patients", body{"patient_number_kind": "nhs", "patient_number": "9990000034", "name": "Third Patient", "date_of_birth": born})
		if a.status != http.StatusUnprocessableEntity || a.code() != want {
			t.Errorf("born on %s: %d %s", born, a.status, a.body)
		}
	}
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000034", "name": "Third Patient", "date_of_birth": now.Format(time.DateOnly)})
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000042", "name": "Fourth Patient", "date_of_birth": now.AddDate(-129, 0, 0).Format(time.DateOnly)})

	for at, want := range map[string]string{
		"0000-01-01T00:00:00+23:59": "captured-at-form", "0001-01-01T00:00:00Z": "captured-at-form", "1799-12-31T23:59:59Z": "captured-at-form",
		"1950-01-29T23:59:59Z": "captured-at-before-birth", "9999-12-31T23:59:59-23:59": "captured-at-future", "1950-01-31T10:00:00Z": "",
	} {
		a := nurse.upload(phone(t), also(also(h.details(), "captured_at", at), "allow_repeat", "true"))
		if a.code() != want || (want == "") != (a.status == http.StatusCreated) {
			t.Errorf("captured at %s: %d %s", at, a.status, a.body)
		}
	}
	// What the file says counts no more than what its sender says.
	for file, want := range map[string]bool{"2014:09:01": true, "2114:09:01": false, "2013:09:01": true} {
		var f api.Filing
		a := nurse.upload(bytes.ReplaceAll(phone(t), []byte("2014:09:01"), []byte(file)), also(h.details(), "allow_repeat", "true"))
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a.into(t, &f); (f.Item.CapturedAt != nil) != want {
			t.Errorf("a file of %s was captured at %v", file, f.Item.CapturedAt)
		}
	}
	a := nurse.upload(phone(t), also(also(also(h.details(), "allow_repeat", "true"), "patient_number", "9990000034"), "date_of_birth", now.Format(time.DateOnly)))
	var f api.Filing
	if a.into(t, &f); a.status != http.StatusCreated || f.Item.CapturedAt != nil {
		t.Errorf("a picture from before its patient's birth: %d, captured at %v", a.status, f.Item.CapturedAt)
	}
}

// A picture that was taken from a patient is none of theirs: the same file,
// sent for them, is a new one; and it is known again where it went.
func TestTheSameFileAfterAMove(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse, records, other := h.as("nurse"), h.as("records"), h.otherPatient()
		theirs := h.details()
		for k, v := range other {
			theirs[k] = v
		}
		send := func(details map[string]string, status int, is string, whose media.PatientID) (f api.Filing) {
			t.Helper()
			a := nurse.upload(phone(t), details)
			if a.into(t, &f); a.status != status || is != "" && string(f.Item.ID) != is || whose != "" && f.Item.Patient != whose {
				t.Errorf("%d, item %s of %s; want %d, %s of %s", a.status, f.Item.ID, f.Item.Patient, status, is, whose)
			}
			return f
		}
		first := send(h.details(), http.StatusCreated, "", "")
		to := also(other, "reason", "two wristbands were mixed up")
		records.must("POST", "/items/"+string(first.Item.ID)+"/move", http.StatusNoContent, to)
		again := send(theirs, http.StatusOK, string(first.Item.ID), "")
		second := send(h.details(), http.StatusCreated, "", first.Item.Patient)
		if second.Item.ID == first.Item.ID || again.Item.Patient == first.Item.Patient {
			t.Error("the picture is still where it was")
		}
		send(h.details(), http.StatusOK, string(second.Item.ID), first.Item.Patient)

		// Two numbers that are made one, and are not.
		records.must("POST", "/records/"+string(first.Item.Patient)+"/merge", http.StatusOK, to)
		send(h.details(), http.StatusOK, string(second.Item.ID), again.Item.Patient)
		var record struct {
			Merges []struct{ ID string }
		}
		records.must("GET", "/records/"+string(first.Item.Patient), http.StatusOK, nil).into(t, &record)
		if len(record.Merges) != 1 {
			t.Fatalf("%d merges", len(record.Merges))
		}
		records.must("POST", "/merges/"+record.Merges[0].ID+"/undo", http.StatusOK, body{"reason": "two people after all"})
		send(h.details(), http.StatusOK, string(second.Item.ID), first.Item.Patient)
		send(theirs, http.StatusOK, string(first.Item.ID), again.Item.Patient)
	})
}

// Ranges that are none are a problem like any other, and a unit that is not
// known is passed over.
func TestRangesThatAreNone(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	path := "/items/" + h.filed() + "/renditions/original-clean"
	whole := h.as("nurse").must("GET", path, http.StatusOK, nil)
	for header, want := range map[string]int{
		"bytes=0-0": 206, "bytes=-1": 206, "bytes=0-0,4-9": 206, "bits=0-1": 200, "x": 200,
		"bytes=0-0" + strings.Repeat(",4-4", 15): 206, "bytes=0-0" + strings.Repeat(",4-4", 16): 200,
		"bytes=99999999-": 416, "bytes=5-2": 416, "bytes=x": 416, "bytes=0-99999999999999999999": 416,
	} {
		a := h.as("nurse").ask("GET", path, nil, "Range", header)
		if a.status != want {
			t.Errorf("%s: %d", header, a.status)
		}
		if want == 200 && !bytes.Equal(a.body, whole.body) {
			t.Errorf("%s: %d bytes", header, len(a.body))
		}
		if want != 416 {
			continue
		}
		var p api.Problem
		if err := json.Unmarshal(a.body, &p); err != nil || p.Status != 416 || p.Code != "range-wrong" || a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v %s", header, a.header, a.body)
		}
		if header == "bytes=99999999-" && a.header.Get("Content-Range") != fmt.Sprintf("bytes */%d", len(whole.body)) {
			t.Errorf("it does not say how long it is: %q", a.header.Get("Content-Range"))
		}
	}
}

// An address that is no route's is answered like any other, with all headers
// and a line in the log, and leads nowhere else.
func TestAddressesWithASlashMore(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	h.stays.Store(true)
	for _, path := range []string{"/api/v1/items/", "/api/v1/openapi.json/", "/l/", "/sign-in/"} {
		a := h.as("nurse").send("GET", path, nil)
		if a.status != http.StatusNotFound || a.header.Get("Content-Security-Policy") == "" || a.header.Get("X-Request-Id") == "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}

// A filter that cannot be read is refused: a list without it names others.
func TestFiltersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	h.filed()
	for _, q := range []string{"patient=%zz", "patient=x;y", "%zz", "limit=5&patient=%"} {
		if a := h.as("nurse").send("GET", "/api/v1/items?"+q, nil); a.status != http.StatusUnprocessableEntity || a.code() != "query-illegible" {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
		if a := h.as("nurse").send("GET", "/pictures?"+q, nil); a.status != http.StatusUnprocessableEntity {
			t.Errorf("the page of %s: %d", q, a.status)
		}
	}
}

// A filter that is misspelt, or there twice, is refused for the same reason.
func TestFiltersThatAreNotKnown(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	h.filed()
	for q, want := range map[string]string{
		"/items?pateint=x": "filter-unknown", "/items?Patient=x": "filter-unknown", "/items?limit=1&page=2": "filter-unknown", "/items?limit=1&limit=2": "filter-twice",
		"/links?person=x": "filter-unknown", "/referrals?box=mine&box=team": "filter-twice", "/items?limit=1": "", "/items?": "",
	} {
		if a := h.as("nurse").ask("GET", q, nil); a.code() != want || (want == "") != (a.status == http.StatusOK) {
			t.Errorf("%s: %d %s", q, a.status, a.body)
		}
	}
}

// What somebody types where an identifier belongs is in no event: it may name
// a patient, and what is in the audit stays.
func TestNothingTypedIsInTheAudit(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse, records := h.as("nurse"), h.as("records")
	const typed = "9990000018"
	for path, a := range map[string]answer{
		"cases":         nurse.ask("GET", "/patients/"+typed+"/cases", nil),
		"open a case":   nurse.ask("POST", "/patients/"+typed+"/cases", body{"team": typed, "title": "heel"}),
		"due":           records.ask("GET", "/due?team="+typed, nil),
		"an item":       nurse.ask("GET", "/items/"+typed, nil),
		"seen":          nurse.ask("GET", "/items/"+typed+"/seen", nil),
		"a link":        nurse.ask("POST", "/links/revoke", body{"person": typed}),
		"a record":      records.ask("GET", "/records/"+typed, nil),
		"looks":         records.ask("GET", "/audit/patients/"+typed+"/looks", nil),
		"an event":      records.ask("POST", "/records/"+typed+"/events/"+typed+"/cancel", nil),
		"a hold":        records.ask("POST", "/holds/"+typed+"/release", body{"reason": "x"}),
		"a disposal":    records.ask("GET", "/disposals/"+typed, nil),
		"a handover":    records.ask("GET", "/handovers/"+typed, nil),
		"an emergency":  nurse.ask("POST", "/emergencies/"+typed+"/end", nil),
		"a grant":       nurse.ask("GET", "/grants/"+typed+"/renditions/preview", nil),
		"an upload":     nurse.tus("HEAD", typed, nil),
		"an invitation": nurse.ask("DELETE", "/invitations/"+typed, nil),
		"a class":       records.ask("POST", "/classes", body{"team": typed, "class": "adult"}),
		"a merge":       records.ask("POST", "/merges/"+typed+"/undo", body{"reason": "x"}),
		"glass":         nurse.ask("POST", "/emergencies", body{"patient": typed, "reason": "x"}),
		"keep":          records.ask("POST", "/due/keep", body{"items": []string{typed}, "decision": "keep", "until": "2090-01-01", "reason": "x"}),
		"a rule":        records.ask("POST", "/schedule/confirm", body{"class": typed, "rule": typed}),
	} {
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	all := h.as("auditor").must("GET", "/audit?limit=500", http.StatusOK, nil)
	if at := bytes.Index(all.body, []byte(typed)); at >= 0 {
		t.Errorf("an event says: …%s", all.body[max(0, at-300):min(len(all.body), at+50)])
	}
}

// The scheme of a token is written in any case.
func TestTheCaseOfATokensScheme(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	nurse.must("POST", "/session/step-up", http.StatusOK, body{"password": password})
	var made api.Token
	nurse.must("POST", "/tokens", http.StatusCreated, body{"name": "script", "scopes": []string{"items.read"}, "ttl_seconds": 3600}).into(t, &made)
	for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
		if a := h.nobody().ask("GET", "/items", nil, "Authorization", scheme+" "+made.Secret); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", scheme, a.status, a.body)
		}
		// A wrong token is nobody, whatever else comes along.
		if a := nurse.ask("GET", "/items", nil, "Authorization", scheme+" "+made.Secret+"x"); a.status != http.StatusUnauthorized {
			t.Errorf("%s and a wrong token: %d", scheme, a.status)
		}
	}
}

// A name does not turn around what stands beside it: marks of direction are
// taken out of names, and one that is read from right to left stands apart from
// the number that follows.
func TestNamesReadFromRightToLeft(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	turned := "\u202eTest\u2066\n Patient\u200f"
	var p api.Patient
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000034", "name": turned, "date_of_birth": "1960-02-29"}).into(t, &p)
	if p.Name != "Test  Patient" {
		t.Errorf("the patient is %q", p.Name)
	}
	var c api.Case
	nurse.must("POST", "/patients/"+string(p.ID)+"/cases", http.StatusCreated, body{"team": string(h.team), "title": "\u202eheel"}).into(t, &c)
	var team api.Team
	h.as("admin").must("POST", "/teams", http.StatusCreated, body{"name": "\u202eWard 4"}).into(t, &team)
	if c.Title != "heel" || team.Name != "Ward 4" {
		t.Errorf("the case is %q, the team %q", c.Title, team.Name)
	}

	const name = "فلان بن فلان" // the Arabic John Doe
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": name, "date_of_birth": "1960-02-29"})
	d := also(also(h.details(), "patient_number", "9990000026"), "date_of_birth", "1960-02-29")
	a := nurse.upload(phone(t), also(d, "body_site", "\u202eleft heel"))
	var f api.Filing
	if a.into(t, &f); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var made struct{ ID string }
	nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []string{string(f.Item.ID)}, "question": "Is this healing?", "audience": body{"kind": "role", "id": "consultant"}}).into(t, &made)
	for _, path := range []string{"/pictures", "/inbox"} {
		page := string(nurse.send("GET", path, nil).body)
		if !strings.Contains(page, "<bdi>"+name+"</bdi>, 999") || strings.Contains(page, "\u202e") {
			t.Errorf("%s does not set the name apart", path)
		}
	}
}

// Nothing new comes to a patient who was merged into another, where nobody would
// find it: not what was on its way, nor what somebody writes into an old page.
func TestNothingComesToWhoWasMerged(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		nurse, records, other := h.as("nurse"), h.as("records"), h.otherPatient()
		var first api.Filing
		nurse.upload(phone(t), h.details()).into(t, &first)
		from := string(first.Item.Patient)

		var once sync.Once
		h.sys.Flows().Uploads.Step = func(name string) {
			if name == "stored" {
				once.Do(func() {
					records.must("POST", "/records/"+from+"/merge", http.StatusOK, also(other, "reason", "the same person"))
				})
			}
		}
		d := also(h.details(), "allow_repeat", "true")
		if a := nurse.upload(phone(t), d); a.status != http.StatusServiceUnavailable || a.code() != "patient-changed" || a.header.Get("Retry-After") == "" {
			t.Errorf("an upload during the merge: %d %s", a.status, a.body)
		}
		var second api.Filing
		a := nurse.upload(phone(t), d)
		if a.into(t, &second); a.status != http.StatusCreated || string(second.Item.Patient) == from {
			t.Errorf("sent again: %d %s", a.status, a.body)
		}
		for what, a := range map[string]answer{
			"an event":     records.ask("POST", "/records/"+from+"/events", body{"event": "died", "on": "2026-01-01"}),
			"a case":       nurse.ask("POST", "/patients/"+from+"/cases", body{"team": string(h.team), "title": "heel"}),
			"a hold":       records.ask("POST", "/holds", body{"reason": "inquest", "authority": "coroner", "patients": []string{from}}),
			"its match":    records.ask("POST", "/holds/match", body{"patients": []string{from}}),
			"a class":      records.ask("POST", "/classes", body{"patient": from, "class": "adult"}),
			"an emergency": h.as("consultant").ask("POST", "/emergencies", body{"patient": from, "reason": "theatre"}),
		} {
			if a.status != http.StatusConflict || a.code() != "patient-merged" {
				t.Errorf("%s: %d %s", what, a.status, a.body)
			}
		}
		var all struct{ Items []api.ItemInList }
		nurse.must("GET", "/items?patient="+string(second.Item.Patient), http.StatusOK, nil).into(t, &all)
		if len(all.Items) != 2 {
			t.Errorf("%d pictures of the patient whom both numbers find", len(all.Items))
		}
	})
}
