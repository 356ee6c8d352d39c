package sanitise_test

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"image"
	"image/color"
	"image/color/palette"
	stdgif "image/gif"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
)

const traceMark = "MARKER-OF-A-PERSON"

// movingGIF has three frames of various sizes, delays and disposals, and loops.
func movingGIF(t testing.TB) []byte {
	t.Helper()
	g := &stdgif.GIF{LoopCount: 7, Config: image.Config{Width: 40, Height: 30, ColorModel: color.Palette(palette.Plan9)}}
	for i, r := range []image.Rectangle{image.Rect(0, 0, 40, 30), image.Rect(5, 5, 25, 25), image.Rect(39, 29, 40, 30)} {
		p := palette.Plan9
		if i == 1 {
			p = append(slices.Clone(palette.WebSafe), color.Transparent) // a colour table of its own
		}
		m := image.NewPaletted(r, p)
		for k := range m.Pix {
			m.Pix[k] = byte(k*k+i) % byte(len(p)-1)
		}
		g.Image, g.Delay, g.Disposal = append(g.Image, m), append(g.Delay, 10+i), append(g.Disposal, byte(1+i%2))
	}
	var b bytes.Buffer
	if err := stdgif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gifHead is the length of a GIF's header and global colour table.
func gifHead(b []byte) int {
	if b[10]&0x80 == 0 {
		return 13
	}
	return 13 + 3<<(b[10]&7+1)
}

// inGIF puts blocks before the first extension or frame.
func inGIF(b []byte, blocks ...string) []byte {
	n := gifHead(b)
	return append(append(bytes.Clone(b[:n]), strings.Join(blocks, "")...), b[n:]...)
}

func gifBlock(label byte, parts ...string) string {
	s := "\x21" + string([]byte{label})
	for _, p := range parts {
		s += string([]byte{byte(len(p))}) + p
	}
	return s + "\x00"
}

func sameGIF(t *testing.T, a, b []byte) {
	t.Helper()
	x, err1 := stdgif.DecodeAll(bytes.NewReader(a))
	y, err2 := stdgif.DecodeAll(bytes.NewReader(b))
	if err1 != nil || err2 != nil {
		t.Fatalf("%v, %v", err1, err2)
	}
	if !reflect.DeepEqual(x, y) {
		t.Error("the frames differ")
	}
}

func TestGIF(t *testing.T) {
	plain := movingGIF(t)
	out, r := must(t, plain)
	if !bytes.Equal(out, plain) {
		t.Error("a GIF without traces changes")
	}
	if r.Width != 40 || r.Height != 30 || len(r.Receipt.Removed) != 0 {
		t.Errorf("%d × %d, removed %s", r.Width, r.Height, kinds(r.Receipt))
	}
	// A frame's data: the marker comes after its end code, in its last sub-block
	// and in further ones.
	still := append([]byte("GIF89a\x02\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02"), "\x02\x44\x0a\x00\x3b"...)
	hidden := func(data string) []byte { return append(append(bytes.Clone(still[:len(still)-5]), data...), 0x3b) }

	for name, c := range map[string]struct {
		file, same []byte
		kind       string
	}{
		"comment":            {inGIF(plain, gifBlock(0xfe, traceMark)), plain, "comment"},
		"comment in parts":   {inGIF(plain, gifBlock(0xfe, traceMark, traceMark, "x")), plain, "comment"},
		"plain text":         {inGIF(plain, gifBlock(1, "\x00\x00\x00\x00\x01\x00\x01\x00\x08\x08\x00\x01", traceMark)), plain, "text over"},
		"XMP":                {inGIF(plain, gifBlock(0xff, "XMP DataXMP", "<x:xmpmeta>"+traceMark)), plain, "XMP"},
		"colour profile":     {inGIF(plain, gifBlock(0xff, "ICCRGBG1012", traceMark)), plain, "colour profile"},
		"application":        {inGIF(plain, gifBlock(0xff, "ImageMagick", traceMark)), plain, "application"},
		"short application":  {inGIF(plain, gifBlock(0xff, "abc", traceMark)), plain, "application"},
		"unknown":            {inGIF(plain, gifBlock(0x77, traceMark)), plain, "unknown extension"},
		"long loop count":    {bytes.Replace(plain, []byte("NETSCAPE2.0\x03\x01\x07\x00"), []byte("NETSCAPE2.0\x03\x01\x07\x00\x12"+traceMark), 1), plain, "more than a loop"},
		"other loop count":   {bytes.Replace(plain, []byte("NETSCAPE2.0"), []byte("ANIMEXTS1.0"), 1), plain, ""},
		"buffering":          {inGIF(plain, gifBlock(0xff, "NETSCAPE2.0", "\x02"+traceMark[:4])), plain, "more than a loop"},
		"control twice":      {inGIF(still, gifBlock(0xf9, "\x00ABC"), gifBlock(0xf9, "\xe4\x05\x00M")), inGIF(still, gifBlock(0xf9, "\x04\x05\x00\x00")), "given twice"},
		"longer control":     {inGIF(still, gifBlock(0xf9, "\x04\x05\x00\x00", traceMark)), inGIF(still, gifBlock(0xf9, "\x04\x05\x00\x00")), "unknown"},
		"control of nothing": {append(append(bytes.Clone(still[:len(still)-1]), gifBlock(0xf9, "\x00MAR")...), 0x3b), still, "without a picture"},
		"tail":               {append(bytes.Clone(plain), traceMark...), plain, "data after the picture"},
		"ZIP tail":           {append(bytes.Clone(plain), "PK\x03\x04"+traceMark...), plain, "data after the picture"},
		"behind the end":     {hidden("\x14\x44\x0a" + traceMark + "\x00"), still, "last pixel"},
		"in more blocks":     {hidden("\x02\x44\x0a\x12" + traceMark + "\x00"), still, "last pixel"},
		"byte by byte":       {hidden("\x01\x44\x01\x0a\x12" + traceMark + "\x00"), hidden("\x01\x44\x01\x0a\x00"), "last pixel"},
		"without an end":     {hidden("\x14\x44\x00" + traceMark + "\x00"), hidden("\x02\x44\x00\x00"), "last pixel"},
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, c.file)
			if bytes.Contains(out, []byte(traceMark[:6])) {
				t.Error("it is still there")
			}
			if !strings.Contains(kinds(r.Receipt), c.kind) {
				t.Errorf("the receipt says %s", kinds(r.Receipt))
			}
			if !bytes.Equal(out, c.same) {
				t.Errorf("%x is not %x", out, c.same)
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if name != "without an end" { // Go's decoder wants the end there
				sameGIF(t, c.same, out)
			}
		})
	}
}

