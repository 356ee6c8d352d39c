package sanitise_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	stdpng "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/image/webp"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// webpTool runs a program in a folder that holds three pictures, 0.png to 2.png,
// and gives what it wrote into out.webp.
func webpTool(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for i := range 3 {
		m := image.NewNRGBA(image.Rect(0, 0, 33, 20))
		for k := range m.Pix {
			m.Pix[k] = byte(k*(i+3)) | 1
		}
		m.Set(i, i, color.Transparent)
		var b bytes.Buffer
		if err := stdpng.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.png", i)), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(servers.Binary(t, name), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "out.webp"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func lossyWebP(t testing.TB) []byte {
	return webpTool(t, "cwebp", "-quiet", "-noalpha", "0.png", "-o", "out.webp")
}

func losslessWebP(t testing.TB) []byte {
	return webpTool(t, "cwebp", "-quiet", "-lossless", "0.png", "-o", "out.webp")
}

func alphaWebP(t testing.TB) []byte {
	return webpTool(t, "cwebp", "-quiet", "0.png", "-o", "out.webp")
}

func movingWebP(t testing.TB) []byte {
	return webpTool(t, "img2webp", "-loop", "3", "-min_size", "-lossy", "-d", "70", "0.png", "1.png", "-lossless", "2.png", "-o", "out.webp")
}

func webpChunk(kind, data string) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(data)))
	return append(append(b, data...), make([]byte, len(data)&1)...)
}

func webpOf(parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body))), "WEBP"...), body...)
}

// vp8x is the extended header of the test pictures.
func vp8x(flags byte) []byte {
	return webpChunk("VP8X", string([]byte{flags, 0, 0, 0, 32, 0, 0, 19, 0, 0}))
}

func sameWebP(t *testing.T, a, b []byte) {
	t.Helper()
	x, err1 := webp.Decode(bytes.NewReader(a))
	y, err2 := webp.Decode(bytes.NewReader(b))
	if err1 != nil || err2 != nil || !reflect.DeepEqual(x, y) {
		t.Errorf("the pixels differ: %v, %v", err1, err2)
	}
}

const exifSix = "II*\x00\x08\x00\x00\x00\x02\x00\x0f\x01\x02\x00\x12\x00\x00\x00\x26\x00\x00\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00" + traceMark

// onlySix is the block that says an orientation of 6 and nothing else.
const onlySix = "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"

