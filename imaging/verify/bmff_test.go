package verify_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/media"
)

func box(typ string, parts ...string) string {
	body := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))) + typ + body
}

func u32(n ...uint32) (s string) {
	for _, x := range n {
		s += string(binary.BigEndian.AppendUint32(nil, x))
	}
	return s
}

// film is a film as the verifier wants it, of one sample in the given coding.
func film(coding, settings, sample string) string {
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	make := func(at int) string {
		entry := box(coding, zeros(7)+"\x01", zeros(16), "\x00\xb0\x00\x90", zeros(12), "\x00\x01", zeros(32), "\x00\x18\xff\xff", settings)
		return box("ftyp", "isom\x00\x00\x02\x00isomiso2mp41") +
			box("moov", box("mvhd", u32(0, 0, 0, 1000, 0, 1<<16), zeros(76)),
				box("trak", box("tkhd", u32(7, 0, 0, 1, 0, 0), zeros(60)),
					box("mdia", box("mdhd", u32(0, 0, 0, 1000, 0), "\x55\xc4\x00\x00"), box("hdlr", u32(0, 0), "vide", zeros(13)),
						box("minf", box("vmhd", u32(1, 0, 0)), box("dinf", box("dref", u32(0, 1), box("url ", u32(1)))),
							box("stbl", box("stsd", u32(0, 1), entry), box("stts", u32(0, 1, 1, 1)), box("stsc", u32(0, 1, 1, 1, 1)), box("stsz", u32(0, 0, 1, uint32(len(sample)))), box("stco", u32(0, 1, uint32(at)))))))) +
			box("mdat", sample)
	}
	return make(len(make(0)) - len(sample))
}

const avcC = "\x01\x42\x00\x1e\xff\xe1\x00\x03\x67\x42\x00\x01\x00\x03\x68\x42\x00"

func of(units ...string) (s string) {
	for _, u := range units {
		s += u32(uint32(len(u))) + u
	}
	return s
}

var pixels = "\x65coded pixels"

func check(t testing.TB, b string) error {
	t.Helper()
	return verify.File(t.Context(), strings.NewReader(b), int64(len(b)), media.MP4)
}

func esds(own string) string {
	d := func(tag, body string) string { return tag + "\x80\x80\x80" + string(rune(len(body))) + body }
	return box("esds", u32(0), d("\x03", "\x00\x01\x00"+d("\x04", "\x20"+strings.Repeat("\x11", 12)+d("\x05", own))+"\x06\x01\x02"))
}

