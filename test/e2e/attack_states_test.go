package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
)

// entered is a way in for somebody, for a time.
func (h *house) entered(name string, liveFor, idleFor time.Duration) (*person, access.SessionID) {
	h.t.Helper()
	secret, hash := token.Mint(token.Session)
	who := access.Principal{Person: access.Person{ID: h.ids[name]}, Session: access.NewSessionID()}
	s := meta.Session{ID: who.Session, Hash: hash, Person: h.ids[name], Kind: meta.KindSession, For: liveFor, IdleFor: idleFor}
	if err := h.sys.Store.SignInSucceeded(h.t.Context(), s.Person, s, audit.NewEvent(audit.SignedIn, who, audit.Subject{})); err != nil {
		h.t.Fatal(err)
	}
	return &person{h: h, cookie: &http.Cookie{Name: "__Host-wardseal", Value: secret.Reveal()}}, s.ID
}

// Whose session has ended, in whichever way, is nobody at every route, and
// whose account is suspended likewise.
func TestEveryRouteAndStateOfASession(t *testing.T) {
	h := open(t, "sqlite+filesystem", nil)
	over, _ := h.entered("nurse", time.Millisecond, time.Hour)
	idle, _ := h.entered("nurse", time.Hour, time.Millisecond)
	ended, _ := h.entered("nurse", time.Hour, time.Hour)
	ended.must("DELETE", "/session", http.StatusNoContent, nil)
	taken, id := h.entered("nurse", time.Hour, time.Hour)
	h.session("nurse").must("DELETE", "/sessions/"+string(id), http.StatusNoContent, nil)
	suspended, _ := h.entered("colleague", time.Hour, time.Hour)
	h.session("admin").must("POST", "/people/"+string(h.ids["colleague"])+"/suspend", http.StatusNoContent, nil)
	altered := h.session("nurse")
	altered.cookie.Value = altered.cookie.Value[:len(altered.cookie.Value)-2] + "AA"
	h.stays.Store(true)
	walked := 0
	for _, r := range h.api.Routes() {
		name := r.Method + " " + r.Path
		if unguarded[name] || visitorRoutes[name] || publicPages[name] || strings.HasPrefix(r.Path, "/assets/") {
			continue
		}
		walked++
		path := placeholder.ReplaceAllString(r.Path, "0190a5e6-0000-7000-8000-000000000000")
		for state, p := range map[string]*person{"over": over, "idle": idle, "signed out": ended, "ended elsewhere": taken, "suspended": suspended, "altered": altered} {
			a := p.send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin")
			if strings.HasPrefix(r.Path, "/api/") && a.status == http.StatusUnauthorized || a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/sign-in") {
				continue
			}
			t.Errorf("%s with a session that is %s: %d", name, state, a.status)
		}
	}
	if walked < 150 {
		t.Errorf("only %d routes were walked", walked)
	}
}

// Whose role needs a second step, and who has not set one up, reaches nothing
// but the own account at any route, and each refusal is recorded.
func TestEveryRouteBeforeASecondStep(t *testing.T) {
	t.Parallel()
	roles := map[string]access.Role{"auditor": access.Auditor, "records": access.RecordsOfficer, "admin": access.Administrator, "consultant": access.Consultant}
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		for _, role := range roles {
			c.Sessions.SecondFactorFor = append(c.Sessions.SecondFactorFor, string(role))
		}
	})
	var f api.Filing
	h.session("nurse").upload(phone(t), h.details()).into(t, &f)
	secret, id := h.linkTo(string(f.Item.ID), h.ids["consultant"])
	for name, role := range roles {
		p := h.session(name)
		for route, g := range guards {
			if g.action == access.OwnAccount || g.action == access.ChoosePassword || strings.Contains(route, "/grants/") { // without a link opened there is none
				continue
			}
			fx := &fixture{person: p, item: string(f.Item.ID), link: id, secret: secret, patient: string(f.Item.Patient), other: string(h.ids["outsider"]), picture: phone(t), referral: string(f.Item.ID)}
			before := h.lastEvent()
			a := g.ask(fx)
			if code := a.code(); a.status != http.StatusForbidden || code != "second-factor-missing" && code != "not-allowed" && !strings.HasPrefix(route, "HEAD ") {
				t.Errorf("%s by a %s without a second step: %d %s", route, role, a.status, code)
			}
			if h.lastEvent() == before {
				t.Errorf("%s by a %s without a second step: the refusal is not recorded", route, role)
			}
		}
	}
}

