package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

// Each file is a line of what strip says, whatever its name is, and what is no
// file is refused and not waited for.
func TestStripSaysALineForEachFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	picture, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	forged, pipe := filepath.Join(dir, "a.jpg\nclean   b.jpg"), filepath.Join(dir, "pipe.jpg")
	if err := os.WriteFile(forged, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	said, err := exec.CommandContext(ctx, servers.Wardseal(t), "strip", "-o", filepath.Join(dir, "out"), forged, pipe, dir).Output()
	if code := (*exec.ExitError)(nil); !errors.As(err, &code) || code.ExitCode() != 3 {
		t.Errorf("it ends with %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "clean ") || !strings.HasPrefix(lines[1], "refused ") || !strings.HasPrefix(lines[2], "refused ") {
		t.Errorf("it says:\n%s", said)
	}
}
