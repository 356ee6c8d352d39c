package s3

import (
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/wardseal/wardseal/storage/blob"
)

var _ blob.Versioner = (*Store)(nil)

// ListVersions implements blob.Versioner.
func (s *Store) ListVersions(ctx context.Context, prefix string, each func(blob.Version) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for o := range s.core.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			return classify("list the versions of", blob.Key(prefix), o.Err)
		}
		v := blob.Version{Info: blob.Info{Key: blob.Key(o.Key), Bytes: o.Size, Modified: o.LastModified, Version: o.VersionID}, Latest: o.IsLatest, Marker: o.IsDeleteMarker}
		if err := each(v); err != nil {
			return err
		}
	}
	return ctx.Err()
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
