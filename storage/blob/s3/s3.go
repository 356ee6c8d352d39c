// Package s3 keeps objects in a bucket of any S3-compatible server that honours
// If-None-Match on writes.
package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/wardseal/wardseal/storage/blob"
)

// Secret is a secret key. It prints as "[redacted]".
type Secret string

// String redacts the secret.
func (Secret) String() string { return "[redacted]" }

// GoString redacts the secret.
func (Secret) GoString() string { return "[redacted]" }

// LogValue redacts the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Config says which bucket.
type Config struct {
	Endpoint  string // host and port
	Bucket    string
	Region    string
	AccessKey string
	SecretKey Secret
	CAFile    string // PEM, when the certificate is not of a public authority
	Insecure  bool   // plain HTTP; only for tests on one machine
	PartBytes int64  // of a large object, kept in memory; default 5 MiB, the least that S3 allows
}

// Store is a blob.Store over a bucket.
type Store struct {
	core   minio.Core
	bucket string
	part   int64
	room   chan struct{} // one for each part in memory
	pool   sync.Pool
}

// Open makes a Store. It asks the server for nothing.
func Open(cfg Config) (*Store, error) {
	tr, err := transport(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	if cfg.PartBytes == 0 {
		cfg.PartBytes = 5 << 20
	}
	c, err := minio.NewCore(cfg.Endpoint, &minio.Options{
		Creds:  credentials.NewStaticV4(cfg.AccessKey, string(cfg.SecretKey), ""),
		Secure: !cfg.Insecure, Transport: patient{tr}, Region: cfg.Region, BucketLookup: minio.BucketLookupPath, MaxRetries: 3,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the S3 client: %w", err)
	}
	s := &Store{core: *c, bucket: cfg.Bucket, part: cfg.PartBytes, room: make(chan struct{}, partsAtOnce)}
	s.pool.New = func() any { b := make([]byte, s.part); return &b }
	return s, nil
}

func transport(caFile string) (*http.Transport, error) {
	tr := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:   4 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   64,
		WriteBufferSize:       256 << 10,
		ReadBufferSize:        128 << 10,
		DisableCompression:    true,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("the certificate authority file has no certificate")
		}
		tr.TLSClientConfig.RootCAs = pool
	}
	return tr, nil
}

// once makes a write fail when the key is taken.
func once() minio.PutObjectOptions {
	o := minio.PutObjectOptions{ContentType: "application/octet-stream", DisableContentSha256: true}
	o.SetMatchETagExcept("*")
	return o
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context, key blob.Key, r io.Reader, size int64) (blob.Info, error) {
	if err := blob.CheckCreate(key, size); err != nil {
		return blob.Info{}, err
	}
	src := &source{r: blob.Exactly(r, size)}
	defer src.close()
	var up minio.UploadInfo
	var err error
	if size <= singleParts*s.part {
		if up, err = s.core.PutObject(asking(ctx, patience), s.bucket, string(key), src, size, "", "", once()); err != nil && (src.failure() != nil || ctx.Err() != nil) {
			src.close()
			s.sweepStump(ctx, key, size)
		}
	} else {
		up, err = s.parts(ctx, key, src, size)
	}
	if failed := src.failure(); failed != nil && err != nil { // the reason lies with what was read, not with the server
		return blob.Info{}, fmt.Errorf("create object %s: %w", key, failed)
	}
	if err != nil {
		return blob.Info{}, classify("create", key, err)
	}
	return blob.Info{Key: key, Bytes: size, Modified: time.Now().UTC(), Version: up.VersionID}, nil
}

// sweepStump removes what a server has kept of a request that was broken off:
// some take a body that ends early for the whole. What is shorter than the
// object was to be is nobody's object. What it misses, a killed server leaves
// too: no row names it, and the sweep of orphans finds it.
func (s *Store) sweepStump(ctx context.Context, key blob.Key, size int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, wait := range []time.Duration{0, 200 * time.Millisecond} { // the server may still be at it
		time.Sleep(wait)
		info, err := s.Stat(ctx, key)
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err == nil && info.Bytes < size {
			err = s.core.RemoveObject(asking(ctx, patience), s.bucket, string(key), minio.RemoveObjectOptions{VersionID: info.Version})
		}
		if err != nil {
			slog.WarnContext(ctx, "remove what is left of a broken upload", "key", key, "error", err)
		}
		return
	}
}

// source remembers the failure of what it reads. After a request has failed,
// net/http may still be reading its body: close keeps it from reading on.
type source struct {
	mu     sync.Mutex
	r      io.Reader
	err    error
	closed bool
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, os.ErrClosed
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *source) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// OpenAt implements blob.Reader.
func (s *Store) OpenAt(ctx context.Context, key blob.Key, off, n int64) (io.ReadCloser, error) {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return nil, err
	}
	if off < 0 || n == 0 {
		return nil, fmt.Errorf("read object %s: no bytes %d+%d", key, off, n)
	}
	var o minio.GetObjectOptions
	var err error
	switch {
	case n > 0:
		err = o.SetRange(off, off+n-1)
	case off > 0:
		err = o.SetRange(off, 0)
	}
	if err != nil {
		return nil, err
	}
	body, info, _, err := s.core.GetObject(asking(ctx, patience), s.bucket, string(key), o)
	if err != nil {
		return nil, classify("read", key, err)
	}
	if n > 0 && info.Size != n {
		return nil, errors.Join(fmt.Errorf("read object %s: bytes %d+%d are not all there", key, off, n), body.Close())
	}
	return content{body, key}, nil
}

