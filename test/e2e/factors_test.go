package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/wardseal/wardseal/internal/config"
)

var (
	keyOf    = regexp.MustCompile(`id="key">([A-Z2-7 ]+)<`)
	setupOf  = regexp.MustCompile(`name="setup" value="([^"]+)"`)
	halfOf   = regexp.MustCompile(`name="half" value="([^"]+)"`)
	codesOf  = regexp.MustCompile(`<code class="ws-key">([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>`)
	factorOf = regexp.MustCompile(`/account/second-step/([0-9a-f-]{36})/remove`)
)

func found(t *testing.T, re *regexp.Regexp, a answer) string {
	t.Helper()
	m := re.FindSubmatch(a.body)
	if m == nil {
		t.Fatalf("%d: nothing like %s in %s", a.status, re, a.body)
	}
	return string(m[1])
}

// app shows codes.
type app struct {
	h         *house
	key, used string // used is the code that it was set up with
}

// at is the app's code so many periods from now.
func (a app) at(periods int) string {
	a.h.t.Helper()
	now, err := a.h.sys.Store.Now(a.h.t.Context())
	if err != nil {
		a.h.t.Fatal(err)
	}
	code, err := totp.GenerateCode(a.key, now.Add(time.Duration(periods)*30*time.Second))
	if err != nil {
		a.h.t.Fatal(err)
	}
	return code
}

// enrols sets up an app by the pages, with the code of the present period, and
// gives it with the recovery codes.
func (p *person) enrols(name string) (app, []string) {
	t := p.h.t
	t.Helper()
	if a := p.submit("/step-up", url.Values{"password": {password}, "next": {"/account/second-step"}}); !strings.Contains(string(a.body), "Second step at sign-in") {
		t.Fatalf("no way to the second step: %d %s", a.status, a.body)
	}
	return p.setsUp(name)
}

// setsUp is enrols without the proof before.
func (p *person) setsUp(name string) (app, []string) {
	t := p.h.t
	t.Helper()
	page := p.submit("/account/second-step/app", nil)
	x := app{h: p.h, key: strings.ReplaceAll(found(t, keyOf, page), " ", "")}
	x.used = x.at(0)
	setup := found(t, setupOf, page)
	if a := p.submit("/account/second-step/app/confirm", url.Values{"setup": {setup}, "code": {"000000"}, "name": {name}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "is not right") || !strings.Contains(string(a.body), setup) {
		t.Errorf("a wrong first code: %d", a.status)
	}
	done := p.submit("/account/second-step/app/confirm", url.Values{"setup": {setup}, "code": {x.used}, "name": {name}})
	var codes []string
	for _, c := range codesOf.FindAllSubmatch(done.body, -1) {
		codes = append(codes, string(c[1]))
	}
	if a := p.submit("/account/second-step/app/confirm", url.Values{"setup": {setup}, "code": {x.at(1)}}); a.status != http.StatusGone {
		t.Errorf("the same set up twice: %d", a.status)
	}
	return x, codes
}

// A code opens the door with the password, once; recovery codes do as well,
// once each; neither does alone.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		x, codes := h.as("nurse").enrols("My phone")
		is(t, "recovery codes", len(codes), 10)
		try := func(code string) (int, string) {
			a := h.nobody().ask("POST", "/session", body{"username": "nurse", "password": password, "code": code})
			return a.status, a.code()
		}
		expect := func(code string, status int, problem string) {
			t.Helper()
			if s, p := try(code); s != status || p != problem {
				t.Errorf("%d %s, want %d %s", s, p, status, problem)
			}
		}
		expect("", http.StatusUnauthorized, "second-factor-needed")
		expect(x.used, http.StatusForbidden, "code-used")
		code := x.at(1) // of the next period, since clocks may differ
		expect(code[:3]+" "+code[3:], http.StatusOK, "")
		expect(code, http.StatusForbidden, "code-used")
		expect(codes[0], http.StatusOK, "")
		expect(codes[0], http.StatusForbidden, "code-wrong")
		expect(strings.ToUpper(strings.ReplaceAll(codes[1], "-", "")), http.StatusOK, "")
		expect("aaaa-aaaa-aaaa-aaaa", http.StatusForbidden, "code-wrong")
		expect("123456", http.StatusForbidden, "code-wrong")
		if a := h.nobody().ask("POST", "/session", body{"username": "nurse", "password": "wrong", "code": codes[2]}); a.code() != "sign-in-wrong" {
			t.Errorf("a wrong password with a right code: %s", a.code())
		}
		if a := h.nobody().ask("POST", "/session", body{"username": "colleague", "password": password, "code": codes[2]}); a.status != http.StatusOK { // who has no second factor
			t.Errorf("a code where none is needed: %d", a.status)
		}
		expect(codes[2], http.StatusOK, "") // it was not used up by either
		for typ, want := range map[string]int{"factor.added": 1, "session.second-step-asked": 1} {
			is(t, typ, h.events(typ), want)
		}
	})
}

