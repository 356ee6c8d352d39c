package e2e

import (
	"bytes"
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/test/pseudo"
	"github.com/wardseal/wardseal/test/servers"
)

// data is what stands on the pages of this test and is in no language: names
// and what was typed; and what is the same in every language.
var data = []string{
	"Wardseal", "English", "JPEG", "JSON Lines", "JSON", "FHIR", "CSV", "SHA-256", "Chrome", "Android", "(devel)", "sqlite", "UTC", "/send", "advice on dressing",
	"Example Trust", "NHS CIS2", "Test Patient", "Second Patient", "Tissue viability", "Example Health Board", "Burns", "newcomer", "Dr Jane Sample", doctor,
}

var (
	anyID   = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{64}\b|\b[0-9a-f]{6}\b`)
	english = regexp.MustCompile(`[A-Za-z]+`)
	codes   = regexp.MustCompile(`[a-z]+(?:[-.][a-z]+)+`) // of the audit, and scopes
)

// read are the attributes that people read.
var read = []string{"aria-label", "title", "placeholder", "alt", "label"}

// unmarked gives the texts of a page with letters that did not pass through
// the catalogue.
func unmarked(t *testing.T, page []byte, data []string) (out []string) {
	t.Helper()
	root, err := html.ParseWithOptions(bytes.NewReader(page), html.ParseOptionEnableScripting(false)) // as a browser without script
	if err != nil {
		t.Fatal(err)
	}
	check := func(s string) {
		rest := codes.ReplaceAllString(anyID.ReplaceAllString(s, ""), "")
		for _, d := range data {
			rest = strings.ReplaceAll(rest, d, "")
		}
		if english.MatchString(rest) {
			out = append(out, strings.Join(strings.Fields(s), " "))
		}
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			check(n.Data)
		case n.Type == html.ElementNode && slices.Contains(n.Attr, html.Attribute{Key: "translate", Val: "no"}):
			return
		case n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style" || n.Data == "code"):
			return
		}
		for _, a := range n.Attr {
			if slices.Contains(read, a.Key) {
				check(a.Val)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return out
}

// TestPagesSpeakTheReadersLanguage walks every page in a language of which the
// catalogue has everything. A text without marks is one that translators are
// never asked about.
func TestPagesSpeakTheReadersLanguage(t *testing.T) {
	t.Parallel()
	post := servers.Mail(t)
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		kept(retention.Scotland, time.Hour)(c)
		c.PublicURL = "https://wardseal.example"
		c.Mail = config.Mail{Server: post.Server, From: "wardseal@example.org", CAFile: post.CAFile}
	})
	if err := h.guided(h.hire("records2", access.RecordsOfficer)); err != nil {
		t.Fatal(err)
	}
	known := slices.Clone(data)
	for name := range h.ids {
		known = append(known, "Example "+name, name)
	}
	h.languages = pseudo.Languages(t, "../..")
	h.serve()
	h.reads = pseudo.Tag
	known = append(known, strings.TrimPrefix(h.url, "http://"), pseudo.Tag)
	for _, d := range h.details() {
		known = append(known, d)
	}
	slices.SortFunc(known, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	said, seen := map[string]bool{}, &strings.Builder{}
	h.looked = func(path string, page []byte) {
		if !bytes.Contains(page, []byte(`<html lang="`+pseudo.Tag+`">`)) {
			t.Errorf("%s is in another language", path)
		}
		for _, s := range unmarked(t, page, known) {
			if !said[s] {
				t.Errorf("%s says, in no catalogue: %q", path, s)
			}
			said[s] = true
		}
		seen.WriteString(html.UnescapeString(string(page)))
	}
	h.everyPage(post)
	e := openElsewhere(t, "sqlite+filesystem")
	e.languages, e.reads, e.looked = h.languages, h.reads, h.looked
	e.serve()
	e.everyWay()
	everyTemplate(t, seen.String())
}

// within is what stands within sentences.
var within = regexp.MustCompile(`\{[^}]*\}|<[^>]*>`)

// everyTemplate fails for a template of which the pages showed no sentence.
func everyTemplate(t *testing.T, pages string) {
	t.Helper()
	files := map[string][]string{}
	all := ui.Messages()
	for file, messages := range all {
		for _, m := range messages {
			files[m.English] = append(files[m.English], file)
		}
	}
	for file, messages := range all {
		shown := 0
		for _, m := range messages {
			if len(files[m.English]) == 1 && !slices.ContainsFunc(within.Split(pseudo.Mark(m.English), -1), func(s string) bool { return !strings.Contains(pages, s) }) {
				shown++
			}
		}
		if shown == 0 {
			t.Errorf("%s: none of its own %d sentences was shown", file, len(messages))
		}
	}
}

// everyPage sees every page at least once, and many in several states.
func (h *house) everyPage(post servers.SMTP) {
	t := h.t
	nurse, consultant, records, records2, auditor, admin := h.as("nurse"), h.as("consultant"), h.as("records"), h.as("records2"), h.as("auditor"), h.as("admin")
	ok, wrong := http.StatusOK, http.StatusUnprocessableEntity

	// Before anybody has done anything, and by everybody.
	nobody := h.nobody()
	nobody.page("/sign-in?why=ended", ok)
	nobody.send("GET", "/account", nil, "Sec-Fetch-Site", "cross-site")
	nobody.page("/l", ok)
	nobody.page("/invited", ok)
	nobody.page("/shell", ok)
	nobody.submit("/sign-in", url.Values{"username": {"nurse"}, "password": {"wrong"}})
	for _, p := range []*person{nurse, consultant, records, auditor, admin} {
		for _, path := range []string{"/", "/send", "/queue", "/pictures", "/inbox", "/inbox?state=closed", "/links", "/invitations", "/review", "/audit", "/records", "/holds", "/disposals", "/schedule", "/reports",
			"/audit/patients", "/staff", "/status", "/due", "/account", "/report", "/incidents/new", "/compare", "/step-up?next=/account", "/pictures?mine=yes"} {
			p.send("GET", path, nil, "Accept", "text/html")
		}
	}
	nurse.send("GET", "/nowhere", nil, "Accept", "text/html")

	// Sending.
	nurse.does("/send/patient", testPatient, ok)
	nurse.does("/send/patient", with(testPatient, "x", "y"), ok)
	unknown := url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"9990000026"}, "dob_day": {"31"}, "dob_month": {"1"}, "dob_year": {"1950"}}
	nurse.submit("/send/patient", unknown)
	nurse.submit("/send/patient", url.Values{"patient_number_kind": {"nhs"}, "patient_number": {"999000001"}})
	nurse.submit("/send", url.Values{})
	nurse.submit("/send/register", unknown)
	it := h.file(nurse, "consent", "C")
	item, patient := string(it.ID), string(it.Patient)
	second := string(h.file(nurse, "body_site", "left heel").ID)
	nurse.page("/pictures/"+item+"?filed=new", ok)
	nurse.page("/pictures/"+item+"?filed=before", ok)
	nurse.page("/pictures", ok)
	nurse.page("/pictures?patient="+patient, ok)
	nurse.does("/pictures/find", testPatient, ok)
	nurse.submit("/pictures/find", url.Values{"patient_number_kind": {"chi"}, "patient_number": {"0101501230"}, "dob_day": {"2"}, "dob_month": {"1"}, "dob_year": {"1950"}})
	nurse.page("/patients/"+patient, ok)
	nurse.page("/compare?item="+item+"&item="+second, ok)
	nurse.submit("/send/case", with(testPatient, "team", string(h.team), "title", "left heel"))
	nurse.page("/compare?patient="+patient, wrong)
	var opened struct{ ID string }
	nurse.must("POST", "/patients/"+patient+"/cases", http.StatusCreated, body{"team": h.team, "title": "left heel"}).into(t, &opened)
	nurse.page("/cases/"+opened.ID, ok)

	// Asking.
	nurse.page("/ask?item="+item, ok)
	nurse.submit("/ask", url.Values{"item": {item}})
	q := h.question(item, "consultant", "left heel")
	nurse.page("/inbox", ok)
	consultant.page("/inbox", ok)
	consultant.page("/pictures/"+item, ok)
	at := "/referrals/" + string(q.ID)
	consultant.page(at, ok)
	nurse.page(at, ok)
	consultant.submit(at, url.Values{"kind": {"more"}, "text": {"left heel"}})
	nurse.submit(at, url.Values{"kind": {"note"}})
	nurse.must("POST", at+"/messages", http.StatusNoContent, body{"kind": "items", "items": []string{second}})
	consultant.submit(at, url.Values{"kind": {"answer"}, "text": {"left heel"}})
	nurse.submit(at, url.Values{"kind": {"close"}})
	nurse.submit(at, url.Values{"kind": {"reopen"}})
	nurse.page("/pictures/"+item, ok)
	records.page("/pictures/"+item, ok)

	// Links and invitations.
	nurse.submit("/pictures/"+item+"/links", url.Values{"audience": {"role:consultant"}, "purpose": {"left heel"}, "uses": {"2"}, "ttl": {"5m"}})
	nurse.submit("/pictures/"+item+"/links", url.Values{"audience": {"team:" + string(h.team)}, "purpose": {""}, "uses": {"0"}, "ttl": {"5m"}})
	secret, _ := h.link(item, map[string]any{"uses": 5})
	var g struct{ ID string }
	consultant.must("POST", "/links/open", ok, map[string]string{"secret": secret}).into(t, &g)
	consultant.page("/opened/"+g.ID, ok)
	nurse.page("/links", ok)
	nurse.page("/links?revoked=1", ok)
	nurse.page("/links?revoked=2", ok)
	nurse.page("/invite?item="+item, ok)
	nurse.submit("/invite", url.Values{"item": {item}})
	_, invited := h.invited(post, doctor, body{"purpose": "left heel"}, item, second)
	guest := h.visits(post, invited)
	guest.page("/invited/pictures", ok)
	guest.page("/invited/pictures/"+item, ok)
	nurse.page("/invitations?invited=yes", ok)
	auditor.page("/invitations?revoked=2", ok)
	guest.submit("/invited/leave", nil)
	guest.send("GET", "/invited/pictures", nil)

	// Accounts.
	nurse.page("/account", ok)
	nurse.submit("/account/email", url.Values{"email": {"wrong"}})
	nurse.submit("/account/password", url.Values{"present_password": {"wrong"}, "password": {"short"}})
	nurse.page("/account/tokens", ok)
	nurse.submit("/step-up", url.Values{"password": {"wrong"}, "next": {"/account"}})
	nurse.submit("/step-up", url.Values{"password": {password}, "next": {"/account/tokens"}})
	nurse.submit("/account/tokens", url.Values{"name": {""}})
	nurse.submit("/account/tokens", url.Values{"name": {"left heel"}, "scopes": {"items.read"}, "days": {"30"}})
	records.page("/account/tokens", ok)
	nurse.page("/account/second-step", ok)
	nurse.submit("/account/second-step/passkey", nil)
	page := nurse.submit("/account/second-step/app", nil)
	x := app{h: h, key: strings.ReplaceAll(found(t, keyOf, page), " ", "")}
	setup := found(t, setupOf, page)
	nurse.submit("/account/second-step/app/confirm", url.Values{"setup": {setup}, "code": {"000000"}})
	nurse.submit("/account/second-step/app/confirm", url.Values{"setup": {setup}, "code": {x.at(0)}, "name": {"left heel"}})
	nurse.page("/account/second-step?done=removed", ok)
	nurse.page("/account", ok)
	nobody.submit("/sign-in", url.Values{"username": {"nurse"}, "password": {password}})
	nurse.page("/guidance", ok)
	nurse.submit("/report", url.Values{})
	nurse.submit("/report", url.Values{"kind": {"breach"}, "text": {"left heel"}})
	nurse.submit("/report", url.Values{"kind": {"problem"}, "text": {"left heel"}, "page": {"/send"}})

	// What goes on.
	outsider := h.as("outsider")
	outsider.submit("/emergencies", url.Values{"patient": {patient}, "reason": {""}})
	outsider.submit("/emergencies", url.Values{"patient": {patient}, "reason": {"left heel"}})
	outsider.page("/pictures/"+item, ok)
	review := auditor.page("/review", ok)
	auditor.does(regexp.MustCompile(`/review/emergencies/[^"]+`).FindString(review), url.Values{}, wrong)
	auditor.does(regexp.MustCompile(`/review/emergencies/[^"]+`).FindString(review), url.Values{"finding": {"left heel"}}, ok)
	auditor.page("/incidents/new?incident="+regexp.MustCompile(`/review/incidents/([^"]+)`).FindStringSubmatch(review)[1], ok)
	auditor.does("/incidents/new", url.Values{}, wrong)
	var made struct{ Incident string }
	auditor.must("POST", "/investigations", http.StatusCreated, body{"cause": "wrong-member", "person": h.ids["outsider"], "from": time.Now().Add(-time.Hour), "text": "left heel"}).into(t, &made)
	incident := "/incidents/" + made.Incident
	auditor.page(incident, ok)
	auditor.page(incident+"/contain", ok)
	auditor.submit(incident+"/contain", url.Values{})
	auditor.submit(incident+"/decision", url.Values{})
	auditor.submit(incident+"/decision", url.Values{"decision": {"tell"}, "decision_reason": {"left heel"}})
	auditor.submit(incident+"/people", url.Values{"people": {"not-tell"}, "people_reason": {"left heel"}})
	auditor.submit(incident+"/close", url.Values{"lessons": {"left heel"}})
	auditor.submit(incident+"/contain", url.Values{"sessions": {"yes"}, "links": {"yes"}, "suspend": {"yes"}, "team": {string(h.team)}})
	auditor.page(incident+"/report", ok)
	auditor.submit(incident+"/report", url.Values{"nature": {"left heel"}})
	auditor.submit(incident+"/decision", url.Values{"decision": {"told"}, "decision_reason": {"left heel"}})
	auditor.submit(incident+"/close", url.Values{"lessons": {"left heel"}})
	auditor.page("/review?done=yes", ok)
	auditor.page("/reports", ok)
	auditor.page("/audit", ok)
	auditor.page("/audit?person="+string(h.ids["nurse"])+"&from=nothing", wrong)
	for _, of := range []string{"patient=" + patient, "person=" + string(h.ids["nurse"]), "person=" + string(h.ids["auditor"]), "person=" + string(h.ids["outsider"])} {
		auditor.page("/audit/seen?"+of, ok)
		auditor.page("/audit/seen?all=yes&"+of, ok)
	}
	auditor.submit("/audit/links", url.Values{"link": {"wrong"}})
	auditor.submit("/audit/links", url.Values{"link": {secret}})
	auditor.submit("/audit/patients", testPatient)
	auditor.page("/audit/patients/"+patient, ok)
	auditor.page("/audit/patients/"+patient+"?from=2001-01-01&to=2001-01-02", ok)

	// Records.
	records.does("/records/find", testPatient, ok)
	records.submit("/records/find", url.Values{})
	record := "/records/" + patient
	records.submit(record+"/events", url.Values{})
	records.does(record+"/events", url.Values{"event": {"died"}, "on_year": {"2010"}, "on_month": {"2"}, "on_day": {"3"}, "note": {"left heel"}}, ok)
	records.does(record+"/class", url.Values{"class": {"mental-health"}}, ok)
	auditor.page(record, ok)
	records.page(record+"/items/"+item, ok)
	records.submit(record+"/items/"+item+"/move", testPatient)
	records.submit(record+"/items/"+item+"/end", url.Values{"ground": {"erasure"}})
	records.submit("/records/import", url.Values{"lines": {"x"}})
	records.page("/schedule", ok)
	records.submit("/schedule/simulate", nil)
	h.keep()
	records.page("/due", ok)
	records.page("/due?team="+string(h.team), ok)
	records.submit("/due", url.Values{})
	records.submit("/due", url.Values{"item": {item}, "decision": {"keep"}})
	ask := with(testPatient, "reason", "left heel", "authority", "left heel", "body_site", "heel", "from_day", "1", "from_month", "2", "from_year", "2020", "teams", string(h.team))
	records.page("/holds/new", ok)
	records.page("/holds/new?patient="+patient, ok)
	records.submit("/holds/new", url.Values{"reason": {"left heel"}})
	records.does("/holds/new", ask, ok)
	placed := records.does("/holds", ask, ok)
	records.page("/due", ok)
	records.page(record, ok)
	records.page(record+"/items/"+item, ok)
	nurse.page("/account", ok)
	release := regexp.MustCompile(`action="(/holds/[^"]+/release)"`).FindStringSubmatch(placed)
	records.does(release[1], url.Values{}, wrong)
	records.does(release[1], url.Values{"reason": {"left heel"}}, ok)
	proposed := records.does("/due", url.Values{"item": {item}, "reason": {"left heel"}, "decision": {"destroy"}}, ok)
	batch := regexp.MustCompile(`/disposals/[0-9a-f-]{36}`).FindString(proposed)
	records2.page(batch, ok)
	records2.submit(batch+"/refuse", url.Values{})
	records2.submit(batch+"/approve", nil)
	records2.submit("/step-up", url.Values{"password": {password}, "next": {batch}})
	records2.submit(batch+"/approve", url.Values{"approved_reason": {"left heel"}})
	records.page("/disposals", ok)
	records.submit(batch+"/undo", url.Values{"undone_reason": {"left heel"}})
	records.page("/disposals?done=undone", ok)

	// To another organisation.
	recipient, _ := receiver(t, false)
	records.page("/handovers", ok)
	records.does("/due", url.Values{"item": {item}, "decision": {"hand-over"}}, ok)
	records.submit("/handovers", url.Values{"item": {item}, "receiver": {"Burns"}, "recipient": {"left heel"}})
	records.does("/handovers", url.Values{"item": {item}, "receiver": {"Burns"}, "recipient": {recipient}, "reason": {"left heel"}}, ok)
	handed := regexp.MustCompile(`/handovers/[0-9a-f-]{36}`).FindString(records.page("/handovers", ok))
	records.page(handed, ok)
	records2.page(handed, ok)
	records2.does(handed+"/approve", url.Values{"approved_reason": {"left heel"}}, ok)
	records.submit("/step-up", url.Values{"password": {password}, "next": {handed}})
	records.send("GET", handed+"/package", nil)
	records.submit(handed+"/confirm", url.Values{"confirmed_by": {""}})
	records.does(handed+"/confirm", url.Values{"confirmed_by": {"Burns"}, "reference": {"left heel"}, "on_day": {"1"}, "on_month": {"2"}, "on_year": {"2026"}}, ok)
	records.page("/handovers", ok)
	records.page("/due", ok)

	// People.
	admin.submit("/staff/people", url.Values{})
	admin.page("/staff/sign-in", ok)
	admin.submit("/step-up", url.Values{"password": {password}, "next": {"/staff"}})
	colleague := "/staff/people/" + string(h.ids["colleague"])
	secret = ticketURL.FindStringSubmatch(string(admin.submit(colleague+"/ticket", url.Values{"do": {"show"}}).body))[1]
	nobody.page("/password", ok)
	nobody.submit("/password", url.Values{"secret": {secret}, "password": {"short"}})
	nobody.submit("/password", url.Values{"secret": {secret}, "password": {chosen}})
	admin.submit("/staff/people", url.Values{"username": {"newcomer"}, "name": {"Dr Jane Sample"}, "role": {"clinician"}, "password": {"orange kettle window"}})
	first := &person{h: h}
	for _, c := range first.ask("POST", "/session", body{"username": "newcomer", "password": "orange kettle window"}).cookies {
		first.cookie = c
	}
	first.page("/account", ok)
	first.submit("/account/password", url.Values{"present_password": {"orange kettle window"}, "password": {"short"}})
	admin.submit("/staff/people/"+string(h.ids["colleague"]), url.Values{"do": {"suspend"}})
	admin.submit("/staff/teams", url.Values{"team_name": {"Burns"}})
	admin.submit("/staff/members", url.Values{"do": {"join"}, "person": {string(h.ids["outsider"])}, "team": {string(h.team)}})
	admin.page("/status", ok)
}

