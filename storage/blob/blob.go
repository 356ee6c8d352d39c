// Package blob is the contract of the object store: encrypted objects under
// keys, written once, read in ranges, deleted with every version. It knows
// nothing of what the objects are.
//
// An implementation promises: an object becomes visible whole and durable or
// not at all; of several writers of one key exactly one succeeds and the
// others get ErrExists; Delete leaves no version behind. blobtest.Conformance
// checks this on each. All methods are safe for concurrent use.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Errors that callers branch on. All come wrapped.
var (
	ErrNotFound    = errors.New("object not found")
	ErrExists      = errors.New("object exists already")
	ErrLocked      = errors.New("object is locked against deletion")
	ErrUnavailable = errors.New("the object store is unavailable")
	ErrFull        = errors.New("the object store has no space left")
	ErrKey         = errors.New("not an object key")
	ErrLength      = errors.New("the content has not the length that was said")
)

// maxKey is the longest key in bytes.
const maxKey = 512

// Key names an object: segments of a-z, 0-9, dot, underscore and hyphen,
// joined by slashes. Make one with ParseKey.
type Key string

// ParseKey checks that s is a key; ErrKey otherwise. No key is or contains a
// segment of dots alone, so none can lead out of the store.
func ParseKey(s string) (Key, error) {
	if s == "" || len(s) > maxKey {
		return "", ErrKey
	}
	for seg := range strings.SplitSeq(s, "/") {
		if strings.Trim(seg, ".") == "" || strings.Trim(seg, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || len(seg) > 255 {
			return "", ErrKey
		}
	}
	return Key(s), nil
}

// Info describes an object.
type Info struct {
	Key         Key
	Bytes       int64
	Modified    time.Time
	Version     string    // empty where the store keeps no versions
	LockedUntil time.Time // zero when not locked
	LegalHold   bool
}

// Reader reads objects. It is a type of its own so that what only shows
// pictures cannot write or delete.
type Reader interface {
	// OpenAt reads n bytes from offset off, or all from off when n is negative.
	// A range that is not wholly inside the object is an error.
	OpenAt(ctx context.Context, key Key, off, n int64) (io.ReadCloser, error)
	// Stat describes the current object.
	Stat(ctx context.Context, key Key) (Info, error)
	// List calls each for every current object whose key starts with prefix,
	// in the order of keys, and stops at its first error.
	List(ctx context.Context, prefix string, each func(Info) error) error
}

// Store is a Reader that also writes and deletes.
type Store interface {
	Reader
	// Create writes an object of exactly size bytes, at least one, which r must
	// give: ErrLength when it does not, ErrExists when the key is taken.
	Create(ctx context.Context, key Key, r io.Reader, size int64) (Info, error)
	// Delete removes every version of an object. An absent one is no error;
	// ErrLocked when a lock or a legal hold forbids it.
	Delete(ctx context.Context, key Key) error
	// Check reports whether the store could take an object now.
	Check(ctx context.Context) error
}

// Locker is a Store that can lock objects against deletion by anybody, itself
// included.
type Locker interface {
	Store
	// CanLock reports whether the store was made so that objects can be locked.
	CanLock(ctx context.Context) error
	// Retain locks the current object until at least a time; a lock that lasts
	// longer stays.
	Retain(ctx context.Context, key Key, until time.Time) error
	// LegalHold places a legal hold on the current object, or lifts it.
	LegalHold(ctx context.Context, key Key, on bool) error
}

// Version is one version of an object, or the mark that it was deleted.
type Version struct {
	Info
	Latest bool // what a reader sees
	Marker bool // a delete marker: it has no content
}

// Versioner is a Store that may keep more than one version of an object, where
// its bucket was made so. There should never be more than one.
type Versioner interface {
	Store
	// ListVersions is List for every version and delete marker, those of one
	// key together.
	ListVersions(ctx context.Context, prefix string, each func(Version) error) error
	// OpenVersion reads a version from its start.
	OpenVersion(ctx context.Context, key Key, version string) (io.ReadCloser, error)
	// DeleteVersion removes one version or delete marker for good.
	DeleteVersion(ctx context.Context, key Key, version string) error
}

// Tidier is a Store in which a write that was broken off leaves something that
// List does not show.
type Tidier interface {
	// Tidy removes what is so old at a time that nobody can be writing it any
	// more, and says how much that was.
	Tidy(ctx context.Context, now time.Time) (int, error)
}

// CheckCreate refuses what no store takes. Implementations call it first.
func CheckCreate(key Key, size int64) error {
	if _, err := ParseKey(string(key)); err != nil {
		return err
	}
	if size < 1 {
		return fmt.Errorf("%w: an object has at least one byte", ErrLength)
	}
	return nil
}

// Exactly reads r, which must give n bytes and then end. It fails before the
// last byte when there are more, and at the end when there are fewer, so that
// a wrong length never looks like a whole object.
func Exactly(r io.Reader, n int64) io.Reader { return &exactly{r: r, left: n} }

type exactly struct {
	r    io.Reader
	left int64
	err  error
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left == 0:
		if e.err = e.ends(err); e.err != io.EOF {
			n = 0
		}
	case err == io.EOF:
		e.err = fmt.Errorf("%w: it ended %d bytes early", ErrLength, e.left)
	case err != nil:
		e.err = err
	}
	return n, e.err
}

// ends makes sure that nothing follows.
func (e *exactly) ends(err error) error {
	if err == nil {
		var probe [1]byte
		var k int
		for range 100 {
			if k, err = e.r.Read(probe[:]); k > 0 || err != nil {
				break
			}
		}
		if k > 0 || err == nil {
			return fmt.Errorf("%w: it goes on", ErrLength)
		}
	}
	return err
}
