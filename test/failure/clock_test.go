package failure

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// clockOf gives a database a clock of its own, and what sets how far it is from
// the servers'.
func clockOf(t *testing.T, url string) (set func(time.Duration)) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	run := func(text string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE SCHEMA shifted; CREATE TABLE shifted.by (one interval NOT NULL); INSERT INTO shifted.by VALUES ('0');
		CREATE FUNCTION shifted.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT pg_catalog.clock_timestamp() + one FROM shifted.by'`)
	run(fmt.Sprintf("ALTER DATABASE %s SET search_path = shifted, public, pg_catalog", conn.Config().Database))
	return func(by time.Duration) {
		t.Helper()
		run(fmt.Sprintf("UPDATE shifted.by SET one = '%d seconds'", int(by.Seconds())))
	}
}

// Links and grants live on the database's clock: a server whose own is a day
// ahead of it ends none early, and one that is a day behind revives none.
func TestClocksDoNotReviveLinks(t *testing.T) {
	t.Parallel()
	var set func(time.Duration)
	d := deploy(t, "postgres+s3", func(c *config.Config) {
		url := servers.Postgres(t)
		set = clockOf(t, url)
		c.Database.URLFile = secret(t, c.Data, "url", url)
	})
	d.serve()
	const day = 24 * time.Hour
	looked := 0
	for _, off := range []time.Duration{-day, 0, day} { // of the database from the server
		set(off)
		nurse, consultant := signIn(t, d.url(), "nurse"), signIn(t, d.url(), "consultant")
		if off == -day {
			nurse.register()
		}
		pic := photo(t, 48, 0)
		item, a := nurse.upload(pic, fmt.Sprintf("key of the day %d", off/day))
		if item == "" {
			t.Fatal(a)
		}
		link := func(uses int) (secret, id string) {
			t.Helper()
			var me api.Me
			consultant.must("GET", "/session", http.StatusOK, nil, &me)
			var l api.Link
			nurse.must("POST", "/items/"+item+"/links", http.StatusCreated, map[string]any{
				"audience": map[string]string{"kind": "person", "id": string(me.Person.ID)}, "purpose": "advice", "ttl_seconds": 900, "uses": uses}, &l)
			_, secret, _ = strings.Cut(l.URL, "#")
			return secret, string(l.ID)
		}
		open := func(secret string) answer {
			return consultant.ask("POST", "/links/open", map[string]string{"secret": secret})
		}
		live, _ := link(3)
		used, _ := link(1)
		revoked, id := link(3)
		var g api.Grant
		consultant.must("POST", "/links/open", http.StatusOK, map[string]string{"secret": used}, &g)
		nurse.must("DELETE", "/links/"+id, http.StatusNoContent, nil, nil)
		show := func() answer {
			return consultant.send("GET", "/grants/"+string(g.ID)+"/renditions/original-clean", nil)
		}
		expect := func(what string, a answer, status int, code string) {
			t.Helper()
			if a.status != status || a.code() != code {
				t.Errorf("the database %s from the server: %s: %s", off, what, a)
			}
			looked++
		}
		set(off + 2*time.Minute) // none ends early
		expect("a live link", open(live), http.StatusOK, "")
		expect("a live grant", show(), http.StatusOK, "")
		expect("a used link", open(used), http.StatusGone, "link-used")
		expect("a revoked link", open(revoked), http.StatusGone, "link-revoked")
		set(off + 14*time.Minute) // sessions idle for a quarter of an hour
		_ = consultant.send("GET", "/session", nil)
		set(off + 16*time.Minute)
		expect("an expired link", open(live), http.StatusGone, "link-expired")
		expect("an expired grant", show(), http.StatusGone, "link-expired")
		expect("a link used before it expired", open(used), http.StatusGone, "link-expired")
		expect("a revoked link, later", open(revoked), http.StatusGone, "link-revoked")
	}
	t.Logf("%d looks at links with the server's clock a day ahead, right and a day behind the database's: 0 revived, 0 ended early", looked)
}
