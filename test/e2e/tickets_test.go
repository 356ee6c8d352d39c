package e2e

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

const chosen = "yellow bicycle lantern"

var ticketURL = regexp.MustCompile(`https://wardseal\.example/password#(wsp_[\w-]+)`)

// ticket makes somebody a ticket that is shown, and gives its secret.
func (h *house) ticket(admin *person, id access.PersonID) string {
	h.t.Helper()
	var made api.Ticket
	admin.must("POST", "/people/"+string(id)+"/ticket", http.StatusCreated, nil).into(h.t, &made)
	found := ticketURL.FindStringSubmatch(made.URL)
	if found == nil || made.ExpiresAt == nil {
		h.t.Fatalf("the ticket: %+v", made)
	}
	return found[1]
}

// enters signs in with a password.
func (h *house) enters(name, password string) answer {
	h.t.Helper()
	return h.nobody().ask("POST", "/session", body{"username": name, "password": password})
}

// Somebody new chooses their own password at an address that works once;
// looking at it, and passwords that are refused, use nothing up.
func TestNewcomersChooseTheirPassword(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		var made struct {
			ID     access.PersonID
			Ticket api.Ticket
		}
		h.as("admin").must("POST", "/people", http.StatusCreated, body{"username": "new", "name": "Example New", "role": "clinician", "teams": []access.TeamID{h.team}}).into(t, &made)
		secret := ticketURL.FindStringSubmatch(made.Ticket.URL)[1]
		if a := h.enters("new", ""); a.code() != "sign-in-wrong" {
			t.Errorf("before: %d %s", a.status, a.code())
		}
		for range 3 { // robots that preview it
			for _, method := range []string{"GET", "HEAD"} {
				if a := h.nobody().send(method, "/password", nil); a.status != http.StatusOK {
					t.Errorf("%s: %d", method, a.status)
				}
			}
		}
		for _, bad := range []string{"", "short", "qwertyuiop123", "Example-New-1"} {
			if a := h.nobody().ask("POST", "/password", body{"secret": secret, "password": bad}); a.status != http.StatusUnprocessableEntity {
				t.Errorf("%q: %d", bad, a.status)
			}
		}
		if a := h.nobody().submit("/password", url.Values{"secret": {secret}, "password": {"short"}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `id="password-error"`) || !strings.Contains(string(a.body), secret) {
			t.Errorf("the page with a short one: %d", a.status)
		}
		if a := h.nobody().submit("/password", url.Values{"secret": {secret}, "password": {chosen}}); !strings.Contains(string(a.body), "Your password is changed") {
			t.Errorf("the page: %d", a.status)
		}
		if a := h.nobody().ask("POST", "/password", body{"secret": secret, "password": "another long password"}); a.status != http.StatusNotFound || a.code() != "ticket-unknown" {
			t.Errorf("once more: %d %s", a.status, a.code())
		}
		if a := h.enters("new", chosen); a.status != http.StatusOK {
			t.Errorf("after: %d %s", a.status, a.code())
		}
		if got := h.told("person.ticket-made"); len(got) != 1 || got[0]["handed"] != "shown" {
			t.Errorf("made: %v", got)
		}
		if got := h.told("person.password-changed"); len(got) != 1 || got[0]["by"] != "ticket" {
			t.Errorf("used: %v", got)
		}
		if got := h.told("person.ticket-refused"); len(got) != 1 || got[0]["reason"] != "unknown" {
			t.Errorf("refused: %v", got)
		}
	})
}

