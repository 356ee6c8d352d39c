package sanitise_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// oneOfEach makes a small file of every format with the real encoders.
func oneOfEach(t testing.TB) map[media.Format][]byte {
	t.Helper()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	run := func(name string, args ...string) {
		if out, err := exec.Command(servers.Binary(t, name), args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	if err := os.WriteFile(in("a.png"), encoded(t, media.PNG), 0o600); err != nil {
		t.Fatal(err)
	}
	run("convert", in("a.png"), "-resize", "160x120!", in("a.jpg"))
	run("convert", in("a.jpg"), in("a.gif"))
	run("convert", in("a.jpg"), "-compress", "lzw", in("a.tif"))
	run("ffmpeg", "-v", "error", "-i", in("a.jpg"), in("a.webp"))
	run("heif-enc", "-q", "40", in("a.jpg"), "-o", in("a.heic"))
	run("avifenc", "-s", "10", in("a.jpg"), in("a.avif"))
	film := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc=size=176x144:rate=10:duration=1", "-f", "lavfi", "-i", "sine=duration=1"}
	run("ffmpeg", append(film, "-c:v", "libx264", "-c:a", "aac", in("a.mp4"))...)
	run("ffmpeg", "-v", "error", "-i", in("a.mp4"), "-c", "copy", in("a.mov"))
	run("ffmpeg", "-v", "error", "-i", in("a.mp4"), "-c", "copy", in("a.mkv"))
	run("ffmpeg", "-v", "error", "-i", in("a.mp4"), "-c", "copy", "-an", in("a.3gp"))
	run("ffmpeg", append(film, "-c:v", "libvpx", "-c:a", "libvorbis", "-ac", "2", in("a.webm"))...)
	out := map[media.Format][]byte{}
	for f, name := range map[media.Format]string{
		media.JPEG: "a.jpg", media.PNG: "a.png", media.GIF: "a.gif", media.WebP: "a.webp", media.HEIC: "a.heic", media.AVIF: "a.avif", media.TIFF: "a.tif",
		media.MP4: "a.mp4", media.MOV: "a.mov", media.ThreeGP: "a.3gp", media.WebM: "a.webm", media.Matroska: "a.mkv",
	} {
		b, err := os.ReadFile(in(name))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sniff.Format(b[:min(len(b), 4096)]); got != f {
			t.Fatalf("%s is taken for %s: %v", f, got, err)
		}
		out[f] = b
	}
	return out
}

// allocated is how much work takes from the heap in all, which is more than it
// ever holds.
func allocated(work func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	work()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// mostAllocated bounds a refusal; the limit that users are promised is 128 MB.
const mostAllocated = 128 << 20

// judged cleans b, which somebody has broken: it must be refused in words, or
// be clean and steady, within bounds.
func judged(t *testing.T, what string, b []byte) {
	t.Helper()
	var out []byte
	var err error
	if n := allocated(func() { out, _, err = clean(t, b) }); n > mostAllocated {
		t.Errorf("%s: %d MB allocated", what, n>>20)
	}
	if err != nil {
		if fe := fault.From(err); fe == nil || fe.Kind == fault.Internal || fe.Message == "" {
			t.Errorf("%s: no refusal: %v", what, err)
		}
		return
	}
	if again, _, err := clean(t, out); err != nil || !bytes.Equal(again, out) {
		t.Errorf("%s: a clean file is not steady: %v", what, err)
	}
}

func TestEveryFormatIsCleaned(t *testing.T) {
	for f, b := range oneOfEach(t) {
		out, r, err := clean(t, b)
		if err != nil || r.Clean.Format() != f || r.Width == 0 || r.Height == 0 {
			t.Errorf("%s: %v, %d × %d", f, err, r.Width, r.Height)
			continue
		}
		if again, _, err := clean(t, out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: cleaning it again: %v", f, err)
		}
	}
}

func TestBrokenFilesOfEveryFormat(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for f, b := range oneOfEach(t) {
		for n := 1; n < len(b); n += max(1, len(b)/97) {
			judged(t, fmt.Sprintf("%s cut at %d of %d", f, n, len(b)), b[:n])
		}
		for i := range 300 {
			x := bytes.Clone(b)
			for range 1 + i%4 {
				x[r.IntN(min(len(x), 2048))] = byte(r.Uint32())
			}
			judged(t, fmt.Sprintf("%s, change %d", f, i), x)
		}
		for i := range 100 { // sizes and counts of the largest kind
			x := bytes.Clone(b)
			at := 4 + r.IntN(min(len(x), 2048)-12)
			copy(x[at:], [][]byte{{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0}, {0, 0, 0, 1}, {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}[i%4])
			judged(t, fmt.Sprintf("%s, size %d", f, i), x)
		}
	}
}

// Two formats in one file: what follows the first leaves no trace, or the whole is refused.
func TestTwoFormatsInOne(t *testing.T) {
	all := oneOfEach(t)
	tails := map[string][]byte{
		"a web page": []byte("<html><script>alert('a tail')</script></html>"),
		"a ZIP":      []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00a tail"),
		"a PDF":      []byte("%PDF-1.7\n% a tail"),
	}
	for f, b := range all {
		tails[f.String()] = b
	}
	for f, b := range all {
		alone, _, err := clean(t, b)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		for name, tail := range tails {
			if out, _, err := clean(t, append(bytes.Clone(b), tail...)); err == nil && !bytes.Equal(out, alone) {
				t.Errorf("%s followed by %s: not what %s alone gives", f, name, f)
			}
		}
	}
}