// What a cleaned film may hold.
func TestCertifiedFilms(t *testing.T) {
	h264 := box("avcC", avcC)
	for name, b := range map[string]string{
		"pixels":          film("avc1", h264, of(pixels)),
		"recovery point":  film("avc1", h264, of("\x06\x06\x01\x84\x80", pixels)),
		"filler message":  film("avc1", h264, of("\x06\x03\x04\xff\xff\xff\xff\x80", pixels)),
		"filler and zero": film("avc1", h264, of("\x06\x03\x02\xff\x00\x06\x01\x84\x80")),
		"colours, light":  film("avc1", h264, of("\x06\x89\x18"+strings.Repeat("\x01", 24)+"\x90\x04\x00\x01\x00\x01\x80", pixels)),
		"delimiter, end":  film("avc1", h264, of("\x09\x10\x00", pixels, "\x0a")),
		"filler unit":     film("avc1", h264, of("\x0c\xff\xff\xff\x80", pixels)),
		"stop bits":       film("avc1", h264, of("\x06\x80\x80")),
		"short timing":    film("avc1", h264, of("\x06\x01\x01\x10\x80")),
		"encoder":         film("mp4v", esds("\x00\x00\x01\xb0\x01"), "\x00\x00\x01\xb2XviD0050\x00\x00\x01\xb6"),
		"JPEG":            film("jpeg", "", "\xff\xd8\xff\xe1\x00\x04\x00\x00\xff\xda\x00\x02px\xff\xd9\x00"),
		"AV1":             film("av01", box("av1C", "\x81\x00\x00\x00"), "\x12\x00\x7a\x03\xff\xff\x80\x32\x01x"),
		"H.263":           film("s263", "", "pixels"),
	} {
		if err := check(t, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What it may not: the verifier finds each.
func TestFindsWordsInFilms(t *testing.T) {
	h264 := box("avcC", avcC)
	for name, b := range map[string]string{
		"text":              film("avc1", h264, of("\x06\x05\x0aJon Sample\x80", pixels)),
		"text after filler": film("avc1", h264, of("\x06\x03\x02\xff\xff\x05\x0aJon Sample\x80")),
		"text in filler":    film("avc1", h264, of("\x06\x03\x0aJon Sample\x80")),
		"three zeros":       film("avc1", h264, of("\x06\x03\x04\xff\x00\x00\x03\x00\x80")),
		"captions":          film("avc1", h264, of("\x06\x04\x0a\xb5\x00\x31GA94\x03ab\x80")),
		"clock":             film("avc1", h264, of("\x06\x01\x03abc\x80")),
		"cut message":       film("avc1", h264, of("\x06\x05\x40Jon Sample")),
		"behind start code": film("avc1", h264, of("\x09\x10\x00\x00\x01\x06\x05\x0aJon Sample\x80\x00\x00\x01\x65")),
		"text in colours":   film("avc1", h264, of("\x06\x89\x1e"+strings.Repeat("\x01", 24)+"Jon S.\x80", pixels)),
		"text in light":     film("avc1", h264, of("\x06\x90\x0e\x00\x01\x00\x01Jon Sample\x80", pixels)),
		"text in delimiter": film("avc1", h264, of("\x09\x10Jon Sample", pixels)),
		"text in an end":    film("hev1", box("hvcC", "\x01"+strings.Repeat("\x00", 20)+"\x03\x00"), of("\x02\x01x", "\x4a\x01Jon Sample")),
		"AV1 delimiter":     film("av01", box("av1C", "\x81\x00\x00\x00"), "\x12\x03Jon"),
		"text in filling":   film("avc1", h264, of("\x0cJon Sample\x80", pixels)),
		"unspecified unit":  film("avc1", h264, of("\x18Jon Sample", pixels)),
		"long unit":         film("avc1", h264, "\x00\x00\x00\x40\x65Jon"),
		"short length":      film("avc1", h264, of(pixels)+"Jo"),
		"message in avcC":   film("avc1", box("avcC", "\x01\x42\x00\x1e\xff\xe1\x00\x0d\x06\x05\x0aJon Sample\x00"), of(pixels)),
		"tail of avcC":      film("avc1", box("avcC", avcC+"Jon Sample"), of(pixels)),
		"no avcC":           film("avc1", "", of(pixels)),
		"hvcC of avc1":      film("avc1", box("hvcC", strings.Repeat("\x01", 23)), of(pixels)),
		"unknown coding":    film("jona", "", "pixels"),
		"user data":         film("mp4v", esds("\x00\x00\x01\xb0\x01"), "\x00\x00\x01\xb2Jon Sample\x00\x00\x01\xb6"),
		"name and words":    film("mp4v", esds("\x00\x00\x01\xb0\x01"), "\x00\x00\x01\xb2XviD Jon"),
		"esds text":         film("mp4v", esds("\x00\x00\x01\xb2Jon Sample"), "\x00\x00\x01\xb6"),
		"esds tail":         film("mp4v", strings.Replace(esds("a"), "\x06\x01\x02", "\x06\x01\x03", 1), "\x00\x00\x01\xb6"),
		"JPEG comment":      film("jpeg", "", "\xff\xd8\xff\xfe\x00\x05Jon\xff\xda\x00\x02px\xff\xd9"),
		"JPEG tail":         film("jpeg", "", "\xff\xd8\xff\xda\x00\x02px\xff\xd9Jon"),
		"AV1 metadata":      film("av01", box("av1C", "\x81\x00\x00\x00"), "\x12\x00\x2a\x04\x04Jon"),
		"AV1 padding":       film("av01", box("av1C", "\x81\x00\x00\x00"), "\x12\x00\x7a\x03Jon"),
		"av1C metadata":     film("av01", box("av1C", "\x81\x00\x00\x00\x2a\x04\x04Jon"), "\x12\x00"),
		"vpcC tail":         film("s263", box("vpcC", "\x01\x00\x00\x00\x00\x0a\x82\x02\x02\x02\x00\x00Jon"), "pixels"),
		"dOps tail":         film("s263", box("dOps", "\x00\x02\x01\x38\x00\x00\xbb\x80\x00\x00\x00Jon"), "pixels"),
		"dec3 tail":         film("s263", box("dec3", "\x03\x00\x60\x02\x00Jon"), "pixels"),
		"alac tail":         film("s263", box("alac", strings.Repeat("\x00", 28)+"Jon"), "pixels"),
		"chan tail":         film("s263", box("chan", strings.Repeat("\x00", 16)+strings.Repeat("Jo", 10)), "pixels"),
		"damr maker":        film("s263", box("damr", "Jon \x00\x00\x00\x00\x00"), "pixels"),
		"clean aperture":    film("s263", box("clap", strings.Repeat("\x00", 32)), "pixels"),
		"fragment":          film("s263", "", "pixels") + box("moof", box("mfhd", u32(0, 1))),
		"free":              film("s263", "", "pixels") + box("free"),
		"tail":              film("s263", "", "pixels") + "x",
		"gap":               strings.Replace(film("s263", "", "pixels"), "\x00\x00\x00\x0emdat", "\x00\x00\x00\x0fmdatx", 1),
	} {
		err := check(t, b)
		var found *verify.Finding
		if !errors.As(err, &found) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzVerifyBMFF changes films that are certified: each is certified or has a
// finding, and a mark that is a message by itself is never certified.
func FuzzVerifyBMFF(f *testing.F) {
	h264 := box("avcC", avcC)
	for _, b := range []string{
		film("avc1", h264, of("\x06\x06\x01\x84\x80", "\x0c\xff\xff\xff\x80", pixels)), film("mp4v", esds("\x00\x00\x01\xb0\x01"), "\x00\x00\x01\xb2XviD0050\x00\x00\x01\xb6"),
		film("jpeg", "", "\xff\xd8\xff\xda\x00\x02px\xff\xd9\x00"), film("av01", box("av1C", "\x81\x00\x00\x00"), "\x12\x00\x7a\x03\xff\xff\x80\x32\x01x"), film("s263", "", "pixels"),
		film("avc1", h264, of("\x06\x05\x0aJon Sample\x80", pixels)), film("hev1", box("hvcC", "\x01"+strings.Repeat("\x00", 20)+"\x03\x00"), of("\x4e\x01\x03\x02\xff\xff\x80", "\x02\x01x")),
	} {
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := check(t, string(b))
		var found *verify.Finding
		if err != nil && !errors.As(err, &found) {
			t.Errorf("%v", err)
		}
		if err == nil && check(t, string(b)+"Jon") == nil {
			t.Errorf("a tail is certified: %q", b)
		}
	})
}
