package e2e

import (
	"fmt"
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
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// inviting opens a house that mails and makes previews.
func inviting(t *testing.T, kind string) (*house, servers.SMTP) {
	t.Helper()
	post := servers.Mail(t)
	return working(t, kind, func(c *config.Config) {
		c.PublicURL = "https://wardseal.example"
		c.Mail = config.Mail{Server: post.Server, From: "wardseal@example.org", CAFile: post.CAFile}
	}), post
}

// previewed waits until an item has a preview.
func (h *house) previewed(item string) {
	h.t.Helper()
	nurse := h.as("nurse")
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if nurse.ask("HEAD", "/items/"+item+"/renditions/preview", nil).status == http.StatusOK {
			return
		}
		if time.Since(start) > time.Minute {
			h.t.Fatal("no preview is made")
		}
	}
}

const doctor = "jane.sample@elsewhere.example"

// invited invites somebody and gives the invitation and its secret, from the mail.
func (h *house) invited(post servers.SMTP, email string, change body, items ...string) (api.Invitation, string) {
	h.t.Helper()
	in := body{"items": items, "name": "Dr Jane Sample", "email": email, "purpose": "PURPOSE-MARKER: is a graft possible?"}
	for k, v := range change {
		in[k] = v
	}
	var v api.Invitation
	m := newLetter(h.t, post, func() { h.as("nurse").must("POST", "/invitations", http.StatusCreated, in).into(h.t, &v) })
	found := regexp.MustCompile(`https://wardseal\.example/invited#(\S+)`).FindStringSubmatch(m)
	if found == nil || !strings.Contains(m, "To: <"+email+">") {
		h.t.Fatalf("the mail: %s", m)
	}
	for _, told := range []string{"PURPOSE-MARKER", "Test Patient", "9990000018", "999 000 0018", "left heel", items[0]} {
		if strings.Contains(m, told) {
			h.t.Errorf("the mail says %q", told)
		}
	}
	return v, found[1]
}

// newLetter gives the one mail that do sends, its lines whole again. Their
// files are in no order.
func newLetter(t *testing.T, post servers.SMTP, do func()) string {
	t.Helper()
	known := map[string]bool{}
	for _, m := range post.Received(t) {
		known[m] = true
	}
	do()
	var fresh []string
	for _, m := range post.Received(t) {
		if !known[m] {
			fresh = append(fresh, m)
		}
	}
	if len(fresh) != 1 {
		t.Fatalf("%d new mails, want one", len(fresh))
	}
	return strings.ReplaceAll(strings.ReplaceAll(fresh[0], "=\n", ""), "=3D", "=")
}

var codeInMail = regexp.MustCompile(`Your code is (\d{3} \d{3})\.`)

// code asks for a code and reads it from the mail.
func (h *house) code(post servers.SMTP, secret string) string {
	h.t.Helper()
	m := newLetter(h.t, post, func() { h.nobody().must("POST", "/invited/code", http.StatusNoContent, body{"secret": secret}) })
	found := codeInMail.FindStringSubmatch(m)
	if found == nil {
		h.t.Fatalf("the mail has no code: %s", m)
	}
	return found[1]
}

// visits opens an invitation.
func (h *house) visits(post servers.SMTP, secret string) *person {
	h.t.Helper()
	a := h.nobody().must("POST", "/invited/open", http.StatusOK, body{"secret": secret, "code": h.code(post, secret)})
	if len(a.cookies) != 1 || a.cookies[0].Name != "__Host-wardseal-guest" || !a.cookies[0].HttpOnly || !a.cookies[0].Secure || a.cookies[0].SameSite != http.SameSiteStrictMode {
		h.t.Fatalf("the visit's cookie: %v", a.cookies)
	}
	return &person{h: h, cookie: a.cookies[0]}
}

