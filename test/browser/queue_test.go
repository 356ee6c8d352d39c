package browser

import (
	"bytes"
	"errors"
	"fmt"
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
	ended         chan struct{}
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
	m.ended = servers.Start(m.t, m.cmd, func() error {
		text, err := os.ReadFile(m.said)
		if err == nil && !bytes.Contains(text, []byte("serving until interrupted")) {
			err = errors.New("not yet")
		}
		return err
	})
}

// kill comes back when nothing of it is left.
func (m *mortal) kill() {
	_ = m.cmd.Process.Kill()
	<-m.ended
}

// stop comes back when nothing of it runs: a busy machine lets the threads of a
// process go on a little after the signal, and they would still answer.
func (m *mortal) stop() {
	m.signal(syscall.SIGSTOP)
	for m.runs() {
		time.Sleep(time.Millisecond)
	}
}

// runs says whether a thread of it is in another state than stopped.
func (m *mortal) runs() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", m.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		m.t.Error("the server is gone", err)
		return false
	}
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		_, state, ok := bytes.Cut(stat, []byte(") ")) // after its name
		if err != nil || !ok || state[0] != 'T' {
			return true // one that has just ended too
		}
	}
	return false
}

func (m *mortal) signal(signal os.Signal) {
	if err := m.cmd.Process.Signal(signal); err != nil {
		m.t.Error(err)
	}
}

// What is sent is never lost: without signal, with the page and the server
// killed in the middle, with another person on the phone, and signed out.
func TestQueue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := strconv.Itoa(servers.FreePort(t))
	m := &mortal{t: t, dir: dir, address: "127.0.0.1:" + port, program: servers.Wardseal(t), said: filepath.Join(dir, "said")}
	m.start()
	control := http.NewServeMux()
	control.HandleFunc("POST /kill", func(http.ResponseWriter, *http.Request) { m.kill() })
	control.HandleFunc("POST /start", func(http.ResponseWriter, *http.Request) { m.start() })
	control.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { m.stop() })
	control.HandleFunc("POST /go", func(http.ResponseWriter, *http.Request) { m.signal(syscall.SIGCONT) })
	desk := httptest.NewServer(control)
	defer desk.Close()
	walk(t, "queue.mjs", "URL=http://localhost:"+port, "CONTROL="+desk.URL)
}
