package bench

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/mod/sumdb/note"
	_ "modernc.org/sqlite"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/ledger"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/storage/sink"
	"github.com/wardseal/wardseal/test/servers"
)

// ledgerEvents is how many events are integrated and verified.
const ledgerEvents = 100_000

// BenchmarkLedger prints how many events a second are integrated, signed and
// published, and how many are verified, on both databases and from an export.
func BenchmarkLedger(b *testing.B) {
	for _, driver := range []string{"sqlite", "postgres"} {
		cfg, name := meta.Config{Driver: driver, DSN: filepath.Join(b.TempDir(), "w.db")}, "sqlite"
		if driver == "postgres" {
			cfg.DSN, name = servers.Postgres(b), "pgx"
		}
		db, err := meta.Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate(b.Context()); err != nil {
			b.Fatal(err)
		}
		export := fill(b, name, cfg.DSN)
		private, public, err := note.GenerateKey(nil, "wardseal/audit/bench")
		if err != nil {
			b.Fatal(err)
		}
		signs, err := note.NewSigner(private)
		if err != nil {
			b.Fatal(err)
		}
		checks, err := note.NewVerifier(public)
		if err != nil {
			b.Fatal(err)
		}
		kept := sink.NewFile(filepath.Join(b.TempDir(), "checkpoints"))
		s := &ledger.Sequencer{Store: db, Key: func() (note.Signer, note.Verifier, error) { return signs, checks, nil }, Sinks: []sink.Sink{kept}}
		second := func(what string, do func() error) {
			start, used := time.Now(), cpu(b)
			if err := do(); err != nil {
				b.Fatal(err)
			}
			fmt.Printf("%-10s %-45s %9.0f events a second, %5.2f µs of CPU each\n", driver, what, ledgerEvents/time.Since(start).Seconds(), float64((cpu(b)-used).Nanoseconds())/ledgerEvents/1000)
		}
		second("integrated and signed, every 1,000", func() error { return s.Round(b.Context(), true) })
		second("verified in the database, tree and sink", func() error {
			got, err := ledger.Verify(b.Context(), db, checks, []sink.Sink{kept})
			if err == nil && got.Covered != ledgerEvents {
				err = fmt.Errorf("%+v", got)
			}
			return err
		})
		l, err := db.Ledger(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		second("verified in an export", func() error {
			_, err := ledger.VerifyExport(bytes.NewReader(export), l.Checkpoint.Note, checks)
			return err
		})
	}
}

// cpu is what this process has used: on a machine that others use too it says
// more than the time.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// fill writes events as the program does, many at once, and gives them as an
// export has them.
func fill(b *testing.B, driver, dsn string) []byte {
	b.Helper()
	ctx := context.Background()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		b.Fatal(err)
	}
	insert := "INSERT INTO audit_events (seq, id, at, type, actor, person, item, patient, link, body) VALUES (?,?,?,?,?,?,?,?,?,?)"
	if driver == "pgx" {
		insert = "INSERT INTO audit_events (seq, id, at, type, actor, person, item, patient, link, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)"
	}
	into, err := tx.PrepareContext(ctx, insert)
	if err != nil {
		b.Fatal(err)
	}
	id := func() string { return uuid.Must(uuid.NewV7()).String() }
	who := access.Principal{Person: access.Person{ID: access.NewPersonID()}, Session: access.NewSessionID(), Request: id()}
	var export bytes.Buffer
	at := time.Now().UTC().Truncate(time.Microsecond)
	for seq := int64(1); seq <= ledgerEvents; seq++ {
		ev := audit.NewEvent(audit.PictureShown, who, audit.Subject{Item: id(), Rendition: "preview", Patient: id()})
		ev.Seq, ev.At = seq, at.Add(time.Duration(seq)*time.Millisecond)
		body, err := ev.Canonical()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := into.ExecContext(ctx, seq, ev.ID, ev.At.UnixMicro(), string(ev.Type), string(ev.Actor), "", ev.Subject.Item, ev.Subject.Patient, "", body); err != nil {
			b.Fatal(err)
		}
		export.Write(append(body, '\n'))
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE audit_counter SET seq = %d", ledgerEvents)); err != nil {
		b.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	return export.Bytes()
}