// Somebody outside is invited, proves that the address is theirs, and sees the
// pictures of the invitation under their name, and nothing else.
func TestSomebodyOutsideIsInvited(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			h, post := inviting(t, kind)
			item, other := h.filed(), h.filed()
			h.previewed(item)
			h.previewed(other)
			v, secret := h.invited(post, doctor, nil, item)
			if v.Visits != 0 || v.Purpose == "" || v.ExpiresAt.Sub(*v.CreatedAt).Round(time.Second) != 24*time.Hour {
				t.Errorf("the invitation: %+v", v)
			}
			// A robot that fetches what stands in mails uses nothing up.
			for range 3 {
				for _, method := range []string{"GET", "HEAD"} {
					if a := h.nobody().send(method, "/invited", nil); a.status != http.StatusOK || strings.Contains(string(a.body), "Sample") {
						t.Errorf("%s /invited: %d", method, a.status)
					}
				}
			}
			guest := h.visits(post, secret)
			shown := h.events("item.shown")
			var look struct {
				Name, From, Purpose string
				Items               []api.InvitedItem
			}
			guest.must("GET", "/invited", http.StatusOK, nil).into(t, &look)
			if look.Name != "Dr Jane Sample" || look.From != "Example nurse" || !strings.Contains(look.Purpose, "PURPOSE-MARKER") || len(look.Items) != 1 || fmt.Sprint(look.Items[0].Renditions) != "[preview]" {
				t.Errorf("what they see: %+v", look)
			}
			path := "/invited/items/" + item + "/renditions/"
			if a := guest.ask("HEAD", path+"preview", nil); a.status != http.StatusOK || h.events("item.shown") != shown {
				t.Errorf("HEAD: %d, and it counts as shown", a.status)
			}
			if a := guest.ask("GET", path+"preview", nil); a.status != http.StatusOK || a.header.Get("Content-Type") != "image/jpeg" || len(a.body) < 1000 {
				t.Errorf("the picture: %d %s", a.status, a.body)
			}
			if n := h.events("item.shown"); n != shown+1 {
				t.Errorf("%d viewings are recorded, want one", n-shown)
			}
			for _, form := range []string{"original-clean", "thumbnail", "poster", "playable", "x"} {
				if a := guest.ask("GET", path+form, nil); a.status != http.StatusNotFound {
					t.Errorf("%s: %d", form, a.status)
				}
			}
			if a := guest.ask("GET", "/invited/items/"+other+"/renditions/preview", nil); a.code() != "not-found" {
				t.Errorf("another picture of the patient: %d", a.status)
			}
			for _, path := range []string{"/invited/pictures", "/invited/pictures/" + item} {
				page := guest.send("GET", path, nil)
				text := string(page.body)
				if page.status != http.StatusOK || !strings.Contains(text, "ws-watermark__text") || !strings.Contains(text, ">Dr Jane Sample<") || !strings.Contains(text, "PURPOSE-MARKER") {
					t.Errorf("%s: %d %s", path, page.status, text)
				}
				for _, told := range []string{"Test Patient", "9990000018", "999", "1950", "left heel", "NOTE-MARKER", "original-clean", "Tissue viability"} {
					if strings.Contains(text, told) {
						t.Errorf("%s says %q", path, told)
					}
				}
			}
			if a := guest.send("GET", "/invited/pictures/"+other, nil); a.status != http.StatusNotFound {
				t.Errorf("the page of another picture: %d", a.status)
			}

			// Who sent it sees that somebody outside has looked.
			var seen struct{ Seen []api.Sighting }
			h.as("nurse").must("GET", "/items/"+item+"/seen", http.StatusOK, nil).into(t, &seen)
			if len(seen.Seen) != 1 || !seen.Seen[0].Outside || string(seen.Seen[0].Person) != string(v.ID) {
				t.Errorf("seen by: %+v", seen.Seen)
			}
			if a := h.as("auditor").send("GET", "/audit?type=item.shown", nil); !strings.Contains(string(a.body), "somebody outside, by an invitation") {
				t.Error("the auditor is not told that it was somebody outside")
			}

			// Leaving ends the visit, and the page says so without a sign-in.
			if a := guest.submit("/invited/leave", url.Values{}); a.status != http.StatusOK || !strings.Contains(string(a.body), "You have left") {
				t.Errorf("leaving: %d", a.status)
			}
			if a := guest.ask("GET", path+"preview", nil); a.code() != "visit-ended" {
				t.Errorf("after leaving: %d %s", a.status, a.code())
			}
			if a := guest.send("GET", "/invited/pictures", nil); a.status != http.StatusUnauthorized || !strings.Contains(string(a.body), "Your visit has ended") {
				t.Errorf("the page after leaving: %d", a.status)
			}
		})
	}
}

