package derive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// run starts one child, sends it req and req.Bytes of src, and gives its
// answer and the bytes after it. The answer is well framed and no longer than
// allowed, and otherwise untrusted.
func (m *Maker) run(ctx context.Context, req request, src io.Reader) (answer, []byte, error) {
	req.Memory = m.cfg.MemoryBytes
	req.CPUSeconds = uint64((m.cfg.CPUFor + time.Second - 1) / time.Second)
	var head bytes.Buffer
	if err := writeHeader(&head, req); err != nil {
		return answer{}, nil, fmt.Errorf("derive: write the request: %w", err)
	}
	in := &source{r: src, left: req.Bytes}
	out := &capped{max: req.sizeLimit(), fail: true}
	said := &capped{max: 8 << 10} // a crash says why in its first lines

	limited, cancel := context.WithTimeout(ctx, m.cfg.WallFor)
	defer cancel()
	// #nosec G204 -- this binary itself, without a shell
	cmd := exec.CommandContext(limited, m.cfg.Command[0], m.cfg.Command[1:]...)
	cmd.Env = []string{} // not nil: nil would inherit ours
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.MultiReader(&head, in), out, said
	cmd.WaitDelay = time.Second
	isolate(cmd, m.isolated)

	// The kernel kills the child when the thread that started it ends, so the
	// thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()

	if ctx.Err() != nil {
		return answer{}, nil, ctx.Err()
	}
	if limited.Err() != nil {
		return answer{}, nil, fmt.Errorf("%w: no answer in %s", ErrLimit, m.cfg.WallFor)
	}
	got, over := out.kept()
	if over {
		return answer{}, nil, fmt.Errorf("%w: the child's answer is too long", ErrUndecodable)
	}
	if err != nil {
		if failed := in.failed(); failed != nil {
			return answer{}, nil, fmt.Errorf("derive: read the picture: %w", failed)
		}
		words, _ := said.kept()
		return answer{}, nil, verdict(err, words, false)
	}
	var a answer
	rest := bytes.NewReader(got)
	if err := readHeader(rest, &a); err != nil {
		return answer{}, nil, fmt.Errorf("%w: the child's answer is garbled: %w", ErrUndecodable, err)
	}
	return a, got[len(got)-rest.Len():], nil
}

// verdict says what a child's end means; a tool's status numbers are its own.
// Nothing the child printed gets into
// the error: it may hold anything.
func verdict(err error, said []byte, tool bool) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("derive: run a child: %w", err)
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return fmt.Errorf("%w: the child was killed", ErrLimit)
	case ok && status.Signaled():
		return fmt.Errorf("%w: the child crashed: %s", ErrUndecodable, status.Signal())
	case tool:
		return fmt.Errorf("%w: the tool gave up", ErrUndecodable)
	case exit.ExitCode() == exitCrash && outOfMemory(said):
		return fmt.Errorf("%w: no memory left", ErrLimit)
	case exit.ExitCode() == exitCrash:
		return fmt.Errorf("%w: the child crashed", ErrUndecodable)
	}
	return fmt.Errorf("derive: the child ended with status %d", exit.ExitCode())
}

// outOfMemory finds the Go runtime's words for an allocation or a thread that
// the system refused.
func outOfMemory(said []byte) bool {
	for _, words := range []string{"out of memory", "cannot allocate memory", "failed to create new OS thread", "pthread_create failed"} {
		if bytes.Contains(said, []byte(words)) {
			return true
		}
	}
	return false
}

// source reads exactly left bytes of r, and keeps the error that stopped it.
type source struct {
	r    io.Reader
	left int64
	open bool // it may end before left bytes
	err  atomic.Pointer[error]
}

func (s *source) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.r.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	if err == io.EOF && s.left > 0 && !s.open {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		s.err.Store(&err)
	}
	return n, err
}

// failed is the error that stopped the reading, if one did.
func (s *source) failed() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

// capped keeps the first max bytes written to it. Past them it fails, which
// ends the child's pipe, or only forgets. The lock is for the rare run that
// gives up on a source which does not return.
type capped struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	max  int64
	fail bool
	over bool
}

var errTooLong = errors.New("too long")

func (c *capped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := p[:min(int64(len(p)), c.max-int64(c.buf.Len()))]
	c.buf.Write(keep)
	if len(keep) < len(p) && c.fail {
		c.over = true
		return len(keep), errTooLong
	}
	return len(p), nil
}

// kept hands over what was written, and says whether there was more. It is
// asked once; nothing is kept afterwards.
func (c *capped) kept() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.buf.Bytes()
	c.buf, c.max = bytes.Buffer{}, 0
	return b, c.over
}
