package derive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/wardseal/wardseal/internal/media"
)

// tiffWith has libtiff lay out anew what ImageMagick made.
func tiffWith(t *testing.T, b []byte, args ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.tif"), filepath.Join(dir, "out.tif")
	if err := os.WriteFile(in, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(tool(t, "tiffcp"), append(args, in, out)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// handTIFF is a picture of 8 by 8 in one strip, little endian.
func handTIFF(photometric, bits, samples, format uint32, strip []byte, more ...[2]uint32) []byte {
	le := binary.LittleEndian
	head := []byte("II*\x00\x00\x00\x00\x00")
	for range samples {
		head = le.AppendUint32(head, bits)
	}
	le.PutUint32(head[4:], uint32(len(head)+len(strip)))
	tags := [][2]uint32{
		{256, 8}, {257, 8}, {258, 8}, {259, 1}, {262, photometric}, {273, uint32(len(head))}, {277, samples}, {278, 8}, {279, uint32(len(strip))},
	}
	tags = append(append(tags, more...), [2]uint32{339, format})
	b := le.AppendUint16(append(head, strip...), uint16(len(tags)))
	for _, tag := range tags {
		b = le.AppendUint16(le.AppendUint16(b, uint16(tag[0])), 4)
		switch {
		case tag[0] == 258 && samples > 1:
			b = le.AppendUint32(le.AppendUint32(b, samples), tag[1])
		case tag[0] == 258:
			b = le.AppendUint32(le.AppendUint32(b, 1), bits)
		default:
			b = le.AppendUint32(le.AppendUint32(b, 1), tag[1])
		}
	}
	return le.AppendUint32(b, 0)
}

// What the library does not read is read all the same, in its colours.
func TestEveryTIFF(t *testing.T) {
	m := maker(t, "child", Config{})
	convert := func(args ...string) []byte {
		return made(t, ".tif", append(append([]string{"convert", "IN"}, args...), "OUT")...)
	}
	plain := convert("-type", "TrueColor", "-compress", "none")
	for name, b := range map[string][]byte{
		"RGB JPEG":                   convert("-type", "TrueColor", "-compress", "JPEG", "-quality", "95"),
		"YCbCr JPEG":                 tiffWith(t, plain, "-c", "jpeg:95", "-r", "16"),
		"JPEG in tiles":              tiffWith(t, plain, "-c", "jpeg:95", "-t", "-w", "64", "-l", "48"),
		"JPEG in planes":             tiffWith(t, plain, "-c", "jpeg:r:95", "-p", "separate", "-r", "64"),
		"planes":                     tiffWith(t, plain, "-p", "separate", "-r", "7"),
		"planes in tiles, LZW":       tiffWith(t, plain, "-p", "separate", "-t", "-w", "64", "-l", "64", "-c", "lzw:2"),
		"planes, PackBits":           tiffWith(t, plain, "-p", "separate", "-c", "packbits"),
		"planes, Deflate":            tiffWith(t, plain, "-p", "separate", "-c", "zip:2"),
		"CMYK":                       convert("-colorspace", "CMYK", "-compress", "LZW"),
		"CMYK of 16 bits":            convert("-colorspace", "CMYK", "-depth", "16", "-compress", "Zip"),
		"CMYK of 16 bits, predicted": tiffWith(t, convert("-colorspace", "CMYK", "-depth", "16", "-compress", "none"), "-c", "lzw:2"),
		"CMYK, big endian":           tiffWith(t, convert("-colorspace", "CMYK", "-depth", "16", "-compress", "none"), "-B", "-c", "zip:2"),
		"CMYK JPEG":                  convert("-colorspace", "CMYK", "-compress", "JPEG", "-quality", "95"),
		"YCbCr":                      convert("-colorspace", "YCbCr", "-compress", "none"),
		"12 bits":                    convert("-type", "TrueColor", "-depth", "12"),
	} {
		if _, err := tiff.Decode(bytes.NewReader(b)); err == nil {
			t.Errorf("%s: the library reads it", name)
		}
		out, err := derive(m, b, media.TIFF)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if out.Width != 400 || out.Height != 200 {
			t.Errorf("%s: %d by %d", name, out.Width, out.Height)
		}
		corners(t, name, out.Pictures[0], upCorners)
	}
	out, err := derive(m, convert("-type", "Palette", "-colors", "4", "-depth", "4"), media.TIFF) // each colour in four bits
	if err != nil {
		t.Fatal(err)
	}
	corners(t, "a palette of 2 bits", out.Pictures[0], [4]color.NRGBA{{187, 17, 34, 255}, {17, 153, 51, 255}, {34, 51, 187, 255}, {204, 204, 34, 255}})
	// Numbers that are known, all over a small picture.
	half, float := []byte{0, 128}, binary.LittleEndian.AppendUint32(nil, math.Float32bits(0.5))
	for name, c := range map[string]struct {
		photometric, bits, samples, format uint32
		pixel                              []byte
		more                               [][2]uint32
		want                               color.NRGBA
		within                             int
	}{
		"sRGB's red in Lab":          {8, 8, 3, 1, []byte{138, 81, 70}, nil, color.NRGBA{255, 0, 0, 255}, 12}, // 54.3, 80.8, 69.9 at D50
		"sRGB's green in Lab":        {8, 8, 3, 1, []byte{224, 0x100 - 79, 81}, nil, color.NRGBA{0, 255, 0, 255}, 12},
		"sRGB's blue in Lab":         {8, 16, 3, 1, []byte{179, 75, 76, 68, 0xf8, 0x8f}, nil, color.NRGBA{0, 0, 255, 255}, 12},
		"sRGB's red in ICC's Lab":    {9, 8, 3, 1, []byte{138, 209, 198}, nil, color.NRGBA{255, 0, 0, 255}, 12},
		"grey in 12 bits":            {1, 12, 2, 1, []byte{0x80, 0x0f, 0xff}, nil, color.NRGBA{128, 128, 128, 255}, 2},
		"grey in 32 bits":            {1, 32, 1, 1, []byte{0, 0, 0, 128}, nil, color.NRGBA{128, 128, 128, 255}, 2},
		"grey in floating point":     {1, 32, 1, 3, float, nil, color.NRGBA{128, 128, 128, 255}, 2},
		"white is 0":                 {0, 16, 2, 1, append(half, half...), nil, color.NRGBA{127, 127, 127, 255}, 2},
		"grey, half seen":            {1, 8, 2, 1, []byte{100, 128}, [][2]uint32{{338, 2}}, color.NRGBA{177, 177, 177, 255}, 2},
		"grey, half seen already":    {1, 8, 2, 1, []byte{50, 128}, [][2]uint32{{338, 1}}, color.NRGBA{177, 177, 177, 255}, 2},
		"what is no alpha":           {1, 8, 2, 1, []byte{100, 0}, [][2]uint32{{338, 0}}, color.NRGBA{100, 100, 100, 255}, 2},
		"YCbCr that is not narrowed": {6, 8, 3, 1, []byte{76, 85, 255}, nil, color.NRGBA{254, 0, 0, 255}, 2},
	} {
		more := c.more
		if c.photometric == 6 {
			more = [][2]uint32{{530, 0x10001}} // not subsampled; SHORTs, see below
		}
		b := handTIFF(c.photometric, c.bits, c.samples, c.format, bytes.Repeat(c.pixel, 64), more...)
		if at := bytes.Index(b, []byte{0x12, 0x02, 4, 0, 1, 0, 0, 0}); at >= 0 {
			b[at+2], b[at+4] = 3, 2
		}
		out, err := derive(m, b, media.TIFF)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := decoded(t, out.Pictures[0]).At(4, 4); !near(got, c.want, c.within) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

// Chroma that is subsampled without a JPEG comes in units with its luma.
func TestTIFFUnits(t *testing.T) {
	unit := []byte{10, 20, 30, 40, 128, 128}
	p := part{data: bytes.Repeat(unit, 4), rowBytes: 12, sub: [2]int{2, 2}}
	for at, want := range map[[3]int]uint32{{0, 0, 0}: 10, {1, 0, 0}: 20, {2, 1, 0}: 30, {3, 3, 0}: 40, {3, 3, 1}: 128, {0, 2, 2}: 128} {
		if got := p.value(at[0], at[1], at[2]); got != want {
			t.Errorf("%v is %d, not %d", at, got, want)
		}
	}
}

// What a directory says is bounded before anything is made of it.
func TestTIFFsOfAbsurdParts(t *testing.T) {
	m := maker(t, "child", Config{})
	good := handTIFF(5, 8, 4, 1, make([]byte, 256))
	if _, err := derive(m, good, media.TIFF); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"a strip that is too short": handTIFF(5, 8, 4, 1, make([]byte, 255)),
		"tiles of absurd size":      handTIFF(5, 8, 4, 1, make([]byte, 256), [2]uint32{322, 65536}, [2]uint32{323, 16}, [2]uint32{324, 24}, [2]uint32{325, 256}),
		"tiles of absurd height":    handTIFF(5, 8, 4, 1, make([]byte, 256), [2]uint32{322, 16}, [2]uint32{323, 65536}, [2]uint32{324, 24}, [2]uint32{325, 256}),
		"signed numbers":            handTIFF(5, 8, 4, 2, make([]byte, 256)),
		"too few samples":           handTIFF(5, 8, 3, 1, make([]byte, 256)),
		"an unknown colour":         handTIFF(4, 8, 1, 1, make([]byte, 256)),
		"no bits":                   handTIFF(5, 0, 4, 1, make([]byte, 256)),
	} {
		if _, err := derive(m, b, media.TIFF); !errors.Is(err, ErrUndecodable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	huge := bytes.Clone(good)
	sides(huge[binary.LittleEndian.Uint32(huge[4:]):], 60000)
	if _, err := derive(m, huge, media.TIFF); !errors.Is(err, ErrBomb) {
		t.Errorf("too many pixels: %v", err)
	}
	for i := range good {
		for _, v := range []byte{0, 1, 0xff} {
			bad := bytes.Clone(good)
			bad[i] = v
			if cfg, err := tiffConfig(bad); err == nil && cfg.Width*cfg.Height < 1<<16 {
				_, _ = tiffDecode(bad)
			}
		}
	}
}
