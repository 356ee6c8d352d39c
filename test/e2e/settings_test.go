package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
)

// Administrators see how people sign in, as it is in force and with the name of
// what sets it; nobody changes it there.
func TestSignInSettings(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		c.Sessions.LockAfter, c.Sessions.LockFor, c.Sessions.SessionFor, c.Sessions.IdleFor = 7, 21*time.Minute, 6*time.Hour, 11*time.Minute
		c.Sessions.FirstPasswordFor, c.Sessions.TicketFor = 48*time.Hour, 90*time.Minute
		c.Sessions.SecondFactorFor = []string{"records-officer"}
		c.Records.Organisation, c.Passwords.Words = "Northmoor Health Board", []string{"Elmfield"}
		dir := t.TempDir()
		c.Sessions.Providers = secret(t, dir, "providers.yaml", fmt.Sprintf(settings, 1, secret(t, dir, "client", "never shown"), 2, secret(t, dir, "client2", "never shown")))
	})
	a := h.as("admin").send("GET", "/staff/sign-in", nil)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	page := strings.Join(strings.Fields(string(a.body)), " ")
	for _, want := range []string{
		"At least 12 characters", "Northmoor Health Board, Elmfield", "--passwords-words", "Not compared with any list", "--passwords-breached-file",
		"for 1 hour and 30 minutes; shown to be handed over", "--password-ticket-for", "good for 2 days, and for choosing another", "--first-password-for",
		"After 7 wrong tries in a row, for 21 minutes", "--lock-after, --lock-for", "6 hours<br>", "--session-for", "11 minutes<br>", "--idle-for",
		">records officer</dt><dd class=\"nhsuk-summary-list__value\">Needed<", ">auditor</dt><dd class=\"nhsuk-summary-list__value\">As they like<", "--second-factor-for",
		"<h3>Example Trust</h3>", "http://127.0.0.1:1<", "amr: mfa", ">g-nurses</dt>", "Role: clinician<br>1 team: Tissue viability", "--sign-in-providers",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	for _, never := range []string{"never shown", h.data, "<button class=\"nhsuk-button\""} {
		if strings.Contains(page, never) {
			t.Errorf("it says %q", never)
		}
	}
	if a := h.as("admin").send("GET", "/staff", nil); !strings.Contains(string(a.body), `href="/staff/sign-in"`) {
		t.Error("no way there")
	}
}
