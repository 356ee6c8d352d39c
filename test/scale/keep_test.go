package scale

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/internal/backup"
	"github.com/wardseal/wardseal/internal/fsck"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

// shelf is an object store that has the objects which fill names, and for a
// place of backups the copies of all of them; what is written to it is counted
// and kept only where it must be read again.
type shelf struct {
	blob.Store
	n       int
	copies  bool
	small   map[blob.Key][]byte
	written int64
}

const copied = "wardseal-backup-1/objects/"

// numbers gives the numbers below n in the order of their texts.
func numbers(n int, each func(text string) error) error {
	var below func(v int) error
	below = func(v int) error {
		if v >= n {
			return nil
		}
		if err := each(fmt.Sprint(v)); err != nil || v == 0 {
			return err
		}
		for d := range 10 {
			if err := below(v*10 + d); err != nil {
				return err
			}
		}
		return nil
	}
	for d := range 10 {
		if err := below(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) List(_ context.Context, prefix string, each func(blob.Info) error) error {
	if whole := map[bool]string{false: "items/", true: copied}[s.copies]; prefix == whole {
		return numbers(s.n, func(text string) error {
			return each(blob.Info{Key: blob.Key(strings.TrimSuffix(whole, "items/") + "items/" + text), Bytes: 4_001_000, Modified: time.Now()})
		})
	}
	for key, b := range s.small {
		if strings.HasPrefix(string(key), prefix) {
			if err := each(blob.Info{Key: key, Bytes: int64(len(b)), Modified: time.Now()}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *shelf) Create(_ context.Context, key blob.Key, r io.Reader, size int64) (blob.Info, error) {
	if _, taken := s.small[key]; taken {
		return blob.Info{}, blob.ErrExists
	}
	content, err := io.ReadAll(r)
	s.written += int64(len(content))
	if len(content) > 1000 {
		content = nil
	}
	s.small[key] = content
	return blob.Info{Key: key, Bytes: size}, err
}

// OpenAt gives what is short: the name of the deployment.
func (s *shelf) OpenAt(_ context.Context, key blob.Key, _, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.small[key])), nil
}

// BenchmarkKeep prints how fast rows and objects are compared, and what a
// backup of the database costs, first and again.
func BenchmarkKeep(b *testing.B) {
	n := 1_000_000
	if text := os.Getenv("ITEMS"); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			b.Fatal(err)
		}
	}
	ctx := context.Background()
	url := servers.Postgres(b)
	s, err := meta.Open(meta.Config{Driver: "postgres", DSN: url})
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
	fill(b, conn, 0, n)
	// What is sealed is as random as it really is, so that it does not compress.
	random := func(column string, bytes int) string {
		return fmt.Sprintf("%s = (SELECT string_agg(decode(md5(random()::text || t.ctid::text || g), 'hex'), '') FROM generate_series(1, %d) g)", column, bytes/16)
	}
	for _, sql := range []string{
		"UPDATE items t SET " + strings.Join([]string{random("body_site", 64), random("note", 80), random("receipt", 368), random("manifest", 704)}, ", "),
		"UPDATE wrapped_keys t SET " + random("wrapped", 176), "UPDATE patients t SET " + random("details", 160), "ANALYZE",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}

	c := &fsck.Checker{Store: s, Objects: &shelf{n: n}, Fast: true, By: "benchmark"}
	began := time.Now()
	sum, err := c.Run(ctx, "")
	if err != nil || sum.Wrong != 0 || sum.Checked != int64(n) {
		b.Fatalf("%+v, %v", sum, err)
	}
	took := time.Since(began)
	fmt.Printf("\nfsck --fast over %d items: %s, %.0f items/s, %s of memory\n", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), memory())

	place := &shelf{n: n, copies: true, small: map[blob.Key][]byte{}}
	m := maker(b, s, place)
	for _, what := range []string{"first backup", "again, nothing new", "again, one item in a hundred changed"} {
		if strings.HasSuffix(what, "changed") { // the newest, as most changes are
			if _, err := conn.Exec(ctx, fmt.Sprintf("UPDATE items SET kept_until = 1 WHERE id >= '%s'", id("i", n-n/100))); err != nil {
				b.Fatal(err)
			}
		}
		before := place.written
		began := time.Now()
		made, err := m.Make(ctx)
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(began)
		fmt.Printf("%-38s %s, %.0f items/s; %d parts written, %.1f bytes an item; manifest and all %.1f MB; %s of memory\n", what+":", took.Round(time.Millisecond), float64(n)/took.Seconds(),
			made.NewParts, float64(made.PartBytes)/float64(n), float64(place.written-before)/1e6, memory())
	}
	b.ReportMetric(0, "ns/op")
}

func memory() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("%.0f MB", float64(m.Sys)/1e6)
}

func maker(b *testing.B, s *meta.Store, place blob.Store) *backup.Maker {
	b.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		b.Fatal(err)
	}
	own, to, err := archive.ParseIdentities(id.String())
	if err != nil {
		b.Fatal(err)
	}
	roots, err := keyring.LoadRoots(strings.NewReader(id.String()))
	if err != nil {
		b.Fatal(err)
	}
	escrow, err := keyring.ParseEscrow(strings.NewReader(to.Lines()))
	if err != nil {
		b.Fatal(err)
	}
	ring, err := keyring.Open(roots, nil, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	var sealed []media.SealedKey
	for _, need := range ring.Missing(keyring.Period(time.Now())) {
		k, err := keyring.Mint(roots, escrow, need, time.Now())
		if err != nil {
			b.Fatal(err)
		}
		sealed = append(sealed, k)
	}
	if err := ring.Load(sealed); err != nil {
		b.Fatal(err)
	}
	box, err := spool.New(spool.Config{Dir: filepath.Join(b.TempDir(), "spool"), MemoryBytes: 8 << 20, TotalMemoryBytes: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	return &backup.Maker{Store: s, Objects: &shelf{small: map[blob.Key][]byte{}}, Place: place, Ring: ring, To: to, Escrow: to, Own: own, Spool: box, Program: "benchmark", Database: "postgres"}
}
