// Package sink keeps copies of signed checkpoints in places that whoever may
// write to the database should not be able to rewrite: a file that is only
// appended to, a bucket that locks its objects, or a collector of logs.
//
// A sink promises that what was published is durable there, as far as the place
// can tell. Publishing the same checkpoint twice is allowed and changes nothing
// that matters.
package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/wardseal/wardseal/internal/audit"
)

// Sink takes signed checkpoints.
type Sink interface {
	// Name tells this place from others, in words for an administrator.
	Name() string
	// Publish adds a checkpoint; signed is its note.
	Publish(ctx context.Context, c audit.Checkpoint, signed []byte) error
}

// Reader is a Sink whose copies can be read back.
type Reader interface {
	Sink
	// Newest gives the note that was published last; nil when there is none.
	Newest(ctx context.Context) ([]byte, error)
	// All calls each for every note that is there, in no order.
	All(ctx context.Context, each func(signed []byte) error) error
}

// File appends checkpoints to a file, a line each. The file can be made
// append-only (chattr +a), and may be on another machine's disk.
type File struct{ path string }

// NewFile makes a File. The file is made when it is first written to.
func NewFile(path string) *File { return &File{path} }

// Name implements Sink.
func (f *File) Name() string { return "file " + f.path }

// Publish implements Sink.
func (f *File) Publish(_ context.Context, c audit.Checkpoint, signed []byte) error {
	_, err := os.Lstat(f.path)
	fresh := errors.Is(err, fs.ErrNotExist)
	out, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	line := audit.Line(c, signed) + "\n"
	if torn, err := f.torn(); err != nil || torn {
		line = "\n" + line
	}
	_, err = out.WriteString(line) // one write: whole, or torn and told apart
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil || !fresh {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// torn reports whether the last line was cut off by a crash.
func (f *File) torn() (bool, error) {
	end, err := f.end(1)
	return len(end) == 1 && end[0] != '\n', err
}

// end reads the last n bytes.
func (f *File) end(n int64) ([]byte, error) {
	in, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	size, err := in.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(in, max(size-n, 0), n))
}

// Newest implements Reader.
func (f *File) Newest(context.Context) ([]byte, error) {
	text, err := f.end(16 * audit.MaxCheckpoint)
	if err != nil {
		return nil, err
	}
	notes := audit.Notes(text)
	if len(notes) == 0 {
		if len(bytes.TrimSpace(text)) > 0 {
			return nil, fmt.Errorf("the end of %s is no checkpoint", f.path)
		}
		return nil, nil
	}
	return notes[len(notes)-1], nil
}

// All implements Reader.
func (f *File) All(_ context.Context, each func([]byte) error) error {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, n := range audit.Notes(text) {
		if err := each(n); err != nil {
			return err
		}
	}
	return nil
}
