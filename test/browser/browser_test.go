// Package browser tests the pages in a real Chromium, with the real program
// behind them.
package browser

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// The pages do what they should, at the width of a phone and of a desktop, by
// script and without.
func TestPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	video := filepath.Join(dir, "film.mp4")
	film := exec.CommandContext(t.Context(), servers.Binary(t, "ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "testsrc=d=2:s=320x240:r=10", "-f", "lavfi", "-i", "sine=d=2",
		"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", video)
	if out, err := film.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	earlier, later := ruler(t, filepath.Join(dir, "earlier.jpg"), 600), ruler(t, filepath.Join(dir, "later.jpg"), 300)
	walk(t, "walk.mjs", "URL="+demo(t), "VIDEO="+video, "EARLIER="+earlier, "LATER="+later)
}

// password is everybody's, in the demo and in what speaks another language.
const password = "three plain words"

// walk takes the walks of a script. WARDSEAL_SHOTS names a folder for
// screenshots, ONLY a part of the walks.
func walk(t *testing.T, script string, env ...string) {
	t.Helper()
	dir := t.TempDir()
	picture, err := filepath.Abs("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("*.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range scripts {
		copyTo(t, dir, name)
	}
	if err := os.Symlink(servers.Modules(t, "."), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), servers.Binary(t, "node"), script)
	cmd.Dir, cmd.WaitDelay = dir, 5*time.Second
	cmd.Env = append(os.Environ(), "PASSWORD="+password, "PICTURE="+picture, "CHROMIUM="+servers.Binary(t, "chromium"), "SHOTS="+os.Getenv("WARDSEAL_SHOTS"), "HOME="+dir)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// demo starts the demo, which has people of every role, and gives its address.
func demo(t *testing.T, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = said.Close() })
	cmd := exec.Command(servers.Wardseal(t), append([]string{"demo", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0"}, more...)...)
	cmd.Stdout, cmd.Stderr = said, said
	address := regexp.MustCompile(`(?m)^Open (http://localhost:\d+) `)
	var url string
	servers.Start(t, cmd, func() error {
		text, err := os.ReadFile(said.Name())
		if err != nil {
			return err
		}
		if found := address.FindSubmatch(text); found != nil {
			url = string(found[1])
			return nil
		}
		return os.ErrDeadlineExceeded
	})
	return url
}

// The committed script and style sheet are what the sources make, and what
// needs no page passes its own tests.
func TestAssetsAreBuiltFromTheirSources(t *testing.T) {
	node, modules := servers.Binary(t, "node"), servers.Modules(t, "../../api/ui")
	dir := t.TempDir()
	sources, err := filepath.Glob("../../api/ui/src/*")
	if err != nil || len(sources) < 5 {
		t.Fatal(sources, err)
	}
	for _, name := range append(sources, "../../api/ui/build.mjs", "../../api/ui/test.mjs", "../../api/ui/tsconfig.json", "../../api/ui/package.json") {
		copyTo(t, dir, name)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"node_modules/typescript/bin/tsc", "--noEmit"}, {"build.mjs"}, {"test.mjs"}} {
		cmd := exec.CommandContext(t.Context(), node, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	built, err := filepath.Glob(filepath.Join(dir, "dist", "*"))
	committed, err2 := filepath.Glob("../../api/ui/dist/*")
	if err != nil || err2 != nil || len(built) != len(committed) {
		t.Fatalf("%d files are built and %d committed", len(built), len(committed))
	}
	for _, name := range built {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("../../api/ui/dist", filepath.Base(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its sources make: run “make ui” (%v)", filepath.Base(name), err)
		}
	}
}

// copyTo copies a file into dir, with src/ before its name if it is from there.
func copyTo(t *testing.T, dir, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, filepath.Base(name))
	if filepath.Base(filepath.Dir(name)) == "src" {
		to = filepath.Join(dir, "src", filepath.Base(name))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
