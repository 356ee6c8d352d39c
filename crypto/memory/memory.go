// Package memory lends memory for plaintext. It comes in blocks that are wiped
// when they are given back and then lent again, so that a busy server neither
// leaves pictures behind in its heap nor spends its time on clearing and
// copying new memory for each.
package memory

import (
	"io"
	"os"
	"sync"
)

// BlockBytes is the unit in which memory is lent.
const BlockBytes = 64 << 10

type block [BlockBytes]byte

// spare is how many blocks a Pool holds on to for the next borrower.
const spare = 128

// Pool lends blocks. The zero Pool is ready, and safe for concurrent use.
type Pool struct {
	mu    sync.Mutex
	spare []*block
}

func (p *Pool) lend() *block {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.spare) - 1
	if n < 0 {
		return new(block)
	}
	b := p.spare[n]
	p.spare = p.spare[:n]
	return b
}

// take takes back a block that was wiped.
func (p *Pool) take(b *block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.spare) < spare {
		p.spare = append(p.spare, b)
	}
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
