package e2e

import (
	"crypto/sha1"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/config"
)

// Passwords that are guessed early, and those that were seen in breaches, are
// refused wherever one is set, in words that say what to do; the rest are taken.
func TestRefusedPasswords(t *testing.T) {
	t.Parallel()
	breached := filepath.Join(t.TempDir(), "breached.txt")
	if err := os.WriteFile(breached, fmt.Appendf(nil, "%X:7\r\n", sha1.Sum([]byte("violet tractor harbour"))), 0o600); err != nil {
		t.Fatal(err)
	}
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		c.Passwords.BreachedFile, c.Records.Organisation = breached, "Northmoor Health Board"
	})
	nurse, admin := h.as("nurse"), h.as("admin")
	for bad, code := range map[string]string{"iloveyou1234": "password-common", "Northmoor2026!": "password-words", "Nurse-Example-1": "password-words", "violet tractor harbour": "password-breached"} {
		if a := nurse.ask("PUT", "/session/password", body{"present_password": password, "password": bad}); a.status != http.StatusUnprocessableEntity || a.code() != code {
			t.Errorf("one's own, by the API, %q: %d %s", bad, a.status, a.code())
		}
		if a := admin.ask("POST", "/people", body{"username": "new", "name": "Example New", "role": "auditor", "password": bad}); a.status != http.StatusUnprocessableEntity || a.code() != code {
			t.Errorf("another's, by the API, %q: %d %s", bad, a.status, a.code())
		}
		const say = "Three random words"
		if a := nurse.submit("/account/password", url.Values{"present_password": {password}, "password": {bad}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), say) || strings.Contains(string(a.body), `value="`+bad) {
			t.Errorf("one's own, on the page, %q: %d", bad, a.status)
		}
		if a := admin.submit("/staff/people", url.Values{"username": {"new"}, "name": {"Example New"}, "role": {"auditor"}, "password": {bad}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), say) {
			t.Errorf("another's, on the page, %q: %d", bad, a.status)
		}
	}
	admin.must("POST", "/people", http.StatusCreated, body{"username": "new", "name": "Example New", "role": "auditor", "password": "yellow bicycle lantern"})
	nurse.must("PUT", "/session/password", http.StatusNoContent, body{"present_password": password, "password": "purple kettle mountain"})
}
