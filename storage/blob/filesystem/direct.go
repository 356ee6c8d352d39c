package filesystem

import (
	"errors"
	"io"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Objects are written past the page cache (O_DIRECT, open(2)) where the file
// system can: they are synced at once and seldom read again soon, so a copy in
// the kernel's memory would only cost time and push out what is in use there.
// Such writes must be aligned in memory, offset and length.
const (
	alignment   = 4096
	directBytes = 1 << 20
)

// buffers lends aligned memory. What it holds is ciphertext.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, directBytes+alignment)
	skip := alignment - int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))%alignment) // #nosec G103 -- for its alignment alone
	return (*[directBytes]byte)(b[skip:])
}}

// fill writes size bytes of r into f, a new file.
func fill(f *os.File, r io.Reader, size int64) error {
	buf := buffers.Get().(*[directBytes]byte)
	defer buffers.Put(buf)
	w := &directWriter{f: f, direct: setDirect(f, true) == nil}
	for left := size; left > 0; {
		p := buf[:min(left, directBytes)]
		if _, err := io.ReadFull(r, p); err != nil {
			return err
		}
		whole := len(p) - len(p)%alignment
		if err := w.write(p[:whole]); err != nil {
			return err
		}
		if whole < len(p) { // the end of the file
			if err := w.ordinary(); err != nil {
				return err
			}
			if err := w.write(p[whole:]); err != nil {
				return err
			}
		}
		left -= int64(len(p))
	}
	return nil
}

// directWriter writes directly until it must not.
type directWriter struct {
	f      *os.File
	direct bool
}

func (w *directWriter) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := w.f.Write(p)
	if w.direct && errors.Is(err, unix.EINVAL) { // some file systems say so only now
		if err = w.ordinary(); err == nil {
			_, err = w.f.Write(p)
		}
	}
	return err
}

// ordinary is for what is not aligned.
func (w *directWriter) ordinary() error {
	if !w.direct {
		return nil
	}
	w.direct = false
	return setDirect(w.f, false)
}

// setDirect fails where the file system cannot.
func setDirect(f *os.File, on bool) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	if on {
		flags |= unix.O_DIRECT
	} else {
		flags &^= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
	return err
}
