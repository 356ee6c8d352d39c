package e2e

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/test/servers"
)

// flags are a house's settings, as the command line takes them.
func flags(c config.Config) []string {
	out := []string{"--data", c.Data}
	add := func(name, value string) {
		if value != "" {
			out = append(out, "--"+name, value)
		}
	}
	add("database-driver", c.Database.Driver)
	add("database-url-file", c.Database.URLFile)
	add("objects-kind", c.Objects.Kind)
	add("objects-endpoint", c.Objects.Endpoint)
	add("objects-bucket", c.Objects.Bucket)
	add("objects-access-key", c.Objects.AccessKey)
	add("objects-secret-key-file", c.Objects.SecretKeyFile)
	add("objects-ca-file", c.Objects.CAFile)
	add("keys-root-file", c.Keys.RootFile)
	add("keys-escrow-file", c.Keys.EscrowFile)
	add("jurisdiction", c.Records.Jurisdiction)
	add("organisation", c.Records.Organisation)
	if c.Records.Backups > 0 {
		add("backups-kept-for", c.Records.Backups.String())
	}
	return out
}

// command runs the program over a house and wants a status.
func command(t *testing.T, c config.Config, want int, args ...string) string {
	t.Helper()
	out, errs, status := servers.Run(t, "", append(args, flags(c)...)...)
	if status != want {
		t.Fatalf("wardseal %s: status %d, want %d\n%s\n%s", strings.Join(args, " "), status, want, out, errs)
	}
	return out + errs
}

// newPlace is an empty deployment without any key, on the other pair of
// engines where a test asks for it.
func newPlace(t *testing.T, like config.Config, other bool) config.Config {
	t.Helper()
	c := like
	c.Data = filepath.Join(t.TempDir(), "new")
	if (c.Database.Driver == "postgres") == other {
		c.Database, c.Objects = config.Default(c.Data).Database, config.Default(c.Data).Objects
		return c
	}
	dir, srv := t.TempDir(), servers.VersityGW(t)
	c.Database = config.Database{Driver: "postgres", URLFile: secret(t, dir, "url", servers.Postgres(t))}
	c.Objects = config.Objects{Kind: "s3", Endpoint: srv.Endpoint, Bucket: srv.NewBucket(t, true), Region: srv.Region,
		AccessKey: srv.AccessKey, SecretKeyFile: secret(t, dir, "key", srv.SecretKey), CAFile: srv.CAFile}
	return c
}

// place is where a test's backups are.
func place(t *testing.T) (string, blob.Store) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "backups")
	s, err := filesystem.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, s
}

// places are a folder for one kind of house, and a bucket that keeps versions
// for the other, with the settings for it.
func places(t *testing.T, kind string) (string, blob.Store, []string) {
	t.Helper()
	if kind != "postgres+s3" {
		dir, s := place(t)
		return dir, s, nil
	}
	srv := servers.VersityGW(t)
	bucket, key := srv.NewBucket(t, true), secret(t, t.TempDir(), "key", srv.SecretKey)
	s, err := s3.Open(s3.Config{Endpoint: srv.Endpoint, Bucket: bucket, Region: srv.Region, AccessKey: srv.AccessKey, SecretKey: s3.Secret(srv.SecretKey), CAFile: srv.CAFile})
	if err != nil {
		t.Fatal(err)
	}
	return "s3:" + bucket, s, []string{"--place-endpoint", srv.Endpoint, "--place-access-key", srv.AccessKey, "--place-secret-key-file", key, "--place-ca-file", srv.CAFile}
}

func keysIn(t *testing.T, s blob.Reader, prefix string) (keys []string) {
	t.Helper()
	if err := s.List(t.Context(), prefix, func(i blob.Info) error { keys = append(keys, string(i.Key)); return nil }); err != nil {
		t.Fatal(err)
	}
	return keys
}

// pictures reads every item, and gives its bytes' hash by its identifier.
func (h *house) pictures() map[media.ItemID][32]byte {
	h.t.Helper()
	out := map[media.ItemID][32]byte{}
	var page struct{ Items []struct{ ID media.ItemID } }
	h.as("nurse").must("GET", "/items?limit=200", http.StatusOK, nil).into(h.t, &page)
	for _, i := range page.Items {
		a := h.as("nurse").ask("GET", "/items/"+string(i.ID)+"/renditions/original-clean", nil)
		if a.status != http.StatusOK {
			h.t.Fatalf("%s: %d %s", i.ID, a.status, a.body)
		}
		out[i.ID] = sha256.Sum256(a.body)
	}
	return out
}

