package s3

import (
	"container/heap"
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/wardseal/wardseal/storage/blob"
)

var _ blob.Versioner = (*Store)(nil)

// pageKeys is how many versions and markers a server gives in one answer.
const pageKeys = 1000

// ListVersions implements blob.Versioner. Some servers give the versions of a
// page first and then its delete markers: what is out of order is so within one
// page, and waiting for as many as a page has puts it right.
func (s *Store) ListVersions(ctx context.Context, prefix string, each func(blob.Version) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var waiting waiting
	n := 0
	for o := range s.core.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true, MaxKeys: pageKeys}) {
		if o.Err != nil {
			return classify("list the versions of", blob.Key(prefix), o.Err)
		}
		v := blob.Version{Info: blob.Info{Key: blob.Key(o.Key), Bytes: o.Size, Modified: o.LastModified, Version: o.VersionID}, Latest: o.IsLatest, Marker: o.IsDeleteMarker}
		heap.Push(&waiting, arrival{v, n})
		if n++; waiting.Len() > pageKeys {
			if err := each(waiting.take()); err != nil {
				return err
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for waiting.Len() > 0 {
		if err := each(waiting.take()); err != nil {
			return err
		}
	}
	return nil
}

// waiting are versions that have come and that one with a smaller key may still
// follow: a heap.
type waiting []arrival

type arrival struct {
	blob.Version
	n int // in which order it came
}

func (w waiting) Len() int      { return len(w) }
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w waiting) Less(i, j int) bool {
	return w[i].Key < w[j].Key || w[i].Key == w[j].Key && w[i].n < w[j].n
}

// Push implements heap.Interface.
func (w *waiting) Push(x any) {
	if a, ok := x.(arrival); ok {
		*w = append(*w, a)
	}
}

// Pop implements heap.Interface.
func (w *waiting) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}

func (w *waiting) take() blob.Version {
	a, _ := heap.Pop(w).(arrival)
	return a.Version
}

// OpenVersion implements blob.Versioner.
func (s *Store) OpenVersion(ctx context.Context, key blob.Key, version string) (io.ReadCloser, error) {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return nil, err
	}
	body, _, _, err := s.core.GetObject(ctx, s.bucket, string(key), minio.GetObjectOptions{VersionID: version})
	if err != nil {
		return nil, classify("read a version of", key, err)
	}
	return body, nil
}

// DeleteVersion implements blob.Versioner.
func (s *Store) DeleteVersion(ctx context.Context, key blob.Key, version string) error {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return err
	}
	if version == "" {
		return errors.New("a version has a name")
	}
	if err := s.core.RemoveObject(ctx, s.bucket, string(key), minio.RemoveObjectOptions{VersionID: version}); err != nil {
		return classify("delete a version of", key, err)
	}
	return nil
}
