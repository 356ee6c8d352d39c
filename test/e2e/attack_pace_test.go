package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
)

// Who guesses secrets is slowed down, by account and by address; their ward,
// behind the same address, goes on working; a client does not choose its
// address.
func TestGuessingIsSlowedDown(t *testing.T) {
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Proxies = []string{"127.0.0.1"} })
	guess := func(p *person, headers ...string) answer {
		return p.ask("POST", "/links/open", body{"secret": "wsl1_" + strings.Repeat("a", 43)}, headers...)
	}
	ward := []string{"X-Forwarded-For", "192.0.2.1"}
	secret, _ := h.linkTo(h.filed(), h.ids["consultant"])
	first := h.session("outsider")
	for i := range 20 {
		if a := guess(first, ward...); a.status != http.StatusNotFound {
			t.Fatalf("guess %d: %d %s", i, a.status, a.body)
		}
	}
	a := guess(first, ward...)
	if a.status != http.StatusTooManyRequests || a.code() != "too-fast" || a.header.Get("Retry-After") == "" {
		t.Errorf("guess 21: %d %s", a.status, a.body)
	}
	if a = guess(h.session("outsider"), "X-Forwarded-For", "192.0.2.2"); a.status != http.StatusTooManyRequests {
		t.Errorf("in another session, from elsewhere: %d", a.status)
	}
	if a = h.session("consultant").ask("POST", "/links/open", body{"secret": secret}, ward...); a.status != http.StatusOK {
		t.Errorf("their colleague at the next screen: %d %s", a.status, a.body)
	}
	refused := 0
	for _, who := range []string{"one", "two", "three", "four", "five"} {
		h.hire(who, access.Clinician)
		p := h.session(who)
		for range 20 {
			if guess(p, ward...).status == http.StatusTooManyRequests {
				refused++
			}
		}
	}
	if refused == 0 {
		t.Errorf("%d guesses of 120 from one address are refused", refused)
	}
	try := func(headers ...string) answer {
		return h.nobody().ask("POST", "/session", body{"username": "nobody-here", "password": "x"}, headers...)
	}
	if a = try(ward...); a.status != http.StatusTooManyRequests {
		t.Errorf("a sign-in from the address that guessed: %d", a.status)
	}
	if a = try("X-Forwarded-For", "192.0.2.9, 192.0.2.1"); a.status != http.StatusTooManyRequests {
		t.Errorf("an address of the client's own choice is believed: %d", a.status)
	}
	if a = h.nobody().send("POST", "/sign-in", strings.NewReader("username=x&password=x"), append(ward, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded")...); a.status != http.StatusTooManyRequests || !strings.Contains(string(a.body), "Try again in a minute") {
		t.Errorf("the form: %d", a.status)
	}
	if a = try("X-Forwarded-For", "192.0.2.3"); a.status != http.StatusUnauthorized {
		t.Errorf("a sign-in from another address: %d", a.status)
	}
	if a = h.session("nurse").ask("GET", "/session", nil, ward...); a.status != http.StatusOK {
		t.Errorf("who is signed in, from the address that guessed: %d", a.status)
	}
}
