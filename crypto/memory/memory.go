// Package memory lends memory for plaintext. It comes in blocks that are wiped
// when they are given back and then lent again, so that a busy server neither
// leaves pictures behind nor spends its time on clearing and copying new memory
// for each. The blocks stand outside of Go's heap: they are in no core dump,
// and the garbage collector need not run for room that will be free in a
// moment.
package memory

import (
	"io"
	"os"
	"sync"
	"time"
)

// BlockBytes is the unit in which memory is lent.
const BlockBytes = 256 << 10

// idle is how long blocks that nobody borrows are held on to.
const idle = 5 * time.Second

type block [BlockBytes]byte

// Pool lends blocks. The zero Pool is ready, and safe for concurrent use. What
// it holds on to for the next borrower is at most what was lent at one time,
// and goes back to the system once nothing has been lent for a while.
type Pool struct {
	mu    sync.Mutex
	spare []*block
	lent  int
	turn  int // counts loans, so that a timer knows whether there were any
}

func (p *Pool) lend() *block {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lent++
	p.turn++
	n := len(p.spare) - 1
	if n < 0 {
		return obtain()
	}
	b := p.spare[n]
	p.spare = p.spare[:n]
	return b
}

// take takes back a block that was wiped.
func (p *Pool) take(b *block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spare = append(p.spare, b)
	if p.lent--; p.lent > 0 {
		return
	}
	turn := p.turn
	time.AfterFunc(idle, func() { p.rest(turn) })
}

// rest gives the spare blocks back if nothing was lent since that turn.
func (p *Pool) rest(turn int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turn != turn {
		return
	}
	for _, b := range p.spare {
		release(b)
	}
	p.spare = nil
}

// Copy copies src to dst with a block as its buffer.
func (p *Pool) Copy(dst io.Writer, src io.Reader) (int64, error) {
	b := p.lend()
	defer func() { clear(b[:]); p.take(b) }()
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, b[:]) // nothing that would pass the buffer by
}

// Bytes is a run of bytes in blocks of a Pool. It is written by one goroutine;
// after that ReadAt may be called from many. A read that comes after Free, from
// a goroutine that has not heard of it yet, fails and never sees what the
// memory was lent for next.
type Bytes struct {
	mu     sync.RWMutex // held to write while blocks change hands
	pool   *Pool
	blocks []*block
	n      int64
	freed  bool
}

// New makes an empty run of bytes.
func (p *Pool) New() *Bytes { return &Bytes{pool: p} }

// Len is how many bytes have been written.
func (b *Bytes) Len() int64 { return b.n }

// Cap is how many bytes can be written before Grow must be called.
func (b *Bytes) Cap() int64 { return int64(len(b.blocks)) * BlockBytes }

// Grow adds a block.
func (b *Bytes) Grow() { b.blocks = append(b.blocks, b.pool.lend()) }

// Fill reads once from r into the room that is left, of which there must be
// some, and passes on what r says.
func (b *Bytes) Fill(r io.Reader) (int, error) {
	n, err := r.Read(b.blocks[b.n/BlockBytes][b.n%BlockBytes:])
	b.n += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom: it reads r to its end, growing as needed.
func (b *Bytes) ReadFrom(r io.Reader) (int64, error) {
	before := b.n
	for {
		if b.n == b.Cap() {
			b.Grow()
		}
		if _, err := b.Fill(r); err == io.EOF {
			return b.n - before, nil
		} else if err != nil {
			return b.n - before, err
		}
	}
}

// Replace puts the first n bytes that r has in place of all that was written,
// which must be at least as much. It goes from the front to the back, so that r
// may itself read, from behind there, what is about to be replaced. After an
// error the bytes are neither one nor the other.
func (b *Bytes) Replace(r io.ReaderAt, n int64) error {
	if n > b.n {
		return io.ErrShortBuffer
	}
	for i, at := 0, int64(0); at < n; i, at = i+1, at+BlockBytes {
		part := b.blocks[i][:min(BlockBytes, n-at)]
		if got, err := r.ReadAt(part, at); got < len(part) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	b.n = n
	return nil
}

// WriteTo implements io.WriterTo.
func (b *Bytes) WriteTo(w io.Writer) (int64, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.freed {
		return 0, os.ErrClosed
	}
	done := int64(0)
	for _, k := range b.blocks {
		n, err := w.Write(k[:min(BlockBytes, b.n-done)])
		done += int64(n)
		if err != nil || done == b.n {
			return done, err
		}
	}
	return done, nil
}

// ReadAt implements io.ReaderAt.
func (b *Bytes) ReadAt(p []byte, off int64) (int, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.freed {
		return 0, os.ErrClosed
	}
	if off < 0 {
		return 0, os.ErrInvalid
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at >= b.n {
			return n, io.EOF
		}
		n += copy(p[n:], b.blocks[at/BlockBytes][at%BlockBytes:min(BlockBytes, b.n-at/BlockBytes*BlockBytes)])
	}
	return n, nil
}

// Free wipes the bytes and gives the memory back. It may be called again.
func (b *Bytes) Free() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range b.blocks {
		clear(k[:]) // all of it: a reader may have used more than it filled
		b.pool.take(k)
	}
	b.blocks, b.n, b.freed = nil, 0, true
}
