package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/minio/minio-go/v7"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/fsck"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/test/servers"
)

// hand is somebody who reaches below the house: into its tables and its store.
type hand struct {
	*house
	db *sql.DB
	s3 *minio.Client
}

func below(h *house) hand {
	h.t.Helper()
	c := h.sys.Config
	driver, dsn := "sqlite", "file:"+filepath.Join(h.data, "wardseal.db")+"?_pragma=busy_timeout(10000)"
	if c.Database.Driver == "postgres" {
		url, err := os.ReadFile(c.Database.URLFile)
		if err != nil {
			h.t.Fatal(err)
		}
		driver, dsn = "pgx", string(url)
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		h.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	h.t.Cleanup(func() { _ = db.Close() })
	out := hand{house: h, db: db}
	if c.Objects.Kind == "s3" {
		out.s3 = servers.VersityGW(h.t).Client(h.t)
	}
	return out
}

// do changes rows; $1 and so on are understood by both databases.
func (b hand) do(query string, args ...any) {
	b.t.Helper()
	if _, err := b.db.ExecContext(b.t.Context(), query, args...); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
}

// key is where a rendition's object is.
func (b hand) key(id media.ItemID, r media.Rendition) string {
	b.t.Helper()
	var key string
	if err := b.db.QueryRowContext(b.t.Context(), "SELECT object_key FROM renditions WHERE item = $1 AND rendition = $2", string(id), string(r)).Scan(&key); err != nil {
		b.t.Fatal(err)
	}
	return key
}

// swap exchanges a column of two rows.
func (b hand) swap(table, column, key string, one, two media.ItemID) {
	b.t.Helper()
	read := func(id media.ItemID) (v []byte) {
		if err := b.db.QueryRowContext(b.t.Context(), fmt.Sprintf("SELECT %s FROM %s WHERE %s = $1 ORDER BY 1 LIMIT 1", column, table, key), string(id)).Scan(&v); err != nil {
			b.t.Fatal(err)
		}
		return v
	}
	a, c := read(one), read(two)
	set := fmt.Sprintf("UPDATE %s SET %s = $1 WHERE %s = $2", table, column, key)
	b.do(set, c, string(one))
	b.do(set, a, string(two))
}

func (b hand) read(key string) []byte {
	b.t.Helper()
	r, err := b.sys.Objects.OpenAt(b.t.Context(), blob.Key(key), 0, -1)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Close()
	out, err := io.ReadAll(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// write puts bytes where an object is, whatever was there, or makes one.
func (b hand) write(key string, content []byte) {
	b.t.Helper()
	if err := b.sys.Objects.Delete(b.t.Context(), blob.Key(key)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.sys.Objects.Create(b.t.Context(), blob.Key(key), bytes.NewReader(content), int64(len(content))); err != nil {
		b.t.Fatal(err)
	}
}

// over writes a further version of an object.
func (b hand) over(key string, content []byte) {
	b.t.Helper()
	if _, err := b.s3.PutObject(b.t.Context(), b.sys.Config.Objects.Bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// mark hides an object behind a delete marker.
func (b hand) mark(key string) {
	b.t.Helper()
	if err := b.s3.RemoveObject(b.t.Context(), b.sys.Config.Objects.Bucket, key, minio.RemoveObjectOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

// checked runs a check and gives its findings, as “kind key-or-item”.
func (b hand) checked(change func(*fsck.Checker)) ([]string, fsck.Summary) {
	b.t.Helper()
	var found []string
	c := &fsck.Checker{Store: b.sys.Store, Objects: b.sys.Objects, Ring: b.sys.Ring, By: "test"}
	c.Found = func(f fsck.Finding) error {
		at := f.Object
		if at == "" {
			at = string(f.Item)
		}
		if f.Repaired != "" {
			at += " repaired"
		}
		found = append(found, string(f.Kind)+" "+at)
		return nil
	}
	if change != nil {
		change(c)
	}
	sum, err := c.Run(b.t.Context(), "")
	if err != nil {
		b.t.Fatal(err)
	}
	sort.Strings(found)
	return found, sum
}

func (b hand) finds(what string, change func(*fsck.Checker), want ...string) {
	b.t.Helper()
	sort.Strings(want)
	if got, _ := b.checked(change); !slices.Equal(got, want) {
		b.t.Errorf("%s:\nfound  %s\nwanted %s", what, strings.Join(got, "\n       "), strings.Join(want, "\n       "))
	}
}

// later is a clock for which an upload of now is long past.
func later(c *fsck.Checker) { c.Clock = func() time.Time { return time.Now().Add(2 * time.Hour) } }

func repairing(c *fsck.Checker) { later(c); c.Repair = true }

// Each way in which a store can be damaged is found by its name, and only it;
// repairing repairs what is safe and touches no original.
func TestFsck(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite+filesystem", "postgres+s3"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := open(t, kind, func(c *config.Config) {
				kept(retention.Scotland, 0)(c)
				if c.Objects.Kind == "s3" {
					c.Objects.Bucket = servers.VersityGW(t).NewBucket(t, true)
				}
				c.Limits.NoDerivatives = false
			})
			stop := h.work()
			var ids []media.ItemID
			for range 10 {
				ids = append(ids, h.file(h.as("nurse")).ID)
			}
			for _, id := range ids {
				h.settled(string(id))
			}
			stop()
			b := below(h)
			b.finds("a whole house", later)
			b.damaged(ids)
			if b.s3 != nil {
				b.versions(ids)
			}
		})
	}
}

func (b hand) damaged(ids []media.ItemID) {
	t, o := b.t, media.Original
	key := func(i int, r media.Rendition) string { return b.key(ids[i], r) }
	originals := map[string][]byte{}
	for i := range ids {
		originals[key(i, o)] = b.read(key(i, o))
	}
	var want []string
	wrong := func(kind fsck.Kind, at string) { want = append(want, string(kind)+" "+at) }

	// Missing, altered in a bit, cut, of an original and of what is made from one.
	if err := b.sys.Objects.Delete(t.Context(), blob.Key(key(0, o))); err != nil {
		t.Fatal(err)
	}
	wrong(fsck.Missing, key(0, o))
	flipped := bytes.Clone(originals[key(1, o)])
	flipped[len(flipped)/2] ^= 1
	b.write(key(1, o), flipped)
	wrong(fsck.Altered, key(1, o))
	b.write(key(2, o), originals[key(2, o)][:len(flipped)-40])
	wrong(fsck.Altered, key(2, o))
	if err := b.sys.Objects.Delete(t.Context(), blob.Key(key(3, media.Preview))); err != nil {
		t.Fatal(err)
	}
	wrong(fsck.Missing, key(3, media.Preview))
	thumb := b.read(key(4, media.Thumbnail))
	thumb[len(thumb)-1] ^= 1
	b.write(key(4, media.Thumbnail), thumb)
	wrong(fsck.Altered, key(4, media.Thumbnail))

	// Two objects exchanged; the keys of two renditions; two manifests.
	b.write(key(5, o), originals[key(6, o)])
	b.write(key(6, o), originals[key(5, o)])
	wrong(fsck.Swapped, key(5, o))
	wrong(fsck.Swapped, key(6, o))
	b.swap("wrapped_keys", "wrapped", "rendition = 'preview' AND item", ids[5], ids[6])
	wrong(fsck.Swapped, key(5, media.Preview))
	wrong(fsck.Swapped, key(6, media.Preview))
	b.swap("items", "manifest", "id", ids[3], ids[4])
	wrong(fsck.Swapped, key(3, o))
	wrong(fsck.Swapped, key(4, o))

	// A key that is gone, one that is nobody's, and a leaving that no row names:
	// of nothing, and of an original whose row was lost.
	b.do("DELETE FROM wrapped_keys WHERE item = $1 AND rendition = 'thumbnail'", string(ids[3]))
	wrong(fsck.KeyMissing, key(3, media.Thumbnail))
	orphan := fmt.Sprintf("items/00/%s-original-clean-%s.age", media.NewItemID(), media.NewItemID())
	b.write(orphan, []byte("x"))
	lost := key(7, o)
	b.do("DELETE FROM wrapped_keys WHERE item = $1 AND rendition = $2", string(ids[7]), string(o))
	b.do("DELETE FROM renditions WHERE item = $1 AND rendition = $2", string(ids[7]), string(o))
	wrong(fsck.Missing, string(ids[7]))

	// A copy of what was destroyed.
	b.do("UPDATE items SET destroyed_at = 1 WHERE id = $1", string(ids[8]))
	for _, r := range []media.Rendition{o, media.Preview, media.Thumbnail} {
		wrong(fsck.MustBeGone, key(8, r))
		wrong(fsck.MustBeGone, string(ids[8]))
	}

	young := append(slices.Clone(want), "in-flight "+orphan, "in-flight "+lost)
	b.finds("at once", nil, young...)
	old := append(slices.Clone(want), "orphan "+orphan, "orphan "+lost)
	b.finds("later", later, old...)

	// Comparing without reading finds what can be seen so.
	b.finds("fast", func(c *fsck.Checker) { later(c); c.Fast = true },
		slices.DeleteFunc(slices.Clone(old), func(w string) bool {
			return strings.HasPrefix(w, "swapped") || strings.HasPrefix(w, "altered") && !strings.HasSuffix(w, key(2, o))
		})...)

	var repaired []string
	for _, w := range old {
		derived := strings.Contains(w, "preview") || strings.Contains(w, "thumbnail")
		if derived && !strings.HasPrefix(w, "must-be-gone") || w == "orphan "+orphan {
			w += " repaired"
		}
		repaired = append(repaired, w)
	}
	b.finds("repairing", repairing, repaired...)
	if n := b.events("store.repaired"); n != 6 {
		t.Errorf("%d repairs were recorded", n)
	}
	stop := b.work()
	for _, i := range []int{3, 4, 6} {
		if i != 6 { // which has no original to make it from
			b.settled(string(ids[i]))
		}
	}
	stop()
	var still []string
	for _, w := range old {
		if !strings.Contains(w, "preview") && !strings.Contains(w, "thumbnail") && w != "orphan "+orphan || strings.HasPrefix(w, "must-be-gone") {
			still = append(still, w)
		}
	}
	got, _ := b.checked(later)
	got = slices.DeleteFunc(got, func(w string) bool { // forms that were let go of, until the sweep
		return strings.HasPrefix(w, "orphan") && !strings.HasSuffix(w, lost)
	})
	if sort.Strings(still); !slices.Equal(got, still) {
		t.Errorf("after repairing:\nfound  %s\nwanted %s", strings.Join(got, "\n       "), strings.Join(still, "\n       "))
	}
	for _, i := range []int{5, 6, 9} { // no original was touched
		if want := originals[key(map[int]int{5: 6, 6: 5, 9: 9}[i], o)]; !bytes.Equal(b.read(key(i, o)), want) {
			t.Errorf("the original %d was touched", i)
		}
	}
}

// versions are what only a bucket with versions can have wrong.
func (b hand) versions(ids []media.ItemID) {
	b.checked(repairing) // what letting go of forms has left
	before, _ := b.checked(later)
	key := b.key(ids[9], media.Original)
	right := b.read(key)
	with := func(more ...string) []string { return append(slices.Clone(before), more...) }
	b.over(key, right)
	b.finds("a double", later, with("old-version "+key)...)
	b.finds("a double, repairing", func(c *fsck.Checker) { repairing(c); c.Found = only(c.Found, key) }, "old-version "+key+" repaired")
	b.mark(key)
	b.finds("a delete marker", later, with("old-version "+key)...)
	b.finds("a delete marker, repairing", func(c *fsck.Checker) { repairing(c); c.Found = only(c.Found, key) }, "old-version "+key+" repaired")
	if !bytes.Equal(b.read(key), right) {
		b.t.Error("what the delete marker hid did not come back")
	}
	b.over(key, []byte("something else"))
	b.finds("written over", func(c *fsck.Checker) { repairing(c); c.Found = only(c.Found, key) }, "altered "+key, "old-version "+key)
}

// only passes on what is found about one object.
func only(found func(fsck.Finding) error, key string) func(fsck.Finding) error {
	return func(f fsck.Finding) error {
		if f.Object != key {
			return nil
		}
		return found(f)
	}
}

// The statuses are those of its namesakes: nothing wrong, wrong, not checked.
func TestFsckStatus(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	it := h.file(h.as("nurse"))
	if said := command(t, h.sys.Config, 0, "fsck"); !strings.Contains(said, "1 objects were read") {
		t.Error(said)
	}
	b := below(h)
	key := b.key(it.ID, media.Original)
	whole := b.read(key)
	b.write(key, append([]byte{whole[0] ^ 1}, whole[1:]...))
	if said := command(t, h.sys.Config, 1, "fsck", "--json"); !strings.Contains(said, `"kind":"altered"`) || !strings.Contains(said, `"wrong":1`) {
		t.Error(said)
	}
	command(t, h.sys.Config, 0, "fsck", "--fast")
	if said := command(t, h.sys.Config, 1, "fsck", "--from", "items/", "--repair"); !strings.Contains(said, "an original is never touched") {
		t.Error(said)
	}
	command(t, h.sys.Config, 0, "fsck", "--from", key)
	command(t, config.Default(filepath.Join(t.TempDir(), "none")), 2, "fsck")
	if got := b.read(key); len(got) != len(whole) {
		t.Error("the object was touched")
	}
}
