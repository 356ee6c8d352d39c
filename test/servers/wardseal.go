package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var built struct {
	sync.Mutex
	path string
}

// Wardseal gives the wardseal program, built from this source once a process,
// with the tags of docs/operations.md.
func Wardseal(tb testing.TB) string {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	if built.path == "" {
		path := filepath.Join(folder(tb), "wardseal")
		if out, err := exec.Command("go", "build", "-tags", "nomsgpack", "-o", path, "github.com/wardseal/wardseal/cmd/wardseal").CombinedOutput(); err != nil {
			tb.Fatalf("build wardseal: %v\n%s", err, out)
		}
		built.path = path
	}
	return built.path
}

// Run runs the wardseal program to its end and gives what it said and its
// status.
func Run(tb testing.TB, stdin string, args ...string) (stdout, stderr string, status int) {
	tb.Helper()
	var out, errs bytes.Buffer
	program := Wardseal(tb) // building it is not part of the time
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatalf("run wardseal: %v", err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Serving is a wardseal server that runs as a process of its own.
type Serving struct {
	URL        string // with TLS when the settings name a certificate
	Operations string
	PID        int
	cmd        *exec.Cmd
	log        string
	done       chan struct{}
}

// Serve starts “wardseal serve” with the settings, on ports of its own, and
// waits until it is alive. It ends with the test at the latest.
func Serve(tb testing.TB, settings ...string) *Serving {
	tb.Helper()
	return ServeUnder(tb, nil, settings...)
}

// ServeUnder is Serve with a command before the program, such as one that makes
// system calls fail.
func ServeUnder(tb testing.TB, before []string, settings ...string) *Serving {
	tb.Helper()
	s := Launch(tb, NewAddresses(tb), before, settings...)
	if err := s.Alive(); err != nil {
		tb.Fatalf("%v:\n%s", err, s.Log(tb))
	}
	return s
}

// Addresses are where a server listens.
type Addresses struct{ Listen, Operations string }

// NewAddresses gives addresses that were free a moment ago.
func NewAddresses(tb testing.TB) Addresses {
	tb.Helper()
	return Addresses{fmt.Sprintf("127.0.0.1:%d", FreePort(tb)), fmt.Sprintf("127.0.0.1:%d", FreePort(tb))}
}

// Launch is ServeUnder at given addresses, so that a server that was killed
// comes back to where it was, and without waiting for anything.
func Launch(tb testing.TB, at Addresses, before []string, settings ...string) *Serving {
	tb.Helper()
	scheme := "http://"
	if slices.Contains(settings, "--tls-cert") {
		scheme = "https://"
	}
	s := &Serving{URL: scheme + at.Listen, Operations: "http://" + at.Operations, log: filepath.Join(tb.TempDir(), "log"), done: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	line := append(slices.Clone(before), Wardseal(tb), "serve", "--listen", at.Listen, "--operations", at.Operations, "--public-url", s.URL, "--second-factor-for", "none")
	line = append(line, settings...)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() { // the death signal is tied to the thread that forks
		runtime.LockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // its state says how it ended
			close(s.done)
		}
	}()
	if err := <-started; err != nil {
		tb.Fatal(err)
	}
	s.PID = s.cmd.Process.Pid
	tb.Cleanup(func() { // with what stands before it: strace lets go of what it traced when it is killed
		_ = syscall.Kill(-s.PID, syscall.SIGKILL)
		<-s.done
	})
	return s
}

// Alive waits until the server answers, or says why it does not.
func (s *Serving) Alive() error {
	for range 600 {
		resp, err := http.Get(s.Operations + "/healthz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-s.done:
			return errors.New("the server ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the server is not alive")
}

// Signal sends a signal; one that has ended hears nothing.
func (s *Serving) Signal(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }

// Wait waits for its end and gives its status, or -1 when it did not end
// within half a minute or was killed.
func (s *Serving) Wait() int {
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		return -1
	}
}

// Ended waits for its end for so long, and reports whether it came.
func (s *Serving) Ended(within time.Duration) bool {
	select {
	case <-s.done:
		return true
	case <-time.After(within):
		return false
	}
}

// Log is what it has said.
func (s *Serving) Log(tb testing.TB) string {
	tb.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