func TestWebP(t *testing.T) {
	lossy, lossless, alpha, moving := lossyWebP(t), losslessWebP(t), alphaWebP(t), movingWebP(t)
	for name, b := range map[string][]byte{"lossy": lossy, "lossless": lossless, "alpha": alpha, "moving": moving} {
		out, r := must(t, b)
		if !bytes.Equal(out, b) {
			t.Errorf("%s: without traces, and changes", name)
		}
		if r.Width != 33 || r.Height != 20 || len(r.Receipt.Removed) != 0 {
			t.Errorf("%s: %d × %d, removed %s", name, r.Width, r.Height, kinds(r.Receipt))
		}
	}
	picture, clear := lossy[12:], lossless[12:]
	junk := webpChunk("JUNK", traceMark)
	rest := moving[30:] // behind VP8X
	anim, frames := rest[:14], rest[14:]
	first := frames[:8+binary.LittleEndian.Uint32(frames[4:])]
	longer := bytes.Join([][]byte{first, junk}, nil)
	binary.LittleEndian.PutUint32(longer[4:], uint32(len(longer)-8))
	reserved := bytes.Clone(first)
	reserved[23] |= 0xfc
	raw := "\x00" + strings.Repeat("\x80", 33*20)

	for name, c := range map[string]struct {
		file, want []byte
		kind       string
	}{
		"XMP":             {webpOf(vp8x(4), picture, webpChunk("XMP ", traceMark)), webpOf(vp8x(0), picture), "XMP"},
		"EXIF":            {webpOf(vp8x(8), picture, webpChunk("EXIF", exifSix)), webpOf(vp8x(8), picture, webpChunk("EXIF", onlySix)), "make and model"},
		"EXIF as in JPEG": {webpOf(vp8x(8), picture, webpChunk("EXIF", "Exif\x00\x00"+exifSix)), webpOf(vp8x(8), picture, webpChunk("EXIF", onlySix)), "EXIF"},
		"EXIF before":     {webpOf(vp8x(8), webpChunk("EXIF", exifSix), picture), webpOf(vp8x(8), picture, webpChunk("EXIF", onlySix)), "EXIF"},
		"EXIF damaged":    {webpOf(vp8x(8), picture, webpChunk("EXIF", traceMark)), webpOf(vp8x(0), picture), "EXIF damaged"},
		"EXIF twice":      {webpOf(vp8x(8), webpChunk("EXIF", exifSix), picture, webpChunk("EXIF", exifSix)), webpOf(vp8x(8), picture, webpChunk("EXIF", onlySix)), "EXIF"},
		"EXIF in short":   {webpOf(picture, webpChunk("EXIF", exifSix)), lossy, "EXIF"},
		"profile damaged": {webpOf(vp8x(0x20), webpChunk("ICCP", traceMark), picture), webpOf(vp8x(0), picture), "malformed"},
		"unknown":         {webpOf(vp8x(0), junk, picture, junk), webpOf(vp8x(0), picture), "unknown"},
		"unknown, short":  {webpOf(picture, junk), lossy, "unknown"},
		"lossless":        {webpOf(vp8x(0x14), clear, junk), webpOf(vp8x(0x10), clear), "unknown"},
		"false flags":     {webpOf(vp8x(0xed), picture), webpOf(vp8x(0), picture), ""},
		"tail":            {append(bytes.Clone(lossy), traceMark...), lossy, "data after"},
		"ZIP tail":        {append(bytes.Clone(alpha), "PK\x03\x04"+traceMark...), alpha, "data after"},
		"inside RIFF":     {webpOf(lossy[12:], []byte(traceMark[:7])), lossy, "between chunks"},
		"second picture":  {webpOf(picture, clear), lossy, "further pictures"},
		"in a frame":      {webpOf(vp8x(0x12), anim, longer), webpOf(vp8x(0x12), anim, first), "unknown"},
		"between frames":  {webpOf(vp8x(0x12), anim, junk, first, junk, first), webpOf(vp8x(0x12), anim, first, first), "unknown"},
		"frame flags":     {webpOf(vp8x(0x12), anim, reserved), webpOf(vp8x(0x12), anim, append(append(bytes.Clone(first[:23]), first[23]&3), first[24:]...)), ""},
		"longer settings": {webpOf(vp8x(0x12), webpChunk("ANIM", string(anim[8:])+traceMark), first), webpOf(vp8x(0x12), anim, first), "settings"},
		"after raw alpha": {webpOf(vp8x(0x10), webpChunk("ALPH", raw+traceMark), picture), webpOf(vp8x(0x10), webpChunk("ALPH", raw), picture), "last pixel"},
		"late alpha":      {webpOf(vp8x(0), picture, webpChunk("ALPH", raw+traceMark)), webpOf(vp8x(0), picture), "further"},
		"loose frame":     {webpOf(vp8x(0), picture, webpChunk("ANMF", traceMark)), webpOf(vp8x(0), picture), "further"},
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, c.file)
			if bytes.Contains(out, []byte(traceMark[:6])) {
				t.Error("it is still there")
			}
			if !strings.Contains(kinds(r.Receipt), c.kind) {
				t.Errorf("the receipt says %s", kinds(r.Receipt))
			}
			if !bytes.Equal(out, c.want) {
				t.Errorf("%x is not %x", out, c.want)
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if !strings.Contains(string(out), "ANMF") {
				sameWebP(t, c.file[:8+binary.LittleEndian.Uint32(c.file[4:])], out)
			}
		})
	}
	// Padding that is not zero is made so.
	odd := string(picture[8:])
	if len(odd)%2 == 0 {
		odd += "x"
	}
	padded := webpOf(webpChunk("VP8 ", odd))
	want := bytes.Clone(padded)
	padded[len(padded)-1] = 'M'
	if out, _ := must(t, padded); !bytes.Equal(out, want) {
		t.Error("padding tells something")
	}
	if out, _ := must(t, webpOf(vp8x(0), picture, webpChunk("EXIF", exifSix))); !bytes.Contains(out, []byte(onlySix)) {
		t.Error("the orientation is lost when its flag is missing")
	}
}

