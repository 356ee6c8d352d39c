package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/storage/blob"
)

// mostNamed is how many damaged objects are named.
const mostNamed = 100

// listing is what a store lists, to be taken one by one.
type listing struct {
	ch   chan blob.Info
	err  chan error
	stop context.CancelFunc
}

func list(ctx context.Context, from blob.Reader, prefix string) *listing {
	ctx, stop := context.WithCancel(ctx)
	l := &listing{make(chan blob.Info, 256), make(chan error, 1), stop}
	go func() {
		defer close(l.ch)
		var last blob.Key
		l.err <- from.List(ctx, prefix, func(i blob.Info) error {
			if i.Key <= last {
				return fmt.Errorf("the store lists %s after %s", i.Key, last)
			}
			last = i.Key
			select {
			case l.ch <- i:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return l
}

// next gives the next one, or false at the end.
func (l *listing) next() (blob.Info, bool, error) {
	i, ok := <-l.ch
	if ok {
		return i, true, nil
	}
	err := <-l.err
	l.err <- err
	return blob.Info{}, false, err
}

func (l *listing) close() {
	l.stop()
	for range l.ch { // until it has ended
	}
}

// objects copies what is named and not in the place yet. Both lists are in the
// order of keys, so that they are compared side by side.
func (m *Maker) objects(ctx context.Context, named *spool.File, began time.Time) error {
	there := list(ctx, m.Place, objects)
	defer there.close()
	dropped := &lineParts{m: m, ctx: ctx}
	c := &copies{m: m}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(max(m.Workers, 1))
	if m.Workers == 0 {
		g.SetLimit(4)
	}
	in := bufio.NewReaderSize(io.NewSectionReader(named, 0, named.Size()), 64<<10)
	has, more, err := there.next()
	skip := func(until string) error { // what the place has and this backup does not name
		for more && err == nil && (until == "" || string(has.Key) < until) {
			if began.Sub(has.Modified) > m.Settled {
				err = dropped.add([]byte(strings.TrimPrefix(string(has.Key), objects)))
			}
			if err == nil {
				has, more, err = there.next()
			}
		}
		return err
	}
	for err == nil && gctx.Err() == nil {
		key, bytes, rerr := entry(in)
		if rerr == io.EOF {
			err = skip("")
			break
		}
		if rerr != nil {
			err = rerr
			break
		}
		if err = skip(objects + key); err != nil {
			break
		}
		if more && string(has.Key) == objects+key {
			replace := bytes > 0 && has.Bytes != bytes
			if c.known(has.Bytes, replace); !replace {
				has, more, err = there.next()
				continue
			}
			if err = m.Place.Delete(ctx, has.Key); err == nil {
				has, more, err = there.next()
			}
			if err != nil {
				break
			}
		}
		g.Go(func() error { return c.copy(gctx, blob.Key(key), bytes) })
	}
	if err = errors.Join(g.Wait(), err); err != nil {
		return err
	}
	m.made.Manifest.Objects, m.made.Manifest.Bytes = c.objects, c.bytes
	m.made.Manifest.Dropped, err = dropped.done()
	return err
}

// entry reads a line of the list of objects.
func entry(in *bufio.Reader) (string, int64, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", 0, err
	}
	key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	bytes, err := strconv.ParseInt(text, 10, 64)
	return key, bytes, err
}

// copies counts what several goroutines copy.
type copies struct {
	m              *Maker
	mu             sync.Mutex
	objects, bytes int64
}

func (c *copies) known(bytes int64, replaced bool) {
	if replaced {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects++
	c.bytes += bytes
	c.progress()
}

func (c *copies) progress() {
	if c.m.Progress != nil {
		c.m.Progress(c.m.made.NewObjects, c.objects)
	}
}

// copy copies one object. One that is not as its row says is not copied, and
// named at the end.
func (c *copies) copy(ctx context.Context, key blob.Key, bytes int64) error {
	err := c.one(ctx, key, &bytes)
	gone := errors.Is(err, blob.ErrNotFound)
	if gone {
		needed, nerr := c.m.Store.ObjectNeeded(ctx, string(key))
		if nerr != nil || !needed {
			return nerr // destroyed, or filed, since the snapshot
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case gone || errors.Is(err, blob.ErrLength):
		if len(c.m.made.Damaged) < mostNamed {
			c.m.made.Damaged = append(c.m.made.Damaged, string(key))
		} else {
			c.m.made.MoreDamage++
		}
		return nil
	case err != nil:
		return err
	}
	c.objects++
	c.bytes += bytes
	c.m.made.NewObjects++
	c.m.made.NewBytes += bytes
	c.progress()
	return nil
}

func (c *copies) one(ctx context.Context, key blob.Key, bytes *int64) error {
	if *bytes == 0 {
		info, err := c.m.Objects.Stat(ctx, key)
		if err != nil {
			return err
		}
		*bytes = info.Bytes
	}
	to, err := blob.ParseKey(objects + string(key))
	if err != nil {
		return err
	}
	r, err := c.m.Objects.OpenAt(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = c.m.Place.Create(ctx, to, r, *bytes)
	if errors.Is(err, blob.ErrExists) { // another run was faster
		return nil
	}
	return err
}