// content names what goes wrong while an object is read.
type content struct {
	io.ReadCloser
	key blob.Key
}

func (c content) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = classify("read", c.key, err)
	}
	return n, err
}

// Stat implements blob.Reader.
func (s *Store) Stat(ctx context.Context, key blob.Key) (blob.Info, error) {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return blob.Info{}, err
	}
	o, err := s.core.StatObject(asking(ctx, patience), s.bucket, string(key), minio.StatObjectOptions{})
	if err != nil {
		return blob.Info{}, classify("stat", key, err)
	}
	info := blob.Info{Key: key, Bytes: o.Size, Modified: o.LastModified, Version: o.VersionID}
	// Read from the headers: not every server's retention document parses.
	if until, err := time.Parse(time.RFC3339, o.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date")); err == nil {
		info.LockedUntil = until
	}
	info.LegalHold = o.Metadata.Get("X-Amz-Object-Lock-Legal-Hold") == "ON"
	return info, nil
}

// List implements blob.Reader.
func (s *Store) List(ctx context.Context, prefix string, each func(blob.Info) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for o := range s.core.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return classify("list", blob.Key(prefix), o.Err)
		}
		if err := each(blob.Info{Key: blob.Key(o.Key), Bytes: o.Size, Modified: o.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Versions lists every version and delete marker of an object.
func (s *Store) Versions(ctx context.Context, key blob.Key) ([]blob.Info, error) {
	if _, err := blob.ParseKey(string(key)); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var out []blob.Info
	for o := range s.core.Client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: string(key), Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			return nil, classify("list the versions of", key, o.Err)
		}
		if o.Key == string(key) {
			out = append(out, blob.Info{Key: key, Bytes: o.Size, Modified: o.LastModified, Version: o.VersionID})
		}
	}
	return out, nil
}

// Delete implements blob.Store. A plain delete would leave the versions of a
// versioned bucket readable, so each is removed by its name.
func (s *Store) Delete(ctx context.Context, key blob.Key) error {
	versions, err := s.Versions(ctx, key)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := s.core.RemoveObject(asking(ctx, patience), s.bucket, string(key), minio.RemoveObjectOptions{VersionID: v.Version}); err != nil {
			// Servers name the refusal of a lock differently: ask for the lock.
			if info, serr := s.Stat(ctx, key); serr == nil && (info.LegalHold || info.LockedUntil.After(time.Now())) {
				return fmt.Errorf("delete object %s: %w: %w", key, blob.ErrLocked, err)
			}
			return classify("delete", key, err)
		}
	}
	return nil
}

// Check implements blob.Store.
func (s *Store) Check(ctx context.Context) error {
	ok, err := s.core.BucketExists(asking(ctx, patience), s.bucket)
	if err != nil {
		return classify("check", "", err)
	}
	if !ok {
		return fmt.Errorf("there is no bucket %q", s.bucket)
	}
	return nil
}

// DefaultRetention tells how long the bucket locks each new object, such as
// "30 days"; empty when it does not.
func (s *Store) DefaultRetention(ctx context.Context) (string, error) {
	_, mode, validity, unit, err := s.core.GetObjectLockConfig(asking(ctx, patience), s.bucket)
	if r := minio.ToErrorResponse(err); r.Code == "ObjectLockConfigurationNotFoundError" || r.StatusCode == http.StatusNotFound {
		return "", nil
	}
	if err != nil {
		return "", classify("ask for the locks of", "", err)
	}
	if mode == nil || validity == nil || unit == nil {
		return "", nil
	}
	return fmt.Sprintf("%d %s", *validity, strings.ToLower(string(*unit))), nil
}

func classify(doing string, key blob.Key, err error) error {
	var known error
	r := minio.ToErrorResponse(err)
	var ne net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s object %s: %w", doing, key, err)
	case r.Code == "NoSuchKey", r.StatusCode == http.StatusNotFound && r.Code != "NoSuchBucket":
		known = blob.ErrNotFound
	case r.StatusCode == http.StatusPreconditionFailed, r.StatusCode == http.StatusConflict && r.Code == "ConditionalRequestConflict":
		known = blob.ErrExists
	case r.StatusCode == http.StatusInsufficientStorage, r.Code == "XMinioStorageFull", r.Code == "QuotaExceeded":
		known = blob.ErrFull
	case r.StatusCode >= 500, r.StatusCode == http.StatusTooManyRequests, errors.As(err, &ne), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		known = blob.ErrUnavailable
	default:
		return fmt.Errorf("%s object %s: %w", doing, key, err)
	}
	return fmt.Errorf("%s object %s: %w: %w", doing, key, known, err)
}
