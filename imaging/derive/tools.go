package derive

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tools starts programs that are not ours. Each is a child that has no network,
// opens no file but its own libraries, and gets what it works on by standard
// input: what is decrypted never touches a disk.
type tools struct {
	command  []string      // starts the child that becomes the program
	memory   int64         // its address space
	within   time.Duration // CPU and wall time, unless run is told otherwise
	isolated bool          // in namespaces of its own
}

// probeReach has the child try to get out instead of becoming the program.
const probeReach = "?"

// start sees that a child cannot get out, and that try succeeds; without
// namespaces when it fails with them: containers often forbid new ones.
func (t *tools) start(try func(context.Context) error) (err error) {
	for _, t.isolated = range []bool{true, false} {
		ctx, cancel := context.WithTimeout(context.Background(), t.within)
		err = t.reaches(ctx)
		if err == nil {
			err = try(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
	}
	return err
}

func (t *tools) reaches(ctx context.Context) error {
	reached, err := t.output(ctx, 64<<10, strings.NewReader(""), probeReach, "-")
	if err == nil && len(reached) > 0 {
		err = fmt.Errorf("the tool would not be confined: it reaches %s", strings.Join(strings.Fields(string(reached)), " "))
	}
	return err
}

// program finds a program's real file, which is what Landlock lets run.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

type counted struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

// output runs a program to its end and gives the first max bytes it wrote; it
// is an error if there are more.
func (t *tools) output(ctx context.Context, max int64, src io.Reader, program string, args ...string) ([]byte, error) {
	out := &capped{max: max, fail: true}
	err := t.run(ctx, t.within, src, out, nil, program, args...)
	got, over := out.kept()
	if over {
		return nil, fmt.Errorf("%w: the tool says too much", ErrUndecodable)
	}
	return got, err
}

// run starts the tool in its confinement. said gets each line of the third
// pipe, if it is not nil.
func (t *tools) run(ctx context.Context, within time.Duration, src io.Reader, out io.Writer, said func(string), program string, args ...string) error {
	line := append(append([]string{}, t.command[1:]...), strconv.FormatInt(t.memory, 10),
		strconv.FormatInt(int64((within+time.Second-1)/time.Second)*int64(runtime.NumCPU()), 10), program)
	cmd := exec.CommandContext(ctx, t.command[0], append(line, args...)...) // #nosec G204 -- the operator's tool, without a shell, confined
	cmd.Env = []string{}
	cmd.Dir = "/"
	in := &source{r: src, left: 1 << 62, open: true}
	words := &capped{max: 8 << 10}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, words
	cmd.WaitDelay = time.Second
	isolate(cmd, t.isolated)
	var telling sync.WaitGroup
	if said != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("derive: make a pipe: %w", err)
		}
		cmd.ExtraFiles = []*os.File{w}
		telling.Go(func() {
			for s := bufio.NewScanner(r); s.Scan(); {
				said(s.Text())
			}
			_, _ = io.Copy(io.Discard, r)
		})
		defer func() {
			_ = w.Close()
			telling.Wait()
			_ = r.Close()
		}()
	}
	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if c, ok := out.(*counted); ok && c.err != nil {
		return c.err
	}
	return t.verdict(ctx, err, in, words)
}

func (t *tools) verdict(ctx context.Context, err error, in *source, words *capped) error {
	if err == nil {
		return nil
	}
	if failed := in.failed(); failed != nil {
		return fmt.Errorf("derive: read the picture or video: %w", failed)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: no answer in time", ErrLimit)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said, _ := words.kept()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitConfine {
		return errors.New("derive: the tool could not be confined and started: " + strings.TrimSpace(string(said)))
	}
	if bytes.Contains(said, []byte("Cannot allocate memory")) {
		return fmt.Errorf("%w: no memory left", ErrLimit)
	}
	return verdict(err, nil, true)
}
