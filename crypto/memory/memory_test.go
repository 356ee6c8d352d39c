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
	"testing/synctest"
	"time"

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

// What was lent is kept for who comes next, and given back to the system once
// nobody has come for a while.
func TestMemoryIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pool memory.Pool
		use := func(blocks int) {
			b := pool.New()
			defer b.Free()
			for range blocks {
				b.Grow()
			}
		}
		use(5)
		time.Sleep(memory.Idle - time.Second)
		if n := pool.Spare(); n != 5 {
			t.Fatalf("%d blocks are kept, want 5", n)
		}
		use(2)
		time.Sleep(memory.Idle - time.Second)
		if n := pool.Spare(); n != 5 {
			t.Errorf("%d blocks are kept though some were used a moment ago", n)
		}
		b := pool.New()
		b.Grow()
		time.Sleep(2 * memory.Idle)
		if n := pool.Spare(); n != 4 {
			t.Errorf("%d blocks are kept while one is out, want 4", n)
		}
		b.Free()
		time.Sleep(2 * memory.Idle)
		if n := pool.Spare(); n != 0 {
			t.Errorf("%d blocks are kept though nobody came", n)
		}
		use(1)
	})
}

func TestCopyWipesItsBuffer(t *testing.T) {
	var pool memory.Pool
	var held []byte
	want := noise(2*memory.BlockBytes + 5)
	var out bytes.Buffer
	n, err := pool.Copy(writerFunc(func(p []byte) (int, error) {
		if held == nil {
			held = p
		}
		return out.Write(p)
	}), bytes.NewReader(want))
	if err != nil || n != int64(len(want)) || !bytes.Equal(out.Bytes(), want) {
		t.Fatalf("copied %d of %d: %v", n, len(want), err)
	}
	if len(held) != memory.BlockBytes || !bytes.Equal(held, make([]byte, len(held))) {
		t.Error("its buffer was not used, or not wiped")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// silent breaks the contract of io.ReaderAt.
type silent struct{}

func (silent) ReadAt([]byte, int64) (int, error) { return 0, nil }

func TestReplace(t *testing.T) {
	var pool memory.Pool
	b := pool.New()
	defer b.Free()
	if _, err := b.ReadFrom(bytes.NewReader(noise(3 * memory.BlockBytes))); err != nil {
		t.Fatal(err)
	}
	want := noise(2*memory.BlockBytes + 9)
	if err := b.Replace(bytes.NewReader(want), int64(len(want))+1); err == nil {
		t.Error("what replaces was short, and nothing was said")
	}
	if err := b.Replace(silent{}, 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("what replaces gave nothing and said nothing: %v", err)
	}
	if err := b.Replace(bytes.NewReader(want), 4*memory.BlockBytes); err == nil {
		t.Error("more was put in place than there was")
	}
	if err := b.Replace(bytes.NewReader(want), int64(len(want))); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(io.NewSectionReader(b, 0, b.Len()), want); err != nil {
		t.Error(err)
	}
}
