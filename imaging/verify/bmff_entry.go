package verify

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// entries checks the sample descriptions of a track.
func (w *bmffWalk) entries(b []byte, at int64) error {
	w.tables["stsd"], w.looks = b, nil
	if len(b) < 8 || !zero(b[:4]) {
		return &Finding{"sample descriptions of an unexpected form", at}
	}
	count := binary.BigEndian.Uint32(b[4:])
	b = b[8:]
	for ; len(b) >= 16; count-- {
		n := int(binary.BigEndian.Uint32(b))
		if n < 16 || n > len(b) || strings.HasPrefix(string(b[4:8]), "enc") {
			return &Finding{"a sample description of wrong length or kind", at}
		}
		body := b[8:n]
		look := w.look(string(b[4:8]))
		if w.still && w.codec == "" {
			w.codec = map[string]string{"hvc1": "hvc1", "hev1": "hvc1", "av01": "av01", "avc1": "avc1", "avc3": "avc1"}[string(b[4:8])]
		}
		b = b[n:]
		fixed := 78
		ok := len(body) >= 28 && zero(body[:6]) && body[6] == 0 && body[7] == 1
		if w.sound {
			switch fixed = 28; {
			case !ok:
			case body[9] == 1 && w.quick:
				fixed = 44
			case body[9] == 1 && len(body) >= 44 && !boxesFit(body[28:]):
				fixed = 44
			case body[9] == 2:
				fixed = 64
			}
			ok = ok && zero(body[10:16])
		} else {
			ok = ok && len(body) >= 78 && zero(body[8:24]) && zero(body[36:40]) && zero(body[42:74]) && string(body[76:78]) == "\xff\xff"
		}
		if look == nil {
			return &Finding{"pictures of an unknown coding", at}
		}
		look.still = w.still && !w.sound
		if !ok || len(body) < fixed {
			return &Finding{"a sample description that names its maker", at}
		}
		if err := look.boxes(body[fixed:], at, 0); err != nil {
			return err
		}
		if look.nal != nil && look.nal.prefix == 0 {
			return &Finding{"pictures without decoder settings", at}
		}
		w.looks = append(w.looks, look)
	}
	return found(len(b) != 0 || count != 0, "sample descriptions of wrong length", at)
}

// boxesFit reports whether b is a row of boxes.
func boxesFit(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 8 {
			return false
		}
		n := int(binary.BigEndian.Uint32(b))
		if n < 8 || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}

// look is how the samples of one description are looked into.
type look struct {
	nal    *nal // nil when they are not of units
	pieces *pieces
	coding string // of pieces
	sound  bool
	still  bool // of the animation of a HEIF picture
}

// sample checks one sample of n bytes at an offset.
func (l *look) sample(at, n int64) error {
	switch {
	case l.nal != nil:
		return l.nal.sample(at, n)
	case l.pieces != nil:
		return l.pieces.sample(l.coding, at, n)
	}
	return nil
}

// opaque reports whether there is nothing to look for in samples.
func (l *look) opaque() bool { return l.nal == nil && l.pieces == nil }

// look gives how to look into samples of a kind, or nil if it is not known.
func (w *bmffWalk) look(typ string) *look {
	if w.sound {
		return &look{sound: true}
	}
	n := nal{src: w.src, size: w.size}
	switch typ {
	case "avc1", "avc2", "avc3", "avc4", "dva1", "dvav":
		n.avc = true
		return &look{nal: &n}
	case "hvc1", "hvc2", "hev1", "hev2", "lhv1", "lhe1", "dvh1", "dvhe":
		return &look{nal: &n}
	case "vvc1", "vvi1":
		n.vvc = true
		return &look{nal: &n}
	}
	coding, known := codings[typ]
	switch {
	case !known:
		return nil
	case coding == "":
		return &look{}
	}
	return &look{coding: coding, pieces: &pieces{ctx: w.ctx, near: n}}
}

// boxes checks the boxes of decoder settings in a sample description.
func (l *look) boxes(b []byte, at int64, depth int) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return &Finding{"bytes after the decoder settings", at}
		}
		n, typ := int(binary.BigEndian.Uint32(b)), string(b[4:8])
		if n < 8 || n > len(b) {
			return &Finding{"decoder settings of wrong length", at}
		}
		body := b[8:n]
		b = b[n:]
		if err := l.box(typ, body, at, depth); err != nil {
			return err
		}
	}
	return nil
}

