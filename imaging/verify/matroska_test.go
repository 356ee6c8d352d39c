package verify_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/media"
)

// mkv writes an element whose size takes the fewest bytes.
func mkv(id string, parts ...string) string {
	body := strings.Join(parts, "")
	n := uint64(len(body))
	for width := 1; ; width++ {
		if n < 1<<(7*width)-1 {
			size := binary.BigEndian.AppendUint64(nil, n|1<<(7*width))
			return id + string(size[8-width:]) + body
		}
	}
}

func mkvFloat(id string, v float64) string {
	return mkv(id, string(binary.BigEndian.AppendUint64(nil, math.Float64bits(v))))
}

// cleanMKV is a cleaned film in its parts, so that a test can put something
// wrong into one of them.
type cleanMKV struct {
	docType, info, video, picture, sound, tracks, cluster, cue, end string
	track                                                           byte
	more                                                            string // in the list of places
	position                                                        int64
}

func (c cleanMKV) bytes() []byte {
	header := mkv("\x1a\x45\xdf\xa3", "\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08", mkv("\x42\x82", c.docType), "\x42\x87\x81\x04\x42\x85\x81\x02")
	info := mkv("\x15\x49\xa9\x66", "\x2a\xd7\xb1\x83\x0f\x42\x40\x4d\x80\x88wardseal\x57\x41\x88wardseal", mkvFloat("\x44\x89", 41), c.info)
	picture := mkv("\xae", "\xd7\x81\x01\x73\xc5\x81", string([]byte{c.track}), "\x83\x81\x01\x22\xb5\x9c\x83und\x86\x85V_VP8", mkv("\xe0", "\xb0\x81\x40\xba\x81\x30", c.video), c.picture)
	sound := mkv("\xae", "\xd7\x81\x02\x73\xc5\x81\x02\x83\x81\x02\x22\xb5\x9c\x83und\x86\x85A_AC3\xe1\x83\x9f\x81\x01", c.sound)
	tracks := mkv("\x16\x54\xae\x6b", picture, sound, c.tracks)
	cluster := mkv("\x1f\x43\xb6\x75", "\xe7\x81\x00\xa3\x89\x81\x00\x00\x80first\xa3\x88\x82\x00\x00\x80loud\xa0\x92\xa1\x8a\x81\x00\x28\x00second\x9b\x81\x01\xfb\x81\xd8", c.cluster)
	cues := func(at int64) string {
		return mkv("\x1c\x53\xbb\x6b", mkv("\xbb", "\xb3\x81\x00", mkv("\xb7", "\xf7\x81\x01\xf1\x88"+string(binary.BigEndian.AppendUint64(nil, uint64(at))))), c.cue)
	}
	place := func(id string, at int) string {
		return "\x4d\xbb\x8e\x53\xab\x84" + id + "\x53\xac\x84" + string(binary.BigEndian.AppendUint32(nil, uint32(at)))
	}
	places := func(own int) string {
		return mkv("\x11\x4d\x9b\x74", place("\x15\x49\xa9\x66", own), place("\x16\x54\xae\x6b", own+len(info)), place("\x1c\x53\xbb\x6b", own+len(info)+len(tracks)), c.more)
	}
	own := len(places(0))
	index := cues(int64(own+len(info)+len(tracks)+len(cues(0))) + c.position)
	body := places(own) + info + tracks + index + cluster + c.end
	return []byte(header + "\x18\x53\x80\x67" + string(binary.BigEndian.AppendUint64(nil, uint64(len(body))|1<<56)) + body)
}

func plainMKV() cleanMKV { return cleanMKV{docType: "webm", track: 1} }

func checkMKV(t testing.TB, b []byte) error {
	t.Helper()
	return verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.WebM)
}

func TestMatroska(t *testing.T) {
	for _, docType := range []string{"webm", "matroska"} {
		c := plainMKV()
		c.docType = docType
		if err := checkMKV(t, c.bytes()); err != nil {
			t.Errorf("%s: %v", docType, err)
		}
	}
	c := plainMKV()
	c.video = mkv("\x55\xb0", "\x55\xb1\x81\x09\x55\xbb\x81\x09")
	c.picture = "\x23\xe3\x83\x84\x02\x62\x5a\x00"
	if err := checkMKV(t, c.bytes()); err != nil {
		t.Error(err)
	}
}

