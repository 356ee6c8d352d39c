package servers

import (
	"fmt"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// SMTP is a running mail server, which wants STARTTLS and keeps what it is sent.
type SMTP struct{ Server, CAFile, dir string }

// Mail starts a mail server.
func Mail(tb testing.TB) SMTP {
	tb.Helper()
	dir := folder(tb)
	cert, key := Certificate(tb, dir)
	s := SMTP{Server: fmt.Sprintf("127.0.0.1:%d", FreePort(tb)), CAFile: cert, dir: filepath.Join(dir, "mail")}
	cmd := exec.Command(Binary(tb, "aiosmtpd"), "-n", "-l", s.Server, "--tlscert", cert, "--tlskey", key, "-c", "aiosmtpd.handlers.Mailbox", s.dir)
	Start(tb, cmd, func() error {
		c, err := textproto.Dial("tcp", s.Server)
		if err != nil {
			return err
		}
		defer c.Close()
		_, _, err = c.ReadResponse(220)
		return err
	})
	return s
}

// Folder is where the messages are kept, in new/.
func (s SMTP) Folder() string { return s.dir }

// Received gives the messages that came so far, as they came.
func (s SMTP) Received(tb testing.TB) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, "new", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}
