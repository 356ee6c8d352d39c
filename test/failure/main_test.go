// Package failure breaks a deployment in every way that it has to stand, and
// checks what is left: the real program over real databases and object stores.
// Each test prints what it did and what it found. How often things are broken
// comes from the environment; "make failure" does it as often as docs/failure.md
// says, and "make test" a few times.
package failure

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if len(os.Args) == 3 && os.Args[1] == dyingArgument {
		os.Exit(serveAndDie(os.Args[2]))
	}
	servers.Main(m)
}

// times says how often something is done.
func times(t *testing.T, name string, normally int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return normally
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q", name, text)
	}
	return n
}

// full says that everything is done that there is.
func full() bool { return os.Getenv("FAILURE") == "full" }

const (
	password = "correct horse battery staple"
	born     = "1950-01-31"
	number   = "9990000018"
	named    = "Quite Fictitious Testpatient"
)

var kinds = []string{"sqlite+filesystem", "postgres+s3"}

// deployment is what servers run over: one after the other, or several at once.
type deployment struct {
	t      *testing.T
	cfg    config.Config
	at     servers.Addresses
	temp   string     // where the servers keep temporary files
	bucket servers.S3 // of postgres+s3

	database string // folder of PostgreSQL
	logs     []*servers.Serving
}

// deploy makes a deployment with a nurse and her patient. change may be nil.
func deploy(t *testing.T, kind string, change func(*config.Config)) *deployment {
	t.Helper()
	dir := t.TempDir()
	d := &deployment{t: t, cfg: config.Default(dir), temp: t.TempDir(), at: servers.NewAddresses(t)}
	d.cfg.Limits.NoDerivatives = true
	d.cfg.Limits.SpoolMemory = 1 << 20 // so that what is larger goes through the disk
	if kind == "postgres+s3" {
		srv := servers.VersityGW(t)
		d.bucket = srv
		d.cfg.Objects = config.Objects{Kind: "s3", Endpoint: srv.Endpoint, Bucket: srv.NewBucket(t, false), Region: srv.Region,
			AccessKey: srv.AccessKey, SecretKeyFile: secret(t, dir, "key", srv.SecretKey), CAFile: srv.CAFile}
		d.cfg.Database = config.Database{Driver: "postgres"}
	}
	if change != nil {
		change(&d.cfg)
	}
	if d.cfg.Database.Driver == "postgres" && d.cfg.Database.URLFile == "" {
		d.cfg.Database.URLFile, d.database = secret(t, dir, "url", servers.Postgres(t)), servers.PostgresFolder(t)
	}
	if err := config.InitKeys(d.cfg, filepath.Join(dir, "escrow-identity.txt"), ""); err != nil {
		t.Fatal(err)
	}
	d.command(password+"\n", "user", "add", "--own-password", "nurse", "--name", "Example Nurse", "--role", "clinician", "--team", "Tissue viability")
	d.command(password+"\n", "user", "add", "--own-password", "consultant", "--name", "Example Consultant", "--role", "consultant")
	d.command(password+"\n", "user", "add", "--own-password", "auditor", "--name", "Example Auditor", "--role", "auditor")
	return d
}

func secret(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// command runs wardseal on this deployment.
func (d *deployment) command(stdin string, args ...string) string {
	d.t.Helper()
	args = append(args, "--data", d.cfg.Data, "--database-driver", d.cfg.Database.Driver)
	if d.cfg.Database.URLFile != "" {
		args = append(args, "--database-url-file", d.cfg.Database.URLFile)
	}
	out, errs, status := servers.Run(d.t, stdin, args...)
	if status != 0 {
		d.t.Fatalf("wardseal %s: status %d\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

// settings are the flags that say what d.cfg does.
func (d *deployment) settings() []string {
	c := d.cfg
	out := []string{"--data", c.Data, "--spool-memory", strconv.FormatInt(c.Limits.SpoolMemory, 10), "--database-driver", c.Database.Driver, "--objects-kind", c.Objects.Kind}
	if c.Limits.NoDerivatives {
		out = append(out, "--no-derivatives")
	}
	if c.Database.URLFile != "" {
		out = append(out, "--database-url-file", c.Database.URLFile)
	}
	if c.Keys.RootFile != "" {
		out = append(out, "--keys-root-file", c.Keys.RootFile, "--keys-escrow-file", c.Keys.EscrowFile)
	}
	if o := c.Objects; o.Kind == "s3" {
		out = append(out, "--objects-endpoint", o.Endpoint, "--objects-bucket", o.Bucket, "--objects-region", o.Region,
			"--objects-access-key", o.AccessKey, "--objects-secret-key-file", o.SecretKeyFile, "--objects-ca-file", o.CAFile)
		if o.Insecure {
			out = append(out, "--objects-insecure")
		}
	}
	return out
}

// launch starts a server where the last one was, and waits for nothing.
func (d *deployment) launch(before ...string) *servers.Serving {
	d.t.Helper()
	s := servers.Launch(d.t, d.at, append([]string{"env", "TMPDIR=" + d.temp}, before...), d.settings()...)
	d.logs = append(d.logs, s)
	d.t.Cleanup(func() {
		if d.t.Failed() {
			said := s.Log(d.t)
			d.t.Logf("a server said, at last:\n%s", said[max(0, len(said)-8000):])
		}
	})
	return s
}

// serve starts a server and waits until it is alive.
func (d *deployment) serve(before ...string) *servers.Serving {
	d.t.Helper()
	s := d.launch(before...)
	if err := s.Alive(); err != nil {
		d.t.Fatalf("%v:\n%s", err, s.Log(d.t))
	}
	return s
}

// url is where people reach it.
func (d *deployment) url() string { return "http://" + d.at.Listen }

// client ends what takes longer than anybody would wait.
var client = &http.Client{Timeout: 30 * time.Second}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("it never comes that %s", what)
		}
	}
}
