package sink_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/storage/sink"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	servers.Main(m)
}

// key signs checkpoints, and verifies them.
type key struct {
	signs  note.Signer
	checks note.Verifier
}

func newKey(t *testing.T) key {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "wardseal/audit/test")
	if err != nil {
		t.Fatal(err)
	}
	var k key
	if k.signs, err = note.NewSigner(private); err == nil {
		k.checks, err = note.NewVerifier(public)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k key) checkpoint(t *testing.T, size int64) (audit.Checkpoint, []byte) {
	t.Helper()
	c := audit.Checkpoint{Origin: k.signs.Name(), Size: size, Root: audit.Leaf([]byte(fmt.Sprint(size)))}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, k.signs)
	if err != nil {
		t.Fatal(err)
	}
	return c, signed
}

// sizes reads everything back.
func (k key) sizes(t *testing.T, r sink.Reader) map[int64]int {
	t.Helper()
	out := map[int64]int{}
	err := r.All(t.Context(), func(signed []byte) error {
		c, err := audit.OpenCheckpoint(signed, k.checks)
		out[c.Size]++
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return out
}

// Whatever can be read back gives what was published, and the newest of it.
func conformance(t *testing.T, r sink.Reader) {
	t.Helper()
	ctx, k := t.Context(), newKey(t)
	if n, err := r.Newest(ctx); n != nil || err != nil {
		t.Errorf("empty: %q %v", n, err)
	}
	for _, size := range []int64{5, 9, 10, 1000, 1001} {
		c, signed := k.checkpoint(t, size)
		for range 2 { // the second time as after a crash
			if err := r.Publish(ctx, c, signed); err != nil {
				t.Fatal(err)
			}
		}
		newest, err := r.Newest(ctx)
		if err != nil || !bytes.Equal(newest, signed) {
			t.Errorf("%d: the newest is %q, %v", size, newest, err)
		}
	}
	if got := k.sizes(t, r); len(got) != 5 || got[5] == 0 || got[1001] == 0 {
		t.Errorf("%v", got)
	}
}

func TestFile(t *testing.T) {
	conformance(t, sink.NewFile(filepath.Join(t.TempDir(), "checkpoints")))
}

// A line that a crash cut off hides nothing that comes after it.
func TestATornLine(t *testing.T) {
	path, k, ctx := filepath.Join(t.TempDir(), "checkpoints"), newKey(t), t.Context()
	f := sink.NewFile(path)
	publish := func(size int64) {
		t.Helper()
		c, signed := k.checkpoint(t, size)
		if err := f.Publish(ctx, c, signed); err != nil {
			t.Fatal(err)
		}
	}
	publish(5)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) - 1 {
		if err := os.WriteFile(path, append(bytes.Clone(whole), whole[:cut]...), 0o600); err != nil {
			t.Fatal(err)
		}
		publish(7)
		n, err := f.Newest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := audit.OpenCheckpoint(n, k.checks); err != nil || c.Size != 7 {
			t.Fatalf("cut at %d: %v %v", cut, c, err)
		}
		found := map[int64]bool{}
		err = f.All(ctx, func(signed []byte) error {
			c, err := audit.OpenCheckpoint(signed, k.checks)
			if errors.Is(err, audit.ErrNotNote) {
				return nil
			}
			found[c.Size] = true
			return err
		})
		if err != nil || !found[5] || !found[7] {
			t.Fatalf("cut at %d: %v %v", cut, found, err)
		}
	}
	if err := os.WriteFile(path, []byte("noise\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Newest(ctx); err == nil {
		t.Errorf("noise passes for nothing: %q", n)
	}
}

func TestBucketOnFiles(t *testing.T) {
	objects, err := filesystem.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := sink.NewBucket("bucket test", objects)
	conformance(t, b)
	k := newKey(t) // another's checkpoint of a size that is there
	c, signed := k.checkpoint(t, 9)
	if err := b.Publish(t.Context(), c, signed); err == nil {
		t.Error("another checkpoint of the same size is taken")
	}
}

// On real servers, with and without a lock: a bucket with a default retention
// keeps what it was given.
func TestBucketOnS3(t *testing.T) {
	for name, srv := range map[string]servers.S3{"versitygw": servers.VersityGW(t), "minio": servers.MinIO(t)} {
		for _, locks := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,%v", name, locks), func(t *testing.T) {
				bucket := srv.NewBucket(t, false)
				if locks {
					bucket = srv.NewLockingBucket(t)
					srv.RetainByDefault(t, bucket, 1)
				}
				objects, err := s3.Open(s3.Config{Endpoint: srv.Endpoint, Bucket: bucket, Region: srv.Region, AccessKey: srv.AccessKey, SecretKey: s3.Secret(srv.SecretKey), CAFile: srv.CAFile})
				if err != nil {
					t.Fatal(err)
				}
				b := sink.NewBucket("bucket test", objects)
				conformance(t, b)
				if says, err := b.Locks(t.Context()); err != nil || says != map[bool]string{true: "1 days"}[locks] {
					t.Errorf("locked for %q, %v", says, err)
				}
				if !locks {
					return
				}
				var key blob.Key
				if err := objects.List(t.Context(), "", func(i blob.Info) error { key = i.Key; return nil }); err != nil {
					t.Fatal(err)
				}
				if err := objects.Delete(t.Context(), key); err == nil {
					t.Error("a locked checkpoint is deleted")
				}
			})
		}
	}
}

