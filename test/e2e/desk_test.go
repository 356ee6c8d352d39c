package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
)

// mistake is a house in which the outsider was added to the wrong team, saw
// two of its three pictures and the details of the third, and was sent one.
type mistake struct {
	*house
	before   time.Time
	other    string // the team that the outsider is rightly in, with one picture
	ours     []string
	outsider *person
}

func (h *house) fileOf(who string, team, number, site string) string {
	h.t.Helper()
	d := h.details()
	d["team"], d["patient_number"], d["body_site"] = team, number, site
	a := h.as(who).upload(append(phone(h.t), site...), d)
	if a.status != http.StatusCreated {
		h.t.Fatalf("upload: %d %s", a.status, a.body)
	}
	var f api.Filing
	a.into(h.t, &f)
	return string(f.Item.ID)
}

func mistaken(t *testing.T, h *house) *mistake {
	t.Helper()
	m := &mistake{house: h}
	admin, id := h.as("admin"), string(h.ids["outsider"])
	h.as("nurse").must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Second Patient", "date_of_birth": "1950-01-31"})
	var burns struct{ ID string }
	admin.must("POST", "/teams", http.StatusCreated, body{"name": "Burns"}).into(t, &burns)
	m.other = burns.ID
	admin.must("PUT", "/teams/"+burns.ID+"/members/"+id, http.StatusNoContent, nil)
	h.fileOf("outsider", burns.ID, "9990000026", "hand")
	m.ours = []string{h.fileOf("nurse", string(h.team), "9990000018", "heel"), h.fileOf("nurse", string(h.team), "9990000018", "toe"), h.fileOf("nurse", string(h.team), "9990000026", "knee")}
	var err error
	if m.before, err = h.sys.Store.Now(t.Context()); err != nil {
		t.Fatal(err)
	}
	admin.must("PUT", "/teams/"+string(h.team)+"/members/"+id, http.StatusNoContent, nil)
	m.outsider = h.as("outsider")
	for _, path := range []string{"/items", "/items/" + m.ours[0] + "/renditions/original-clean", "/items/" + m.ours[1] + "/renditions/original-clean", "/items/" + m.ours[1] + "/renditions/original-clean", "/items/" + m.ours[2]} {
		m.outsider.must("GET", path, http.StatusOK, nil)
	}
	return m
}

func (m *mistake) opening(more body) body {
	b := body{"cause": "wrong-member", "person": m.ids["outsider"], "from": m.before, "text": "Added to our team by mistake"}
	for k, v := range more {
		b[k] = v
	}
	return b
}

func (m *mistake) investigate(more body) (string, api.Investigation) {
	m.t.Helper()
	var made struct{ Incident string }
	auditor := m.as("auditor")
	auditor.must("POST", "/investigations", http.StatusCreated, m.opening(more)).into(m.t, &made)
	return made.Incident, m.look(made.Incident)
}

func (m *mistake) look(id string) api.Investigation {
	m.t.Helper()
	var i api.Investigation
	m.as("auditor").must("GET", "/investigations/"+id, http.StatusOK, nil).into(m.t, &i)
	return i
}

func is[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// The outsider who was added by mistake: the numbers are exactly right, their
// access ends in one step, the decisions are kept, and it is closed.
func TestWrongPersonInATeam(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		m := mistaken(t, h)
		id, i := m.investigate(body{"team": h.team})
		f := i.Facts
		is(t, "could see", f.Could.All, api.Tally{Items: 3, Patients: 2})
		is(t, "did see", f.Saw.Pictures, api.Tally{Items: 2, Patients: 1})
		is(t, "details", f.Saw.Described, api.Tally{Items: 1, Patients: 1})
		is(t, "something of", f.Saw.All, api.Tally{Items: 3, Patients: 2})
		is(t, "events", f.Saw.Events, 4) // a list, two pictures (one of them twice within five minutes), a description
		is(t, "lists", f.Saw.Lists, 1)
		is(t, "hurry", string(i.Clock.Hurry), "in-time")
		is(t, "72 hours", i.Clock.NotifyBy.Sub(i.AwareAt), 72*time.Hour)
		is(t, "the own picture", f.Could.Own, api.Tally{})
		if len(f.Saw.Rows) != 4 || f.Saw.Rows[1].Item != m.ours[0] || f.Saw.Rows[1].Rendition != "original-clean" {
			t.Errorf("rows: %+v", f.Saw.Rows)
		}
		// Without the team in view, the rightly seen counts too.
		_, wide := m.investigate(nil)
		is(t, "could see in all", wide.Facts.Could.All, api.Tally{Items: 4, Patients: 2})
		is(t, "the own one", wide.Facts.Could.Own, api.Tally{Items: 1, Patients: 1})
		is(t, "teams", len(wide.Facts.Could.Teams), 2)
		// Before they joined, nothing of ours was open to them, and nothing seen.
		_, early := m.investigate(body{"from": m.before.Add(-time.Hour), "to": m.before, "team": h.team})
		is(t, "could see before", early.Facts.Could.All.Items, 0)
		is(t, "did see before", early.Facts.Saw.Events, 0)

		m.contain(id)
		m.afterwards(id)
	})
}

