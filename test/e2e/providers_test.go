package e2e

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/access"
)

func (b *browser) me() api.Me {
	b.e.t.Helper()
	var me api.Me
	b.must("GET", "/session", http.StatusOK, nil).into(b.e.t, &me)
	return me
}

// People come in by a provider: new ones are taken in with the role and teams
// of their groups, and each time become what their groups say then.
func TestSignInElsewhere(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			e := openElsewhere(t, kind)
			t.Run("provisioning and groups", e.provisions)
			t.Run("second provider", e.secondProvider)
			t.Run("refusals", e.refusals)
			t.Run("second factor", e.secondFactor)
			t.Run("step-up", e.stepsUp)
			t.Run("logout", e.logsOut)
			t.Run("linking", e.links)
		})
	}
}

func (e elsewhere) provisions(t *testing.T) {
	e.knows(e.trust, "sub-1", body{"name": "  Jo   Example ", "preferred_username": "JO@trust.example", "email": "nurse", "groups": []string{"unknown", "g-nurses", "g-burns"}})
	b := e.browser()
	back := b.goes("trust", url.Values{"login": {"sub-1"}})
	kept := *b.away
	if a := b.page("GET", back, nil); a.status != http.StatusSeeOther || a.header.Get("Location") != "/account" || b.away != nil {
		t.Fatalf("the way back: %d %s", a.status, a.body)
	}
	me := b.me()
	if me.Person.Name != "Jo Example" || me.Person.Username != "jo@trust.example" || me.Person.Role != access.Clinician || len(me.Teams) != 2 || !slices.Contains(me.Teams, e.team) {
		t.Errorf("taken in as %+v", me)
	}
	if got := e.told("person.added"); got[0]["by"] != "provider" || got[0]["role"] != "clinician" {
		t.Errorf("told of it: %v", got[0])
	}
	if got := e.told("session.signed-in"); !slices.ContainsFunc(got, func(d map[string]string) bool { return d["provider"] == "trust" }) {
		t.Error("the sign-in is not told of")
	}
	// What came back works once, and in that browser.
	other := e.browser()
	for name, c := range map[string]*http.Cookie{"replayed": &kept, "in another browser": nil} {
		other.away = c
		if a := other.page("GET", back, nil); a.status != http.StatusGone || !strings.Contains(string(a.body), "Start again here") || other.cookie != nil {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	// Groups change: a team goes, another role comes, and sessions end with the role.
	e.knows(e.trust, "sub-1", body{"name": "Jo Example", "groups": "g-nurses"})
	if a := e.browserOf("sub-1", "trust"); len(a.me().Teams) != 1 || a.me().Person.ID != me.Person.ID {
		t.Errorf("without a group: %+v", a.me())
	}
	if b.ask("GET", "/session", nil).status != http.StatusOK {
		t.Error("a team that went ended a session")
	}
	e.knows(e.trust, "sub-1", body{"name": "Jo Example", "groups": []string{"g-consultants", "g-burns"}})
	now := e.browserOf("sub-1", "trust")
	if m := now.me(); m.Person.Role != access.Consultant || len(m.Teams) != 1 || slices.Contains(m.Teams, e.team) {
		t.Errorf("with another role: %+v", m)
	}
	if got := e.told("person.changed")[0]; got["what"] != "role" || got["from"] != "clinician" || got["role"] != "consultant" {
		t.Errorf("told of the change: %v", got)
	}
	if b.ask("GET", "/session", nil).status != http.StatusUnauthorized {
		t.Error("a session outlives its role")
	}
	// No group: nothing is left of them.
	e.knows(e.trust, "sub-1", body{"name": "Jo Example", "groups": []string{}})
	if a := e.browser().comes("trust", "sub-1"); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "none of your groups") {
		t.Errorf("without a role: %d", a.status)
	}
	if now.ask("GET", "/session", nil).status != http.StatusUnauthorized {
		t.Error("who has no group any more is still signed in")
	}
}

// browserOf is the browser of somebody who has just signed in.
func (e elsewhere) browserOf(name, provider string, factors ...string) *browser {
	e.t.Helper()
	b := e.browser()
	if a := b.comes(provider, name, factors...); a.status != http.StatusSeeOther || b.cookie == nil {
		e.t.Fatalf("%s by %s: %d %s", name, provider, a.status, a.body)
	}
	return b
}

// The other provider's groups are objects of its userinfo endpoint, and the
// same subject there is somebody else.
func (e elsewhere) secondProvider(t *testing.T) {
	e.knows(e.trust, "sub-2", body{"name": "One", "preferred_username": "two", "groups": []string{"g-nurses"}})
	one := e.browserOf("sub-2", "trust")
	e.knows(e.cis, "sub-2", body{"name": "Other", "nhsid_nrbac_roles": []body{{"org_code": "RYY", "role_code": "S8000:G8000:R8001"}, {"org_code": "RXX", "role_code": "S8000:G8000:R8001"}}})
	b := e.browser()
	if a := b.page("GET", b.goes("cis2", url.Values{"login": {"sub-2"}, "acr": {"two"}}), nil); a.status != http.StatusSeeOther {
		t.Fatalf("by the other: %d %s", a.status, a.body)
	}
	if x, y := one.me().Person, b.me().Person; x.ID == y.ID || y.Name != "Other" || y.Role != access.Clinician || !strings.HasPrefix(y.Username, "cis2-") {
		t.Errorf("%+v and %+v", x, y)
	}
	e.knows(e.cis, "sub-3", body{"name": "Elsewhere", "nhsid_nrbac_roles": []body{{"org_code": "RYY", "role_code": "S8000:G8000:R8001"}}})
	if a := e.browser().comes("cis2", "sub-3"); a.status != http.StatusForbidden {
		t.Errorf("of another organisation: %d", a.status)
	}
	// What one provider sends back is not taken at the other's address.
	b = e.browser()
	back := strings.Replace(b.goes("trust", url.Values{"login": {"sub-2"}}), "/trust/", "/cis2/", 1)
	if a := b.page("GET", back, nil); a.status != http.StatusGone {
		t.Errorf("mixed up: %d", a.status)
	}
}

func (e elsewhere) refusals(t *testing.T) {
	// A name or address that somebody here has makes nobody them.
	e.knows(e.trust, "sub-nurse", body{"name": "Not her", "preferred_username": "nurse", "email": "nurse@example.org", "groups": []string{"g-nurses"}})
	b := e.browserOf("sub-nurse", "trust")
	if p := b.me().Person; p.ID == e.ids["nurse"] || p.Username == "nurse" {
		t.Errorf("taken for somebody here: %+v", p)
	}
	if a := e.nobody().ask("POST", "/session", body{"username": b.me().Person.Username, "password": ""}); a.code() != "sign-in-wrong" {
		t.Errorf("without a password: %d %s", a.status, a.code())
	}
	// Nobody who never had a role is kept.
	people := len(e.told("person.added"))
	e.knows(e.trust, "sub-none", body{"name": "Nobody", "groups": []string{"g-burns", "G-NURSES"}})
	if a := e.browser().comes("trust", "sub-none"); a.status != http.StatusForbidden || len(e.told("person.added")) != people {
		t.Errorf("teams without a role: %d", a.status)
	}
	if got := e.told("session.sign-in-failed")[0]; got["reason"] != "no-role" || got["provider"] != "trust" {
		t.Errorf("told of it: %v", got)
	}
	// Suspended stays suspended.
	id := b.me().Person.ID
	e.as("admin").must("POST", "/people/"+string(id)+"/suspend", http.StatusNoContent, nil)
	if a := e.browser().comes("trust", "sub-nurse"); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "suspended") {
		t.Errorf("suspended: %d", a.status)
	}
	if a := b.ask("GET", "/session", nil); a.status != http.StatusUnauthorized {
		t.Errorf("a session of who was suspended: %d", a.status)
	}
	// Who changes their mind there, and what comes back wrong.
	b = e.browser()
	if a := b.page("GET", b.goes("trust", url.Values{"deny": {"yes"}}), nil); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "did not confirm") {
		t.Errorf("denied there: %d", a.status)
	}
	for name, spoil := range map[string]func(url.Values){
		"another issuer": func(q url.Values) { q.Set("iss", "https://elsewhere.example") },
		"no issuer":      func(q url.Values) { q.Del("iss") },
		"another code":   func(q url.Values) { q.Set("code", "x") },
		"another state":  func(q url.Values) { q.Set("state", "x") },
	} {
		b := e.browser()
		u, err := url.Parse(b.goes("trust", url.Values{"login": {"sub-2"}}))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		spoil(q)
		if a := b.page("GET", u.Path+"?"+q.Encode(), nil); a.status != http.StatusForbidden && a.status != http.StatusGone || b.cookie != nil {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	// No way leads off this site.
	a := e.browser().page("GET", "/sign-in/with/none?next=//elsewhere.example", nil)
	if a.status != http.StatusNotFound || strings.Contains(string(a.body), "elsewhere.example") {
		t.Errorf("an unknown provider: %d", a.status)
	}
	b = e.browser()
	a = b.page("GET", "/sign-in/with/trust?next=//elsewhere.example/", nil)
	if a := b.page("GET", b.there(a.header.Get("Location"), url.Values{"login": {"sub-2"}}), nil); a.header.Get("Location") != "/" {
		t.Errorf("the way afterwards: %q", a.header.Get("Location"))
	}
}
