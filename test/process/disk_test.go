package process

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// A disk that takes no more is stood in for by a limit on the size of files: it
// lets the database go on, and neither an object nor a spool file grow.
func TestDiskFull(t *testing.T) {
	for name, file := range map[string][]byte{"no room for the object": large(t), "no room to receive it": append(phone(t), make([]byte, 20<<20)...)} {
		t.Run(name, func(t *testing.T) {
			dir := deploy(t)
			s := servers.ServeUnder(t, []string{"bash", "-c", `ulimit -f 3000; exec "$@"`, "limited"}, "--data", dir, "--no-derivatives")
			nurse := signIn(t, s.URL, "nurse", http.DefaultClient)
			nurse.register()
			full := func(what string, file []byte) {
				t.Helper()
				form, kind := nurse.form(file)
				resp, got, err := nurse.do("POST", "/items", kind, bytes.NewReader(form))
				if err != nil || resp.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(got), "no space left") {
					t.Errorf("%s: %v %s", what, err, got)
				}
			}
			full(name, file)
			if items, stored := nurse.items(), objects(t, dir); len(items) != 0 || len(stored) != 0 {
				t.Errorf("%d items and %d objects", len(items), len(stored))
			}
			form, kind := nurse.form(phone(t))
			if _, err := nurse.upload(kind, bytes.NewReader(form)); err != nil {
				t.Errorf("a smaller one: %v", err)
			}
		})
	}
}

// large is a photo of about 4 MB: noise, which no codec makes smaller.
func large(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "large.jpg")
	if out, err := exec.Command(servers.Binary(t, "convert"), "-size", "2560x1920", "xc:gray", "+noise", "Random", "-quality", "95", path).CombinedOutput(); err != nil {
		t.Fatalf("convert: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) < 3500<<10 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	return b
}

// A disk that fails to keep what was written is not believed: the upload is
// refused, and no item is listed.
func TestDiskFailing(t *testing.T) {
	dir := deploy(t)
	s := serve(t, dir)
	nurse := signIn(t, s.URL, "nurse", http.DefaultClient)
	nurse.register()
	s.Signal(syscall.SIGTERM)
	s.Wait()
	strace := servers.Binary(t, "strace")
	s = servers.ServeUnder(t, []string{strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO"}, "--data", dir, "--no-derivatives")
	nurse.url = s.URL // in the same session: opening one would have to be kept too
	form, kind := nurse.form(phone(t))
	resp, got, err := nurse.do("POST", "/items", kind, bytes.NewReader(form))
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || strings.Contains(string(got), dir) {
		t.Errorf("%v: %s", err, got)
	}
	if stored := objects(t, dir); len(stored) != 0 {
		t.Errorf("%d objects are visible", len(stored))
	}
	s.Signal(syscall.SIGKILL)
	s.Wait()
	s = serve(t, dir)
	nurse.url = s.URL
	if items := nurse.items(); len(items) != 0 {
		t.Errorf("%d items", len(items))
	}
}
