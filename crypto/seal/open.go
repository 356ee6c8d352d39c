package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// File is an opened object: random access to its plaintext. Every chunk is
// authenticated before a byte of it is given. It is safe for concurrent use
// when the object's source is.
type File struct {
	plain  io.ReaderAt
	size   int64
	object int64
}

// Open opens the object of objectBytes bytes in src. It reads the first 4 KiB
// and the last chunk, and authenticates the header and the plaintext's length
// before it returns. An object that cannot be opened gives ErrRefused; an
// error of src is passed on in the chain.
func Open(src io.ReaderAt, objectBytes int64, id Identity) (*File, error) {
	if id.key == nil {
		return nil, ErrIdentity
	}
	size, err := plainSize(objectBytes)
	if err != nil {
		return nil, err
	}
	// What was checked is what age sees: it gets the head from memory, which
	// also saves a request to the object store.
	head := make([]byte, min(4096, objectBytes))
	if err := fullAt(src, head, 0); err != nil {
		return nil, fmt.Errorf("read the object's header: %w", err)
	}
	if err := checkHeader(head[:headerBytes]); err != nil {
		return nil, err
	}
	plain, n, err := age.DecryptReaderAt(&headed{head, src}, objectBytes, id.key)
	if err != nil {
		return nil, refusal(err)
	}
	if n != size {
		return nil, fmt.Errorf("%w: its length is not what it says", ErrRefused)
	}
	return &File{plain: plain, size: size, object: objectBytes}, nil
}

// Size is the length of the plaintext in bytes.
func (f *File) Size() int64 { return f.size }

// ReadAt implements io.ReaderAt over the plaintext. On an error the bytes it
// has given are authentic; the rest of p is cleared.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("read the object: negative offset")
	}
	if off >= f.size {
		return 0, io.EOF
	}
	n, err := f.plain.ReadAt(p, off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	if err != nil && err != io.EOF {
		clear(p[n:])
		err = refusal(err)
	}
	return n, err
}

// CipherRange is the range of the object that holds plainLen bytes of
// plaintext from plainOff: what to fetch in one request before reading them.
// What lies outside the plaintext is left out; n is 0 when nothing is left.
func (f *File) CipherRange(plainOff, plainLen int64) (off, n int64) {
	plainOff = max(plainOff, 0)
	if plainLen <= 0 || plainOff >= f.size {
		return 0, 0
	}
	last := plainOff + min(plainLen, f.size-plainOff) - 1
	off = payloadAt + plainOff/chunkBytes*boxBytes
	end := min(payloadAt+(last/chunkBytes+1)*boxBytes, f.object)
	return off, end - off
}

// DecryptAll opens the object of objectBytes bytes that src gives and has dst
// read its plaintext. When it returns nil, dst has all of it and all of it was
// authenticated; otherwise what dst has must be thrown away. An object that
// cannot be opened, or a src that is longer or shorter, gives ErrRefused; an
// error of src is passed on.
func DecryptAll(dst io.ReaderFrom, src io.Reader, objectBytes int64, id Identity) error {
	if id.key == nil {
		return ErrIdentity
	}
	size, err := plainSize(objectBytes)
	if err != nil {
		return err
	}
	head := make([]byte, headerBytes)
	if _, err := io.ReadFull(src, head); err != nil {
		return fmt.Errorf("read the object's header: %w", short(err))
	}
	if err := checkHeader(head); err != nil {
		return err
	}
	r, err := age.Decrypt(io.MultiReader(bytes.NewReader(head), body{src}), id.key)
	if err != nil {
		return refusal(err)
	}
	// age says EOF only after it has authenticated the end, and one byte more
	// than there should be is room enough to notice a longer object.
	n, err := dst.ReadFrom(io.LimitReader(r, size+1))
	if err != nil {
		return refusal(err)
	}
	if n != size {
		return fmt.Errorf("%w: its length is not what it says", ErrRefused)
	}
	return nil
}

// sourceError is a failure of the object's source. It keeps age from taking
// an io.ErrUnexpectedEOF of a broken connection for the end of the file.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

func ofSource(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &sourceError{err}
}

// refusal tells a failing source, whose error is passed on, from an object
// that is not what it should be.
func refusal(err error) error {
	var s *sourceError
	if errors.As(err, &s) {
		return fmt.Errorf("read the object: %w", s.err)
	}
	return fmt.Errorf("%w: %v", ErrRefused, err)
}

// body marks the errors of a stream as the source's.
type body struct{ src io.Reader }

func (b body) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	return n, ofSource(err)
}

// headed is src with its first bytes already read.
type headed struct {
	head []byte
	src  io.ReaderAt
}

func (h *headed) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < int64(len(h.head)) {
		if n = copy(p, h.head[off:]); n == len(p) {
			return n, nil
		}
	}
	m, err := h.src.ReadAt(p[n:], off+int64(n))
	return n + m, ofSource(err)
}

func fullAt(src io.ReaderAt, p []byte, off int64) error {
	n, err := src.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return short(err)
}

// short says that an object is shorter than its length was said to be.
func short(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: shorter than it should be", ErrRefused)
	}
	return err
}