// contain ends everything at once, and says what.
func (m *mistake) contain(id string) {
	t, h := m.t, m.house
	t.Helper()
	auditor, outsider := h.as("auditor"), string(h.ids["outsider"])
	h.linkTo(m.ours[0], h.ids["outsider"]) // for them
	var made, token struct{ ID string }
	var burns struct{ Items []struct{ ID string } }
	m.outsider.must("GET", "/items?team="+m.other, http.StatusOK, nil).into(t, &burns)
	m.outsider.must("POST", "/items/"+burns.Items[0].ID+"/links", http.StatusCreated, body{"audience": body{"kind": "person", "id": h.ids["consultant"]}, "purpose": "advice", "ttl_seconds": 3600}).into(t, &made) // by them
	m.outsider.proves().must("POST", "/tokens", http.StatusCreated, body{"name": "script", "scopes": []string{"items.read"}, "ttl_seconds": 3600}).into(t, &token)
	if a := auditor.ask("POST", "/investigations/"+id+"/contain", body{}); a.code() != "contain-missing" {
		t.Errorf("nothing ticked: %d %s", a.status, a.code())
	}
	live := m.look(id).Facts.Live
	revoked, ended, tokens := h.events("link.revoked"), h.events("session.ended"), h.events("token.revoked")
	var did api.Live
	auditor.must("POST", "/investigations/"+id+"/contain", http.StatusOK, body{"links": true, "sessions": true, "teams": []any{h.team}, "reason": "At once"}).into(t, &did)
	if did.Links != 2 || did.Tokens != 1 || did.Sessions < 1 || did.Sessions != live.Sessions || did.Links != live.Links || len(did.LeftTeams) != 1 || did.Suspended {
		t.Errorf("ended %+v, live before %+v", did, live)
	}
	is(t, "events of links", h.events("link.revoked")-revoked, 2)
	is(t, "events of sessions", h.events("session.ended")-ended, did.Sessions)
	is(t, "events of tokens", h.events("token.revoked")-tokens, 1)
	is(t, "out of the session", m.outsider.ask("GET", "/session", nil).status, http.StatusUnauthorized)
	is(t, "out of the team", h.as("outsider").ask("GET", "/items/"+m.ours[0], nil).status, http.StatusNotFound)
	is(t, "still in their own", h.as("outsider").ask("GET", "/items/"+burns.Items[0].ID, nil).status, http.StatusOK)
	if events, err := h.sys.Store.Events(t.Context(), meta.EventFilter{Type: audit.IncidentContained, Limit: 2}); err != nil || len(events) != 1 || events[0].Detail["links"] != "2" || events[0].Subject.Person != outsider {
		t.Errorf("the containment in the audit: %+v %v", events, err)
	}
	h.fileOf("nurse", string(h.team), "9990000018", "elbow") // after they were out: never open to them
	f := m.look(id).Facts
	is(t, "could see afterwards", f.Could.Teams[0].Tally, api.Tally{Items: 3, Patients: 2})
	is(t, "could see afterwards in all", f.Could.All, api.Tally{Items: 3, Patients: 2})
	var again api.Live
	auditor.must("POST", "/investigations/"+id+"/contain", http.StatusOK, body{"suspend": true}).into(t, &again)
	if !again.Suspended || len(again.LeftTeams) != 0 || again.Links != 0 {
		t.Errorf("suspending as well: %+v", again)
	}
	is(t, "suspended", m.look(id).Facts.Suspended, true)
}

