package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// again has somebody prove where they signed in that it is still them. Their
// browser is not signed in there any more, so that the provider asks.
func (b *browser) again(login url.Values) answer {
	b.e.t.Helper()
	a := b.page("GET", "/step-up/elsewhere?next=/disposals", nil)
	if a.status != http.StatusSeeOther {
		b.e.t.Fatalf("the way there: %d %s", a.status, a.body)
	}
	if to := a.header.Get("Location"); !strings.Contains(to, "prompt=login") || !strings.Contains(to, "max_age=0") {
		b.e.t.Errorf("the provider is not told to ask again: %s", to)
	}
	b.jar, _ = cookiejar.New(nil)
	return b.page("GET", b.there(a.header.Get("Location"), login), nil)
}

func (b *browser) steppedUp() bool {
	return b.e.sys.Flows().Door.SteppedUp(b.e.t.Context(), b.principal()) == nil
}

// A role that needs a second factor has it when the provider says that it
// asked for one; else it is set up here first, and then asked for here.
func (e elsewhere) secondFactor(t *testing.T) {
	e.knows(e.trust, "sub-strong", body{"name": "Strong", "groups": []string{"g-records"}})
	if weak := e.browserOf("sub-strong", "trust", "pwd"); weak.ask("GET", "/records/none", nil).code() != "second-factor-missing" {
		t.Error("one factor there counts as two")
	}
	b := e.browserOf("sub-strong", "trust", "pwd", "mfa")
	if a := b.ask("GET", "/due", nil); a.status != http.StatusOK {
		t.Errorf("two factors there do not count: %d %s", a.status, a.code())
	}
	if err := e.guided(b.me().Person.ID); err != nil {
		t.Fatal(err)
	}
	if a := b.again(url.Values{"login": {"sub-strong"}, "amr": {"mfa"}}); a.status != http.StatusSeeOther {
		t.Fatalf("proved by two factors: %d %s", a.status, a.body)
	}
	_, codes := b.setsUp("phone")
	// From now on one factor there is not enough, and one here goes with it.
	weak := e.browser()
	a := weak.comes("trust", "sub-strong")
	if a.status != http.StatusOK || weak.cookie != nil {
		t.Fatalf("with one factor: %d", a.status)
	}
	second := func(code string) answer {
		return weak.page("POST", "/sign-in/second", url.Values{"half": {found(t, halfOf, a)}, "next": {"/account"}, "code": {code}})
	}
	if a := second("000000"); a.status != http.StatusForbidden || weak.cookie != nil {
		t.Errorf("a wrong code: %d", a.status)
	}
	if a := second(codes[0]); a.status != http.StatusSeeOther || weak.cookie == nil {
		t.Fatalf("a code: %d %s", a.status, a.body)
	}
	if a := e.browser().comes("trust", "sub-strong", "mfa"); a.status != http.StatusSeeOther {
		t.Errorf("with two factors there: %d", a.status)
	}
	// Stepping up is the same.
	session := weak.cookie.Value
	if a = weak.again(url.Values{"login": {"sub-strong"}}); a.status != http.StatusOK || weak.steppedUp() {
		t.Fatalf("stepped up by one factor: %d", a.status)
	}
	if a := second(codes[1]); a.status != http.StatusSeeOther || !weak.steppedUp() || weak.cookie.Value != session {
		t.Errorf("stepped up by both: %d %s", a.status, a.body)
	}
	if a := second(codes[2]); a.status != http.StatusGone {
		t.Errorf("the same half twice: %d", a.status)
	}
}

