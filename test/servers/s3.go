package servers

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 is a running S3 server, which speaks TLS.
type S3 struct {
	Endpoint, Region, AccessKey, SecretKey, CAFile string

	Folder string // where it keeps everything
}

var s3 struct {
	sync.Mutex
	versity, minio *S3
}

// VersityGW gives a running versitygw over a temporary folder.
func VersityGW(tb testing.TB) S3 {
	tb.Helper()
	s3.Lock()
	defer s3.Unlock()
	if s3.versity == nil {
		bin, dir := Binary(tb, "versitygw"), folder(tb)
		srv, port, cert, key := prepare(tb, dir)
		for _, d := range []string{"data", "versions", "iam"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
				tb.Fatal(err)
			}
		}
		cmd := exec.Command(bin, "--quiet", "--port", srv.Endpoint, "--cert", cert, "--key", key, "--iam-dir", filepath.Join(dir, "iam"),
			"posix", "--versioning-dir", filepath.Join(dir, "versions"), filepath.Join(dir, "data"))
		cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+srv.AccessKey, "ROOT_SECRET_KEY="+srv.SecretKey)
		Start(tb, cmd, func() error { return answering(port) })
		s3.versity = &srv
	}
	return *s3.versity
}

// MinIO gives a running MinIO over a temporary folder.
func MinIO(tb testing.TB) S3 {
	tb.Helper()
	s3.Lock()
	defer s3.Unlock()
	if s3.minio == nil {
		bin, dir := Binary(tb, "minio"), folder(tb)
		srv, port, cert, key := prepare(tb, dir)
		certs := filepath.Join(dir, "certs")
		if err := errors.Join(os.Mkdir(certs, 0o700), os.Rename(cert, filepath.Join(certs, "public.crt")), os.Rename(key, filepath.Join(certs, "private.key"))); err != nil {
			tb.Fatal(err)
		}
		cmd := exec.Command(bin, "server", "--quiet", "--certs-dir", certs, "--address", srv.Endpoint, "--console-address", fmt.Sprintf("127.0.0.1:%d", FreePort(tb)), filepath.Join(dir, "data"))
		cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+srv.AccessKey, "MINIO_ROOT_PASSWORD="+srv.SecretKey, "MINIO_UPDATE=off", "MINIO_BROWSER=off", "CI=1")
		Start(tb, cmd, func() error {
			if err := answering(port); err != nil {
				return err
			}
			_, err := srv.client(tb).ListBuckets(context.Background())
			return err
		})
		s3.minio = &srv
	}
	return *s3.minio
}

// NewBucket makes an empty bucket.
func (s S3) NewBucket(tb testing.TB, versioned bool) string {
	tb.Helper()
	return s.newBucket(tb, versioned, false)
}

// NewLockingBucket makes an empty bucket whose objects can be locked.
func (s S3) NewLockingBucket(tb testing.TB) string {
	tb.Helper()
	return s.newBucket(tb, true, true)
}

// RetainByDefault has a bucket lock every new object for some days.
func (s S3) RetainByDefault(tb testing.TB, bucket string, days uint) {
	tb.Helper()
	mode, unit := minio.Compliance, minio.Days
	if err := s.client(tb).SetBucketObjectLockConfig(tb.Context(), bucket, &mode, &days, &unit); err != nil {
		tb.Fatalf("set a default retention: %v", err)
	}
}

// Versions counts the versions, delete markers too, of objects whose keys start
// with prefix.
func (s S3) Versions(tb testing.TB, bucket, prefix string) (n int) {
	tb.Helper()
	for o := range s.client(tb).ListObjects(tb.Context(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}) {
		if o.Err != nil {
			tb.Fatalf("list versions: %v", o.Err)
		}
		n++
	}
	return n
}

// BreakOff begins an object in parts and ends it nowhere, as a client does that
// is killed.
func (s S3) BreakOff(tb testing.TB, bucket, key string, part []byte) {
	tb.Helper()
	core := minio.Core{Client: s.client(tb)}
	id, err := core.NewMultipartUpload(tb.Context(), bucket, key, minio.PutObjectOptions{})
	if err == nil {
		_, err = core.PutObjectPart(tb.Context(), bucket, key, id, 1, bytes.NewReader(part), int64(len(part)), minio.PutObjectPartOptions{})
	}
	if err != nil {
		tb.Fatalf("begin an object in parts: %v", err)
	}
}

func (s S3) newBucket(tb testing.TB, versioned, locking bool) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	name, c := "w"+strings.ToLower(rand.Text()[:16]), s.client(tb)
	if err := c.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: s.Region, ObjectLocking: locking}); err != nil {
		tb.Fatalf("make a bucket: %v", err)
	}
	if versioned {
		if err := c.EnableVersioning(ctx, name); err != nil {
			tb.Fatalf("switch on versions: %v", err)
		}
	}
	return name
}

func (s S3) client(tb testing.TB) *minio.Client {
	tb.Helper()
	ca, err := os.ReadFile(s.CAFile)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	c, err := minio.New(s.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Secure: true, Region: s.Region,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// prepare chooses a port and secrets, and makes a certificate.
func prepare(tb testing.TB, dir string) (srv S3, port int, cert, key string) {
	tb.Helper()
	port = FreePort(tb)
	cert, key = Certificate(tb, dir)
	ca := filepath.Join(dir, "ca.pem")
	b, err := os.ReadFile(cert)
	if err == nil {
		err = os.WriteFile(ca, b, 0o600)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return S3{Endpoint: "127.0.0.1:" + strconv.Itoa(port), Region: "us-east-1", AccessKey: "wardseal-test", SecretKey: rand.Text(), CAFile: ca, Folder: dir}, port, cert, key
}

// Certificate makes a self-signed certificate for loopback.
func Certificate(tb testing.TB, dir string) (cert, key string) {
	tb.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "wardseal test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &k.PublicKey, k)
	if err != nil {
		tb.Fatal(err)
	}
	kder, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		tb.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: kder}), 0o600))
	if err != nil {
		tb.Fatal(err)
	}
	return cert, key
}

// Client gives a client of the server, to do what the program never would.
func (s S3) Client(tb testing.TB) *minio.Client {
	tb.Helper()
	return s.client(tb)
}
