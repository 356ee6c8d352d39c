package sanitise

import (
	"bytes"
	"slices"
)

// Boxes in a sample entry that decoding or showing needs, with the fewest and
// most bytes that each may have.
var entryKept = map[string][2]int{
	"vpcC": {8, 4096}, "dvcC": {24, 24}, "dvvC": {24, 24}, "d263": {7, 64}, "damr": {9, 9},
	"pasp": {8, 8}, "ccst": {8, 8}, "fiel": {2, 2}, "clli": {4, 4}, "mdcv": {24, 24},
	"alac": {24, 4096}, "dac3": {3, 3}, "dec3": {5, 64}, "dOps": {11, 512}, "dfLa": {42, 64 << 10}, "chan": {16, 4096}, "srat": {8, 8}, "pcmC": {6, 6},
	"ddts": {20, 64}, "dmlp": {10, 16}, "dac4": {4, 1024}, "mhaC": {5, 4096}, "iacb": {2, 16 << 10}, "chnl": {6, 512}, "dapa": {4, 4096},
}

// descriptions cleans the sample descriptions: the fixed part without maker
// and compressor names, and of the boxes those that decoding needs.
func (f *bmffFile) descriptions(t *track, b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, errVideoDamaged
	}
	entries, err := children(b[8:])
	if err != nil || len(entries) == 0 || uint64(len(entries)) != uint64(be.Uint32(b[4:])) {
		return nil, errVideoDamaged
	}
	out := append(make([]byte, 4), b[4:8]...)
	for _, e := range entries {
		if slices.Contains([]string{"encv", "enca", "drmi", "drms"}, e.typ) {
			return nil, errVideoProtected
		}
		var clean []byte
		if t.handler != "soun" {
			var l look
			clean, l, err = f.picture(e.typ, e.body)
			t.looks = append(t.looks, l)
		} else {
			if clean, err = f.sound(e.body); err == nil {
				t.packets = append(t.packets, soundPacket(e.typ, e.body))
			}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, box(e.typ, clean)...)
	}
	return out, nil
}

// picture cleans a visual sample entry (ISO/IEC 14496-12, 12.1.3).
func (f *bmffFile) picture(typ string, b []byte) ([]byte, look, error) {
	if len(b) < 78 {
		return nil, look{}, errVideoDamaged
	}
	w, h := int(be.Uint16(b[24:])), int(be.Uint16(b[26:]))
	if err := checkPixels(w, h, f.opt); err != nil {
		return nil, look{}, err
	}
	f.width, f.height = max(f.width, w), max(f.height, h)
	if len(bytes.Trim(b[42:74], "\x00")) > 0 {
		f.acc.removed("encoder names", 32)
	}
	out := make([]byte, 78)
	out[7] = 1                 // data reference
	copy(out[24:42], b[24:42]) // size, resolution, frames a sample
	clear(out[36:40])
	out[40], out[41] = 0, 1
	copy(out[74:78], b[74:78]) // depth, colour table
	if be.Uint16(b[76:]) != 0xffff {
		if be.Uint16(b[74:]) <= 8 {
			return nil, look{}, errVideoUnusual // a palette follows
		}
		out[76], out[77] = 0xff, 0xff
	}
	if f.codec == "" {
		f.codec = typ
	}
	l := look{codec: codecs[typ], scan: scans[typ]}
	if _, known := scans[typ]; !known && l.codec == nil {
		return nil, l, refuse("codec", "The pictures of this video are coded in a way that is not known here. Export it as an MP4 with H.264 or H.265.")
	}
	out, err := f.entryBoxes(out, b[78:], &l)
	if err == nil && l.codec != nil && l.length == 0 {
		err = errVideoDamaged // without a configuration nobody can play it
	}
	return out, l, err
}

// sound cleans an audio sample entry, of ISO or of QuickTime's three versions.
func (f *bmffFile) sound(b []byte) ([]byte, error) {
	if len(b) < 28 {
		return nil, errVideoDamaged
	}
	n := map[uint16]int{0: 28, 1: 44, 2: 64}[be.Uint16(b[8:])]
	if !f.quick && be.Uint16(b[8:]) == 1 && len(b) >= 36 && be.Uint32(b[28:]) >= 8 && int(be.Uint32(b[28:])) <= len(b)-28 {
		n = 28 // version 1 of ISO has no further fields
	}
	if n == 0 || len(b) < n {
		return nil, errVideoDamaged
	}
	out := slices.Clone(b[:n])
	clear(out[:6])
	out[6], out[7] = 0, 1
	clear(out[10:16]) // revision and vendor
	return f.entryBoxes(out, b[n:], nil)
}