// Who came in with a password that somebody else chose reaches nothing but the
// choice of another at any route: not even what is open to everybody's account.
func TestEveryRouteBeforeAPasswordOfOnesOwn(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	var f api.Filing
	h.session("nurse").upload(phone(t), h.details()).into(t, &f)
	secret, id := h.linkTo(string(f.Item.ID), h.ids["consultant"])
	for _, role := range access.Roles() {
		name := "first." + string(role)
		who := access.Person{ID: access.NewPersonID(), Username: name, Name: "Example " + name, Role: role}
		if err := h.sys.Store.AddPerson(t.Context(), meta.Person{Person: who, FirstFor: time.Hour}, audit.NewEvent(audit.PersonAdded, access.Principal{}, audit.Subject{Person: string(who.ID)})); err != nil {
			t.Fatal(err)
		}
		h.ids[name] = who.ID
		p := h.session(name)
		for route, g := range guards {
			if g.action == access.ChoosePassword || strings.Contains(route, "/grants/") || strings.HasSuffix(route, " /session") { // to see who one is, and to sign out
				continue
			}
			fx := &fixture{person: p, item: string(f.Item.ID), link: id, secret: secret, patient: string(f.Item.Patient), other: string(h.ids["outsider"]), picture: phone(t), referral: string(f.Item.ID)}
			a := g.ask(fx)
			if code := a.code(); a.status != http.StatusForbidden || code != "password-first" && code != "not-allowed" && !strings.HasPrefix(route, "HEAD ") {
				t.Errorf("%s by a %s with a first password: %d %s", route, role, a.status, code)
			}
		}
	}
}

// A link that is over opens nothing. What a revoked or expired one had opened is
// shut too; what one opened that is used up is open to that session for its few
// minutes.
func TestEveryRouteAndStateOfALink(t *testing.T) {
	h := open(t, "sqlite+filesystem", nil)
	item, consultant := h.filed(), h.session("consultant")
	opened := func(order body) (secret, id, grant string) {
		secret, id = h.link(item, order)
		var g api.Grant
		consultant.must("POST", "/links/open", http.StatusOK, body{"secret": secret}).into(t, &g)
		return secret, id, string(g.ID)
	}
	used, _, usedGrant := opened(body{"uses": 1})
	revoked, id, revokedGrant := opened(body{"uses": 5})
	h.session("nurse").must("DELETE", "/links/"+id, http.StatusNoContent, nil)
	live, _, liveGrant := opened(body{"uses": 5})
	expired, _, expiredGrant := opened(body{"uses": 100, "ttl_seconds": 3})
	for began := time.Now(); consultant.open(expired).code() != "link-expired"; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("a link of three seconds does not expire")
		}
	}
	for state, c := range map[string]struct {
		secret, grant string
		open, shown   int
	}{
		"live": {live, liveGrant, 200, 200}, "used up": {used, usedGrant, 410, 200}, "revoked": {revoked, revokedGrant, 410, 410}, "expired": {expired, expiredGrant, 410, 410},
	} {
		if a := consultant.ask("POST", "/links/open", body{"secret": c.secret}); a.status != c.open {
			t.Errorf("a link that is %s: %d %s", state, a.status, a.body)
		}
		for _, r := range h.api.Routes() {
			if path, ok := strings.CutPrefix(r.Path, "/api/v1"); ok && strings.HasPrefix(path, "/grants/:id") {
				path = strings.NewReplacer(":id", c.grant, ":rendition", "original-clean").Replace(path)
				if a := consultant.ask(r.Method, path, nil); a.status != c.shown {
					t.Errorf("%s %s of a link that is %s: %d", r.Method, r.Path, state, a.status)
				}
				if a := h.session("consultant").ask(r.Method, path, nil); a.status != http.StatusNotFound && a.status != http.StatusGone {
					t.Errorf("%s %s of a link that is %s, in another session: %d", r.Method, r.Path, state, a.status)
				}
			}
		}
	}
}

// What is destroyed is shown and shared by no route; what is held cannot be
// proposed for destruction and is seen as before.
func TestEveryRouteAndStateOfAnItem(t *testing.T) {
	h := both(t, "sqlite+filesystem", kept(retention.Scotland, 0))
	nurse, records := h.session("nurse"), h.session("records")
	gone := h.file(nurse)
	secret, _ := h.linkTo(string(gone.ID), h.ids["consultant"])
	h.dead(gone.Patient)
	h.approved("retention", gone.ID)
	h.keep()
	nurse.must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Other Patient", "date_of_birth": "1950-01-31"})
	held := h.file(nurse, "patient_number", "9990000026")
	records.must("POST", "/holds", http.StatusCreated, body{"reason": "x", "authority": "y", "patients": []media.PatientID{held.Patient}})
	shows := map[string]bool{}
	for _, r := range h.api.Routes() {
		route := r.Method + " " + strings.TrimPrefix(r.Path, "/api/v1")
		if !strings.HasPrefix(r.Path, "/api/v1/items/:id/") || route == "GET /items/:id/receipt" || route == "GET /items/:id/seen" { // these two say what was
			continue
		}
		shows[route] = true
		for name, it := range map[string]api.Item{"destroyed": gone, "held": held} {
			p := nurse
			if guards[route].action == access.KeepRecords {
				p = records
			}
			s := swap{method: r.Method, path: r.Path, body: bodies[route]}
			a := s.ask(p, string(it.ID))
			refused := a.status == http.StatusGone || a.status == http.StatusNotFound || guards[route].action == access.KeepRecords && a.status == http.StatusUnprocessableEntity
			if name == "destroyed" && !refused || name == "held" && a.status >= 400 && p == nurse {
				t.Errorf("%s of an item that is %s: %d %s", route, name, a.status, a.body)
			}
		}
	}
	if len(shows) < 6 {
		t.Errorf("only these were asked: %v", fmt.Sprint(shows))
	}
	if a := h.session("consultant").ask("POST", "/links/open", body{"secret": secret}); a.status != http.StatusGone {
		t.Errorf("a link to what is destroyed: %d", a.status)
	}
	records.stepUp()
	if a := records.ask("POST", "/disposals", body{"ground": "retention", "reason": "x", "items": []media.ItemID{held.ID}}); a.status < 400 {
		t.Errorf("what is held is proposed for destruction: %d", a.status)
	}
	for _, path := range []string{"/pictures/"} {
		if a := nurse.send("GET", path+string(gone.ID), nil); strings.Contains(string(a.body), "/renditions/") {
			t.Error("the page of what is destroyed leads to a picture")
		}
	}
}

