package verify

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
)

// mkvRule says what the content of an element must be.
type mkvRule func(b []byte) bool

// Numbers are written in the fewest bytes.
func wholeUpTo(most uint64) mkvRule {
	return func(b []byte) bool {
		return len(b) > 0 && len(b) <= 8 && (len(b) == 1 || b[0] != 0) && wholeNumber(b) <= most
	}
}

func wholeNumber(b []byte) (v uint64) {
	for _, c := range b {
		v = v*256 + uint64(c)
	}
	return v
}

func exactly(s string) mkvRule { return func(b []byte) bool { return string(b) == s } }

func ofLength(n int) mkvRule { return func(b []byte) bool { return len(b) == n } }

func decimal(b []byte) bool {
	if len(b) != 8 {
		return false
	}
	v := math.Float64frombits(binary.BigEndian.Uint64(b))
	return v-v == 0
}

func anything([]byte) bool { return true }

// holding is an element of elements, each at most once.
func holding(inside map[uint32]mkvRule) mkvRule {
	return func(b []byte) bool {
		all, ok := row(b, inside)
		return ok && len(all) > 0
	}
}

// row splits b into elements, each known, at most once, and as it must be.
func row(b []byte, inside map[uint32]mkvRule) (map[uint32][]byte, bool) {
	all := map[uint32][]byte{}
	for len(b) > 0 {
		p, ok := partHead(b)
		if !ok || !p.shortest || p.n > int64(len(b))-p.head {
			return nil, false
		}
		body := b[p.head:][:p.n]
		rule := inside[p.id]
		if _, twice := all[p.id]; twice || rule == nil || !rule(body) {
			return nil, false
		}
		all[p.id] = body
		b = b[p.head+p.n:]
	}
	return all, true
}

var (
	mkvInfo = map[uint32]mkvRule{0x2ad7b1: wholeUpTo(1e9), 0x4d80: exactly("wardseal"), 0x5741: exactly("wardseal"), 0x4489: decimal}

	mkvMastering = map[uint32]mkvRule{0x55d1: decimal, 0x55d2: decimal, 0x55d3: decimal, 0x55d4: decimal, 0x55d5: decimal, 0x55d6: decimal, 0x55d7: decimal, 0x55d8: decimal, 0x55d9: decimal, 0x55da: decimal}
	mkvColour    = map[uint32]mkvRule{
		0x55b1: wholeUpTo(255), 0x55b2: wholeUpTo(64), 0x55b3: wholeUpTo(8), 0x55b4: wholeUpTo(8), 0x55b5: wholeUpTo(8), 0x55b6: wholeUpTo(8), 0x55b7: wholeUpTo(2), 0x55b8: wholeUpTo(2),
		0x55b9: wholeUpTo(3), 0x55ba: wholeUpTo(255), 0x55bb: wholeUpTo(255), 0x55bc: wholeUpTo(65536), 0x55bd: wholeUpTo(65536), 0x55d0: holding(mkvMastering),
	}
	mkvProjection = map[uint32]mkvRule{0x7671: wholeUpTo(2), 0x7672: func(b []byte) bool { return len(b) == 20 || len(b) == 12 }, 0x7673: decimal, 0x7674: decimal, 0x7675: decimal}
	mkvVideo      = map[uint32]mkvRule{
		0xb0: wholeUpTo(65536), 0xba: wholeUpTo(65536), 0x9a: wholeUpTo(2), 0x9d: wholeUpTo(14), 0x53b8: wholeUpTo(14), 0x53c0: wholeUpTo(1),
		0x54aa: wholeUpTo(65536), 0x54bb: wholeUpTo(65536), 0x54cc: wholeUpTo(65536), 0x54dd: wholeUpTo(65536), 0x54b0: wholeUpTo(1 << 20), 0x54ba: wholeUpTo(1 << 20), 0x54b2: wholeUpTo(4),
		0x55b0: holding(mkvColour), 0x7670: holding(mkvProjection),
	}
	mkvAudio = map[uint32]mkvRule{0xb5: decimal, 0x78b5: decimal, 0x9f: wholeUpTo(255), 0x6264: wholeUpTo(64), 0x52f1: wholeUpTo(16)}

	mkvCompression = map[uint32]mkvRule{0x4254: func(b []byte) bool { return string(b) == "\x00" || string(b) == "\x03" }, 0x4255: func(b []byte) bool { return len(b) > 0 && len(b) < 17 }}
	mkvEncoding    = map[uint32]mkvRule{0x5031: exactly("\x00"), 0x5032: exactly("\x01"), 0x5033: exactly("\x00"), 0x5034: holding(mkvCompression)}
	mkvDolby       = map[uint32]mkvRule{0x41e7: func(b []byte) bool { return string(b) == "dvcC" || string(b) == "dvvC" }, 0x41ed: ofLength(24)}

	mkvEntry = map[uint32]mkvRule{
		0xd7: wholeUpTo(1 << 14), 0x73c5: wholeUpTo(1 << 14), 0x83: wholeUpTo(2), 0xb9: wholeUpTo(1), 0x88: wholeUpTo(1), 0x55aa: wholeUpTo(1), 0x9c: wholeUpTo(1),
		0x23e383: wholeUpTo(1 << 40), 0x55ee: exactly("\x01"), 0x22b59c: exactly("und"), 0x86: anything, 0x63a2: anything, 0x56aa: wholeUpTo(1 << 40), 0x56bb: wholeUpTo(1 << 40),
		0xe0: holding(mkvVideo), 0xe1: anything, 0x6d80: holding(map[uint32]mkvRule{0x6240: holding(mkvEncoding)}), 0x41e4: holding(mkvDolby),
	}
)

