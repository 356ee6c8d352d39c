package sanitise_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/media"
)

// counted counts the bytes that are read.
type counted struct {
	src  io.ReaderAt
	read int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.src.ReadAt(p, off)
	c.read += int64(n)
	return n, err
}

// However many things stand in a sample, each of a few bytes, no byte of it is
// read for each of them.
func TestSmallStepsThroughSamples(t *testing.T) {
	const many = 20_000
	avcC := bx("avcC", "\x01\x42\x00\x1e\xff\xe0\x00")
	for name, c := range map[string]struct{ codec, settings, sample string }{
		"MPEG-2 text":      {"m2v1", "", strings.Repeat("\x00\x00\x01\xb2text", many)},
		"MPEG-2 filler":    {"m2v1", "", strings.Repeat("\x00\x00\x01\xb2\xff\xff", many)},
		"MPEG-4 names":     {"mp4v", "", strings.Repeat("\x00\x00\x01\xb2XviD1", many)},
		"H.264 starts":     {"avc1", avcC, u32(5*many) + strings.Repeat("\x00\x00\x01\x09\xf0", many)},
		"H.264 messages":   {"avc1", avcC, u32(3*many+2) + "\x06" + strings.Repeat("\x05\x01M", many) + "\x80"},
		"JPEG restarts":    {"jpeg", "", "\xff\xd8\xff\xda\x00\x02" + strings.Repeat("\xff\xd0", many) + "\xff\xd9"},
		"JPEG fill":        {"jpeg", "", "\xff\xd8" + strings.Repeat("\xff", many) + "\xff\xd9"},
		"JPEG comments":    {"jpeg", "", "\xff\xd8" + strings.Repeat("\xff\xfe\x00\x02", many) + "\xff\xd9"},
		"JPEG of no pixel": {"jpeg", "", strings.Repeat("\xff\xd8\xff\xd9", many)},
	} {
		film := func(at int) string {
			b := built(bx("stts", u32(0, 1, 1, 1))+bx("stsc", u32(0, 1, 1, 1, 1))+bx("stsz", u32(0, 0, 1, uint32(len(c.sample))))+bx("stco", u32(0, 1, uint32(at))), "")
			b = strings.Replace(b, "s263", c.codec, 1)
			return grown(b, c.settings) + bx("mdat", c.sample)
		}
		b := []byte(film(len(film(0)) - len(c.sample)))
		src := &counted{src: bytes.NewReader(b)}
		if _, err := sanitise.File(t.Context(), src, int64(len(b)), media.MP4, sanitise.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if most := 20*int64(len(b)) + 1<<20; src.read > most {
			t.Errorf("%s: %d bytes are read of %d", name, src.read, len(b))
		}
	}
}

// grown puts boxes at the end of a film's sample description.
func grown(film, settings string) string {
	const end = "\x00\x18\xff\xff"
	at := strings.Index(film, end) + len(end)
	b := []byte(film[:at] + settings + film[at:])
	for _, typ := range []string{"moov", "trak", "mdia", "minf", "stbl", "stsd", "avc1"} {
		if i := bytes.Index(b, []byte(typ)); i >= 0 {
			binary.BigEndian.PutUint32(b[i-4:], binary.BigEndian.Uint32(b[i-4:])+uint32(len(settings)))
		}
	}
	return string(b)
}
