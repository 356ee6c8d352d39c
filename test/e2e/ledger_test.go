package e2e

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	_ "modernc.org/sqlite"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/ledger"
	"github.com/wardseal/wardseal/test/servers"
)

// with opens a house with checkpoints that go to a file and, beside a bucket of
// objects, to a bucket.
func withSinks(t *testing.T, kind string) (*house, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "checkpoints")
	h := open(t, kind, func(c *config.Config) {
		c.Audit.File = file
		if kind == "postgres+s3" {
			c.Audit.Bucket = servers.VersityGW(t).NewBucket(t, false)
		}
	})
	return h, file
}

// checkpoint has what waits signed and published.
func (h *house) checkpoint() {
	h.t.Helper()
	if err := h.sys.Checkpoint(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) verifier() note.Verifier {
	h.t.Helper()
	key, err := config.CheckpointKey(h.t.Context(), h.sys.Store)
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

func root(t *testing.T, text string) (h tlog.Hash) {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != len(h) {
		t.Fatalf("no hash: %q", text)
	}
	copy(h[:], b)
	return h
}

func roots(t *testing.T, texts []string) []tlog.Hash {
	t.Helper()
	out := []tlog.Hash{}
	for _, s := range texts {
		out = append(out, root(t, s))
	}
	return out
}

// An auditor gets a checkpoint and proofs, and checks them with nothing but the
// key; the whole log verifies against the database's checkpoints and the sinks'.
func TestCheckpointsAndProofs(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			h, _ := withSinks(t, kind)
			auditor := h.as("auditor")
			if a := auditor.ask("GET", "/audit/checkpoint", nil); a.code() != "no-checkpoint" {
				t.Errorf("before the first: %d %s", a.status, a.body)
			}
			h.checkpoint()
			first, err := audit.OpenCheckpoint(auditor.must("GET", "/audit/checkpoint", http.StatusOK, nil).body, h.verifier())
			if err != nil {
				t.Fatal(err)
			}
			item := h.filed()
			h.as("nurse").must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil)
			h.checkpoint()
			second, err := audit.OpenCheckpoint(auditor.must("GET", "/audit/checkpoint", http.StatusOK, nil).body, h.verifier())
			if err != nil || second.Size <= first.Size {
				t.Fatalf("%+v %+v %v", first, second, err)
			}
			var page struct{ Events []json.RawMessage }
			auditor.must("GET", "/audit?type=item.shown", http.StatusOK, nil).into(t, &page)
			var shown struct{ Seq int64 }
			if err := json.Unmarshal(page.Events[0], &shown); err != nil {
				t.Fatal(err)
			}
			body := h.export(auditor, "format=jsonl&type=item.shown")
			var p api.Proof
			auditor.must("GET", fmt.Sprintf("/audit/events/%d/proof", shown.Seq), http.StatusOK, nil).into(t, &p)
			leaf := audit.Leaf(bytes.TrimSuffix(body, []byte("\n")))
			if p.Size != second.Size || root(t, p.Leaf) != leaf || tlog.CheckRecord(roots(t, p.Proof), second.Size, second.Root, shown.Seq-1, leaf) != nil {
				t.Errorf("the proof of event %d fails: %+v", shown.Seq, p)
			}
			auditor.must("GET", fmt.Sprintf("/audit/consistency?from=%d", first.Size), http.StatusOK, nil).into(t, &p)
			if root(t, p.FromRoot) != first.Root || tlog.CheckTree(roots(t, p.Proof), second.Size, second.Root, first.Size, first.Root) != nil {
				t.Errorf("the proof of consistency fails: %+v", p)
			}
			for _, path := range []string{"/audit/events/0/proof", "/audit/events/x/proof", "/audit/events/999999/proof", "/audit/events/1/proof?size=999999", "/audit/consistency?from=5&to=4", "/audit/consistency?from=999999"} {
				if a := auditor.ask("GET", path, nil); a.code() != "not-in-tree" {
					t.Errorf("%s: %d %s", path, a.status, a.code())
				}
			}
			sinks, err := h.sys.Config.Sinks()
			if err != nil {
				t.Fatal(err)
			}
			got, err := ledger.Verify(t.Context(), h.sys.Store, h.verifier(), sinks)
			if err != nil || got.Covered != second.Size || got.Checkpoints != 2+2*len(sinks) {
				t.Errorf("%+v %v", got, err)
			}
			for _, part := range h.status() {
				if strings.HasPrefix(part.Name.String(), "Audit") && !part.OK {
					t.Errorf("%+v", part)
				}
			}
		})
	}
}