// However the codes are cut into sub-blocks, they are followed to the last pixel
// and not a byte further, by the sanitiser and by the verifier after it.
func TestGIFSubBlocksOfEveryLength(t *testing.T) {
	const edge = 48
	pixels := make([]byte, edge*edge)
	for i := range pixels { // from runs to noise: codes of every length
		pixels[i] = byte(i * i / (1 + i/edge) >> (8 - i/edge/6))
	}
	var codes bytes.Buffer
	w := lzw.NewWriter(&codes, lzw.LSB, 8)
	if _, err := w.Write(pixels); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	made := func(data []byte, n int) []byte {
		b := []byte("GIF89a\x30\x00\x30\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x30\x00\x30\x00\x00\x08")
		for part := range slices.Chunk(data, n) {
			b = append(append(b, byte(len(part))), part...)
		}
		return append(b, 0, 0x3b)
	}
	for n := 1; n <= 255; n++ {
		plain := made(codes.Bytes(), n)
		if out, _ := must(t, made(append(bytes.Clone(codes.Bytes()), traceMark...), n)); !bytes.Equal(out, plain) {
			t.Errorf("in sub-blocks of %d bytes: what is behind the last pixel stays, or more goes", n)
		}
		short := made(codes.Bytes()[:codes.Len()-4], n)
		if _, _, err := clean(t, short); err == nil {
			t.Errorf("in sub-blocks of %d bytes: pixels are missing, and it is taken", n)
		}
	}
}

