// Package servers starts the real servers that tests run against: PostgreSQL
// and two S3 servers. Each is started once per test process, on loopback, in a
// temporary folder, and ends with the process, however that ends.
//
// A package that uses it has a TestMain that calls Main.
package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	mu    sync.Mutex
	stops []func()
)

// Main runs the tests of a package, stops the servers that they started, and
// exits. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	os.Exit(code)
}

// atEnd has stop run when the tests are over.
func atEnd(stop func()) {
	mu.Lock()
	defer mu.Unlock()
	stops = append(stops, stop)
}

// Start starts a server and waits up to 30 s until ready gives nil. The server
// dies with this process. Its output goes to a file that is shown when it does
// not become ready. The channel is closed when it has ended.
func Start(tb testing.TB, cmd *exec.Cmd, ready func() error) chan struct{} {
	tb.Helper()
	out, err := os.CreateTemp("", "wardseal-server-*.log")
	if err != nil {
		tb.Fatal(err)
	}
	if cmd.Stdout == nil {
		cmd.Stdout, cmd.Stderr = out, out
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	exited := make(chan struct{})
	started := make(chan error, 1)
	// The death signal is tied to the thread that forks, so that thread is kept.
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		tb.Fatalf("start %s: %v", cmd.Path, err)
	}
	atEnd(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
		}
		_ = out.Close()
		_ = os.Remove(out.Name())
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := ready()
		if err == nil {
			return exited
		}
		select {
		case <-exited:
			err = errors.New("it ended")
			deadline = time.Time{}
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(out.Name())
			tb.Fatalf("%s is not ready: %v\n%s", cmd.Path, err, said)
		}
	}
}

// FreePort gives a loopback TCP port that is free and stays so: it is none of
// those that the system gives out by itself, to connections for example, and
// every process of the tests keeps to its own, whose sign is that it holds the
// UDP port of the same number.
func FreePort(tb testing.TB) int {
	tb.Helper()
	const from, to = 20000, 32000
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", from+rand.IntN(to-from))
		sign, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			_ = sign.Close()
			continue
		}
		_ = l.Close()
		atEnd(func() { _ = sign.Close() })
		return l.Addr().(*net.TCPAddr).Port
	}
	tb.Fatal("no port is free")
	return 0
}

// Binary finds a program in $WARDSEAL_TEST_BIN, in the cache that
// test/install.sh fills, in the given folders or in PATH. A missing one skips
// the test, and fails it where CI=true.
func Binary(tb testing.TB, name string, folders ...string) string {
	tb.Helper()
	cache := os.Getenv("XDG_CACHE_HOME")
	if home, err := os.UserHomeDir(); cache == "" && err == nil {
		cache = filepath.Join(home, ".cache")
	}
	for _, dir := range append([]string{os.Getenv("WARDSEAL_TEST_BIN"), filepath.Join(cache, "wardseal", "bin")}, folders...) {
		if info, err := os.Stat(filepath.Join(dir, name)); dir != "" && err == nil && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		tb.Fatalf("%s is not installed: run test/install.sh", name)
	}
	tb.Skipf("%s is not installed: run test/install.sh", name)
	return ""
}

// folder makes a temporary folder that lives as long as the process.
func folder(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "wardseal-server-*")
	if err != nil {
		tb.Fatal(err)
	}
	atEnd(func() { _ = os.RemoveAll(dir) })
	return dir
}

// unprivileged has cmd run as the named user when this process is root, and
// gives that user dir. PostgreSQL refuses to run as root.
func unprivileged(tb testing.TB, cmd *exec.Cmd, name, dir string) {
	tb.Helper()
	if os.Geteuid() != 0 {
		return
	}
	u, err := user.Lookup(name)
	if err != nil {
		tb.Fatal(err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, os.Chown(dir, uid, gid)); err != nil {
		tb.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	cmd.Dir = dir
}

func answering(port int) error {
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
	if err != nil {
		return err
	}
	return c.Close()
}
