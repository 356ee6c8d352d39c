package verify_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/media"
)

func check(t testing.TB, f media.Format, b []byte) error {
	t.Helper()
	err := verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), f)
	var found *verify.Finding
	if err != nil && !errors.As(err, &found) {
		t.Fatalf("%v is not a finding", err)
	}
	return err
}

// judge takes what must pass and what must not. Of what passes, no part and no
// longer file passes.
func judge(t *testing.T, f media.Format, good, bad map[string][]byte) {
	t.Helper()
	for name, b := range good {
		if err := check(t, f, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range b {
			if check(t, f, b[:n]) == nil {
				t.Errorf("%s: %d of %d bytes pass", name, n, len(b))
			}
		}
		if check(t, f, append(bytes.Clone(b), 0)) == nil {
			t.Errorf("%s: a byte after the end passes", name)
		}
	}
	for name, b := range bad {
		if check(t, f, b) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// hunt fuzzes a verifier: it never panics, says only findings, and takes no
// file that is longer than one which it took.
func hunt(f *testing.F, format media.Format, seeds ...map[string][]byte) {
	for _, all := range seeds {
		for _, s := range all {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if check(t, format, b) == nil && check(t, format, append(bytes.Clone(b), 'x')) == nil {
			t.Error("a byte after the end passes")
		}
	})
}

func cat(parts ...string) []byte { return []byte(strings.Join(parts, "")) }

// A GIF of two pixels in its parts.
const (
	gifHead    = "GIF89a\x02\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
	gifLoop    = "\x21\xff\x0bNETSCAPE2.0\x03\x01\x07\x00\x00"
	gifControl = "\x21\xf9\x04\x09\x05\x00\x01\x00"
	gifImage   = "\x2c\x00\x00\x00\x00\x02\x00\x01\x00\x00\x02"
	gifData    = "\x02\x44\x0a\x00" // reset, 0, 1, end
	gifFrame   = gifImage + gifData
)

func gifs() (good, bad map[string][]byte) {
	good = map[string][]byte{
		"still":         cat(gifHead, gifFrame, ";"),
		"moving":        cat(gifHead, gifLoop, gifControl, gifFrame, gifControl, gifFrame, ";"),
		"own colours":   cat("GIF87a\x02\x00\x01\x00\x00\x00\x00", gifImage[:9], "\xc0abcdef\x02", gifData, ";"),
		"in sub-blocks": cat(gifHead, gifImage, "\x01\x44\x01\x0a\x00;"),
		"no end code":   cat(gifHead, gifImage, "\x02\x44\x00\x00;"),
		"reset at end":  cat(gifHead, gifImage, "\x02\x44\xb8\x00;"), // reset, 0, 1, reset, end
	}
	bad = map[string][]byte{
		"comment":               cat(gifHead, "\x21\xfe\x01x\x00", gifFrame, ";"),
		"plain text":            cat(gifHead, "\x21\x01\x01x\x00", gifFrame, ";"),
		"XMP":                   cat(gifHead, "\x21\xff\x0bXMP DataXMP\x03\x01\x07\x00\x00", gifFrame, ";"),
		"longer loop":           cat(gifHead, "\x21\xff\x0bNETSCAPE2.0\x04\x01\x07\x00x\x00", gifFrame, ";"),
		"more in the loop":      cat(gifHead, gifLoop[:len(gifLoop)-1], "\x01x\x00", gifFrame, ";"),
		"loop twice":            cat(gifHead, gifLoop, gifLoop, gifFrame, ";"),
		"late loop":             cat(gifHead, gifFrame, gifLoop, ";"),
		"control alone":         cat(gifHead, gifFrame, gifControl, ";"),
		"control twice":         cat(gifHead, gifControl, gifControl, gifFrame, ";"),
		"control reserved":      cat(gifHead, "\x21\xf9\x04\x29\x05\x00\x01\x00", gifFrame, ";"),
		"unused transparency":   cat(gifHead, "\x21\xf9\x04\x08\x05\x00\x01\x00", gifFrame, ";"),
		"longer control":        cat(gifHead, "\x21\xf9\x04\x09\x05\x00\x01\x01x\x00", gifFrame, ";"),
		"frame reserved":        cat(gifHead, gifImage[:9], "\x08\x02", gifData, ";"),
		"no pixels":             cat(gifHead, "\x2c\x00\x00\x00\x00\x00\x00\x01\x00\x00\x02", gifData, ";"),
		"no frame":              cat(gifHead, ";"),
		"between":               cat(gifHead, gifFrame, "\x00;"),
		"code size":             cat(gifHead, gifImage[:10], "\x09", gifData, ";"),
		"behind the end code":   cat(gifHead, gifImage, "\x03\x44\x0ax\x00;"),
		"in a further block":    cat(gifHead, gifImage, "\x02\x44\x0a\x01x\x00;"),
		"without an end code":   cat(gifHead, gifImage, "\x03\x44\x00x\x00;"),
		"behind reset and end":  cat(gifHead, gifImage, "\x03\x44\xb8x\x00;"),
		"too few pixels":        cat(gifHead, gifImage, "\x02\x44\x01\x00;"),
		"end code too early":    cat(gifHead, gifImage, "\x02\x44\x0b\x00;"),
		"code of nothing":       cat(gifHead, gifImage, "\x02\xf4\x0a\x00;"),
		"first code of nothing": cat(gifHead, gifImage, "\x02\x34\x0a\x00;"),
		"tail":                  cat(gifHead, gifFrame, ";PK"),
		"other signature":       cat("GIF88a", gifHead[6:], gifFrame, ";"),
	}
	return good, bad
}

func TestGIF(t *testing.T) {
	good, bad := gifs()
	judge(t, media.GIF, good, bad)
}

func FuzzVerifyGIF(f *testing.F) {
	good, bad := gifs()
	hunt(f, media.GIF, good, bad)
}

// riff puts chunks together; they come in pairs of kind and data.
func riff(pairs ...string) []byte {
	body := "WEBP" + chunks(pairs...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func chunks(pairs ...string) string {
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		b = binary.LittleEndian.AppendUint32(append(b, pairs[i]...), uint32(len(pairs[i+1])))
		b = append(append(b, pairs[i+1]...), make([]byte, len(pairs[i+1])&1)...)
	}
	return string(b)
}

// A WebP of 2 × 2 pixels in its parts.
const (
	lossy      = "\x30\x01\x00\x9d\x01\x2a\x02\x00\x02\x00data"
	lossless   = "\x2f\x01\x40\x00\x00data!"
	canvas     = "\x00\x00\x00\x01\x00\x00\x01\x00\x00"
	settings   = "\xff\xff\xff\xff\x03\x00"
	frameAt    = "\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00\x46\x00\x00\x02"
	upright    = "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	profileTag = "wtpt\x00\x00\x00\x90\x00\x00\x00\x14XYZ \x00\x00\x00\x00\x00\x00\xf6\xd6\x00\x01\x00\x00\x00\x00\xd3\x2d"
)

var profile = "\x00\x00\x00\xa4\x00\x00\x00\x00\x04\x00\x00\x00mntrRGB XYZ " + strings.Repeat("\x00", 12) + "acsp" + strings.Repeat("\x00", 88) + "\x00\x00\x00\x01" + profileTag

func webps() (good, bad map[string][]byte) {
	frame := func(pairs ...string) string { return frameAt + chunks(pairs...) }
	good = map[string][]byte{
		"lossy":       riff("VP8 ", lossy),
		"lossless":    riff("VP8L", lossless),
		"extended":    riff("VP8X", "\x00"+canvas, "VP8 ", lossy),
		"profile":     riff("VP8X", "\x20"+canvas, "ICCP", profile, "VP8 ", lossy),
		"orientation": riff("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", upright),
		"alpha":       riff("VP8X", "\x10"+canvas, "ALPH", "\x01x", "VP8 ", lossy),
		"raw alpha":   riff("VP8X", "\x10"+canvas, "ALPH", "\x00abcd", "VP8 ", lossy),
		"moving":      riff("VP8X", "\x12"+canvas, "ANIM", settings, "ANMF", frame("ALPH", "\x01x", "VP8 ", lossy), "ANMF", frame("VP8L", lossless)),
		"moving, all": riff("VP8X", "\x2a"+canvas, "ICCP", profile, "ANIM", settings, "ANMF", frame("VP8L", lossless), "EXIF", upright),
	}
	padded := riff("VP8X", "\x00"+canvas, "VP8 ", lossy+"x")
	padded[len(padded)-1] = 'x'
	bad = map[string][]byte{
		"XMP":                   riff("VP8X", "\x00"+canvas, "VP8 ", lossy, "XMP ", "x"),
		"XMP flag":              riff("VP8X", "\x04"+canvas, "VP8 ", lossy),
		"reserved flag":         riff("VP8X", "\x40"+canvas, "VP8 ", lossy),
		"reserved bytes":        riff("VP8X", "\x00x"+canvas[1:], "VP8 ", lossy),
		"longer header":         riff("VP8X", "\x00"+canvas+"x", "VP8 ", lossy),
		"EXIF":                  riff("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", upright+"x"),
		"EXIF, upright":         riff("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", strings.Replace(upright, "\x06", "\x01", 1)),
		"EXIF first":            riff("VP8X", "\x08"+canvas, "EXIF", upright, "VP8 ", lossy),
		"EXIF twice":            riff("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", upright, "EXIF", upright),
		"EXIF, no flag":         riff("VP8X", "\x00"+canvas, "VP8 ", lossy, "EXIF", upright),
		"EXIF flag alone":       riff("VP8X", "\x08"+canvas, "VP8 ", lossy),
		"EXIF in short":         riff("VP8 ", lossy, "EXIF", upright),
		"profile, no flag":      riff("VP8X", "\x00"+canvas, "ICCP", profile, "VP8 ", lossy),
		"profile with a maker":  riff("VP8X", "\x20"+canvas, "ICCP", profile[:50]+"x"+profile[51:], "VP8 ", lossy),
		"profile, longer":       riff("VP8X", "\x20"+canvas, "ICCP", profile+"x", "VP8 ", lossy),
		"unknown":               riff("VP8X", "\x00"+canvas, "JUNK", "x", "VP8 ", lossy),
		"unknown after":         riff("VP8 ", lossy, "JUNK", "x"),
		"second picture":        riff("VP8X", "\x00"+canvas, "VP8 ", lossy, "VP8 ", lossy),
		"other size":            riff("VP8X", "\x00"+strings.Replace(canvas, "\x01", "\x02", 1), "VP8 ", lossy),
		"padding":               padded,
		"no key frame":          riff("VP8 ", "\x31"+lossy[1:]),
		"no start code":         riff("VP8 ", lossy[:3]+"x"+lossy[4:]),
		"lossless version":      riff("VP8L", lossless[:4]+"\xe0"+lossless[5:]),
		"short alpha":           riff("VP8 ", lossy, "ALPH", "\x01x"),
		"alpha in short":        riff("ALPH", "\x01x", "VP8 ", lossy),
		"alpha of lossless":     riff("VP8X", "\x10"+canvas, "ALPH", "\x01x", "VP8L", lossless),
		"alpha kind":            riff("VP8X", "\x10"+canvas, "ALPH", "\x02x", "VP8 ", lossy),
		"alpha reserved":        riff("VP8X", "\x10"+canvas, "ALPH", "\x41x", "VP8 ", lossy),
		"alpha too long":        riff("VP8X", "\x10"+canvas, "ALPH", "\x00abcde", "VP8 ", lossy),
		"empty alpha":           riff("VP8X", "\x10"+canvas, "ALPH", "", "VP8 ", lossy),
		"frame, no flag":        riff("VP8X", "\x00"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless)),
		"no frame":              riff("VP8X", "\x02"+canvas, "ANIM", settings),
		"no settings":           riff("VP8X", "\x02"+canvas, "ANMF", frame("VP8L", lossless)),
		"longer settings":       riff("VP8X", "\x02"+canvas, "ANIM", settings+"x", "ANMF", frame("VP8L", lossless)),
		"unknown in a frame":    riff("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless, "JUNK", "x")),
		"unknown before one":    riff("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("JUNK", "x", "VP8L", lossless)),
		"bytes in a frame":      riff("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless)+"xx"),
		"frame flags":           riff("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless)[:15]+"\x04"+chunks("VP8L", lossless)),
		"frame outside":         riff("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", "\x01"+frame("VP8L", lossless)[1:]),
		"frame of another size": riff("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frameAt[:6]+"\x00"+frameAt[7:]+chunks("VP8L", lossless)),
		"picture beside frames": riff("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless), "VP8L", lossless),
		"header alone":          riff("VP8X", "\x00"+canvas),
		"bare":                  riff(),
	}
	return good, bad
}

func TestWebP(t *testing.T) {
	good, bad := webps()
	judge(t, media.WebP, good, bad)
}

func FuzzVerifyWebP(f *testing.F) {
	good, bad := webps()
	hunt(f, media.WebP, good, bad)
}

// png puts a PNG of 1 × 1 grey pixels together; chunks come in pairs of kind and data.
func png(pairs ...string) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	for i := 0; i < len(pairs); i += 2 {
		b = binary.BigEndian.AppendUint32(b, uint32(len(pairs[i+1])))
		b = append(b, pairs[i]+pairs[i+1]...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(pairs[i]+pairs[i+1])))
	}
	return b
}

const (
	grey    = "\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"
	indexed = "\x00\x00\x00\x01\x00\x00\x00\x01\x08\x03\x00\x00\x00"
)

func control(seq byte) string {
	return "\x00\x00\x00" + string([]byte{seq}) + "\x00\x00\x00\x01\x00\x00\x00\x01" + strings.Repeat("\x00", 8) + "\x00\x01\x00\x0a\x00\x00"
}

func data(seq byte) string { return "\x00\x00\x00" + string([]byte{seq}) + "d" }

func pngs() (good, bad map[string][]byte) {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write([]byte(profile))
	_ = w.Close()
	announce := func(n byte) string { return "\x00\x00\x00" + string([]byte{n}) + "\x00\x00\x00\x00" }
	// still is a picture with chunks before and after its data.
	still := func(pairs ...string) []byte {
		return png(append(append([]string{"IHDR", grey}, pairs...), "IDAT", "x", "IEND", "")...)
	}
	late := func(pairs ...string) []byte {
		return png(append(append([]string{"IHDR", grey, "IDAT", "x"}, pairs...), "IEND", "")...)
	}
	good = map[string][]byte{
		"still":       still(),
		"palette":     png("IHDR", indexed, "PLTE", "abcdef", "tRNS", "a", "bKGD", "\x00", "IDAT", "x", "IDAT", "y", "IEND", ""),
		"colours":     still("gAMA", "abcd", "cHRM", strings.Repeat("x", 32), "sRGB", "\x00", "sBIT", "\x08", "iCCP", "icc\x00\x00"+z.String()),
		"orientation": still("eXIf", upright),
		"late one":    late("eXIf", upright),
		"position":    still("oFFs", "\x00\x00\x00\x01\x00\x00\x00\x02\x00"),
		"moving":      png("IHDR", grey, "acTL", announce(2), "fcTL", control(0), "IDAT", "x", "fcTL", control(1), "fdAT", data(2), "fdAT", data(3), "IEND", ""),
		"still apart": png("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", control(0), "fdAT", data(1), "IEND", ""),
	}
	damaged := still()
	damaged[len(damaged)-14] ^= 1
	bad = map[string][]byte{
		"text":               still("tEXt", "a\x00b"),
		"time":               still("tIME", "abcdefg"),
		"private":            still("prVt", "x"),
		"suggested palette":  still("sPLT", "x"),
		"EXIF":               still("eXIf", upright+"x"),
		"EXIF twice":         still("eXIf", upright, "eXIf", upright),
		"profile's name":     still("iCCP", "abc\x00\x00"+z.String()),
		"longer profile":     still("iCCP", "icc\x00\x00"+z.String()+"x"),
		"profile that fails": still("iCCP", "icc\x00\x00x"),
		"longer gamma":       still("gAMA", "abcde"),
		"twice":              still("gAMA", "abcd", "gAMA", "abcd"),
		"late":               late("gAMA", "abcd"),
		"position on paper":  still("oFFs", "\x00\x00\x00\x01\x00\x00\x00\x02\x01"),
		"longer position":    still("oFFs", "\x00\x00\x00\x01\x00\x00\x00\x02\x00x"),
		"longer background":  still("bKGD", "abc"),
		"empty transparency": still("tRNS", ""),
		"palette's length":   png("IHDR", indexed, "PLTE", "abcd", "IDAT", "x", "IEND", ""),
		"header's length":    png("IHDR", grey+"x", "IDAT", "x", "IEND", ""),
		"header twice":       still("IHDR", grey),
		"no header":          png("IDAT", "x", "IEND", ""),
		"no picture":         png("IHDR", grey, "IEND", ""),
		"two pictures":       png("IHDR", grey, "IDAT", "x", "eXIf", upright, "IDAT", "x", "IEND", ""),
		"end's length":       png("IHDR", grey, "IDAT", "x", "IEND", "x"),
		"checksum":           damaged,
		"frames missing":     png("IHDR", grey, "acTL", announce(2), "fcTL", control(0), "IDAT", "x", "IEND", ""),
		"not announced":      png("IHDR", grey, "fcTL", control(0), "IDAT", "x", "IEND", ""),
		"none announced":     still("acTL", announce(0)),
		"announced late":     late("acTL", announce(1), "fcTL", control(0), "fdAT", data(1)),
		"longer announce":    still("acTL", announce(0)+"x"),
		"sequence":           png("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", control(0), "fdAT", data(2), "IEND", ""),
		"no frame":           late("fdAT", data(0)),
		"data too early":     png("IHDR", grey, "acTL", announce(1), "fcTL", control(0), "fdAT", data(1), "IDAT", "x", "IEND", ""),
		"data of the still":  png("IHDR", grey, "acTL", announce(1), "fcTL", control(0), "IDAT", "x", "fdAT", data(1), "IEND", ""),
		"frame without data": png("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", control(0), "fdAT", "\x00\x00\x00\x01", "IEND", ""),
		"frame outside":      png("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", "\x00\x00\x00\x00\x00\x00\x00\x02"+control(0)[8:], "fdAT", data(1), "IEND", ""),
		"frame's length":     png("IHDR", grey, "acTL", announce(1), "fcTL", control(0)+"x", "IDAT", "x", "IEND", ""),
		"disposal":           png("IHDR", grey, "acTL", announce(1), "fcTL", control(0)[:24]+"\x03\x00", "IDAT", "x", "IEND", ""),
		"blending":           png("IHDR", grey, "acTL", announce(1), "fcTL", control(0)[:25]+"\x02", "IDAT", "x", "IEND", ""),
	}
	return good, bad
}

func TestPNG(t *testing.T) {
	good, bad := pngs()
	judge(t, media.PNG, good, bad)
}

func FuzzVerifyPNG(f *testing.F) {
	good, bad := pngs()
	hunt(f, media.PNG, good, bad)
}

// A verifier stops when it is told to, and says so.
func TestVerifyEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	g, _ := gifs()
	w, _ := webps()
	p, _ := pngs()
	for f, b := range map[media.Format][]byte{media.GIF: g["still"], media.WebP: w["lossy"], media.PNG: p["still"]} {
		if err := verify.File(ctx, bytes.NewReader(b), int64(len(b)), f); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", f, err)
		}
	}
}
