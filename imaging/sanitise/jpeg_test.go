package sanitise_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// jpegParts takes a JPEG apart: what is before its scan, the scan with its
// header, and the end marker is left out.
func jpegParts(t testing.TB, b []byte) (head, scan []byte) {
	t.Helper()
	i := bytes.Index(b, []byte("\xff\xda"))
	if i < 0 || !bytes.HasSuffix(b, []byte("\xff\xd9")) {
		t.Fatal("not a JPEG with a scan")
	}
	return b[:i:i], b[i : len(b)-2 : len(b)-2]
}

func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

var (
	makeJPEGs sync.Once
	jpegsMade = map[string][]byte{}
)

// madeJPEGs are JPEGs of each coding, by real tools.
func madeJPEGs(t testing.TB) map[string][]byte {
	t.Helper()
	makeJPEGs.Do(func() { jpegsMade = makeJPEGsNow(t) })
	return jpegsMade
}

func makeJPEGsNow(t testing.TB) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, "convert", "-seed", "1", "-size", "97x61", "plasma:fractal", "a.ppm")
	run(t, dir, "convert", "a.ppm", "-colorspace", "CMYK", "cmyk.jpg")
	for _, args := range [][]string{
		{"baseline.jpg"}, {"progressive.jpg", "-progressive"}, {"arithmetic.jpg", "-arithmetic"}, {"both.jpg", "-arithmetic", "-progressive"},
		{"restarts.jpg", "-restart", "1B"}, {"restart rows.jpg", "-restart", "1", "-progressive"}, {"grey.jpg", "-grayscale"}, {"optimised.jpg", "-optimize", "-sample", "1x1"},
		{"odd.jpg", "-sample", "4x1"}, {"rgb.jpg", "-rgb"},
	} {
		run(t, dir, "cjpeg", append(args[1:], "-outfile", args[0], "a.ppm")...)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
	if err != nil || len(files) != 11 {
		t.Fatal(files, err)
	}
	out := map[string][]byte{}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".jpg")] = b
	}
	return out
}

