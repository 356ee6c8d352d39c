package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/wardseal/wardseal/storage/blob"
)

// memory counts the requests for one object.
type memory struct {
	blob.Reader
	b    []byte
	gets int
	cut  int
}

func (m *memory) OpenAt(_ context.Context, _ blob.Key, off, n int64) (io.ReadCloser, error) {
	m.gets++
	b := m.b[off : off+n]
	return io.NopCloser(bytes.NewReader(b[:len(b)-min(m.cut, len(b))])), nil
}

func object() *memory {
	b := make([]byte, 5<<20+123)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return &memory{b: b}
}

const chunk = 64<<10 + 16

func TestExpectedRangesAreOneRequest(t *testing.T) {
	m, cache := object(), blob.NewCache(1<<20)
	for i := range 20 {
		w := blob.NewWindow(t.Context(), m, "k", int64(len(m.b)), cache)
		head, tail := make([]byte, 3000), make([]byte, 60_000)
		if _, err := w.ReadAt(head, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadAt(tail, int64(len(m.b)-len(tail))); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if i > 0 {
			m.gets = 0
		}
		off := int64(rand.IntN(40)) * chunk
		w.Expect(off, 17*chunk)
		got := make([]byte, chunk)
		for c := range int64(17) {
			for _, again := range []int64{c, max(0, c-1), c} { // a decrypter may go back one chunk
				if _, err := w.ReadAt(got, off+again*chunk); err != nil || !bytes.Equal(got, m.b[off+again*chunk:][:chunk]) {
					t.Fatalf("chunk %d: %v", again, err)
				}
			}
		}
		if want := 1; i > 0 && m.gets != want {
			t.Fatalf("%d requests, want %d", m.gets, want)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What was read to its end can be expected and read again, and a stream that the
// store gave up in the middle is gone on with.
func TestStreamsAreBegunAnew(t *testing.T) {
	m := object()
	w := blob.NewWindow(t.Context(), m, "k", int64(len(m.b)), nil)
	defer w.Close()
	read := func(off int64) error {
		got := make([]byte, chunk)
		_, err := w.ReadAt(got, off)
		if err == nil && !bytes.Equal(got, m.b[off:][:chunk]) {
			t.Fatalf("other bytes than those at %d", off)
		}
		return err
	}
	for range 2 {
		m.gets = 0
		w.Expect(0, 10*chunk)
		for i := range int64(10) {
			if err := read(i * chunk); err != nil {
				t.Fatal(err)
			}
		}
		if m.gets != 1 {
			t.Errorf("%d requests, want 1", m.gets)
		}
	}
	m.cut, m.gets = 5*chunk+7, 0
	w.Expect(0, 10*chunk)
	if err := read(0); err != nil {
		t.Fatal(err)
	}
	m.cut = 0
	for i := range int64(10) {
		if err := read(i * chunk); err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
	}
	if m.gets != 2 {
		t.Errorf("%d requests, want 2", m.gets)
	}
	m.cut = 1 << 30 // all that comes now is short
	w.Expect(0, 10*chunk)
	if err := read(0); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("a store that gives nothing: %v", err)
	}
}

func TestUnexpectedReadsAreRightAllTheSame(t *testing.T) {
	m := object()
	w := blob.NewWindow(t.Context(), m, "k", int64(len(m.b)), nil)
	defer w.Close()
	w.Expect(1<<20, 1<<20)
	for range 300 {
		off, n := rand.Int64N(int64(len(m.b))), 1+rand.IntN(200_000)
		got := make([]byte, n)
		k, err := w.ReadAt(got, off)
		if want := m.b[off:min(off+int64(n), int64(len(m.b)))]; !bytes.Equal(got[:k], want) || (err != nil) != (k < n) {
			t.Fatalf("at %d: %d of %d bytes, %v", off, k, n, err)
		}
	}
	if k, err := w.ReadAt(make([]byte, 1), int64(len(m.b))); k != 0 || err != io.EOF {
		t.Errorf("past the end: %d, %v", k, err)
	}
}

func TestTruncatedObjectsAreErrors(t *testing.T) {
	m := object()
	m.cut = 10
	w := blob.NewWindow(t.Context(), m, "k", int64(len(m.b)), nil)
	defer w.Close()
	for _, off := range []int64{0, 2 << 20, int64(len(m.b)) - 100} {
		if _, err := w.ReadAt(make([]byte, 100), off); !errors.Is(err, blob.ErrUnavailable) {
			t.Errorf("at %d: %v", off, err)
		}
	}
	w.Expect(2<<20, 100_000)
	if _, err := w.ReadAt(make([]byte, 100_000), 2<<20); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("in a stream: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	m, c := object(), blob.NewCache(200_000)
	for i := range 10 {
		key := blob.Key(string(rune('a' + i)))
		w := blob.NewWindow(t.Context(), m, key, int64(len(m.b)), c)
		if _, err := w.ReadAt(make([]byte, 10), 0); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
	}
	m.gets = 0
	w := blob.NewWindow(t.Context(), m, "a", int64(len(m.b)), c)
	if _, err := w.ReadAt(make([]byte, 10), 0); err != nil || m.gets == 0 {
		t.Errorf("the oldest was kept: %d requests, %v", m.gets, err)
	}
}
