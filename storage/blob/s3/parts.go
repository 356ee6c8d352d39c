package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/wardseal/wardseal/storage/blob"
)

const (
	// singleParts is how many parts' worth of bytes still go in one request, which
	// needs no memory; larger objects go in parts, each of which can be retried.
	singleParts = 8
	// partsAtOnce bounds the memory of all large objects on their way: one has at
	// most two parts in memory, and where many come at once their parts take turns.
	partsAtOnce = 6
)

// take waits for room for a part.
func (s *Store) take(ctx context.Context) (*[]byte, error) {
	select {
	case s.room <- struct{}{}:
		return s.pool.Get().(*[]byte), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// giveBack gives the room back, and the memory unless somebody may still read it.
func (s *Store) giveBack(buf *[]byte, read bool) {
	if !read {
		s.pool.Put(buf)
	}
	<-s.room
}

// parts uploads in parts: one is read while the one before is sent. Unlike
// minio-go's own multipart upload it asks for create-once at the completion,
// without which a server would replace an object silently.
func (s *Store) parts(ctx context.Context, key blob.Key, r io.Reader, size int64) (up minio.UploadInfo, err error) {
	id, err := s.core.NewMultipartUpload(asking(ctx, patience), s.bucket, string(key), minio.PutObjectOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return up, err
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			if err := s.core.AbortMultipartUpload(asking(ctx, patience), s.bucket, string(key), id); err != nil {
				slog.WarnContext(ctx, "abort an unfinished upload", "key", key, "error", err)
			}
		}
	}()
	var done []minio.CompletePart
	sending := make(chan error, 1)
	sending <- nil
	for n := 1; size > 0; n++ {
		buf, err := s.take(ctx)
		if err != nil {
			return up, errors.Join(<-sending, err)
		}
		b := (*buf)[:min(s.part, size)]
		_, rerr := io.ReadFull(r, b)
		if err := errors.Join(<-sending, rerr); err != nil { // one part at a time is in flight
			s.giveBack(buf, false)
			return up, err
		}
		size -= int64(len(b))
		go func() {
			p, err := s.core.PutObjectPart(asking(ctx, patience), s.bucket, string(key), id, n, bytes.NewReader(b), int64(len(b)), minio.PutObjectPartOptions{DisableContentSha256: true})
			s.giveBack(buf, err != nil) // after a failure net/http may still be reading it
			done = append(done, minio.CompletePart{PartNumber: n, ETag: p.ETag})
			sending <- err
		}()
	}
	if err := <-sending; err != nil {
		return up, err
	}
	return s.core.CompleteMultipartUpload(asking(ctx, completing), s.bucket, string(key), id, done, once())
}
