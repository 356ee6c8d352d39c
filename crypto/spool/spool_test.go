package spool_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/wardseal/wardseal/crypto/spool"
)

func open(t testing.TB, memory, total int64) *spool.Spool {
	t.Helper()
	s, err := spool.New(spool.Config{Dir: t.TempDir(), MemoryBytes: memory, TotalMemoryBytes: total})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func TestFillReadsBackWhatArrived(t *testing.T) {
	const memory = 256 << 10
	s := open(t, memory, 4*memory)
	for _, n := range []int{0, 1, 65535, 65536, 65537, memory - 1, memory, memory + 1, 1 << 20, 1<<20 + 17} {
		b := noise(n)
		f, err := s.Fill(t.Context(), iotest.HalfReader(bytes.NewReader(b)), int64(n))
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		if err != nil || !bytes.Equal(got, b) || f.Size() != int64(n) || f.SHA256() != sha256.Sum256(b) {
			t.Fatalf("%d bytes: read %d, %v", n, len(got), err)
		}
		part := make([]byte, min(n, 1000))
		if _, err := f.ReadAt(part, int64(n-len(part))); err != nil && err != io.EOF || !bytes.Equal(part, b[n-len(part):]) {
			t.Fatalf("%d bytes: the end differs: %v", n, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			if _, err := f.ReadAt(part[:1], 0); err == nil {
				t.Errorf("%d bytes: readable after Close", n)
			}
		}
	}
	if s.InMemory() != 0 {
		t.Errorf("%d bytes of memory were not given back", s.InMemory())
	}
}

func TestLimitIsExact(t *testing.T) {
	s := open(t, 100<<10, 1<<20)
	for _, limit := range []int64{1, 1000, 100 << 10, 300 << 10} {
		if _, err := s.Fill(t.Context(), bytes.NewReader(noise(int(limit)+1)), limit); !errors.Is(err, spool.ErrTooLarge) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	endless := iotest.ErrReader(errors.New("read on after the limit"))
	if _, err := s.Fill(t.Context(), io.MultiReader(bytes.NewReader(noise(200<<10)), endless), 150<<10); !errors.Is(err, spool.ErrTooLarge) {
		t.Errorf("the limit was not noticed at once: %v", err)
	}
	if s.InMemory() != 0 {
		t.Errorf("%d bytes of memory were not given back", s.InMemory())
	}
}

func TestFailuresLeaveNothing(t *testing.T) {
	broken := errors.New("connection reset")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, n := range []int{10, 500 << 10} {
		s := open(t, 100<<10, 1<<20)
		if _, err := s.Fill(t.Context(), io.MultiReader(bytes.NewReader(noise(n)), iotest.ErrReader(broken)), 1<<30); !errors.Is(err, broken) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, err := s.Fill(ctx, bytes.NewReader(noise(n)), 1<<30); !errors.Is(err, context.Canceled) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if s.InMemory() != 0 {
			t.Errorf("%d bytes of memory were not given back", s.InMemory())
		}
	}
}

// The folder never holds a name, and what the open file holds is ciphertext.
func TestDiskHoldsCiphertextOnly(t *testing.T) {
	dir := t.TempDir()
	s, err := spool.New(spool.Config{Dir: dir, MemoryBytes: 64 << 10, TotalMemoryBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	marker := []byte("PLAINTEXT-MARKER-0123456789")
	f, err := s.Fill(t.Context(), bytes.NewReader(bytes.Repeat(marker, 20_000)), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("the spool folder shows %d names", len(names))
	}
	links, _ := filepath.Glob("/proc/self/fd/*")
	found := false
	for _, l := range links {
		to, _ := os.Readlink(l)
		if !strings.HasPrefix(to, dir) {
			continue
		}
		found = true
		b, err := os.ReadFile(l)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, marker) || !bytes.HasPrefix(b, []byte("age-encryption.org/v1")) {
			t.Error("the spool file is readable")
		}
	}
	if !found {
		t.Fatal("the spool file was not found among the open files")
	}
}

func TestConcurrentFillsStayInTheBudget(t *testing.T) {
	const total = 2 << 20
	s := open(t, 1<<20, total)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			b := noise(700<<10 + i)
			f, err := s.Fill(t.Context(), bytes.NewReader(b), 1<<30)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if used := s.InMemory(); used > total {
				t.Errorf("%d bytes in memory, over the budget", used)
			}
			got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
			if err != nil || !bytes.Equal(got, b) {
				t.Errorf("read back: %v", err)
			}
		})
	}
	wg.Wait()
	if s.InMemory() != 0 {
		t.Errorf("%d bytes of memory were not given back", s.InMemory())
	}
}

// A full disk is stood in for by a limit on file size, in a process of its own.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv("WARDSEAL_TEST_FULL"); dir != "" {
		lim := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &lim); err != nil {
			t.Fatal(err)
		}
		s, err := spool.New(spool.Config{Dir: dir, MemoryBytes: 64 << 10, TotalMemoryBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Fill(t.Context(), bytes.NewReader(noise(3<<20)), 1<<30)
		fmt.Println("full:", errors.Is(err, spool.ErrFull), s.InMemory())
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestFullDisk$")
	cmd.Env = append(os.Environ(), "WARDSEAL_TEST_FULL="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "full: true 0") {
		t.Errorf("%v\n%s", err, out)
	}
}

func BenchmarkFill(b *testing.B) {
	for name, memory := range map[string]int64{"memory": 16 << 20, "disk": 64 << 10} {
		b.Run(name, func(b *testing.B) {
			s, data := open(b, memory, 64<<20), noise(8<<20)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				f, err := s.Fill(b.Context(), bytes.NewReader(data), 1<<30)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size())); err != nil {
					b.Fatal(err)
				}
				_ = f.Close()
			}
		})
	}
}
