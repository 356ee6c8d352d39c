// Package breached looks passwords up in a file of the hashes of those that
// were seen in breaches, as Have I Been Pwned gives it to be downloaded: a line
// for each, "SHA-1 in hexadecimal:how often", sorted. The file can be larger
// than memory: a look-up reads some forty short pieces of it.
package breached

import (
	"bytes"
	"crypto/sha1" // #nosec G505 -- what the file has; nothing is protected by it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// List is such a file. It is safe for concurrent use.
type List struct {
	f    io.ReaderAt
	size int64
	file *os.File
}

const (
	hashChars = sha1.Size * 2
	maxLine   = hashChars + 24 // with a count and the end of the line
)

var errForm = errors.New("not a list of SHA-1 hashes, one a line and sorted")

// Open opens a list, and looks at its beginning, its middle and its end: a file
// that is something else would find nothing and say so of every password.
func Open(path string) (*List, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the list of breached passwords: %w", err)
	}
	l := &List{f: f, file: f}
	if err := l.check(); err != nil {
		return nil, errors.Join(fmt.Errorf("the list of breached passwords in %s: %w", path, err), f.Close())
	}
	return l, nil
}

// Close closes the file.
func (l *List) Close() error { return l.file.Close() }

func (l *List) check() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() < hashChars {
		return errForm
	}
	l.size = info.Size()
	var before string
	places := []int64{0, l.size / 4, l.size / 2, l.size - l.size/4, max(0, l.size-2*maxLine)}
	slices.Sort(places)
	for _, at := range places {
		hash, _, err := l.line(at)
		if errors.Is(err, io.EOF) { // in the last line: a short list
			continue
		}
		if err != nil {
			return err
		}
		if hash < before {
			return errForm
		}
		before = hash
	}
	return nil
}

// Has reports whether a password is in the list.
func (l *List) Has(password string) (bool, error) {
	sum := sha1.Sum([]byte(password)) // #nosec G401 -- what the file has
	want := strings.ToUpper(hex.EncodeToString(sum[:]))
	for low, high := int64(0), l.size; low < high; { // the line is not before low, and begins before high
		middle := low + (high-low)/2
		got, begins, err := l.line(middle)
		switch {
		case errors.Is(err, io.EOF) || err == nil && begins >= high: // no line begins between them
			high = middle
		case err != nil:
			return false, fmt.Errorf("look a password up among those breached: %w", err)
		case got == want:
			return true, nil
		case got < want:
			low = begins + hashChars
		default:
			high = middle
		}
	}
	return false, nil
}

// line gives the hash of the first line that begins at or after a place, and
// where it begins; io.EOF when none does.
func (l *List) line(at int64) (string, int64, error) {
	from := max(0, at-1) // the end of the line before, if one begins here
	b := make([]byte, 2*maxLine)
	n, err := l.f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	b = b[:n]
	begins := from
	if at > 0 {
		i := bytes.IndexByte(b, '\n')
		switch {
		case i < 0 && from+int64(n) < l.size:
			return "", 0, errForm // a line that is too long
		case i < 0:
			return "", 0, io.EOF
		}
		b, begins = b[i+1:], from+int64(i)+1
	}
	if len(b) == 0 {
		return "", 0, io.EOF
	}
	if len(b) < hashChars || len(b) > hashChars && !strings.ContainsRune(":\r\n", rune(b[hashChars])) {
		return "", 0, errForm
	}
	hash := strings.ToUpper(string(b[:hashChars]))
	if _, err := hex.DecodeString(hash); err != nil {
		return "", 0, errForm
	}
	return hash, begins, nil
}