// A code is short-lived, works once, has few tries, and few are sent.
func TestCodesOfInvitations(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			h, post := inviting(t, kind)
			_, secret := h.invited(post, doctor, nil, h.filed())
			try := func(code string) string {
				return h.nobody().ask("POST", "/invited/open", body{"secret": secret, "code": code}).code()
			}
			if got := try("123456"); got != "code-ended" {
				t.Errorf("a code that nobody asked for: %s", got)
			}
			guests := h.sys.Flows().Guests
			code := h.code(post, secret)
			if got := h.nobody().ask("POST", "/invited/code", body{"secret": secret}); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
				t.Errorf("another code at once: %d", got.status)
			}
			wrong := "000000"
			if strings.ReplaceAll(code, " ", "") == wrong {
				wrong = "000001"
			}
			if got := try("12345"); got != "code-form" { // costs no try
				t.Errorf("five figures: %s", got)
			}
			for range 5 {
				if got := try(wrong); got != "code-wrong" {
					t.Errorf("a wrong code: %s", got)
				}
			}
			if got := try(code); got != "code-ended" {
				t.Errorf("the right code after five wrong ones: %s", got)
			}
			if guests.CodeFor != 10*time.Minute || guests.CodeEvery != 30*time.Second {
				t.Errorf("codes last %s, every %s", guests.CodeFor, guests.CodeEvery)
			}
			guests.CodeEvery, guests.CodeFor = 0, time.Microsecond
			code = h.code(post, secret)
			if got := try(code); got != "code-ended" {
				t.Errorf("a code whose time is over: %s", got)
			}
			guests.CodeFor = 10 * time.Minute

			// Of many at once with the right code, one gets in.
			code = h.code(post, secret)
			var wg sync.WaitGroup
			got := make([]int, 4)
			for i := range got {
				wg.Go(func() {
					got[i] = h.nobody().ask("POST", "/invited/open", body{"secret": secret, "code": code}).status
				})
			}
			wg.Wait()
			in := 0
			for _, status := range got {
				if status == http.StatusOK {
					in++
				}
			}
			if in != 1 {
				t.Errorf("%v: %d visits with one code", got, in)
			}
			for range 7 { // three were sent
				h.code(post, secret)
			}
			if got := h.nobody().ask("POST", "/invited/code", body{"secret": secret}); got.code() != "codes-used-up" {
				t.Errorf("an eleventh code: %d %s", got.status, got.code())
			}
			for _, s := range []string{"", "x", secret[:len(secret)-1] + "!"} {
				if got := h.nobody().ask("POST", "/invited/code", body{"secret": s}); got.status != http.StatusNotFound && got.status != http.StatusUnprocessableEntity {
					t.Errorf("a wrong secret: %d", got.status)
				}
			}
			if h.events("invitation.refused") < 7 || h.events("invitation.code-sent") != 10 {
				t.Errorf("%d refusals and %d codes are recorded", h.events("invitation.refused"), h.events("invitation.code-sent"))
			}
		})
	}
}