// trackEntries checks the tracks.
func (w *mkvWalk) trackEntries(b []byte, at int64) error {
	for len(b) > 0 {
		p, ok := partHead(b)
		if !ok || p.id != 0xae || !p.shortest || p.n > int64(len(b))-p.head {
			return &Finding{"something else than a track", at}
		}
		if err := w.track(b[p.head:][:p.n], at); err != nil {
			return err
		}
		b, at = b[p.head+p.n:], at+p.head+p.n
	}
	return found(w.shown == 0, "no track of pictures", at)
}

func (w *mkvWalk) track(b []byte, at int64) error {
	all, ok := row(b, mkvEntry)
	if !ok {
		return &Finding{"a track that says what playing does not need", at}
	}
	t := &mkvTrack{number: wholeNumber(all[0xd7]), codec: string(all[0x86]), frame: wholeNumber(all[0x23e383]), packed: all[0x6d80] != nil, dolby: all[0x41e4] != nil}
	switch {
	case t.number == 0, w.tracks[t.number] != nil, !bytes.Equal(all[0xd7], all[0x73c5]), all[0x22b59c] == nil:
		return &Finding{"a track with a name of its own", at}
	case string(all[0x83]) == "\x01" && all[0xe0] != nil && all[0xe1] == nil:
		t.video = true
		video, _ := row(all[0xe0], mkvVideo)
		t.alpha = wholeNumber(video[0x53c0]) == 1
		if w.shown == 0 {
			w.shown = t.number
		}
	case string(all[0x83]) == "\x02" && all[0xe0] == nil && all[0x41e4] == nil:
		if _, ok := row(all[0xe1], mkvAudio); !ok {
			return &Finding{"a sound track that says what playing does not need", at}
		}
	default:
		return &Finding{"a track of another kind", at}
	}
	if all[0x55ee] != nil && !t.alpha {
		return &Finding{"data beside the frames", at}
	}
	w.tracks[t.number] = t
	return w.settings(t, all[0x63a2], at)
}

