package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

// owned are the routes of what is one person's own, or one session's, whatever
// their role: nobody else gets anything there.
var owned = map[string]bool{
	"DELETE /sessions/:id": true, "DELETE /tokens/:id": true, "HEAD /uploads/:id": true, "PATCH /uploads/:id": true, "DELETE /uploads/:id": true, "GET /uploads/:id/outcome": true,
	"GET /grants/:id/renditions/:rendition": true, "HEAD /grants/:id/renditions/:rendition": true, "GET /grants/:id/annotations": true,
	"DELETE /annotations/:id": true, "POST /emergencies/:id/end": true,
}

// bodies are what routes are sent; X is an identifier of something that is not
// the attacker's.
var bodies = map[string]string{
	"POST /items/:id/links":            `{"audience":{"kind":"role","id":"clinician"},"purpose":"advice"}`,
	"POST /items/:id/annotations":      `{"marks":{"version":1,"shapes":[{"kind":"note","text":"x"}]}}`,
	"POST /referrals":                  `{"items":["X"],"audience":{"kind":"role","id":"consultant"},"question":"what is this"}`,
	"POST /referrals/:id/messages":     `{"kind":"note","text":"x"}`,
	"POST /invitations":                `{"items":["X"],"name":"Dr Jane Sample","email":"a@example.org","purpose":"x"}`,
	"POST /links/open":                 `{"secret":"X"}`,
	"POST /links/visit":                `{"secret":"X"}`,
	"POST /patients/:id/cases":         `{"team":"X","title":"x"}`,
	"POST /holds":                      `{"reason":"x","authority":"x","patients":["X"]}`,
	"POST /classes":                    `{"item":"X","class":"adult"}`,
	"POST /due/keep":                   `{"items":["X"],"reason":"x"}`,
	"POST /disposals":                  `{"ground":"retention","items":["X"],"reason":"x"}`,
	"POST /items/:id/end-consent":      `{"consent":"A"}`,
	"POST /holds/:id/release":          `{"reason":"x"}`,
	"POST /incidents/:id/close":        `{"outcome":"none"}`,
	"POST /emergencies/:id/review":     `{"finding":"none"}`,
	"PUT /people/:id":                  `{"name":"Taken Over","role":"administrator"}`,
	"POST /investigations/:id/contain": `{"sessions":true}`,
}

// secretIn are the routes that take the secret of a link.
var secretIn = map[string]bool{"POST /links/open": true, "POST /links/visit": true}

// swap is a route with someone else's identifiers in it, asked by somebody.
type swap struct{ method, route, path, body, who, thing string }

// victims are identifiers of what belongs to the nurse, the consultant and
// their patients: the attackers have nothing to do with them.
type victims struct {
	h            *house
	ids, secrets []string
	nurse, asked *person
	watched      []string // what the owners see, before and after
}

func victimsOf(h *house, post servers.SMTP) *victims {
	v := &victims{h: h, nurse: h.session("nurse"), asked: h.session("consultant")}
	add := func(ids ...string) { v.ids = append(v.ids, ids...) }
	for range 3 {
		item := h.filed()
		h.previewed(item)
		outside, _ := h.invited(post, doctor, nil, item)
		note := v.nurse.annotated(item, "theirs")
		secret, id := h.linkTo(item, h.ids["consultant"])
		spare, spareID := h.linkTo(item, h.ids["consultant"])
		var g api.Grant
		v.asked.must("POST", "/links/open", http.StatusOK, body{"secret": secret}).into(h.t, &g)
		var q api.Referral
		v.nurse.must("POST", "/referrals", http.StatusCreated, body{"items": []string{item}, "audience": body{"kind": "person", "id": h.ids["consultant"]}, "question": "Is this infected?"}).into(h.t, &q)
		upload := v.nurse.start(5000, "entry of "+item)
		add(item, string(note.ID), id, spareID, string(g.ID), string(q.ID), upload, string(outside.ID))
		v.secrets = append(v.secrets, secret, spare)
		v.watched = append(v.watched, "/items/"+item, "/items/"+item+"/annotations", "/referrals/"+string(q.ID), "/items/"+item+"/receipt")
	}
	var it struct {
		ID      string
		Patient struct{ ID string }
	}
	v.nurse.must("GET", v.watched[0], http.StatusOK, nil).into(h.t, &it)
	var c struct{ ID string }
	v.nurse.must("POST", "/patients/"+it.Patient.ID+"/cases", http.StatusCreated, body{"team": h.team, "title": "heel"}).into(h.t, &c)
	var held struct{ ID string }
	h.session("records").must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []string{it.Patient.ID}}).into(h.t, &held)
	v.nurse.enrols("My phone")
	steps, err := h.sys.Store.Factors(h.t.Context(), h.ids["nurse"])
	if err != nil || len(steps) != 1 {
		h.t.Fatalf("the nurse's second steps: %v, %v", steps, err)
	}
	add(it.Patient.ID, c.ID, held.ID, steps[0].ID, string(h.team), string(h.ids["nurse"]), string(h.ids["consultant"]), string(v.session("nurse", meta.KindToken)), string(v.session("nurse", meta.KindSession)))
	v.watched = append(v.watched, "/links", "/sessions", "/tokens", "/invitations", "/patients/"+it.Patient.ID+"/cases")
	return v
}

