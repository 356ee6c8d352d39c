package s3

import (
	"context"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/wardseal/wardseal/storage/blob"
)

var _ blob.Locker = (*Store)(nil)

// CanLock reports whether the bucket was made with object locks (S3 Object
// Lock), which none can be given later.
func (s *Store) CanLock(ctx context.Context) error {
	state, _, _, _, err := s.core.GetObjectLockConfig(ctx, s.bucket)
	if err != nil {
		return classify("ask for the locks of", "", err)
	}
	if state != "Enabled" {
		return fmt.Errorf("bucket %s has no object locks: it must be made with them", s.bucket)
	}
	return nil
}

// Retain locks the current object in compliance mode, so that nobody can
// delete it before until; a lock that lasts longer stays.
func (s *Store) Retain(ctx context.Context, key blob.Key, until time.Time) error {
	info, err := s.Stat(ctx, key)
	if err != nil || !info.LockedUntil.Before(until) {
		return err
	}
	mode := minio.Compliance
	err = s.core.PutObjectRetention(ctx, s.bucket, string(key), minio.PutObjectRetentionOptions{Mode: &mode, RetainUntilDate: &until, VersionID: info.Version})
	if err != nil {
		return classify("lock", key, err)
	}
	return nil
}

// LegalHold places a legal hold on the current object, or lifts it.
func (s *Store) LegalHold(ctx context.Context, key blob.Key, on bool) error {
	status := minio.LegalHoldDisabled
	if on {
		status = minio.LegalHoldEnabled
	}
	if err := s.core.PutObjectLegalHold(ctx, s.bucket, string(key), minio.PutObjectLegalHoldOptions{Status: &status}); err != nil {
		return classify("hold", key, err)
	}
	return nil
}