func (h *house) status() []api.Part {
	h.t.Helper()
	var s struct{ Parts []api.Part }
	h.as("admin").must("GET", "/status", http.StatusOK, nil).into(h.t, &s)
	return s.Parts
}

// export takes events away.
func (h *house) export(as *person, query string) []byte {
	h.t.Helper()
	if as.h.sys.Flows().Door.SteppedUp(h.t.Context(), as.principal()) != nil {
		as.proves()
	}
	return as.must("GET", "/audit/export?"+query, http.StatusOK, nil).body
}

// The command finds what was changed behind the program's back, names the first
// event, and needs nothing but files to check an export.
func TestAuditVerifyCommand(t *testing.T) {
	t.Parallel()
	h, file := withSinks(t, "sqlite+filesystem")
	h.filed()
	h.checkpoint()
	auditor := h.as("auditor")
	export, kept := filepath.Join(h.data, "audit.jsonl"), filepath.Join(h.data, "checkpoint.txt")
	all := h.export(auditor, "format=jsonl")
	for path, text := range map[string][]byte{export: all, kept: auditor.must("GET", "/audit/checkpoint", http.StatusOK, nil).body} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(want int, says string, args ...string) {
		t.Helper()
		out, errs, status := servers.Run(t, "", append([]string{"audit", "verify"}, args...)...)
		if status != want || !strings.Contains(out+errs, says) {
			t.Errorf("%v: status %d, %s%s; want %d, %q", args, status, out, errs, want, says)
		}
	}
	key, _, _ := servers.Run(t, "", "audit", "key", "--data", h.data)
	key = strings.TrimSpace(key)
	database := []string{"--data", h.data, "--audit-file", file, "--key", key}
	verify(0, "events are as they were recorded", database...)
	offline := []string{"--export", export, "--checkpoint", kept, "--key", key}
	verify(0, "root of", offline...)
	verify(0, "root of", "--export", export, "--checkpoint", file, "--key", key)
	verify(1, "needs --checkpoint and --key", "--export", export)
	other, otherKey, err := note.GenerateKey(nil, "wardseal/audit/other")
	if err != nil || other == "" {
		t.Fatal(err)
	}
	verify(1, "not", "--data", h.data, "--audit-file", file, "--key", otherKey)

	lines := bytes.SplitAfter(all, []byte("\n"))
	for _, c := range map[string]struct {
		text [][]byte
		says string
	}{
		"a line changed":  {append(append(slices.Clone(lines[:2]), bytes.Replace(lines[2], []byte(`"type":"`), []byte(`"type":"x`), 1)), lines[3:]...), "events 1 to "},
		"a line left out": {append(slices.Clone(lines[:2]), lines[3:]...), "event 3: it is missing"},
		"cut off":         {lines[:2], "events 3 to "},
	} {
		if err := os.WriteFile(export, bytes.Join(c.text, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		verify(1, c.says, offline...)
	}

	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.data, "wardseal.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(q string) {
		t.Helper()
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE TABLE kept AS SELECT * FROM audit_events WHERE seq = 5")
	do("CREATE TABLE kept_checkpoints AS SELECT * FROM audit_checkpoints")
	for _, c := range []struct{ change, back, says string }{
		{`UPDATE audit_events SET body = CAST(replace(CAST(body AS TEXT), '"v":1', '"v":1 ') AS BLOB) WHERE seq = 5`, "UPDATE audit_events SET body = (SELECT body FROM kept) WHERE seq = 5", "event 5: its body was changed"},
		{`UPDATE audit_events SET actor = 'x', body = CAST(replace(CAST(body AS TEXT), '"subject"', '"actor":"x","subject"') AS BLOB) WHERE seq = 5`, "UPDATE audit_events SET body = (SELECT body FROM kept), actor = (SELECT actor FROM kept) WHERE seq = 5", "event 5: "},
		{"UPDATE audit_events SET patient = 'x' WHERE seq = 5", "UPDATE audit_events SET patient = (SELECT patient FROM kept) WHERE seq = 5", "event 5: its columns"},
		{"DELETE FROM audit_events WHERE seq = 5", "INSERT INTO audit_events SELECT * FROM kept", "event 5: it is missing"},
		{"DELETE FROM audit_checkpoints", "INSERT INTO audit_checkpoints SELECT * FROM kept_checkpoints", "notice"},
	} {
		do(c.change)
		if c.says == "notice" { // without its own checkpoint the database still meets the file's
			verify(0, "1 checkpoints fit", database...)
		} else {
			verify(1, c.says, database...)
		}
		do(c.back)
		verify(0, "events are as they were recorded", database...)
	}
}

// A database that is put back to an older state is refused, and told to the
// administrator and to what watches.
func TestRolledBackDatabase(t *testing.T) {
	t.Parallel()
	h, _ := withSinks(t, "sqlite+filesystem")
	h.checkpoint()
	h.filed()
	h.checkpoint()
	// The same as putting the database back, seen from the sink: it has a later one.
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.data, "wardseal.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	size := int64(0)
	if err := db.QueryRow("SELECT min(size) FROM audit_checkpoints").Scan(&size); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"DELETE FROM audit_checkpoints WHERE size > ?", "DELETE FROM audit_hashes WHERE seq > ?", "DELETE FROM audit_events WHERE seq > ?", "UPDATE audit_counter SET seq = ?", "UPDATE audit_sequencer SET size = ?, worker = '', lease_until = 0"} {
		if _, err := db.Exec(q, size); err != nil {
			t.Fatal(q, err)
		}
	}
	h.as("nurse") // an event that wants a checkpoint
	cfg := h.sys.Config
	again, err := config.Open(t.Context(), cfg) // a server that remembers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	if err := again.Checkpoint(t.Context()); err == nil || !strings.Contains(err.Error(), "rolled back") {
		t.Errorf("it is signed: %v", err)
	}
	told := false
	for _, p := range h.status() {
		told = told || p.Name == "Audit checkpoints" && !p.OK && strings.Contains(p.Says.String(), "NONE IS SIGNED ANY MORE") && strings.Contains(p.Says.String(), "rolled back")
	}
	if !told {
		t.Errorf("the administrator is not told: %+v", h.status())
	}
	if a := h.as("auditor").send("GET", "/audit", nil); !strings.Contains(string(a.body), "The audit may have been changed") || !strings.Contains(string(a.body), "rolled back") {
		t.Errorf("the auditor is not told: %d", a.status)
	}
	if m := h.metrics(); !strings.Contains(m, "wardseal_audit_refused 1") || !strings.Contains(m, "wardseal_audit_events_uncovered ") {
		t.Errorf("metrics: %s", m)
	}
}

