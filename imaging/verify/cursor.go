package verify

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// cursor reads a file from its start to its end, once, in a bounded buffer.
type cursor struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	at   int64 // of the next byte to take

	buf   []byte
	bufAt int64
}

// maxTake is the most that is taken at once.
const maxTake = 1 << 20

func newCursor(ctx context.Context, src io.ReaderAt, size int64) *cursor {
	return &cursor{ctx: ctx, src: src, size: size}
}

// view gives n bytes from offset at, which stay valid until the next call.
func (c *cursor) view(at, n int64) ([]byte, error) {
	if n < 0 || n > maxTake || at < 0 || at+n > c.size {
		return nil, &Finding{"the file ends inside a part", at}
	}
	if at < c.bufAt || at+n > c.bufAt+int64(len(c.buf)) {
		if err := c.ctx.Err(); err != nil {
			return nil, err
		}
		want := min(max(n, 128<<10), c.size-at)
		if int64(cap(c.buf)) < want {
			c.buf = make([]byte, want)
		}
		c.buf = c.buf[:want]
		if k, err := c.src.ReadAt(c.buf, at); int64(k) < want {
			c.buf = c.buf[:0]
			return nil, errors.Join(errors.New("read the file to verify it"), err)
		}
		c.bufAt = at
	}
	return c.buf[at-c.bufAt:][:n], nil
}

// ahead gives the bytes that are at hand from the next one on, at least n of
// them. Whoever goes over a long part takes what comes this way, so that no
// byte is read twice.
func (c *cursor) ahead(n int64) ([]byte, error) {
	if _, err := c.view(c.at, n); err != nil {
		return nil, err
	}
	return c.buf[c.at-c.bufAt:], nil
}

// some takes the bytes that are at hand: one at least, most at most.
func (c *cursor) some(most int64) ([]byte, error) {
	b, err := c.ahead(1)
	if err == nil {
		b = b[:min(int64(len(b)), most)]
		c.at += int64(len(b))
	}
	return b, err
}

// take gives the next n bytes.
func (c *cursor) take(n int64) ([]byte, error) {
	b, err := c.view(c.at, n)
	if err == nil {
		c.at += n
	}
	return b, err
}

func (c *cursor) expect(what string, want []byte) error {
	at := c.at
	b, err := c.take(int64(len(want)))
	if err != nil {
		return err
	}
	return found(!bytes.Equal(b, want), "no "+what, at)
}