// Each kind of thing that could be left is found.
func TestMatroskaFindsWhatIsLeft(t *testing.T) {
	group := func(more string) string {
		return mkv("\xa0", "\xa1\x85\x81\x00\x28\x00x", more)
	}
	for name, wrong := range map[string]func(c *cleanMKV){
		"document type":      func(c *cleanMKV) { c.docType = "webk" },
		"title":              func(c *cleanMKV) { c.info = mkv("\x7b\xa9", "t") },
		"date":               func(c *cleanMKV) { c.info = mkv("\x44\x61", "12345678") },
		"segment identifier": func(c *cleanMKV) { c.info = mkv("\x73\xa4", "0123456789abcdef") },
		"second program":     func(c *cleanMKV) { c.info = mkv("\x4d\x80", "x") },
		"void in info":       func(c *cleanMKV) { c.info = mkv("\xec", "x") },
		"track identifier":   func(c *cleanMKV) { c.track = 7 },
		"track name":         func(c *cleanMKV) { c.picture = mkv("\x53\x6e", "n") },
		"language":           func(c *cleanMKV) { c.picture = mkv("\x22\xb5\x9d", "de") },
		"codec name":         func(c *cleanMKV) { c.picture = mkv("\x25\x86\x88", "n") },
		"codec settings":     func(c *cleanMKV) { c.picture = mkv("\x63\xa2", "s") },
		"void in track":      func(c *cleanMKV) { c.picture = mkv("\xec", "") },
		"number too long":    func(c *cleanMKV) { c.picture = mkv("\x88", "\x00\x01") },
		"number too large":   func(c *cleanMKV) { c.picture = mkv("\x88", "\x02") },
		"size too long":      func(c *cleanMKV) { c.picture = "\x88\x40\x01\x01" },
		"colour":             func(c *cleanMKV) { c.video = mkv("\x55\xb0", mkv("\x55\xb0", "x")) },
		"empty colour":       func(c *cleanMKV) { c.video = mkv("\x55\xb0") },
		"unknown in video":   func(c *cleanMKV) { c.video = mkv("\x2e\xb5\x24", "I420") },
		"projection mesh":    func(c *cleanMKV) { c.video = mkv("\x76\x70", "\x76\x71\x81\x03") },
		"sound channels":     func(c *cleanMKV) { c.sound = mkv("\x7d\x7b", "x") },
		"encryption":         func(c *cleanMKV) { c.sound = mkv("\x6d\x80", mkv("\x62\x40", "\x50\x33\x81\x01")) },
		"subtitles": func(c *cleanMKV) {
			c.tracks = mkv("\xae", "\xd7\x81\x03\x73\xc5\x81\x03\x83\x81\x11\x22\xb5\x9c\x83und\x86\x8bS_TEXT/UTF8")
		},
		"track twice": func(c *cleanMKV) {
			c.tracks = mkv("\xae", "\xd7\x81\x02\x73\xc5\x81\x02\x83\x81\x02\x22\xb5\x9c\x83und\x86\x85A_AC3")
		},
		"void among tracks": func(c *cleanMKV) { c.tracks = mkv("\xec", "x") },
		"unknown codec": func(c *cleanMKV) {
			c.tracks = mkv("\xae", "\xd7\x81\x03\x73\xc5\x81\x03\x83\x81\x02\x22\xb5\x9c\x83und\x86\x85A_NEW")
		},
		"place of tags":  func(c *cleanMKV) { c.more = "\x4d\xbb\x8e\x53\xab\x84\x12\x54\xc3\x67\x53\xac\x84\x00\x00\x00\x00" },
		"cue to nowhere": func(c *cleanMKV) { c.position = 1 },
		"second cue": func(c *cleanMKV) {
			c.cue = "\xbb\x90\xb3\x81\x00\xb7\x8b\xf7\x81\x01\xf1\x88\x00\x00\x00\x00\x00\x00\x00\x00"
		},
		"void in the index": func(c *cleanMKV) { c.cue = mkv("\xec", "x") },
		"void in a cluster": func(c *cleanMKV) { c.cluster = mkv("\xec", "x") },
		"position":          func(c *cleanMKV) { c.cluster = mkv("\xa7", "x") },
		"block of no track": func(c *cleanMKV) { c.cluster = "\xa3\x85\x83\x00\x00\x80x" },
		"reserved flags":    func(c *cleanMKV) { c.cluster = "\xa3\x85\x81\x00\x00\x90x" },
		"short block":       func(c *cleanMKV) { c.cluster = "\xa3\x83\x81\x00\x00" },
		"additions":         func(c *cleanMKV) { c.cluster = group(mkv("\x75\xa1", mkv("\xa6", mkv("\xa5", "x")))) },
		"codec state":       func(c *cleanMKV) { c.cluster = group(mkv("\xa4", "x")) },
		"void in a group":   func(c *cleanMKV) { c.cluster = group(mkv("\xec", "x")) },
		"long number":       func(c *cleanMKV) { c.cluster = group(mkv("\x75\xa2", "123456789")) },
		"no block":          func(c *cleanMKV) { c.cluster = mkv("\xa0", "\x9b\x81\x01") },
		"two blocks":        func(c *cleanMKV) { c.cluster = group("\xa1\x85\x81\x00\x28\x00x") },
		"longer than said":  func(c *cleanMKV) { c.cluster = "\xa3\x85\x81\x7f\x00\x80x" },
		"tags":              func(c *cleanMKV) { c.end = mkv("\x12\x54\xc3\x67") },
		"chapters":          func(c *cleanMKV) { c.end = mkv("\x10\x43\xa7\x70") },
		"attachments":       func(c *cleanMKV) { c.end = mkv("\x19\x41\xa4\x69") },
		"void":              func(c *cleanMKV) { c.end = mkv("\xec") },
		"empty cluster":     func(c *cleanMKV) { c.end = mkv("\x1f\x43\xb6\x75") },
		"half a cluster":    func(c *cleanMKV) { c.end = "\x1f\x43\xb6\x75\x90" },
	} {
		c := plainMKV()
		wrong(&c)
		var found *verify.Finding
		if err := checkMKV(t, c.bytes()); !errors.As(err, &found) {
			t.Errorf("%s is not found: %v", name, err)
		}
	}
}