// session makes a session or token of somebody that nobody uses.
func (v *victims) session(name string, kind meta.SessionKind) access.SessionID {
	_, hash := token.Mint(token.Session)
	who := access.Principal{Person: access.Person{ID: v.h.ids[name]}, Session: access.NewSessionID()}
	s := meta.Session{ID: who.Session, Hash: hash, Person: v.h.ids[name], Kind: kind, Name: "script", For: 3600e9, IdleFor: 3600e9}
	if err := v.h.sys.Store.SignInSucceeded(v.h.t.Context(), s.Person, s, audit.NewEvent(audit.SignedIn, who, audit.Subject{})); err != nil {
		v.h.t.Fatal(err)
	}
	return who.Session
}

// stamp is what is different each time: the number of a request, and when the owners themselves looked last.
var stamp = regexp.MustCompile(`"(last_seen_at|read_at|instance)":"[^"]*"`)

// seen is what the owners see of it all.
func (v *victims) seen() (out []string) {
	for _, path := range v.watched {
		out = append(out, path+" "+stamp.ReplaceAllString(string(v.nurse.must("GET", path, http.StatusOK, nil).body), ""))
	}
	for _, id := range v.ids {
		if a := v.nurse.tus("HEAD", id, nil); a.status == http.StatusOK {
			out = append(out, "upload "+id+" "+a.header.Get("Upload-Offset"))
		}
	}
	return out
}

// swaps are every route with an identifier in its path or body, with every
// thing in every place, for everybody whom the decision table gives nothing,
// and for a guest where guests can ask.
func (v *victims) swaps(people map[string]access.Role) (out []swap) {
	for _, r := range v.h.api.Routes() {
		route := r.Method + " " + strings.TrimPrefix(r.Path, "/api/v1")
		g, guarded := guards[route]
		page := !strings.HasPrefix(r.Path, "/api/")
		things := v.ids
		if secretIn[route] {
			things = v.secrets
		}
		if visitorRoutes[r.Method+" "+r.Path] && strings.Contains(r.Path, ":") {
			for _, thing := range things {
				out = append(out, swap{r.Method, route, r.Path, "", "guest", thing})
			}
		}
		if page && (publicPages[route] || visitorRoutes[route] || r.Path == "/assets/:file") || !page && !guarded || !strings.Contains(r.Path, ":") && !strings.Contains(bodies[route], `"X"`) {
			continue
		}
		for who, role := range people {
			p := access.Principal{Person: access.Person{ID: "p", Role: role}}
			if page && role != access.Clinician && role != access.Consultant { // others may oversee at some: see TestPagesKeepToTheTable
				continue
			}
			if !page && !owned[route] && access.Decide(p, g.action, 0) == access.Allow {
				continue // lawful: this role needs no relation
			}
			for _, thing := range things {
				out = append(out, swap{r.Method, route, r.Path, bodies[route], who, thing})
			}
		}
	}
	return out
}

var placeholder = regexp.MustCompile(`:[a-z]+`)