// A colour profile stays, without its names, and so do its colours.
func TestWebPProfile(t *testing.T) {
	p := namedProfile(traceMark)
	b := webpOf(vp8x(0x20), webpChunk("ICCP", p), lossyWebP(t)[12:])
	out, r := must(t, b)
	if !bytes.Contains(out, []byte("ICCP")) || bytes.Contains(out, []byte(traceMark)) || !bytes.Contains(out, []byte("wtpt")) {
		t.Error("the profile is not reduced")
	}
	if !strings.Contains(kinds(r.Receipt), "names and dates") || len(r.Receipt.Kept) != 1 {
		t.Errorf("%+v", r.Receipt)
	}
	if again, _ := must(t, out); !bytes.Equal(again, out) {
		t.Error("cleaning it again changes it")
	}
}

// namedProfile is a small colour profile that names somebody.
func namedProfile(name string) string {
	be := binary.BigEndian
	head := make([]byte, 128)
	copy(head[4:], name[:4])
	copy(head[8:], "\x04\x00\x00\x00mntrRGB XYZ ")
	copy(head[36:], "acsp")
	copy(head[48:], name[:8])
	text := "text\x00\x00\x00\x00" + name
	text += strings.Repeat("\x00", -len(text)&3)
	white := "XYZ \x00\x00\x00\x00\x00\x00\xf6\xd6\x00\x01\x00\x00\x00\x00\xd3\x2d"
	table := be.AppendUint32(nil, 2)
	table = append(table, "cprt"...)
	table = be.AppendUint32(be.AppendUint32(table, 156), uint32(len(text)))
	table = append(table, "wtpt"...)
	table = be.AppendUint32(be.AppendUint32(table, uint32(156+len(text))), 20)
	all := string(head) + string(table) + text + white
	return string(be.AppendUint32(nil, uint32(len(all)))) + all[4:]
}

