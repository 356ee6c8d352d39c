// Package splice describes a file as a list of parts: ranges copied from a
// source, literal bytes, and runs of zeros. A sanitiser returns a Splice
// instead of a second copy of the file, so its memory is bounded by what it
// changed, not by the size of a video.
package splice

import (
	"fmt"
	"io"
	"sort"
)

// maxParts bounds the memory of one Splice (about 48 bytes a part).
const maxParts = 4 << 20

type part struct {
	at      int64 // where the part starts in the output
	from    int64 // where a copied part starts in the source; -1 otherwise
	literal []byte
}

// Splice renders its parts as one file. Build it from one goroutine; after
// that ReadAt may be called from many.
type Splice struct {
	src   io.ReaderAt
	size  int64 // of the source
	parts []part
	len   int64
	err   error
}

// New starts an empty Splice over the size bytes of src.
func New(src io.ReaderAt, size int64) *Splice { return &Splice{src: src, size: size} }

// Copy appends n bytes of the source from offset off. A range outside the
// source makes Err non-nil.
func (s *Splice) Copy(off, n int64) {
	if n == 0 {
		return
	}
	if off < 0 || n < 0 || off > s.size || n > s.size-off {
		s.fail(fmt.Errorf("copy of %d bytes at %d is outside the source of %d", n, off, s.size))
		return
	}
	if k := len(s.parts) - 1; k >= 0 && s.parts[k].from >= 0 && s.parts[k].from+(s.len-s.parts[k].at) == off {
		s.len += n // continues the last part
		return
	}
	s.add(part{at: s.len, from: off}, n)
}

// Literal appends the bytes of b, which must not change afterwards.
func (s *Splice) Literal(b []byte) {
	if len(b) > 0 {
		s.add(part{at: s.len, from: -1, literal: b}, int64(len(b)))
	}
}

// Zero appends n zero bytes.
func (s *Splice) Zero(n int64) {
	if n < 0 {
		s.fail(fmt.Errorf("a run of %d zeros", n))
		return
	}
	if n == 0 {
		return
	}
	if k := len(s.parts) - 1; k >= 0 && s.parts[k].from < 0 && s.parts[k].literal == nil {
		s.len += n
		return
	}
	s.add(part{at: s.len, from: -1}, n)
}

func (s *Splice) add(p part, n int64) {
	if len(s.parts) >= maxParts {
		s.fail(fmt.Errorf("more than %d parts", maxParts))
		return
	}
	s.parts = append(s.parts, p)
	s.len += n
}

func (s *Splice) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Err is the first fault of building, if any. A Splice with a fault reads nothing.
func (s *Splice) Err() error { return s.err }

// Size is the length of the output in bytes.
func (s *Splice) Size() int64 { return s.len }

// ReadAt implements io.ReaderAt over the output.
func (s *Splice) ReadAt(p []byte, off int64) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if off < 0 {
		return 0, fmt.Errorf("splice: negative offset")
	}
	if off >= s.len {
		return 0, io.EOF
	}
	i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].at > off }) - 1
	n := 0
	for n < len(p) && i < len(s.parts) {
		pt, end := s.parts[i], s.len
		if i+1 < len(s.parts) {
			end = s.parts[i+1].at
		}
		skip := off + int64(n) - pt.at
		want := int(min(int64(len(p)-n), end-pt.at-skip))
		dst := p[n : n+want]
		switch {
		case pt.from >= 0:
			got, err := s.src.ReadAt(dst, pt.from+skip)
			if got < want {
				if err == nil || err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return n + got, err
			}
		case pt.literal != nil:
			copy(dst, pt.literal[skip:])
		default:
			clear(dst)
		}
		n += want
		i++
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
