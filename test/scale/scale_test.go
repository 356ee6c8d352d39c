// Package scale measures the questions of the records team on a database of
// millions of synthetic items, and prints their times, their query plans and
// what ten times as much costs:
//
//	make scale            one hundred thousand, one million, ten million items
//	make scale ITEMS=...  another number
//
// The rows are made by the database itself: they have the sizes of real ones,
// and no meaning.
package scale

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// plans collects what the database says of its plans.
type plans struct {
	mu   sync.Mutex
	last string
}

func (p *plans) notice(_ *pgconn.PgConn, n *pgconn.Notice) {
	if strings.Contains(n.Message, "plan:") {
		p.mu.Lock()
		p.last = n.Message
		p.mu.Unlock()
	}
}

// BenchmarkRecords fills a database step by step and asks it.
func BenchmarkRecords(b *testing.B) {
	sizes := []int{100_000, 1_000_000, 10_000_000}
	if text := os.Getenv("ITEMS"); text != "" {
		var n int
		if _, err := fmt.Sscan(text, &n); err != nil {
			b.Fatal(err)
		}
		sizes = []int{n / 100, n / 10, n}
	}
	ctx := context.Background()
	url := servers.Postgres(b)
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		b.Fatal(err)
	}
	p := &plans{}
	cfg.OnNotice = p.notice
	cfg.RuntimeParams["session_preload_libraries"] = "auto_explain"
	cfg.RuntimeParams["auto_explain.log_min_duration"] = "0"
	cfg.RuntimeParams["auto_explain.log_analyze"] = "on"
	cfg.RuntimeParams["auto_explain.log_timing"] = "off"
	cfg.RuntimeParams["auto_explain.log_level"] = "notice"
	s, err := meta.Open(meta.Config{Driver: "postgres", DSN: stdlib.RegisterConnConfig(cfg)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(ctx); err != nil {
		b.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(ctx) })
	before, bytes := map[string]time.Duration{}, int64(0)
	have := 0
	for _, n := range sizes {
		began := time.Now()
		fill(b, conn, have, n)
		have = n
		var size int64
		if err := conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&size); err != nil {
			b.Fatal(err)
		}
		fmt.Printf("\n%d items, %d patients: %.1f GB (filled in %s)", n, n/5, float64(size)/1e9, time.Since(began).Round(time.Second))
		if bytes > 0 {
			fmt.Printf("; %.1f x the last", float64(size)/float64(bytes))
		}
		fmt.Println()
		bytes = size
		before = ask(b, s, p, n, before, n == sizes[len(sizes)-1])
	}
	b.ReportMetric(0, "ns/op")
}

// ask times each question, the best of three.
func ask(b *testing.B, s *meta.Store, p *plans, n int, before map[string]time.Duration, show bool) map[string]time.Duration {
	ctx, out := context.Background(), map[string]time.Duration{}
	team, patient := access.TeamID(id("t", 3)), media.PatientID(id("p", n/10))
	since := time.Now().AddDate(-2, 0, 0)
	hold := retention.Hold{ID: retention.NewHoldID(), PlacedBy: access.PersonID(id("u", 1)), Criteria: retention.Criteria{From: since, Teams: []access.TeamID{team}}}
	if err := s.PlaceHold(ctx, hold, audit.NewEvent(audit.HoldPlaced, access.Principal{}, audit.Subject{})); err != nil {
		b.Fatal(err)
	}
	for _, q := range []struct {
		name string
		do   func() (string, error)
	}{
		{"due sweep: a page of 100 due items", func() (string, error) {
			rows, err := s.DueItems(ctx, meta.DueFilter{Limit: 100})
			return fmt.Sprint(len(rows)), err
		}},
		{"due sweep: count all that is due, and held", func() (string, error) {
			items, held, err := s.CountDue(ctx)
			return fmt.Sprintf("%d due, %d held", items, held), err
		}},
		{"hold match: items of a team since a day", func() (string, error) {
			items, due, err := s.CountMatching(ctx, hold.Criteria)
			return fmt.Sprintf("%d, %d due", items, due), err
		}},
		{"hold match: items of one patient", func() (string, error) {
			items, _, err := s.CountMatching(ctx, retention.Criteria{Patients: []media.PatientID{patient}})
			return fmt.Sprint(items), err
		}},
		{"patient timeline", func() (string, error) {
			rows, err := s.Items(ctx, meta.ItemFilter{Patient: patient, Visible: meta.Visibility{All: true}, Limit: 50})
			return fmt.Sprint(len(rows)), err
		}},
		{"a patient's record with dates and holds", func() (string, error) {
			r, err := s.Record(ctx, patient)
			return fmt.Sprint(len(r.Items)), err
		}},
		{"records to date again: a page of 100", func() (string, error) {
			rows, err := s.StalePatients(ctx, 100)
			return fmt.Sprint(len(rows)), err
		}},
	} {
		best, said := time.Duration(0), ""
		for range 3 {
			began := time.Now()
			var err error
			if said, err = q.do(); err != nil {
				b.Fatalf("%s: %v", q.name, err)
			}
			if took := time.Since(began); best == 0 || took < best {
				best = took
			}
		}
		out[q.name] = best
		growth := ""
		if was := before[q.name]; was > 0 {
			growth = fmt.Sprintf("  %.1f x the last", float64(best)/float64(was))
		}
		fmt.Printf("  %-48s %10s%s  (%s)\n", q.name, best.Round(10*time.Microsecond), growth, said)
		if show {
			p.mu.Lock()
			_, plan, _ := strings.Cut(p.last, "plan:")
			p.mu.Unlock()
			for line := range strings.Lines(plan) {
				if !strings.HasPrefix(line, "Query Text") && !strings.HasPrefix(strings.TrimSpace(line), "SELECT") {
					fmt.Print("      ", line)
				}
			}
			fmt.Println()
		}
	}
	if err := s.ReleaseHold(ctx, hold.ID, hold.PlacedBy, nil, audit.NewEvent(audit.HoldReleased, access.Principal{}, audit.Subject{})); err != nil {
		b.Fatal(err)
	}
	return out
}

