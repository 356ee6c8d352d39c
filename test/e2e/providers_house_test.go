package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// site is how people reach a house, as it believes.
const site = "https://wardseal.example"

// elsewhere is a house whose staff sign in at two providers, which a certified
// server plays.
type elsewhere struct {
	*house
	trust, cis servers.OIDCIssuer
}

// client is how the house is registered at a provider.
func client(id, scope, base, houseURL string) map[string]any {
	return map[string]any{
		"client_id": id, "client_secret": "not so secret, for tests", "scope": scope, "redirect_uris": []string{base + "/callback"},
		"grant_types": []string{"authorization_code"}, "response_types": []string{"code"}, "require_auth_time": true,
		"post_logout_redirect_uris":           []string{site + "/sign-in"},
		"backchannel_logout_uri":              houseURL + strings.TrimPrefix(base, site) + "/logout",
		"backchannel_logout_session_required": true,
	}
}

const settings = `
providers:
  - id: trust
    name: Example Trust
    issuer: http://127.0.0.1:%d
    client-id: wardseal
    client-secret-file: %s
    groups-claim: groups
    second-factor: {amr: [mfa]}
    map:
      - {group: g-audit, role: auditor}
      - {group: g-nurses, role: clinician, teams: [Tissue viability]}
      - {group: g-burns, teams: [Burns]}
      - {group: g-consultants, role: consultant}
      - {group: g-records, role: records-officer}
  - id: cis2
    name: NHS CIS2
    issuer: http://127.0.0.1:%d
    client-id: wardseal-cis2
    client-secret-file: %s
    scopes: [openid, profile, nationalrbacaccess]
    userinfo: true
    acr-values: [two]
    groups-claim: nhsid_nrbac_roles
    group-parts: [org_code, role_code]
    second-factor: {acr: [two]}
    map:
      - {group: "RXX S8000:G8000:R8001", role: clinician, teams: [Tissue viability]}
`

func openElsewhere(t *testing.T, kind string) elsewhere {
	t.Helper()
	e := elsewhere{
		trust: servers.OIDCIssuer{Port: servers.FreePort(t), Claims: map[string][]string{"openid": {"sub", "groups", "acr", "amr"}, "profile": {"name", "preferred_username", "email"}}},
		cis:   servers.OIDCIssuer{Port: servers.FreePort(t), Claims: map[string][]string{"openid": {"sub", "acr", "amr"}, "profile": {"name"}, "nationalrbacaccess": {"nhsid_nrbac_roles"}}},
	}
	e.house = open(t, kind, func(c *config.Config) {
		dir := t.TempDir()
		key := secret(t, dir, "client", "not so secret, for tests")
		c.Sessions.Providers = secret(t, dir, "providers.yaml", fmt.Sprintf(settings, e.trust.Port, key, e.cis.Port, key))
		c.Sessions.SecondFactorFor = []string{"records-officer"}
	})
	e.trust.Clients = []map[string]any{client("wardseal", "openid profile", site+"/sign-in/with/trust", e.url)}
	e.cis.Clients = []map[string]any{client("wardseal-cis2", "openid profile nationalrbacaccess", site+"/sign-in/with/cis2", e.url)}
	servers.OIDC(t, e.trust, e.cis)
	return e
}

// knows has a provider know somebody with these claims.
func (e elsewhere) knows(at servers.OIDCIssuer, name string, claims body) {
	e.t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		e.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(e.t.Context(), "PUT", at.URL()+"/people/"+name, strings.NewReader(string(b)))
	if err != nil {
		e.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	resp.Body.Close()
}

// browser is somebody's browser, which keeps cookies of all sites.
type browser struct {
	e   elsewhere
	jar *cookiejar.Jar
	*person
	away *http.Cookie
}

func (e elsewhere) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		e.t.Fatal(err)
	}
	return &browser{e: e, jar: jar, person: &person{h: e.house}}
}

// page asks the house for a page, keeps its cookies, and follows no redirect.
func (b *browser) page(method, path string, form url.Values) answer {
	b.e.t.Helper()
	r, err := http.NewRequestWithContext(b.e.t.Context(), method, b.e.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.e.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if b.e.reads != "" {
		r.Header.Set("Accept-Language", b.e.reads)
	}
	for _, c := range []*http.Cookie{b.cookie, b.away} {
		if c != nil {
			r.AddCookie(c)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.e.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.e.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		kept := c
		if c.MaxAge < 0 {
			kept = nil
		}
		switch c.Name {
		case "__Host-wardseal":
			b.cookie = kept
		case "__Host-wardseal-away":
			b.away = kept
		}
	}
	if b.e.looked != nil && (resp.StatusCode < 300 || resp.StatusCode >= 400) && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		b.e.looked(method+" "+path, text)
	}
	return answer{resp.StatusCode, resp.Header, text, resp.Cookies()}
}

// there goes on at the provider, signing in as login with the factors, until it
// sends the browser back, and gives the path that it sends to.
func (b *browser) there(to string, login url.Values) string {
	b.e.t.Helper()
	c := &http.Client{Jar: b.jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for range 10 {
		if back, ok := strings.CutPrefix(to, site); ok {
			return back
		}
		u, err := url.Parse(to)
		if err != nil {
			b.e.t.Fatal(err)
		}
		method, text := "GET", ""
		if strings.HasPrefix(u.Path, "/interaction/") {
			method, text = "POST", login.Encode()
		}
		r, err := http.NewRequestWithContext(b.e.t.Context(), method, to, strings.NewReader(text))
		if err != nil {
			b.e.t.Fatal(err)
		}
		resp, err := c.Do(r)
		if err != nil {
			b.e.t.Fatal(err)
		}
		said, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		next, err := resp.Location()
		if err != nil {
			b.e.t.Fatalf("%s %s: %d %s", method, to, resp.StatusCode, said)
		}
		to = next.String()
	}
	b.e.t.Fatal("the provider goes round in circles")
	return ""
}

// goes begins to sign in at a provider, and gives the way back.
func (b *browser) goes(provider string, login url.Values) string {
	b.e.t.Helper()
	a := b.page("GET", "/sign-in/with/"+provider+"?next=/account", nil)
	if a.status != http.StatusSeeOther {
		b.e.t.Fatalf("the way to %s: %d %s", provider, a.status, a.body)
	}
	return b.there(a.header.Get("Location"), login)
}

// comes signs in at a provider and comes back.
func (b *browser) comes(provider, name string, factors ...string) answer {
	b.e.t.Helper()
	return b.page("GET", b.goes(provider, url.Values{"login": {name}, "amr": factors}), nil)
}

// told gives the details of the audit events of a type, newest first.
func (h *house) told(typ string) []map[string]string {
	h.t.Helper()
	var page struct {
		Events []struct{ Detail map[string]string }
	}
	h.session("auditor").must("GET", "/audit?limit=500&type="+typ, http.StatusOK, nil).into(h.t, &page)
	out := make([]map[string]string, len(page.Events))
	for i, e := range page.Events {
		out[i] = e.Detail
	}
	return out
}