// An administrator lets somebody choose another password: what they had open
// ends when they do, their lock and no sooner; their second factor stays.
func TestResetPassword(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		h := open(t, kind, func(c *config.Config) { c.Sessions.LockAfter = 3 })
		nurse, admin, path := h.as("nurse"), h.as("admin"), "/people/"+string(h.ids["nurse"])+"/ticket"
		app, _ := nurse.enrols("phone")
		if a := admin.ask("POST", path, nil); a.code() != "step-up-needed" {
			t.Errorf("without proof: %d %s", a.status, a.code())
		}
		h.stay(func() {
			if a := admin.submit("/staff"+path, nil); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/step-up") {
				t.Errorf("the page without proof: %d %s", a.status, a.header.Get("Location"))
			}
		})
		admin.stepUp()
		if a := admin.ask("POST", "/people/"+string(h.ids["admin"])+"/ticket", nil); a.code() != "own-account" {
			t.Errorf("for oneself: %d %s", a.status, a.code())
		}
		if a := admin.ask("POST", "/people/0190a5e6-0000-7000-8000-000000000000/ticket", nil); a.code() != "person-unknown" {
			t.Errorf("for nobody: %d %s", a.status, a.code())
		}
		old := h.ticket(admin, h.ids["nurse"])
		page := admin.submit("/staff"+path, nil)
		found := ticketURL.FindSubmatch(page.body)
		if page.status != http.StatusOK || found == nil || !strings.Contains(string(page.body), "Example nurse") {
			t.Fatalf("the page: %d %s", page.status, page.body)
		}
		secret := string(found[1])
		nurse.must("GET", "/session", http.StatusOK, nil) // nothing has happened yet
		if a := h.nobody().ask("POST", "/password", body{"secret": old, "password": chosen}); a.code() != "ticket-unknown" {
			t.Errorf("the one before: %d %s", a.status, a.code())
		}
		for range 3 {
			h.enters("nurse", "wrong")
		}
		if a := h.enters("nurse", password); a.code() != "sign-in-locked" {
			t.Errorf("not locked: %s", a.code())
		}
		// Several at once: one password is chosen.
		var wg sync.WaitGroup
		var mu sync.Mutex
		done := 0
		for range 6 {
			wg.Go(func() {
				if a := h.nobody().ask("POST", "/password", body{"secret": secret, "password": chosen}); a.status == http.StatusNoContent {
					mu.Lock()
					done++
					mu.Unlock()
				} else if a.code() != "ticket-unknown" {
					t.Errorf("at once: %d %s", a.status, a.code())
				}
			})
		}
		wg.Wait()
		if done != 1 {
			t.Errorf("%d have chosen a password with one ticket", done)
		}
		nurse.must("GET", "/session", http.StatusUnauthorized, nil)
		if a := h.enters("nurse", password); a.code() != "sign-in-wrong" {
			t.Errorf("the old password: %d %s", a.status, a.code())
		}
		if a := h.enters("nurse", chosen); a.code() != "second-factor-needed" {
			t.Errorf("the new password alone: %d %s", a.status, a.code())
		}
		if a := h.nobody().ask("POST", "/session", body{"username": "nurse", "password": chosen, "code": app.at(1)}); a.status != http.StatusOK {
			t.Errorf("with the code: %d %s", a.status, a.code())
		}
	}
}