// The pages ask for the second step, and step-up needs it too.
func TestSecondFactorPages(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.as("nurse")
	if a := nurse.send("GET", "/account/second-step", nil); !strings.Contains(string(a.body), "Is it still you?") {
		t.Errorf("the second step is changed without proof: %d", a.status)
	}
	if a := nurse.submit("/account/second-step/app", nil); !strings.Contains(string(a.body), "Is it still you?") {
		t.Errorf("an app is set up without proof: %d", a.status)
	}
	x, codes := nurse.enrols("")
	page := h.nobody().submit("/sign-in", url.Values{"username": {"nurse"}, "password": {password}, "next": {"/account"}}, "Sec-Fetch-Site", "same-origin", "User-Agent", "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Mobile Safari/537.36")
	half := found(t, halfOf, page)
	if len(page.cookies) != 0 {
		t.Error("a cookie is given after the password alone")
	}
	if a := h.nobody().submit("/sign-in/second", url.Values{"half": {half}, "code": {""}}); a.status != http.StatusForbidden || !strings.Contains(string(a.body), `id="code-error"`) {
		t.Errorf("no code: %d", a.status)
	}
	if a := h.nobody().submit("/sign-in/second", url.Values{"half": {half}, "answer": {"{}"}, "asked": {half}}); a.status != http.StatusGone {
		t.Errorf("the answer of a passkey to nothing: %d", a.status)
	}
	h.stay(func() {
		a := h.nobody().submit("/sign-in/second", url.Values{"half": {half}, "code": {codes[0]}, "next": {"/account"}}, "Sec-Fetch-Site", "same-origin", "User-Agent", "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Mobile Safari/537.36")
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/account" || len(a.cookies) != 1 {
			t.Fatalf("a right code: %d", a.status)
		}
		nurse = &person{h: h, cookie: a.cookies[0]}
	})
	if a := h.nobody().submit("/sign-in/second", url.Values{"half": {half}, "code": {codes[1]}}); a.status != http.StatusGone {
		t.Errorf("one password for two sign-ins: %d", a.status)
	}
	if a := nurse.send("GET", "/account", nil); !strings.Contains(string(a.body), "Chrome on Android</strong> <strong class=\"nhsuk-tag nhsuk-tag--green\">This one") || !strings.Contains(string(a.body), "(9 recovery codes left)") {
		t.Errorf("the account: %s", a.body)
	}
	if a := nurse.ask("POST", "/session/step-up", body{"password": password}); a.code() != "second-factor-needed" {
		t.Errorf("stepped up by the password alone: %d %s", a.status, a.code())
	}
	if a := nurse.submit("/step-up", url.Values{"password": {password}, "code": {"000000"}}); a.status != http.StatusForbidden || !strings.Contains(string(a.body), `id="code-error"`) {
		t.Errorf("stepped up by a wrong code: %d", a.status)
	}
	code := x.at(1)
	nurse.must("POST", "/session/step-up", http.StatusOK, body{"password": password, "code": code})
	if a := nurse.ask("POST", "/session/step-up", body{"password": password, "code": code}); a.code() != "code-used" {
		t.Errorf("one code twice: %d %s", a.status, a.code())
	}
	fresh := nurse.submit("/account/second-step/codes", nil)
	if n := len(codesOf.FindAll(fresh.body, -1)); n != 10 {
		t.Errorf("%d new codes", n)
	}
	if a := h.nobody().ask("POST", "/session", body{"username": "nurse", "password": password, "code": codes[2]}); a.code() != "code-wrong" {
		t.Errorf("an old recovery code: %s", a.code())
	}
	id := found(t, factorOf, nurse.send("GET", "/account/second-step", nil))
	if a := h.as("colleague").submit("/account/second-step/"+id+"/remove", nil); strings.Contains(string(a.body), "It is removed") {
		t.Error("a colleague removes it")
	}
	if a := nurse.submit("/account/second-step/"+id+"/remove", nil); !strings.Contains(string(a.body), "It is removed") {
		t.Errorf("removing: %d", a.status)
	}
	h.signIn("nurse") // by the password alone again
}

