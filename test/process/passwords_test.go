package process

import (
	"crypto/sha1"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// The command line refuses the passwords that the pages refuse, and a list of
// breached ones that is not there stops it and the server.
func TestPasswordsOnTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	list := filepath.Join(dir, "breached.txt")
	if err := os.WriteFile(list, fmt.Appendf(nil, "%X:7\n", sha1.Sum([]byte("violet tractor harbour"))), 0o600); err != nil {
		t.Fatal(err)
	}
	add := func(password string, more ...string) string {
		_, said, status := servers.Run(t, password+"\n", append([]string{"user", "add", "--own-password", "nurse", "--name", "Example Nurse", "--role", "clinician", "--data", dir}, more...)...)
		if status == 0 {
			return ""
		}
		return said
	}
	for _, c := range []struct {
		password, want string
		more           []string
	}{
		{"qwertyuiop123", "one of the first that are guessed", nil},
		{"Northmoor2026!", "everybody here knows (northmoor)", []string{"--organisation", "Northmoor Health Board"}},
		{"violet tractor harbour", "seen in a breach", []string{"--passwords-breached-file", list}},
		{"purple kettle mountain", "list of breached passwords", []string{"--passwords-breached-file", filepath.Join(dir, "none")}},
	} {
		if said := add(c.password, c.more...); !strings.Contains(said, c.want) {
			t.Errorf("%q: %q", c.password, said)
		}
	}
	if said := add("purple kettle mountain", "--passwords-breached-file", list); said != "" {
		t.Error(said)
	}
	command(t, "", "keys", "init", "--data", dir, "--escrow-out", filepath.Join(dir, "escrow-identity.txt"))
	if _, said, status := servers.Run(t, "", "serve", "--data", dir, "--public-url", "http://localhost:1", "--listen", "127.0.0.1:0", "--operations", "127.0.0.1:0", "--passwords-breached-file", filepath.Join(dir, "none")); status == 0 || !strings.Contains(said, "list of breached passwords") {
		t.Errorf("the server starts without its list: %d %s", status, said)
	}
}

// A password typed for somebody opens the choice of another and nothing else;
// an address from the command line lets them choose one, too.
func TestOthersPasswordsOnTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := deploy(t)
	command(t, "purple kettle mountain\n", "user", "add", "--data", dir, "ward", "--name", "Example Newcomer", "--role", "clinician")
	s := serve(t, dir)
	ask := func(username, password string, want int) *person {
		t.Helper()
		p := &person{t: t, url: s.URL, client: http.DefaultClient}
		p.json("POST", "/session", want, map[string]string{"username": username, "password": password}, nil)
		return p
	}
	ask("ward", "purple kettle mountain", http.StatusOK).json("GET", "/people", http.StatusForbidden, nil, nil)
	ask("nurse", password, http.StatusOK).json("GET", "/people", http.StatusOK, nil, nil)

	out, said, status := servers.Run(t, "", "user", "reset-password", "nurse", "--data", dir, "--public-url", "https://wardseal.example")
	secret, found := strings.CutPrefix(strings.TrimSpace(out), "https://wardseal.example/password#")
	if status != 0 || !found || !strings.Contains(said, "For nurse alone, once, until") || strings.Contains(said, secret) {
		t.Fatalf("%d %q %q", status, out, said)
	}
	nobody := &person{t: t, url: s.URL, client: http.DefaultClient}
	nobody.json("POST", "/password", http.StatusNoContent, map[string]string{"secret": secret, "password": "yellow bicycle lantern"}, nil)
	ask("nurse", password, http.StatusUnauthorized)
	ask("nurse", "yellow bicycle lantern", http.StatusOK).json("GET", "/people", http.StatusOK, nil, nil)
}
