package process

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// settings lists the environment variables of a configuration's fields.
func settings(typ reflect.Type) (names []string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if name := f.Tag.Get("env"); name != "" {
			if names = append(names, name); f.Tag.Get("help") == "" {
				names = append(names, "help for "+name) // which is not found
			}
		} else if f.Type.Kind() == reflect.Struct {
			names = append(names, settings(f.Type)...)
		}
	}
	return names
}

func TestHelpNamesEverySetting(t *testing.T) {
	help := command(t, "", "serve", "--help")
	all := settings(reflect.TypeFor[config.Config]())
	if len(all) < 25 {
		t.Fatalf("only %d settings were found", len(all))
	}
	for _, name := range all {
		if !strings.Contains(help, "($"+name+")") {
			t.Errorf("%s is not in it", name)
		}
	}
}

func TestIncompleteSettingsAreAllNamed(t *testing.T) {
	_, said, status := servers.Run(t, "", "serve", "--objects-kind", "s3", "--database-driver", "postgres", "--tls-cert", "/nowhere", "--max-upload-bytes", "0")
	for _, want := range []string{"--data is missing", "--public-url must be", "--tls-cert and --tls-key go together", "--database-url-file is missing",
		"--objects-endpoint is missing", "--objects-bucket is missing", "--objects-access-key is missing", "--objects-secret-key-file is missing", "limits must be positive"} {
		if status == 0 || !strings.Contains(said, want) {
			t.Errorf("status %d, and it does not say “%s”:\n%s", status, want, said)
		}
	}
}

// What is whole and wrong all the same is refused before anything is served.
func TestWrongSettings(t *testing.T) {
	dir := deploy(t)
	open := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(open, []byte("postgres://somebody:hidden@127.0.0.1/x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no keys":          {[]string{"--data", t.TempDir()}, "keys init"},
		"no certificate":   {[]string{"--data", dir, "--tls-cert", "/nowhere", "--tls-key", "/nowhere"}, "/nowhere"},
		"readable secret":  {[]string{"--data", dir, "--database-driver", "postgres", "--database-url-file", open}, "0600"},
		"misspelt flag":    {[]string{"--data", dir, "--pubic-url", "x"}, "pubic-url"},
		"a path in it":     {[]string{"--data", dir, "--public-url", "https://wardseal.example/app"}, "public-url"},
		"a bucket nowhere": {[]string{"--data", dir, "--audit-bucket", "b"}, "--audit-endpoint is missing"},
		"a bucket, no key": {[]string{"--data", dir, "--audit-bucket", "b", "--audit-endpoint", "127.0.0.1:1"}, "--audit-access-key and --audit-secret-key-file"},
		"a bad collector":  {[]string{"--data", dir, "--audit-syslog", "http://127.0.0.1:1"}, "use tls, tcp, udp or unix"},
		"a server without": {[]string{"--data", dir, "--objects-kind", "s3", "--objects-endpoint", "127.0.0.1:1", "--objects-bucket", "b", "--objects-access-key", "a", "--objects-secret-key-file", "/nowhere"}, "secret key"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"serve", "--listen", "127.0.0.1:0", "--operations", "127.0.0.1:0", "--public-url", "http://localhost"}, c.args...)
			_, said, status := servers.Run(t, "", args...)
			if status == 0 || !strings.Contains(said, c.want) {
				t.Errorf("status %d, want “%s”:\n%s", status, c.want, said)
			}
			if strings.Contains(said, "hidden") || strings.Contains(said, "AGE-SECRET") {
				t.Errorf("it tells a secret:\n%s", said)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	dir := deploy(t)
	cert, key := servers.Certificate(t, t.TempDir())
	s := serve(t, dir, "--tls-cert", cert, "--tls-key", key)
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := func(c *tls.Config) *http.Client {
		c.RootCAs = pool
		return &http.Client{Transport: &http.Transport{TLSClientConfig: c}, Timeout: 10 * time.Second}
	}
	nurse := signIn(t, s.URL, "nurse", client(&tls.Config{}))
	nurse.register()
	form, kind := nurse.form(phone(t))
	resp, _, err := nurse.do("POST", "/items", kind, strings.NewReader(string(form)))
	if err != nil || resp.StatusCode != http.StatusCreated || resp.TLS.Version != tls.VersionTLS13 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%v, %+v", err, resp)
	}
	if _, err := client(&tls.Config{MaxVersion: tls.VersionTLS12}).Get(s.URL); err == nil {
		t.Error("it speaks TLS 1.2")
	}
}

// The demo serves until it is told to stop, and then ends well.
func TestDemoServes(t *testing.T) {
	port := servers.FreePort(t)
	cmd := exec.Command(servers.Wardseal(t), "demo", "--data", filepath.Join(t.TempDir(), "demo"), "--listen", fmt.Sprintf("127.0.0.1:%d", port))
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	said := func() string { b, _ := os.ReadFile(out.Name()); return string(b) }
	for range 600 {
		if strings.Contains(said(), "three plain words") { // the sign-ins come last
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("it does not serve: %v\n%s", err, said())
	}
	_ = resp.Body.Close()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, said())
	}
}
