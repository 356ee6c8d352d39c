package e2e

import (
	"bytes"
	"database/sql"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/test/servers"
)

// unavailable checks that an answer says that storage is down and when to try
// again, and nothing of how it is made.
func unavailable(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.code() != "storage-down" {
		t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	if n, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || n < 1 {
		t.Errorf("%s: Retry-After is %q", what, a.header.Get("Retry-After"))
	}
	for _, word := range []string{"127.0.0.1", "sql", "pgx", "dial", "connect", "bucket", "items/"} {
		if strings.Contains(strings.ToLower(string(a.body)), word) {
			t.Errorf("%s tells too much: %s", what, a.body)
		}
	}
}

func (h *house) stored() (n int) {
	h.t.Helper()
	if err := h.sys.Objects.List(h.t.Context(), "items/", func(blob.Info) error { n++; return nil }); err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *house) items() int {
	h.t.Helper()
	var page struct{ Items []struct{} }
	h.session("nurse").must("GET", "/items?limit=200", http.StatusOK, nil).into(h.t, &page)
	return len(page.Items)
}

func another(t *testing.T, mark string) []byte { return append(phone(t), mark...) }

// With the object store gone, an upload is refused and recorded, a picture is
// not shown, and both work when it is back.
func TestObjectStoreDown(t *testing.T) {
	t.Parallel()
	var relay *servers.Relay
	h := open(t, "postgres+s3", func(c *config.Config) {
		relay = servers.NewRelay(t, c.Objects.Endpoint)
		c.Objects.Endpoint = relay.Address
	})
	item, nurse := h.filed(), h.session("nurse")
	picture := "/items/" + item + "/renditions/original-clean"
	whole := nurse.must("GET", picture, http.StatusOK, nil)
	refused := h.events("item.refused")
	relay.Cut()
	unavailable(t, "upload", nurse.upload(another(t, "down"), h.details()))
	unavailable(t, "view", nurse.ask("GET", picture, nil))
	if h.events("item.refused") != refused+1 {
		t.Error("the refused upload is not recorded")
	}
	relay.Mend(t)
	if h.stored() != 1 || h.items() != 1 {
		t.Errorf("%d objects and %d items, want 1 of each", h.stored(), h.items())
	}
	if again := nurse.must("GET", picture, http.StatusOK, nil); !bytes.Equal(again.body, whole.body) {
		t.Error("the picture is another")
	}
	if a := nurse.upload(another(t, "down"), h.details()); a.status != http.StatusCreated {
		t.Errorf("when it is back: %d %s", a.status, a.body)
	}
}

// With the database gone, nobody signs in, nothing is filed and nothing shown.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	var relay *servers.Relay
	h := open(t, "postgres+s3", func(c *config.Config) {
		text, err := os.ReadFile(c.Database.URLFile)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		relay = servers.NewRelay(t, u.Host)
		u.Host = relay.Address
		c.Database.URLFile = secret(t, c.Data, "relayed", u.String())
	})
	item, nurse := h.filed(), h.session("nurse")
	stranger := another(t, "down")
	relay.Cut()
	unavailable(t, "sign in", h.nobody().ask("POST", "/session", map[string]string{"username": "nurse", "password": password}))
	unavailable(t, "upload", nurse.upload(stranger, h.details()))
	a := nurse.ask("GET", "/items/"+item+"/renditions/original-clean", nil)
	unavailable(t, "view", a)
	unavailable(t, "list", nurse.ask("GET", "/items", nil))
	if h.stored() != 1 {
		t.Errorf("%d objects are stored, want 1", h.stored())
	}
	relay.Mend(t)
	if h.items() != 1 {
		t.Errorf("%d items, want 1", h.items())
	}
	if a := nurse.upload(stranger, h.details()); a.status != http.StatusCreated {
		t.Errorf("when it is back: %d %s", a.status, a.body)
	}
}

// No event, no access: when the audit cannot be written, nothing is shown,
// opened, listed or filed.
func TestAuditUnwritable(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	secret, _ := h.linkTo(item, h.ids["consultant"])
	nurse, consultant := h.session("nurse"), h.session("consultant")
	var g api.Grant
	consultant.must("POST", "/links/open", http.StatusOK, map[string]string{"secret": secret}).into(t, &g)

	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.data, "wardseal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	run := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TRIGGER mute BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'mute'); END")
	marker := []byte{0xff, 0xd8, 0xff}
	for what, a := range map[string]answer{
		"picture":         nurse.ask("GET", "/items/"+item+"/renditions/original-clean", nil),
		"picture, opened": consultant.ask("GET", "/grants/"+string(g.ID)+"/renditions/original-clean", nil),
		"item":            nurse.ask("GET", "/items/"+item, nil),
		"items":           nurse.ask("GET", "/items", nil),
		"open a link":     consultant.open(secret),
		"refusal":         nurse.ask("GET", "/audit", nil),
		"upload":          nurse.upload(another(t, "mute"), h.details()),
	} {
		if a.status < 500 || a.header.Get("Content-Type") != "application/problem+json" || bytes.Contains(a.body, marker) || strings.Contains(string(a.body), item) || strings.Contains(string(a.body), "mute") {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	run("DROP TRIGGER mute")
	if n := h.items(); n != 1 {
		t.Errorf("%d items, want 1", n)
	}
	nurse.must("GET", "/items/"+item+"/renditions/original-clean", http.StatusOK, nil)
	consultant.must("POST", "/links/open", http.StatusOK, map[string]string{"secret": secret})
}
