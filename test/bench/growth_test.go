package bench

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/wardseal/wardseal/test/servers"
)

// grown is how many photos are filed, asked about and looked at.
const grown = 400

// BenchmarkGrowth prints what a photo, a link and a look add to the database and
// to the object store: the figures of the capacity page in docs/operations.md.
func BenchmarkGrowth(b *testing.B) {
	for _, driver := range []string{"sqlite", "postgres"} {
		b.Run(driver, func(b *testing.B) {
			growth(b, driver)
			b.ReportMetric(0, "ns/op")
		})
	}
}

func growth(b *testing.B, driver string) {
	var url string
	var settings []string
	if driver == "postgres" {
		url = servers.Postgres(b)
		settings = over(b, url)
	}
	h := openWith(b, nil, false, settings...)
	db, size := databaseOf(b, driver, url, h.dir)
	picture, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		b.Fatal(err)
	}
	last, lastEvents := size(), count(b, db, "audit_events")
	say := func(what string) {
		at, events := size(), count(b, db, "audit_events")
		fmt.Printf("%-9s %-28s %7.0f bytes of database, %.1f events\n", driver, what, float64(at-last)/grown, float64(events-lastEvents)/grown)
		last, lastEvents = at, events
	}
	fmt.Println()

	var items []string
	for range grown {
		item, err := h.upload("a.jpg", bytes.NewReader(picture), int64(len(picture)))
		if err != nil {
			b.Fatal(err)
		}
		items = append(items, item)
	}
	for until := time.Now().Add(5 * time.Minute); count(b, db, "jobs WHERE state = 'ready'") > 0; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(until) {
			b.Fatal("the previews are not made in time")
		}
	}
	say("a photo and its previews:")
	order := map[string]any{"audience": map[string]string{"kind": "role", "id": "consultant"}, "purpose": "advice on dressing"}
	for _, item := range items {
		h.json(b, "POST", "/items/"+item+"/links", order, nil)
	}
	say("a link:")
	for _, item := range items {
		if _, err := h.do("GET", "/items/"+item+"/renditions/preview", io.Discard); err != nil {
			b.Fatal(err)
		}
	}
	say("a look:")

	var clean, stored, objects int64
	for _, table := range []struct {
		sql string
		to  *int64
	}{{"SELECT sum(bytes) FROM renditions", &clean}, {"SELECT sum(object_bytes) FROM renditions", &stored}, {"SELECT count(*) FROM renditions", &objects}} {
		if err := db.QueryRow(table.sql).Scan(table.to); err != nil {
			b.Fatal(err)
		}
	}
	fmt.Printf("%-9s %.1f objects a photo, each %.0f bytes longer encrypted; %d bytes of files for %d of objects\n", driver, float64(objects)/grown,
		float64(stored-clean)/float64(objects), filesIn(b, filepath.Join(h.dir, "objects")), stored)
}

// databaseOf opens a house's database beside its server, and gives what tells its
// size.
func databaseOf(b *testing.B, driver, url, dir string) (*sql.DB, func() int64) {
	b.Helper()
	name, source, ask := "pgx", url, "SELECT pg_database_size(current_database())"
	if driver == "sqlite" {
		name, source, ask = "sqlite", "file:"+filepath.Join(dir, "wardseal.db")+"?mode=ro", "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
	}
	db, err := sql.Open(name, source)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db, func() (n int64) {
		if err := db.QueryRow(ask).Scan(&n); err != nil {
			b.Fatal(err)
		}
		return n
	}
}

func count(b *testing.B, db *sql.DB, of string) (n int64) {
	b.Helper()
	if err := db.QueryRow("SELECT count(*) FROM " + of).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func filesIn(b *testing.B, dir string) (n int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