// settings checks a codec's settings.
func (w *mkvWalk) settings(t *mkvTrack, b []byte, at int64) error {
	ok := false
	switch kind, _, _ := strings.Cut(t.codec, "_"); {
	case kind == "V" != t.video:
	case t.codec == "V_MPEG4/ISO/AVC", t.codec == "V_MPEGH/ISO/HEVC":
		t.look.nal = &nal{src: w.src, size: w.size, avc: t.codec == "V_MPEG4/ISO/AVC", dolby: t.dolby}
		box := "hvcC"
		if t.look.nal.avc {
			box = "avcC"
		}
		if t.look.nal.stream = t.look.nal.avc && len(b) == 0; t.look.nal.stream {
			ok = true
			break
		}
		t.look.nal.prefix, ok = t.look.nal.settings(box, b)
	default:
		rule := mkvSettings[t.codec]
		ok = rule != nil && rule(b)
		if coding := mkvLooks[t.codec]; coding != "" {
			t.look.coding, t.look.pieces = coding, &pieces{ctx: w.ctx, near: nal{src: w.src, size: w.size}}
		}
	}
	ok = ok && (!t.packed || t.look.opaque()) // what is packed cannot be looked into
	return found(!ok, "settings of a codec that decoding does not need", at)
}

// mkvLooks says how to look into frames that have a place for words.
var mkvLooks = map[string]string{"V_AV1": "obu", "V_MPEG4/ISO/SP": "mpeg4", "V_MPEG4/ISO/ASP": "mpeg4", "V_MPEG1": "mpeg2", "V_MPEG2": "mpeg2", "V_MJPEG": "jpeg"}

var mkvSettings = map[string]mkvRule{
	"V_VP8": ofLength(0), "V_THEORA": threeHeaders("\x81theora", "\x00\x00\x00\x00\x00\x00\x00\x00"),
	"V_VP9": func(b []byte) bool {
		for ; len(b) > 2 && b[0] > 0 && b[0] < 5 && b[1] == 1; b = b[3:] {
		}
		return len(b) == 0
	},
	"V_AV1":   func(b []byte) bool { return len(b) == 0 || sequence(b) },
	"V_MJPEG": ofLength(0), "V_MPEG4/ISO/SP": noText(true), "V_MPEG4/ISO/ASP": noText(true), "V_MPEG1": noText(false), "V_MPEG2": noText(false),
	"A_VORBIS": threeHeaders("\x03vorbis", "\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
	"A_OPUS": func(b []byte) bool {
		return len(b) >= 19 && bytes.HasPrefix(b, []byte("OpusHead")) && (len(b) == 19 && b[18] == 0 || b[18] > 0 && len(b) == 21+int(b[9]))
	},
	"A_AAC": func(b []byte) bool {
		_, bare := bareAAC(b)
		return bare
	},
	"A_FLAC": func(b []byte) bool {
		return len(b) == 42 && string(b[:8]) == "fLaC\x80\x00\x00\x22" && zero(b[26:])
	},
	"A_ALAC":    ofLength(24),
	"A_MPEG/L1": ofLength(0), "A_MPEG/L2": ofLength(0), "A_MPEG/L3": ofLength(0), "A_AC3": ofLength(0), "A_AC3/BSID9": ofLength(0), "A_AC3/BSID10": ofLength(0), "A_EAC3": ofLength(0),
	"A_DTS": ofLength(0), "A_DTS/EXPRESS": ofLength(0), "A_DTS/LOSSLESS": ofLength(0), "A_TRUEHD": ofLength(0), "A_MLP": ofLength(0),
	"A_PCM/INT/LIT": ofLength(0), "A_PCM/INT/BIG": ofLength(0), "A_PCM/FLOAT/IEEE": ofLength(0),
}

// threeHeaders is of Xiph's codecs: the second header, of comments, is empty.
func threeHeaders(mark, empty string) mkvRule {
	return func(b []byte) bool {
		if len(b) < 3 || b[0] != 2 {
			return false
		}
		sizes, head, ok := lacing(b, 1, int64(len(b)))
		if !ok || sizes[0] > 42 {
			return false
		}
		return string(b[head+sizes[0]:][:sizes[1]]) == mark+empty
	}
}

// noText is of headers of MPEG pictures: user data is filler, or the name of an
// encoder in MPEG-4.
func noText(mpeg4 bool) mkvRule {
	return func(b []byte) bool {
		parts := bytes.Split(b, []byte{0, 0, 1})
		for _, p := range parts[1:] {
			if len(p) > 0 && p[0] == 0xb2 && !plain(p[1:], mpeg4) {
				return false
			}
		}
		return len(b) <= 4096
	}
}
