package memory_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/wardseal/wardseal/crypto/memory"
)

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func TestReadBackWhatWasWritten(t *testing.T) {
	var pool memory.Pool
	for _, n := range []int{0, 1, memory.BlockBytes - 1, memory.BlockBytes, memory.BlockBytes + 1, 5*memory.BlockBytes + 7} {
		want, b := noise(n), pool.New()
		if k, err := b.ReadFrom(iotest.HalfReader(bytes.NewReader(want))); err != nil || k != int64(n) || b.Len() != k {
			t.Fatalf("%d bytes: wrote %d, %v", n, k, err)
		}
		if err := iotest.TestReader(io.NewSectionReader(b, 0, b.Len()), want); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		var out bytes.Buffer
		if k, err := b.WriteTo(&out); err != nil || k != int64(n) || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d bytes: wrote out %d, %v", n, k, err)
		}
		if _, err := b.ReadAt(make([]byte, 1), -1); err == nil {
			t.Error("read before the start")
		}
		b.Free()
		b.Free()
	}
}

// What was written is gone when the memory is lent again, though fewer bytes
// are written to it then.
func TestMemoryIsWiped(t *testing.T) {
	var pool memory.Pool
	peek := func(b *memory.Bytes) (held []byte) {
		b.Grow()
		_, _ = b.Fill(readerFunc(func(p []byte) (int, error) { held = bytes.Clone(p); return 0, nil }))
		return held
	}
	for range 50 {
		b := pool.New()
		if _, err := b.ReadFrom(bytes.NewReader(bytes.Repeat([]byte("PATIENT "), 3*memory.BlockBytes/8))); err != nil {
			t.Fatal(err)
		}
		b.Free()
		next := pool.New()
		if got := peek(next); len(got) != memory.BlockBytes || bytes.Contains(got, []byte("PATIENT")) {
			t.Fatal("memory was lent with another's bytes in it")
		}
		next.Free()
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A reader that is late by the time of Free gets an error or its own bytes, and
// never those that the memory was lent for next.
func TestLateReaders(t *testing.T) {
	var pool memory.Pool
	mine, theirs := bytes.Repeat([]byte{1}, 2*memory.BlockBytes), bytes.Repeat([]byte{2}, 2*memory.BlockBytes)
	for range 200 {
		b := pool.New()
		if _, err := b.ReadFrom(bytes.NewReader(mine)); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			p := make([]byte, len(mine))
			for {
				n, err := b.ReadAt(p, 0)
				if !bytes.Equal(p[:n], mine[:n]) {
					t.Error("read another's bytes")
				}
				if err != nil {
					if !errors.Is(err, os.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
		b.Free()
		other := pool.New()
		_, _ = other.ReadFrom(bytes.NewReader(theirs))
		other.Free()
		wg.Wait()
	}
	b := pool.New()
	b.Free()
	if _, err := b.WriteTo(io.Discard); !errors.Is(err, os.ErrClosed) {
		t.Errorf("written out after Free: %v", err)
	}
}

func TestFailuresOfTheSourceArePassedOn(t *testing.T) {
	var pool memory.Pool
	broken := errors.New("broken")
	b := pool.New()
	defer b.Free()
	if n, err := b.ReadFrom(io.MultiReader(bytes.NewReader(noise(100)), iotest.ErrReader(broken))); n != 100 || !errors.Is(err, broken) {
		t.Errorf("%d, %v", n, err)
	}
}
