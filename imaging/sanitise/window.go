package sanitise

import (
	"context"
	"io"
)

// window reads small parts of a file through one bounded buffer, so that a
// walk over many tiny parts costs few reads.
type window struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	most int64 // that it gives at once, and reads ahead

	buf []byte
	at  int64 // of the buffer's first byte in the file
}

const (
	// windowBytes is how much is read at once of a file that is read whole.
	windowBytes = 64 << 10
	// filmWindow is how much of a film is read around each head: little, since
	// what lies between the heads is not read at all.
	filmWindow = 4 << 10
)

func newWindow(ctx context.Context, src io.ReaderAt, size, most int64) *window {
	return &window{ctx: ctx, src: src, size: size, most: most}
}

// bytes gives the n bytes at offset at, which stay valid until the next call.
// Past the end of the file it gives io.ErrUnexpectedEOF.
func (w *window) bytes(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > w.most || at > w.size-n {
		return nil, io.ErrUnexpectedEOF
	}
	if at < w.at || at+n > w.at+int64(len(w.buf)) {
		if err := w.ctx.Err(); err != nil {
			return nil, err
		}
		want := min(w.most, w.size-at)
		if w.buf == nil {
			w.buf = make([]byte, min(w.most, w.size))
		}
		w.buf = w.buf[:want]
		if err := readAt(w.src, w.buf, at); err != nil {
			w.buf = w.buf[:0]
			return nil, err
		}
		w.at = at
	}
	return w.buf[at-w.at:][:n], nil
}

// film gives bytes of a film, and refuses it when they are past its end.
func (w *window) film(at, n int64) ([]byte, error) {
	b, err := w.bytes(at, n)
	if err != nil {
		return nil, cut(err, errVideoCut)
	}
	return b, nil
}

// some gives the bytes of a film that are at hand from offset at on, at least
// and at most as many. Whoever goes over a long part in small steps takes what
// comes this way, so that no byte is read at each step.
func (w *window) some(at, least, most int64) ([]byte, error) {
	if at < w.at || at+least > w.at+int64(len(w.buf)) {
		if _, err := w.film(at, min(most, w.most)); err != nil {
			return nil, err
		}
	}
	b := w.buf[at-w.at:]
	return b[:min(int64(len(b)), most)], nil
}
