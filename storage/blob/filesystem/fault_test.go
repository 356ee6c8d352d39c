package filesystem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
	"github.com/wardseal/wardseal/test/servers"
)

const faultArgument = "create-one-object"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == faultArgument {
		os.Exit(createOne(os.Args[2]))
	}
	servers.Main(m)
}

// What a writer whose system calls fail ends with: it can say no more.
const (
	stored = iota + 10
	full
	unavailable
	otherwise
)

// object is written in several parts, the last of them not aligned.
func object() []byte { return append(bytes.Repeat([]byte("x"), 3<<20), "the end"...) }

func createOne(dir string) int {
	runtime.LockOSThread() // strace counts the calls of each thread
	s, err := filesystem.Open(dir)
	if err != nil {
		return otherwise
	}
	b := object()
	_, err = s.Create(context.Background(), "a/b/c", bytes.NewReader(b), int64(len(b)))
	switch {
	case err == nil:
		return stored
	case errors.Is(err, blob.ErrFull):
		return full
	case errors.Is(err, blob.ErrUnavailable):
		return unavailable
	}
	fmt.Fprintln(os.Stderr, err)
	return otherwise
}

// Each system call that creates an object may fail: then the failure is told by
// its name, nothing is visible, and the object can be created later.
func TestFailingSystemCalls(t *testing.T) {
	strace := servers.Binary(t, "strace")
	for name, c := range map[string]struct {
		inject string
		want   int
	}{
		"none":                         {"fsync:delay_enter=1", stored},
		"fsync of the file":            {"fsync:error=EIO:when=1", unavailable},
		"fsync of the first folder":    {"fsync:error=EIO:when=2", unavailable},
		"fsync of the last folder":     {"fsync:error=EIO:when=4", unavailable},
		"every fsync":                  {"fsync:error=EIO", unavailable},
		"fsync of the file, disk full": {"fsync:error=ENOSPC:when=1", full},
		"the first write":              {"write:error=ENOSPC:when=1", full},
		"a later write":                {"write:error=ENOSPC:when=3", full},
		"the quota":                    {"write:error=EDQUOT:when=2", full},
		"the end of the file":          {"write:error=ENOSPC:when=4", full},
		"a disk without direct writes": {"fcntl:error=EINVAL:when=4+", stored},
		"one that says so late":        {"write:error=EINVAL:when=1", stored},
		"giving the name":              {"linkat:error=ENOSPC", full},
		"a read-only disk":             {"linkat:error=EROFS", unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if _, err := filesystem.Open(dir); err != nil {
				t.Fatal(err)
			}
			call, _, _ := strings.Cut(c.inject, ":")
			cmd := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace="+call, "-e", "inject="+c.inject, os.Args[0], faultArgument, dir)
			said, err := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != c.want {
				t.Fatalf("it ended with %d, want %d: %v\n%s", got, c.want, err, said)
			}
			s, err := filesystem.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			var seen []blob.Key
			if err := s.List(t.Context(), "", func(i blob.Info) error { seen = append(seen, i.Key); return nil }); err != nil {
				t.Fatal(err)
			}
			if visible := len(seen) == 1; visible != (c.want == stored) {
				t.Errorf("visible: %v", seen)
			}
			if c.want == stored {
				got, err := os.ReadFile(filepath.Join(dir, "objects/a/b/c"))
				if err != nil || !bytes.Equal(got, object()) {
					t.Errorf("%d bytes stored, %v", len(got), err)
				}
			} else {
				if _, err := s.Create(t.Context(), "a/b/c", bytes.NewReader([]byte("x")), 1); err != nil {
					t.Errorf("later: %v", err)
				}
			}
		})
	}
}
