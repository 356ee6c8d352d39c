package derive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gen2brain/avif"
	"github.com/gen2brain/heic"

	"github.com/wardseal/wardseal/internal/media"
)

// made has a tool make a file out of the quarters, as a PNG of 400 by 200, and
// gives its bytes. In args IN and OUT stand for the two.
func made(t testing.TB, ext string, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.png"), filepath.Join(dir, "out"+ext)
	if err := os.WriteFile(in, pngOf(t, quarters(400, 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	line := []string{}
	for _, a := range args[1:] {
		switch a {
		case "IN":
			a = in
		case "OUT":
			a = out
		}
		line = append(line, a)
	}
	if said, err := exec.Command(tool(t, args[0]), line...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// corners checks the four corners of a picture's preview, from the upper left.
func corners(t *testing.T, what string, p Picture, want [4]color.NRGBA) {
	t.Helper()
	img := decoded(t, p)
	for k, c := range want {
		x, y := p.Width/8+k%2*p.Width*3/4, p.Height/8+k/2*p.Height*3/4
		if got := img.At(x, y); !near(got, c, 6) {
			t.Errorf("%s: corner %d is %v, not %v", what, k, got, c)
		}
	}
}

var upCorners = [4]color.NRGBA{red, green, blue, yellow}

func TestEveryStillFormat(t *testing.T) {
	m := maker(t, "child", Config{})
	for name, c := range map[string]struct {
		f media.Format
		b []byte
	}{
		"GIF":                   {media.GIF, made(t, ".gif", "convert", "IN", "OUT")},
		"lossy WebP":            {media.WebP, made(t, ".webp", "cwebp", "-quiet", "-q", "95", "IN", "-o", "OUT")},
		"lossless WebP":         {media.WebP, made(t, ".webp", "cwebp", "-quiet", "-lossless", "IN", "-o", "OUT")},
		"animated WebP":         {media.WebP, made(t, ".webp", "img2webp", "-lossy", "-q", "95", "IN", "IN", "-o", "OUT")},
		"TIFF":                  {media.TIFF, made(t, ".tif", "convert", "IN", "-compress", "LZW", "OUT")},
		"HEIC":                  {media.HEIC, made(t, ".heic", "heif-enc", "-q", "95", "IN", "-o", "OUT")},
		"HEIC of BT.709":        {media.HEIC, made(t, ".heic", "heif-enc", "-q", "95", "--matrix_coefficients", "1", "IN", "-o", "OUT")},
		"HEIC in narrow range":  {media.HEIC, made(t, ".heic", "heif-enc", "-q", "95", "--full_range_flag", "0", "IN", "-o", "OUT")},
		"lossless HEIC":         {media.HEIC, made(t, ".heic", "heif-enc", "-L", "-p", "chroma=444", "--matrix_coefficients", "0", "IN", "-o", "OUT")},
		"HEIC called HEIF":      {media.HEIC, branded(made(t, ".heic", "heif-enc", "-q", "95", "IN", "-o", "OUT"), "mif1")},
		"AVIF":                  {media.AVIF, made(t, ".avif", "avifenc", "-s", "9", "IN", "OUT")},
		"AVIF of 10 bits":       {media.AVIF, made(t, ".avif", "avifenc", "-s", "9", "-d", "10", "IN", "OUT")},
		"AVIF in narrow range":  {media.AVIF, made(t, ".avif", "avifenc", "-s", "9", "-r", "limited", "IN", "OUT")},
		"16-bit TIFF, deflated": {media.TIFF, made(t, ".tif", "convert", "IN", "-depth", "16", "-compress", "Zip", "OUT")},
	} {
		out, err := derive(m, c.b, c.f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if out.Width != 400 || out.Height != 200 || out.Pictures[0].Width != 400 || out.Pictures[1].Width != 320 {
			t.Errorf("%s: %d by %d", name, out.Width, out.Height)
		}
		corners(t, name, out.Pictures[0], upCorners)
	}
	if heic.Dynamic() == nil || avif.Dynamic() == nil {
		t.Error("a C library was loaded")
	}
}

func branded(b []byte, brand string) []byte {
	copy(b[8:], brand)
	return b
}

// A picture is turned once: by the decoder, or by us.
func TestTurnedOnce(t *testing.T) {
	m := maker(t, "child", Config{})
	quarter := map[int][4]color.NRGBA{ // counter-clockwise
		1: {green, yellow, red, blue}, 2: {yellow, blue, green, red}, 3: {blue, red, yellow, green},
	}
	check := func(name string, b []byte, f media.Format, tall bool, want [4]color.NRGBA) {
		t.Helper()
		out, err := derive(m, b, f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if w, h := 400, 200; tall && (out.Width != h || out.Height != w) || !tall && (out.Width != w || out.Height != h) {
			t.Errorf("%s: %d by %d", name, out.Width, out.Height)
		}
		corners(t, name, out.Pictures[0], want)
	}
	plain := made(t, ".heic", "heif-enc", "-q", "95", "IN", "-o", "OUT")
	for by, want := range quarter {
		turned := bytes.Clone(plain) // the bit depths make way for a rotation of the same length
		at := bytes.Index(turned, []byte("pixi"))
		copy(turned[at:], append([]byte("irot"), byte(by)))
		check("HEIC", turned, media.HEIC, by != 2, want)
		check("AVIF", made(t, ".avif", "avifenc", "-s", "9", "--irot", string(rune('0'+by)), "IN", "OUT"), media.AVIF, by != 2, want)
	}
	check("AVIF upside down", made(t, ".avif", "avifenc", "-s", "9", "--imir", "0", "IN", "OUT"), media.AVIF, false, [4]color.NRGBA{blue, yellow, red, green})
	check("AVIF in a mirror", made(t, ".avif", "avifenc", "-s", "9", "--imir", "1", "IN", "OUT"), media.AVIF, false, [4]color.NRGBA{green, red, yellow, blue})
	check("AVIF turned, then mirrored", made(t, ".avif", "avifenc", "-s", "9", "--irot", "1", "--imir", "1", "IN", "OUT"), media.AVIF, true, [4]color.NRGBA{yellow, green, blue, red})
	check("TIFF", made(t, ".tif", "convert", "IN", "-orient", "RightTop", "OUT"), media.TIFF, true, quarter[3])
	webp := made(t, ".webp", "cwebp", "-quiet", "-q", "95", "IN", "-o", "OUT")
	path := filepath.Join(t.TempDir(), "turned.webp")
	if err := os.WriteFile(path, webp, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(tool(t, "exiftool"), "-q", "-overwrite_original", "-n", "-Orientation=6", path).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, said)
	}
	webp, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check("WebP", webp, media.WebP, true, quarter[3])
}

func TestTurns(t *testing.T) {
	for o, want := range map[int][]turn{
		1: nil, 2: {{true, 1}}, 3: {{by: 2}}, 4: {{true, 0}}, 6: {{by: 3}}, 8: {{by: 1}}, 5: {{by: 3}, {true, 1}}, 7: {{by: 1}, {true, 1}},
	} {
		if got := turned(want); got != o {
			t.Errorf("%v is orientation %d, not %d", want, got, o)
		}
	}
}

// A first frame that covers part of the canvas stays where it is.
func TestFirstFrames(t *testing.T) {
	m := maker(t, "child", Config{})
	palette := color.Palette{red, green, blue, yellow}
	frame := image.NewPaletted(image.Rect(200, 0, 400, 100), palette)
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	later := image.NewPaletted(image.Rect(0, 0, 400, 200), palette)
	var b bytes.Buffer
	err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame, later}, Delay: []int{1, 1}, Config: image.Config{Width: 400, Height: 200, ColorModel: palette}})
	if err != nil {
		t.Fatal(err)
	}
	white := color.NRGBA{255, 255, 255, 255}
	want := [4]color.NRGBA{white, green, white, white}
	out, err := derive(m, b.Bytes(), media.GIF)
	if err != nil {
		t.Fatal(err)
	}
	corners(t, "GIF", out.Pictures[0], want)

	// The same as an animated WebP: one frame of 200 by 100 at 200, 0.
	small := made(t, ".webp", "convert", "-size", "200x100", "xc:rgb(30,160,60)", "-define", "webp:lossless=true", "OUT")
	head := []byte("VP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x8f\x01\x00\xc7\x00\x00ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	anmf := append([]byte{100, 0, 0, 0, 0, 0, 199, 0, 0, 99, 0, 0, 1, 0, 0, 0}, small[12:]...)
	body := append(head, append(binary.LittleEndian.AppendUint32([]byte("ANMF"), uint32(len(anmf))), anmf...)...)
	webp := append(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body))), "WEBP"...), body...)
	if out, err = derive(m, webp, media.WebP); err != nil {
		t.Fatal(err)
	}
	corners(t, "WebP", out.Pictures[0], want)
}

