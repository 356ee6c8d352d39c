package browser

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/test/servers"
)

// The way of a picture from the wristband to the record, with a camera that
// sees a wristband.
func TestCapture(t *testing.T) {
	t.Parallel()
	walk(t, "capture.mjs", "URL="+demo(t), "BAND="+band(t))
}

// band films a wristband with the demo's patient on it, as DCB1077 has it.
func band(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	drawn, film := filepath.Join(dir, "band.png"), filepath.Join(dir, "band.mjpeg")
	draw := exec.CommandContext(t.Context(), servers.Binary(t, "node"), "band.mjs", drawn, "8018505089899900000183\x1d93SAMPLE,Test,31-Jan-1950", "DataMatrix")
	draw.Env = append(os.Environ(), "MODULES="+servers.Modules(t, "../../api/ui"))
	if out, err := draw.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	take := exec.CommandContext(t.Context(), servers.Binary(t, "ffmpeg"), "-v", "error", "-loop", "1", "-i", drawn, "-t", "2", "-r", "10",
		"-vf", "scale=-1:400:flags=neighbor,pad=1280:720:(ow-iw)/2:(oh-ih)/2:color=0xd0c0b0", "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", "3", film)
	if out, err := take.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return film
}

// The first page is small, and only the worker that reads wristbands may run
// WebAssembly.
func TestFirstPageIsSmallAndStrict(t *testing.T) {
	url := demo(t)
	fetch := func(path string) (http.Header, []byte) {
		t.Helper()
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(path, resp.Status, err)
		}
		return resp.Header, b
	}
	header, page := fetch("/sign-in")
	if p := header.Get("Permissions-Policy"); !strings.Contains(p, "camera=(self)") || !strings.Contains(p, "microphone=()") {
		t.Errorf("Permissions-Policy: %s", p)
	}
	var size int64
	for _, script := range regexp.MustCompile(`<script[^>]* src="([^"]*)"`).FindAllSubmatch(page, -1) {
		header, text := fetch(string(script[1]))
		if strings.Contains(header.Get("Content-Security-Policy"), "wasm") {
			t.Errorf("%s: %s", script[1], header.Get("Content-Security-Policy"))
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(text); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		size += int64(b.Len())
	}
	if size == 0 || size > 100<<10 {
		t.Errorf("the first page's scripts have %d bytes in gzip", size)
	}
	t.Logf("the first page's scripts have %d bytes in gzip", size)
	for path, want := range assetsOf(t) {
		header, _ := fetch(path)
		if got := header.Get("Content-Security-Policy"); strings.Contains(got, "wasm-unsafe-eval") != want || !strings.HasPrefix(got, "default-src 'none'; script-src 'self'") || strings.Contains(got, "'unsafe") {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// assetsOf lists the built files' addresses, and whether each may run WebAssembly.
func assetsOf(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for _, a := range ui.Assets() {
		out[a.Path] = strings.HasPrefix(filepath.Base(a.Path), "scanner-")
	}
	if len(out) < 6 {
		t.Fatal(out)
	}
	return out
}