// afterwards decides, reports, and closes.
func (m *mistake) afterwards(id string) {
	t, h := m.t, m.house
	t.Helper()
	auditor := h.as("auditor")
	path := "/investigations/" + id
	refused := func(code, at string, in body) {
		t.Helper()
		if a := auditor.ask("POST", at, in); a.code() != code {
			t.Errorf("%s: %d %s, want %s", at, a.status, a.code(), code)
		}
	}
	refused("incident-opened", "/incidents/"+id+"/close", body{"outcome": "By the back door"})
	refused("decision-missing", path+"/close", body{"lessons": "None"})
	refused("decision_reason-missing", path+"/decisions", body{"about": "regulator", "decision": "not-tell", "reason": " "})
	refused("about-unknown", path+"/decisions", body{"about": "neighbours", "decision": "tell", "reason": "x"})
	auditor.must("POST", path+"/decisions", http.StatusNoContent, body{"about": "regulator", "decision": "not-tell", "reason": "They are bound by confidentiality"})
	is(t, "hurry after deciding not to", string(m.look(id).Clock.Hurry), "not-needed")
	auditor.must("POST", path+"/decisions", http.StatusNoContent, body{"about": "regulator", "decision": "tell", "reason": "On second thought"})
	auditor.must("POST", path+"/decisions", http.StatusNoContent, body{"about": "people", "decision": "not-tell", "reason": "No high risk"})
	refused("decision-open", path+"/close", body{"lessons": "None"})

	text := string(auditor.proves().must("GET", path+"/report", http.StatusOK, nil).body)
	for _, want := range []string{"Tissue viability", "Open to the person in that time: pictures of 2 patients", "In fact shown to the person: pictures of 1 patient", "Open: 3 items. In fact shown: 2 items", "2 links revoked", "(not filled in)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "Example outsider") || strings.Contains(text, "9990000018") {
		t.Error("the report names somebody")
	}
	auditor.must("PUT", path+"/draft", http.StatusNoContent, body{"nature": "OUR NATURE", "contact": "The data protection officer"})
	is(t, "the kept draft", m.look(id).Draft.Nature, "OUR NATURE")

	now, err := h.sys.Store.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	refused("aware-wrong", path+"/aware", body{"aware_at": now.Add(time.Hour), "reason": "x"})
	auditor.must("POST", path+"/aware", http.StatusNoContent, body{"aware_at": now.Add(-80 * time.Hour), "reason": "The ward knew on Friday"})
	is(t, "hurry when known for 80 hours", string(m.look(id).Clock.Hurry), "overdue")
	auditor.must("POST", path+"/decisions", http.StatusNoContent, body{"about": "regulator", "decision": "told", "reason": "By their form"})
	is(t, "hurry when told late", string(m.look(id).Clock.Hurry), "told-late")
	auditor.must("POST", path+"/close", http.StatusNoContent, body{"lessons": "Two people now check who joins"})
	i := m.look(id)
	if i.ClosedAt == nil || i.Outcome != "Two people now check who joins" || len(i.Entries) != 8 {
		t.Errorf("closed %v %q with %d entries", i.ClosedAt, i.Outcome, len(i.Entries))
	}
	if a := auditor.ask("POST", path+"/contain", body{"links": true}); a.status != http.StatusNotFound {
		t.Errorf("contained after it was closed: %d", a.status)
	}
	for typ, want := range map[string]int{"incident.opened": 3, "incident.contained": 2, "incident.decided": 4, "incident.aware-changed": 1, "incident.report-drafted": 1, "incident.closed": 1} {
		is(t, "events "+typ, h.events(typ), want)
	}
}

