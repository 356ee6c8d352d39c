package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/access"
)

// link makes a link for the consultant and gives its secret and identifier.
func (h *house) link(item string, more map[string]any) (secret, id string) {
	h.t.Helper()
	order := map[string]any{"audience": map[string]string{"kind": "person", "id": string(h.ids["consultant"])}, "purpose": "advice on dressing"}
	for k, v := range more {
		order[k] = v
	}
	var l api.Link
	h.as("nurse").must("POST", "/items/"+item+"/links", http.StatusCreated, order).into(h.t, &l)
	before, secret, ok := strings.Cut(l.URL, "#")
	if !ok || before != "https://wardseal.example/l" {
		h.t.Fatalf("the link is %s", before)
	}
	return secret, string(l.ID)
}

func (p *person) open(secret string) answer {
	return p.ask("POST", "/links/open", map[string]string{"secret": secret})
}

func TestFromTheNurseToTheConsultant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		original := phone(t)
		a := h.signIn("nurse").upload(original, h.details())
		var f api.Filing
		a.into(t, &f)
		if a.status != http.StatusCreated || f.Repeated || f.Receipt.CapturedAt == nil || len(f.Receipt.Removed) < 5 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		item := string(f.Item.ID)
		if a.header.Get("Location") != "/api/v1/items/"+item {
			t.Error("no location")
		}

		secret, id := h.link(item, nil)
		consultant := h.signIn("consultant")
		picture := "/items/" + item + "/renditions/original-clean"
		if a := consultant.ask("GET", picture, nil); a.status != http.StatusNotFound {
			t.Errorf("before opening the link: %d", a.status)
		}
		var grant api.Grant
		consultant.must("POST", "/links/open", http.StatusOK, map[string]string{"secret": secret}).into(t, &grant)
		path := strings.TrimPrefix(grant.URL, "/api/v1") + "original-clean"
		whole := consultant.must("GET", path, http.StatusOK, nil)
		samePixels(t, original, whole.body)
		for _, trace := range []string{"Apple", "SN-4711", "Example Nurse", "Exif\x00\x00II", "http://ns.adobe.com"} {
			if bytes.Contains(whole.body, []byte(trace)) {
				t.Errorf("%q is still in the picture", trace)
			}
		}
		if whole.header.Get("Content-Type") != "image/jpeg" || whole.header.Get("Cache-Control") != "no-store" && !strings.Contains(whole.header.Get("Cache-Control"), "private") {
			t.Errorf("headers %v", whole.header)
		}
		part := consultant.ask("GET", path, nil, "Range", "bytes=100-299")
		if part.status != http.StatusPartialContent || !bytes.Equal(part.body, whole.body[100:300]) {
			t.Errorf("range: %d, %d bytes", part.status, len(part.body))
		}
		head := consultant.ask("HEAD", path, nil)
		if head.status != http.StatusOK || head.header.Get("Content-Length") == "" {
			t.Errorf("HEAD: %d %v", head.status, head.header)
		}
		if a := consultant.ask("GET", path, nil, "If-None-Match", whole.header.Get("ETag")); a.status != http.StatusNotModified {
			t.Errorf("the same again: %d", a.status)
		}
		if a := h.as("consultant").ask("GET", path, nil); a.status != http.StatusNotFound {
			t.Errorf("another session of the same person: %d", a.status)
		}
		h.as("nurse").must("DELETE", "/links/"+id, http.StatusNoContent, nil)
		if a := consultant.ask("GET", path, nil); a.status != http.StatusGone || a.code() != "link-revoked" {
			t.Errorf("after revocation: %d %s", a.status, a.code())
		}
		if n := h.events("item.shown"); n != 1 {
			t.Errorf("%d viewings are recorded", n)
		}

		var list struct{ Items []json.RawMessage }
		for who, want := range map[string]int{"nurse": 1, "colleague": 1, "outsider": 0, "records": 1} {
			h.as(who).must("GET", "/items", http.StatusOK, nil).into(t, &list)
			if len(list.Items) != want {
				t.Errorf("%s lists %d items", who, len(list.Items))
			}
		}
		h.noPlaintext(original)
	})
}