var message = regexp.MustCompile(`^<109>1 2026-11-24T12:00:00\.000000Z \S+ wardseal - checkpoint - (wardseal checkpoint .*)$`)

func clock() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// Each way to a collector of logs delivers a message that holds the checkpoint.
func TestSyslog(t *testing.T) {
	k := newKey(t)
	c, signed := k.checkpoint(t, 42)
	cert, private := servers.Certificate(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(cert, private)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "log")
	for scheme, listen := range map[string]func() (string, func() string){
		"tcp": func() (string, func() string) { return stream(t, nil) },
		"tls": func() (string, func() string) {
			return stream(t, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
		},
		"udp":  func() (string, func() string) { return packets(t, "udp", "127.0.0.1:0") },
		"unix": func() (string, func() string) { return packets(t, "unixgram", socket) },
	} {
		t.Run(scheme, func(t *testing.T) {
			address, got := listen()
			s, err := sink.NewSyslog(scheme+"://"+address, cert, clock)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Publish(t.Context(), c, signed); err != nil {
				t.Fatal(err)
			}
			m := message.FindStringSubmatch(got())
			if m == nil {
				t.Fatalf("%q", got())
			}
			notes := audit.Notes([]byte(m[1]))
			if len(notes) != 1 {
				t.Fatalf("%q", m[1])
			}
			if back, err := audit.OpenCheckpoint(notes[0], k.checks); err != nil || back != c {
				t.Errorf("%+v %v", back, err)
			}
		})
	}
	for _, wrong := range []string{"", "host:514", "http://host:514", "tcp://host", "tls://host:6514"} {
		ca := ""
		if strings.HasPrefix(wrong, "tls") {
			ca = socket // no certificate
		}
		if _, err := sink.NewSyslog(wrong, ca, clock); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
	closed, err := sink.NewSyslog(fmt.Sprintf("tcp://127.0.0.1:%d", servers.FreePort(t)), "", clock)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Publish(t.Context(), c, signed); err == nil {
		t.Error("nobody listens, and it counts as published")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := closed.Publish(ctx, c, signed); err == nil {
		t.Error("it goes on after it was told to stop")
	}
}

// stream listens for one message with its length before it.
func stream(t *testing.T, cfg *tls.Config) (string, func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	out := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		n, err := in.ReadString(' ')
		if err != nil {
			return
		}
		length, _ := strconv.Atoi(strings.TrimSpace(n))
		b := make([]byte, length)
		_, _ = io.ReadFull(in, b)
		out <- string(b)
	}()
	return l.Addr().String(), func() string { return <-out }
}

// packets listens for one message as a packet.
func packets(t *testing.T, network, address string) (string, func() string) {
	t.Helper()
	p, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p.LocalAddr().String(), func() string {
		b := make([]byte, 8<<10)
		n, _, err := p.ReadFrom(b)
		if err != nil {
			t.Error(err)
		}
		return string(b[:n])
	}
}
