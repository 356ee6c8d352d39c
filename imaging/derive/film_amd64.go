//go:build linux

package derive

import "golang.org/x/sys/unix"

// older are calls that newer architectures no longer have.
var older = []uint32{
	unix.SYS_OPEN, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_ACCESS, unix.SYS_READLINK, unix.SYS_POLL, unix.SYS_SELECT, unix.SYS_GETDENTS,
	unix.SYS_ARCH_PRCTL, unix.SYS_TIME, unix.SYS_DUP2,
}