// samePixels decodes both.
func samePixels(t *testing.T, a, b []byte) {
	t.Helper()
	x, err1 := jpeg.Decode(bytes.NewReader(a))
	y, err2 := jpeg.Decode(bytes.NewReader(b))
	if err1 != nil || err2 != nil || x.Bounds() != y.Bounds() {
		t.Fatalf("%v %v", err1, err2)
	}
	for i := x.Bounds().Min.Y; i < x.Bounds().Max.Y; i++ {
		for j := x.Bounds().Min.X; j < x.Bounds().Max.X; j++ {
			if x.At(j, i) != y.At(j, i) {
				t.Fatalf("the pixel at %d, %d differs", j, i)
			}
		}
	}
}

// noPlaintext looks through everything on disk as a thief would.
func (h *house) noPlaintext(picture []byte) {
	h.t.Helper()
	marks := [][]byte{[]byte("NOTE-MARKER"), []byte("9990000018"), []byte("Test Patient"), []byte("1950-01-31"), []byte("left heel"), picture[len(picture)-3000 : len(picture)-2960]}
	err := filepath.WalkDir(h.data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range marks {
			if bytes.Contains(b, m) {
				h.t.Errorf("%s holds %q", e.Name(), m)
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// Of ten thousand who open a single-use link at once, one succeeds.
func TestSingleUseLink(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		secret, _ := h.link(h.filed(), map[string]any{"audience": map[string]string{"kind": "role", "id": "consultant"}})
		consultant := h.as("consultant")
		for range 5 { // robots that preview links use nothing up and learn nothing
			if a := h.nobody().send("GET", "/l", nil); a.status != http.StatusOK || bytes.Contains(a.body, []byte("advice")) {
				t.Errorf("preview: %d", a.status)
			}
		}
		consultant.must("POST", "/links/visit", http.StatusOK, map[string]string{"secret": secret})
		var won, used, other atomic.Int64
		var wg sync.WaitGroup
		const people, hands = 6, 16 // more at once from one account is asked to wait
		var asked atomic.Int64
		for i := range people {
			who := consultant
			if i > 0 {
				name := fmt.Sprintf("consultant%d", i)
				if err := h.guided(h.hire(name, access.Consultant)); err != nil {
					t.Fatal(err)
				}
				who = h.as(name)
			}
			for range hands {
				wg.Go(func() {
					for asked.Add(1) <= opens {
						switch a := who.open(secret); {
						case a.status == http.StatusOK:
							won.Add(1)
						case a.status == http.StatusGone && a.code() == "link-used":
							used.Add(1)
						default:
							other.Add(1)
						}
					}
				})
			}
		}
		wg.Wait()
		if won.Load() != 1 || other.Load() != 0 {
			t.Errorf("%d opened it, %d found it used up, %d something else", won.Load(), used.Load(), other.Load())
		}
		if v, o := h.events("link.visited"), h.events("link.opened"); v != 1 || o != 1 {
			t.Errorf("%d visits and %d openings are recorded", v, o)
		}
	})
}

// mistyped changes one character in the middle of a secret.
func mistyped(secret string) string {
	b := []byte(secret)
	if b[20] != 'A' {
		b[20] = 'A'
	} else {
		b[20] = 'B'
	}
	return string(b)
}

func TestLinksAreForTheirAudience(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		item := h.filed()
		secret, _ := h.link(item, map[string]any{"uses": 3})
		for who, want := range map[string]string{"outsider": "link-not-for-you", "colleague": "link-not-for-you", "auditor": "not-allowed", "records": "not-allowed", "admin": "not-allowed"} {
			if a := h.as(who).open(secret); a.status != http.StatusForbidden || a.code() != want {
				t.Errorf("%s: %d %s", who, a.status, a.code())
			}
		}
		if a := h.nobody().open(secret); a.status != http.StatusUnauthorized {
			t.Errorf("nobody: %d", a.status)
		}
		if a := h.as("consultant").open(mistyped(secret)); a.status != http.StatusNotFound {
			t.Errorf("a mistyped link: %d", a.status)
		}
		var live struct{ Links []api.Link }
		nurse := h.as("nurse")
		nurse.must("GET", "/links", http.StatusOK, nil).into(t, &live)
		if len(live.Links) != 1 || live.Links[0].URL != "" {
			t.Errorf("%+v", live)
		}
		var n struct{ Revoked int }
		nurse.must("POST", "/links/revoke", http.StatusOK, map[string]string{"person": string(h.ids["consultant"])}).into(t, &n)
		if a := h.as("consultant").open(secret); n.Revoked != 1 || a.code() != "link-revoked" {
			t.Errorf("%d revoked; then %s", n.Revoked, a.code())
		}
		for field, order := range map[string]map[string]any{
			"ttl_seconds": {"ttl_seconds": 72*3600 + 1}, "uses": {"uses": 0}, "purpose": {"purpose": " "}, "audience": {"audience": map[string]string{"kind": "role", "id": "auditor"}},
		} {
			in := map[string]any{"audience": map[string]string{"kind": "role", "id": "consultant"}, "purpose": "advice"}
			for k, v := range order {
				in[k] = v
			}
			a := nurse.ask("POST", "/items/"+item+"/links", in)
			var p api.Problem
			a.into(t, &p)
			if a.status != http.StatusUnprocessableEntity || p.Field != field {
				t.Errorf("%s: %d %s", field, a.status, a.body)
			}
		}
	})
}

func TestSuspendedPeopleAreOutAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		consultant := h.as("consultant")
		consultant.must("GET", "/session", http.StatusOK, nil)
		h.as("admin").must("POST", "/people/"+string(h.ids["consultant"])+"/suspend", http.StatusNoContent, nil)
		consultant.must("GET", "/session", http.StatusUnauthorized, nil)
		if a := h.nobody().ask("POST", "/session", map[string]string{"username": "consultant", "password": password}); a.status != http.StatusUnauthorized {
			t.Errorf("signing in: %d", a.status)
		}
	})
}

func TestSignInLocks(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	var last answer
	for range 10 {
		last = h.nobody().ask("POST", "/session", map[string]string{"username": "nurse", "password": "wrong"})
	}
	if last.status != http.StatusTooManyRequests || last.header.Get("Retry-After") == "" || !strings.Contains(string(last.body), "locked") {
		t.Errorf("the tenth failure: %d %s", last.status, last.body)
	}
	if a := h.nobody().ask("POST", "/session", map[string]string{"username": "nurse", "password": password}); a.status != http.StatusTooManyRequests {
		t.Errorf("the right password while locked: %d", a.status)
	}
	if h.events("session.sign-in-locked") != 1 {
		t.Error("the lock is not recorded")
	}
	h.as("admin").must("POST", "/people/"+string(h.ids["nurse"])+"/unlock", http.StatusNoContent, nil)
	h.signIn("nurse")
}

func TestCrossSiteRequestsAreRefused(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse := h.signIn("nurse")
	if a := nurse.ask("DELETE", "/session", nil, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden || a.code() != "cross-site" {
		t.Errorf("%d %s", a.status, a.code())
	}
	nurse.must("GET", "/session", http.StatusOK, nil)
	if !nurse.cookie.HttpOnly || !nurse.cookie.Secure || nurse.cookie.SameSite != http.SameSiteStrictMode || !strings.HasPrefix(nurse.cookie.Name, "__Host-") {
		t.Errorf("the cookie is %+v", nurse.cookie)
	}
}
