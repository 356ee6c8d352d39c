// Package blobtest checks that a store keeps the contract of storage/blob.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/wardseal/wardseal/storage/blob"
)

// Conformance runs every check on stores that open makes. large is a size that
// the store writes in another way than small ones.
func Conformance(t *testing.T, large int, open func(t *testing.T) blob.Store) {
	for name, check := range map[string]func(*testing.T, blob.Store, int){
		"round trip": roundTrip, "create once": createOnce, "race": race, "wrong lengths": wrongLengths,
		"ranges": ranges, "delete": deletes, "listing": listing, "hostile keys": hostileKeys,
	} {
		t.Run(name, func(t *testing.T) { check(t, open(t), large) })
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func create(t *testing.T, s blob.Store, key blob.Key, b []byte) {
	t.Helper()
	info, err := s.Create(t.Context(), key, bytes.NewReader(b), int64(len(b)))
	if err != nil || info.Key != key || info.Bytes != int64(len(b)) || info.Modified.IsZero() {
		t.Fatalf("create %s: %+v, %v", key, info, err)
	}
}

func read(t *testing.T, s blob.Reader, key blob.Key, off, n int64) ([]byte, error) {
	t.Helper()
	r, err := s.OpenAt(t.Context(), key, off, n)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func roundTrip(t *testing.T, s blob.Store, large int) {
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 1000, 300_000, large} {
		key, b := blob.Key(fmt.Sprintf("a/b.%d/c_d-e", n)), noise(n)
		create(t, s, key, b)
		got, err := read(t, s, key, 0, -1)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: read %d, %v", n, len(got), err)
		}
		if info, err := s.Stat(t.Context(), key); err != nil || info.Bytes != int64(n) || info.Key != key {
			t.Errorf("stat: %+v, %v", info, err)
		}
	}
	if _, err := read(t, s, "a/none", 0, -1); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("no object: %v", err)
	}
	if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := s.Create(t.Context(), "empty", strings.NewReader(""), 0); !errors.Is(err, blob.ErrLength) {
		t.Errorf("empty object: %v", err)
	}
}

func createOnce(t *testing.T, s blob.Store, large int) {
	for _, n := range []int{100, large} {
		key, first := blob.Key(fmt.Sprint("once/", n)), noise(n)
		create(t, s, key, first)
		_, err := s.Create(t.Context(), key, bytes.NewReader(noise(n+1)), int64(n+1))
		if !errors.Is(err, blob.ErrExists) {
			t.Errorf("%d bytes, second time: %v", n, err)
		}
		if got, err := read(t, s, key, 0, -1); err != nil || !bytes.Equal(got, first) {
			t.Errorf("%d bytes: the first object was touched: %v", n, err)
		}
	}
}

func race(t *testing.T, s blob.Store, large int) {
	for n, writers := range map[int]int{5000: 8, large: 4} {
		key := blob.Key(fmt.Sprint("race/", n))
		var winner atomic.Int64
		var wins atomic.Int64
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				b := bytes.Repeat([]byte{byte(i + 1)}, n)
				_, err := s.Create(t.Context(), key, bytes.NewReader(b), int64(n))
				switch {
				case err == nil:
					wins.Add(1)
					winner.Store(int64(i + 1))
				case !errors.Is(err, blob.ErrExists):
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		got, err := read(t, s, key, 0, -1)
		if wins.Load() != 1 || err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(winner.Load())}, n)) {
			t.Errorf("%d bytes: %d writers succeeded; %v", n, wins.Load(), err)
		}
	}
}

