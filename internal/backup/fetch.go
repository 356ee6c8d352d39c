package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wardseal/wardseal/internal/fsck"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// pageSize is how many rows are read at once.
const pageSize = 500

// objects brings every object back that the database names, and reads each to
// its end on the way.
func (r *Restorer) objects(ctx context.Context, to *meta.Import) error {
	if err := to.Parts(func(key string) error { return r.part(ctx, blob.Key(key)) }); err != nil {
		return fmt.Errorf("restore the parts of uploads: %w", err)
	}
	there := list(ctx, r.Objects, "items/")
	defer there.close()
	has, more, err := there.next()
	if err != nil {
		return err
	}
	f := &fetching{r: r}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(r.Workers, 4))
	for after := ""; gctx.Err() == nil; {
		var page []meta.Kept
		if page, err = to.KeptAfter(after, pageSize); err != nil {
			return errors.Join(err, g.Wait())
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ObjectKey
		for _, k := range page {
			for more && string(has.Key) < k.ObjectKey {
				if err := f.stranger(has.Key); err != nil {
					return errors.Join(err, g.Wait())
				}
				if has, more, err = there.next(); err != nil {
					return errors.Join(err, g.Wait())
				}
			}
			here := more && string(has.Key) == k.ObjectKey
			if here {
				if has, more, err = there.next(); err != nil {
					return errors.Join(err, g.Wait())
				}
			}
			if !k.DestroyedAt.IsZero() {
				continue // its destruction goes on by itself
			}
			g.Go(func() error { return f.fetch(gctx, k, here) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for more {
		if err := f.stranger(has.Key); err != nil {
			return err
		}
		if has, more, err = there.next(); err != nil {
			return err
		}
	}
	return nil
}

// part brings a part of an upload back. One that is not in the backup was filed
// or removed while it was made.
func (r *Restorer) part(ctx context.Context, key blob.Key) error {
	info, err := r.Place.Stat(ctx, blob.Key(objects+string(key)))
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	from, err := r.Place.OpenAt(ctx, info.Key, 0, -1)
	if err != nil {
		return err
	}
	defer from.Close()
	if _, err := r.Objects.Create(ctx, key, from, info.Bytes); err != nil && !errors.Is(err, blob.ErrExists) {
		return err
	}
	return nil
}

// fetching counts what several goroutines do.
type fetching struct {
	r    *Restorer
	mu   sync.Mutex
	done int64
}

// stranger is an object in the store that the backup does not name.
func (f *fetching) stranger(key blob.Key) error {
	if !f.r.InPlace {
		return fmt.Errorf("%w: the object store has %s, which the backup does not name", ErrNotEmpty, key)
	}
	f.r.out.Newer++
	return nil
}

func (f *fetching) fetch(ctx context.Context, k meta.Kept, here bool) error {
	var err error
	copied := false
	if here {
		err = f.r.genuine(ctx, f.r.Objects, blob.Key(k.ObjectKey), k)
	} else {
		copied, err = true, f.r.bring(ctx, k)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done++
	var damage *Damage
	switch {
	case errors.As(err, &damage) && f.r.Salvage:
		f.r.out.Lost = append(f.r.out.Lost, damage.Error())
	case err != nil:
		return err
	case copied:
		f.r.out.Copied++
	default:
		f.r.out.Kept++
	}
	if f.r.Progress != nil {
		f.r.Progress(f.done, f.r.manifest.Objects)
	}
	return nil
}

// genuine reads an object that is in a store and refuses it unless it is right.
func (r *Restorer) genuine(ctx context.Context, from blob.Reader, key blob.Key, k meta.Kept) error {
	o, err := from.OpenAt(ctx, key, 0, -1)
	if err == nil {
		defer o.Close()
		err = fsck.Genuine(r.ring, k, o)
	}
	return outcome(k, err)
}

// outcome tells damage from a store that does not answer.
func outcome(k meta.Kept, err error) error {
	if err == nil || errors.Is(err, blob.ErrUnavailable) || errors.Is(err, blob.ErrFull) || errors.Is(err, context.Canceled) {
		return err
	}
	return &Damage{"object " + k.ObjectKey, err}
}

// bring copies an object from the backup. Its last byte is written only once
// the whole was found to be right.
func (r *Restorer) bring(ctx context.Context, k meta.Kept) error {
	key, err := blob.ParseKey(k.ObjectKey)
	if err != nil {
		return err
	}
	from, err := r.Place.OpenAt(ctx, blob.Key(objects+k.ObjectKey), 0, -1)
	if err != nil {
		return outcome(k, err)
	}
	defer from.Close()
	out, in := io.Pipe()
	c := &checked{src: from, left: k.ObjectBytes, in: in, verdict: make(chan error, 1)}
	go func() {
		err := fsck.Genuine(r.ring, k, out)
		c.verdict <- err
		if err == nil {
			err = io.EOF
		}
		_ = out.CloseWithError(err) // it never fails
	}()
	_, err = r.Objects.Create(ctx, key, c, k.ObjectBytes)
	in.CloseWithError(io.ErrUnexpectedEOF)
	if c.bad != nil {
		err = outcome(k, c.bad)
	}
	if errors.Is(err, blob.ErrExists) {
		return r.genuine(ctx, r.Objects, key, k)
	}
	return err
}

// checked passes bytes on, and on the side to who checks them. It holds the
// last ones back until the verdict is there.
type checked struct {
	src     io.Reader
	left    int64
	in      *io.PipeWriter
	verdict chan error
	bad     error
}

func (c *checked) Read(p []byte) (int, error) {
	if c.bad != nil {
		return 0, c.bad
	}
	if c.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.src.Read(p)
	if err == io.EOF && int64(n) < c.left {
		c.bad = fmt.Errorf("it ends early: %w", blob.ErrLength)
		return 0, c.bad
	}
	if err != nil && err != io.EOF {
		return 0, err
	}
	if _, werr := c.in.Write(p[:n]); werr != nil && werr != io.EOF {
		c.bad = werr
		return 0, werr
	}
	if c.left -= int64(n); c.left > 0 {
		return n, nil
	}
	if err := c.longer(); err != nil {
		return 0, err
	}
	_ = c.in.Close()
	if c.bad = <-c.verdict; c.bad != nil {
		return 0, c.bad
	}
	return n, nil
}

// longer refuses an object that goes on after its end.
func (c *checked) longer() error {
	var b [1]byte
	for {
		n, err := c.src.Read(b[:])
		if n > 0 {
			c.bad = fmt.Errorf("it goes on: %w", blob.ErrLength)
			return c.bad
		}
		if err != nil {
			if err != io.EOF {
				return err
			}
			return nil
		}
	}
}