// A frame that reaches over the screen makes it larger.
func TestGIFScreen(t *testing.T) {
	b := movingGIF(t)
	binary.LittleEndian.PutUint16(b[6:], 10)
	if _, r := must(t, b); r.Width != 40 {
		t.Errorf("%d wide", r.Width)
	}
}

func TestGIFRefusals(t *testing.T) {
	plain := movingGIF(t)
	for n := 6; n < len(plain); n++ {
		if _, _, err := clean(t, plain[:n]); fault.From(err) == nil || fault.From(err).Code != "media-truncated" {
			t.Fatalf("%d of %d bytes: %v", n, len(plain), err)
		}
	}
	frame := bytes.IndexByte(plain[gifHead(plain)+19+8:], 0x2c) + gifHead(plain) + 19 + 8
	with := func(at int, b ...byte) []byte {
		x := bytes.Clone(plain)
		copy(x[at:], b)
		return x
	}
	empty := append(bytes.Clone(plain[:gifHead(plain)]), 0x3b)
	many := append(bytes.Clone(plain[:len(plain)-1]), bytes.Repeat([]byte("\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x4c\x01\x00"), 10_001)...)
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"no frame":       {empty, "media-damaged"},
		"bomb":           {with(frame+5, 0xff, 0xff, 0xff, 0xff), "media-too-many-pixels"},
		"bomb by place":  {with(frame+1, 0xff, 0xff, 0xff, 0xff), "media-too-many-pixels"},
		"big screen":     {with(6, 0xff, 0xff, 0xff, 0xff), "media-too-many-pixels"},
		"empty frame":    {with(frame+5, 0, 0), "media-damaged"},
		"larger frame":   {with(frame+5, 41, 0), "media-damaged"},
		"code size":      {with(frame+10, 9), "media-damaged"},
		"codes":          {with(frame+12, 0xff, 0xff, 0xff), "media-damaged"},
		"unknown block":  {inGIF(plain, "\x00"), "media-damaged"},
		"short control":  {inGIF(plain, gifBlock(0xf9, "\x00\x00\x00")), "media-damaged"},
		"many frames":    {append(many, 0x3b), "media-too-many-pixels"},
		"endless blocks": {inGIF(plain, strings.Repeat("\x21\xfe\x00", 250_000)), "media-structure"},
	} {
		_, _, err := clean(t, c.file)
		if e := fault.From(err); e == nil || e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	// 10⁵ tiny blocks are within bounds.
	if out, _ := must(t, inGIF(plain, strings.Repeat(gifBlock(0xfe, "x"), 100_000))); !bytes.Equal(out, plain) {
		t.Error("100,000 comments do not leave the picture")
	}
}

// All frames together are bounded, however small the file is.
func TestGIFPixelsOfAllFrames(t *testing.T) {
	frame := "\x2c\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02\x02\x44\x0a\x00"
	b := []byte("GIF89a\x02\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff" + strings.Repeat(frame, 101) + "\x3b")
	ask := func(most int64) error {
		_, err := sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.GIF, sanitise.Options{MaxPixels: most})
		return err
	}
	if err := ask(3); err != nil {
		t.Error(err)
	}
	if err := ask(2); fault.From(err) == nil || fault.From(err).Code != "media-too-many-pixels" {
		t.Errorf("%v", err)
	}
}

func FuzzGIF(f *testing.F) {
	fuzz(f, func() [][]byte {
		plain := movingGIF(f)
		return [][]byte{plain, inGIF(plain, gifBlock(0xfe, traceMark), gifBlock(0xff, "XMP DataXMP", traceMark)),
			[]byte("GIF89a\x02\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02\x02\x44\x0a\x00\x3b")}
	})
}