// Nothing becomes visible of a write that did not go to its end.
func wrongLengths(t *testing.T, s blob.Store, large int) {
	broken := errors.New("the source broke")
	for _, n := range []int{1000, 4 << 20, large} {
		for name, c := range map[string]struct {
			r    io.Reader
			want error
		}{
			"short":   {bytes.NewReader(noise(n - 1)), blob.ErrLength},
			"long":    {bytes.NewReader(noise(n + 1)), blob.ErrLength},
			"failing": {io.MultiReader(bytes.NewReader(noise(n/2)), iotest.ErrReader(broken)), broken},
		} {
			key := blob.Key(fmt.Sprintf("length/%s-%d", name, n))
			if _, err := s.Create(t.Context(), key, c.r, int64(n)); !errors.Is(err, c.want) {
				t.Errorf("%s, %d bytes: %v", name, n, err)
			}
			if _, err := s.Stat(t.Context(), key); !errors.Is(err, blob.ErrNotFound) {
				t.Errorf("%s, %d bytes: something is visible: %v", name, n, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := io.MultiReader(bytes.NewReader(noise(n/2)), readerFunc(func(p []byte) (int, error) { cancel(); p[0] = 1; return 1, nil }))
		key := blob.Key(fmt.Sprint("length/cancelled-", n))
		if _, err := s.Create(ctx, key, r, int64(n)); err == nil {
			t.Errorf("%d bytes: created after the end of its context", n)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("cancelled, %d bytes: something is visible: %v", n, err)
		}
	}
	count := 0
	if err := s.List(t.Context(), "length/", func(blob.Info) error { count++; return nil }); err != nil || count != 0 {
		t.Errorf("%d objects are listed, %v", count, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func ranges(t *testing.T, s blob.Store, _ int) {
	b := noise(100_000)
	create(t, s, "ranged", b)
	for _, c := range [][2]int64{{0, 1}, {0, 100_000}, {99_999, 1}, {500, 70_000}, {12_345, -1}} {
		want := b[c[0]:]
		if c[1] >= 0 {
			want = want[:c[1]]
		}
		if got, err := read(t, s, "ranged", c[0], c[1]); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes, %v", c, len(got), err)
		}
	}
	for _, c := range [][2]int64{{99_999, 2}, {100_001, 1}, {-1, 5}, {0, 100_001}} {
		if got, err := read(t, s, "ranged", c[0], c[1]); err == nil {
			t.Errorf("%v: gave %d bytes", c, len(got))
		}
	}
}

func deletes(t *testing.T, s blob.Store, _ int) {
	create(t, s, "gone/x", noise(10))
	create(t, s, "gone/y", noise(11))
	for range 2 {
		if err := s.Delete(t.Context(), "gone/x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := read(t, s, "gone/x", 0, -1); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("after delete: %v", err)
	}
	if v, ok := s.(interface {
		Versions(context.Context, blob.Key) ([]blob.Info, error)
	}); ok {
		if left, err := v.Versions(t.Context(), "gone/x"); err != nil || len(left) != 0 {
			t.Errorf("%d versions are left, %v", len(left), err)
		}
	}
	if got, err := read(t, s, "gone/y", 0, -1); err != nil || len(got) != 11 {
		t.Errorf("its neighbour: %v", err)
	}
	create(t, s, "gone/x", noise(12)) // the key is free again
}

func listing(t *testing.T, s blob.Store, _ int) {
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprintf("list/%02d/a", i))
	}
	want = append(want, "list/00-x", "list/00.x", "list/00/b/c")
	var wg sync.WaitGroup
	for _, k := range append([]string{"listing", "lis"}, want...) {
		wg.Go(func() { create(t, s, blob.Key(k), noise(5)) })
	}
	wg.Wait()
	sort.Strings(want)
	list := func(prefix string) (got []string) {
		t.Helper()
		if err := s.List(t.Context(), prefix, func(i blob.Info) error {
			if i.Bytes != 5 || i.Modified.IsZero() {
				t.Errorf("%+v", i)
			}
			got = append(got, string(i.Key))
			return nil
		}); err != nil {
			t.Error(err)
		}
		return got
	}
	if got := list("list/"); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("listed %v\nwant %v", got, want)
	}
	if got := list("list/00"); len(got) != 4 {
		t.Errorf("half a segment: %v", got)
	}
	if got := list("none/"); len(got) != 0 {
		t.Errorf("nothing: %v", got)
	}
	stop := errors.New("stop")
	if err := s.List(t.Context(), "list/", func(blob.Info) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}

func hostileKeys(t *testing.T, s blob.Store, _ int) {
	for _, k := range []string{"", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/./b", "A", "a b", "a\x00", "a\\b", "é", "a?x", "%2e%2e/a",
		strings.Repeat("a", 256), strings.Repeat("a/", 300) + "a"} {
		if _, err := blob.ParseKey(k); !errors.Is(err, blob.ErrKey) {
			t.Errorf("%q is taken for a key", k)
		}
		if _, err := s.Create(t.Context(), blob.Key(k), strings.NewReader("x"), 1); !errors.Is(err, blob.ErrKey) {
			t.Errorf("create %q: %v", k, err)
		}
		if _, err := s.OpenAt(t.Context(), blob.Key(k), 0, -1); !errors.Is(err, blob.ErrKey) {
			t.Errorf("open %q: %v", k, err)
		}
		if err := s.Delete(t.Context(), blob.Key(k)); !errors.Is(err, blob.ErrKey) {
			t.Errorf("delete %q: %v", k, err)
		}
	}
}