// Frames are looked into by their codec, laced or not.
func TestMatroskaLooksIntoFrames(t *testing.T) {
	const (
		avc   = "\x01\x42\x00\x1e\xff\xe1\x00\x04\x67\x42\x00\x1e\x01\x00\x04\x68\xce\x38\x80"
		slice = "\x00\x00\x00\x05\x65slic"
		text  = "\x00\x00\x00\x15\x06\x05\x120123456789abcdefhi\x80"
		alpha = "\x53\xc0\x81\x01"
	)
	with := func(codec, private, video, block string) []byte {
		c := plainMKV()
		settings := ""
		if private != "" {
			settings = mkv("\x63\xa2", private)
		}
		c.tracks = mkv("\xae", "\xd7\x81\x03\x73\xc5\x81\x03\x83\x81\x01\x22\xb5\x9c\x83und", mkv("\x86", codec), settings, mkv("\xe0", "\xb0\x81\x40\xba\x81\x30", video))
		c.cluster = block
		return c.bytes()
	}
	simple := func(flags byte, frames string) string {
		return mkv("\xa3", "\x83\x00\x00", string([]byte{flags}), frames)
	}
	beside := mkv("\xa0", "\xa1\x85\x83\x00\x00\x00x", mkv("\x75\xa1", mkv("\xa6", "\xee\x81\x01", mkv("\xa5", "x"))))
	other := mkv("\xa0", "\xa1\x85\x83\x00\x00\x00x", mkv("\x75\xa1", mkv("\xa6", "\xee\x81\x04", mkv("\xa5", "x"))))
	n := byte(len(slice))
	for name, c := range map[string]struct {
		good, bad []byte
	}{
		"H.264":        {with("V_MPEG4/ISO/AVC", avc, "", simple(0x80, slice)), with("V_MPEG4/ISO/AVC", avc, "", simple(0x80, text+slice))},
		"start codes":  {with("V_MPEG4/ISO/AVC", "", "", simple(0x80, "\x00\x00\x00\x01\x67abc\x00\x00\x01\x65slic")), with("V_MPEG4/ISO/AVC", "", "", simple(0x80, "\x00\x00\x00\x01\x67abc\x00\x00\x00\x01"+text[4:]+"\x00\x00\x00\x01\x65slic"))},
		"before codes": {with("V_MPEG4/ISO/AVC", "", "", simple(0x80, "\x00\x00\x01\x65slic")), with("V_MPEG4/ISO/AVC", "", "", simple(0x80, "words\x00\x00\x01\x65slic"))},
		"settings":     {with("V_MPEG4/ISO/AVC", avc, "", ""), with("V_MPEG4/ISO/AVC", avc+"x", "", "")},
		"Xiph lacing":  {with("V_MPEG4/ISO/AVC", avc, "", simple(0x82, "\x01"+string([]byte{n})+slice+slice)), with("V_MPEG4/ISO/AVC", avc, "", simple(0x82, "\x01"+string([]byte{n})+slice+text))},
		"fixed lacing": {with("V_MPEG4/ISO/AVC", avc, "", simple(0x84, "\x01"+slice+slice)), with("V_MPEG4/ISO/AVC", avc, "", simple(0x84, "\x01"+text+text))},
		"EBML lacing":  {with("V_MPEG4/ISO/AVC", avc, "", simple(0x86, "\x02"+string([]byte{0x80 | n, 0xbf})+slice+slice+slice)), with("V_MPEG4/ISO/AVC", avc, "", simple(0x86, "\x02"+string([]byte{0x80 | n, 0xbf})+slice+slice+text))},
		"MPEG-4":       {with("V_MPEG4/ISO/ASP", "\x00\x00\x01\xb2XviD0050", "", simple(0x80, "\x00\x00\x01\xb6x")), with("V_MPEG4/ISO/ASP", "", "", simple(0x80, "\x00\x00\x01\xb2ward\x00\x00\x01\xb6x"))},
		"its settings": {with("V_MPEG2", "\x00\x00\x01\xb3x", "", ""), with("V_MPEG2", "\x00\x00\x01\xb3x\x00\x00\x01\xb2ward", "", "")},
		"AV1":          {with("V_AV1", "", "", simple(0x80, "\x32\x01x")), with("V_AV1", "", "", simple(0x80, "\x2a\x05\x05time"))},
		"transparent":  {with("V_VP9", "", alpha, beside), with("V_VP9", "", alpha, other)},
		"not so":       {with("V_VP9", "\x01\x01\x00", alpha, beside), with("V_VP9", "", "", beside)},
		"VP9 settings": {with("V_VP9", "\x01\x01\x00\x02\x01\x14", "", ""), with("V_VP9", "\x01\x02ab", "", "")},
	} {
		if err := checkMKV(t, c.good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var found *verify.Finding
		if err := checkMKV(t, c.bad); !errors.As(err, &found) {
			t.Errorf("%s: what is left is not found: %v", name, err)
		}
	}
}

// Settings of codecs of sound: as they must be, and with something in them.
func TestMatroskaSoundSettings(t *testing.T) {
	with := func(codec, private string) []byte {
		c := plainMKV()
		settings := ""
		if private != "" {
			settings = mkv("\x63\xa2", private)
		}
		c.tracks = mkv("\xae", "\xd7\x81\x03\x73\xc5\x81\x03\x83\x81\x02\x22\xb5\x9c\x83und", mkv("\x86", codec), settings)
		return c.bytes()
	}
	vorbis := "\x01vorbis" + strings.Repeat("\x00", 23)
	comments := func(text string) string {
		second := "\x03vorbis\x00\x00\x00\x00\x00\x00\x00\x00\x01" + text
		return "\x02" + string([]byte{30, byte(len(second))}) + vorbis + second + "\x05vorbis"
	}
	opus := "OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"
	flac := "fLaC\x80\x00\x00\x22" + strings.Repeat("\x01", 18)
	for codec, c := range map[string]struct{ good, bad string }{
		"A_VORBIS":      {comments(""), comments("x")},
		"A_OPUS":        {opus, opus + "x"},
		"A_FLAC":        {flac + strings.Repeat("\x00", 16), flac + "a sum of a sound"},
		"A_AAC":         {"\x12\x10", "\x12\x10 and a text"},
		"A_ALAC":        {strings.Repeat("\x00", 24), strings.Repeat("\x00", 25)},
		"A_AC3":         {"", "x"},
		"A_PCM/INT/LIT": {"", "x"},
	} {
		if err := checkMKV(t, with(codec, c.good)); err != nil {
			t.Errorf("%s: %v", codec, err)
		}
		if checkMKV(t, with(codec, c.bad)) == nil {
			t.Errorf("%s: what is left is not found", codec)
		}
	}
}

func TestMatroskaAtItsEdges(t *testing.T) {
	b := plainMKV().bytes()
	for n := range b {
		if checkMKV(t, b[:n]) == nil {
			t.Fatalf("%d of %d bytes are certified", n, len(b))
		}
	}
	if checkMKV(t, append(bytes.Clone(b), 'x')) == nil {
		t.Error("a trailing byte is not found")
	}
	late := bytes.Replace(b, []byte("\xe7\x81\x00"), []byte("\xe7\x81\x05"), 1)
	if checkMKV(t, late) == nil {
		t.Error("times that do not count from the start are not found")
	}
}

// FuzzVerifyMatroska looks for a file on which the verifier fails, and for a
// text of letters in front of the clusters that it takes.
func FuzzVerifyMatroska(f *testing.F) {
	f.Add(plainMKV().bytes())
	c := plainMKV()
	c.docType = "matroska"
	c.video = mkv("\x55\xb0", "\x55\xb1\x81\x09") + mkv("\x76\x70", "\x76\x71\x81\x01", mkv("\x76\x72", strings.Repeat("\x00", 20)))
	c.picture = mkv("\x6d\x80", mkv("\x62\x40", "\x50\x31\x81\x00\x50\x32\x81\x01\x50\x33\x81\x00", mkv("\x50\x34", "\x42\x54\x81\x03\x42\x55\x81\x00")))
	f.Add(c.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkMKV(t, b) != nil {
			return
		}
		if checkMKV(t, append(bytes.Clone(b), 0)) == nil {
			t.Error("a trailing byte is certified")
		}
	})
}
