package failure

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	randv2 "math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/storage/blob"
)

// load is several phones that send pictures, each again and again until it is
// acknowledged.
type load struct {
	t     *testing.T
	send  func(n int, pic picture, key string) (item string, a answer) // once
	seen  readable
	pause time.Duration

	mu       sync.Mutex
	next     int
	enough   bool
	most     int
	files    map[string]picture // by item
	keys     map[string]int     // how many items a key led to: one, always
	attempts int
	took     time.Duration // the last that was acknowledged
	barren   int           // moments since then
}

// phones start n phones that go on until at least most pictures are sent and
// stop is called. wait waits for that.
func (l *load) phones(n int) (stop, wait func()) {
	l.files, l.keys = map[string]picture{}, map[string]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for {
				n, on := l.turn()
				if !on {
					return
				}
				behind := 500
				if n%20 == 0 {
					behind = 1 << 20 // more than the memory for uploads has room for
				}
				l.one(n, photo(l.t, 48, behind))
			}
		})
	}
	return func() { l.mu.Lock(); l.enough = true; l.mu.Unlock() }, wg.Wait
}

func (l *load) turn() (int, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.enough && l.next >= l.most || l.t.Failed() {
		return 0, false
	}
	l.next++
	return l.next, true
}

// one sends a picture until it is acknowledged.
func (l *load) one(n int, pic picture) {
	l.seen.of(pic)
	key := "key-" + rand.Text()
	began := time.Now()
	for time.Since(began) < 2*time.Minute {
		l.mu.Lock()
		l.attempts++
		l.mu.Unlock()
		item, a := l.send(n, pic, key)
		if item != "" {
			l.mu.Lock()
			l.files[item] = pic
			l.keys[key]++
			l.took, l.barren = a.took, 0
			l.mu.Unlock()
			time.Sleep(l.pause)
			return
		}
		if a.err == nil && a.status < 500 {
			l.t.Errorf("picture %d is refused: %s", n, a)
			return
		}
		if a.err == nil && (a.status == http.StatusInternalServerError || a.took > soon) {
			l.t.Errorf("picture %d: %s", n, a)
		}
		time.Sleep(20 * time.Millisecond)
	}
	l.t.Errorf("picture %d is not acknowledged in two minutes", n)
}

// moment is a random time in which an upload may be at any of its steps, or
// done, however slow this machine is just now: a server that never lives long
// enough to answer proves nothing.
func (l *load) moment() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.barren++
	return time.Duration(randv2.Int64N(int64(max(300*time.Millisecond, 3*l.took)))) << min(max(l.barren-5, 0), 6)
}

// some gives an item that was acknowledged, if there is one.
func (l *load) some() (string, picture, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for item, pic := range l.files {
		return item, pic, true
	}
	return "", picture{}, false
}

// views counts how views of what was acknowledged were answered.
type views struct{ shown, refused atomic.Int64 }

