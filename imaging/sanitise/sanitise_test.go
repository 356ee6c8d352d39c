package sanitise_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	stdpng "image/png"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hash/crc32"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

func phone(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func clean(t testing.TB, b []byte) ([]byte, sanitise.Result, error) {
	t.Helper()
	f, err := sniff.Format(b[:min(len(b), 4096)])
	if err != nil {
		return nil, sanitise.Result{}, err
	}
	r, err := sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), f, sanitise.Options{})
	if err != nil {
		return nil, r, err
	}
	out, err := io.ReadAll(r.Clean.Reader())
	if err != nil {
		t.Fatal(err)
	}
	return out, r, nil
}

func must(t testing.TB, b []byte) ([]byte, sanitise.Result) {
	t.Helper()
	out, r, err := clean(t, b)
	if err != nil {
		t.Fatal(err)
	}
	return out, r
}

func kinds(r media.Receipt) string {
	var all []string
	for _, k := range r.Removed {
		all = append(all, k.Kind.String())
	}
	return strings.Join(all, ", ")
}

// after puts segments behind a JPEG's start marker.
func after(jpeg []byte, segments ...[]byte) []byte {
	out := append([]byte{0xff, 0xd8}, bytes.Join(segments, nil)...)
	return append(out, jpeg[2:]...)
}

func segment(marker byte, body string) []byte {
	return append([]byte{0xff, marker, byte((len(body) + 2) >> 8), byte(len(body) + 2)}, body...)
}

func chunk(typ, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, typ...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func picture() image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, 90, 70))
	for i := range img.Pix {
		img.Pix[i] = byte(i*7) | 1
	}
	img.Set(1, 1, color.Black)
	return img
}