// everyWay sees the pages of who signs in at a provider, and of who links an
// account there.
func (e elsewhere) everyWay() {
	login := url.Values{"login": {"sub-1"}}
	e.knows(e.trust, "sub-1", body{"name": "Dr Jane Sample", "preferred_username": "newcomer", "groups": []string{"g-nurses"}})
	e.knows(e.trust, "sub-2", body{"name": "Dr Jane Sample", "groups": []string{}})
	b := e.browser()
	back := b.goes("trust", login)
	b.page("GET", back, nil)
	if err := e.guided(b.me().Person.ID); err != nil {
		e.t.Fatal(err)
	}
	e.browser().page("GET", back, nil)
	e.browser().comes("trust", "sub-2")
	for _, path := range []string{"/account", "/step-up?next=/account", "/sign-in/with/nowhere", "/sign-in?why=out", "/sign-in?why=password"} {
		b.page("GET", path, nil)
	}
	b.page("POST", "/sign-out", url.Values{})
	colleague := e.here("colleague")
	colleague.stepUp()
	colleague.page("GET", colleague.linking(url.Values{"login": {"sub-1"}}), nil)
	e.knows(e.trust, "sub-3", body{"name": "Dr Jane Sample", "groups": []string{"g-nurses"}})
	colleague.page("GET", colleague.linking(url.Values{"login": {"sub-3"}}), nil)
	for _, path := range []string{"/account", "/account?done=linked"} {
		colleague.page("GET", path, nil)
	}
	colleague.page("POST", "/account/identities/trust", url.Values{})
	colleague.page("POST", "/account/identities/trust/remove", url.Values{})
	colleague.page("GET", "/account?done=unlinked", nil)
}

