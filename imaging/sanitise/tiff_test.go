package sanitise_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// field is an entry of a TIFF that a test makes; data is its value.
type field struct {
	tag, typ int
	count    int
	data     string
}

func short(tag int, v ...int) field {
	var b []byte
	for _, n := range v {
		b = binary.LittleEndian.AppendUint16(b, uint16(n))
	}
	return field{tag, 3, len(v), string(b)}
}

func long(tag int, v ...int) field {
	var b []byte
	for _, n := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	return field{tag, 4, len(v), string(b)}
}

func text(tag int, s string) field { return field{tag, 2, len(s), s} }

// grey is a page of 8 × 4 grey pixels at offset 8, with other fields beside or
// instead of the usual ones.
func grey(other ...field) []field {
	usual := []field{long(256, 8), long(257, 4), short(258, 8), short(259, 1), short(262, 1), long(273, 8), short(277, 1), long(278, 4), long(279, 32)}
	for _, f := range other {
		usual = slices.DeleteFunc(usual, func(u field) bool { return u.tag == f.tag })
	}
	usual = append(usual, other...)
	slices.SortStableFunc(usual, func(a, b field) int { return a.tag - b.tag })
	return usual
}

const greyPixels = "0123456789abcdefghijklmnopqrstuv"

// tiffOf makes a TIFF: the picture's data at offset 8, then the directories.
func tiffOf(data string, pages ...[]field) []byte {
	le := binary.LittleEndian
	b := append([]byte("II*\x00\x00\x00\x00\x00"), data...)
	link := 4
	for _, page := range pages {
		b = append(b, make([]byte, len(b)&1)...)
		le.PutUint32(b[link:], uint32(len(b)))
		values := len(b) + 2 + 12*len(page) + 4
		var tail []byte
		b = le.AppendUint16(b, uint16(len(page)))
		for _, f := range page {
			b = le.AppendUint16(le.AppendUint16(b, uint16(f.tag)), uint16(f.typ))
			b = le.AppendUint32(b, uint32(f.count))
			if len(f.data) <= 4 {
				b = append(append(b, f.data...), make([]byte, 4-len(f.data))...)
				continue
			}
			b = le.AppendUint32(b, uint32(values+len(tail)))
			tail = append(append(tail, f.data...), make([]byte, len(f.data)&1)...)
		}
		link = len(b)
		b = append(append(b, 0, 0, 0, 0), tail...)
	}
	return b
}

// run runs a tool of the test in a folder.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(servers.Binary(t, name), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

var (
	makeTIFFs sync.Once
	tiffsMade = map[string][]byte{}
)

// madeTIFFs are files of every kind that is accepted, written by real tools.
func madeTIFFs(t testing.TB) map[string][]byte {
	t.Helper()
	makeTIFFs.Do(func() { tiffsMade = makeTIFFsNow(t) })
	return tiffsMade
}

