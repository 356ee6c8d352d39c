package verify

import (
	"encoding/binary"
	"slices"
	"strings"
)

// properties checks the properties one by one, and that each is some item's.
func (w *heifWalk) properties(b []byte) error {
	bad := &Finding{"properties of an unexpected form", w.base}
	n, typ := boxHead(b)
	if typ != "ipco" {
		return bad
	}
	all, b := b[8:n], b[n:]
	for len(all) > 0 {
		n, typ := boxHead(all)
		if n == 0 {
			return bad
		}
		at := w.base // the description is short; its start is near enough
		if err := pictureProperty(typ, all[8:n], at); err != nil {
			return err
		}
		w.props = append(w.props, property{kind: typ, body: all[8:n], at: at})
		all = all[n:]
	}
	n, typ = boxHead(b)
	if typ != "ipma" || n != len(b) || n < 16 || !zero(b[8:11]) || b[11] > 1 || int(binary.BigEndian.Uint32(b[12:])) != len(w.items) {
		return bad
	}
	large := b[11] == 1
	b = b[16:]
	for i := range w.items {
		if len(b) < 3 || int(binary.BigEndian.Uint16(b)) != i+1 {
			return bad
		}
		count := int(b[2])
		b = b[3:]
		for range count {
			var index int
			switch {
			case large && len(b) >= 2:
				index, b = int(binary.BigEndian.Uint16(b)&0x7fff), b[2:]
			case !large && len(b) >= 1:
				index, b = int(b[0]&0x7f), b[1:]
			}
			if index < 1 || index > len(w.props) {
				return bad
			}
			w.props[index-1].used = true
			w.items[i].props = append(w.items[i].props, index-1)
		}
	}
	unused := slices.ContainsFunc(w.props, func(p property) bool { return !p.used })
	return found(len(b) > 0 || unused, "a property that no item has", w.base)
}

// pictureProperty checks one property.
func pictureProperty(kind string, b []byte, at int64) error {
	n, ok := len(b), false
	switch kind {
	case "ispe":
		ok = n == 12 && zero(b[:4])
	case "pixi":
		ok = n >= 6 && n <= 9 && zero(b[:4]) && n == 5+int(b[4])
	case "pasp", "amve":
		ok = n == 8
	case "clap":
		ok = n == 32
	case "clli":
		ok = n == 4
	case "mdcv":
		ok = n == 24
	case "irot":
		ok = n == 1 && b[0] < 4
	case "imir":
		ok = n == 1 && b[0] < 2
	case "a1op":
		ok = n == 1
	case "lsel":
		ok = n == 2
	case "a1lx":
		ok = n == 7 && b[0] == 0 || n == 13 && b[0] == 1
	case "auxC":
		ok = alphaKind(b)
	case "colr":
		switch {
		case n == 11 && string(b[:4]) == "nclx":
			ok = b[10]&0x7f == 0
		case n > 4 && (string(b[:4]) == "prof" || string(b[:4]) == "rICC"):
			return profile(b[4:])
		}
	case "hvcC":
		ok = hevcSetup(b)
	case "avcC":
		ok = avcSetup(b)
	case "av1C":
		ok = av1Setup(b)
	}
	return found(!ok, "a property that showing does not need: "+kind, at)
}

// alphaKind reports whether a full box names an alpha plane.
func alphaKind(b []byte) bool {
	const allowed = " urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\x00 urn:mpeg:hevc:2015:auxid:1\x00 urn:mpeg:avc:2015:auxid:1\x00 "
	return len(b) > 20 && zero(b[:4]) && strings.Contains(allowed, " "+string(b[4:])+" ")
}

// hevcSetup checks a decoder configuration of HEVC (ISO/IEC 14496-15, 8.3.3):
// parameter sets and nothing else.
func hevcSetup(b []byte) bool {
	if len(b) < 23 {
		return false
	}
	arrays := int(b[22])
	b = b[23:]
	for range arrays {
		if len(b) < 3 || b[0]&0x40 != 0 {
			return false
		}
		typ, count := b[0]&0x3f, int(binary.BigEndian.Uint16(b[1:]))
		if typ != 32 && typ != 33 && typ != 34 {
			return false
		}
		b = b[3:]
		for range count {
			u := sized(&b)
			if len(u) < 2 || u[0]>>1 != typ {
				return false
			}
		}
	}
	return len(b) == 0
}

// avcSetup checks a decoder configuration of AVC (ISO/IEC 14496-15, 5.3.3).
func avcSetup(b []byte) bool {
	if len(b) < 7 {
		return false
	}
	high := b[1] == 100 || b[1] == 110 || b[1] == 122 || b[1] == 144
	sets := func(count int, typ byte) bool {
		for range count {
			if u := sized(&b); len(u) < 1 || u[0]&31 != typ {
				return false
			}
		}
		return true
	}
	count := int(b[5] & 31)
	b = b[6:]
	if !sets(count, 7) || len(b) < 1 {
		return false
	}
	count = int(b[0])
	b = b[1:]
	if !sets(count, 8) {
		return false
	}
	if high && len(b) >= 4 {
		count = int(b[3])
		b = b[4:]
		if !sets(count, 13) {
			return false
		}
	}
	return len(b) == 0
}

// sized takes a unit with its length of 16 bits off b; nil when it is not whole.
func sized(b *[]byte) []byte {
	if len(*b) < 2 {
		return nil
	}
	n := 2 + int(binary.BigEndian.Uint16(*b))
	if n > len(*b) {
		return nil
	}
	u := (*b)[2:n]
	*b = (*b)[n:]
	return u
}

// av1Setup checks a decoder configuration of AV1: sequence headers only.
func av1Setup(b []byte) bool {
	if len(b) < 4 || b[0] != 0x81 {
		return false
	}
	for b = b[4:]; len(b) > 0; {
		kind, head, n, ok := av1Unit(b, int64(len(b)))
		if !ok || kind != 1 || head+n > int64(len(b)) {
			return false
		}
		b = b[head+n:]
	}
	return true
}
