package s3

import (
	"context"
	"time"
)

// brokenOff is how old an upload in parts must be before it is nobody's: longer
// than the largest takes.
const brokenOff = 24 * time.Hour

// Tidy implements blob.Tidier: it ends uploads in parts that a killed server
// left, whose parts would stay for ever. MinIO lists none of them without their
// names, and ends them itself.
func (s *Store) Tidy(ctx context.Context, now time.Time) (n int, err error) {
	for key, id := "", ""; ; {
		page, err := s.core.ListMultipartUploads(asking(ctx, patience), s.bucket, "", key, id, "", 1000)
		if err != nil {
			return n, classify("list unfinished uploads of", "", err)
		}
		for _, u := range page.Uploads {
			if now.Sub(u.Initiated) < brokenOff {
				continue
			}
			if err := s.core.AbortMultipartUpload(asking(ctx, patience), s.bucket, u.Key, u.UploadID); err != nil {
				return n, classify("end an unfinished upload of", "", err)
			}
			n++
		}
		if !page.IsTruncated {
			return n, nil
		}
		key, id = page.NextKeyMarker, page.NextUploadIDMarker
	}
}
