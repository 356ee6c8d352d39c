package sanitise

import (
	"bytes"
	"slices"
)

var errCodec = refuse("codec", "The pictures or the sound of this video are coded in a way that is not known here. Export it as an MP4 with H.264 or H.265.")

// codecPrivate cleans a codec's settings, which some codecs need and others
// have not.
type codecPrivate func(b []byte, acc *account) ([]byte, error)

func noPrivate([]byte, *account) ([]byte, error) { return nil, nil }

// videoCodecs lists the codecs of pictures beside those of NAL units, and how
// to look into their frames, by the sample entry that they have in an MP4.
var videoCodecs = map[string]struct {
	private codecPrivate
	entry   string
}{
	"V_VP8": {noPrivate, "vp08"}, "V_VP9": {vp9Private, "vp09"}, "V_AV1": {av1Private, "av01"}, "V_THEORA": {theoraPrivate, ""}, "V_MJPEG": {noPrivate, "jpeg"},
	"V_MPEG4/ISO/SP": {mpeg4Private, "mp4v"}, "V_MPEG4/ISO/ASP": {mpeg4Private, "mp4v"}, "V_MPEG1": {mpeg2Private, "m2v1"}, "V_MPEG2": {mpeg2Private, "m2v1"},
}

// audioCodecs lists the codecs of sound.
var audioCodecs = map[string]codecPrivate{
	"A_OPUS": opusPrivate, "A_VORBIS": vorbisPrivate, "A_AAC": aacPrivate, "A_FLAC": flacPrivate, "A_ALAC": alacPrivate,
	"A_MPEG/L1": noPrivate, "A_MPEG/L2": noPrivate, "A_MPEG/L3": noPrivate,
	"A_AC3": noPrivate, "A_AC3/BSID9": noPrivate, "A_AC3/BSID10": noPrivate, "A_EAC3": noPrivate,
	"A_DTS": noPrivate, "A_DTS/EXPRESS": noPrivate, "A_DTS/LOSSLESS": noPrivate, "A_TRUEHD": noPrivate, "A_MLP": noPrivate,
	"A_PCM/INT/LIT": noPrivate, "A_PCM/INT/BIG": noPrivate, "A_PCM/FLOAT/IEEE": noPrivate,
}

// codec gives the element of a track's codec settings, clean, and sets how to
// look into its frames. packed says that frames are not stored as they are.
func (f *matroskaFile) codec(t *mkvTrack, name string, private []byte, packed bool) ([]byte, error) {
	clean, err := []byte(nil), error(nil)
	known, ok := videoCodecs[name]
	switch sound := audioCodecs[name]; {
	case !t.video && sound != nil:
		clean, err = sound(private, f.acc)
	case !t.video:
		return nil, errCodec
	case name == "V_MPEG4/ISO/AVC" && len(private) == 0:
		t.look.codec = codingAVC // start codes divide the units, and the settings are among them
	case name == "V_MPEG4/ISO/AVC":
		t.look.codec = codingAVC
		clean, t.look.length, err = configAVC(private, f.acc)
	case name == "V_MPEGH/ISO/HEVC":
		t.look.codec = codingHEVC
		clean, t.look.length, err = configHEVC(private, 23, f.acc)
	case ok:
		t.look.scan = scans[known.entry]
		clean, err = known.private(private, f.acc)
	default:
		return nil, errCodec
	}
	if err != nil {
		return nil, err
	}
	if packed && t.looked() {
		return nil, errVideoUnusual // what is in the frames cannot be seen
	}
	if !bytes.Equal(clean, private) {
		f.acc.removed("texts in the decoder settings", int64(max(0, len(private)-len(clean))))
	}
	if clean == nil {
		return nil, nil
	}
	return master(0x63a2, clean), nil
}

// mpeg4Private keeps the headers of MPEG-4 pictures without texts.
func mpeg4Private(b []byte, acc *account) ([]byte, error) { return headers(b, true, acc) }

// mpeg2Private does the same for MPEG-1 and MPEG-2.
func mpeg2Private(b []byte, acc *account) ([]byte, error) { return headers(b, false, acc) }

