package process

import (
	"bytes"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// A disk that takes no more is stood in for by a limit on the size of files: it
// lets the database go on, and neither an object nor a spool file grow.
func TestDiskFull(t *testing.T) {
	for name, size := range map[string]int{"no room for the object": 4 << 20, "no room to receive it": 20 << 20} {
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
			full(name, bigger(t, size))
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

// bigger is the phone's picture with more of everything in its scan.
func bigger(t *testing.T, size int) []byte {
	t.Helper()
	p := phone(t)
	p = append(p[:len(p)-2:len(p)-2], bytes.Repeat([]byte{0x5a}, size)...)
	return append(p, 0xff, 0xd9)
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
