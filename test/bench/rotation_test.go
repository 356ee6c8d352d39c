package bench

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/custody"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

// rotationItems is how many items are taken to a new key-encryption key, each
// with an original, a preview and a thumbnail.
const rotationItems = 40_000

// BenchmarkRotation prints how many items a minute a rotation takes to a new
// key-encryption key, beside plain updates of the same rows on the same
// database.
func BenchmarkRotation(b *testing.B) {
	for _, driver := range []string{"sqlite", "postgres"} {
		cfg, name := meta.Config{Driver: driver, DSN: filepath.Join(b.TempDir(), "w.db")}, "sqlite"
		if driver == "postgres" {
			cfg.DSN, name = servers.Postgres(b), "pgx"
		}
		store, err := meta.Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer store.Close()
		if err := store.Migrate(b.Context()); err != nil {
			b.Fatal(err)
		}
		desk := wrapped(b, store, name, cfg.DSN)
		began := time.Now()
		n, err := desk.RotateKEK(b.Context(), func(custody.Progress) {})
		took := time.Since(began)
		if err != nil || n != 3*rotationItems {
			b.Fatalf("%d taken over, %v", n, err)
		}
		plain := updates(b, name, cfg.DSN)
		fmt.Printf("rotation, %s: %.0f items (three renditions each) a minute; %.2f of plain updates\n",
			driver, rotationItems/took.Minutes(), plain.Seconds()/took.Seconds())
	}
}

// wrapped fills a database with items whose keys are wrapped in truth.
func wrapped(b *testing.B, store *meta.Store, name, dsn string) *custody.Desk {
	b.Helper()
	check := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	text, recipient, err := keyring.MintRoot()
	check(err)
	roots, err := keyring.LoadRoots(strings.NewReader(text))
	check(err)
	escrow, err := keyring.ParseEscrow(strings.NewReader(recipient))
	check(err)
	now, err := store.Now(b.Context())
	check(err)
	k, err := keyring.Mint(roots, escrow, keyring.Need{Purpose: keyring.PurposeKEK, Period: keyring.Period(now)}, now)
	check(err)
	check(store.AddSealedKey(b.Context(), k, audit.NewEvent(audit.KeyMade, access.Principal{}, audit.Subject{})))
	ring, err := keyring.Open(roots, []media.SealedKey{k}, time.Now)
	check(err)
	id, err := seal.Mint()
	check(err)

	db, err := sql.Open(name, dsn)
	check(err)
	defer db.Close()
	tx, err := db.BeginTx(context.Background(), nil)
	check(err)
	insert := func(table, columns string) *sql.Stmt {
		n := strings.Count(columns, ",") + 1
		marks := make([]string, n)
		for i := range marks {
			marks[i] = fmt.Sprintf("$%d", i+1)
		}
		s, err := tx.Prepare("INSERT INTO " + table + " (" + columns + ") VALUES (" + strings.Join(marks, ",") + ")")
		check(err)
		return s
	}
	do := func(s *sql.Stmt, args ...any) {
		_, err := s.Exec(args...)
		check(err)
	}
	do(insert("people", "id, username, name, role, suspended, password, created_at"), "u", "u", "Example", "clinician", false, "x", 0)
	do(insert("teams", "id, name, created_at"), "t", "Team", 0)
	do(insert("patients", "id, number_index, details, created_at"), "p", []byte("p"), []byte("p"), 0)
	items := insert("items", "id, patient, team, uploader, format, consent, body_site, note, captured_at, filed_at, bytes, fingerprint, receipt, manifest")
	renditions := insert("renditions", "item, rendition, format, object_key, bytes, object_bytes, width, height")
	keys := insert("wrapped_keys", "item, rendition, kek, wrapped")
	for i := range rotationItems {
		item := media.NewItemID()
		do(items, string(item), "p", "t", "u", "JPEG", "A", make([]byte, 60), make([]byte, 60), 0, i, 1, []byte{byte(i), byte(i >> 8), byte(i >> 16)}, []byte("r"), make([]byte, 700))
		for _, r := range []media.Rendition{media.Original, media.Preview, media.Thumbnail} {
			w, err := ring.Wrap(item, r, media.JPEG, id)
			check(err)
			do(renditions, string(item), string(r), "JPEG", "items/"+string(item)+string(r), 1, 1, 1, 1)
			do(keys, string(item), string(r), w.KEK, w.Wrapped)
		}
	}
	check(tx.Commit())
	_, err = db.Exec("ANALYZE") // as a database that has grown by itself has done
	check(err)
	return &custody.Desk{Store: store, Roots: roots, Escrow: escrow}
}

// updates writes the same rows anew, as many in one transaction as a rotation
// does, and says how long that takes.
func updates(b *testing.B, name, dsn string) time.Duration {
	b.Helper()
	db, err := sql.Open(name, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if name == "sqlite" {
		if _, err := db.Exec("PRAGMA synchronous = FULL"); err != nil {
			b.Fatal(err)
		}
	}
	type row struct{ item, rendition string }
	var all []row
	rows, err := db.Query("SELECT item, rendition FROM wrapped_keys ORDER BY item, rendition")
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.item, &r.rendition); err != nil {
			b.Fatal(err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	for len(all) > 0 {
		n := min(2000, len(all))
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		s, err := tx.Prepare("UPDATE wrapped_keys SET wrapped = $1 WHERE item = $2 AND rendition = $3")
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range all[:n] {
			if _, err := s.Exec(make([]byte, 160), r.item, r.rendition); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		all = all[n:]
	}
	return time.Since(began)
}