func makeTIFFsNow(t testing.TB) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, "convert", "-seed", "1", "-size", "70x45", "plasma:fractal", "-depth", "8", "rgb.tif")
	run(t, dir, "convert", "rgb.tif", "-depth", "16", "rgb16.tif")
	run(t, dir, "convert", "rgb.tif", "-colorspace", "Gray", "-depth", "8", "grey.tif")
	run(t, dir, "convert", "rgb.tif", "-colors", "16", "-type", "Palette", "palette.tif")
	run(t, dir, "convert", "rgb.tif", "-alpha", "set", "-channel", "A", "-evaluate", "set", "50%", "rgba.tif")
	run(t, dir, "convert", "rgb.tif", "-colorspace", "CMYK", "cmyk.tif")
	run(t, dir, "convert", "rgb.tif", "-colorspace", "Gray", "-threshold", "50%", "-type", "Bilevel", "-depth", "1", "-compress", "none", "fax.tif")
	run(t, dir, "convert", "rgb.tif", "-colorspace", "Gray", "-depth", "32", "-define", "quantum:format=floating-point", "-compress", "zip", "float.tif")
	out := map[string][]byte{}
	for _, c := range []struct{ name, from, args string }{
		{"plain", "rgb", "-c none"}, {"big endian", "rgb", "-c none -B"}, {"strips of one row", "rgb", "-c none -r 1"}, {"planes", "rgb", "-c none -p separate"},
		{"tiles", "rgb", "-c none -t -w 32 -l 16"}, {"tiles of planes", "rgba", "-c lzw -t -w 32 -l 32 -p separate"},
		{"packbits", "rgb", "-c packbits -r 7"}, {"lzw", "rgb", "-c lzw -r 10"}, {"lzw with predictor", "rgb", "-c lzw:2"}, {"lzw big endian", "grey", "-c lzw -B"},
		{"deflate", "rgb", "-c zip -r 10"}, {"deflate with predictor", "rgb16", "-c zip:2"}, {"deflate tiles", "rgb", "-c zip -t -w 16 -l 16"}, {"old deflate", "grey", "-c deflate"},
		{"JPEG", "rgb", "-c jpeg -r 16"}, {"JPEG tiles", "rgb", "-c jpeg -t -w 32 -l 32"}, {"JPEG of RGB", "rgb", "-c jpeg:r -r 16"}, {"JPEG grey", "grey", "-c jpeg -r 16"},
		{"palette", "palette", "-c lzw"}, {"alpha", "rgba", "-c zip"}, {"CMYK", "cmyk", "-c lzw"}, {"bilevel", "fax", "-c none"}, {"float", "float", "-c zip:3"},
		{"fax G3", "fax", "-c g3"}, {"fax G3 in two dimensions", "fax", "-c g3:2d"}, {"fax G3 filled", "fax", "-c g3:fill"}, {"fax G4", "fax", "-c g4 -r 20"}, {"fax reversed", "fax", "-c g4 -f lsb2msb"},
	} {
		if c.name == "old deflate" {
			run(t, dir, "tiffcp", "-c", "zip", c.from+".tif", "out.tif")
			b, err := os.ReadFile(filepath.Join(dir, "out.tif"))
			if err != nil {
				t.Fatal(err)
			}
			old := bytes.Replace(b, []byte("\x03\x01\x03\x00\x01\x00\x00\x00\x08\x00"), []byte("\x03\x01\x03\x00\x01\x00\x00\x00\xb2\x80"), 1)
			if bytes.Equal(b, old) {
				t.Fatal("the compression is not where it was")
			}
			out[c.name] = old
			continue
		}
		run(t, dir, "tiffcp", append(strings.Fields(c.args), c.from+".tif", "out.tif")...)
		b, err := os.ReadFile(filepath.Join(dir, "out.tif"))
		if err != nil {
			t.Fatal(err)
		}
		out[c.name] = b
	}
	return out
}

// decoded are the sizes and hashes of all pages of each file, by ImageMagick
// over libtiff.
func decoded(t *testing.T, files map[string][]byte) map[string]string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-limit", "thread", "1", "-quiet"} // with more, sums of floats come out in whatever order
	name := map[string]string{}
	for _, k := range slices.Sorted(maps.Keys(files)) { // what a picture comes out as depends on those before it
		path := strconv.Itoa(len(name)) + ".tif"
		name[path] = k
		if err := os.WriteFile(filepath.Join(dir, path), files[k], 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out := map[string]string{}
	for line := range strings.Lines(run(t, dir, "convert", append(args, "-depth", "16", "-format", "%f %wx%h %[orientation] %#\n", "info:")...)) {
		path, said, _ := strings.Cut(line, " ")
		out[name[path]] += said
	}
	if len(out) != len(files) {
		t.Fatalf("%d of %d files can be decoded", len(out), len(files))
	}
	return out
}

func TestTIFFsOfEveryKind(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-q", "-overwrite_original", "-ImageDescription=MARKER", "-Artist=MARKER", "-Make=MARKER", "-DateTimeOriginal=2026:03:01 10:00:00", "-GPSLatitude=51.5", "-GPSLatitudeRef=N",
		"-XMP:Creator=MARKER", "-IPTC:City=MARKER", "-Software=MARKER", "-HostComputer=MARKER", "-PageName=MARKER", "-Orientation#=6"}
	for name, b := range madeTIFFs(t) {
		if err := os.WriteFile(filepath.Join(dir, name+".tif"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name+".tif")
	}
	run(t, dir, "exiftool", args...)
	marked, cleaned := map[string][]byte{}, map[string][]byte{}
	for name := range madeTIFFs(t) {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, name+".tif"))
			if err != nil {
				t.Fatal(err)
			}
			out, r := must(t, b)
			if !bytes.Contains(b, []byte("MARKER")) || bytes.Contains(out, []byte("MARKER")) || bytes.Contains(out, []byte("2026:03")) {
				t.Error("a trace is left")
			}
			again, _ := must(t, out)
			if !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			for _, kind := range []string{"GPS", "make and model", "names and owner", "dates", "XMP", "IPTC", "computer", "page names", "software", "descriptions"} {
				if !strings.Contains(kinds(r.Receipt), kind) {
					t.Errorf("the receipt does not list %s: %s", kind, kinds(r.Receipt))
				}
			}
			if r.Receipt.CapturedAt == nil || r.Receipt.CapturedAt.Year() != 2026 {
				t.Errorf("captured at %v", r.Receipt.CapturedAt)
			}
			marked[name], cleaned[name] = b, out
		})
	}
	before, after := decoded(t, marked), decoded(t, cleaned)
	for name := range marked {
		if before[name] != after[name] || !strings.Contains(after[name], "RightTop") {
			t.Errorf("%s: the pixels or their orientation differ: %s, then %s", name, before[name], after[name])
		}
	}
}

