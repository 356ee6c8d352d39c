package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
)

// everywhere are headers that every answer has, whatever it is.
var everywhere = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"X-Frame-Options":              "DENY",
	"Permissions-Policy":           "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
	"X-Robots-Tag":                 "noindex, nofollow, noarchive",
}

// guardedAnswer says what is wrong with the headers of an answer.
func guardedAnswer(t *testing.T, what string, static bool, h http.Header) {
	t.Helper()
	for name, want := range everywhere {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %s is %q", what, name, got)
		}
	}
	policy := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: the policy is %q", what, policy)
		}
	}
	for _, never := range []string{"unsafe-inline", "'unsafe-eval'", "data:", "http:", "https:", "*"} {
		if strings.Contains(policy, never) {
			t.Errorf("%s: the policy allows %s: %q", what, never, policy)
		}
	}
	if got := h.Get("Referrer-Policy"); got != "no-referrer" && got != "same-origin" {
		t.Errorf("%s: the referrer policy is %q", what, got)
	}
	if cache := h.Get("Cache-Control"); !static && !strings.Contains(cache, "no-store") {
		t.Errorf("%s: it may be kept: %q", what, cache)
	}
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: it speaks to other sites: %s", what, name)
		}
	}
	for _, line := range h.Values("Set-Cookie") {
		for _, want := range []string{"__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite="} {
			if !strings.Contains(line, want) {
				t.Errorf("%s: a cookie without %q", what, want)
			}
		}
		if strings.Contains(line, "Domain=") || strings.Contains(line, "SameSite=None") {
			t.Errorf("%s: a cookie for more than this site", what)
		}
	}
	for _, name := range []string{"Server", "X-Powered-By"} {
		if h.Get(name) != "" {
			t.Errorf("%s: it names its software", what)
		}
	}
}

// outside asks what is not in the contract, which send would hold against it.
func (h *house) outside(method, path string, headers ...string) answer {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.api.ServeHTTP(w, r)
	return answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
}

// unchanging is what is the same for everybody, and may be kept.
func unchanging(path string) bool {
	return strings.HasPrefix(path, "/assets/") || path == "/worker.js" || path == "/manifest.webmanifest" || path == "/shell"
}

// Every route, by nobody, a nurse and another site, and every kind of failure,
// answers with the headers that keep browsers in check; other sites change
// nothing and read nothing.
func TestHeadersEverywhere(t *testing.T) {
	h := open(t, "sqlite+filesystem", nil)
	nurse, posts := h.session("nurse"), 0
	h.stays.Store(true)
	for _, r := range h.api.Routes() {
		path := placeholder.ReplaceAllString(strings.NewReplacer("*file", "x", "*path", "x", ":rendition", "original-clean").Replace(r.Path), "0190a5e6-0000-7000-8000-000000000000")
		for who, p := range map[string]*person{"nobody": h.nobody(), "a nurse": nurse} {
			if who == "a nurse" && (strings.HasSuffix(r.Path, "/sign-out") || r.Method == "DELETE" && r.Path == "/api/v1/session") {
				continue
			}
			a := p.send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin", "Origin", "https://wardseal.example")
			guardedAnswer(t, who+" at "+r.Method+" "+r.Path, unchanging(r.Path), a.header)
		}
		if r.Method == "GET" || r.Method == "HEAD" || r.Method == "OPTIONS" {
			continue
		}
		posts++
		for name, headers := range map[string][]string{"another site": {"Sec-Fetch-Site", "cross-site"}, "a neighbour": {"Sec-Fetch-Site", "same-site"}, "another origin": {"Origin", "https://evil.example"}, "a sandbox": {"Origin", "null"}} {
			a := nurse.send(r.Method, path, nil, headers...)
			what := name + " at " + r.Method + " " + r.Path
			guardedAnswer(t, what, false, a.header)
			if a.status != http.StatusForbidden && !fromProviders[r.Path] {
				t.Errorf("%s: %d", what, a.status)
			}
		}
		guardedAnswer(t, "a preflight at "+r.Path, false, h.outside("OPTIONS", path, "Origin", "https://evil.example", "Access-Control-Request-Method", r.Method).header)
	}
	if posts < 80 {
		t.Errorf("only %d routes that change something were walked", posts)
	}
	if a := nurse.ask("GET", "/session", nil); a.status != http.StatusOK {
		t.Errorf("the nurse's session has ended on the way: %d", a.status)
	}
	item := h.filed()
	for what, c := range map[string]struct {
		want int
		a    answer
	}{
		"a picture":           {200, nurse.ask("GET", "/items/"+item+"/renditions/original-clean", nil)},
		"a part of it":        {206, nurse.ask("GET", "/items/"+item+"/renditions/original-clean", nil, "Range", "bytes=0-9")},
		"no page":             {404, nurse.send("GET", "/nowhere", nil, "Accept", "text/html")},
		"no route":            {404, nurse.ask("GET", "/nowhere", nil)},
		"no method":           {405, h.outside("PATCH", "/api/v1/session")},
		"too large":           {413, nurse.send("POST", "/report", strings.NewReader(strings.Repeat("a=b&", 20<<10)), "Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded")},
		"no sign-in":          {401, h.nobody().ask("POST", "/session", body{"username": "x", "password": "x"})},
		"a sign-in":           {200, h.nobody().ask("POST", "/session", body{"username": "nurse", "password": password})},
		"a sign-out":          {204, h.session("nurse").ask("DELETE", "/session", nil)},
		"a path with dots":    {404, nurse.send("GET", "/assets/../../etc/passwd", nil)},
		"a redirect to /evil": {404, nurse.send("GET", "//evil.example/..", nil)},
	} {
		if c.a.status != c.want {
			t.Errorf("%s: %d", what, c.a.status)
		}
		guardedAnswer(t, what, false, c.a.header)
		if strings.Contains(c.a.header.Get("Location"), "evil") {
			t.Errorf("%s: it leads to another site", what)
		}
	}
}

// fromProviders are called by sign-in providers, from elsewhere, with proof of
// their own.
var fromProviders = map[string]bool{"/sign-in/with/:provider/logout": true}

// A defect answers with a problem that says nothing of it, under the same headers.
func TestHeadersOfAPanic(t *testing.T) {
	broken, err := api.New(api.Flows{}, api.Config{PublicURL: "https://wardseal.example"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/api/v1/session", strings.NewReader(`{"username":"x","password":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	broken.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "nil") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	guardedAnswer(t, "a panic", false, w.Header())
}