func (l *look) box(typ string, body []byte, at int64, depth int) error {
	n := len(body)
	small := map[string]int{"pasp": 8, "ccst": 8, "fiel": 2, "clli": 4, "mdcv": 24, "dvcC": 24, "dvvC": 24, "dac3": 3, "srat": 8, "pcmC": 6}
	if want, ok := small[typ]; ok {
		if l.nal != nil && (typ == "dvcC" || typ == "dvvC") {
			l.nal.dolby = true
		}
		return found(n != want, "decoder settings of wrong length", at)
	}
	switch typ {
	case "avcC", "hvcC", "lhvC", "vvcC":
		if l.nal == nil || n > 64<<10 || l.nal.avc != (typ == "avcC") || l.nal.vvc != (typ == "vvcC") {
			return &Finding{"decoder settings of another codec", at}
		}
		prefix, ok := l.nal.settings(typ, body)
		if !ok || l.nal.prefix != 0 && l.nal.prefix != prefix {
			return &Finding{"parameters that decoding does not need", at}
		}
		l.nal.prefix = prefix
		return nil
	case "av1C":
		return found(!sequence(body), "units that decoding does not need", at)
	case "vpcC":
		end := 12
		if n > 0 && body[0] == 0 {
			end = 10
		}
		return found(n > end || n == end && !zero(body[end-2:]), "decoder settings of wrong length", at)
	case "dOps":
		return found(n < 11 || n != 11 && (body[10] == 0 || n != 13+int(body[1])), "decoder settings of wrong length", at)
	case "chan":
		return found(n < 16 || n > 16+20*255 || (n-16)%20 != 0 || uint64(n-16)/20 > uint64(binary.BigEndian.Uint32(body[12:])), "decoder settings of wrong length", at)
	case "dec3":
		return found(!enhanced(body), "decoder settings of wrong length", at)
	case "alac":
		return found(n < 24 || n > 28, "decoder settings of wrong length", at)
	case "ddts":
		return found(n != 20, "decoder settings of wrong length", at)
	case "dmlp":
		return found(n != 10, "decoder settings of wrong length", at)
	case "dac4", "mhaC", "chnl", "dapa":
		return found(n > 4096, "decoder settings of wrong length", at)
	case "dfLa":
		return found(n != 42 || string(body[4:8]) != "\x80\x00\x00\x22", "decoder settings with more than the stream", at)
	case "iacb":
		return found(n > 16<<10, "decoder settings of wrong length", at)
	case "d263", "damr":
		return found(n != map[string]int{"d263": 7, "damr": 9}[typ] || !zero(body[:5]), "decoder settings that name their maker", at)
	case "esds":
		return found(!l.elementary(body), "a stream descriptor of an unexpected form", at)
	case "colr":
		switch {
		case n == 10 && string(body[:4]) == "nclc", n == 11 && string(body[:4]) == "nclx", n == 10 && string(body[:4]) == "nclx":
			return nil
		case n > 4 && string(body[:4]) == "prof":
			return profile(body[4:])
		}
	case "ccst":
		return found(!l.still || n != 8 || !zero(body[:4]), "decoder settings of wrong length", at)
	case "auxi":
		return found(!l.still || !alphaKind(body), "an auxiliary track that showing does not need", at)
	case "wave":
		if depth == 0 {
			return l.boxes(body, at, 1)
		}
	case "frma", "mp4a":
		return found(depth == 0 || n != 4, "decoder settings of wrong length", at)
	case "enda":
		return found(depth == 0 || n != 2, "decoder settings of wrong length", at)
	case "\x00\x00\x00\x00":
		return found(depth == 0 || n != 0, "decoder settings of wrong length", at)
	}
	return &Finding{"decoder settings that decoding does not need", at}
}

// enhanced reports whether settings of E-AC-3 end where they say (ETSI TS 102
// 366, F.6): streams of three bytes, of four with others that depend on them,
// and two bytes for objects.
func enhanced(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	streams, b := int(b[1]%8)+1, b[2:]
	for ; streams > 0; streams-- {
		if len(b) < 3 {
			return false
		}
		if b[2]&0x1e != 0 {
			b = b[min(1, len(b)-3):]
		}
		b = b[3:]
	}
	return len(b) < 2 || len(b) == 2 && b[0]%2 == 1
}

// elementary checks a stream descriptor: the number of the stream, the
// decoder's settings, and nothing else.
func (l *look) elementary(b []byte) bool {
	open := func(b []byte, tag byte) []byte {
		if len(b) < 5 || b[0] != tag || b[1]&b[2]&b[3] < 0x80 || b[4] > 127 {
			return nil
		}
		n := int(b[1]&127)<<21 | int(b[2]&127)<<14 | int(b[3]&127)<<7 | int(b[4])
		if n > len(b)-5 {
			return nil
		}
		return b[5:][:n]
	}
	if len(b) < 9 || len(b) > 16<<10 || !zero(b[:4]) {
		return false
	}
	stream := open(b[4:], 3)
	if len(stream) != len(b)-9 || len(stream) < 3 || stream[2] != 0 {
		return false
	}
	config := open(stream[3:], 4)
	if len(config) < 13 || string(stream[8+len(config):]) != "\x06\x01\x02" {
		return false
	}
	if len(config) == 13 {
		return true
	}
	own := open(config[13:], 5)
	if len(own) != len(config)-18 {
		return false
	}
	if known, bare := bareAAC(own); l.sound && (config[0] == 0x40 || config[0] >= 0x66 && config[0] <= 0x68) && known && !bare {
		return false
	}
	for !l.sound { // the headers of pictures have no text
		i := bytes.Index(own, []byte{0, 0, 1, 0xb2})
		if i < 0 {
			break
		}
		text := own[i+4:]
		if stop := bytes.Index(text, []byte{0, 0, 1}); stop >= 0 {
			text = text[:stop]
		}
		if !plain(text, config[0] == 0x20) {
			return false
		}
		own = own[i+4+len(text):]
	}
	return true
}

// sequence checks an av1C: sequence headers after the four fixed bytes.
func sequence(b []byte) bool {
	if len(b) < 4 || len(b) > 64<<10 || b[0] != 0x81 {
		return false
	}
	for b = b[4:]; len(b) > 0; {
		head, size := obu(b[:min(12, len(b))], int64(len(b)))
		if head == 0 || head+size > int64(len(b)) || b[0]>>3 != 1 || b[0]&2 == 0 {
			return false
		}
		b = b[head+size:]
	}
	return true
}