// Where a role needs a second factor, nothing else is open until there is one,
// and the last cannot go; an administrator resets it for who lost it.
func TestSecondFactorByRole(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Sessions.SecondFactorFor = []string{"auditor"} })
	auditor := h.as("auditor")
	if a := auditor.ask("GET", "/audit", nil); a.status != http.StatusForbidden || a.code() != "second-factor-missing" {
		t.Errorf("the audit without: %d %s", a.status, a.code())
	}
	if a := auditor.ask("GET", "/teams", nil); a.code() != "second-factor-missing" {
		t.Errorf("the teams without: %d %s", a.status, a.code())
	}
	auditor.must("GET", "/session", http.StatusOK, nil)
	if a := auditor.send("GET", "/audit", nil); !strings.Contains(string(a.body), "Is it still you?") { // the way to set it up
		t.Errorf("the page of the audit without: %d", a.status)
	}
	h.as("nurse").must("GET", "/items", http.StatusOK, nil) // whose role needs none
	auditor.enrols("Key ring")
	auditor.must("GET", "/audit", http.StatusOK, nil)
	id := found(t, factorOf, auditor.send("GET", "/account/second-step", nil))
	if a := auditor.submit("/account/second-step/"+id+"/remove", nil); a.status != http.StatusConflict || !strings.Contains(string(a.body), "your only one") {
		t.Errorf("removing the last: %d", a.status)
	}
	h.as("admin").must("POST", "/people/"+string(h.ids["auditor"])+"/reset-factors", http.StatusNoContent, nil)
	if a := auditor.ask("GET", "/session", nil); a.status != http.StatusUnauthorized {
		t.Errorf("a session outlives the reset: %d", a.status)
	}
	if a := h.signIn("auditor").ask("GET", "/audit", nil); a.code() != "second-factor-missing" {
		t.Errorf("after the reset: %d %s", a.status, a.code())
	}
	if a := h.as("admin").ask("POST", "/people/"+string(h.ids["admin"])+"/reset-factors", nil); a.code() != "own-account" {
		t.Errorf("one's own: %d %s", a.status, a.code())
	}
}

// Wrong codes lock the account like wrong passwords.
func TestWrongCodesLock(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Sessions.LockAfter = 3 })
	_, codes := h.as("nurse").enrols("")
	page := h.nobody().submit("/sign-in", url.Values{"username": {"nurse"}, "password": {password}})
	half := found(t, halfOf, page)
	for i, want := range []string{"is not right", "is not right", "locked after too many"} {
		if a := h.nobody().submit("/sign-in/second", url.Values{"half": {half}, "code": {"000000"}}); !strings.Contains(string(a.body), want) {
			t.Errorf("wrong for the %d. time: %d", i+1, a.status)
		}
	}
	if a := h.nobody().submit("/sign-in/second", url.Values{"half": {half}, "code": {codes[0]}}); !strings.Contains(string(a.body), "This account is locked") {
		t.Errorf("a right code on a locked account: %d", a.status)
	}
	if a := h.nobody().ask("POST", "/session", body{"username": "nurse", "password": password, "code": codes[0]}); a.code() != "sign-in-locked" {
		t.Errorf("by the API: %s", a.code())
	}
}

// Who signs in where somebody else is still signed in ends that session: what
// the browser kept of it is worth nothing any more.
func TestSigningInEndsTheSessionBefore(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse, elsewhere := h.signIn("nurse"), h.signIn("nurse")
	cred := body{"username": "colleague", "password": password}
	before := *nurse
	if a := nurse.ask("POST", "/session", body{"username": "colleague", "password": "wrong"}); a.status != http.StatusUnauthorized {
		t.Fatalf("a wrong password: %d", a.status)
	}
	before.must("GET", "/session", http.StatusOK, nil)
	if a := nurse.must("POST", "/session", http.StatusOK, cred); len(a.cookies) != 1 {
		t.Fatalf("cookies: %v", a.cookies)
	}
	is(t, "the session before", before.ask("GET", "/session", nil).status, http.StatusUnauthorized)
	elsewhere.must("GET", "/session", http.StatusOK, nil)

	page := h.signIn("nurse")
	before = *page
	page.submit("/sign-in", url.Values{"username": {"colleague"}, "password": {password}})
	is(t, "the session before, from the page", before.ask("GET", "/session", nil).status, http.StatusUnauthorized)
}

// People see their sessions and end them.
func TestOwnSessions(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	here, there := h.as("nurse"), h.as("nurse")
	var all struct {
		Sessions []struct {
			ID   string
			This bool
		}
	}
	here.must("GET", "/sessions", http.StatusOK, nil).into(t, &all)
	mine := ""
	for _, s := range all.Sessions {
		if s.This {
			mine = s.ID
		}
	}
	is(t, "this one", mine, string(here.principal().Session))
	if a := h.as("colleague").ask("DELETE", "/sessions/"+mine, nil); a.status != http.StatusNotFound {
		t.Errorf("a colleague ends it: %d", a.status)
	}
	here.must("DELETE", "/sessions/"+string(there.principal().Session), http.StatusNoContent, nil)
	is(t, "the other one", there.ask("GET", "/session", nil).status, http.StatusUnauthorized)
	is(t, "events", h.events("session.ended"), 1)
	if a := here.submit("/account/sessions/"+mine+"/end", nil); !strings.Contains(string(a.body), "You have signed out") {
		t.Errorf("ending this one: %d", a.status)
	}
}