func encoded(t testing.TB, f media.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	err := stdjpeg.Encode(&b, picture(), nil)
	if f == media.PNG {
		b.Reset()
		err = stdpng.Encode(&b, picture())
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func samePixels(t *testing.T, a, b []byte) {
	t.Helper()
	x, _, err1 := image.Decode(bytes.NewReader(a))
	y, _, err2 := image.Decode(bytes.NewReader(b))
	if err1 != nil || err2 != nil || x.Bounds() != y.Bounds() {
		t.Fatalf("%v %v", err1, err2)
	}
	for i := range x.Bounds().Max.Y {
		for j := range x.Bounds().Max.X {
			if x.At(j, i) != y.At(j, i) {
				t.Fatalf("the pixel at %d, %d differs", j, i)
			}
		}
	}
}

func TestPhonePicture(t *testing.T) {
	b := phone(t)
	out, r := must(t, b)
	samePixels(t, b, out)
	if r.Receipt.CapturedAt == nil || r.Receipt.CapturedAt.Year() != 2014 {
		t.Errorf("captured at %v", r.Receipt.CapturedAt)
	}
	for _, k := range []string{"GPS", "serial", "maker notes", "make and model", "owner", "dates", "thumbnail", "XMP"} {
		if !strings.Contains(kinds(r.Receipt), k) {
			t.Errorf("the receipt does not list %s: %s", k, kinds(r.Receipt))
		}
	}
	path := filepath.Join(t.TempDir(), "out.jpg")
	if err := os.WriteFile(path, out, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(servers.Binary(t, "exiftool"), "-a", "-G1", "-s", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(said)) {
		group, rest, _ := strings.Cut(line, "]")
		if !strings.Contains("[ExifTool [System [File [JFIF [Composite", group) && !strings.Contains(rest, "Orientation") {
			t.Errorf("exiftool still finds %s", strings.TrimSpace(line))
		}
	}
	if !strings.Contains(string(said), "Rotate 90 CW") {
		t.Error("the orientation is lost")
	}
}

func TestTracesGo(t *testing.T) {
	jpeg, png := encoded(t, media.JPEG), encoded(t, media.PNG)
	ihdr := 8 + 25
	inPNG := func(chunks ...[]byte) []byte {
		return append(append(bytes.Clone(png[:ihdr]), bytes.Join(chunks, nil)...), png[ihdr:]...)
	}
	const mark = "MARKER-OF-A-PERSON"
	for name, c := range map[string]struct {
		file []byte
		kind string
	}{
		"comment":       {after(jpeg, segment(0xfe, mark)), "comment"},
		"XMP":           {after(jpeg, segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"+mark)), "XMP"},
		"IPTC":          {after(jpeg, segment(0xed, "Photoshop 3.0\x00"+mark)), "IPTC"},
		"MPF":           {after(jpeg, segment(0xe2, "MPF\x00"+mark)), "MPF"},
		"unknown APP":   {after(jpeg, segment(0xe9, mark)), "APP9"},
		"JFIF preview":  {after(jpeg, segment(0xe0, "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x05\x05"+mark)), "thumbnail"},
		"broken EXIF":   {after(jpeg, segment(0xe1, "Exif\x00\x00II*\x00\xff\xff\xff\xff"+mark)), "EXIF damaged"},
		"after the end": {append(bytes.Clone(jpeg), mark...), "data after"},
		"second":        {append(append(bytes.Clone(jpeg), jpeg...), mark...), "further pictures"},
		"motion":        {append(append(bytes.Clone(jpeg), "\x00\x00\x00\x18ftypmp42"...), mark...), "motion video"},
		"between":       {after(jpeg, segment(0xfe, "x"), []byte(mark)), "between segments"},
		"text":          {inPNG(chunk("tEXt", "Author\x00"+mark)), "text"},
		"time":          {inPNG(chunk("tIME", mark[:7])), "time"},
		"private":       {inPNG(chunk("prVt", mark)), "private"},
		"PNG EXIF":      {inPNG(chunk("eXIf", "II*\x00\x08\x00\x00\x00\x00\x00"+mark)), "EXIF"},
		"PNG tail":      {append(bytes.Clone(png), mark...), "data after"},
		"resolution":    {inPNG(chunk("pHYs", "\x00\x00\x0b\x13\x00\x00\x0b\x13\x01")), "resolution"},
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, c.file)
			if bytes.Contains(out, []byte(mark[:7])) {
				t.Error("it is still there")
			}
			if !strings.Contains(kinds(r.Receipt), c.kind) {
				t.Errorf("the receipt says %s", kinds(r.Receipt))
			}
			samePixels(t, encoded(t, r.Clean.Format()), out)
			again, _ := must(t, out)
			if !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if r.Receipt.BytesBefore != int64(len(c.file)) || r.Receipt.BytesAfter != int64(len(out)) {
				t.Error("the receipt's sizes are wrong")
			}
		})
	}
}

func TestTruncatedAtEveryByte(t *testing.T) {
	for _, f := range []media.Format{media.JPEG, media.PNG} {
		b := encoded(t, f)
		for n := range b {
			_, _, err := clean(t, b[:n])
			if err == nil {
				t.Fatalf("%s of %d of %d bytes is accepted", f, n, len(b))
			}
			if fault.From(err).Kind == fault.Internal {
				t.Fatalf("%s of %d bytes: %v", f, n, err)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	jpeg, png := encoded(t, media.JPEG), encoded(t, media.PNG)
	bomb := bytes.Clone(png)
	binary.BigEndian.PutUint32(bomb[16:], 100_000)
	binary.BigEndian.PutUint32(bomb[20:], 100_000)
	binary.BigEndian.PutUint32(bomb[29:], crc32.ChecksumIEEE(bomb[12:29]))
	wrong := bytes.Clone(png)
	wrong[len(wrong)-20] ^= 1
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"PNG bomb":    {bomb, "media-too-many-pixels"},
		"checksum":    {wrong, "media-damaged"},
		"no scan":     {append(bytes.Clone(jpeg[:4]), 0xff, 0xd9), "media-truncated"},
		"two frames":  {after(jpeg, segment(0xc0, "\x08\x00\x10\x00\x10\x01\x01\x11\x00")), "media-damaged"},
		"sound alone": {[]byte("\x00\x00\x00\x10ftypisom\x00\x00\x00\x00"), "media-truncated"},
	} {
		_, _, err := clean(t, c.file)
		if e := fault.From(err); e == nil || e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// film makes a video that tells a lot, with the real tools.
func film(t testing.TB, ext string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film"+ext)
	cmd := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=1", "-f", "lavfi", "-i", "sine=duration=1", "-c:v", "mpeg4", "-c:a", "aac",
		"-metadata", "title=MARKER-TITLE", "-metadata", "comment=MARKER-COMMENT", "-metadata", "location=+51.0000+000.5000/", "-metadata", "creation_time=2026-03-01T10:00:00Z", "-metadata:s:v", "handler_name=MARKER-HANDLER"}, args...)
	if out, err := exec.Command(servers.Binary(t, "ffmpeg"), append(cmd, path)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// packets is the hash of a film's packets and their times.
func packets(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(servers.Binary(t, "ffmpeg"), "-v", "error", "-i", path, "-map", "0:v", "-map", "0:a", "-c", "copy", "-f", "framehash", "-").Output()
	if err != nil {
		t.Fatalf("ffmpeg cannot read it: %v", err)
	}
	var kept []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	if len(kept) < 10 {
		t.Fatalf("%d packets", len(kept))
	}
	return strings.Join(kept, "")
}

func TestFilms(t *testing.T) {
	for name, b := range map[string][]byte{
		"movie last":  film(t, ".mp4"),
		"movie first": film(t, ".mp4", "-movflags", "+faststart"),
		"QuickTime":   film(t, ".mov", "-timecode", "01:02:03:04"),
		"mdta keys":   film(t, ".mov", "-movflags", "use_metadata_tags"),
		"slack":       append(film(t, ".mp4"), "MARKER-TAIL"...),
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, b)
			if bytes.Contains(out, []byte("MARKER")) || bytes.Contains(out, []byte("+51.0000")) || bytes.Contains(out, []byte("Lavf")) {
				t.Error("a trace is left")
			}
			if packets(t, b) != packets(t, out) {
				t.Error("the packets differ")
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if !strings.Contains(kinds(r.Receipt), "user data") || r.Receipt.CapturedAt == nil {
				t.Errorf("the receipt: %s, %v", kinds(r.Receipt), r.Receipt.CapturedAt)
			}
		})
	}
}

// Whatever is changed in a film, it is refused or verified, within bounds.
func TestDamagedFilms(t *testing.T) {
	b := film(t, ".mp4", "-movflags", "+faststart")
	r := rand.New(rand.NewPCG(1, 2))
	moov := bytes.Index(b, []byte("mdat"))
	for i := range 3000 {
		x := bytes.Clone(b)
		for range 1 + i%3 {
			at := r.IntN(moov)
			x[at] = byte(r.Uint32())
		}
		if i%10 == 0 {
			x = x[:r.IntN(len(x))]
		}
		if out, _, err := clean(t, x); err == nil && bytes.Contains(out, []byte("MARKER")) {
			t.Fatalf("change %d: a trace is left", i)
		}
	}
}

// The verifier does not take a file that still tells something.
func TestVerifierFindsWhatIsLeft(t *testing.T) {
	jpeg, _ := must(t, encoded(t, media.JPEG))
	png, _ := must(t, encoded(t, media.PNG))
	mp4, _ := must(t, film(t, ".mp4"))
	ok := func(f media.Format, b []byte) error {
		return verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), f)
	}
	for f, b := range map[media.Format][]byte{media.JPEG: jpeg, media.PNG: png, media.MP4: mp4} {
		if err := ok(f, b); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if err := ok(f, append(bytes.Clone(b), 'x')); err == nil {
			t.Errorf("%s: a trailing byte is not found", f)
		}
	}
	for name, c := range map[string]struct {
		f media.Format
		b []byte
	}{
		"comment":  {media.JPEG, after(jpeg, segment(0xfe, "x"))},
		"EXIF":     {media.JPEG, after(jpeg, segment(0xe1, "Exif\x00\x00II*\x00\x08\x00\x00\x00"))},
		"fill":     {media.JPEG, after(jpeg, []byte{0xff})},
		"text":     {media.PNG, append(append(bytes.Clone(png[:33]), chunk("tEXt", "a\x00b")...), png[33:]...)},
		"free":     {media.MP4, append(bytes.Clone(mp4), 0, 0, 0, 9, 'f', 'r', 'e', 'e', 'x')},
		"raw JPEG": {media.JPEG, phone(t)},
		"raw film": {media.MP4, film(t, ".mp4")},
	} {
		if err := ok(c.f, c.b); err == nil {
			t.Errorf("%s is not found", name)
		}
	}
}

// Every file of the shared corpus, where there is one: refused, or clean with
// the same pixels and steady.
func TestCorpus(t *testing.T) {
	seen := 0
	for _, dir := range []string{"jpeg", "png", "apng", "gif", "webp", "mp4", "mov"} {
		files, _ := filepath.Glob(filepath.Join("../../../shared/corpus", dir, "*"))
		accepted := 0
		for _, path := range files {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			out, _, err := clean(t, b)
			if err != nil {
				if fault.From(err).Kind == fault.Internal {
					t.Errorf("%s: %v", filepath.Base(path), err)
				}
				continue
			}
			accepted++
			if again, _, err := clean(t, out); err != nil || sha256.Sum256(again) != sha256.Sum256(out) {
				t.Errorf("%s: cleaning it again: %v", filepath.Base(path), err)
			}
			if dir != "mp4" && dir != "mov" {
				if cfg, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && cfg.Width*cfg.Height < 3_000_000 {
					if _, _, err := image.Decode(bytes.NewReader(b)); err == nil {
						samePixels(t, b, out)
					}
				}
			}
		}
		if len(files) > 0 {
			t.Logf("%s: %d of %d accepted", dir, accepted, len(files))
		}
	}
	if seen == 0 {
		t.Log("there is no shared corpus here")
	}
}

// fuzz begins with the seeds; see servers.Seed.
func fuzz(f *testing.F, seeds func() [][]byte) {
	servers.Seed(f, seeds)
	f.Fuzz(func(t *testing.T, b []byte) {
		out, r, err := clean(t, b)
		if err != nil {
			return
		}
		if again, _, err := clean(t, out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("a clean %s is not steady: %v", r.Clean.Format(), err)
		}
	})
}

func FuzzJPEG(f *testing.F) {
	fuzz(f, func() [][]byte { return [][]byte{encoded(f, media.JPEG), phone(f)} })
}
func FuzzPNG(f *testing.F) {
	fuzz(f, func() [][]byte { return [][]byte{encoded(f, media.PNG), movingPNG(f)} })
}

func BenchmarkJPEG(b *testing.B) {
	data := phone(b)
	data = append(data[:len(data)-2:len(data)-2], bytes.Repeat([]byte("entropy-coded data "), 200_000)...)
	data = append(data, 0xff, 0xd9)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		must(b, data)
	}
}