// A reader's choice comes first, then what their browser asks for; what there
// is none of is English.
func TestTheReadersLanguage(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	lang := func(header, cookie string) string {
		headers := []string{"Accept-Language", header}
		if cookie != "" {
			headers = append(headers, "Cookie", "__Host-wardseal-language="+cookie)
		}
		return regexp.MustCompile(`<html lang="([^"]*)">`).FindStringSubmatch(string(h.nobody().send("GET", "/sign-in", nil, headers...).body))[1]
	}
	page := h.nobody().page("/sign-in", http.StatusOK)
	if strings.Contains(page, `action="/language"`) || lang("cy,gd;q=0.5", "cy") != "en-GB" {
		t.Error("a language without a catalogue is offered")
	}
	h.languages = pseudo.Languages(t, "../..")
	h.serve()
	for header, want := range map[string]string{"": "en-GB", "cy": "en-GB", "en-GB,qps;q=0.5": "en-GB", "qps,en;q=0.5": pseudo.Tag, "cy,qps;q=0.9,en;q=0.1": pseudo.Tag, "*": "en-GB", "qps;q=": "en-GB"} {
		if got := lang(header, ""); got != want {
			t.Errorf("%q gives %s, want %s", header, got, want)
		}
	}
	for cookie, want := range map[string]string{"en": "en-GB", "cy": pseudo.Tag, `"><script>`: pseudo.Tag} {
		if got := lang(pseudo.Tag, cookie); got != want {
			t.Errorf("the choice %q gives %s, want %s", cookie, got, want)
		}
	}
	h.stay(func() {
		a := h.nobody().submit("/language", url.Values{"language": {pseudo.Tag}, "next": {"/sign-in?next=/send"}})
		if len(a.cookies) != 1 || a.cookies[0].Value != pseudo.Tag || !a.cookies[0].Secure || !a.cookies[0].HttpOnly || a.header.Get("Location") != "/sign-in?next=%2Fsend" {
			t.Errorf("a choice: %d %v %s", a.status, a.cookies, a.header.Get("Location"))
		}
		if a := h.nobody().submit("/language", url.Values{"language": {"xx"}, "next": {"https://evil.example/"}}); len(a.cookies) != 0 || a.header.Get("Location") != "/" {
			t.Errorf("a language that there is not: %v %s", a.cookies, a.header.Get("Location"))
		}
	})
	if a := h.nobody().submit("/language", url.Values{"language": {pseudo.Tag}}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("a choice that another site makes: %d", a.status)
	}
	// What the API tells people follows too; without a wish it is English.
	if a := h.nobody().ask("GET", "/session", nil, "Accept-Language", pseudo.Tag); !strings.Contains(string(a.body), pseudo.Mark("Sign in")) {
		t.Errorf("a problem: %s", a.body)
	}
	if a := h.nobody().ask("GET", "/session", nil); !strings.Contains(string(a.body), "Sign in") {
		t.Errorf("a problem in English: %s", a.body)
	}
}