// What ends an invitation cuts off a visit at the next request.
func TestInvitationsEnd(t *testing.T) {
	t.Parallel()
	h, post := inviting(t, "sqlite+filesystem")
	item := h.filed()
	h.previewed(item)
	picture := "/invited/items/" + item + "/renditions/preview"
	admin := access.Principal{Person: access.Person{ID: h.ids["admin"], Role: access.Administrator}}
	for name, end := range map[string]struct {
		do   func(v api.Invitation)
		then string
	}{
		"revoked by who made it": {func(v api.Invitation) { h.as("nurse").must("DELETE", "/invitations/"+string(v.ID), 204, nil) }, "invitation-revoked"},
		"revoked by a colleague": {func(v api.Invitation) { h.as("colleague").must("DELETE", "/invitations/"+string(v.ID), 204, nil) }, "invitation-revoked"},
		"all revoked": {func(v api.Invitation) {
			h.as("auditor").must("POST", "/invitations/"+string(v.ID)+"/revoke-all", 200, nil)
		}, "invitation-revoked"},
		"who made it may no longer": {func(api.Invitation) {
			if err := h.sys.Staff.Change(t.Context(), admin, h.ids["nurse"], "Example nurse", access.Auditor); err != nil {
				t.Fatal(err)
			}
		}, "invitation-revoked"},
		"who made it is suspended": {func(api.Invitation) {
			if err := h.sys.Staff.Suspend(t.Context(), admin, h.ids["nurse"], true); err != nil {
				t.Fatal(err)
			}
		}, "invitation-revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			v, secret := h.invited(post, doctor, nil, item)
			guest := h.visits(post, secret)
			if a := guest.ask("GET", picture, nil); a.status != http.StatusOK {
				t.Fatalf("before: %d %s", a.status, a.body)
			}
			end.do(v)
			if a := guest.ask("GET", picture, nil); a.code() != "visit-ended" {
				t.Errorf("the picture after: %d %s", a.status, a.code())
			}
			if a := guest.ask("GET", "/invited", nil); a.code() != "visit-ended" {
				t.Errorf("the visit after: %d %s", a.status, a.code())
			}
			if a := h.nobody().ask("POST", "/invited/code", body{"secret": secret}); a.code() != end.then {
				t.Errorf("a code after: %d %s, want %s", a.status, a.code(), end.then)
			}
			if err := h.sys.Staff.Change(t.Context(), admin, h.ids["nurse"], "Example nurse", access.Clinician); err != nil {
				t.Fatal(err)
			}
			if err := h.sys.Staff.Suspend(t.Context(), admin, h.ids["nurse"], false); err != nil {
				t.Fatal(err)
			}
			if a := guest.ask("GET", picture, nil); a.code() != "visit-ended" && name != "who made it may no longer" {
				t.Errorf("it comes back: %d", a.status)
			}
		})
	}
}

// What is destroyed is no longer part of an invitation; the rest stays, until
// nothing is left.
func TestInvitationsToWhatIsDestroyed(t *testing.T) {
	t.Parallel()
	h, post := inviting(t, "sqlite+filesystem")
	items := []media.ItemID{h.file(h.as("nurse")).ID, h.file(h.as("nurse")).ID}
	_, secret := h.invited(post, doctor, nil, string(items[0]), string(items[1]))
	guest := h.visits(post, secret)
	for left := len(items); left > 0; left-- {
		var shown struct{ Items []struct{ ID media.ItemID } }
		guest.must("GET", "/invited", http.StatusOK, nil).into(t, &shown)
		if len(shown.Items) != left {
			t.Errorf("%d items are shown of %d", len(shown.Items), left)
		}
		if _, err := h.sys.Store.DestroyAgain(t.Context(), items[left-1], audit.NewEvent(audit.DisposalRepeated, access.Principal{}, audit.Subject{})); err != nil {
			t.Fatal(err)
		}
	}
	if a := guest.ask("GET", "/invited", nil); a.code() != "visit-ended" {
		t.Errorf("with nothing left: %d %s", a.status, a.code())
	}
}

// An invitation ends by itself, and its visit with it.
func TestInvitationsExpire(t *testing.T) {
	t.Parallel()
	h, post := inviting(t, "sqlite+filesystem")
	v, secret := h.invited(post, doctor, body{"ttl_seconds": 4}, h.filed())
	guest := h.visits(post, secret)
	for start := time.Now(); guest.ask("GET", "/invited", nil).status == http.StatusOK; time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("it does not end")
		}
	}
	if now, err := h.sys.Store.Now(t.Context()); err != nil || now.Before(*v.ExpiresAt) {
		t.Errorf("it ended at %s, before %s: %v", now, v.ExpiresAt, err)
	}
	if a := h.nobody().ask("POST", "/invited/code", body{"secret": secret}); a.code() != "invitation-expired" {
		t.Errorf("a code after: %d %s", a.status, a.code())
	}
}

