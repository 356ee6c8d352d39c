package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The README's walk-through with curl does what it says.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(text), "<!-- walk-through -->\n```sh\n")
	script, _, ok := strings.Cut(script, "```\n<!-- end -->")
	if !ok {
		t.Fatal("the README has no walk-through")
	}
	h, dir := open(t, "sqlite+filesystem", nil), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "photo.jpg"), phone(t), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "URL="+h.url, "PASSWORD="+password)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen, err := os.ReadFile(filepath.Join(dir, "seen.jpg"))
	if err != nil || bytes.Contains(seen, []byte("SN-4711")) {
		t.Fatalf("%d bytes, %v", len(seen), err)
	}
	samePixels(t, phone(t), seen)
}