func (h *house) metrics() string {
	h.t.Helper()
	w := &recorder{header: http.Header{}}
	r, err := http.NewRequest("GET", "/metrics", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	h.api.Operations().ServeHTTP(w, r)
	return w.String()
}

type recorder struct {
	bytes.Buffer
	header http.Header
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}

// The three questions, in sentences, by the API.
func TestAuditQuestions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		item := h.filed()
		nurse, consultant, auditor := h.as("nurse"), h.as("consultant"), h.as("auditor")
		nurse.must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil)
		secret, id := h.linkTo(item, h.ids["consultant"])
		var g api.Grant
		consultant.must("POST", "/links/open", http.StatusOK, body{"secret": secret}).into(t, &g)
		consultant.must("GET", "/grants/"+string(g.ID)+"/renditions/original-clean", http.StatusOK, nil)
		consultant.must("GET", "/grants/"+string(g.ID)+"/annotations", http.StatusOK, nil)
		var p api.Patient
		auditor.must("POST", "/audit/patients/find", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"}).into(t, &p)
		answer := func(q string) string {
			t.Helper()
			var page struct{ Events []api.Told }
			auditor.must("GET", "/audit/answers?limit=500&"+q, http.StatusOK, nil).into(t, &page)
			var out []string
			for i, e := range page.Events {
				if i > 0 && e.Seq >= page.Events[i-1].Seq {
					t.Errorf("%s: event %d comes after %d", q, e.Seq, page.Events[i-1].Seq)
				}
				out = append(out, e.Says.String())
			}
			return strings.Join(out, "\n") + "\n"
		}
		code, of, through := " picture "+audit.Brief(item), " of patient "+audit.Brief(string(p.ID)), " through link "+audit.Brief(id)
		for q, want := range map[string][]string{
			"patient=" + string(p.ID):                             {"Example nurse looked at the original of" + code + of + "\n", "Example consultant looked at the original of" + code + of + through + "\n", "Example auditor looked up patient "},
			"patient=" + string(p.ID) + "&all=true":               {"Example nurse filed" + code + of + " in Tissue viability\n", "Example nurse made link "},
			"person=" + string(h.ids["consultant"]):               {"Example consultant looked at the original of" + code + of + through + "\n", "Example consultant opened link "},
			"person=" + string(h.ids["consultant"]) + "&all=true": {"Example consultant signed in\n"},
			"link=" + id: {"Example nurse made link " + audit.Brief(id) + " to" + code + of + " for Example consultant\n", "Example consultant opened link ", "Example consultant looked at the original of", "Example consultant saw what is drawn over"},
		} {
			got := answer(q)
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s: no %q in\n%s", q, w, got)
				}
			}
		}
		if got := answer("patient=" + string(p.ID)); strings.Contains(got, "filed") || strings.Contains(got, "made link") {
			t.Errorf("what was seen has more in it:\n%s", got)
		}
		if got := answer("person=" + string(h.ids["consultant"])); strings.Contains(got, "Example nurse looked") {
			t.Errorf("somebody else's:\n%s", got)
		}
		if got := answer("link=" + id + "&from=2100-01-01T00:00:00Z"); got != "\n" {
			t.Errorf("in the future: %s", got)
		}
		for _, q := range []string{"", "patient=x", "patient=" + string(p.ID) + "&link=" + id} {
			if a := auditor.ask("GET", "/audit/answers?"+q, nil); a.code() != "question-wrong" {
				t.Errorf("%q: %d %s", q, a.status, a.code())
			}
		}

		// A page at a time, from the question before on, which is an event too.
		all := strings.Count(answer("all=true&patient="+string(p.ID)), "\n") + 1
		seen, after := 0, ""
		for range 100 {
			var page struct {
				Events []api.Told
				Next   int64
			}
			auditor.must("GET", "/audit/answers?limit=2&all=true&patient="+string(p.ID)+after, http.StatusOK, nil).into(t, &page)
			seen += len(page.Events)
			if page.Next == 0 {
				break
			}
			after = fmt.Sprint("&after=", page.Next)
		}
		if seen != all {
			t.Errorf("%d in pages, %d at once", seen, all)
		}
	})
}