// Wide colours without a profile get one; the numbers stay as they are.
func TestWideColours(t *testing.T) {
	m := maker(t, "child", Config{})
	for name, c := range map[string]struct {
		f media.Format
		b []byte
	}{
		"AVIF": {media.AVIF, made(t, ".avif", "avifenc", "-s", "9", "--cicp", "12/13/6", "IN", "OUT")},
		"HEIC": {media.HEIC, made(t, ".heic", "heif-enc", "-q", "95", "-p", "x265:colorprim=smpte432", "-p", "x265:transfer=iec61966-2-1", "IN", "-o", "OUT")},
		"PNG":  {media.PNG, chunk(pngOf(t, quarters(400, 200)), "cICP", []byte{12, 13, 0, 1})},
	} {
		out, err := derive(m, c.b, c.f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		corners(t, name, out.Pictures[0], upCorners)
		for _, p := range out.Pictures {
			if profile := jpegFacts(p.Bytes).profile; !bytes.Equal(profile, p3Profile()) {
				t.Errorf("%s: a profile of %d bytes", name, len(profile))
			}
		}
	}
	// An sRGB file gets none.
	out, err := derive(m, made(t, ".avif", "avifenc", "-s", "9", "--cicp", "1/13/6", "IN", "OUT"), media.AVIF)
	if err != nil || jpegFacts(out.Pictures[0].Bytes).profile != nil {
		t.Errorf("sRGB: %v", err)
	}
}

// Colours that are converted are what the standards say, to a level or two.
func TestConversions(t *testing.T) {
	pixel := func(c coding, r, g, b uint8) ([3]uint8, bool) {
		img := &image.NRGBA{Pix: []uint8{r, g, b, 255}, Stride: 4, Rect: image.Rect(0, 0, 1, 1)}
		profile := c.shown(img)
		return [3]uint8(img.Pix), profile != nil
	}
	for name, c := range map[string]struct {
		coding coding
		in     [3]uint8
		want   [3]uint8
		wide   bool
	}{
		"sRGB":                {coding{primaries: 1, transfer: 13}, [3]uint8{10, 128, 250}, [3]uint8{10, 128, 250}, false},
		"nothing said":        {coding{}, [3]uint8{10, 128, 250}, [3]uint8{10, 128, 250}, false},
		"Display P3":          {coding{primaries: 12, transfer: 13}, [3]uint8{10, 128, 250}, [3]uint8{10, 128, 250}, true},
		"linear":              {coding{primaries: 1, transfer: 8}, [3]uint8{55, 55, 55}, [3]uint8{128, 128, 128}, false},
		"BT.2020 grey":        {coding{primaries: 9, transfer: 13}, [3]uint8{128, 128, 128}, [3]uint8{128, 128, 128}, true},
		"BT.2020 skin":        {coding{primaries: 9, transfer: 13}, [3]uint8{190, 150, 130}, [3]uint8{202, 148, 128}, true}, // by the matrices of BT.2020 and P3
		"PQ at a quarter":     {coding{primaries: 9, transfer: 16}, [3]uint8{113, 113, 113}, [3]uint8{138, 138, 138}, true}, // 50.75 cd/m2 of 203
		"PQ at its brightest": {coding{primaries: 9, transfer: 16}, [3]uint8{255, 255, 255}, [3]uint8{255, 255, 255}, true},
		"HLG black":           {coding{primaries: 9, transfer: 18}, [3]uint8{0, 0, 0}, [3]uint8{0, 0, 0}, true},
	} {
		got, wide := pixel(c.coding, c.in[0], c.in[1], c.in[2])
		for k := range got {
			if d := int(got[k]) - int(c.want[k]); d > 2 || d < -2 || wide != c.wide {
				t.Errorf("%s: %v, %t instead of %v, %t", name, got, wide, c.want, c.wide)
			}
		}
	}
}

// Every decoder is asked for the size first, and a picture of too many pixels
// is never decoded.
func TestEveryBombIsRefused(t *testing.T) {
	m := maker(t, "child", Config{MaxPixels: 1_000_000})
	be, le := binary.BigEndian, binary.LittleEndian
	patch := func(b []byte, at int, put func([]byte)) []byte {
		if at < 0 {
			t.Fatal("nothing to change")
		}
		put(b[at:])
		return b
	}
	gif := made(t, ".gif", "convert", "IN", "OUT")
	lossy := made(t, ".webp", "cwebp", "-quiet", "IN", "-o", "OUT")
	lossless := made(t, ".webp", "cwebp", "-quiet", "-lossless", "IN", "-o", "OUT")
	tiff := made(t, ".tif", "convert", "IN", "-endian", "LSB", "-compress", "none", "OUT")
	heic, avif := made(t, ".heic", "heif-enc", "IN", "-o", "OUT"), made(t, ".avif", "avifenc", "-s", "9", "IN", "OUT")
	animated := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\xff\xff\x3f\xff\xff\x3f")
	animated = append(animated, lossy[12:]...)
	tall := func(b []byte) { be.PutUint32(b[8:], 60000); be.PutUint32(b[12:], 60000) }
	for name, c := range map[string]struct {
		f media.Format
		b []byte
	}{
		"GIF":           {media.GIF, patch(gif, 6, func(b []byte) { le.PutUint32(b, 0xffffffff) })},
		"lossy WebP":    {media.WebP, patch(lossy, bytes.Index(lossy, []byte("\x9d\x01\x2a"))+3, func(b []byte) { le.PutUint32(b, 0x3fff3fff) })},
		"lossless WebP": {media.WebP, patch(lossless, bytes.Index(lossless, []byte("VP8L"))+9, func(b []byte) { le.PutUint32(b, le.Uint32(b)|0x0fffffff) })},
		"WebP's canvas": {media.WebP, animated},
		"TIFF":          {media.TIFF, patch(tiff, int(le.Uint32(tiff[4:])), func(b []byte) { sides(b, 60000) })},
		"HEIC":          {media.HEIC, patch(heic, bytes.Index(heic, []byte("ispe")), tall)},
		"AVIF":          {media.AVIF, patch(avif, bytes.Index(avif, []byte("ispe")), tall)},
	} {
		if _, err := derive(m, c.b, c.f); !errors.Is(err, ErrBomb) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sides changes width and height in a little-endian TIFF directory.
func sides(dir []byte, to uint32) {
	for n := binary.LittleEndian.Uint16(dir); n > 0; n-- {
		e := dir[2+12*(int(n)-1):]
		if tag := binary.LittleEndian.Uint16(e); tag == 256 || tag == 257 {
			binary.LittleEndian.PutUint16(e[2:], 4)
			binary.LittleEndian.PutUint32(e[8:], to)
		}
	}
}

// Damage anywhere ends in an error or a picture, never in a hang or a crash of
// ours.
func TestDamagedStills(t *testing.T) {
	for f, b := range map[media.Format][]byte{
		media.HEIC: made(t, ".heic", "heif-enc", "IN", "-o", "OUT"), media.AVIF: made(t, ".avif", "avifenc", "-s", "9", "IN", "OUT"),
		media.WebP: made(t, ".webp", "cwebp", "-quiet", "IN", "-o", "OUT"), media.TIFF: made(t, ".tif", "convert", "IN", "OUT"),
	} {
		c := codecs[f.String()]
		for i := range min(len(b), 500) {
			for _, v := range []byte{0, 0xff} {
				bad := bytes.Clone(b)
				bad[i] = v
				if f == media.HEIC || f == media.AVIF {
					_, _ = heifConfig(bad) // the decoders in WebAssembly are not ours
				} else {
					_, _ = c.config(bad)
				}
				c.facts(bad)
				c.facts(bad[:i])
			}
		}
	}
}