// A ticket ends with its time, with its person's suspension and when they
// change their password; somebody who signs in elsewhere gets none.
func TestTicketsEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		admin := h.as("admin")
		admin.stepUp()
		use := func(secret string) string {
			return h.nobody().ask("POST", "/password", body{"secret": secret, "password": chosen}).code()
		}
		tickets := h.sys.Flows().Tickets
		whole := tickets.For
		tickets.For = time.Microsecond
		late := h.ticket(admin, h.ids["colleague"])
		tickets.For = whole
		if got := use(late); got != "ticket-over" {
			t.Errorf("too late: %q", got)
		}
		suspended := h.ticket(admin, h.ids["colleague"])
		admin.must("POST", "/people/"+string(h.ids["colleague"])+"/suspend", http.StatusNoContent, nil)
		if a := admin.ask("POST", "/people/"+string(h.ids["colleague"])+"/ticket", nil); a.code() != "suspended" {
			t.Errorf("for somebody suspended: %s", a.code())
		}
		admin.must("POST", "/people/"+string(h.ids["colleague"])+"/restore", http.StatusNoContent, nil)
		if got := use(suspended); got != "ticket-unknown" {
			t.Errorf("after a suspension: %q", got)
		}
		changed := h.ticket(admin, h.ids["outsider"])
		h.as("outsider").must("PUT", "/session/password", http.StatusNoContent, body{"present_password": password, "password": "purple kettle mountain"})
		if got := use(changed); got != "ticket-unknown" {
			t.Errorf("after a change: %q", got)
		}
		if got := use("wsp_" + strings.Repeat("A", 48)); got != "ticket-unknown" {
			t.Errorf("a made-up one: %q", got)
		}
		elsewhere := access.Person{ID: access.NewPersonID(), Username: "elsewhere", Name: "Example Elsewhere", Role: access.Clinician}
		ev := audit.NewEvent(audit.PersonAdded, access.Principal{}, audit.Subject{Person: string(elsewhere.ID)})
		if err := h.sys.Store.AddPerson(t.Context(), meta.Person{Person: elsewhere}, ev); err != nil {
			t.Fatal(err)
		}
		if err := h.sys.Store.AddIdentity(t.Context(), elsewhere.ID, meta.Identity{Issuer: "https://issuer.example", Subject: "1"}, audit.NewEvent(audit.PersonChanged, access.Principal{}, audit.Subject{})); err != nil {
			t.Fatal(err)
		}
		if a := admin.ask("POST", "/people/"+string(elsewhere.ID)+"/ticket", nil); a.code() != "signs-in-elsewhere" {
			t.Errorf("for somebody who signs in elsewhere: %s", a.code())
		}
	})
}

