package sanitise

import (
	"bytes"
	"io"
	"sort"
)

// pieces reads ranges of a source as if they were one, through a small window.
type pieces struct {
	src    io.ReaderAt
	where  []extent
	starts []int64 // where each range starts in the whole
	size   int64

	window   []byte
	windowAt int64
}

func newPieces(src io.ReaderAt, where []extent) *pieces {
	p := &pieces{src: src, where: where}
	for _, e := range where {
		p.starts = append(p.starts, p.size)
		p.size += e.n
	}
	return p
}

// index is the range that holds the byte at an offset.
func (p *pieces) index(at int64) int {
	return sort.Search(len(p.starts), func(i int) bool { return p.starts[i] > at }) - 1
}

// peek gives n bytes, a few, from at. They stay valid until the next call.
func (p *pieces) peek(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > p.size-at {
		return nil, io.ErrUnexpectedEOF
	}
	if at < p.windowAt || at+n > p.windowAt+int64(len(p.window)) {
		want := min(max(n, 1024), p.size-at)
		if int64(cap(p.window)) < want {
			p.window = make([]byte, want)
		}
		p.window, p.windowAt = p.window[:want], at
		for i, done := p.index(at), int64(0); done < want; i++ {
			skip := at + done - p.starts[i]
			k := min(want-done, p.where[i].n-skip)
			if err := readAt(p.src, p.window[done:done+k], p.where[i].off+skip); err != nil {
				p.window = nil
				return nil, err
			}
			done += k
		}
	}
	return p.window[at-p.windowAt:][:n], nil
}

// zero reports whether what is left from at is a few zero bytes.
func (p *pieces) zero(at int64) bool {
	b, err := p.peek(at, min(p.size-at, 8))
	return err == nil && p.size-at <= 8 && len(bytes.Trim(b, "\x00")) == 0
}

// cut appends to out the ranges of the source that hold n bytes from at.
func (p *pieces) cut(out []extent, at, n int64) []extent {
	for i := p.index(at); n > 0; i++ {
		skip := at - p.starts[i]
		k := min(n, p.where[i].n-skip)
		off := p.where[i].off + skip
		if j := len(out) - 1; j >= 0 && out[j].off+out[j].n == off {
			out[j].n += k
		} else {
			out = append(out, extent{off, k})
		}
		at, n = at+k, n-k
	}
	return out
}
