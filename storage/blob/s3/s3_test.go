package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/blobtest"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

func open(t *testing.T, srv servers.S3, bucket string) *s3.Store {
	t.Helper()
	s, err := s3.Open(s3.Config{
		Endpoint: srv.Endpoint, Bucket: bucket, Region: srv.Region, AccessKey: srv.AccessKey, SecretKey: s3.Secret(srv.SecretKey), CAFile: srv.CAFile, PartBytes: 5 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// large is the size of an object that goes in parts.
const large = 42 << 20

// Each server, with a bucket that keeps no versions and with one that keeps and
// locks them.
func TestConformance(t *testing.T) {
	for name, server := range map[string]func(testing.TB) servers.S3{"versitygw": servers.VersityGW, "minio": servers.MinIO} {
		t.Run(name+"/plain", func(t *testing.T) {
			srv := server(t)
			blobtest.Conformance(t, large, func(t *testing.T) blob.Store { return open(t, srv, srv.NewBucket(t, false)) })
		})
		t.Run(name+"/locking", func(t *testing.T) {
			srv := server(t)
			blobtest.Conformance(t, large, func(t *testing.T) blob.Store { return open(t, srv, srv.NewLockingBucket(t)) })
			blobtest.Locking(t, open(t, srv, srv.NewLockingBucket(t)))
			if err := open(t, srv, srv.NewBucket(t, true)).CanLock(t.Context()); err == nil {
				t.Error("a bucket without locks can lock")
			}
		})
	}
}

// slow is an object of zeros that takes its time, and counts how many are being
// read.
type slow struct{ reading, most *atomic.Int64 }

func (s slow) Read(p []byte) (int, error) {
	n := s.reading.Add(1)
	defer s.reading.Add(-1)
	for m := s.most.Load(); n > m && !s.most.CompareAndSwap(m, n); m = s.most.Load() {
	}
	time.Sleep(2 * time.Millisecond)
	clear(p[:min(len(p), 512<<10)])
	return min(len(p), 512<<10), nil
}

// However many large objects come at once, few of their parts are in memory;
// all of them arrive, and one that is given up holds no room.
func TestManyLargeObjectsTakeTurns(t *testing.T) {
	srv := servers.VersityGW(t)
	s := open(t, srv, srv.NewBucket(t, false))
	var reading, most atomic.Int64
	broken := errors.New("broken")
	for range 2 * s3.PartsAtOnce {
		if _, err := s.Create(t.Context(), "broken", io.MultiReader(io.LimitReader(slow{&reading, &most}, 1<<20), iotest.ErrReader(broken)), large); !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 2 * s3.PartsAtOnce {
		all.Go(func() {
			key := blob.Key(fmt.Sprint(i))
			if _, err := s.Create(t.Context(), key, io.LimitReader(slow{&reading, &most}, large), large); err != nil {
				t.Error(err)
			} else if o, err := s.Stat(t.Context(), key); err != nil || o.Bytes != large {
				t.Errorf("%s has %d bytes: %v", key, o.Bytes, err)
			}
		})
	}
	all.Wait()
	if n := most.Load(); n > s3.PartsAtOnce {
		t.Errorf("%d parts were filled at once, want at most %d", n, s3.PartsAtOnce)
	}
}

// The parts of an upload whose server was killed do not stay for ever.
func TestTidy(t *testing.T) {
	srv := servers.VersityGW(t)
	bucket := srv.NewBucket(t, false)
	s := open(t, srv, bucket)
	if _, err := s.Create(t.Context(), "a/whole", bytes.NewReader([]byte("x")), 1); err != nil {
		t.Fatal(err)
	}
	srv.BreakOff(t, bucket, "a/half", make([]byte, 5<<20))
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{time.Hour, 0}, {25 * time.Hour, 1}, {25 * time.Hour, 0}} {
		if n, err := s.Tidy(t.Context(), time.Now().Add(c.after)); n != c.want || err != nil {
			t.Errorf("after %s it removes %d, want %d: %v", c.after, n, c.want, err)
		}
	}
	if _, err := s.Stat(t.Context(), "a/whole"); err != nil {
		t.Error(err)
	}
}

func TestServerDown(t *testing.T) {
	s, err := s3.Open(s3.Config{Endpoint: fmt.Sprintf("127.0.0.1:%d", servers.FreePort(t)), Bucket: "bucket", Region: "r", AccessKey: "a", SecretKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "k", bytes.NewReader([]byte("x")), 1); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("create: %v", err)
	}
	if _, err := s.OpenAt(t.Context(), "k", 0, -1); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
	if err := s.Check(t.Context()); !errors.Is(err, blob.ErrUnavailable) {
		t.Errorf("check: %v", err)
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	if got := fmt.Sprintf("%v %+v %#v", s3.Config{SecretKey: "hidden"}, s3.Secret("hidden"), s3.Config{SecretKey: "hidden"}); bytes.Contains([]byte(got), []byte("hidden")) {
		t.Error(got)
	}
}
