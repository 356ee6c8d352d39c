package e2e

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// refreshTo is where a page goes on to by itself.
var refreshTo = regexp.MustCompile(`http-equiv="refresh" content="0; url=([^"]+)"`)

// here is the browser of somebody who is signed in by a password here.
func (e elsewhere) here(name string) *browser {
	b := e.browser()
	b.cookie = e.session(name).cookie
	return b
}

// linking goes to a provider to link, and gives the way back.
func (b *browser) linking(login url.Values) string {
	b.e.t.Helper()
	a := b.page("POST", "/account/identities/trust", url.Values{})
	found := refreshTo.FindSubmatch(a.body)
	if a.status != http.StatusOK || found == nil {
		b.e.t.Fatalf("the way there: %d %s", a.status, a.body)
	}
	to := html.UnescapeString(string(found[1]))
	if !strings.Contains(to, "prompt=login") {
		b.e.t.Errorf("the provider is not told to ask: %s", to)
	}
	b.jar, _ = cookiejar.New(nil)
	return b.there(to, login)
}

// Somebody with a password here links who they are elsewhere, and signs in
// there as well until they unlink it; nobody's identity becomes two people's.
func (e elsewhere) links(t *testing.T) {
	login := func(name string) url.Values { return url.Values{"login": {name}} }
	e.knows(e.trust, "sub-link", body{"name": "Colleague Elsewhere", "groups": []string{"g-nurses", "g-burns"}})
	b := e.here("colleague")
	if a := b.page("POST", "/account/identities/trust", url.Values{}); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/step-up") {
		t.Errorf("without proof: %d", a.status)
	}
	b.stepUp()
	if a := b.page("GET", b.linking(login("sub-link")), nil); a.status != http.StatusSeeOther || a.header.Get("Location") != "/account?done=linked" {
		t.Fatalf("linking: %d %s", a.status, a.body)
	}
	if got := e.told("person.identity-linked"); len(got) != 1 || got[0]["provider"] != "trust" {
		t.Errorf("told of it: %v", got)
	}
	if a := b.page("GET", "/account", nil); !strings.Contains(string(a.body), `action="/account/identities/trust/remove"`) || !strings.Contains(string(a.body), `action="/account/identities/cis2"`) {
		t.Errorf("the account page: %d", a.status)
	}
	if a := b.page("POST", "/account/identities/trust", url.Values{}); a.status != http.StatusConflict {
		t.Errorf("a second one there: %d", a.status)
	}
	there := e.browserOf("sub-link", "trust")
	if me := there.me(); me.Person.ID != e.ids["colleague"] || me.Person.Username != "colleague" || me.Person.Name != "Colleague Elsewhere" || len(me.Teams) != 2 {
		t.Errorf("signed in there as %+v", me)
	}
	e.signIn("colleague") // the password still works

	// Somebody else's identity is refused, whoever comes with it.
	e.knows(e.trust, "sub-taken", body{"name": "Taken", "groups": []string{"g-nurses"}})
	taken := e.browserOf("sub-taken", "trust").me().Person.ID
	other := e.here("outsider")
	other.stepUp()
	for _, theirs := range []string{"sub-taken", "sub-link"} {
		if a := other.page("GET", other.linking(login(theirs)), nil); a.status != http.StatusConflict || strings.Contains(string(a.body), "<h1>Sign in</h1>") || !strings.Contains(string(a.body), "somebody’s here already") && !strings.Contains(string(a.body), "somebody&#39;s here already") {
			t.Errorf("%s: %d %s", theirs, a.status, a.body)
		}
	}
	if me := e.browserOf("sub-taken", "trust").me(); me.Person.ID != taken {
		t.Errorf("sub-taken is %+v now", me)
	}
	if got := e.told("session.sign-in-failed")[0]; got["reason"] != "another-person" {
		t.Errorf("told of it: %v", got)
	}
	// So is one without a role, one whose sign-in is in another browser, and one
	// for a session that ended or whose proof is over meanwhile.
	e.knows(e.trust, "sub-roleless", body{"name": "Roleless", "groups": []string{}})
	if a := other.page("GET", other.linking(login("sub-roleless")), nil); a.status != http.StatusForbidden {
		t.Errorf("without a role: %d", a.status)
	}
	e.knows(e.trust, "sub-late", body{"name": "Late", "groups": []string{"g-nurses"}})
	back := other.linking(login("sub-late"))
	if a := e.browser().page("GET", back, nil); a.status != http.StatusGone {
		t.Errorf("in another browser: %d", a.status)
	}
	back = other.linking(login("sub-late"))
	other.must("DELETE", "/session", http.StatusNoContent, nil)
	if a := other.page("GET", back, nil); a.status != http.StatusGone || len(e.told("person.identity-linked")) != 1 {
		t.Errorf("after signing out: %d", a.status)
	}

	// Unlinking ends what came from there, and nothing else.
	var list struct {
		Identities []struct {
			Provider string
			Linked   bool
		}
	}
	b.must("GET", "/session/identities", http.StatusOK, nil).into(t, &list)
	if len(list.Identities) != 2 || list.Identities[0].Provider != "trust" || !list.Identities[0].Linked || list.Identities[1].Linked {
		t.Errorf("the list: %+v", list)
	}
	fresh := e.here("colleague")
	if a := fresh.ask("DELETE", "/session/identities/trust", nil); a.code() != "step-up-needed" {
		t.Errorf("unlinking without proof: %d %s", a.status, a.code())
	}
	if a := b.ask("DELETE", "/session/identities/cis2", nil); a.code() != "identity-unknown" {
		t.Errorf("what is not linked: %d %s", a.status, a.code())
	}
	if a := b.page("POST", "/account/identities/trust/remove", url.Values{}); a.status != http.StatusSeeOther {
		t.Fatalf("unlinking: %d %s", a.status, a.body)
	}
	if got := e.told("person.identity-unlinked"); len(got) != 1 || got[0]["provider"] != "trust" {
		t.Errorf("told of it: %v", got)
	}
	if a := there.ask("GET", "/session", nil); a.status != http.StatusUnauthorized {
		t.Errorf("a session from there: %d", a.status)
	}
	if len(b.me().Teams) != 2 {
		t.Errorf("teams afterwards: %v", b.me().Teams)
	}
	if me := e.browserOf("sub-link", "trust").me(); me.Person.ID == e.ids["colleague"] {
		t.Error("still signed in as the same")
	}
	// Who has no password keeps their only way in.
	only := e.browserOf("sub-taken", "trust", "mfa")
	if a := only.proves().ask("DELETE", "/session/identities/trust", nil); a.code() != "no-password" {
		t.Errorf("the only way in: %d %s", a.status, a.code())
	}
}