func TestTIFFTraces(t *testing.T) {
	const mark = "MARKER"
	small := func(at int) []field {
		return grey(long(256, 4), long(257, 2), long(278, 2), long(273, at), long(279, 8), long(254, 1))
	}
	for name, c := range map[string]struct {
		file []byte
		kind string
	}{
		"text":             {tiffOf(greyPixels, grey(text(270, mark))), "descriptions"},
		"unknown tag":      {tiffOf(greyPixels, grey(text(60000, mark))), "camera settings"},
		"host":             {tiffOf(greyPixels, grey(text(316, mark))), "name of the computer"},
		"position":         {tiffOf(greyPixels, grey(text(34737, mark))), "GeoTIFF"},
		"layers":           {tiffOf(greyPixels, grey(field{37724, 7, 6, mark})), "Photoshop layers"},
		"profile":          {tiffOf(greyPixels, grey(field{34675, 7, 6, mark})), "malformed"},
		"unreferenced":     {tiffOf(greyPixels+strings.Repeat(mark, 9), grey()), "no part of the file refers to"},
		"tail":             {append(tiffOf(greyPixels, grey()), strings.Repeat(mark, 9)...), "no part of the file refers to"},
		"long strip":       {tiffOf(greyPixels+mark, grey(long(279, 38))), ""},
		"spare strip":      {tiffOf(greyPixels+mark, grey(long(273, 8, 40), long(279, 32, 6))), ""},
		"thumbnail":        {tiffOf(greyPixels+mark+"xx", grey(), small(40)), "thumbnail"},
		"thumbnail first":  {tiffOf(greyPixels, small(8), grey()), "thumbnail"},
		"mask":             {tiffOf(greyPixels+mark, grey(), append(grey(), long(254, 4))), "mask"},
		"beside EXIF":      {tiffOf(greyPixels, grey(text(271, mark)), grey(long(256, 4), long(257, 2), long(278, 2), long(279, 8))), "thumbnail"},
		"packed tail":      {tiffOf("\x1f"+greyPixels+mark, grey(short(259, 32773), long(279, 39))), ""},
		"inline tail":      {tiffOf(greyPixels, grey(field{258, 3, 1, "\x08\x00MA"})), ""},
		"resolution":       {tiffOf(greyPixels, grey(field{282, 5, 1, "MARKMARK"}, field{283, 5, 1, "MARKMARK"})), ""},
		"entries unsorted": {tiffOf(greyPixels, append([]field{text(270, mark)}, grey()...)), "descriptions"},
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, c.file)
			if bytes.Contains(out, []byte("MARK")) || bytes.Contains(out, []byte("MA\x00")) {
				t.Error("it is still there")
			}
			if !strings.Contains(kinds(r.Receipt), c.kind) {
				t.Errorf("the receipt says %s", kinds(r.Receipt))
			}
			if !bytes.Contains(out, []byte(greyPixels)) {
				t.Error("the picture is not")
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if r.Width != 8 || r.Height != 4 {
				t.Errorf("%d × %d", r.Width, r.Height)
			}
		})
	}
}

