package memory

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// obtain maps a block, which is zero.
func obtain() *block {
	p, err := unix.Mmap(-1, 0, BlockBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		err = unix.Madvise(p, unix.MADV_DONTDUMP)
	}
	if err != nil {
		panic(fmt.Errorf("memory for plaintext: %w", err)) // as when Go's own heap cannot grow
	}
	return (*block)(p)
}

func release(b *block) {
	if err := unix.Munmap(b[:]); err != nil {
		panic(fmt.Errorf("give back memory of plaintext: %w", err))
	}
}
