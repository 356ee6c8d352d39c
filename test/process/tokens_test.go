package process

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// A program's token is made, listed and revoked from the command line; it does
// what its scopes name, is shown once, and all of it is in the audit.
func TestTokensOnTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := deploy(t)
	s := serve(t, dir)
	out, said, status := servers.Run(t, "", "user", "token", "make", "nurse", "--data", dir, "--name", "Ward script", "--scope", "items.read", "--for", "48h")
	secret := strings.TrimSpace(out)
	if status != 0 || !strings.HasPrefix(secret, "wst_") || strings.ContainsAny(secret, " \n") || strings.Contains(said, secret) {
		t.Fatalf("%d %q %q", status, out, said)
	}
	asks := func(path string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/api/v1"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := asks("/items"); got != http.StatusOK {
		t.Errorf("what it may: %d", got)
	}
	if got := asks("/referrals?box=to-me"); got != http.StatusForbidden {
		t.Errorf("what it may not: %d", got)
	}
	list := command(t, "", "user", "token", "list", "nurse", "--data", dir)
	id, _, _ := strings.Cut(list, " ")
	if strings.Count(list, "\n") != 1 || !strings.Contains(list, "Ward script") || !strings.Contains(list, "items.read") || strings.Contains(list, "wst_") {
		t.Errorf("the list: %q", list)
	}
	for _, wrong := range [][]string{
		{"make", "nurse", "--name", "x", "--scope", "everything"}, {"make", "nurse", "--name", "x", "--scope", "audit.read"}, {"make", "nurse", "--name", " ", "--scope", "items.read"},
		{"make", "nurse", "--name", "x", "--scope", "items.read", "--for", "9000h"}, {"make", "nobody", "--name", "x", "--scope", "items.read"},
		{"revoke", "auditor", id}, {"revoke", "nurse", "0190a5e6-0000-7000-8000-000000000000"},
	} {
		if out, _, status := servers.Run(t, "", append([]string{"user", "token", "--data", dir}, wrong...)...); status == 0 || strings.Contains(out, "wst_") {
			t.Errorf("%q: %d %q", wrong, status, out)
		}
	}
	command(t, "", "user", "token", "revoke", "nurse", id, "--data", dir)
	if got := asks("/items"); got != http.StatusUnauthorized {
		t.Errorf("a revoked one: %d", got)
	}
	if list := command(t, "", "user", "token", "list", "nurse", "--data", dir); list != "" {
		t.Errorf("the list after it: %q", list)
	}
	auditor := signIn(t, s.URL, "auditor", http.DefaultClient)
	for _, typ := range []string{"token.minted", "token.revoked"} {
		var page struct {
			Events []struct {
				Actor   string
				Subject struct{ Token string }
				Detail  map[string]string
			}
		}
		auditor.json("GET", "/audit?type="+typ, http.StatusOK, nil, &page)
		if len(page.Events) != 1 || page.Events[0].Actor != "" || page.Events[0].Subject.Token != id || page.Events[0].Detail["by"] != "command-line" {
			t.Errorf("%s: %+v", typ, page.Events)
		}
	}
	command(t, "", "user", "suspend", "nurse", "--data", dir)
	if _, said, status := servers.Run(t, "", "user", "token", "make", "nurse", "--data", dir, "--name", "x", "--scope", "items.read"); status == 0 || !strings.Contains(said, "suspended") {
		t.Errorf("for somebody suspended: %d %s", status, said)
	}
}