// shares splits the escrow identity among five people, of whom some come.
func (h *house) shares(who ...string) (args []string) {
	h.t.Helper()
	parts := h.t.TempDir()
	if out, errs, status := servers.Run(h.t, "", "keys", "escrow", "split", "--identity", filepath.Join(h.data, "escrow-identity.txt"), "--out", parts); status != 0 {
		h.t.Fatal(out, errs)
	}
	for _, n := range who {
		args = append(args, "--share", filepath.Join(parts, "share-"+n+"-of-5.txt"))
	}
	return args
}

// What was backed up comes back, with three shares of the escrow identity alone, on another
// machine and another kind of database and store: every item's bytes, the records, and the audit as far as it was. What
// was destroyed since stays destroyed, and what was revoked stays so.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := open(t, kind, kept(retention.Scotland, 0))
			if err := h.guided(h.hire("records2", "records-officer")); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				h.file(h.as("nurse"))
			}
			want := h.pictures()
			dir, s, at := places(t, kind)
			said := command(t, h.sys.Config, 0, append([]string{"backup", "--to", dir}, at...)...)
			if !strings.Contains(said, "new in it: 3 objects") {
				t.Errorf("the first backup says:\n%s", said)
			}
			h.nothingReadable(s)
			parts := len(keysIn(t, s, "wardseal-backup-1/parts/"))

			for _, p := range h.status() {
				if p.Name == "Backups" && (!p.OK || !strings.HasPrefix(p.Says.String(), "the last was made")) {
					t.Errorf("the status says: %+v", p)
				}
			}

			// A second copies what is new, and nothing else.
			late := h.file(h.as("nurse"))
			said = command(t, h.sys.Config, 0, append([]string{"backup", "--to", dir}, at...)...)
			if !strings.Contains(said, "new in it: 1 objects") {
				t.Errorf("the second backup says:\n%s", said)
			}
			if more := len(keysIn(t, s, "wardseal-backup-1/parts/")) - parts; more >= parts {
				t.Errorf("the second backup has %d parts that the first of %d had not", more, parts)
			}
			for id, sum := range h.pictures() {
				want[id] = sum
			}
			if _, ok := want[late.ID]; !ok || len(want) != 4 {
				t.Fatalf("%d pictures", len(want))
			}

			to := newPlace(t, h.sys.Config, true)
			to.Keys.EscrowFile = ""
			said = command(t, to, 0, append(append([]string{"restore", "--from", dir}, h.shares("1", "3", "4")...), at...)...)
			for _, part := range []string{"4 objects copied", "every object was read: 4", "of which 0 are not", "--audit-file", "sealed to a new root identity"} {
				if !strings.Contains(said, part) {
					t.Errorf("the restore does not say %q:\n%s", part, said)
				}
			}
			before := h.as("nurse")
			h.restart(h.sys.Config) // the old house goes on

			command(t, to, 2, append([]string{"restore", "--from", dir}, at...)...) // it is not empty any more
			back := &house{t: t, data: to.Data, team: h.team, ids: h.ids}
			var err error
			if back.sys, err = config.Open(t.Context(), withDefaults(to)); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = back.sys.Close() })
			back.serve()
			if a := (&person{h: back, cookie: before.cookie}).ask("GET", "/session", nil); a.status != http.StatusUnauthorized {
				t.Errorf("a session from before the restore is live: %d", a.status)
			}
			got := back.pictures()
			if len(got) != len(want) {
				t.Errorf("%d pictures came back, of %d", len(got), len(want))
			}
			for id, sum := range want {
				if got[id] != sum {
					t.Errorf("item %s is not what it was", id)
				}
			}
			if n := back.events("backup.restored"); n != 1 {
				t.Errorf("%d events of the restore", n)
			}
			back.checkpoint()
			if said := command(t, to, 0, "audit", "verify"); !strings.Contains(said, "are as they were recorded") {
				t.Errorf("the audit after the restore: %s", said)
			}
			command(t, to, 0, "fsck")
		})
	}
}

// withDefaults are the settings of a house that is opened in this process.
func withDefaults(c config.Config) config.Config {
	c.Limits.NoDerivatives = true
	return c
}