// A lost phone: one session of several, and what was seen by it; a link, and
// what went through it.
func TestLostPhone(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	m := mistaken(t, h)
	elsewhere := h.as("outsider") // another device
	elsewhere.must("GET", "/items/"+m.ours[2]+"/renditions/original-clean", http.StatusOK, nil)
	_, i := m.investigate(body{"cause": "lost-device", "session": elsewhere.principal().Session})
	is(t, "seen by the phone", i.Facts.Saw.Pictures, api.Tally{Items: 1, Patients: 1})
	is(t, "could see all the same", i.Facts.Could.All.Items, 4)
	if len(i.Facts.Sessions) < 3 || i.Facts.Sessions[0].ID != elsewhere.principal().Session || !i.Facts.Sessions[0].Live {
		t.Errorf("sessions: %+v", i.Facts.Sessions)
	}

	secret, linked := h.linkTo(m.ours[0], h.ids["consultant"])
	consultant := h.as("consultant")
	var g struct{ ID string }
	consultant.must("POST", "/links/open", http.StatusOK, body{"secret": secret}).into(t, &g)
	consultant.must("GET", "/grants/"+g.ID+"/renditions/original-clean", http.StatusOK, nil)
	_, i = m.investigate(body{"cause": "wrong-recipient", "person": h.ids["consultant"], "link": linked})
	is(t, "open by the link", i.Facts.Could.All, api.Tally{Items: 1, Patients: 1})
	is(t, "seen through the link", i.Facts.Saw.Pictures, api.Tally{Items: 1, Patients: 1})
	is(t, "links opened", i.Facts.Saw.LinksOpened, 1)
}

// What stood open by a question or by emergency access counts, and a closed
// question does not.
func TestCouldSeeByQuestionAndEmergency(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		m := mistaken(t, h)
		nurse, consultant := h.as("nurse"), h.as("consultant")
		var q struct{ ID string }
		nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []string{m.ours[0], m.ours[1]}, "audience": body{"kind": "role", "id": "consultant"}, "question": "Infected?"}).into(t, &q)
		// The people of a test house come without a role in the audit; a change tells it.
		h.as("admin").must("PUT", "/people/"+string(h.ids["consultant"]), http.StatusNoContent, body{"name": "Example consultant", "role": "consultant"})
		var described struct{ Patient struct{ ID string } }
		nurse.must("GET", "/items/"+m.ours[2], http.StatusOK, nil).into(t, &described)
		consultant.must("POST", "/emergencies", http.StatusCreated, body{"patient": described.Patient.ID, "reason": "Bleeding"})
		_, i := m.investigate(body{"cause": "other", "person": h.ids["consultant"]})
		is(t, "asked", i.Facts.Could.Asked, api.Tally{Items: 2, Patients: 1})
		is(t, "emergency", i.Facts.Could.Emergencies, api.Tally{Items: 2, Patients: 1}) // the patient has one in each team
		is(t, "all", i.Facts.Could.All, api.Tally{Items: 4, Patients: 2})
		nurse.must("POST", "/referrals/"+q.ID+"/messages", http.StatusNoContent, body{"kind": "close", "text": "Thanks"})
		now, err := h.sys.Store.Now(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, i = m.investigate(body{"cause": "other", "person": h.ids["consultant"], "from": now})
		is(t, "asked once it is closed", i.Facts.Could.Asked, api.Tally{})
	})
}

// Nobody looks into an incident about themselves, and what is wrong is told.
func TestOpeningAnInvestigation(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	m := mistaken(t, h)
	auditor := h.as("auditor")
	for code, more := range map[string]body{
		"own-incident": {"person": h.ids["auditor"]}, "cause-missing": {"cause": "curiosity"}, "person-missing": {"person": ""}, "person-unknown": {"person": h.team},
		"from-wrong": {"from": m.before.Add(time.Hour)}, "to-wrong": {"to": m.before.Add(-time.Hour)}, "identifier-wrong": {"link": "x"}, "aware-wrong": {"aware_at": m.before.Add(time.Hour)}, "text-missing": {"text": ""},
	} {
		if a := auditor.ask("POST", "/investigations", m.opening(more)); a.code() != code {
			t.Errorf("%v: %d %s, want %s", more, a.status, a.code(), code)
		}
	}
	var report struct{ ID string }
	h.as("nurse").must("POST", "/incidents", http.StatusCreated, body{"kind": "breach", "text": "A stranger is in our team"}).into(t, &report)
	id, i := m.investigate(body{"incident": report.ID, "text": ""})
	is(t, "the reported incident", id, report.ID)
	is(t, "its text", i.Text, "A stranger is in our team")
	if a := auditor.ask("POST", "/investigations", m.opening(body{"incident": report.ID})); a.code() != "incident-opened" {
		t.Errorf("opened twice: %d %s", a.status, a.code())
	}
	if a := auditor.ask("POST", "/investigations", m.opening(body{"incident": h.team})); a.status != http.StatusNotFound {
		t.Errorf("an unknown report: %d", a.status)
	}
}

