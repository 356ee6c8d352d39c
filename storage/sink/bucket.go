package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/blob"
)

// Bucket keeps each checkpoint as an object of its own, created once. Where
// the bucket has a default retention, its server keeps objects from being
// changed or removed before that ends.
type Bucket struct {
	name    string
	objects blob.Store
}

// NewBucket makes a Bucket; name is in words, such as "bucket audit at s3.example".
func NewBucket(name string, objects blob.Store) *Bucket { return &Bucket{name, objects} }

// Name implements Sink.
func (b *Bucket) Name() string { return b.name }

// under is where the checkpoints are in the bucket.
const under = "checkpoints/"

// most is more events than any log has: keys count down from it, so that the
// newest is listed first.
const most = 1_000_000_000_000_000_000

func keyOf(size int64) blob.Key {
	return blob.Key(fmt.Sprintf("%s%018d-%d.txt", under, most-size, size))
}

// Publish implements Sink.
func (b *Bucket) Publish(ctx context.Context, c audit.Checkpoint, signed []byte) error {
	key := keyOf(c.Size)
	_, err := b.objects.Create(ctx, key, bytes.NewReader(signed), int64(len(signed)))
	if !errors.Is(err, blob.ErrExists) {
		return err
	}
	there, err := b.read(ctx, key)
	if err == nil && !bytes.Equal(there, signed) {
		err = fmt.Errorf("there is another checkpoint of %d events in the %s", c.Size, b.name)
	}
	return err
}

func (b *Bucket) read(ctx context.Context, key blob.Key) ([]byte, error) {
	in, err := b.objects.OpenAt(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, audit.MaxCheckpoint+1))
}

var errEnough = errors.New("enough")

// newest gives the key that was published last.
func (b *Bucket) newest(ctx context.Context) (key blob.Key, err error) {
	err = b.objects.List(ctx, under, func(i blob.Info) error {
		key = i.Key
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return key, err
}

// Newest implements Reader.
func (b *Bucket) Newest(ctx context.Context) ([]byte, error) {
	key, err := b.newest(ctx)
	if err != nil || key == "" {
		return nil, err
	}
	return b.read(ctx, key)
}

// All implements Reader.
func (b *Bucket) All(ctx context.Context, each func([]byte) error) error {
	return b.objects.List(ctx, under, func(i blob.Info) error {
		signed, err := b.read(ctx, i.Key)
		if err != nil {
			return err
		}
		return each(signed)
	})
}

// Locks tells how long the bucket's server keeps each checkpoint from being
// changed or removed, such as "30 days"; empty when it does not.
func (b *Bucket) Locks(ctx context.Context) (string, error) {
	if r, ok := b.objects.(interface {
		DefaultRetention(ctx context.Context) (string, error)
	}); ok {
		return r.DefaultRetention(ctx)
	}
	return "", nil
}