// Consent that is withdrawn for teaching and publication leaves who may see a
// picture in the patient's record as it was, and it can be no copy any more.
// Consent that is withdrawn altogether is a disposal: until two people have had
// it destroyed it is seen as before, and from then on by nobody.
func TestEveryRelationAndConsentWithdrawn(t *testing.T) {
	t.Parallel()
	for _, role := range access.Roles() {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			h := both(t, "sqlite+filesystem", kept(retention.England, 0))
			h.file(h.session("nurse")) // so that the patient is not forgotten with the rest
			for _, rel := range relations {
				h.withdrawn(h.stand(role, rel, "consent", "C"))
			}
		})
	}
}

// withdrawn withdraws consent to an item, step by step.
func (h *house) withdrawn(s standing) {
	h.t.Helper()
	records, item := h.session("records"), string(s.item.ID)
	aboutItems := func(g guard) bool { // what the relation to an item decides
		return access.Decide(access.Principal{Person: access.Person{ID: "p", Role: access.Clinician}}, g.action, 0) == access.DenyRelation
	}
	agreed := func(want string) {
		h.t.Helper()
		var it api.ItemDetail
		h.session("nurse").must("GET", "/items/"+item, http.StatusOK, nil).into(h.t, &it)
		if string(it.Consent) != want {
			h.t.Errorf("the consent is %s, want %s", it.Consent, want)
		}
	}
	copied := body{"item": item, "class": "teaching"}
	records.must("POST", "/classes", http.StatusNoContent, copied)
	agreed("C")
	records.must("POST", "/items/"+item+"/end-consent", http.StatusNoContent, body{"consent": "A"})
	agreed("A")
	if a := records.ask("POST", "/classes", copied); a.code() != "class-without-consent" {
		h.t.Errorf("it is a copy for teaching again: %d %s", a.status, a.code())
	}
	if a := records.ask("POST", "/items/"+item+"/end-consent", body{"consent": "C"}); a.code() != "consent-not-less" {
		h.t.Errorf("consent comes back: %d %s", a.status, a.code())
	}
	h.asks(s, ", once consent to teaching is withdrawn", aboutItems)

	batch := h.approved("consent", s.item.ID)
	h.asks(s, ", once consent is withdrawn altogether and that is approved", aboutItems)
	fx := h.fixture(s)
	fx.secret, fx.link = h.linkTo(item, h.audience(s))
	opener, a := fx.person, fx.open(fx.secret)
	if a.status != http.StatusOK { // who may open none at all, or is not whom it is for
		secret, _ := h.linkTo(item, h.ids["consultant"])
		opener = h.session("consultant")
		a = opener.open(secret)
	}
	var g api.Grant
	a.into(h.t, &g)
	h.keep()
	if b := h.batch(batch); b.Destroyed != 1 {
		h.t.Fatalf("the batch: %+v", b)
	}
	for _, route := range []string{
		"GET /items/:id/renditions/:rendition", "HEAD /items/:id/renditions/:rendition", "GET /items/:id/annotations", "POST /items/:id/annotations", "POST /items/:id/links",
		"POST /links/open", "POST /referrals",
	} {
		a := guards[route].ask(fx)
		if got := strings.TrimSpace(fmt.Sprint(a.status, " ", a.code())); a.status < 400 || got == guards[route].allowed {
			h.t.Errorf("%s by a %s who is %s, once it is destroyed: %s", route, s.role, s.rel, got)
		}
	}
	for _, what := range []string{"renditions/original-clean", "annotations"} {
		if a := opener.ask("GET", "/grants/"+string(g.ID)+"/"+what, nil); g.ID == "" || a.status != http.StatusGone && a.status != http.StatusNotFound {
			h.t.Errorf("%s of what a link had opened for a %s who is %s, once it is destroyed: %d", what, s.role, s.rel, a.status)
		}
	}
}
