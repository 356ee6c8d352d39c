package fsck

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

const (
	pageSize  = 500 // rows read at once
	batchSize = 64  // objects between two reports of progress
)

// pair is a row and what the store has under its key; one of them may be
// missing.
type pair struct {
	kept *meta.Kept
	obj  object
}

func (p pair) key() string {
	if p.kept != nil {
		return p.kept.ObjectKey
	}
	return string(p.obj.key)
}

// walk goes through rows and objects side by side.
func (c *Checker) walk(ctx context.Context, from string) (err error) {
	ctx, stop := context.WithCancel(ctx)
	listed := make(chan object, batchSize)
	failed := make(chan error, 1)
	go func() {
		defer close(listed)
		failed <- c.list(ctx, prefix, from, func(o object) error {
			select {
			case listed <- o:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() {
		stop()
		for range listed { // until it has ended
		}
	}()
	rows := &pages{c: c, after: from}
	var batch []pair
	o, more := <-listed
	for {
		k, err := rows.peek(ctx)
		if err != nil {
			return fmt.Errorf("read the rows: %w", err)
		}
		if k == nil && !more {
			break
		}
		var p pair
		if k != nil && (!more || k.ObjectKey <= string(o.key)) {
			p.kept, p.obj.key = k, blob.Key(k.ObjectKey)
			rows.next()
		}
		if more && (p.kept == nil || p.kept.ObjectKey == string(o.key)) {
			p.obj = o
			o, more = <-listed
		}
		if !more { // has it ended, or broken off?
			if err := <-failed; err != nil {
				return fmt.Errorf("list the objects: %w", err)
			}
			failed <- nil
		}
		if batch = append(batch, p); len(batch) == batchSize {
			if err := c.batch(ctx, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("list the objects: %w", err)
	}
	return c.batch(ctx, batch)
}

// pages reads rows, a page at a time.
type pages struct {
	c     *Checker
	after string
	page  []meta.Kept
	ended bool
}

func (p *pages) peek(ctx context.Context) (*meta.Kept, error) {
	if len(p.page) == 0 && !p.ended {
		page, err := p.c.Store.KeptAfter(ctx, p.after, pageSize)
		if err != nil {
			return nil, err
		}
		p.page, p.ended = page, len(page) == 0
	}
	if p.ended {
		return nil, nil
	}
	return &p.page[0], nil
}

func (p *pages) next() {
	p.after = p.page[0].ObjectKey
	p.page = p.page[1:]
}

// list gives what the store has under each key of a prefix after from, in order. A store
// that lists out of order cannot be compared with anything.
func (c *Checker) list(ctx context.Context, prefix, from string, each func(object) error) error {
	var last object
	flush := func() error {
		if last.key == "" || string(last.key) <= from {
			return nil
		}
		return each(last)
	}
	next := func(key blob.Key) error {
		if key == last.key {
			return nil
		}
		if key < last.key {
			return fmt.Errorf("the store lists %s after %s", key, last.key)
		}
		err := flush()
		last = object{key: key}
		return err
	}
	var err error
	if c.versions == nil {
		err = c.Objects.List(ctx, prefix, func(i blob.Info) error {
			err := next(i.Key)
			last.there, last.current = true, i
			return err
		})
	} else {
		err = c.versions.ListVersions(ctx, prefix, func(v blob.Version) error {
			err := next(v.Key)
			if v.Latest && !v.Marker {
				last.there, last.current = true, v.Info
			} else {
				last.rest = append(last.rest, v)
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	return flush()
}

// batch checks some pairs at once and reports on them in their order.
func (c *Checker) batch(ctx context.Context, pairs []pair) error {
	if len(pairs) == 0 {
		return nil
	}
	found := make([][]*Finding, len(pairs))
	g, gctx := errgroup.WithContext(ctx)
	if c.Workers < 1 {
		c.Workers = 4
	}
	g.SetLimit(c.Workers)
	for i, p := range pairs {
		g.Go(func() error {
			if p.kept == nil {
				found[i] = c.unnamed(gctx, p.obj)
			} else {
				found[i] = c.check(gctx, *p.kept, p.obj)
			}
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // then what was found may only tell of that
		return err
	}
	for _, some := range found {
		for _, f := range some {
			if f.suspect != nil && len(c.suspects) < mostSuspects && !c.Fast {
				c.suspects = append(c.suspects, f)
				continue
			}
			if err := c.tell(ctx, f); err != nil {
				return err
			}
		}
	}
	c.summary.Checked += int64(len(pairs))
	c.summary.Last = pairs[len(pairs)-1].key()
	if c.Progress != nil {
		c.Progress(Progress{Checked: c.summary.Checked, Total: c.total, Bytes: atomic.LoadInt64(&c.summary.Bytes), Last: c.summary.Last, Wrong: c.summary.Wrong + int64(len(c.suspects))})
	}
	return nil
}

func (c *Checker) addBytes(n int64) { atomic.AddInt64(&c.summary.Bytes, n) }

// unnamed is an object that no row names.
func (c *Checker) unnamed(ctx context.Context, o object) []*Finding {
	newest := o.current
	for _, v := range o.rest {
		if !o.there && v.Modified.After(newest.Modified) {
			newest = v.Info
		}
	}
	newest.Key = o.key
	known, err := c.Store.ObjectKeyExists(ctx, string(o.key))
	if err == nil && known { // filed since the rows were read
		return nil
	}
	item, r, ok := named(o.key)
	f := &Finding{Kind: Orphan, Object: string(o.key), Item: item, Rendition: r, Says: "no row names this object"}
	if err != nil {
		f.Kind, f.Says = Unchecked, err.Error()
		return []*Finding{f}
	}
	if !o.there {
		f.Says = "no row names this object, of which older versions are left"
	}
	if !transfer.Stale(newest.Modified, c.now()) {
		f.Kind, f.Says = InFlight, "no row names this object yet; it is younger than an upload may take"
		return []*Finding{f}
	}
	f.mend = func(ctx context.Context) (string, error) {
		if gone, err := transfer.RemoveOrphan(ctx, c.Objects, c.Store, newest, c.now()); err != nil || !gone {
			return "", err
		}
		return "every version was removed", nil
	}
	if !ok {
		return []*Finding{f}
	}
	it, err := c.Store.Item(ctx, item)
	switch {
	case errors.Is(err, meta.ErrNotFound):
	case err != nil:
		f.Kind, f.Says, f.mend = Unchecked, err.Error(), nil
	case !it.DestroyedAt.IsZero():
		f.Kind, f.Says = MustBeGone, "its item was destroyed on "+it.DestroyedAt.Format("2 January 2006")
	case r == media.Original:
		f.Says, f.mend = "no row names this original, and its item is there: the row was lost", nil
	}
	return []*Finding{f}
}

// record writes down that a run came to its end.
func (c *Checker) record(ctx context.Context) error {
	how := "read"
	if c.Fast {
		how = "compared"
	}
	s := c.summary
	ev := audit.NewEvent(audit.StoreChecked, access.Principal{}, audit.Subject{}).With("by", c.By).With("how", how).
		With("objects", strconv.FormatInt(s.Checked, 10)).With("wrong", strconv.FormatInt(s.Wrong, 10)).With("repaired", strconv.FormatInt(s.Repaired, 10))
	if err := c.Store.AppendEvent(ctx, ev); err != nil {
		return fmt.Errorf("record the run: %w", err)
	}
	return nil
}

func (c *Checker) now() time.Time {
	if c.Clock == nil {
		return time.Now()
	}
	return c.Clock()
}
