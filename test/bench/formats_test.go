package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// run runs a program that makes or cleans a sample.
func run(b *testing.B, name string, args ...string) {
	b.Helper()
	if out, err := exec.Command(servers.Binary(b, name), args...).CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// samples makes a picture of 12 megapixels and a video of about 200 MB in every
// container, with traces in those that exiftool can write. The MOV is coded as
// phones do, H.264, where each part of a picture says its length. The others are
// MPEG-4 Part 2, where every byte is searched, twice, for text between pictures.
func samples(b *testing.B, dir string) map[string]string {
	b.Helper()
	in := func(name string) string { return filepath.Join(dir, name) }
	run(b, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=4000x3000,noise=alls=12", "-frames:v", "1", in("a.png"))
	run(b, "convert", in("a.png"), "-quality", "92", in("a.jpg"))
	run(b, "convert", in("a.png"), "-compress", "none", in("a.tif"))
	run(b, "convert", in("a.png"), "-resize", "1000x", in("a.gif"))
	run(b, "cwebp", "-quiet", "-m", "0", in("a.png"), "-o", in("a.webp"))
	run(b, "heif-enc", "-q", "60", in("a.jpg"), "-o", in("a.heic"))
	run(b, "avifenc", "-s", "10", in("a.jpg"), in("a.avif"))
	film := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=30:duration=30,noise=alls=40", "-f", "lavfi", "-i", "sine=duration=30", "-c:a", "aac", "-metadata", "title=A title"}
	run(b, "ffmpeg", append(film, "-c:v", "mpeg4", "-qscale:v", "3", in("a.mp4"))...)
	run(b, "ffmpeg", "-v", "error", "-i", in("a.mp4"), "-c", "copy", in("a.mkv"))
	run(b, "ffmpeg", "-v", "error", "-i", in("a.mp4"), "-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", "-c:a", "copy", in("a.mov"))
	out := map[string]string{}
	for _, name := range []string{"a.jpg", "a.png", "a.tif", "a.gif", "a.webp", "a.heic", "a.avif", "a.mp4", "a.mov", "a.mkv"} {
		if !strings.Contains("a.gif a.mkv", name) {
			_ = exec.Command(servers.Binary(b, "exiftool"), "-q", "-overwrite_original", "-Make=Example", "-GPSLatitude=51.5", "-GPSLongitude=0.1", "-SerialNumber=1", in(name)).Run()
		}
		out[name[2:]] = in(name)
	}
	return out
}

// peersOf are the programs that clean a format, as people would run them.
func peersOf(ext, in, out string) map[string][]string {
	p := map[string][]string{"exiftool": {"exiftool", "-q", "-all=", "-o", out, in}, "mat2": {"sh", "-c", `cp "$0" "$1" && mat2 --no-sandbox --inplace -L "$1"`, in, out}}
	switch ext {
	case "mp4", "mov", "mkv":
		p["ffmpeg"] = []string{"ffmpeg", "-v", "error", "-y", "-i", in, "-map", "0:V", "-map", "0:a?", "-map_metadata", "-1", "-fflags", "+bitexact", "-c", "copy", out}
	default:
		p["exiv2"] = []string{"sh", "-c", `cp "$0" "$1" && exiv2 -d a rm "$1"`, in, out}
	}
	if ext == "mkv" {
		delete(p, "exiftool") // it does not write Matroska
	}
	return p
}

// BenchmarkFormats sanitises and verifies a sample of each format, and has the
// usual tools clean the same file in the same run.
func BenchmarkFormats(b *testing.B) {
	dir := b.TempDir()
	fmt.Printf("\n%-6s %9s %12s %12s %12s %12s   times the work of (median of 3, ours per file of 15)\n", "format", "MB", "clean MB/s", "copied MB/s", "per file", "as a process")
	ours := filepath.Join(dir, "wardseal")
	run(b, "go", "build", "-o", ours, "../../cmd/wardseal")
	for ext, path := range samples(b, dir) {
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		mb := float64(info.Size()) / 1e6
		certified := median(15, func() { cleaned(b, path, io.Discard, false) })
		copied := median(3, func() { cleaned(b, path, io.Discard, true) })
		process := median(3, func() {
			out := filepath.Join(dir, "out")
			run(b, ours, "strip", "-o", out, path)
			_ = os.RemoveAll(out)
		})
		line := fmt.Sprintf("%-6s %9.1f %12.0f %12.0f %12s %12s  ", ext, mb, mb/certified.Seconds(), mb/copied.Seconds(), certified.Round(10*time.Microsecond), process.Round(time.Millisecond))
		out := filepath.Join(dir, "peer."+ext)
		for name, cmd := range peersOf(ext, path, out) {
			failed := false
			took := median(3, func() {
				_ = os.Remove(out)
				failed = exec.Command(servers.Binary(b, cmd[0]), cmd[1:]...).Run() != nil
			})
			if failed {
				line += fmt.Sprintf(" %s refuses;", name)
				continue
			}
			line += fmt.Sprintf(" %s %.0f × (%.0f × as a process);", name, took.Seconds()/certified.Seconds(), took.Seconds()/process.Seconds())
		}
		fmt.Println(line)
	}
	b.ReportMetric(0, "ns/op")
}

// cleaned sanitises a file, and reads the result when asked to.
func cleaned(b *testing.B, path string, to io.Writer, read bool) {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, _ := f.ReadAt(head, 0)
	format, err := sniff.Format(head[:n])
	if err != nil {
		b.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	r, err := sanitise.File(b.Context(), f, info.Size(), format, sanitise.Options{})
	if err != nil {
		b.Fatalf("%s: %v", filepath.Base(path), err)
	}
	if read {
		if _, err := io.Copy(to, r.Clean.Reader()); err != nil {
			b.Fatal(err)
		}
	}
}

// median times work n times and gives the middle.
func median(n int, work func()) time.Duration {
	var all []time.Duration
	for range n {
		start := time.Now()
		work()
		all = append(all, time.Since(start))
	}
	for i := range all {
		for j := i; j > 0 && all[j] < all[j-1]; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all[n/2]
}

// BenchmarkPreviews makes the preview and thumbnail of a 12 megapixel JPEG in
// the confined child, beside libvips doing the same two.
func BenchmarkPreviews(b *testing.B) {
	dir := b.TempDir()
	run(b, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=4000x3000,noise=alls=12", "-frames:v", "1", filepath.Join(dir, "a.png"))
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	maker, err := derive.New(derive.Config{Command: []string{self, derivesHere}})
	if err != nil {
		b.Fatal(err)
	}
	for chroma, what := range map[string]string{"4:2:0": "as phones code it", "4:4:4": "chroma in full"} {
		path := filepath.Join(dir, "a.jpg")
		run(b, "convert", filepath.Join(dir, "a.png"), "-sampling-factor", chroma, "-quality", "92", path)
		ours := median(5, func() {
			f, err := os.Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := maker.Derive(context.Background(), f, info.Size(), media.JPEG, derive.Sizes()); err != nil {
				b.Fatal(err)
			}
		})
		vips := median(5, func() {
			run(b, "vipsthumbnail", path, "-s", "2048", "-o", filepath.Join(dir, "p.jpg[Q=85]"))
			run(b, "vipsthumbnail", path, "-s", "320", "-o", filepath.Join(dir, "t.jpg[Q=80]"))
		})
		fmt.Printf("\npreview and thumbnail of 12 MP in %s, %s: %s, libvips %s: %.2f × its time (aim: at most 2)\n", chroma, what, ours.Round(time.Millisecond), vips.Round(time.Millisecond), ours.Seconds()/vips.Seconds())
	}
	b.ReportMetric(0, "ns/op")
}

// derivesHere is the argument with which this test binary becomes the decoding child.
const derivesHere = "decode-child"