// What is taken away: the forms, what is in them, and that taking is an event.
func TestAuditExports(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		item := h.filed()
		h.as("nurse").must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil)
		auditor := h.as("auditor")
		if a := auditor.ask("GET", "/audit/export?format=pdf", nil); a.code() != "format-unknown" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := auditor.ask("GET", "/audit/export?format=jsonl", nil); a.status != http.StatusForbidden || a.code() != "step-up-needed" {
			t.Errorf("without proof: %d %s", a.status, a.code())
		}
		a := auditor.proves().must("GET", "/audit/export?format=jsonl", http.StatusOK, nil)
		lines := bytes.Split(bytes.TrimSuffix(a.body, []byte("\n")), []byte("\n"))
		last := len(lines)
		for i, l := range lines {
			if ev, err := audit.Parse(l); err != nil || ev.Seq != int64(i+1) {
				t.Fatalf("line %d: %v: %s", i+1, err, l)
			}
		}
		if ev, _ := audit.Parse(lines[last-1]); ev.Type != audit.AuditRead || ev.Detail["export"] != "jsonl" || string(ev.Actor) != string(h.ids["auditor"]) {
			t.Errorf("the last is not the export itself: %+v", ev)
		}
		if !strings.Contains(a.header.Get("Content-Disposition"), "attachment") {
			t.Error("it is not a download")
		}

		rows, err := csv.NewReader(bytes.NewReader(h.export(auditor, "format=csv"))).ReadAll()
		if err != nil || len(rows) != last+2 || rows[0][0] != "number" || rows[last][0] != fmt.Sprint(last) {
			t.Fatalf("CSV: %d rows, %v", len(rows), err)
		}
		found := false
		for _, r := range rows {
			found = found || r[3] == "item.shown" && r[7] == item && r[4] == "Example nurse" && strings.HasPrefix(r[2], "Example nurse looked at the original of picture ")
		}
		if !found {
			t.Error("CSV: the look is not in it")
		}

		var bundle struct {
			ResourceType, Type string
			Entry              []struct {
				FullURL  string `json:"fullUrl"`
				Resource map[string]any
			}
		}
		if err := json.Unmarshal(h.export(auditor, "format=fhir&item="+item), &bundle); err != nil || bundle.ResourceType != "Bundle" || bundle.Type != "collection" || len(bundle.Entry) < 2 {
			t.Fatalf("FHIR: %+v %v", bundle, err)
		}
		profiles := map[string]bool{}
		for _, e := range bundle.Entry {
			for _, need := range []string{"id", "type", "recorded", "agent", "source"} {
				if e.Resource[need] == nil {
					t.Errorf("FHIR: an event without %s", need)
				}
			}
			if m, ok := e.Resource["meta"].(map[string]any); ok {
				name := fmt.Sprint(m["profile"])
				profiles[name[strings.LastIndex(name, ".")+1:len(name)-1]] = true
				checkBALP(t, e.Resource)
			}
		}
		if !profiles["PatientRead"] || !profiles["PatientCreate"] {
			t.Errorf("FHIR: %v", profiles)
		}
		if err := json.Unmarshal(h.export(auditor, "format=fhir&type=item.refused"), &bundle); err != nil {
			t.Errorf("FHIR of nothing: %v", err)
		}
	})
}