// The pages, without script.
func TestDeskPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	mistaken(t, h)
	auditor := h.as("auditor")
	has := func(a answer, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(string(a.body), w) {
				t.Errorf("%d: no %q", a.status, w)
			}
		}
	}
	form := url.Values{"cause": {"wrong-member"}, "person": {string(h.ids["outsider"])}, "team": {string(h.team)}, "from": {"yesterday"}, "text": {"By mistake"}}
	has(auditor.send("GET", "/incidents/new?cause=lost-device", nil), "Look into an incident", `value="lost-device" checked`)
	has(auditor.submit("/incidents/new", form), "Enter a date and a time", `id="from-error"`)
	form.Set("from", "2026-01-01T00:00")
	form.Set("cause", "")
	has(auditor.submit("/incidents/new", form), "Choose what happened", "By mistake")
	form.Set("cause", "wrong-member")
	page := auditor.submit("/incidents/new", form)
	has(page, "Example outsider", "left to tell the regulator", "End their access", "In the team Tissue viability", "3 pictures of 2 patients", "2 pictures of 1 patient")
	var all struct {
		Investigations []struct{ Incident string }
	}
	auditor.must("GET", "/investigations", http.StatusOK, nil).into(t, &all)
	at := "/incidents/" + all.Investigations[0].Incident
	has(auditor.send("GET", at+"/contain", nil), "End the access of Example outsider", "Being in the team Tissue viability", "Being in the team Burns", fmt.Sprintf(`value="%s" checked`, h.team))
	has(auditor.submit(at+"/contain", url.Values{}), "Tick what is to be ended", `id="contain-error"`)
	has(auditor.submit(at+"/contain", url.Values{"sessions": {"yes"}, "team": {string(h.team)}}), "ws-notice", "Done. ", "taken out of Tissue viability.</p>")
	has(auditor.submit(at+"/decision", url.Values{"decision": {"tell"}}), "Write a few words", `id="decision_reason-error"`)
	has(auditor.submit(at+"/close", url.Values{"lessons": {"x"}}), "Decide first whether the regulator is told")
	has(auditor.submit(at+"/decision", url.Values{"decision": {"told"}, "decision_reason": {"By their form"}, "decision_at": {time.Now().Format("2006-01-02T15:04:05")}}), "The regulator was told", "in time")
	has(auditor.submit(at+"/people", url.Values{"people": {"not-tell"}, "people_reason": {"No high risk"}}), "Do not tell the people affected")
	has(auditor.submit(at+"/aware", url.Values{"aware": {""}, "aware_reason": {"x"}}), `id="aware-error"`)
	has(auditor.send("GET", at+"/report", nil), "Report of a personal data breach", "In fact shown: 2 items")
	has(auditor.submit(at+"/report", url.Values{"contact": {"Our officer"}}), "The report is kept", "Our officer")
	if a := auditor.send("GET", at+"/report.txt", nil); !strings.Contains(string(a.body), "Is it still you?") {
		t.Errorf("the report leaves without proof: %d", a.status)
	}
	text := auditor.proves().send("GET", at+"/report.txt", nil)
	has(text, "Our officer", "Report of a personal data breach")
	is(t, "it is a download", text.header.Get("Content-Disposition"), `attachment; filename="incident-report.txt"`)
	has(auditor.send("GET", "/review", nil), at, "Look into an incident")
	has(auditor.submit(at+"/close", url.Values{"lessons": {"Two people check"}}), "The incident is closed", "Two people check")
	for _, who := range []string{"nurse", "consultant", "records", "admin"} {
		for _, path := range []string{"/incidents/new", at, at + "/contain", at + "/report", at + "/report.txt"} {
			if a := h.as(who).send("GET", path, nil); a.status != http.StatusForbidden {
				t.Errorf("%s at %s: %d", who, path, a.status)
			}
		}
	}
}
