package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

// The auditor's day when somebody was added to a team by mistake, the reports,
// and passkeys, which a virtual authenticator of the browser makes.
func TestDesk(t *testing.T) {
	t.Parallel()
	node, chromium, modules := servers.Binary(t, "node"), servers.Binary(t, "chromium"), servers.Modules(t, ".")
	dir := t.TempDir()
	copyTo(t, dir, "desk.mjs")
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "desk.mjs")
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	cmd.Env = append(os.Environ(), "URL="+demo(t), "PASSWORD=three plain words", "CHROMIUM="+chromium, "SHOTS="+os.Getenv("WARDSEAL_SHOTS"), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