// Each sees and revokes what is theirs; everything to one person goes at once.
func TestWhoSeesInvitations(t *testing.T) {
	t.Parallel()
	h, post := inviting(t, "sqlite+filesystem")
	item := h.filed()
	first, _ := h.invited(post, doctor, nil, item)
	h.invited(post, strings.ToUpper(doctor[:4])+doctor[4:], nil, item) // the same person
	h.invited(post, "other@elsewhere.example", nil, item)
	list := func(who string) []api.Invitation {
		var v struct{ Invitations []api.Invitation }
		h.as(who).must("GET", "/invitations", http.StatusOK, nil).into(t, &v)
		return v.Invitations
	}
	for who, n := range map[string]int{"nurse": 3, "colleague": 3, "consultant": 0, "outsider": 0, "auditor": 3, "admin": 3} {
		got := list(who)
		if len(got) != n {
			t.Errorf("%s sees %d invitations, want %d", who, len(got), n)
		}
		if len(got) > 0 && (got[0].Purpose == "") != (who == "auditor" || who == "admin") {
			t.Errorf("%s sees the purpose %q", who, got[0].Purpose)
		}
		page := string(h.as(who).send("GET", "/invitations", nil).body)
		if strings.Count(page, `value="revoke"`) != n || strings.Count(page, "Revoke everything") != min(n, 2) {
			t.Errorf("the page of %s: %s", who, page)
		}
	}
	if a := h.as("outsider").ask("DELETE", "/invitations/"+string(first.ID), nil); a.code() != "not-found" {
		t.Errorf("an outsider revokes: %d", a.status)
	}
	h.stay(func() {
		if a := h.as("admin").submit("/invitations/"+string(first.ID), url.Values{"do": {"revoke-all"}}); a.header.Get("Location") != "/invitations?revoked=2" {
			t.Errorf("everything to one person: %d %q", a.status, a.header.Get("Location"))
		}
	})
	if got := list("nurse"); len(got) != 1 || got[0].Email != "other@elsewhere.example" {
		t.Errorf("left are %+v", got)
	}
}

// What is wrong with an invitation is said beside its field; nothing is sent.
func TestInvitationsAreRefused(t *testing.T) {
	t.Parallel()
	h, post := inviting(t, "sqlite+filesystem")
	item := h.filed()
	h.as("outsider").must("POST", "/patients", http.StatusCreated, body{"patient_number_kind": "nhs", "patient_number": "9990000026", "name": "Another Patient", "date_of_birth": "1960-01-31"})
	d := h.details()
	d["patient_number"], d["date_of_birth"] = "9990000026", "1960-01-31"
	var f api.Filing
	h.as("nurse").upload(append(phone(t), 'x'), d).into(t, &f)
	for _, c := range []struct {
		change body
		want   string
	}{
		{body{"name": " "}, "name-missing"}, {body{"name": "A\r\nBcc: b@example.org"}, "name-missing"},
		{body{"email": "Jane <jane@example.org>"}, "email-form"}, {body{"email": "a@example.org, b@example.org"}, "email-form"},
		{body{"purpose": ""}, "invitation-purpose"}, {body{"ttl_seconds": 72*3600 + 1}, "invitation-time"}, {body{"ttl_seconds": 0}, "invitation-time"},
		{body{"items": []string{}}, "items"}, {body{"items": []any{item, f.Item.ID}}, "items-of-one-patient"}, {body{"items": []string{item, item}}, "items-of-one-patient"},
	} {
		in := body{"items": []string{item}, "name": "Dr Jane Sample", "email": doctor, "purpose": "x"}
		for k, v := range c.change {
			in[k] = v
		}
		if a := h.as("nurse").ask("POST", "/invitations", in); a.code() != c.want {
			t.Errorf("%v: %d %s, want %s", c.change, a.status, a.code(), c.want)
		}
	}
	page := h.as("nurse").submit("/invite", url.Values{"item": {item}, "name": {"Dr Jane Sample"}, "email": {"jane"}, "purpose": {"kept text"}, "ttl": {"1h"}})
	if page.status != http.StatusUnprocessableEntity || !strings.Contains(string(page.body), `id="email-error"`) || !strings.Contains(string(page.body), "kept text") {
		t.Errorf("the page: %d", page.status)
	}
	if n := len(post.Received(t)); n != 0 {
		t.Errorf("%d mails went out", n)
	}
}

