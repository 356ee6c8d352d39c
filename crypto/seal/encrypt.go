package seal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"

	"github.com/wardseal/wardseal/internal/media/clean"
)

// Sums account for one object: what went in and what came out.
type Sums struct {
	PlainSHA256  [sha256.Size]byte
	ObjectSHA256 [sha256.Size]byte
	PlainBytes   int64
	ObjectBytes  int64
}

// EncryptReader reads the object of one clean file, encrypting as it goes. It
// is for one reader, once, in one goroutine.
type EncryptReader struct {
	ctx   context.Context
	age   io.Reader
	plain *source
	hash  hash.Hash
	n     int64
	want  int64
	err   error
}

// NewReader starts encrypting m to id. Reading gives exactly Size(m.Size())
// bytes and io.EOF, or an error: of ctx once it ends, of m when it cannot be
// read, and io.ErrUnexpectedEOF in its chain when m has fewer bytes than it
// said. m must stay open while the reader is in use.
func NewReader(ctx context.Context, id Identity, m clean.Media) (*EncryptReader, error) {
	if id.key == nil {
		return nil, ErrIdentity
	}
	if !m.Valid() || Size(m.Size()) < 0 {
		return nil, errors.New("encrypt: not a clean file")
	}
	src := &source{r: m.Reader(), want: m.Size(), hash: sha256.New()}
	r, err := age.EncryptReader(src, id.key.Recipient())
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return &EncryptReader{ctx: ctx, age: r, plain: src, hash: sha256.New(), want: Size(m.Size())}, nil
}

// Read implements io.Reader. After an error it gives the same error again.
func (r *EncryptReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.err = r.ctx.Err(); r.err != nil {
		return 0, r.err
	}
	n, err := r.age.Read(p)
	r.hash.Write(p[:n])
	r.n += int64(n)
	switch {
	case errors.Is(err, io.EOF) && r.n != r.want:
		err = fmt.Errorf("encrypt: the object has %d bytes, not %d: %w", r.n, r.want, io.ErrUnexpectedEOF)
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("encrypt: %w", err)
	}
	r.err = err
	return n, err
}

// Sums accounts for the object once Read has given all of its bytes; before
// that, and after a failure, it is an error.
func (r *EncryptReader) Sums() (Sums, error) {
	if r.n != r.want || r.err != nil && !errors.Is(r.err, io.EOF) {
		return Sums{}, errors.New("the object was not read to its end")
	}
	s := Sums{PlainBytes: r.plain.n, ObjectBytes: r.n}
	r.plain.hash.Sum(s.PlainSHA256[:0])
	r.hash.Sum(s.ObjectSHA256[:0])
	return s, nil
}

// source reads and hashes the plaintext, and turns an early end into an error
// before age could take it for the end of the file.
type source struct {
	r    io.Reader
	want int64
	n    int64
	hash hash.Hash
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	s.n += int64(n)
	if err == io.EOF && s.n < s.want {
		err = fmt.Errorf("the file ended after %d of %d bytes: %w", s.n, s.want, io.ErrUnexpectedEOF)
	}
	return n, err
}

// Encrypt writes the object of m to dst and accounts for it. After an error dst
// holds a part of an object, which opens nowhere.
func Encrypt(ctx context.Context, dst io.Writer, id Identity, m clean.Media) (Sums, error) {
	r, err := NewReader(ctx, id, m)
	if err != nil {
		return Sums{}, err
	}
	// Only Write is offered, so that whole chunks are passed on.
	if _, err := io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{r}, make([]byte, boxBytes)); err != nil {
		return Sums{}, err
	}
	return r.Sums()
}
