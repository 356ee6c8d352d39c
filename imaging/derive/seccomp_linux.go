//go:build linux && (amd64 || arm64)

package derive

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filterCalls sets no_new_privs and a seccomp filter on every thread. It
// allows what the Go runtime (and, in a build with cgo, the C library's
// threads) needs to compute, read and write open files, and end. The rest is
// answered with EPERM: no file, socket, program, process, or signal to others.
func filterCalls() error { return install(filter(nil)) }

// filter is that filter, with further calls allowed.
func filter(more []uint32, older ...uint32) []unix.SockFilter {
	const (
		callNumber = 0 // offsets in struct seccomp_data
		callArch   = 4
		firstArg   = 16 // its lower half; both architectures are little-endian
	)
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	// jump compares and goes on when it holds; otherwise it leaves out skip steps.
	jump := func(test uint16, value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: value, Jf: skip}
	}
	end := func(verdict uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET, K: verdict} }
	refuse := func(e syscall.Errno) unix.SockFilter { return end(unix.SECCOMP_RET_ERRNO | uint32(e)) }

	program := []unix.SockFilter{
		load(callArch),
		jump(unix.BPF_JEQ, arch, 1), {Code: unix.BPF_JMP | unix.BPF_JA, K: 1}, end(unix.SECCOMP_RET_KILL_PROCESS),
		load(callNumber),
		// clone3 hides its flags from a filter; without it the C library uses clone.
		jump(unix.BPF_JEQ, unix.SYS_CLONE3, 1), refuse(unix.ENOSYS),
		// New threads, no new processes.
		jump(unix.BPF_JEQ, unix.SYS_CLONE, 4), load(firstArg), jump(unix.BPF_JSET, unix.CLONE_THREAD, 1), end(unix.SECCOMP_RET_ALLOW), refuse(unix.EPERM),
		// Signals to our own threads only.
		jump(unix.BPF_JEQ, unix.SYS_TGKILL, 4), load(firstArg), jump(unix.BPF_JEQ, uint32(os.Getpid()), 1), end(unix.SECCOMP_RET_ALLOW), refuse(unix.EPERM),
	}
	for _, call := range append(append([]uint32{
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL,
		unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_BRK,
		unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_RESTART_SYSCALL,
		unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_GETRANDOM,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
	}, more...), older...) {
		program = append(program, jump(unix.BPF_JEQ, call, 1), end(unix.SECCOMP_RET_ALLOW))
	}
	return append(program, refuse(unix.EPERM))
}

// install puts the filter on all threads at once, and no_new_privs with it.
func install(program []unix.SockFilter) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	thread, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter))) // #nosec G103 -- as seccomp(2) wants it
	if e != 0 {
		return fmt.Errorf("install the system-call filter: %w", e)
	}
	if thread != 0 {
		return fmt.Errorf("thread %d does not take the system-call filter", thread)
	}
	return nil
}