// checkBALP holds an event to what IHE's profiles for a patient's data ask:
// slices of agents and entities, each exactly once.
func checkBALP(t *testing.T, r map[string]any) {
	t.Helper()
	codes, part, subtypes := map[string]int{}, "IRCP", len(r["subtype"].([]any))
	if r["action"] == "C" {
		if part = "AUT"; subtypes != 1 {
			t.Errorf("BALP: %d subtypes of what is created", subtypes)
		}
	}
	for _, a := range r["agent"].([]any) {
		a := a.(map[string]any)
		coding := a["type"].(map[string]any)["coding"].([]any)[0].(map[string]any)
		codes["agent "+coding["code"].(string)]++
		if a["who"] == nil || (coding["code"] == part) != (a["network"] == nil) {
			t.Errorf("BALP: an agent without who or network: %v", a)
		}
	}
	for _, e := range r["entity"].([]any) {
		e := e.(map[string]any)
		kind := e["type"].(map[string]any)
		codes["entity "+kind["code"].(string)]++
		if kind["code"] != "4" && (e["what"] == nil || e["detail"] != nil || e["name"] != nil) {
			t.Errorf("BALP: an entity without what, or with more: %v", e)
		}
	}
	for what, n := range map[string]int{"agent 110152": 1, "agent 110153": 1, "agent " + part: 1, "entity 1": 1, "entity 2": 1, "entity XrequestId": 1} {
		if codes[what] != n {
			t.Errorf("BALP: %d of %s in %v", codes[what], what, r)
		}
	}
	if r["outcome"] != "0" || r["type"].(map[string]any)["code"] != "rest" {
		t.Errorf("BALP: %v %v", r["outcome"], r["type"])
	}
}

