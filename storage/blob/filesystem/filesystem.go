// Package filesystem keeps objects as files under one folder, for a deployment
// on a single server. Objects are ciphertext, so deleting one unlinks it and
// overwrites nothing: what makes it unreadable is that its key is destroyed.
package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/storage/blob"
)

const (
	objects    = "objects"
	unfinished = "unfinished"
	staleAfter = time.Hour // an unfinished file older than this is nobody's
)

// Store is a blob.Store over a folder.
type Store struct{ root *os.Root }

// Open opens the folder, makes it when it is missing, and removes what
// interrupted writes left behind. Nothing outside of the folder is ever
// touched, whatever symbolic links it has.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the object folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the object folder: %w", err)
	}
	s := &Store{root}
	for _, d := range []string{objects, unfinished} {
		if err := root.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make the object folder: %w", err)
		}
	}
	_, err = s.Tidy(context.Background(), time.Now())
	return s, err
}

// Tidy implements blob.Tidier.
func (s *Store) Tidy(_ context.Context, now time.Time) (n int, err error) {
	left, err := fs.ReadDir(s.root.FS(), unfinished)
	if err != nil {
		return 0, fmt.Errorf("look for unfinished objects: %w", err)
	}
	for _, e := range left {
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > staleAfter {
			if err := s.root.Remove(path.Join(unfinished, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return n, fmt.Errorf("remove an unfinished object: %w", err)
			}
			n++
		}
	}
	return n, nil
}

// Create implements blob.Store: a file without its final name is written and
// synced, then linked to that name, which fails when it is taken.
func (s *Store) Create(ctx context.Context, key blob.Key, r io.Reader, size int64) (blob.Info, error) {
	if err := blob.CheckCreate(key, size); err != nil {
		return blob.Info{}, err
	}
	final := path.Join(objects, string(key))
	if _, err := s.root.Lstat(final); err == nil {
		return blob.Info{}, fmt.Errorf("create %s: %w", key, blob.ErrExists)
	}
	temp := path.Join(unfinished, uuid.NewString())
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return blob.Info{}, classify("create", key, err)
	}
	defer func() { _ = s.root.Remove(temp) }()
	if err = fill(f, &cancelled{ctx, blob.Exactly(r, size)}, size); err == nil {
		err = f.Sync()
	}
	var info os.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return blob.Info{}, classify("write", key, err)
	}
	if err := s.publish(temp, final); err != nil {
		return blob.Info{}, classify("publish", key, err)
	}
	return blob.Info{Key: key, Bytes: size, Modified: info.ModTime()}, nil
}

// publish gives a finished file its name and makes the name durable.
func (s *Store) publish(temp, final string) error {
	for range 5 { // a Delete may take an emptied folder away in between
		fresh, err := s.folders(path.Dir(final))
		if err != nil {
			return err
		}
		if err := s.root.Link(temp, final); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		for _, dir := range append(fresh, path.Dir(final)) {
			if err := s.sync(dir); err != nil {
				return errors.Join(err, s.root.Remove(final)) // what may not last is not shown
			}
		}
		return nil
	}
	return errors.New("its folder keeps vanishing")
}

// folders makes dir and what is above it, and gives the folders whose entries
// changed.
func (s *Store) folders(dir string) ([]string, error) {
	var changed []string
	for d := dir; d != objects; d = path.Dir(d) {
		if _, err := s.root.Stat(d); err == nil {
			break
		}
		changed = append(changed, path.Dir(d))
	}
	return changed, s.root.MkdirAll(dir, 0o700)
}

func (s *Store) sync(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// OpenAt implements blob.Reader.
func (s *Store) OpenAt(_ context.Context, key blob.Key, off, n int64) (io.ReadCloser, error) {
	f, info, err := s.open(key)
	if err != nil {
		return nil, err
	}
	if n < 0 {
		n = info.Size() - off
	}
	if off < 0 || n < 0 || off > info.Size() || n > info.Size()-off {
		return nil, errors.Join(fmt.Errorf("read %s: bytes %d+%d are outside of its %d", key, off, n, info.Size()), f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(f, off, n), f}, nil
}

func (s *Store) open(key blob.Key) (*os.File, os.FileInfo, error) {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return nil, nil, err
	}
	f, err := s.root.Open(path.Join(objects, string(key)))
	if err != nil {
		return nil, nil, classify("open", key, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist // a folder on the way to other keys
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, classify("open", key, err)
	}
	return f, info, nil
}

// Stat implements blob.Reader.
func (s *Store) Stat(_ context.Context, key blob.Key) (blob.Info, error) {
	f, info, err := s.open(key)
	if err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Key: key, Bytes: info.Size(), Modified: info.ModTime()}, f.Close()
}

// List implements blob.Reader.
func (s *Store) List(ctx context.Context, prefix string, each func(blob.Info) error) error {
	return s.list(ctx, "", prefix, each)
}

func (s *Store) list(ctx context.Context, dir, prefix string, each func(blob.Info) error) error {
	entries, err := fs.ReadDir(s.root.FS(), path.Join(objects, dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return classify("list", blob.Key(dir), err)
	}
	name := func(e fs.DirEntry) string { // as it stands in keys, which sets the order
		if e.IsDir() {
			return path.Join(dir, e.Name()) + "/"
		}
		return path.Join(dir, e.Name())
	}
	sort.Slice(entries, func(i, j int) bool { return name(entries[i]) < name(entries[j]) })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := name(e)
		switch {
		case e.IsDir() && (strings.HasPrefix(n, prefix) || strings.HasPrefix(prefix, n)):
			err = s.list(ctx, strings.TrimSuffix(n, "/"), prefix, each)
		case e.Type().IsRegular() && strings.HasPrefix(n, prefix):
			var info fs.FileInfo
			if info, err = e.Info(); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = each(blob.Info{Key: blob.Key(n), Bytes: info.Size(), Modified: info.ModTime()})
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Delete implements blob.Store.
func (s *Store) Delete(_ context.Context, key blob.Key) error {
	f, _, err := s.open(key)
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_ = f.Close()
	final := path.Join(objects, string(key))
	if err := s.root.Remove(final); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return classify("delete", key, err)
	}
	if err := s.sync(path.Dir(final)); err != nil {
		return classify("delete", key, err)
	}
	for d := path.Dir(final); d != objects && s.root.Remove(d) == nil; d = path.Dir(d) { // folders left empty
	}
	return nil
}

// Check implements blob.Store.
func (s *Store) Check(context.Context) error {
	temp := path.Join(unfinished, uuid.NewString())
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return classify("check", "", err)
	}
	_, err = f.Write([]byte{0})
	return classify("check", "", errors.Join(err, f.Close(), s.root.Remove(temp)))
}

func classify(doing string, key blob.Key, err error) error {
	var known error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		known = blob.ErrNotFound
	case errors.Is(err, fs.ErrExist):
		known = blob.ErrExists
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		known = blob.ErrFull
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		known = blob.ErrUnavailable
	default:
		return fmt.Errorf("%s object %s: %w", doing, key, err)
	}
	return fmt.Errorf("%s object %s: %w: %w", doing, key, known, err)
}

// cancelled stops reading when its context ends.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