// Whoever signed in elsewhere proves there that it is still them.
func (e elsewhere) stepsUp(t *testing.T) {
	e.knows(e.trust, "sub-up", body{"name": "Up", "groups": []string{"g-records"}})
	e.knows(e.trust, "sub-other", body{"name": "Other", "groups": []string{"g-records"}})
	b := e.browserOf("sub-up", "trust", "mfa")
	if err := e.guided(b.me().Person.ID); err != nil {
		t.Fatal(err)
	}
	if a := b.page("GET", "/step-up?next=/disposals", nil); a.status != http.StatusOK || !strings.Contains(string(a.body), `href="/step-up/elsewhere?next=%2fdisposals">Sign in again with Example Trust`) {
		t.Fatalf("the page: %d %s", a.status, a.body)
	}
	if a := b.ask("POST", "/session/step-up", body{"password": ""}); a.code() != "no-password" {
		t.Errorf("without a password: %d %s", a.status, a.code())
	}
	if a := b.again(url.Values{"login": {"sub-other"}, "amr": {"mfa"}}); a.status != http.StatusForbidden || b.steppedUp() {
		t.Errorf("somebody else: %d", a.status)
	}
	if a := b.again(url.Values{"login": {"sub-up"}}); a.status != http.StatusForbidden || b.steppedUp() {
		t.Errorf("by one factor: %d", a.status)
	}
	if a := b.ask("POST", "/disposals/0190a5e6-0000-7000-8000-000000000000/approve", body{}); a.code() != "not-found" && a.code() != "step-up-needed" {
		t.Errorf("a disposal before: %d %s", a.status, a.code())
	}
	if a := b.again(url.Values{"login": {"sub-up"}, "amr": {"mfa"}}); a.status != http.StatusSeeOther || a.header.Get("Location") != "/disposals" || !b.steppedUp() {
		t.Errorf("proved: %d %s", a.status, a.body)
	}
	if got := e.told("session.stepped-up")[0]; got["by"] != "provider" {
		t.Errorf("told of it: %v", got)
	}
	if a := e.as("records").send("GET", "/step-up/elsewhere?next=/", nil); a.status != http.StatusConflict {
		t.Errorf("who signed in here: %d", a.status)
	}
}

// Signing out here signs out there, and the other way round.
func (e elsewhere) logsOut(t *testing.T) {
	e.knows(e.trust, "sub-out", body{"name": "Out", "groups": []string{"g-nurses"}})
	b, phone := e.browserOf("sub-out", "trust"), e.browserOf("sub-out", "trust")
	gone := func(b *browser) bool { return b.ask("GET", "/session", nil).status == http.StatusUnauthorized }
	a := b.page("POST", "/sign-out", url.Values{})
	to := e.trust.URL() + "/session/end?client_id=wardseal&amp;post_logout_redirect_uri="
	if a.status != http.StatusOK || !strings.Contains(string(a.body), to) || b.cookie != nil {
		t.Errorf("signing out: %d %s", a.status, a.body)
	}
	// The provider ends its session of the other browser, and tells the house.
	phone.endsThere(t)
	if !gone(phone) {
		t.Error("who signed out there is still signed in here")
	}
	if got := e.told("session.ended")[0]; got["provider"] != "trust" {
		t.Errorf("told of it: %v", got)
	}
	for name, form := range map[string]url.Values{"nothing": {}, "no token": {"logout_token": {"x"}}} {
		if a := e.browser().page("POST", "/sign-in/with/trust/logout", form); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", name, a.status)
		}
	}
}

// endsThere signs out at the provider, as its page would.
func (b *browser) endsThere(t *testing.T) {
	t.Helper()
	c := &http.Client{Jar: b.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	page, err := c.Get(b.e.trust.URL() + "/session/end?client_id=wardseal&post_logout_redirect_uri=" + url.QueryEscape(site+"/sign-in"))
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.PostForm(b.e.trust.URL()+"/session/end/confirm", url.Values{"xsrf": {found(t, xsrfOf, answer{status: page.StatusCode, body: text})}, "logout": {"yes"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Location") != site+"/sign-in" {
		t.Errorf("it sends back to %q", resp.Header.Get("Location"))
	}
}

var xsrfOf = regexp.MustCompile(`name="xsrf" value="([^"]+)"`)