func headers(b []byte, names bool, acc *account) ([]byte, error) {
	if len(b) > 4096 {
		return nil, errVideoUnusual
	}
	b = slices.Clone(b)
	headerText(b, names, acc)
	return b, nil
}

// vp9Private keeps profile, level, depth and chroma, each a number of one byte.
func vp9Private(b []byte, _ *account) ([]byte, error) {
	var out []byte
	for len(b) >= 3 && b[1] == 1 && b[0] >= 1 && b[0] <= 4 && len(out) < 12 {
		out, b = append(out, b[:3]...), b[3:]
	}
	return out, nil
}

// av1Private keeps the sequence header of an av1C. Old files have none.
func av1Private(b []byte, acc *account) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return configAV1(b, acc)
}

// xiph splits three headers that are laced by Xiph's way.
func xiph(b []byte) ([][]byte, bool) {
	if len(b) < 1 || b[0] != 2 {
		return nil, false
	}
	sizes, used, ok := laced(b[1:], 0x02, 3, int64(len(b)-1))
	if !ok {
		return nil, false
	}
	b = b[1+used:]
	return [][]byte{b[:sizes[0]], b[sizes[0]:][:sizes[1]], b[sizes[0]+sizes[1]:]}, true
}

// unxiph is the inverse of xiph.
func unxiph(a, b, c []byte) []byte {
	out := []byte{2}
	for _, n := range []int{len(a), len(b)} {
		for ; n >= 255; n -= 255 {
			out = append(out, 255)
		}
		out = append(out, byte(n))
	}
	return slices.Concat(out, a, b, c)
}

// vorbisPrivate empties the comment header (Vorbis I, section 5).
func vorbisPrivate(b []byte, _ *account) ([]byte, error) {
	h, ok := xiph(b)
	if !ok || len(h[0]) != 30 || string(h[0][:7]) != "\x01vorbis" || !bytes.HasPrefix(h[2], []byte("\x05vorbis")) {
		return nil, errVideoDamaged
	}
	return unxiph(h[0], []byte("\x03vorbis\x00\x00\x00\x00\x00\x00\x00\x00\x01"), h[2]), nil
}

// theoraPrivate does the same for Theora.
func theoraPrivate(b []byte, _ *account) ([]byte, error) {
	h, ok := xiph(b)
	if !ok || len(h[0]) < 42 || string(h[0][:7]) != "\x80theora" || !bytes.HasPrefix(h[2], []byte("\x82theora")) {
		return nil, errVideoDamaged
	}
	return unxiph(h[0][:42], []byte("\x81theora\x00\x00\x00\x00\x00\x00\x00\x00"), h[2]), nil
}

// opusPrivate cuts the identification header to its length (RFC 7845, 5.1).
func opusPrivate(b []byte, _ *account) ([]byte, error) {
	if len(b) < 19 || string(b[:8]) != "OpusHead" {
		return nil, errVideoDamaged
	}
	n := 19
	if b[18] != 0 {
		n = 21 + int(b[9])
	}
	if len(b) < n {
		return nil, errVideoDamaged
	}
	return b[:n], nil
}

// aacPrivate keeps an AudioSpecificConfig without words.
func aacPrivate(b []byte, _ *account) ([]byte, error) {
	clean, ok := configAAC(b)
	if !ok {
		return nil, errCodec
	}
	return clean, nil
}

// flacPrivate keeps the stream's parameters without the sum of its sound.
func flacPrivate(b []byte, _ *account) ([]byte, error) {
	if len(b) < 42 || string(b[:4]) != "fLaC" || b[4]&0x7f != 0 || string(b[5:8]) != "\x00\x00\x22" {
		return nil, errVideoDamaged
	}
	out := slices.Clone(b[:42])
	out[4] = 0x80 // the last block
	clear(out[26:])
	return out, nil
}

// alacPrivate keeps the decoder's parameters.
func alacPrivate(b []byte, _ *account) ([]byte, error) {
	if len(b) < 24 || be.Uint32(b[4:])>>24 != 0 {
		return nil, errVideoDamaged
	}
	return b[:24], nil
}