func TestWebPRefusals(t *testing.T) {
	lossy, alpha, moving := lossyWebP(t), alphaWebP(t), movingWebP(t)
	for _, whole := range [][]byte{lossy, losslessWebP(t), alpha, moving} {
		for n := 12; n < len(whole); n++ {
			if _, _, err := clean(t, whole[:n]); fault.From(err) == nil || fault.From(err).Code != "media-truncated" {
				t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
			}
		}
	}
	picture, clear := lossy[12:], losslessWebP(t)[12:]
	with := func(b []byte, at int, put ...byte) []byte {
		x := bytes.Clone(b)
		copy(x[at:], put)
		return x
	}
	anim := moving[30:44]
	first := moving[44:][:8+binary.LittleEndian.Uint32(moving[48:])]
	huge := webpChunk("VP8X", "\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff")
	tiny := webpChunk("ANMF", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"+string(webpChunk("VP8L", "\x2f\x00\x00\x00\x00")))
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"bomb":              {webpOf(huge, picture), "media-too-many-pixels"},
		"lossless bomb":     {with(webpOf(clear), 21, 0xff, 0xff, 0xff, 0x1f), "media-too-many-pixels"},
		"lossy bomb":        {with(lossy, 26, 0xff, 0x3f, 0xff, 0x3f), "media-too-many-pixels"},
		"other size":        {with(webpOf(vp8x(0), picture), 24, 31), "media-damaged"},
		"no key frame":      {with(lossy, 20, lossy[20]|1), "media-damaged"},
		"long partition":    {with(lossy, 21, 0xff, 0xff), "media-damaged"},
		"no pixels":         {with(lossy, 26, 0, 0), "media-damaged"},
		"lossless version":  {with(webpOf(clear), 24, 0xff), "media-damaged"},
		"short picture":     {webpOf(webpChunk("VP8 ", "x")), "media-damaged"},
		"no picture":        {webpOf(vp8x(0)), "media-damaged"},
		"unknown first":     {webpOf(webpChunk("JUNK", traceMark), picture), "media-damaged"},
		"alpha of lossless": {webpOf(vp8x(0x10), webpChunk("ALPH", "\x01x"), clear), "media-damaged"},
		"alpha too short":   {webpOf(vp8x(0x10), webpChunk("ALPH", "\x00x"), picture), "media-truncated"},
		"alpha kind":        {webpOf(vp8x(0x10), webpChunk("ALPH", "\x02x"), picture), "media-damaged"},
		"alpha alone":       {webpOf(vp8x(0x10), webpChunk("ALPH", "\x01x")), "media-damaged"},
		"no settings":       {webpOf(vp8x(2), first), "media-damaged"},
		"no frames":         {webpOf(vp8x(2), anim), "media-damaged"},
		"picture and frame": {webpOf(vp8x(2), anim, first, picture), "media-damaged"},
		"frame outside":     {webpOf(vp8x(2), anim, with(first, 8, 9)), "media-damaged"},
		"frame of another":  {webpOf(vp8x(2), anim, with(first, 14, 3)), "media-damaged"},
		"empty frame":       {webpOf(vp8x(2), anim, webpChunk("ANMF", string(first[8:24]))), "media-damaged"},
		"chunk size":        {with(lossy, 16, 0xff, 0xff, 0xff, 0xff), "media-truncated"},
		"RIFF size":         {with(lossy, 4, 0xff, 0xff, 0xff, 0x7f), "media-truncated"},
		"RIFF size 0":       {with(lossy, 4, 0, 0, 0, 0), "media-damaged"},
		"endless chunks":    {webpOf(vp8x(0), picture, bytes.Repeat(webpChunk("JUNK", ""), 250_000)), "media-structure"},
		"many frames":       {webpOf(vp8x(2), anim, bytes.Repeat(tiny, 10_001)), "media-too-many-pixels"},
	} {
		_, _, err := clean(t, c.file)
		if e := fault.From(err); e == nil || e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if out, _ := must(t, webpOf(picture, bytes.Repeat(webpChunk("JUNK", "x"), 100_000))); !bytes.Equal(out, lossy) {
		t.Error("100,000 chunks do not leave the picture")
	}
	if _, err := sanitise.File(t.Context(), bytes.NewReader(moving), int64(len(moving)), media.WebP, sanitise.Options{MaxPixels: 33*20 - 1}); fault.From(err) == nil {
		t.Error("the limit of pixels does not hold")
	}
}

func FuzzWebP(f *testing.F) {
	fuzz(f, func() [][]byte {
		lossy, moving := lossyWebP(f), movingWebP(f)
		return [][]byte{lossy, losslessWebP(f), alphaWebP(f), moving,
			webpOf(vp8x(0x2c), webpChunk("ICCP", namedProfile(traceMark)), lossy[12:], webpChunk("EXIF", exifSix), webpChunk("XMP ", traceMark))}
	})
}

// Tags that share one large piece of data do not make a small profile large.
func TestProfileThatGrows(t *testing.T) {
	be := binary.BigEndian
	p := make([]byte, 1<<20)
	be.PutUint32(p, uint32(len(p)))
	copy(p[36:], "acsp")
	be.PutUint32(p[128:], 60)
	for i := range 60 {
		e := p[132+12*i:]
		copy(e, "A2B0")
		be.PutUint32(e[4:], uint32(1000+8*i))
		be.PutUint32(e[8:], uint32(len(p)-1000-8*i))
		copy(p[1000+8*i:], "mft2\x00\x00\x00\x00")
	}
	out, r := must(t, webpOf(vp8x(0x20), webpChunk("ICCP", string(p)), lossyWebP(t)[12:]))
	if len(out) > 10_000 || !strings.Contains(kinds(r.Receipt), "malformed") {
		t.Errorf("%d bytes; %s", len(out), kinds(r.Receipt))
	}
}

// Of very many EXIF blocks only the first are read, and none is kept whole.
func TestManyEXIFBlocks(t *testing.T) {
	out, _ := must(t, webpOf(vp8x(8), lossyWebP(t)[12:], bytes.Repeat(webpChunk("EXIF", exifSix), 100_000)))
	if bytes.Count(out, []byte("EXIF")) != 1 || !bytes.HasSuffix(out, []byte(onlySix)) {
		t.Error("not only the orientation is left")
	}
	head, data, end := pngParts(encoded(t, media.PNG))
	out, _ = must(t, pngOf(head, bytes.Repeat(chunk("eXIf", exifSix), 99_000), data, end))
	if !bytes.Equal(out, pngOf(head, chunk("eXIf", onlySix), data, end)) {
		t.Error("not only the orientation is left")
	}
}