// Without a mail server nobody is invited, and with one that is away no
// invitation stays.
func TestInvitingNeedsMail(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	in := body{"items": []string{item}, "name": "Dr Jane Sample", "email": doctor, "purpose": "x"}
	if a := h.as("nurse").ask("POST", "/invitations", in); a.status != http.StatusConflict || a.code() != "mail-missing" {
		t.Errorf("without a mail server: %d %s", a.status, a.code())
	}
	if a := h.as("nurse").send("GET", "/invite?item="+item, nil); a.status != http.StatusOK || !strings.Contains(string(a.body), "needs a mail server") || strings.Contains(string(a.body), "Send the invitation") {
		t.Errorf("the page without a mail server: %d", a.status)
	}
	away := open(t, "sqlite+filesystem", func(c *config.Config) {
		c.Mail = config.Mail{Server: "127.0.0.1:1", From: "wardseal@example.org"}
	})
	in["items"] = []string{away.filed()}
	if a := away.as("nurse").ask("POST", "/invitations", in); a.status != http.StatusServiceUnavailable || a.code() != "mail-down" {
		t.Errorf("with a mail server that is away: %d %s", a.status, a.code())
	}
	var v struct{ Invitations []api.Invitation }
	away.as("nurse").must("GET", "/invitations", http.StatusOK, nil).into(t, &v)
	if len(v.Invitations) != 0 {
		t.Errorf("%d invitations stay", len(v.Invitations))
	}
}

// A visit is good for its own routes alone: every other refuses it, whichever
// way its secret comes, and those refuse every session of staff.
func TestEveryRouteRefusesVisitors(t *testing.T) {
	t.Parallel()
	h, post := inviting(t, "sqlite+filesystem")
	item := h.filed()
	h.previewed(item)
	_, secret := h.invited(post, doctor, nil, item)
	guest := h.visits(post, secret)
	key := guest.cookie.Value
	staffed := &http.Cookie{Name: "__Host-wardseal", Value: key}
	own, others := 0, 0
	for _, r := range h.api.Routes() {
		path := strings.NewReplacer("/invited/items/:id", "/invited/items/"+item, "/invited/pictures/:id", "/invited/pictures/"+item,
			":rendition", "preview", ":id", "0190a5e6-0000-7000-8000-000000000000", ":person", "0190a5e6-0000-7000-8000-000000000000").Replace(r.Path)
		switch {
		case strings.HasPrefix(r.Path, "/assets/"), publicPages[r.Method+" "+r.Path], unguarded[r.Method+" "+r.Path]:
		case visitorRoutes[r.Method+" "+r.Path]:
			own++
			for _, name := range []string{"nurse", "admin"} {
				as := h.session(name)
				if a := as.send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin"); a.status != http.StatusUnauthorized {
					t.Errorf("%s at %s %s: %d", name, r.Method, r.Path, a.status)
				}
				as.cookie.Name = "__Host-wardseal-guest"
				if a := as.send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin"); a.status != http.StatusUnauthorized {
					t.Errorf("a session of %s as a visit at %s %s: %d", name, r.Method, r.Path, a.status)
				}
			}
			if r.Method == "GET" {
				if a := guest.send(r.Method, path, nil); a.status != http.StatusOK {
					t.Errorf("a visitor at %s %s: %d", r.Method, r.Path, a.status)
				}
			}
		default:
			others++
			for name, a := range map[string]answer{
				"the visit's cookie":           guest.send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin"),
				"the visit as a session":       (&person{h: h, cookie: staffed}).send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin"),
				"the visit as a token":         h.nobody().send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin", "Authorization", "Bearer "+key),
				"the secret of the invitation": h.nobody().send(r.Method, path, nil, "Sec-Fetch-Site", "same-origin", "Authorization", "Bearer "+secret),
			} {
				signIn := a.status == http.StatusOK && strings.Contains(string(a.body), "<h1>Sign in</h1>") // where pages lead nobody
				if a.status != http.StatusUnauthorized && !signIn {
					t.Errorf("%s at %s %s: %d", name, r.Method, r.Path, a.status)
				}
			}
		}
	}
	if own != len(visitorRoutes) || others < 80 {
		t.Errorf("%d routes of visitors and %d others are walked", own, others)
	}
	if a := guest.ask("GET", "/invited", nil); a.status != http.StatusOK {
		t.Errorf("the visit itself is gone: %d", a.status)
	}
}