// What is written into the JPEGs inside a TIFF goes as from any JPEG.
func TestTIFFOfMarkedJPEGs(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "convert", "-size", "48x32", "plasma:fractal", "-quality", "90", "a.jpg")
	jpeg, err := os.ReadFile(filepath.Join(dir, "a.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	jpeg = after(jpeg, segment(0xfe, "MARKER"), segment(0xe1, "Exif\x00\x00MARKER"), segment(0xe5, "MARKER"))
	jpeg = append(jpeg, "MARKER"...)
	tables := "\xff\xd8" + string(segment(0xfe, "MARKER")) + string(segment(0xdb, "\x00"+strings.Repeat("\x01", 64))) + "\xff\xd9MARKER"
	b := tiffOf(string(jpeg), []field{long(256, 48), long(257, 32), short(258, 8, 8, 8), short(259, 7), short(262, 6), long(273, 8), short(277, 3), long(278, 32), long(279, len(jpeg)),
		{347, 7, len(tables), tables}, short(530, 1, 1)})
	out, r := must(t, b)
	if bytes.Contains(out, []byte("MARKER")) {
		t.Error("a trace is left")
	}
	for _, kind := range []string{"comment", "EXIF", "APP5", "data after"} {
		if !strings.Contains(kinds(r.Receipt), kind) {
			t.Errorf("the receipt says %s", kinds(r.Receipt))
		}
	}
	if d := decoded(t, map[string][]byte{"a": b, "b": out}); d["a"] != d["b"] {
		t.Error("the pixels differ")
	}
	if again, _ := must(t, out); !bytes.Equal(again, out) {
		t.Error("cleaning it again changes it")
	}
}

// What follows the last row of a fax no decoder draws.
func TestTIFFOfMarkedFaxes(t *testing.T) {
	faxes := map[string][]byte{"runs": tiffOf("\x83\x98\x83\x98MARKER", grey(short(258, 1), short(259, 2), short(262, 0), long(279, 10)))}
	for name, b := range madeTIFFs(t) {
		if !strings.HasPrefix(name, "fax") {
			continue
		}
		at := int(binary.LittleEndian.Uint32(b[4:])) // the directory; the strips come before it
		d := b[at:]
		n := int(binary.LittleEndian.Uint16(d))
		var fields []field
		var data []byte
		for i := range n {
			e := d[2+12*i:]
			f := field{int(binary.LittleEndian.Uint16(e)), int(binary.LittleEndian.Uint16(e[2:])), int(binary.LittleEndian.Uint32(e[4:])), string(e[8:12])}
			size := f.count * map[int]int{2: 1, 3: 2, 4: 4, 5: 8}[f.typ]
			if size > 4 {
				f.data = string(b[binary.LittleEndian.Uint32(e[8:]):][:size])
			} else {
				f.data = f.data[:size]
			}
			fields = append(fields, f)
		}
		numbers := func(s string) (out []int) {
			for ; len(s) >= 4; s = s[4:] {
				out = append(out, int(binary.LittleEndian.Uint32([]byte(s))))
			}
			return out
		}
		var offsets, sizes []int
		for _, f := range fields {
			switch f.tag {
			case 273:
				offsets = numbers(f.data)
			case 279:
				sizes = numbers(f.data)
			}
		}
		var newOffsets, newSizes []int
		for i := range offsets {
			newOffsets, newSizes = append(newOffsets, 8+len(data)), append(newSizes, sizes[i]+6)
			data = append(append(data, b[offsets[i]:][:sizes[i]]...), "MARKER"...)
		}
		for i, f := range fields {
			switch f.tag {
			case 273:
				fields[i] = long(273, newOffsets...)
			case 279:
				fields[i] = long(279, newSizes...)
			}
		}
		faxes[name] = tiffOf(string(data), fields)
	}
	if len(faxes) != 6 {
		t.Fatalf("%d faxes", len(faxes))
	}
	cleaned := map[string][]byte{}
	for name, b := range faxes {
		out, _ := must(t, b)
		if bytes.Contains(out, []byte("KER")) { // the first bits may pass for the start of an end of line
			t.Errorf("%s: a trace is left", name)
		}
		if again, _ := must(t, out); !bytes.Equal(again, out) {
			t.Errorf("%s: cleaning it again changes it", name)
		}
		cleaned[name] = out
	}
	before, after := decoded(t, faxes), decoded(t, cleaned)
	for name := range faxes {
		if before[name] != after[name] {
			t.Errorf("%s: the pixels differ", name)
		}
	}
}

func TestTIFFPages(t *testing.T) {
	out, r := must(t, tiffOf(greyPixels, grey(), grey(text(270, "MARKER")), grey(short(274, 6))))
	if n := bytes.Count(out, []byte(greyPixels)); n != 3 || bytes.Contains(out, []byte("MARKER")) {
		t.Errorf("%d pages", n)
	}
	if len(r.Receipt.Kept) != 1 || r.Receipt.Kept[0].Kind.String() != "3 pages" {
		t.Errorf("%+v", r.Receipt.Kept)
	}
}

// A fax has lines that are further apart than its dots; nothing else is told
// of the resolution.
func TestTIFFShape(t *testing.T) {
	x, y := "\xcc\x00\x00\x00\x01\x00\x00\x00", "\x62\x00\x00\x00\x01\x00\x00\x00"
	out, _ := must(t, tiffOf(greyPixels, grey(field{282, 5, 1, x}, field{283, 5, 1, y})))
	if !bytes.Contains(out, []byte("\x66\x00\x00\x00\x01\x00\x00\x00\x31\x00\x00\x00\x01\x00\x00\x00")) { // 102 to 49
		t.Error("the shape of the pixels is lost")
	}
	out, _ = must(t, tiffOf(greyPixels, grey(field{282, 5, 1, x}, field{283, 5, 1, x})))
	if bytes.Contains(out, []byte(x)) {
		t.Error("the resolution is still there")
	}
}

func TestTIFFRefusals(t *testing.T) {
	loop := tiffOf(greyPixels, grey())
	binary.LittleEndian.PutUint32(loop[len(loop)-4:], binary.LittleEndian.Uint32(loop[4:]))
	many := make([][]field, 2100)
	for i := range many {
		many[i] = []field{long(256, 8)}
	}
	strips := make([]int, 300_000)
	lots := make([]field, 1001)
	for i := range lots {
		lots[i] = long(60000, 1)
	}
	jpeg := string(encoded(t, media.JPEG))
	segments := "\xff\xd8" + strings.Repeat("\xff\xfe\x00\x02", 1_000_000) + jpeg[2:]
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"loop":                {loop, "media-structure"},
		"too many pages":      {tiffOf(greyPixels, many...), "media-structure"},
		"a million strips":    {tiffOf(greyPixels, grey(long(273, strips...), long(279, strips...), long(256, 1), long(257, 300_000), long(278, 1))), "media-structure"},
		"too many entries":    {tiffOf(greyPixels, append(grey(), lots...)), "media-structure"},
		"a million segments":  {tiffOf(segments, grey(short(259, 7), long(279, len(segments)))), "media-structure"},
		"tag twice":           {tiffOf(greyPixels, append(grey(), long(273, 12))), "media-structure"},
		"no directory":        {[]byte("II*\x00\x00\x00\x00\x00"), "media-damaged"},
		"directory outside":   {[]byte("II*\x00\xff\xff\xff\xff"), "media-truncated"},
		"strip outside":       {tiffOf(greyPixels, grey(long(273, 1<<30))), "media-truncated"},
		"strip short":         {tiffOf(greyPixels, grey(long(279, 31))), "media-truncated"},
		"strip on header":     {tiffOf(greyPixels, grey(long(273, 4))), "media-truncated"},
		"strip on directory":  {tiffOf(greyPixels, grey(long(273, 60))), "media-structure"},
		"strips overlap":      {tiffOf(greyPixels, grey(long(257, 4000), long(278, 4), long(273, slices.Repeat([]int{8}, 1000)...), long(279, slices.Repeat([]int{32}, 1000)...))), "media-structure"},
		"too few strips":      {tiffOf(greyPixels, grey(long(278, 1))), "media-damaged"},
		"no strips":           {tiffOf(greyPixels, grey(short(273, 0))[:5]), "media-damaged"},
		"bomb":                {tiffOf(greyPixels, grey(long(256, 100_000), long(257, 100_000))), "media-too-many-pixels"},
		"bomb of a tile":      {tiffOf(greyPixels, grey(long(322, 1<<30), long(323, 1<<30), long(324, 8), long(325, 32))), "media-too-many-pixels"},
		"bomb of samples":     {tiffOf(greyPixels, grey(long(256, 7000), long(257, 7000), long(278, 7000), short(259, 8), short(277, 16), short(258, slices.Repeat([]int{16}, 16)...))), "media-too-many-pixels"},
		"no pixels":           {tiffOf(greyPixels, grey(long(256, 0))), "media-damaged"},
		"no rows in a strip":  {tiffOf(greyPixels, grey(long(278, 0))), "media-damaged"},
		"packed short":        {tiffOf("\x1f0123", grey(short(259, 32773), long(279, 5))), "media-truncated"},
		"packed over":         {tiffOf("\x20"+greyPixels+"x", grey(short(259, 32773), long(279, 34))), "media-damaged"},
		"fax rubbish":         {tiffOf(greyPixels, grey(short(258, 1), short(259, 4))), "media-damaged"},
		"fax without lines":   {tiffOf(greyPixels, grey(short(258, 1), short(259, 3))), "media-damaged"},
		"fax cut":             {tiffOf("\x98\x98", grey(short(258, 1), short(259, 2), long(279, 2))), "media-truncated"},
		"LZW rubbish":         {tiffOf(greyPixels, grey(short(259, 5))), "media-damaged"},
		"deflate rubbish":     {tiffOf(greyPixels, grey(short(259, 8))), "media-damaged"},
		"JPEG rubbish":        {tiffOf(greyPixels, grey(short(259, 7))), "media-damaged"},
		"JPEG of other size":  {tiffOf(jpeg, grey(short(259, 7), long(279, len(jpeg)))), "media-damaged"},
		"DNG":                 {tiffOf(greyPixels, grey(field{50706, 1, 4, "\x01\x04\x00\x00"})), "format-not-accepted"},
		"sensor data":         {tiffOf(greyPixels, grey(short(262, 32803))), "format-not-accepted"},
		"linear raw":          {tiffOf(greyPixels, grey(short(262, 34892))), "format-not-accepted"},
		"Pentax":              {tiffOf(greyPixels, grey(short(259, 65535))), "format-not-accepted"},
		"old JPEG":            {tiffOf(greyPixels, grey(short(259, 6))), "format-not-accepted"},
		"Zstandard":           {tiffOf(greyPixels, grey(short(259, 50000))), "format-not-accepted"},
		"unknown compression": {tiffOf(greyPixels, grey(short(259, 12345))), "format-not-accepted"},
		"LogL":                {tiffOf(greyPixels, grey(short(262, 32844))), "format-not-accepted"},
		"odd depths":          {tiffOf(greyPixels, grey(short(258, 5, 6, 5), short(277, 3), short(262, 2))), "format-not-accepted"},
		"palette missing":     {tiffOf(greyPixels, grey(short(262, 3))), "media-damaged"},
		"palette short":       {tiffOf(greyPixels, grey(short(262, 3), short(320, 1, 2, 3))), "media-damaged"},
		"inks":                {tiffOf(greyPixels, grey(long(256, 2), short(262, 5), short(277, 4), short(258, 8, 8, 8, 8), short(332, 2))), "format-not-accepted"},
		"only a thumbnail":    {tiffOf(greyPixels, grey(long(254, 1))), "media-damaged"},
	} {
		if _, _, err := clean(t, c.file); err == nil || fault.From(err).Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// Cut anywhere, a TIFF is refused, or its picture is whole.
func TestTIFFTruncatedAtEveryByte(t *testing.T) {
	files := map[string][]byte{"grey": tiffOf(greyPixels, grey(text(270, "some text")))}
	for _, name := range []string{"lzw", "deflate", "JPEG", "fax G4"} {
		files[name] = madeTIFFs(t)[name]
	}
	for name, b := range files {
		whole, _ := must(t, b)
		step := max(1, len(b)/2000)
		for n := 0; n < len(b); n += step {
			out, _, err := clean(t, b[:n])
			if err != nil && fault.From(err).Kind == fault.Internal {
				t.Fatalf("%s of %d bytes: %v", name, n, err)
			}
			if err == nil && !bytes.Equal(out, whole) {
				t.Fatalf("%s of %d of %d bytes is accepted as another picture", name, n, len(b))
			}
		}
	}
}

// A file that is something else at its end, or that says so at its start, is
// only a TIFF afterwards.
func TestTIFFPolyglots(t *testing.T) {
	plain, _ := must(t, tiffOf(greyPixels, grey()))
	for _, other := range []string{"PK\x03\x04 a zip", "%PDF-1.7 a document", "<html><script>", string(encoded(t, media.JPEG))} {
		for _, b := range [][]byte{append(tiffOf(greyPixels, grey()), other...), tiffOf(greyPixels+other, grey())} {
			if out, _ := must(t, b); !bytes.Equal(out, plain) {
				t.Errorf("something of %.10q is left", other)
			}
		}
	}
}

// Each change of a clean file that adds something is found.
func TestVerifierFindsWhatIsLeftInTIFF(t *testing.T) {
	out, _ := must(t, tiffOf(greyPixels, grey(short(274, 6)), grey()))
	check := func(b []byte) error {
		return verify.File(context.Background(), bytes.NewReader(b), int64(len(b)), media.TIFF)
	}
	if err := check(out); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	entry := func(b []byte, tag uint16) []byte {
		for i := range int(le.Uint16(b[8:])) {
			if e := b[10+12*i:]; le.Uint16(e) == tag {
				return e[:12]
			}
		}
		t.Fatalf("no tag %d", tag)
		return nil
	}
	for name, change := range map[string]func(b []byte) []byte{
		"a byte at the end":       func(b []byte) []byte { return append(b, 'x') },
		"a byte less":             func(b []byte) []byte { return b[:len(b)-1] },
		"another tag":             func(b []byte) []byte { le.PutUint16(entry(b, 274), 275); return b },
		"another type":            func(b []byte) []byte { entry(b, 274)[2] = 1; return b },
		"another count":           func(b []byte) []byte { entry(b, 274)[4] = 2; return b },
		"bytes beside a value":    func(b []byte) []byte { entry(b, 274)[11] = 'x'; return b },
		"a value elsewhere":       func(b []byte) []byte { entry(b, 282)[8] += 2; return b },
		"a resolution":            func(b []byte) []byte { at := le.Uint32(entry(b, 282)[8:]); b[at], b[at+8] = 96, 96; return b },
		"a strip elsewhere":       func(b []byte) []byte { entry(b, 273)[8]++; return b },
		"a shorter strip":         func(b []byte) []byte { entry(b, 279)[8]--; return b },
		"fewer rows":              func(b []byte) []byte { entry(b, 257)[8]--; entry(b, 278)[8]--; return b },
		"a preview":               func(b []byte) []byte { entry(b, 254)[8] = 1; return b },
		"an unknown compression":  func(b []byte) []byte { le.PutUint16(entry(b, 259)[8:], 34925); return b },
		"a second page elsewhere": func(b []byte) []byte { b[10+12*int(le.Uint16(b[8:]))]++; return b },
		"no upright orientation":  func(b []byte) []byte { entry(b, 274)[8] = 1; return b },
	} {
		if err := check(change(bytes.Clone(out))); err == nil {
			t.Errorf("%s is not found", name)
		}
	}
	for name, b := range madeTIFFs(t) { // as the tools write them
		if err := check(b); err == nil {
			t.Errorf("%s as it came is taken for clean", name)
		}
	}
}

func FuzzTIFF(f *testing.F) {
	fuzz(f, func() [][]byte {
		seeds := [][]byte{tiffOf(greyPixels, grey(text(270, "text"), short(274, 6))), tiffOf(greyPixels, grey(), grey())}
		return slices.AppendSeq(seeds, maps.Values(madeTIFFs(f)))
	})
}

// A number in a message is for the user: the limit that counts.
func TestTIFFPixelLimit(t *testing.T) {
	b := tiffOf(greyPixels, grey())
	_, err := sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.TIFF, sanitise.Options{MaxPixels: 31})
	if fault.From(err).Code != "media-too-many-pixels" || !strings.Contains(fault.From(err).Message.String(), strconv.Itoa(8)) {
		t.Error(err)
	}
}

// Every TIFF of the shared corpus, where there is one: refused for a reason, or
// clean and steady.
func TestTIFFCorpus(t *testing.T) {
	files, err := filepath.Glob("../../../shared/corpus/tiff/*")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := clean(t, b)
		if err != nil {
			if refused++; fault.From(err).Kind == fault.Internal || strings.Contains(err.Error(), "not-certified") {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
			continue
		}
		if again, _, err := clean(t, out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("%s: cleaning it again: %v", filepath.Base(path), err)
		}
	}
	if refused > 4 { // three that are broken on purpose, and a BigTIFF
		t.Errorf("%d of %d are refused", refused, len(files))
	}
}
