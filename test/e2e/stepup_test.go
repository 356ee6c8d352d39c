package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/storage/meta"
)

// principal is who a person's session stands for.
func (p *person) principal() access.Principal {
	p.h.t.Helper()
	who, _, err := p.h.sys.Flows().Door.Recognise(p.h.t.Context(), p.cookie.Value, "test")
	if err != nil {
		p.h.t.Fatal(err)
	}
	return who
}

// proves steps up a person's session.
func (p *person) proves() *person {
	p.h.t.Helper()
	who := p.principal()
	ev := audit.NewEvent(audit.SteppedUp, who, audit.Subject{Person: string(who.Person.ID)})
	if _, err := p.h.sys.Store.StepUp(p.h.t.Context(), who.Session, who.Person.ID, signin.SteppedUpFor, meta.Spend{}, ev); err != nil {
		p.h.t.Fatal(err)
	}
	return p
}

// A session is stepped up by proof, alone and for a while; wrong proof counts
// like a wrong sign-in; a token never is.
func TestStepUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		door := h.sys.Flows().Door
		records, elsewhere := h.as("records"), h.as("records")
		refused := func(p *person) bool {
			e := fault.From(door.SteppedUp(t.Context(), p.principal()))
			return e != nil && e.Code == "step-up-needed"
		}
		if !refused(records) {
			t.Error("a new session is stepped up")
		}
		if err := door.SteppedUp(t.Context(), access.Principal{}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("nobody: %v", err)
		}
		if a := records.ask("POST", "/session/step-up", body{"password": "wrong"}); a.status != http.StatusForbidden || a.code() != "password-wrong" || !refused(records) {
			t.Errorf("a wrong password: %d %s", a.status, a.code())
		}
		var done struct {
			Until time.Time `json:"stepped_up_until"`
		}
		records.must("POST", "/session/step-up", http.StatusOK, body{"password": password}).into(t, &done)
		now, err := h.sys.Store.Now(t.Context())
		if left := done.Until.Sub(now); err != nil || left < 4*time.Minute || left > 5*time.Minute {
			t.Errorf("it lasts %v (%v)", left, err)
		}
		if refused(records) || !refused(elsewhere) {
			t.Error("it is not the one session that is stepped up")
		}
		var token struct{ Secret string }
		records.must("POST", "/tokens", http.StatusCreated, body{"name": "script", "scopes": []string{"records"}, "ttl_seconds": 3600}).into(t, &token)
		if a := h.nobody().ask("POST", "/session/step-up", body{"password": password}, "Authorization", "Bearer "+token.Secret); a.code() != "token-scope" {
			t.Errorf("a token: %d %s", a.status, a.code())
		}
		records.must("DELETE", "/session", http.StatusNoContent, nil)
		if h.events("session.stepped-up") != 1 || h.events("session.sign-in-failed") != 1 {
			t.Error("the account of it is wrong")
		}
		p, err := h.sys.Store.Person(t.Context(), h.ids["records"])
		if err != nil || p.FailedSignIns != 0 {
			t.Errorf("failures are kept: %d (%v)", p.FailedSignIns, err)
		}
	})
}

// Wrong proof locks the account, and a locked account proves nothing.
func TestStepUpLocks(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Sessions.LockAfter = 3 })
	records := h.as("records")
	for i, want := range []string{"password-wrong", "password-wrong", "sign-in-locked"} {
		if a := records.ask("POST", "/session/step-up", body{"password": "wrong"}); a.code() != want {
			t.Errorf("wrong for the %d. time: %d %s", i+1, a.status, a.code())
		}
	}
	if a := records.ask("POST", "/session/step-up", body{"password": password}); a.code() != "sign-in-locked" {
		t.Errorf("the right password on a locked account: %d %s", a.status, a.code())
	}
}

// The page asks for the password and goes on to where one was, on this site only.
func TestStepUpPage(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	records := h.as("records")
	if a := records.send("GET", "/step-up?next=/pictures", nil); a.status != http.StatusOK || !strings.Contains(string(a.body), `value="/pictures"`) {
		t.Errorf("the page: %d", a.status)
	}
	if a := records.submit("/step-up", url.Values{"next": {"/account"}, "password": {"wrong"}}); a.status != http.StatusForbidden || !strings.Contains(string(a.body), `id="password-error"`) {
		t.Errorf("a wrong password: %d", a.status)
	}
	if a := records.submit("/step-up", url.Values{"next": {"/account"}, "password": {password}}); !strings.Contains(string(a.body), "<h1>Your account</h1>") {
		t.Errorf("after the right one: %d", a.status)
	}
	if a := records.send("GET", "/step-up?next=//elsewhere.example/", nil); !strings.Contains(string(a.body), `name="next" value="/"`) {
		t.Error("it would lead elsewhere")
	}
}
