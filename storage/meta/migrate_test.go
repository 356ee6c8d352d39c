package meta_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite"

	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

var bytesIn = regexp.MustCompile(`\{[a-z]+\}`) // bytes in a query

// A database that version 1 made, with an item and jobs in it, goes forward
// with everything in its place.
func TestForwardsFromVersion1(t *testing.T) {
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			ctx := t.Context()
			cfg, name, dialect := meta.Config{Driver: driver, DSN: filepath.Join(t.TempDir(), "old.db")}, "sqlite", goose.DialectSQLite3
			if driver == "postgres" {
				cfg.DSN, name, dialect = servers.Postgres(t), "pgx", goose.DialectPostgres
			}
			db, err := sql.Open(name, cfg.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			p, err := goose.NewProvider(dialect, db, os.DirFS("migrations"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(ctx, 1); err != nil {
				t.Fatal(err)
			}
			const item = "01990000-0000-7000-8000-000000000001"
			for _, q := range []string{
				`INSERT INTO people (id, username, name, role, suspended, password, created_at) VALUES ('p', 'nurse', 'Example', 'clinician', false, 'x', 1)`,
				`INSERT INTO teams (id, name, created_at) VALUES ('t', 'Burns', 1)`,
				`INSERT INTO patients (id, number_index, details, created_at) VALUES ('a', {index}, {sealed}, 1)`,
				`INSERT INTO items (id, patient, team, uploader, format, consent, body_site, note, captured_at, filed_at, bytes, fingerprint, receipt, manifest)
					VALUES ('` + item + `', 'a', 't', 'p', 'JPEG', 'A', {site}, {note}, 5, 6, 7, {finger}, {receipt}, {manifest})`,
				`INSERT INTO jobs (id, kind, item, state, attempts, last_error, run_at, created_at) VALUES ('j1', 'derive', '` + item + `', 'dead', 1, 'undecodable', 1, 1)`,
				`INSERT INTO jobs (id, kind, item, state, run_at, created_at) VALUES ('j2', 'derive', '` + item + `', 'ready', 2, 2)`,
			} {
				q = bytesIn.ReplaceAllStringFunc(q, func(b string) string {
					if driver == "postgres" {
						return fmt.Sprintf(`'\x%x'`, b[1:len(b)-1])
					}
					return fmt.Sprintf("X'%x'", b[1:len(b)-1])
				})
				if _, err := db.ExecContext(ctx, q); err != nil {
					t.Fatal(err)
				}
			}
			s, err := meta.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if _, err := s.Item(ctx, item); err == nil {
				t.Error("the old schema passes for the new one")
			}
			if err := s.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			it, err := s.Item(ctx, item)
			if err != nil || it.Quality != nil || it.Bytes != 7 || string(it.Note) != "note" || string(it.Manifest) != "manifest" || it.Format != media.JPEG || it.CapturedAt.UnixMicro() != 5 ||
				it.CapturedWith != media.CapturedUnknown || it.ConsentGivenBy != media.GivenByNotStated || it.ConsentCapacity != media.CapacityNotStated || len(it.ConsentDetail) != 0 {
				t.Errorf("%+v %v", it, err)
			}
			jobs, err := s.JobsOf(ctx, item)
			if err != nil || len(jobs) != 2 || jobs[0].LastError != "undecodable" || jobs[0].State != meta.JobDead || jobs[1].State != meta.JobReady || jobs[1].Progress != 0 {
				t.Errorf("%+v %v", jobs, err)
			}
		})
	}
}

// A program does not touch a database that a newer one has used.
func TestNewerDatabaseIsRefused(t *testing.T) {
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			cfg, name := meta.Config{Driver: driver, DSN: filepath.Join(t.TempDir(), "w.db")}, "sqlite"
			if driver == "postgres" {
				cfg.DSN, name = servers.Postgres(t), "pgx"
			}
			s, err := meta.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for range 2 {
				if err := s.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			db, err := sql.Open(name, cfg.DSN)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)"); err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); !errors.Is(err, meta.ErrNewer) {
				t.Errorf("a newer database: %v", err)
			}
		})
	}
}