// The list that a patient can be given has names, roles, teams and days, and
// nothing that means something only inside.
func TestWhoLooked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		item := h.filed()
		nurse, records := h.as("nurse"), h.as("records")
		for range 3 {
			h.as("colleague").must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil)
		}
		nurse.must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil)
		wrong := body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-30"}
		before := h.events("patient.found")
		if a := records.ask("POST", "/audit/patients/find", wrong); a.code() != "date-of-birth-mismatch" || h.events("patient.found") != before+1 {
			t.Errorf("a wrong date of birth: %d %s", a.status, a.code())
		}
		var p api.Patient
		records.must("POST", "/audit/patients/find", http.StatusOK, body{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"}).into(t, &p)
		before = h.events("patient.shown")
		var list struct {
			Looks []api.Look
			More  bool
		}
		records.must("GET", "/audit/patients/"+string(p.ID)+"/looks", http.StatusOK, nil).into(t, &list)
		if h.events("patient.shown") != before+1 {
			t.Error("the list is no event")
		}
		if len(list.Looks) != 3 || list.More {
			t.Fatalf("%+v", list)
		}
		for i, want := range []api.Look{{Name: "Example nurse", What: "looked at", Times: 1}, {Name: "Example colleague", What: "looked at", Times: 3}, {Name: "Example nurse", What: "took or filed", Times: 1}} {
			l := list.Looks[i]
			if l.Name != want.Name || l.What != want.What || l.Times != want.Times || l.Picture != "a photo: left heel" || l.FiledAt == nil || !slices.Equal(l.Teams, []string{"Tissue viability"}) || l.Role != "clinician" {
				t.Errorf("%d: %+v", i, l)
			}
		}
		text := string(records.must("GET", "/audit/patients/"+string(p.ID)+"/looks?format=csv", http.StatusOK, nil).body)
		page := records.send("GET", "/audit/patients/"+string(p.ID), nil)
		main := string(page.body)
		for _, has := range []string{"Example colleague", "Tissue viability", "a photo: left heel", "looked at"} {
			if !strings.Contains(text, has) || !strings.Contains(main, has) {
				t.Errorf("no %q in the list: %s", has, text)
			}
		}
		if identifiers.MatchString(text) || strings.Contains(text, "999") {
			t.Errorf("the file has identifiers in it: %s", text)
		}
		if strings.Contains(main, item) {
			t.Error("the page has the item's identifier in it")
		}
		if a := records.ask("GET", "/audit/patients/"+string(p.ID)+"/looks?from=2100-01-01T00:00:00Z", nil); !strings.Contains(string(a.body), `"looks":[]`) {
			t.Errorf("in the future: %s", a.body)
		}
		records.must("GET", "/audit/patients/x/looks", http.StatusNotFound, nil)
	})
}

// The pages, without script.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	auditor := h.as("auditor")
	secret, id := h.linkTo(item, h.ids["consultant"])
	has := func(a answer, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(string(a.body), w) {
				t.Errorf("%d: no %q in %s", a.status, w, a.body)
			}
		}
	}
	has(auditor.send("GET", "/audit", nil), "Who saw this patient?", "What did this person see?", "What went through this link?", "/audit/export?format=jsonl", "No checkpoint is signed yet")
	if err := h.sys.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(auditor.send("GET", "/audit", nil), "Signed checkpoints cover")
	has(auditor.send("GET", "/audit/seen?person="+string(h.ids["nurse"])+"&all=yes", nil), "What Example nurse saw", "Example nurse filed picture ", "Only what was seen", "format=fhir")
	has(auditor.submit("/audit/links", url.Values{"link": {"https://wardseal.example/l#" + secret}}), "What went through link "+audit.Brief(id), "Example nurse made link")
	has(auditor.submit("/audit/links", url.Values{"link": {id}}), "What went through link "+audit.Brief(id))
	has(auditor.submit("/audit/links", url.Values{"link": {"https://wardseal.example/l#wrong"}}), "not a link that was made here", `id="link-error"`)
	has(auditor.submit("/audit/patients", url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"999 000 0018"}, "dob_day": {"30"}, "dob_month": {"1"}, "dob_year": {"1950"}}), `id="date_of_birth-error"`)
	has(auditor.submit("/audit/patients", url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"999 000 0018"}, "dob_day": {"31"}, "dob_month": {"1"}, "dob_year": {"1950"}}),
		"Who looked at your pictures", "For Test Patient, born 31 January 1950", "Example nurse", "took or filed a photo: left heel", "All events about this patient")
	records := h.as("records")
	has(records.send("GET", "/", nil), "Who looked")
	has(records.send("GET", "/audit/patients", nil), "Find the patient to get a list")
	for path, want := range map[string]map[string]int{
		"/audit/patients":          {"nurse": 403, "consultant": 403, "admin": 403, "records": 200, "auditor": 200},
		"/audit/seen?link=" + id:   {"nurse": 403, "consultant": 403, "admin": 403, "records": 403, "auditor": 200},
		"/audit/seen?link=x":       {"nurse": 403, "records": 403, "auditor": 422},
		"/audit/patients/" + item:  {"nurse": 403, "admin": 403, "auditor": 404, "records": 404},
		"/audit/seen?from=nothing": {"auditor": 422},
	} {
		for who, status := range want {
			if a := h.as(who).send("GET", path, nil); a.status != status {
				t.Errorf("%s at %s: %d, want %d", who, path, a.status, status)
			}
		}
	}
}