// entryBoxes cleans the boxes of a sample entry. What the decoder's settings say
// about how to look into samples goes to l, which is nil for sound.
func (f *bmffFile) entryBoxes(out, b []byte, l *look) ([]byte, error) {
	boxes, err := children(b)
	if err != nil {
		return nil, err
	}
	for _, c := range boxes {
		size, kept := entryKept[c.typ]
		switch {
		case l != nil && (c.typ == "avcC" || c.typ == "hvcC" || c.typ == "lhvC" || c.typ == "vvcC") && len(c.body) <= 64<<10:
			clean, err := f.units(l, c)
			if err != nil {
				return nil, err
			}
			out = append(out, box(c.typ, clean)...)
		case kept && len(c.body) >= size[0] && len(c.body) <= size[1]:
			if l != nil && (c.typ == "dvcC" || c.typ == "dvvC") {
				l.dolby = true
			}
			out = append(out, box(c.typ, vendorless(c.typ, c.body))...)
		case c.typ == "esds" && len(c.body) <= 16<<10:
			clean, err := esds(c.body, f.acc)
			if err != nil {
				return nil, err
			}
			out = append(out, box("esds", clean)...)
		case c.typ == "av1C" && l != nil && len(c.body) <= 64<<10:
			clean, err := configAV1(c.body, f.acc)
			if err != nil {
				return nil, err
			}
			out = append(out, box("av1C", clean)...)
		case c.typ == "colr" && len(c.body) >= 10 && (string(c.body[:4]) == "nclx" || string(c.body[:4]) == "nclc"):
			n := 10
			if string(c.body[:4]) == "nclx" && len(c.body) > 10 {
				n = 11
			}
			out = append(out, box("colr", c.body[:n])...)
		case c.typ == "colr" && len(c.body) > 4 && (string(c.body[:4]) == "prof" || string(c.body[:4]) == "rICC"):
			profile, err := reduceICC(c.body[4:])
			if err != nil {
				f.dropped(c.typ, nil, int64(len(c.body)))
				continue
			}
			out = append(out, box("colr", []byte("prof"), profile)...)
		case f.still && l != nil && c.typ == "ccst" && len(c.body) == 8:
			out = append(out, box("ccst", make([]byte, 4), c.body[4:])...)
		case f.still && l != nil && c.typ == "auxi" && slices.Contains(alphaNames, auxType(c.body)):
			l.alpha = true
			out = append(out, box("auxi", make([]byte, 4), []byte(auxType(c.body)), []byte{0})...)
		case c.typ == "wave":
			inner, err := f.wave(c.body)
			if err != nil {
				return nil, err
			}
			out = append(out, inner...)
		default:
			f.dropped(c.typ, c.body, int64(len(c.body)))
		}
	}
	return out, nil
}

// vendorless clears the maker and version that the settings of 3GPP start with,
// drops the comments of FLAC, and cuts settings where they end.
func vendorless(typ string, b []byte) []byte {
	b = slices.Clone(b)
	if n := settingsEnd(typ, b); n < len(b) {
		b = b[:n]
	}
	switch typ {
	case "dfLa": // of the blocks of FLAC the first; others have words
		b[4] |= 0x80
	case "damr", "d263":
		clear(b[:5])
	case "vpcC": // how many bytes follow for a decoder, of which VP8 and VP9 have none
		if n := len(b); n == 12 || n == 10 && b[0] == 0 {
			clear(b[n-2:])
		}
	}
	return b
}

// settingsEnd is where the settings of a decoder end, by what they say.
func settingsEnd(typ string, b []byte) int {
	fixed := map[string]int{"dfLa": 42, "damr": 9, "d263": 7, "alac": 28, "ddts": 20, "dmlp": 10}
	switch typ {
	case "vpcC":
		if b[0] == 0 {
			return 10
		}
		return 12
	case "dOps":
		if b[10] == 0 { // the channels are the usual ones
			return 11
		}
		return 13 + int(b[1])
	case "dec3":
		n := 2
		for range b[1]&7 + 1 {
			if n += 3; n <= len(b) && b[n-1]>>1&15 > 0 {
				n++ // dependent substreams
			}
		}
		if n < len(b) && b[n]&1 == 1 {
			n++ // for objects, how many
		}
		return n + 1
	case "chan":
		return 16 + 20*int(min(be.Uint32(b[12:]), 255))
	}
	if n, ok := fixed[typ]; ok {
		return n
	}
	return len(b)
}

// wave cleans QuickTime's box of decoder settings for sound.
func (f *bmffFile) wave(b []byte) ([]byte, error) {
	boxes, err := children(b)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, c := range boxes {
		size, kept := entryKept[c.typ]
		switch {
		case kept && len(c.body) >= size[0] && len(c.body) <= size[1]:
			out = append(out, box(c.typ, vendorless(c.typ, c.body))...)
		case c.typ == "esds" && len(c.body) <= 16<<10:
			clean, err := esds(c.body, f.acc)
			if err != nil {
				return nil, err
			}
			out = append(out, box("esds", clean)...)
		case c.typ == "frma" && len(c.body) == 4, c.typ == "enda" && len(c.body) == 2, c.typ == "mp4a" && len(c.body) == 4:
			out = append(out, box(c.typ, c.body)...)
		case c.typ == "\x00\x00\x00\x00":
		default:
			f.dropped(c.typ, c.body, int64(len(c.body)))
		}
	}
	return box("wave", out, box("\x00\x00\x00\x00")), nil
}
