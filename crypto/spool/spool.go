// Package spool holds an upload between its arrival and its acceptance, when
// it still carries whatever the phone put into it.
//
// A small upload stays in memory, within a budget that all uploads share. A
// larger one goes to a file that has no name, encrypted with age under a key
// that exists only in memory: whatever happens to the process or the machine,
// nothing readable is left. Nothing here ever waits for memory: what does not
// fit goes to disk, and what does not fit there is refused with ErrFull.
package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"github.com/wardseal/wardseal/crypto/memory"
)

var (
	// ErrTooLarge means that the upload is over the limit. It is given as soon
	// as the first byte over it was seen.
	ErrTooLarge = errors.New("over the size limit")
	// ErrFull means that the spool folder has no space left.
	ErrFull = errors.New("the spool is full")
)

// Config says where and how much.
type Config struct {
	Dir              string // made when missing, mode 0700
	MemoryBytes      int64  // the most that one upload keeps in memory
	TotalMemoryBytes int64  // the most that all uploads keep in memory together
}

// Spool makes Files. It is safe for concurrent use.
type Spool struct {
	cfg  Config
	pool memory.Pool
	used atomic.Int64
}

// New makes a Spool and its folder.
func New(cfg Config) (*Spool, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the spool folder: %w", err)
	}
	return &Spool{cfg: cfg}, nil
}

// InMemory is how many bytes of memory uploads take just now.
func (s *Spool) InMemory() int64 { return s.used.Load() }

// File is one upload as it arrived. ReadAt is safe for concurrent use.
type File struct {
	spool *Spool
	size  int64
	sum   [sha256.Size]byte

	mem *memory.Bytes // of a small upload

	disk  *os.File // of a large one
	plain io.ReaderAt
}

// Fill reads r to its end. It stops with ErrTooLarge after limit bytes, with
// ErrFull when the disk is full, with the error of ctx, and with the error of
// r as it is. After an error nothing is kept.
func (s *Spool) Fill(ctx context.Context, r io.Reader, limit int64) (_ *File, err error) {
	f := &File{spool: s, mem: s.pool.New()}
	f.plain = f.mem
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	h := sha256.New()
	src := &source{ctx: ctx, r: r, limit: limit, hash: h}
	more, err := f.fillMemory(src)
	if err == nil && more {
		err = f.fillDisk(src)
	}
	if err != nil {
		return nil, err
	}
	f.size = src.n
	h.Sum(f.sum[:0])
	return f, nil
}

// fillMemory reads as much as memory allows, and reports whether there may be more.
func (f *File) fillMemory(src *source) (more bool, err error) {
	for {
		if f.mem.Len() == f.mem.Cap() && !f.grow() {
			return true, nil
		}
		if _, err := f.mem.Fill(src); err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
}

// grow takes one more block, if the budgets allow it.
func (f *File) grow() bool {
	const n = memory.BlockBytes
	if f.mem.Cap()+n > f.spool.cfg.MemoryBytes {
		return false
	}
	if f.spool.used.Add(n) > f.spool.cfg.TotalMemoryBytes {
		f.spool.used.Add(-n)
		return false
	}
	f.mem.Grow()
	return true
}

func (f *File) fillDisk(src *source) error {
	disk, err := nameless(f.spool.cfg.Dir)
	if err != nil {
		return fault(fmt.Errorf("open a spool file: %w", err))
	}
	f.disk = disk
	// The key never leaves memory, so the quickest kind serves.
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return fault(fmt.Errorf("make a spool key: %w", err))
	}
	w, err := age.Encrypt(diskWriter{disk}, key.Recipient())
	if err != nil {
		return err
	}
	if _, err := f.mem.WriteTo(w); err != nil {
		return err
	}
	f.forget()
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{src}, make([]byte, 256<<10)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	info, err := disk.Stat()
	if err != nil {
		return fault(err)
	}
	f.plain, _, err = age.DecryptReaderAt(disk, info.Size(), key)
	if err != nil {
		return fault(fmt.Errorf("open the spool file: %w", err))
	}
	return nil
}

// nameless makes a file that no name leads to, and that is gone with the process.
func nameless(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), "spool"), nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "upload-*") // where the file system has no O_TMPFILE
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Size is the upload's length in bytes.
func (f *File) Size() int64 { return f.size }

// SHA256 is the digest of the upload as it arrived.
func (f *File) SHA256() [sha256.Size]byte { return f.sum }

// ReadAt implements io.ReaderAt. What cannot be read back is a Fault.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.plain.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = fault(err)
	}
	return n, err
}

// Close gives the memory and the disk back. A read that comes later fails.
func (f *File) Close() error {
	f.forget()
	if f.disk == nil {
		return nil
	}
	return f.disk.Close()
}

func (f *File) forget() {
	f.spool.used.Add(-f.mem.Cap())
	f.mem.Free()
}

// source counts, hashes and limits what arrives.
type source struct {
	ctx   context.Context
	r     io.Reader
	limit int64
	n     int64
	hash  hash.Hash
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	if s.n > s.limit {
		return 0, ErrTooLarge
	}
	s.hash.Write(p[:n])
	return n, err
}

// diskWriter tells a full disk from other failures.
type diskWriter struct{ f *os.File }

func (w diskWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return n, fmt.Errorf("%w: %v", ErrFull, err)
	case err != nil:
		return n, fault(err)
	}
	return n, nil
}

// Fault is a failure of the spool itself, not of the upload it was reading.
type Fault struct{ Err error }

// Error says what failed.
func (e *Fault) Error() string { return "spool: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Fault) Unwrap() error { return e.Err }

func fault(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %v", ErrFull, err)
	}
	return &Fault{err}
}
