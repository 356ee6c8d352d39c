package bench

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"filippo.io/age"

	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/test/servers"
)

// raw is storage without anything before it.
type raw interface {
	put(file []byte) error
	keep(name string, r io.Reader, size int64) error
	get(name string, off, n int64) error
	// tidy removes what there is.
	tidy() error
}

// folder writes and syncs files, and reads them from a plain file server, which
// is a process of its own.
type folder struct {
	dir, url string
	n        atomic.Int64
}

const filesArgument = "serve-files"

func newFolder(b *testing.B) *folder {
	f := &folder{dir: b.TempDir()}
	addr := fmt.Sprintf("127.0.0.1:%d", servers.FreePort(b))
	f.url = "http://" + addr + "/"
	servers.Start(b, exec.Command(os.Args[0], filesArgument, addr, f.dir), func() error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	})
	return f
}

func serveFiles(addr, dir string) error {
	return http.ListenAndServe(addr, http.FileServer(http.Dir(dir)))
}

func (f *folder) put(file []byte) error {
	return f.keep(fmt.Sprintf("put-%d", f.n.Add(1)), bytes.NewReader(file), int64(len(file)))
}

func (f *folder) keep(name string, r io.Reader, _ int64) error {
	w, err := os.OpenFile(filepath.Join(f.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 1<<20))
	return errors.Join(err, w.Sync(), w.Close())
}

func (f *folder) tidy() error {
	names, err := filepath.Glob(filepath.Join(f.dir, "*"))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func (f *folder) get(name string, off, n int64) error {
	r, err := http.NewRequest("GET", f.url+name, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return drain(resp.Body, n)
}

// bucket asks the S3 server itself.
type bucket struct {
	blob.Store
	n atomic.Int64
}

func newBucket(b *testing.B, srv servers.S3) *bucket {
	b.Helper()
	return &bucket{Store: openBucket(b, srv, srv.NewBucket(b, false))}
}

func openBucket(b *testing.B, srv servers.S3, name string) blob.Store {
	b.Helper()
	s, err := s3.Open(s3.Config{Endpoint: srv.Endpoint, Bucket: name, Region: srv.Region, AccessKey: srv.AccessKey, SecretKey: s3.Secret(srv.SecretKey), CAFile: srv.CAFile})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func (k *bucket) tidy() error { return empty(k.Store) }

// empty deletes every object.
func empty(s blob.Store) error {
	var keys []blob.Key
	err := s.List(ctx, "", func(i blob.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, s.Delete(ctx, k))
	}
	return err
}

func (k *bucket) put(file []byte) error {
	return k.keep(fmt.Sprint(k.n.Add(1)), bytes.NewReader(file), int64(len(file)))
}

func (k *bucket) keep(name string, r io.Reader, size int64) error {
	_, err := k.Create(ctx, blob.Key(name), r, size)
	return err
}

func (k *bucket) get(name string, off, n int64) error {
	r, err := k.OpenAt(ctx, blob.Key(name), off, n)
	if err != nil {
		return err
	}
	return drain(r, n)
}

func drain(r io.ReadCloser, want int64) error {
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 128<<10))
	if err == nil && n != want {
		err = errors.New("not all bytes came")
	}
	return errors.Join(err, r.Close())
}

// encrypted is what age alone costs: how near to raw storage any encrypted one
// can come on this machine. With digests it also takes the three that the
// receipt and the manifest have: of what came, of what is clean and of the object.
func encrypted(b *testing.B, r raw, file []byte, digests bool) func(int) error {
	b.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	seal := func() (io.Reader, error) { return age.EncryptReader(bytes.NewReader(file), key.Recipient()) }
	once, err := seal()
	if err != nil {
		b.Fatal(err)
	}
	size, err := io.Copy(io.Discard, once)
	if err != nil {
		b.Fatal(err)
	}
	n, name := new(atomic.Int64), "sealed-%d"
	if digests {
		name = "sealed-and-hashed-%d"
	}
	return func(int) error {
		sealed, err := seal()
		if err != nil {
			return err
		}
		if digests {
			sha256.Sum256(file)
			sha256.Sum256(file)
			sealed = io.TeeReader(sealed, sha256.New())
		}
		return r.keep(fmt.Sprintf(name, n.Add(1)), sealed, size)
	}
}

// pipeline is what a script would do for each photo: exiftool, age, and a PUT
// with curl.
func pipeline(b *testing.B, srv servers.S3, recipients string, photo []byte) func(int) error {
	b.Helper()
	dir, name, n := b.TempDir(), srv.NewBucket(b, false), new(atomic.Int64)
	in, config := filepath.Join(dir, "photo.jpg"), filepath.Join(dir, "curl")
	err := errors.Join(os.WriteFile(in, photo, 0o600),
		os.WriteFile(config, fmt.Appendf(nil, "user = %q\n", srv.AccessKey+":"+srv.SecretKey), 0o600))
	if err != nil {
		b.Fatal(err)
	}
	ageCommand, exiftool, curl := servers.Binary(b, "age"), servers.Binary(b, "exiftool"), servers.Binary(b, "curl")
	script := `set -o pipefail
"$1" -q -q -all= -o - "$2" | "$3" -R "$4" -o "$5"
"$6" --fail --silent --show-error --config "$7" --cacert "$8" --aws-sigv4 aws:amz:` + srv.Region + `:s3 -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" -T "$5" "$9"
rm "$5"`
	return func(int) error {
		k := n.Add(1)
		cmd := exec.Command("bash", "-euc", script, "pipeline", exiftool, in, ageCommand, recipients, filepath.Join(dir, fmt.Sprint(k)), curl, config, srv.CAFile,
			fmt.Sprintf("https://%s/%s/%d", srv.Endpoint, name, k))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("the pipeline: %w: %s", err, out)
		}
		return nil
	}
}