// nothingReadable looks for what nobody may read in a place for backups.
func (h *house) nothingReadable(s blob.Reader) {
	h.t.Helper()
	for _, key := range keysIn(h.t, s, "") {
		r, err := s.OpenAt(h.t.Context(), blob.Key(key), 0, -1)
		if err != nil {
			h.t.Fatal(err)
		}
		var b bytes.Buffer
		_, err = b.ReadFrom(r)
		if err != nil {
			h.t.Fatal(err)
		}
		_ = r.Close()
		for _, secret := range []string{"Test Patient", "nurse", "NOTE-MARKER", "9990000018", "item.filed"} {
			if bytes.Contains(b.Bytes(), []byte(secret)) {
				h.t.Errorf("%s holds %q", key, secret)
			}
		}
		if !strings.HasSuffix(key, "/deployment") && !bytes.HasPrefix(b.Bytes(), []byte("age-encryption.org/v1\n")) {
			h.t.Errorf("%s is no age file", key)
		}
	}
}

// flip changes one bit in the middle of a file of a backup.
func flip(t *testing.T, dir, key string) func() {
	t.Helper()
	path := filepath.Join(dir, "objects", key)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x := bytes.Clone(b)
	x[len(x)/2] ^= 1
	if err := os.WriteFile(path, x, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A backup with one flipped bit, wherever it is, is refused, and leaves nothing
// that could be served.
func TestDamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	h.file(h.as("nurse"))
	h.file(h.as("nurse"))
	dir, s := place(t)
	command(t, h.sys.Config, 0, "backup", "--to", dir)
	to := newPlace(t, h.sys.Config, false)
	to.Keys = config.Keys{RootFile: h.sys.Config.RootFile(), EscrowFile: h.sys.Config.EscrowFile()}
	for _, prefix := range []string{"wardseal-backup-1/backups/", "wardseal-backup-1/parts/", "wardseal-backup-1/objects/"} {
		keys := keysIn(t, s, prefix)
		if len(keys) == 0 {
			t.Fatalf("nothing under %s", prefix)
		}
		for _, key := range []string{keys[0], keys[len(keys)-1]} {
			mend := flip(t, dir, key)
			to := newPlace(t, h.sys.Config, false) // each into a place of its own: what one has restored is not read from the backup again
			to.Keys = config.Keys{RootFile: h.sys.Config.RootFile(), EscrowFile: h.sys.Config.EscrowFile()}
			said := command(t, to, 2, "restore", "--from", dir)
			if !strings.Contains(said, "refused") && !strings.Contains(said, "nothing was restored") {
				t.Errorf("%s: %s", key, said)
			}
			mend()
		}
	}
	// What a place is told to be on purpose is told apart: a picture that is lost
	// is named, and the rest comes back.
	lost := keysIn(t, s, "wardseal-backup-1/objects/")[0]
	flip(t, dir, lost)
	said := command(t, to, 1, "restore", "--from", dir, "--salvage")
	if !strings.Contains(said, "LOST: object "+strings.TrimPrefix(lost, "wardseal-backup-1/objects/")) || !strings.Contains(said, "of which 1 are not") {
		t.Errorf("salvage says:\n%s", said)
	}
	// A store that has something is not filled, unless it is said to be the old one.
	flip(t, dir, lost) // back again
	full := newPlace(t, h.sys.Config, false)
	full.Keys = to.Keys
	there, err := filesystem.Open(filepath.Join(full.Data, "objects"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Create(t.Context(), "items/zz/newer.age", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	if said := command(t, full, 2, "restore", "--from", dir); !strings.Contains(said, "not an empty deployment") {
		t.Errorf("a full store: %s", said)
	}
	if said := command(t, full, 0, "restore", "--from", dir, "--objects-in-place"); !strings.Contains(said, "2 objects copied") || !strings.Contains(said, "the store has 1 objects that are newer") {
		t.Errorf("the old store: %s", said)
	}
	// A key that was written down is not the one of a forger.
	other := newPlace(t, h.sys.Config, false)
	other.Keys = to.Keys
	if said := command(t, other, 2, "restore", "--from", dir, "--check", "--key", strings.Repeat("ab", 32)); !strings.Contains(said, "was not signed by the key that you gave") {
		t.Errorf("another key: %s", said)
	}
}