// Where there is a mail server and an address, the ticket goes there and is
// shown to nobody else.
func TestTicketsByMail(t *testing.T) {
	t.Parallel()
	post := servers.Mail(t)
	h := open(t, "sqlite+filesystem", func(c *config.Config) {
		c.Mail = config.Mail{Server: post.Server, From: "wardseal@example.org", CAFile: post.CAFile}
	})
	admin := h.as("admin")
	if a := admin.submit("/staff/people", url.Values{"username": {"new"}, "name": {"Example New"}, "role": {"auditor"}, "email": {"nobody"}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `id="email-error"`) {
		t.Errorf("a wrong address: %d", a.status)
	}
	m := newLetter(t, post, func() {
		a := admin.submit("/staff/people", url.Values{"username": {"new"}, "name": {"Example New"}, "role": {"auditor"}, "email": {"new@example.org"}})
		if !strings.Contains(string(a.body), "a mail to choose a password is on its way") || strings.Contains(string(a.body), "wsp_") {
			t.Errorf("inviting: %d %s", a.status, a.body)
		}
	})
	found := ticketURL.FindStringSubmatch(m)
	if found == nil || !strings.Contains(m, "To: <new@example.org>") || !strings.Contains(m, "Your username is new.") {
		t.Fatalf("the mail: %s", m)
	}
	h.nobody().must("POST", "/password", http.StatusNoContent, body{"secret": found[1], "password": chosen})
	if a := h.enters("new", chosen); a.status != http.StatusOK {
		t.Errorf("signing in: %d", a.status)
	}
	admin.stepUp()
	h.as("nurse").must("PUT", "/session/email", http.StatusNoContent, body{"email": "nurse@example.org"})
	var made api.Ticket
	m = newLetter(t, post, func() {
		admin.must("POST", "/people/"+string(h.ids["nurse"])+"/ticket", http.StatusCreated, nil).into(t, &made)
	})
	if made.URL != "" || !strings.Contains(m, "To: <nurse@example.org>") {
		t.Errorf("a reset by mail: %+v %s", made, m)
	}
	for _, told := range []string{"Test Patient", "9990000018"} {
		if strings.Contains(m, told) {
			t.Errorf("the mail says %q", told)
		}
	}
	sent := len(post.Received(t))
	if a := admin.submit("/staff/people/"+string(h.ids["nurse"])+"/ticket", url.Values{"do": {"show"}}); !ticketURL.Match(a.body) || len(post.Received(t)) != sent {
		t.Errorf("without mail: %d %s", a.status, a.body)
	}
	if got := h.told("person.ticket-made"); len(got) != 3 || got[0]["handed"] != "shown" || got[1]["handed"] != "mail" || got[2]["handed"] != "mail" {
		t.Errorf("the audit: %v", got)
	}
}

// A password that an administrator chose opens nothing but the choice of
// another, and not even that when its time is over.
func TestFirstPasswords(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		const given = "purple kettle mountain"
		h.as("admin").must("POST", "/people", http.StatusCreated, body{"username": "new", "name": "Example New", "role": "clinician", "password": given, "teams": []access.TeamID{h.team}})
		if until := h.firstUntil("new"); until < 71*time.Hour || until > 72*time.Hour {
			t.Errorf("a first password is good for %s", until)
		}
		a := h.enters("new", given)
		if a.status != http.StatusOK {
			t.Fatalf("signing in: %d %s", a.status, a.code())
		}
		p := &person{h: h, cookie: a.cookies[0]}
		for _, ask := range [][2]string{{"GET", "/items"}, {"GET", "/people"}, {"GET", "/tokens"}, {"PUT", "/session/email"}, {"POST", "/session/step-up"}} {
			if a := p.ask(ask[0], ask[1], map[string]any{"PUT": body{"email": ""}, "POST": body{"password": given}}[ask[0]]); a.status != http.StatusForbidden || a.code() != "password-first" {
				t.Errorf("%s %s: %d %s", ask[0], ask[1], a.status, a.code())
			}
		}
		for _, path := range []string{"/", "/account", "/pictures", "/account/second-step", "/guidance"} {
			if a := p.send("GET", path, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "Somebody else chose the password") {
				t.Errorf("%s: %d", path, a.status)
			}
		}
		for _, bad := range []string{given, "short"} {
			if a := p.submit("/account/password", url.Values{"present_password": {given}, "password": {bad}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `id="password-error"`) || !strings.Contains(string(a.body), "Somebody else chose the password") {
				t.Errorf("%q: %d", bad, a.status)
			}
		}
		if a := p.submit("/account/password", url.Values{"present_password": {given}, "password": {chosen}}); !strings.Contains(string(a.body), "Your password is changed") {
			t.Errorf("choosing: %d %s", a.status, a.body)
		}
		if a := h.enters("new", given); a.code() != "sign-in-wrong" {
			t.Errorf("the first one afterwards: %s", a.code())
		}
		a = h.enters("new", chosen)
		p = &person{h: h, cookie: a.cookies[0]}
		p.must("GET", "/items", http.StatusOK, nil)
		if a := h.as("nurse").send("GET", "/account/password", nil); !strings.Contains(string(a.body), "<h1>Your account</h1>") {
			t.Errorf("the page for somebody with their own: %d", a.status)
		}

		sealed, err := hash()
		if err != nil {
			t.Fatal(err)
		}
		late := access.Person{ID: access.NewPersonID(), Username: "late", Name: "Example Late", Role: access.Clinician}
		if err := h.sys.Store.AddPerson(t.Context(), meta.Person{Person: late, PasswordHash: sealed, FirstFor: time.Microsecond}, audit.NewEvent(audit.PersonAdded, access.Principal{}, audit.Subject{Person: string(late.ID)})); err != nil {
			t.Fatal(err)
		}
		if a := h.enters("late", password); a.status != http.StatusUnauthorized || a.code() != "first-password-over" {
			t.Errorf("too late: %d %s", a.status, a.code())
		}
		if got := h.told("session.sign-in-failed"); len(got) != 2 || got[0]["reason"] != "first-password-over" {
			t.Errorf("the audit: %v", got)
		}
	})
}

// firstUntil is how much longer somebody's first password is good.
func (h *house) firstUntil(name string) time.Duration {
	h.t.Helper()
	p, err := h.sys.Store.PersonByUsername(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	now, err := h.sys.Store.Now(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return p.FirstUntil.Sub(now)
}