// id is the nth identifier of a kind, in the form of a UUID.
func id(kind string, n int) string {
	return fmt.Sprintf("0000%s000-0000-7000-8000-%012x", map[string]string{"p": "a", "t": "b", "u": "c", "i": "d"}[kind], n)
}

// fill adds items from up to to, five of each patient, in 20 teams, filed over
// ten years; of each hundred one is due.
func fill(b *testing.B, conn *pgx.Conn, from, to int) {
	b.Helper()
	uuid := func(kind, n string) string {
		prefix := id(kind, 0)
		return fmt.Sprintf("'%s' || lpad(to_hex(%s), 12, '0')", prefix[:len(prefix)-12], n)
	}
	sealed := func(bytes int) string { return fmt.Sprintf("decode(repeat('5a', %d), 'hex')", bytes) }
	now := time.Now().UnixMicro()
	const decade = 10 * 365 * 24 * int64(3600) * 1_000_000
	var drop, again []string
	rows, err := conn.Query(context.Background(), "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ('items', 'patients', 'renditions', 'wrapped_keys') AND indexdef NOT LIKE '%UNIQUE%'")
	if err != nil {
		b.Fatal(err)
	}
	for rows.Next() {
		var name, def string
		if err := rows.Scan(&name, &def); err != nil {
			b.Fatal(err)
		}
		drop, again = append(drop, "DROP INDEX "+name), append(again, def)
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	work := drop
	if from == 0 {
		work = append(work,
			"INSERT INTO people (id, username, name, role, suspended, password, created_at) SELECT "+uuid("u", "n")+", 'u' || n, 'Example ' || n, 'clinician', FALSE, 'x', 0 FROM generate_series(1, 200) n",
			"INSERT INTO teams (id, name, created_at) SELECT "+uuid("t", "n")+", 'Team ' || n, 0 FROM generate_series(1, 20) n",
			"INSERT INTO sealed_keys (id, purpose, period, sealed, public, created_at) VALUES ('k', 'kek', '2026-01', '', '', 0)")
	}
	work = append(work,
		fmt.Sprintf("INSERT INTO patients (id, number_index, details, created_at, stale) SELECT %s, decode(md5(n::text) || md5(n::text), 'hex'), %s, 0, 0 FROM generate_series(%d, %d) n", uuid("p", "n"), sealed(160), from/5+1, (to-1)/5+1),
		fmt.Sprintf(`INSERT INTO items (id, patient, team, uploader, format, consent, body_site, note, captured_at, filed_at, bytes, fingerprint, sole, receipt, manifest, site, due_on, due_rule)
			SELECT %s, %s, %s, %s, 'JPEG', 'A', %s, %s, %d + n * (%d / %d), %d + n * (%d / %d), 4000000, decode(md5(n::text), 'hex'), decode(md5(n::text), 'hex'), %s, %s, %s,
				CASE WHEN n %% 100 = 0 THEN %d ELSE %d END, 'adult' FROM generate_series(%d, %d) n`,
			uuid("i", "n"), uuid("p", "n / 5 + 1"), uuid("t", "n % 20 + 1"), uuid("u", "n % 200 + 1"), sealed(60), sealed(80), now-decade, decade, to, now-decade, decade, to,
			sealed(360), sealed(700), sealed(32), now-1_000_000, now+decade, from, to-1),
		fmt.Sprintf("INSERT INTO renditions (item, rendition, format, object_key, bytes, object_bytes, width, height) SELECT %s, 'original-clean', 'JPEG', 'items/' || n, 4000000, 4001000, 4000, 3000 FROM generate_series(%d, %d) n", uuid("i", "n"), from, to-1),
		fmt.Sprintf("INSERT INTO wrapped_keys (item, rendition, kek, wrapped) SELECT %s, 'original-clean', 'k', %s FROM generate_series(%d, %d) n", uuid("i", "n"), sealed(180), from, to-1))
	work = append(work, again...)
	work = append(work, "ANALYZE")
	for _, sql := range work {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			b.Fatalf("%s: %v", sql, err)
		}
	}
}