func TestJPEGsOfEveryCoding(t *testing.T) {
	dir := t.TempDir()
	decode := func(b []byte) string {
		if err := os.WriteFile(filepath.Join(dir, "a.jpg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, dir, "djpeg", "-pnm", "-outfile", "a.pnm", "a.jpg")
		pixels, err := os.ReadFile(filepath.Join(dir, "a.pnm"))
		if err != nil || len(pixels) < 97*61 {
			t.Fatal(len(pixels), err)
		}
		return string(pixels)
	}
	for name, b := range madeJPEGs(t) {
		marked := after(b, segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00MARKER"), segment(0xfe, "MARKER"))
		out, _ := must(t, marked)
		if bytes.Contains(out, []byte("MARKER")) {
			t.Errorf("%s: a trace is left", name)
		}
		if name != "cmyk" && decode(b) != decode(out) { // djpeg cannot write CMYK
			t.Errorf("%s: the pixels differ", name)
		}
		_, scan := jpegParts(t, b)
		if !bytes.Contains(out, scan[:len(scan)/2]) {
			t.Errorf("%s: the scan differs", name)
		}
		if again, _ := must(t, out); !bytes.Equal(again, out) {
			t.Errorf("%s: cleaning it again changes it", name)
		}
	}
}

// Places in a JPEG where a decoder does not look.
func TestJPEGHidingPlaces(t *testing.T) {
	plain := encoded(t, media.JPEG)
	head, scan := jpegParts(t, plain)
	grey := madeJPEGs(t)["grey"]
	greyHead, greyScan := jpegParts(t, grey)
	restarts := madeJPEGs(t)["restarts"]
	table := segment(0xdb, "\x00"+strings.Repeat("\x07", 64))
	other := segment(0xdb, "\x00"+strings.Repeat("M", 64))
	big, steps := strings.Repeat("MARKER", 30_000), strings.Repeat("MARKER  ", 8)
	for name, b := range map[string][]byte{
		"a table that nothing uses":     join(head[:2], other, table, head[2:], scan, "\xff\xd9"),
		"a table too long":              join(head, segment(0xdb, "\x00"+strings.Repeat("\x07", 64)+"MARKER"), scan, "\xff\xd9"),
		"a Huffman table too long":      join(head, segment(0xc4, "\x00"+strings.Repeat("\x00", 16)+"M"), scan, "\xff\xd9"),
		"a restart interval too long":   join(head, segment(0xdd, "\x00\x00MARKER"), scan, "\xff\xd9"),
		"a scan twice":                  join(greyHead, greyScan, greyScan, "\xff\xd9"),
		"a scan of another component":   join(greyHead, "\xff\xda\x00\x08\x01\x09\x00\x00\x3f\x00", greyScan[10:], "\xff\xd9"),
		"a scan header too long":        join(greyHead, "\xff\xda\x00\x0a\x01\x01\x00\x00\x3f\x00MA", greyScan[10:], "\xff\xd9"),
		"bytes after a scan":            join(head, scan, "\xff\x00MARKER", "\xff\x01", "MARKER", "\xff\xd9"),
		"a restart without an interval": join(head, scan, "\xff\xd0MARKER", "\xff\xd9"),
		"data after the last restart":   join(restarts[:len(restarts)-2], "\xff\xd0MARKER\xff\xd1MARKER", "\xff\xd9"),
		"fill before a restart":         bytes.Replace(restarts, []byte("\xff\xd0"), []byte("\xff\xff\xff\xd0"), 1),
		"a frame too long":              bytes.Replace(plain, []byte("\xff\xc0\x00\x11"), []byte("\xff\xc0\x00\x12"), 1),
		"another picture in the scan":   join(head, scan, plain, "\xff\xd9"),
		"a scan far too long":           join("\xff\xd8", segment(0xc0, "\x08\x00\x01\x00\x01\x01\x01\x11\x00"), greyScan[:10], big, "\xff\xd9"),
	} {
		if out, _, err := clean(t, b); err == nil {
			t.Errorf("%s: it is taken; %d of %d bytes are left", name, len(out), len(b))
		} else if c := fault.From(err).Code; !strings.HasPrefix(c, "media-") || c == "media-not-certified" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{
		"fill before a marker":  join(head, scan, "\xff\xff\xff\xd9"),
		"the same table twice":  join(head[:2], segment(0xdb, string(head[bytes.Index(head, []byte("\xff\xdb"))+4:][:130])), head[2:], scan, "\xff\xd9"),
		"a stray marker":        join(head, "\xff\xd0", scan, "\xff\xd9"),
		"bytes between":         join(head, "MARKER", scan, "\xff\xd9"),
		"a DNL":                 join(head, scan, segment(0xdc, "\x00\x46"), "\xff\xd9"),
		"unused steps":          join(head[:2], segment(0xdb, "\x03"+steps), head[2:], scan, "\xff\xd9"),
		"unused steps in a row": bytes.Replace(plain, []byte("\xff\xdb\x00\x84"), []byte("\xff\xdb\x00\xc5\x03"+steps), 1),
		"unused codes":          join(head, segment(0xc4, "\x13"+strings.Repeat("\x00", 15)+"\x06MARKER"), scan, "\xff\xd9"),
		"a table at the end":    join(head, scan, segment(0xdb, "\x00"+steps), "\xff\xd9"),
	} {
		out, _ := must(t, b)
		if bytes.Contains(out, []byte("MARKER")) {
			t.Errorf("%s: it is left", name)
		}
		samePixels(t, plain, out)
		if len(out) > len(plain) {
			t.Errorf("%s: %d bytes of %d are left", name, len(out), len(plain))
		}
	}
}

// How dense pixels are tells what scanned them; their shape does not.
func TestJPEGShape(t *testing.T) {
	for said, want := range map[string]string{
		"\x01\x01\x2c\x01\x2c": "\x00\x00\x01\x00\x01", // 300 by 300 to the inch
		"\x01\x00\xcc\x00\x62": "\x00\x00\x66\x00\x31", // 204 by 98: a fax
		"\x02\x00\x00\x00\x05": "\x00\x00\x01\x00\x01", // nonsense
	} {
		out, _ := must(t, after(encoded(t, media.JPEG), segment(0xe0, "JFIF\x00\x01\x02"+said+"\x00\x00")))
		if !bytes.Contains(out, []byte("JFIF\x00\x01\x01"+want+"\x00\x00")) {
			t.Errorf("%x: %x", said, out[:24])
		}
	}
}

func TestJPEGOfManySegments(t *testing.T) {
	jpeg := encoded(t, media.JPEG)
	for name, b := range map[string][]byte{
		"comments": join(jpeg[:2], strings.Repeat("\xff\xfe\x00\x02", 1_000_000), jpeg[2:]),
		"tables":   join(jpeg[:2], bytes.Repeat(segment(0xdd, "\x00\x00"), 1_000_000), jpeg[2:]),
		"markers":  join(jpeg[:2], strings.Repeat("\xff\xd0", 1_000_000), jpeg[2:]),
	} {
		if _, _, err := clean(t, b); err == nil || fault.From(err).Code != "media-structure" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The verifier finds by itself what the sanitiser would not have let through.
func TestVerifierFindsHidingPlacesInJPEG(t *testing.T) {
	out, _ := must(t, madeJPEGs(t)["grey"])
	head, scan := jpegParts(t, out)
	check := func(b []byte) error {
		return verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.JPEG)
	}
	if err := check(out); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"density":          bytes.Replace(out, []byte("\x01\x01\x00\x00\x01\x00\x01"), []byte("\x01\x01\x01\x01\x2c\x01\x2c"), 1),
		"shape":            bytes.Replace(out, []byte("\x01\x01\x00\x00\x01\x00\x01"), []byte("\x01\x01\x00\x00\x02\x00\x04"), 1),
		"scan twice":       join(head, scan, scan, "\xff\xd9"),
		"table twice":      join(head, segment(0xdb, "\x00"+strings.Repeat("\x07", 64)), segment(0xdb, "\x00"+strings.Repeat("\x08", 64)), scan, "\xff\xd9"),
		"unused table":     join(head, segment(0xdb, "\x03"+strings.Repeat("\x07", 64)), scan, "\xff\xd9"),
		"unused codes":     join(head, segment(0xc4, "\x11"+strings.Repeat("\x00", 15)+"\x01x"), scan, "\xff\xd9"),
		"table at the end": join(head, scan, segment(0xdb, "\x00"+strings.Repeat("\x08", 64)), "\xff\xd9"),
		"empty table":      join(head, segment(0xdb, ""), scan, "\xff\xd9"),
		"restart":          join(head, scan, "\xff\xd0x", "\xff\xd9"),
		"fill":             join(head, scan, "\xff\xff\xd9"),
		"long scan":        join(head, scan, strings.Repeat("x", 97*61*8*2), "\xff\xd9"),
		"DNL":              join(head, scan, segment(0xdc, "\x00\x46"), "\xff\xd9"),
		"segment in scan":  join(head, scan, segment(0xfe, "x"), "\xff\xd9"),
	} {
		if err := check(b); err == nil {
			t.Errorf("%s is not found", name)
		}
	}
}

func FuzzJPEGCodings(f *testing.F) {
	fuzz(f, func() [][]byte { return slices.Collect(maps.Values(madeJPEGs(f))) })
}

// fuzzVerify gives a verifier hostile files: it finds something or takes them,
// in bounds.
func fuzzVerify(f *testing.F, format media.Format, seeds func(testing.TB) map[string][]byte) {
	servers.Seed(f, func() (all [][]byte) {
		for _, b := range seeds(f) {
			out, _ := must(f, b)
			all = append(all, out, b)
		}
		return all
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), format); err != nil {
			return
		}
		// what it certifies, the sanitiser has nothing to take from, if it takes it at all
		if out, _, err := clean(t, b); err == nil && !bytes.Equal(out, b) {
			t.Error("something is certified that cleaning changes")
		}
	})
}

func FuzzVerifyJPEG(f *testing.F) { fuzzVerify(f, media.JPEG, madeJPEGs) }
func FuzzVerifyTIFF(f *testing.F) { fuzzVerify(f, media.TIFF, madeTIFFs) }
