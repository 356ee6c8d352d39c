package browser

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

// mortal is a demo server on one port that can be killed and started again.
type mortal struct {
	t             *testing.T
	dir, address  string
	program, said string
	cmd           *exec.Cmd
}

func (m *mortal) start() {
	said, err := os.Create(m.said)
	if err != nil {
		m.t.Error(err)
		return
	}
	defer said.Close()
	m.cmd = exec.Command(m.program, "demo", "--data", filepath.Join(m.dir, "data"), "--listen", m.address)
	m.cmd.Stdout, m.cmd.Stderr = said, said
	servers.Start(m.t, m.cmd, func() error {
		text, err := os.ReadFile(m.said)
		if err == nil && !bytes.Contains(text, []byte("serving until interrupted")) {
			err = errors.New("not yet")
		}
		return err
	})
}

func (m *mortal) kill() {
	_ = m.cmd.Process.Kill()
	for range 500 { // until its port is free
		c, err := net.DialTimeout("tcp", m.address, time.Second)
		if err != nil {
			return
		}
		_ = c.Close()
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Error("the server does not die")
}

// What is sent is never lost: without signal, with the page and the server
// killed in the middle, with another person on the phone, and signed out.
func TestQueue(t *testing.T) {
	t.Parallel()
	node, chromium, modules := servers.Binary(t, "node"), servers.Binary(t, "chromium"), servers.Modules(t, ".")
	dir := t.TempDir()
	picture, err := filepath.Abs("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(servers.FreePort(t))
	m := &mortal{t: t, dir: dir, address: "127.0.0.1:" + port, program: servers.Wardseal(t), said: filepath.Join(dir, "said")}
	m.start()
	control := http.NewServeMux()
	control.HandleFunc("POST /kill", func(http.ResponseWriter, *http.Request) { m.kill() })
	control.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { m.start() })
	for path, signal := range map[string]os.Signal{"POST /stop": syscall.SIGSTOP, "POST /go": syscall.SIGCONT} {
		control.HandleFunc(path, func(http.ResponseWriter, *http.Request) {
			if err := m.cmd.Process.Signal(signal); err != nil {
				t.Error(err)
			}
		})
	}
	desk := httptest.NewServer(control)
	defer desk.Close()
	copyTo(t, dir, "queue.mjs")
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "queue.mjs")
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	cmd.Env = append(os.Environ(), "URL=http://localhost:"+port, "CONTROL="+desk.URL, "PASSWORD=three plain words", "PICTURE="+picture, "CHROMIUM="+chromium, "SHOTS="+os.Getenv("WARDSEAL_SHOTS"), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
