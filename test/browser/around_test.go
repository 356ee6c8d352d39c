package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

// Somebody outside is let in by mail; the pages work by the keyboard alone and
// by night, warn before a session ends, and keep to their own policy.
// WARDSEAL_SHOTS names a folder for screenshots.
func TestAround(t *testing.T) {
	t.Parallel()
	node, chromium, modules := servers.Binary(t, "node"), servers.Binary(t, "chromium"), servers.Modules(t, ".")
	post := servers.Mail(t)
	dir := t.TempDir()
	picture, err := filepath.Abs("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	copyTo(t, dir, "around.mjs")
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	url := demo(t, "--mail-server", post.Server, "--mail-from", "wardseal@example.org", "--mail-ca-file", post.CAFile)
	cmd := exec.CommandContext(t.Context(), node, "around.mjs")
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	cmd.Env = append(os.Environ(), "URL="+url, "PASSWORD=three plain words", "PICTURE="+picture, "MAIL="+post.Folder(), "CHROMIUM="+chromium, "SHOTS="+os.Getenv("WARDSEAL_SHOTS"), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
