//go:build linux && (amd64 || arm64)

package derive

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// FilmChild is what the second hidden subcommand runs, and all that it may
// run: it gives up every right but those that the video tool needs, and
// becomes that tool. args are what Films gave. It returns only when it cannot.
func FilmChild(args []string) int {
	if len(args) < 4 {
		return exitRequest
	}
	memory, err1 := strconv.ParseInt(args[0], 10, 64)
	cpu, err2 := strconv.ParseUint(args[1], 10, 32)
	if err1 != nil || err2 != nil || memory <= 0 {
		return exitRequest
	}
	program := args[2]
	if err := confineFilm(program, cpu); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitConfine
	}
	argv := args[2:]
	if program == probeReach {
		for _, got := range reach() {
			if got != "another program" { // one may be started, and Landlock says which
				fmt.Println(got)
			}
		}
		_ = unix.Exec("/bin/sh", []string{"sh", "-c", "echo another program"}, nil)
		return 0
	}
	fmt.Fprintln(os.Stderr, become(program, argv, uint64(memory)))
	return exitConfine
}

// become is exec with an address space of at most memory bytes, and an empty
// environment. The Go runtime has taken more than that long ago, so that under
// the limit its next allocation would be its end: between the two calls there
// must be none, and they go past the runtime.
func become(program string, argv []string, memory uint64) error {
	path, err := unix.BytePtrFromString(program)
	if err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	args, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	env := []*byte{nil}
	space := unix.Rlimit{Cur: memory, Max: memory}
	// #nosec G103 -- as prlimit(2) and execve(2) want them
	if _, _, e := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_AS, uintptr(unsafe.Pointer(&space)), 0, 0, 0); e != 0 {
		return fmt.Errorf("limit the address space: %w", e)
	}
	_, _, e := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&args[0])), uintptr(unsafe.Pointer(&env[0]))) // #nosec G103
	return fmt.Errorf("exec: %w", e)
}

// confineFilm sets all limits but that of memory, forbids every file but the
// tool and the libraries it is made of, and filters system calls. All three
// must hold: without Landlock the tool could open any file that the server can.
func confineFilm(program string, cpuSeconds uint64) error {
	time.AfterFunc(time.Hour, func() {}).Stop()
	for _, l := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_CPU, cpuSeconds},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_MEMLOCK, 0},
		{unix.RLIMIT_MSGQUEUE, 0},
		{unix.RLIMIT_NOFILE, 64},
	} {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("set a limit: %w", err)
		}
	}
	if version, err := landlocksys.LandlockGetABIVersion(); err != nil || version < 1 {
		return fmt.Errorf("this kernel has no Landlock: %w", err)
	}
	const read, list, run = landlocksys.AccessFSReadFile, landlocksys.AccessFSReadDir, landlocksys.AccessFSExecute
	rules := []landlock.Rule{
		landlock.PathAccess(read|list, "/usr/lib", "/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/etc/alternatives").IgnoreIfMissing(),
		landlock.PathAccess(read, "/etc/ld.so.cache").IgnoreIfMissing(),
	}
	if program != probeReach {
		rules = append(rules, landlock.PathAccess(read|run, program))
	}
	for _, loader := range []string{"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1"} {
		if real, err := filepath.EvalSymlinks(loader); err == nil {
			rules = append(rules, landlock.PathAccess(read|run, real))
		}
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("forbid files: %w", err)
	}
	return filterFilm()
}

// filterFilm is filterCalls with what a program with shared libraries needs on
// top: to be started, to open what Landlock lets it, and to look at itself.
func filterFilm() error {
	return install(filter([]uint32{
		unix.SYS_EXECVE, unix.SYS_OPENAT, unix.SYS_NEWFSTATAT, unix.SYS_STATX, unix.SYS_STATFS, unix.SYS_FSTATFS, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2,
		unix.SYS_READLINKAT, unix.SYS_GETDENTS64, unix.SYS_GETCWD,
		unix.SYS_PREAD64, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_LSEEK, unix.SYS_PPOLL, unix.SYS_PSELECT6, unix.SYS_FCNTL, unix.SYS_DUP,
		unix.SYS_UNAME, unix.SYS_SYSINFO, unix.SYS_GETRUSAGE, unix.SYS_GETTIMEOFDAY, unix.SYS_CLOCK_GETRES, unix.SYS_PRLIMIT64, unix.SYS_PRCTL,
		unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_GETPPID,
		unix.SYS_SET_TID_ADDRESS, unix.SYS_SCHED_SETAFFINITY, unix.SYS_SCHED_GETPARAM, unix.SYS_SCHED_GETSCHEDULER,
		unix.SYS_GETPRIORITY, unix.SYS_MEMBARRIER, unix.SYS_MINCORE, unix.SYS_MSYNC,
	}, older...))
}