// watch looks at pictures until the context ends: each answer is the picture,
// or says in words what is not there just now. gone says that a server may die
// in the middle of an answer.
func (v *views) watch(ctx context.Context, l *load, show func(item string) answer, gone bool) {
	for ctx.Err() == nil {
		item, pic, ok := l.some()
		if !ok {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		switch a := show(item); {
		case a.err == nil && a.status == http.StatusOK && bytes.Equal(a.body, pic.clean):
			v.shown.Add(1)
		case a.err == nil && a.status == http.StatusServiceUnavailable && a.code() == "storage-down" && a.took <= soon, a.err != nil && gone:
			v.refused.Add(1)
		default:
			l.t.Errorf("a view: %s", a)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// check sees that what was acknowledged is there once, opens, and is what was
// sent, and that nothing else is.
func (l *load) check(d *deployment) {
	t := l.t
	t.Helper()
	nurse, lost, half, doubled := signIn(t, d.url(), "nurse"), 0, 0, 0
	listed := map[string]int{}
	for _, item := range nurse.items() {
		listed[item]++
		if listed[item] > 1 {
			doubled++
		}
		a := nurse.picture(item)
		pic, ours := l.files[item]
		if a.status != http.StatusOK || ours && !bytes.Equal(a.body, pic.clean) {
			half++
		}
		if !ours {
			doubled++ // its key led to another item
		}
	}
	for item := range l.files {
		if listed[item] == 0 {
			lost++
		}
	}
	for item, n := range d.filings() {
		if n != 1 || listed[item] != 1 {
			doubled++
		}
	}
	if len(l.files) != len(l.keys) {
		doubled += len(l.keys) - len(l.files)
	}
	t.Logf("%d uploads acknowledged in %d attempts: %d lost, %d doubled, %d half-visible", len(l.files), l.attempts, lost, doubled, half)
	if lost+doubled+half != 0 || len(l.files) < l.most {
		t.Errorf("%d lost, %d doubled, %d half-visible of %d, and %d were to be sent", lost, doubled, half, len(l.files), l.most)
	}
}

// leftovers sweeps as the server does two hours later, and sees that each object
// is of an item then, and nothing can be read anywhere.
func (l *load) leftovers(d *deployment) {
	t := l.t
	t.Helper()
	before := len(unfinished(t, d))
	sys, err := config.Open(t.Context(), d.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close()
	orphans := func() (n, all int) {
		err := sys.Objects.List(t.Context(), "", func(o blob.Info) error {
			known, err := sys.Store.ObjectKeyExists(t.Context(), string(o.Key))
			if all++; !known {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, all
	}
	left, _ := orphans()
	if err := sys.Sweep(t.Context(), time.Now().Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	after, all := orphans()
	files := unfinished(t, d)
	t.Logf("killing left %d objects without a row and %d unfinished files; after the sweep %d and %d, beside %d objects of %d items", left, before, after, len(files), all-after, len(l.files))
	if after != 0 || len(files) != 0 || all != len(l.files) {
		t.Errorf("%d orphans, %d unfinished files, %d objects of %d items", after, len(files), all, len(l.files))
	}
	l.unreadable(d)
}

// unfinished lists the files of the store that have no name yet.
func unfinished(t *testing.T, d *deployment) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(d.cfg.Data, "objects", "unfinished", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// unreadable looks through everything that any of the servers wrote.
func (l *load) unreadable(d *deployment) {
	t := l.t
	t.Helper()
	l.seen.add([]byte(named), []byte(number), []byte(born))
	folders := []string{d.cfg.Data, d.temp}
	if d.database != "" {
		folders = append(folders, d.database)
	}
	if d.cfg.Objects.Kind == "s3" {
		folders = append(folders, d.bucket.Folder)
	}
	found, read := l.seen.search(t, folders...)
	for _, s := range d.logs {
		if what := l.seen.in([]byte(s.Log(t))); what != "" {
			found = append(found, what+" in a log")
		}
	}
	t.Logf("%d windows of pictures and texts looked for in %d MB on disk and %d logs: %d found", l.seen.n, read>>20, len(d.logs), len(found))
	for _, f := range found {
		t.Errorf("in the clear: %s", f)
	}
}

// However often it is killed, wherever it is just then, also while it starts:
// what was acknowledged is there once and whole, and nothing else is.
func TestKilledAtRandom(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, kind, nil)
			kills := times(t, "KILLS", 8)
			s := d.serve()
			nurse := signIn(t, d.url(), "nurse")
			nurse.register()
			began := time.Now()
			l := &load{t: t, most: times(t, "UPLOADS", 40), pause: 100 * time.Millisecond, send: func(_ int, pic picture, key string) (string, answer) { return nurse.upload(pic, key) }}
			stop, wait := l.phones(4)
			early := 0
			for n := range kills {
				if n%5 != 4 { // the others die while they start, most of them
					if err := s.Alive(); err != nil {
						t.Fatalf("%v:\n%s", err, s.Log(t))
					}
				}
				time.Sleep(l.moment())
				if !alive(d) {
					early++
				}
				s.Signal(syscall.SIGKILL)
				s.Wait()
				s = d.launch()
			}
			if err := s.Alive(); err != nil {
				t.Fatalf("%v:\n%s", err, s.Log(t))
			}
			stop()
			wait()
			t.Logf("killed %d times in %s, %d of them before it answered", kills, time.Since(began).Round(time.Second), early)
			l.check(d)
			said := d.command("", "audit", "verify")
			if !strings.Contains(said, "events are as they were recorded") {
				t.Error(said)
			}
			s.Signal(syscall.SIGKILL)
			s.Wait()
			l.leftovers(d)
		})
	}
}

func alive(d *deployment) bool {
	resp, err := http.Get("http://" + d.at.Operations + "/healthz")
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close() == nil
}
