//go:build linux && (amd64 || arm64)

package derive

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// isolate sets what a child starts with: it dies with us, and, if namespaces
// is true, is nobody in a user namespace of its own, with an empty network.
func isolate(cmd *exec.Cmd, namespaces bool) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if namespaces {
		const nobody = 65534
		attr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
}

// confine gives up, for the whole process and for good, everything that
// decoding does not need, and says in words what holds. Limits and the
// system-call filter must hold; Landlock is a second lock on files, TCP and
// signals where the kernel has it.
func confine(memory int64, cpuSeconds uint64) ([]string, error) {
	// The runtime opens its poller with the first timer, and could not later.
	time.AfterFunc(time.Hour, func() {}).Stop()
	if err := limit(memory, cpuSeconds); err != nil {
		return nil, err
	}
	layers := []string{"resource limits", "no new privileges"}
	if version, err := lock(); err != nil {
		layers = append(layers, "no Landlock")
	} else {
		layers = append(layers, fmt.Sprintf("Landlock ABI %d", version))
	}
	if err := filterCalls(); err != nil {
		return nil, err
	}
	return append(layers, "system-call filter"), nil
}

// limit sets resource limits. The address space is what is taken already (the
// Go runtime reserves about a gigabyte that it never touches) and memory.
func limit(memory int64, cpuSeconds uint64) error {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	pages, _, _ := bytes.Cut(statm, []byte(" "))
	taken, err := strconv.ParseUint(string(pages), 10, 40)
	if err != nil {
		return err
	}
	debug.SetTraceback("none")
	for _, l := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_AS, taken*uint64(os.Getpagesize()) + uint64(memory)},
		{unix.RLIMIT_CPU, cpuSeconds},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_NOFILE, 16}, // Landlock's rule set takes one for a moment
	} {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return err
		}
	}
	return nil
}

// lock forbids all that Landlock knows of, and gives the version of it.
func lock() (int, error) {
	version, err := landlocksys.LandlockGetABIVersion()
	if err != nil {
		return 0, err
	}
	if version < 1 {
		return 0, errors.New("no Landlock")
	}
	return version, landlock.V11.BestEffort().Restrict()
}

// reach tries what a confined child must not manage, and says in words what it
// got hold of.
func reach() []string {
	var got []string
	try := func(what string, err error, refused ...error) {
		for _, r := range refused {
			if errors.Is(err, r) {
				return
			}
		}
		got = append(got, what)
	}
	opened := func(path string, flags int) error {
		fd, err := unix.Open(path, flags, 0o600)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
	connected := func(family, kind int) error {
		fd, err := unix.Socket(family, kind, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
	try("a file to read", opened("/proc/self/status", unix.O_RDONLY), unix.EPERM, unix.EACCES)
	try("a folder", opened("/", unix.O_RDONLY|unix.O_DIRECTORY), unix.EPERM, unix.EACCES)
	try("a file to write", opened("/tmp", unix.O_TMPFILE|unix.O_WRONLY), unix.EPERM, unix.EACCES)
	try("an Internet socket", connected(unix.AF_INET, unix.SOCK_STREAM), unix.EPERM)
	try("a datagram socket", connected(unix.AF_INET6, unix.SOCK_DGRAM), unix.EPERM)
	try("a local socket", connected(unix.AF_UNIX, unix.SOCK_STREAM), unix.EPERM)
	try("another program", unix.Exec("/nonexistent", []string{"nonexistent"}, nil), unix.EPERM, unix.EACCES)
	try("another process", unix.Kill(os.Getppid(), 0), unix.EPERM)
	return got
}
