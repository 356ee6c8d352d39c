package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	headBytes = 4 << 10           // of an object, kept in a Cache: the age header
	tailBytes = 64<<10 + 16 + 1   // and its end: the last chunk
	keepBytes = 2 * (64<<10 + 16) // how far back in a stream a read may go
	blockSize = 1 << 20           // fetched when nothing is expected
)

// Cache keeps the ends of recently read objects, so that opening one again
// asks the store for nothing. It holds ciphertext only. It is safe for
// concurrent use; nil is a Cache that keeps nothing.
type Cache struct {
	mu    sync.Mutex
	limit int64
	used  int64
	ends  map[Key]*ends
	order []Key // oldest first
}

type ends struct{ head, tail []byte }

// NewCache makes a Cache of at most limit bytes.
func NewCache(limit int64) *Cache { return &Cache{limit: limit, ends: map[Key]*ends{}} }

func (c *Cache) get(key Key) *ends {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ends[key]
}

func (c *Cache) put(key Key, e *ends) {
	size := int64(len(e.head) + len(e.tail))
	if c == nil || size > c.limit {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends[key] != nil {
		return
	}
	for c.used+size > c.limit && len(c.order) > 0 {
		c.drop(c.order[0])
	}
	c.ends[key], c.order, c.used = e, append(c.order, key), c.used+size
}

// drop forgets the oldest; c.mu is held.
func (c *Cache) drop(key Key) {
	if e := c.ends[key]; e != nil {
		c.used -= int64(len(e.head) + len(e.tail))
		delete(c.ends, key)
	}
	c.order = c.order[1:]
}

// Window is an io.ReaderAt over one object. It turns the small reads of a
// decrypter into few requests: the range told to Expect is one, sequential
// reads go on in it, and other reads fetch blocks. It is for one goroutine at a
// time. Its memory is bounded at about 2 MiB. Close it.
type Window struct {
	ctx   context.Context
	r     Reader
	key   Key
	size  int64
	cache *Cache
	ends  *ends

	expectAt, expectEnd int64

	body io.ReadCloser // a stream that has been read up to at
	at   int64
	end  int64  // of the stream
	kept []byte // the bytes before at

	block   []byte
	blockAt int64
}

// NewWindow makes a Window over the size bytes of an object. ctx bounds its
// requests.
func NewWindow(ctx context.Context, r Reader, key Key, size int64, cache *Cache) *Window {
	return &Window{ctx: ctx, r: r, key: key, size: size, cache: cache, ends: cache.get(key)}
}

// Expect tells the range that is about to be read in order. What was expected
// before is not any more.
func (w *Window) Expect(off, n int64) {
	_ = w.hangUp() // it only lets go
	w.block, w.expectAt, w.expectEnd = nil, off, min(off+n, w.size)
}

// Close ends the request in flight, if any.
func (w *Window) Close() error {
	w.kept, w.block = nil, nil
	return w.hangUp()
}

func (w *Window) hangUp() error {
	if w.body == nil {
		return nil
	}
	b := w.body
	w.body = nil
	return b.Close()
}

// ReadAt implements io.ReaderAt.
func (w *Window) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("window: negative offset")
	}
	if off >= w.size {
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > w.size-off {
		p, end = p[:w.size-off], io.EOF
	}
	if err := w.fill(p, off); err != nil {
		return 0, err
	}
	return len(p), end
}

func (w *Window) fill(p []byte, off int64) error {
	n := int64(len(p))
	if w.body != nil || off >= w.expectAt && off+n <= w.expectEnd {
		if done, err := w.stream(p, off); done || err != nil {
			return err
		}
	}
	if off+n <= headBytes || off >= w.size-tailBytes {
		done, err := w.fromEnds(p, off)
		if done || err != nil {
			return err
		}
	}
	return w.blocks(p, off)
}

// fromEnds serves the first and last bytes, which every opening reads.
func (w *Window) fromEnds(p []byte, off int64) (bool, error) {
	if w.ends == nil {
		e := &ends{}
		var err error
		if w.size <= headBytes+tailBytes {
			e.head, err = w.fetch(0, w.size)
			e.tail = e.head[max(0, int64(len(e.head))-tailBytes):]
		} else if e.head, err = w.fetch(0, headBytes); err == nil {
			e.tail, err = w.fetch(w.size-tailBytes, tailBytes)
		}
		if err != nil {
			return false, err
		}
		w.ends = e
		w.cache.put(w.key, e)
	}
	if end := off + int64(len(p)); end <= int64(len(w.ends.head)) {
		copy(p, w.ends.head[off:end])
		return true, nil
	}
	if from := w.size - int64(len(w.ends.tail)); off >= from {
		copy(p, w.ends.tail[off-from:])
		return true, nil
	}
	return false, nil
}

// stream reads on in the expected range, opening it when needed. A stream that
// was open may have been given up by the store, while a slow viewer took in what
// came before: it is opened once more.
func (w *Window) stream(p []byte, off int64) (bool, error) {
	n := int64(len(p))
	held := w.body != nil
	if !held {
		w.at, w.end, w.kept = off, w.expectEnd, w.kept[:0]
		if err := w.open(); err != nil {
			return false, err
		}
	}
	from := w.at - int64(len(w.kept))
	if off < from || off > w.at || off+n > w.end {
		return false, nil
	}
	had := copy(p, w.kept[off-from:])
	if int64(had) == n {
		return true, nil
	}
	_, err := io.ReadFull(w.body, p[had:])
	if err != nil && held {
		_ = w.hangUp() // what it says was said already
		if err = w.open(); err == nil {
			_, err = io.ReadFull(w.body, p[had:])
		}
	}
	if err != nil {
		_ = w.hangUp()
		return false, w.short(err)
	}
	w.at += n - int64(had)
	w.keep(p[had:])
	return true, nil
}

// open opens the stream where it is to be read next.
func (w *Window) open() (err error) {
	w.body, err = w.r.OpenAt(w.ctx, w.key, w.at, w.end-w.at)
	return err
}

// keep remembers the last bytes of the stream.
func (w *Window) keep(b []byte) {
	if w.kept == nil {
		w.kept = make([]byte, 0, keepBytes)
	}
	if over := len(w.kept) + len(b) - keepBytes; over > 0 {
		b = b[max(0, len(b)-keepBytes):]
		w.kept = w.kept[:copy(w.kept, w.kept[min(over, len(w.kept)):])]
	}
	w.kept = append(w.kept, b...)
}

// blocks serves reads that nobody told of.
func (w *Window) blocks(p []byte, off int64) error {
	for len(p) > 0 {
		if w.block == nil || off < w.blockAt || off >= w.blockAt+int64(len(w.block)) {
			at := off / blockSize * blockSize
			b, err := w.fetch(at, min(blockSize, w.size-at))
			if err != nil {
				return err
			}
			w.block, w.blockAt = b, at
		}
		n := copy(p, w.block[off-w.blockAt:])
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (w *Window) fetch(off, n int64) ([]byte, error) {
	body, err := w.r.OpenAt(w.ctx, w.key, off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	b := make([]byte, n)
	if _, err := io.ReadFull(body, b); err != nil {
		return nil, w.short(err)
	}
	return b, nil
}

// short keeps an early end from looking like the end of the object.
func (w *Window) short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: object %s broke off", ErrUnavailable, w.key)
	}
	return fmt.Errorf("read object %s: %w", w.key, err)
}
