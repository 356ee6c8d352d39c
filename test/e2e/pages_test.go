package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// submit sends a form as a browser does from a page of the site.
func (p *person) submit(path string, form url.Values, headers ...string) answer {
	p.h.t.Helper()
	if headers == nil {
		headers = []string{"Sec-Fetch-Site", "same-origin"}
	}
	return p.send("POST", path, strings.NewReader(form.Encode()), append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

// publicPages are the same for everybody.
var publicPages = map[string]bool{"GET /sign-in": true, "POST /sign-in": true, "POST /language": true, "POST /sign-in/second": true, "GET /sign-in/with/:provider": true, "GET /sign-in/with/:provider/callback": true, "POST /sign-in/with/:provider/logout": true, "GET /l": true, "HEAD /l": true, "GET /password": true, "HEAD /password": true, "POST /password": true, "GET /invited": true, "HEAD /invited": true,
	"GET /worker.js": true, "GET /manifest.webmanifest": true, "GET /shell": true}

// visitorRoutes are for those who were invited from outside, and nobody else.
var visitorRoutes = map[string]bool{
	"GET /invited/pictures": true, "GET /invited/pictures/:id": true, "POST /invited/leave": true,
	"GET /api/v1/invited": true, "DELETE /api/v1/invited": true, "GET /api/v1/invited/items/:id/renditions/:rendition": true, "HEAD /api/v1/invited/items/:id/renditions/:rendition": true,
}

// Nobody sees a page but the one to sign in on, and the one of links, which
// says nothing.
func TestEveryPageIsGuarded(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	id, pages := "0190a5e6-0000-7000-8000-000000000000", 0
	for _, r := range h.api.Routes() {
		if strings.HasPrefix(r.Path, "/api/") || strings.HasPrefix(r.Path, "/assets/") || publicPages[r.Method+" "+r.Path] {
			continue
		}
		pages++
		path := strings.ReplaceAll(r.Path, ":id", id)
		if visitorRoutes[r.Method+" "+r.Path] {
			if a := h.nobody().send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin"); a.status != http.StatusUnauthorized || !strings.Contains(string(a.body), "Your visit has ended") {
				t.Errorf("nobody at %s %s: %d", r.Method, r.Path, a.status)
			}
		} else if a := h.nobody().send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin"); !strings.Contains(string(a.body), "<h1>Sign in</h1>") {
			t.Errorf("nobody at %s %s: %d", r.Method, r.Path, a.status)
		}
		for name, headers := range map[string][]string{"another site": {"Sec-Fetch-Site", "cross-site"}, "a neighbour": {"Sec-Fetch-Site", "same-site"}, "another origin": {"Origin", "https://evil.example"}, "nowhere": {"Accept", "*/*"}} {
			if r.Method != "POST" {
				break
			}
			if a := h.as("nurse").submit(path, url.Values{}, headers...); a.status != http.StatusForbidden || !strings.Contains(string(a.body), "another site") {
				t.Errorf("a form from %s at %s: %d", name, r.Path, a.status)
			}
		}
	}
	if pages < 20 {
		t.Errorf("only %d pages are walked", pages)
	}
}

// Each role gets no more from the pages than from the API.
func TestPagesKeepToTheTable(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	secret, _ := h.link(item, map[string]any{"uses": 5})
	for path, want := range map[string]map[string]int{
		"/pictures/" + item:                {"nurse": 200, "colleague": 200, "consultant": 200, "records": 200, "outsider": 404, "auditor": 403, "admin": 403},
		"/pictures/" + item + "/thumbnail": {"nurse": 200, "colleague": 200, "consultant": 404, "records": 403, "outsider": 404, "auditor": 403, "admin": 403},
		"/send":                            {"nurse": 200, "outsider": 200, "records": 403, "auditor": 403, "admin": 403},
		"/pictures":                        {"nurse": 200, "records": 200, "auditor": 403, "admin": 403},
		"/queue":                           {"nurse": 200, "outsider": 200, "records": 403, "auditor": 403, "admin": 403},
		"/links":                           {"nurse": 200, "records": 403, "auditor": 403, "admin": 403},
		"/audit":                           {"nurse": 403, "consultant": 403, "records": 403, "auditor": 200, "admin": 403},
		"/staff":                           {"nurse": 403, "consultant": 403, "records": 403, "auditor": 403, "admin": 200},
		"/staff/sign-in":                   {"nurse": 403, "consultant": 403, "records": 403, "auditor": 403, "admin": 200},
		"/status":                          {"nurse": 403, "consultant": 403, "records": 403, "auditor": 403, "admin": 200},
		"/account":                         {"nurse": 200, "records": 200, "auditor": 200, "admin": 200},
		"/":                                {"nurse": 200, "consultant": 200, "records": 200, "auditor": 200, "admin": 200},
	} {
		for who, status := range want {
			if a := h.as(who).send("GET", path, nil); a.status != status {
				t.Errorf("%s at %s: %d, want %d", who, path, a.status, status)
			}
		}
	}
	if a := h.as("records").send("GET", "/pictures/"+item, nil); strings.Contains(string(a.body), "/renditions/") {
		t.Error("a records officer's page leads to the picture")
	}
	if a := h.as("consultant").send("GET", "/pictures/"+item, nil); strings.Contains(string(a.body), "/renditions/") {
		t.Error("a shared item's page leads to the picture without its link being opened")
	}
	if a := h.as("outsider").submit("/pictures/"+item+"/links", url.Values{"audience": {"role:clinician"}, "purpose": {"x"}, "uses": {"1"}, "ttl": {"5m"}}); a.status != http.StatusNotFound {
		t.Errorf("an outsider makes a link: %d", a.status)
	}

	// An opened link is one session's.
	consultant := h.as("consultant")
	var g struct{ ID string }
	consultant.must("POST", "/links/open", http.StatusOK, map[string]string{"secret": secret}).into(t, &g)
	if a := consultant.send("GET", "/opened/"+g.ID, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "/api/v1/grants/"+g.ID+"/renditions/original-clean") {
		t.Errorf("an opened link: %d", a.status)
	}
	for _, who := range []string{"consultant", "colleague"} {
		if a := h.as(who).send("GET", "/opened/"+g.ID, nil); a.status != http.StatusNotFound {
			t.Errorf("%s in another session: %d", who, a.status)
		}
	}
	if a := h.as("admin").submit("/staff/people/"+string(h.ids["nurse"]), url.Values{"do": {"suspend"}}); a.status != http.StatusOK {
		t.Errorf("the administrator suspends: %d", a.status)
	}
	if a := consultant.send("GET", "/opened/"+g.ID, nil); a.status != http.StatusGone { // its maker's links ended with them
		t.Errorf("after the suspension: %d", a.status)
	}
}

// Signing in leads back to a page of this site only.
func TestSignInLeadsHome(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	for next, want := range map[string]string{
		"/pictures?mine=yes": "/pictures?mine=yes", "https://evil.example/": "/", "//evil.example/": "/", `/\evil.example`: "/", "javascript:alert(1)": "/", "": "/", "/sign-in?next=/": "/",
	} {
		h.stay(func() {
			a := h.nobody().submit("/sign-in", url.Values{"username": {"nurse"}, "password": {password}, "next": {next}})
			if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
				t.Errorf("%q leads to %d %q", next, a.status, a.header.Get("Location"))
			}
		})
	}
}

// stay has redirects shown and not followed.
func (h *house) stay(do func()) {
	h.stays.Store(true)
	defer h.stays.Store(false)
	do()
}
