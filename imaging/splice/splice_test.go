package splice_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/wardseal/wardseal/imaging/splice"
)

func TestReadsAsOneFile(t *testing.T) {
	src := strings.NewReader("0123456789")
	s := splice.New(src, 10)
	s.Copy(2, 3)
	s.Copy(5, 1) // joins the part before
	s.Literal([]byte("abc"))
	s.Zero(2)
	s.Zero(1)
	s.Copy(0, 0)
	s.Copy(9, 1)
	want := []byte("2345abc\x00\x00\x009")
	if err := iotest.TestReader(io.NewSectionReader(s, 0, s.Size()), want); err != nil {
		t.Fatal(err)
	}
	if s.Err() != nil || s.Size() != int64(len(want)) {
		t.Fatal(s.Err(), s.Size())
	}
}

func TestRandomReads(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	src := make([]byte, 4096)
	for i := range src {
		src[i] = byte(r.Uint32())
	}
	for range 200 {
		s, want := splice.New(bytes.NewReader(src), 4096), []byte(nil)
		for range r.IntN(30) {
			a, n := r.IntN(4000), r.IntN(96)
			switch r.IntN(3) {
			case 0:
				s.Copy(int64(a), int64(n))
				want = append(want, src[a:a+n]...)
			case 1:
				s.Literal(src[a : a+n])
				want = append(want, src[a:a+n]...)
			case 2:
				s.Zero(int64(n))
				want = append(want, make([]byte, n)...)
			}
		}
		for range 50 {
			off, p := r.IntN(len(want)+1), make([]byte, r.IntN(500))
			n, err := s.ReadAt(p, int64(off))
			if !bytes.Equal(p[:n], want[off:min(len(want), off+len(p))]) {
				t.Fatal("bytes differ")
			}
			if n < len(p) && err != io.EOF {
				t.Fatalf("short read with %v", err)
			}
		}
	}
}

func TestRangesOutsideTheSourceAreFaults(t *testing.T) {
	for _, c := range [][2]int64{{-1, 1}, {0, -1}, {0, 11}, {11, 1}, {10, 1}, {1 << 62, 1 << 62}} {
		s := splice.New(strings.NewReader("0123456789"), 10)
		s.Copy(c[0], c[1])
		if s.Err() == nil {
			t.Errorf("copy %v was accepted", c)
		}
		if _, err := s.ReadAt(make([]byte, 1), 0); err == nil {
			t.Errorf("copy %v: reads", c)
		}
	}
}
