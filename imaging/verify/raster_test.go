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

func checkFile(t testing.TB, f media.Format, b []byte) error {
	t.Helper()
	err := verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), f)
	var found *verify.Finding
	if err != nil && !errors.As(err, &found) {
		t.Fatalf("%v is not a finding", err)
	}
	return err
}

// judgeFiles takes what must pass and what must not. Of what passes, no part and no
// longer file passes.
func judgeFiles(t *testing.T, f media.Format, good, bad map[string][]byte) {
	t.Helper()
	for name, b := range good {
		if err := checkFile(t, f, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range b {
			if checkFile(t, f, b[:n]) == nil {
				t.Errorf("%s: %d of %d bytes pass", name, n, len(b))
			}
		}
		if checkFile(t, f, append(bytes.Clone(b), 0)) == nil {
			t.Errorf("%s: a byte after the end passes", name)
		}
	}
	for name, b := range bad {
		if checkFile(t, f, b) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// huntIn fuzzes a verifier: it never panics, says only findings, and takes no
// file that is longer than one which it took.
func huntIn(f *testing.F, format media.Format, mend func([]byte) []byte, seeds ...map[string][]byte) {
	for _, all := range seeds {
		for _, s := range all {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = mend(b)
		if checkFile(t, format, b) == nil && checkFile(t, format, append(bytes.Clone(b), 'x')) == nil {
			t.Error("a byte after the end passes")
		}
	})
}

func gifOf(parts ...string) []byte { return []byte(strings.Join(parts, "")) }

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
		"still":         gifOf(gifHead, gifFrame, ";"),
		"moving":        gifOf(gifHead, gifLoop, gifControl, gifFrame, gifControl, gifFrame, ";"),
		"own colours":   gifOf("GIF87a\x02\x00\x01\x00\x00\x00\x00", gifImage[:9], "\xc0abcdef\x02", gifData, ";"),
		"in sub-blocks": gifOf(gifHead, gifImage, "\x01\x44\x01\x0a\x00;"),
		"no end code":   gifOf(gifHead, gifImage, "\x02\x44\x00\x00;"),
		"reset at end":  gifOf(gifHead, gifImage, "\x02\x44\xb8\x00;"), // reset, 0, 1, reset, end
	}
	bad = map[string][]byte{
		"comment":               gifOf(gifHead, "\x21\xfe\x01x\x00", gifFrame, ";"),
		"plain text":            gifOf(gifHead, "\x21\x01\x01x\x00", gifFrame, ";"),
		"XMP":                   gifOf(gifHead, "\x21\xff\x0bXMP DataXMP\x03\x01\x07\x00\x00", gifFrame, ";"),
		"longer loop":           gifOf(gifHead, "\x21\xff\x0bNETSCAPE2.0\x04\x01\x07\x00x\x00", gifFrame, ";"),
		"more in the loop":      gifOf(gifHead, gifLoop[:len(gifLoop)-1], "\x01x\x00", gifFrame, ";"),
		"loop twice":            gifOf(gifHead, gifLoop, gifLoop, gifFrame, ";"),
		"late loop":             gifOf(gifHead, gifFrame, gifLoop, ";"),
		"control alone":         gifOf(gifHead, gifFrame, gifControl, ";"),
		"control twice":         gifOf(gifHead, gifControl, gifControl, gifFrame, ";"),
		"control reserved":      gifOf(gifHead, "\x21\xf9\x04\x29\x05\x00\x01\x00", gifFrame, ";"),
		"unused transparency":   gifOf(gifHead, "\x21\xf9\x04\x08\x05\x00\x01\x00", gifFrame, ";"),
		"longer control":        gifOf(gifHead, "\x21\xf9\x04\x09\x05\x00\x01\x01x\x00", gifFrame, ";"),
		"frame reserved":        gifOf(gifHead, gifImage[:9], "\x08\x02", gifData, ";"),
		"no pixels":             gifOf(gifHead, "\x2c\x00\x00\x00\x00\x00\x00\x01\x00\x00\x02", gifData, ";"),
		"no frame":              gifOf(gifHead, ";"),
		"between":               gifOf(gifHead, gifFrame, "\x00;"),
		"code size":             gifOf(gifHead, gifImage[:10], "\x09", gifData, ";"),
		"behind the end code":   gifOf(gifHead, gifImage, "\x03\x44\x0ax\x00;"),
		"in a further block":    gifOf(gifHead, gifImage, "\x02\x44\x0a\x01x\x00;"),
		"without an end code":   gifOf(gifHead, gifImage, "\x03\x44\x00x\x00;"),
		"behind reset and end":  gifOf(gifHead, gifImage, "\x03\x44\xb8x\x00;"),
		"too few pixels":        gifOf(gifHead, gifImage, "\x01\x04\x00;"),
		"end code too early":    gifOf(gifHead, gifImage, "\x02\x44\x0b\x00;"),
		"code of nothing":       gifOf(gifHead, gifImage, "\x02\xf4\x0a\x00;"),
		"first code of nothing": gifOf(gifHead, gifImage, "\x02\x34\x0a\x00;"),
		"tail":                  gifOf(gifHead, gifFrame, ";PK"),
		"other signature":       gifOf("GIF88a", gifHead[6:], gifFrame, ";"),
	}
	return good, bad
}

func TestGIF(t *testing.T) {
	good, bad := gifs()
	judgeFiles(t, media.GIF, good, bad)
}

func FuzzVerifyGIF(f *testing.F) {
	good, bad := gifs()
	huntIn(f, media.GIF, bytes.Clone, good, bad)
}

// webpOf puts chunks together; they come in pairs of kind and data.
func webpOf(pairs ...string) []byte {
	body := "WEBP" + webpChunks(pairs...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func webpChunks(pairs ...string) string {
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

var smallProfile = "\x00\x00\x00\xa4\x00\x00\x00\x00\x04\x00\x00\x00mntrRGB XYZ " + strings.Repeat("\x00", 12) + "acsp" + strings.Repeat("\x00", 88) + "\x00\x00\x00\x01" + profileTag

func webps() (good, bad map[string][]byte) {
	frame := func(pairs ...string) string { return frameAt + webpChunks(pairs...) }
	good = map[string][]byte{
		"lossy":       webpOf("VP8 ", lossy),
		"lossless":    webpOf("VP8L", lossless),
		"extended":    webpOf("VP8X", "\x00"+canvas, "VP8 ", lossy),
		"profile":     webpOf("VP8X", "\x20"+canvas, "ICCP", smallProfile, "VP8 ", lossy),
		"orientation": webpOf("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", upright),
		"alpha":       webpOf("VP8X", "\x10"+canvas, "ALPH", "\x01x", "VP8 ", lossy),
		"raw alpha":   webpOf("VP8X", "\x10"+canvas, "ALPH", "\x00abcd", "VP8 ", lossy),
		"moving":      webpOf("VP8X", "\x12"+canvas, "ANIM", settings, "ANMF", frame("ALPH", "\x01x", "VP8 ", lossy), "ANMF", frame("VP8L", lossless)),
		"moving, all": webpOf("VP8X", "\x2a"+canvas, "ICCP", smallProfile, "ANIM", settings, "ANMF", frame("VP8L", lossless), "EXIF", upright),
	}
	padded := webpOf("VP8X", "\x00"+canvas, "VP8 ", lossy+"x")
	padded[len(padded)-1] = 'x'
	bad = map[string][]byte{
		"XMP":                   webpOf("VP8X", "\x00"+canvas, "VP8 ", lossy, "XMP ", "x"),
		"XMP flag":              webpOf("VP8X", "\x04"+canvas, "VP8 ", lossy),
		"reserved flag":         webpOf("VP8X", "\x40"+canvas, "VP8 ", lossy),
		"reserved bytes":        webpOf("VP8X", "\x00x"+canvas[1:], "VP8 ", lossy),
		"longer header":         webpOf("VP8X", "\x00"+canvas+"x", "VP8 ", lossy),
		"EXIF":                  webpOf("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", upright+"x"),
		"EXIF, upright":         webpOf("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", strings.Replace(upright, "\x06", "\x01", 1)),
		"EXIF first":            webpOf("VP8X", "\x08"+canvas, "EXIF", upright, "VP8 ", lossy),
		"EXIF twice":            webpOf("VP8X", "\x08"+canvas, "VP8 ", lossy, "EXIF", upright, "EXIF", upright),
		"EXIF, no flag":         webpOf("VP8X", "\x00"+canvas, "VP8 ", lossy, "EXIF", upright),
		"EXIF flag alone":       webpOf("VP8X", "\x08"+canvas, "VP8 ", lossy),
		"EXIF in short":         webpOf("VP8 ", lossy, "EXIF", upright),
		"profile, no flag":      webpOf("VP8X", "\x00"+canvas, "ICCP", smallProfile, "VP8 ", lossy),
		"profile with a maker":  webpOf("VP8X", "\x20"+canvas, "ICCP", smallProfile[:50]+"x"+smallProfile[51:], "VP8 ", lossy),
		"profile, longer":       webpOf("VP8X", "\x20"+canvas, "ICCP", smallProfile+"x", "VP8 ", lossy),
		"unknown":               webpOf("VP8X", "\x00"+canvas, "JUNK", "x", "VP8 ", lossy),
		"unknown after":         webpOf("VP8 ", lossy, "JUNK", "x"),
		"second picture":        webpOf("VP8X", "\x00"+canvas, "VP8 ", lossy, "VP8 ", lossy),
		"other size":            webpOf("VP8X", "\x00"+strings.Replace(canvas, "\x01", "\x02", 1), "VP8 ", lossy),
		"padding":               padded,
		"no key frame":          webpOf("VP8 ", "\x31"+lossy[1:]),
		"no start code":         webpOf("VP8 ", lossy[:3]+"x"+lossy[4:]),
		"lossless version":      webpOf("VP8L", lossless[:4]+"\xe0"+lossless[5:]),
		"short alpha":           webpOf("VP8 ", lossy, "ALPH", "\x01x"),
		"alpha in short":        webpOf("ALPH", "\x01x", "VP8 ", lossy),
		"alpha of lossless":     webpOf("VP8X", "\x10"+canvas, "ALPH", "\x01x", "VP8L", lossless),
		"alpha kind":            webpOf("VP8X", "\x10"+canvas, "ALPH", "\x02x", "VP8 ", lossy),
		"alpha reserved":        webpOf("VP8X", "\x10"+canvas, "ALPH", "\x41x", "VP8 ", lossy),
		"alpha too long":        webpOf("VP8X", "\x10"+canvas, "ALPH", "\x00abcde", "VP8 ", lossy),
		"empty alpha":           webpOf("VP8X", "\x10"+canvas, "ALPH", "", "VP8 ", lossy),
		"frame, no flag":        webpOf("VP8X", "\x00"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless)),
		"no frame":              webpOf("VP8X", "\x02"+canvas, "ANIM", settings),
		"no settings":           webpOf("VP8X", "\x02"+canvas, "ANMF", frame("VP8L", lossless)),
		"longer settings":       webpOf("VP8X", "\x02"+canvas, "ANIM", settings+"x", "ANMF", frame("VP8L", lossless)),
		"unknown in a frame":    webpOf("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless, "JUNK", "x")),
		"unknown before one":    webpOf("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("JUNK", "x", "VP8L", lossless)),
		"bytes in a frame":      webpOf("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless)+"xx"),
		"frame flags":           webpOf("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless)[:15]+"\x04"+webpChunks("VP8L", lossless)),
		"frame outside":         webpOf("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", "\x01"+frame("VP8L", lossless)[1:]),
		"frame of another size": webpOf("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frameAt[:6]+"\x00"+frameAt[7:]+webpChunks("VP8L", lossless)),
		"picture beside frames": webpOf("VP8X", "\x02"+canvas, "ANIM", settings, "ANMF", frame("VP8L", lossless), "VP8L", lossless),
		"header alone":          webpOf("VP8X", "\x00"+canvas),
		"bare":                  webpOf(),
	}
	return good, bad
}

func TestWebP(t *testing.T) {
	good, bad := webps()
	judgeFiles(t, media.WebP, good, bad)
}

func FuzzVerifyWebP(f *testing.F) {
	good, bad := webps()
	huntIn(f, media.WebP, bytes.Clone, good, bad)
}

// pngOf puts a PNG of 1 × 1 grey pixels together; chunks come in pairs of kind and data.
func pngOf(pairs ...string) []byte {
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

func pngControl(seq byte) string {
	return "\x00\x00\x00" + string([]byte{seq}) + "\x00\x00\x00\x01\x00\x00\x00\x01" + strings.Repeat("\x00", 8) + "\x00\x01\x00\x0a\x00\x00"
}

func pngData(seq byte) string { return "\x00\x00\x00" + string([]byte{seq}) + "d" }

func pngs() (good, bad map[string][]byte) {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write([]byte(smallProfile))
	_ = w.Close()
	announce := func(n byte) string { return "\x00\x00\x00" + string([]byte{n}) + "\x00\x00\x00\x00" }
	// still is a picture with chunks before and after its data.
	still := func(pairs ...string) []byte {
		return pngOf(append(append([]string{"IHDR", grey}, pairs...), "IDAT", "x", "IEND", "")...)
	}
	late := func(pairs ...string) []byte {
		return pngOf(append(append([]string{"IHDR", grey, "IDAT", "x"}, pairs...), "IEND", "")...)
	}
	good = map[string][]byte{
		"still":       still(),
		"palette":     pngOf("IHDR", indexed, "PLTE", "abcdef", "tRNS", "a", "bKGD", "\x00", "IDAT", "x", "IDAT", "y", "IEND", ""),
		"colours":     still("gAMA", "abcd", "cHRM", strings.Repeat("x", 32), "sRGB", "\x00", "sBIT", "\x08", "iCCP", "icc\x00\x00"+z.String()),
		"orientation": still("eXIf", upright),
		"late one":    late("eXIf", upright),
		"position":    still("oFFs", "\x00\x00\x00\x01\x00\x00\x00\x02\x00"),
		"moving":      pngOf("IHDR", grey, "acTL", announce(2), "fcTL", pngControl(0), "IDAT", "x", "fcTL", pngControl(1), "fdAT", pngData(2), "fdAT", pngData(3), "IEND", ""),
		"still apart": pngOf("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", pngControl(0), "fdAT", pngData(1), "IEND", ""),
	}
	damaged := still()
	damaged[len(damaged)-14] ^= 1
	bad = map[string][]byte{
		"text":                still("tEXt", "a\x00b"),
		"time":                still("tIME", "abcdefg"),
		"private":             still("prVt", "x"),
		"suggested palette":   still("sPLT", "x"),
		"EXIF":                still("eXIf", upright+"x"),
		"EXIF twice":          still("eXIf", upright, "eXIf", upright),
		"profile's name":      still("iCCP", "abc\x00\x00"+z.String()),
		"longer profile":      still("iCCP", "icc\x00\x00"+z.String()+"x"),
		"profile that fails":  still("iCCP", "icc\x00\x00x"),
		"longer gamma":        still("gAMA", "abcde"),
		"twice":               still("gAMA", "abcd", "gAMA", "abcd"),
		"late":                late("gAMA", "abcd"),
		"position on paper":   still("oFFs", "\x00\x00\x00\x01\x00\x00\x00\x02\x01"),
		"longer position":     still("oFFs", "\x00\x00\x00\x01\x00\x00\x00\x02\x00x"),
		"longer background":   still("bKGD", "abc"),
		"empty transparency":  still("tRNS", ""),
		"palette's length":    pngOf("IHDR", indexed, "PLTE", "abcd", "IDAT", "x", "IEND", ""),
		"colours of no pixel": pngOf("IHDR", indexed[:8]+"\x01"+indexed[9:], "PLTE", "abcdefghi", "IDAT", "x", "IEND", ""),
		"palette without use": still("PLTE", "abc"),
		"more transparency":   pngOf("IHDR", indexed, "PLTE", "abc", "tRNS", "ab", "IDAT", "x", "IEND", ""),
		"header's length":     pngOf("IHDR", grey+"x", "IDAT", "x", "IEND", ""),
		"header twice":        still("IHDR", grey),
		"no header":           pngOf("IDAT", "x", "IEND", ""),
		"no picture":          pngOf("IHDR", grey, "IEND", ""),
		"two pictures":        pngOf("IHDR", grey, "IDAT", "x", "eXIf", upright, "IDAT", "x", "IEND", ""),
		"end's length":        pngOf("IHDR", grey, "IDAT", "x", "IEND", "x"),
		"checksum":            damaged,
		"frames missing":      pngOf("IHDR", grey, "acTL", announce(2), "fcTL", pngControl(0), "IDAT", "x", "IEND", ""),
		"not announced":       pngOf("IHDR", grey, "fcTL", pngControl(0), "IDAT", "x", "IEND", ""),
		"none announced":      still("acTL", announce(0)),
		"announced late":      late("acTL", announce(1), "fcTL", pngControl(0), "fdAT", pngData(1)),
		"longer announce":     still("acTL", announce(0)+"x"),
		"sequence":            pngOf("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", pngControl(0), "fdAT", pngData(2), "IEND", ""),
		"no frame":            late("fdAT", pngData(0)),
		"data too early":      pngOf("IHDR", grey, "acTL", announce(1), "fcTL", pngControl(0), "fdAT", pngData(1), "IDAT", "x", "IEND", ""),
		"data of the still":   pngOf("IHDR", grey, "acTL", announce(1), "fcTL", pngControl(0), "IDAT", "x", "fdAT", pngData(1), "IEND", ""),
		"frame without data":  pngOf("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", pngControl(0), "fdAT", "\x00\x00\x00\x01", "IEND", ""),
		"frame outside":       pngOf("IHDR", grey, "acTL", announce(1), "IDAT", "x", "fcTL", "\x00\x00\x00\x00\x00\x00\x00\x02"+pngControl(0)[8:], "fdAT", pngData(1), "IEND", ""),
		"frame's length":      pngOf("IHDR", grey, "acTL", announce(1), "fcTL", pngControl(0)+"x", "IDAT", "x", "IEND", ""),
		"disposal":            pngOf("IHDR", grey, "acTL", announce(1), "fcTL", pngControl(0)[:24]+"\x03\x00", "IDAT", "x", "IEND", ""),
		"blending":            pngOf("IHDR", grey, "acTL", announce(1), "fcTL", pngControl(0)[:25]+"\x02", "IDAT", "x", "IEND", ""),
	}
	return good, bad
}

func TestPNG(t *testing.T) {
	good, bad := pngs()
	judgeFiles(t, media.PNG, good, bad)
}

func FuzzVerifyPNG(f *testing.F) {
	good, bad := pngs()
	huntIn(f, media.PNG, mendSums, good, bad)
}

// mendSums makes the checksums of a PNG's chunks right, so that fuzzing comes
// past them.
func mendSums(b []byte) []byte {
	b = bytes.Clone(b)
	for at := 8; at+12 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[at:]))
		if n > len(b)-at-12 {
			break
		}
		binary.BigEndian.PutUint32(b[at+8+n:], crc32.ChecksumIEEE(b[at+4:at+8+n]))
		at += 12 + n
	}
	return b
}

// A scan is read in blocks: what lies across the edge of two is seen like the rest.
func TestJPEGAcrossBlocks(t *testing.T) {
	head := []byte("\xff\xd8\xff\xc0\x00\x0b\x08\x04\x00\x04\x00\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00")
	const block = 128 << 10
	for at := block - 4; at <= block+4; at++ {
		with := func(what string) error {
			b := append(bytes.Clone(head), bytes.Repeat([]byte("x"), at-len(head))...)
			return checkFile(t, media.JPEG, append(append(b, what...), "\xff\xd9"...))
		}
		for _, what := range []string{"", "x", "\xff\x00", "\xff\x00\xff\x00", "x\xff\x00x"} {
			if err := with(what); err != nil {
				t.Errorf("%q at %d: %v", what, at, err)
			}
		}
		for _, what := range []string{"\xff\xd1", "\xff\xd0x", "\xff\x00\xff\xd0x", "\xff\xfe\x00\x04ab", "\xff\x00\xff\xfe\x00\x04ab", "\xff", "\xff\xd9", "\xff\xff\xd9"} {
			if with(what) == nil {
				t.Errorf("%q at %d passes", what, at)
			}
		}
	}
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
