package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/test/servers"
)

// loadFor is how long each system is under load, and loadClients how many
// clients it has; one request in five files a photo and the others look at one.
const (
	loadFor     = 20 * time.Second
	loadClients = 8
)

// system is what is put under load: it files a photo and gives its name, and
// shows one.
type system struct {
	name string
	put  func() (string, error)
	get  func(name string) error
}

// BenchmarkLoad prints how many photos of 4 MB a second are filed and looked at,
// and how long that takes, beside rclone's crypt remote served over HTTP and a
// plain proxy in front of the same S3 server, one after the other.
func BenchmarkLoad(b *testing.B) {
	srv, file := servers.VersityGW(b), photo(b)
	h := openWith(b, &srv, false, append(over(b, servers.Postgres(b)), "--no-derivatives")...)
	shown := int64(len(file))
	wardseal := system{"Wardseal (PostgreSQL, S3)", func() (string, error) { return h.upload("a.jpg", bytes.NewReader(file), int64(len(file))) },
		func(item string) error { return h.view(item, shown) }}
	if item, err := wardseal.put(); err != nil {
		b.Fatal(err)
	} else if shown, err = h.do("GET", "/items/"+item+"/renditions/original-clean", io.Discard); err != nil {
		b.Fatal(err)
	}
	all := []system{wardseal, overHTTP("gin before the same S3, nothing else", proxied(b, srv), file), overHTTP("rclone crypt over HTTP", crypted(b, srv), file)}
	fmt.Printf("%-40s %9s %9s   %s\n", "8 clients, photos of 4 MB", "filed/s", "shown/s", "p50 / p95 filed, p50 / p95 shown")
	for _, s := range all {
		fmt.Println(load(b, s))
	}
	b.ReportMetric(0, "ns/op")
}

// load keeps a system busy and says how it did.
func load(b *testing.B, s system) string {
	b.Helper()
	var names []string
	for range 5 {
		name, err := s.put()
		if err != nil {
			b.Fatalf("%s: %v", s.name, err)
		}
		names = append(names, name)
	}
	var mu sync.Mutex
	var took [2][]time.Duration // filed, shown
	var failed atomic.Value
	var clients sync.WaitGroup
	end := time.Now().Add(loadFor)
	for range loadClients {
		clients.Go(func() {
			for time.Now().Before(end) && failed.Load() == nil {
				mu.Lock()
				name := names[rand.IntN(len(names))]
				mu.Unlock()
				kind, began := 1, time.Now()
				var err error
				if rand.IntN(5) == 0 {
					kind = 0
					name, err = s.put()
				} else {
					err = s.get(name)
				}
				if err != nil {
					failed.Store(err)
					return
				}
				mu.Lock()
				took[kind] = append(took[kind], time.Since(began))
				if kind == 0 {
					names = append(names, name)
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if err := failed.Load(); err != nil {
		b.Fatalf("%s: %v", s.name, err)
	}
	text := fmt.Sprintf("%-40s %9.1f %9.1f  ", s.name, float64(len(took[0]))/loadFor.Seconds(), float64(len(took[1]))/loadFor.Seconds())
	for _, all := range took {
		slices.Sort(all)
		if len(all) > 0 {
			text += fmt.Sprintf(" %d / %d ms", all[len(all)/2].Milliseconds(), all[len(all)*95/100].Milliseconds())
		}
	}
	return text
}

// overHTTP is a server that takes PUT and GET.
func overHTTP(name, url string, file []byte) system {
	var n atomic.Int64
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loadClients}}
	ask := func(method, path string, body io.Reader) (int64, error) {
		r, err := http.NewRequest(method, url+path, body)
		if err != nil {
			return 0, err
		}
		resp, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, resp.Body, make([]byte, 128<<10))
		if resp.StatusCode >= 300 {
			err = fmt.Errorf("%s: %s", method, resp.Status)
		}
		return got, errors.Join(err, resp.Body.Close())
	}
	return system{name, func() (string, error) {
		name := fmt.Sprintf("/photo-%d.jpg", n.Add(1))
		_, err := ask("PUT", name, bytes.NewReader(file))
		return name, err
	}, func(name string) error {
		got, err := ask("GET", name, nil)
		if err == nil && got != int64(len(file)) {
			err = errors.New("not all bytes came")
		}
		return err
	}}
}

const proxyArgument = "serve-bucket"

// proxied starts a process that passes photos on to and from a bucket, by gin
// and the same client for S3, and does nothing else.
func proxied(b *testing.B, srv servers.S3) string {
	b.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", servers.FreePort(b))
	cmd := exec.Command(os.Args[0], proxyArgument, addr)
	cmd.Env = append(os.Environ(), "BUCKET="+srv.NewBucket(b, false), "ENDPOINT="+srv.Endpoint, "REGION="+srv.Region, "ACCESS="+srv.AccessKey, "SECRET="+srv.SecretKey, "CA="+srv.CAFile)
	servers.Start(b, cmd, listening(addr))
	return "http://" + addr
}

func serveBucket(addr string) error {
	store, err := s3.Open(s3.Config{Endpoint: os.Getenv("ENDPOINT"), Bucket: os.Getenv("BUCKET"), Region: os.Getenv("REGION"),
		AccessKey: os.Getenv("ACCESS"), SecretKey: s3.Secret(os.Getenv("SECRET")), CAFile: os.Getenv("CA")})
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.PUT("/:name", func(c *gin.Context) {
		if _, err := store.Create(c, blob.Key(c.Param("name")), c.Request.Body, c.Request.ContentLength); err != nil {
			c.Status(http.StatusBadGateway)
			return
		}
		c.Status(http.StatusCreated)
	})
	engine.GET("/:name", func(c *gin.Context) {
		info, err := store.Stat(c, blob.Key(c.Param("name")))
		if err != nil {
			c.Status(http.StatusNotFound)
			return
		}
		r, err := store.OpenAt(c, info.Key, 0, info.Bytes)
		if err != nil {
			c.Status(http.StatusBadGateway)
			return
		}
		defer r.Close()
		c.DataFromReader(http.StatusOK, info.Bytes, "image/jpeg", r, nil)
	})
	return engine.Run(addr)
}

// crypted starts rclone's crypt remote over a bucket, served by WebDAV: PUT and
// GET over HTTP.
func crypted(b *testing.B, srv servers.S3) string {
	b.Helper()
	rclone := servers.Binary(b, "rclone")
	obscured, err := exec.Command(rclone, "obscure", "a long secret of the remote").Output()
	if err != nil {
		b.Fatal(err)
	}
	conf := filepath.Join(b.TempDir(), "rclone.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "[s3]\ntype = s3\nprovider = Other\nendpoint = https://%s\nregion = %s\naccess_key_id = %s\nsecret_access_key = %s\n\n[crypt]\ntype = crypt\nremote = s3:%s\npassword = %s\n",
		srv.Endpoint, srv.Region, srv.AccessKey, srv.SecretKey, srv.NewBucket(b, false), strings.TrimSpace(string(obscured))), 0o600); err != nil {
		b.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", servers.FreePort(b))
	cmd := exec.Command(rclone, "serve", "webdav", "crypt:", "--addr", addr, "--config", conf, "--ca-cert", srv.CAFile, "--s3-no-check-bucket", "--log-level", "ERROR")
	cmd.Env = append(os.Environ(), "AWS_CA_BUNDLE=") // rclone's own client cannot take one from there
	servers.Start(b, cmd, listening(addr))
	return "http://" + addr
}

func listening(addr string) func() error {
	return func() error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}