// ask asks with the thing itself, or with another of its shape that is nowhere.
func (s swap) ask(p *person, thing string) answer {
	path := placeholder.ReplaceAllStringFunc(s.path, func(name string) string {
		switch name {
		case ":rendition":
			return "original-clean"
		case ":name", ":seq":
			return "1"
		}
		return thing
	})
	headers := []string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}
	if strings.Contains(s.path, "/uploads") {
		headers = []string{"Tus-Resumable", "1.0.0", "Content-Type", "application/offset+octet-stream", "Upload-Offset", "0"}
	}
	text := strings.ReplaceAll(s.body, `"X"`, `"`+thing+`"`)
	if text == "" && s.method != "GET" && s.method != "HEAD" && !strings.Contains(s.path, "/uploads") {
		text = "{}"
	}
	return p.send(s.method, path, strings.NewReader(text), headers...)
}

func nowhere(thing string) string {
	if uuid.Validate(thing) == nil {
		return uuid.Must(uuid.NewV7()).String()
	}
	other, _ := token.Mint(token.Link)
	return other.Reveal()
}

// People of every role ask every route for things that are not theirs: SWAPS
// times (make attack: 100,000). None gets anything; nothing changes for the
// owners; and "not yours" reads the same as "not there".
func TestIdentifierSwaps(t *testing.T) {
	n := 500
	if s := os.Getenv("SWAPS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	h, post := inviting(t, "sqlite+filesystem")
	v := victimsOf(h, post)
	open := h.filed()
	h.previewed(open)
	_, secret := h.invited(post, "sam.sample@elsewhere.example", nil, open)
	guest := h.visits(post, secret)
	guest.must("GET", "/invited/items/"+open+"/renditions/preview", http.StatusOK, nil)
	people := map[string]access.Role{"outsider": access.Clinician, "stranger": access.Consultant, "auditor": access.Auditor, "records": access.RecordsOfficer, "admin": access.Administrator}
	if err := h.guided(h.hire("stranger", access.Consultant)); err != nil {
		t.Fatal(err)
	}
	h.stays.Store(true)
	v.seen() // the first look is itself something that a referral shows
	before, all := v.seen(), v.swaps(people)
	if len(all) < 1000 {
		t.Fatalf("only %d swaps", len(all))
	}
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var asked, crossings atomic.Int64
	var workers sync.WaitGroup
	const at = 4
	for w := range at {
		as := map[string]*person{"guest": guest}
		for who := range people {
			as[who] = h.session(who)
		}
		workers.Go(func() {
			for i := w; i < n && crossings.Load() < 20; i += at {
				s := all[i%len(all)]
				asked.Add(1)
				if err := s.crosses(as[s.who]); err != nil {
					crossings.Add(1)
					t.Errorf("%s by %s with %s: %v", s.route, s.who, s.thing, err)
				}
			}
		})
	}
	workers.Wait()
	for i, after := range v.seen() {
		if i >= len(before) || after != before[i] {
			t.Errorf("what the owners see has changed to %s", after)
		}
	}
	t.Logf("%d identifier swaps of %d different, each beside one that is nowhere: %d crossings", asked.Load(), len(all), crossings.Load())
}

// crosses says what is wrong with the answer to a swap.
func (s swap) crosses(p *person) error {
	got := s.ask(p, s.thing)
	page := !strings.HasPrefix(s.path, "/api/")
	if got.status < 400 && !page { // a page may lead back to where one came from
		return fmt.Errorf("it is answered with %d: %s", got.status, got.body)
	}
	if got.status >= 500 {
		return fmt.Errorf("it fails with %d: %s", got.status, got.body)
	}
	if secretIn[s.route] { // who has the secret knows that there is a link, and guesses are counted
		if got.code() != "link-not-for-you" && got.code() != "not-allowed" {
			return fmt.Errorf("somebody else's link: %d %s", got.status, got.body)
		}
		return nil
	}
	none := s.ask(p, nowhere(s.thing))
	same := func(a answer) string {
		text := stamp.ReplaceAllString(string(a.body), "")
		if page { // which names the request, and says again what was asked for
			text = identifiers.ReplaceAllString(a.header.Get("Location")+text, "*")
		}
		return text
	}
	if got.status != none.status || same(got) != same(none) {
		return fmt.Errorf("it is told from what is nowhere: %d %s, and %d %s", got.status, got.body, none.status, none.body)
	}
	return nil
}
