package verify

import (
	"encoding/binary"
)

// data checks that the coded items' data fills the media data without gaps, and
// that it is made of units that decoding needs. Items may share data.
func (w *heifWalk) data(in *cursor) (coded string, err error) {
	if len(w.items) == 0 {
		return "", found(w.movie == nil, "neither a picture nor an animation", in.at)
	}
	start := in.at
	head, err := in.take(8)
	if err != nil {
		return "", err
	}
	if string(head[4:]) != "mdat" {
		return "", &Finding{"something else than media data", start}
	}
	stop := start + int64(binary.BigEndian.Uint32(head))
	known := map[[2]int64]string{}
	for i := range w.items {
		it := &w.items[i]
		prefix := 0
		for _, p := range it.props {
			switch b := w.props[p].body; w.props[p].kind {
			case "hvcC":
				prefix = int(b[21]&3) + 1
			case "avcC":
				prefix = int(b[4]&3) + 1
			}
		}
		if it.kind != "hvc1" && it.kind != "avc1" && it.kind != "av01" {
			continue
		}
		if coded == "" {
			coded = it.kind
		}
		how := it.kind + string(rune('0'+prefix))
		if was, again := known[[2]int64{it.at, it.n}]; again && was == how {
			continue
		}
		if it.at != in.at {
			return "", &Finding{"coded data out of place", it.at}
		}
		known[[2]int64{it.at, it.n}] = how
		for end := it.at + it.n; in.at < end; {
			if err := codedUnit(in, it.kind, prefix, end); err != nil {
				return "", err
			}
		}
	}
	return coded, found(in.at != stop, "media data that no item accounts for", in.at)
}

// codedUnit checks the next unit of coded data, which must end by end.
func codedUnit(in *cursor, kind string, prefix int, end int64) error {
	at := in.at
	b, err := in.view(at, min(16, end-at))
	if err != nil {
		return err
	}
	ok, whole := false, int64(0)
	if kind == "av01" {
		unit, head, n, fine := av1Unit(b, end-at)
		whole = head + n
		ok = fine && (unit == 1 || unit == 3 || unit == 4 || unit == 6 || unit == 7)
	} else {
		if len(b) <= prefix {
			return &Finding{"a coded unit that is cut short", at}
		}
		var n uint32
		for _, x := range b[:prefix] {
			n = n<<8 | uint32(x)
		}
		whole = int64(prefix) + int64(n)
		switch t := b[prefix] >> 1 & 0x3f; kind {
		case "hvc1":
			ok = n > 0 && (t < 10 || t >= 16 && t < 22 || t == 32 || t == 33 || t == 34)
		case "avc1":
			t = b[prefix] & 31
			ok = n > 0 && (t >= 1 && t <= 5 || t == 7 || t == 8 || t == 13 || t == 19)
		}
	}
	if !ok || whole > end-at {
		return &Finding{"a coded unit that decoding does not need", at}
	}
	in.at = at + whole
	return nil
}

// av1Unit reads the header of a unit of AV1: its type, and the lengths of its
// header and of what follows, of which left bytes are there. Without a length
// of its own a unit reaches to the end.
func av1Unit(b []byte, left int64) (kind byte, head, n int64, ok bool) {
	if len(b) < 1 || b[0]&0x81 != 0 {
		return 0, 0, 0, false
	}
	kind, head = b[0]>>3, 1
	if b[0]&4 != 0 {
		head = 2
	}
	if b[0]&2 == 0 {
		return kind, head, left - head, left >= head
	}
	if int64(len(b)) < head {
		return 0, 0, 0, false
	}
	v, k := binary.Uvarint(b[head:])
	if k <= 0 || k > 8 || v > 1<<40 {
		return 0, 0, 0, false
	}
	return kind, head + int64(k), int64(v), true
}

// fitting checks that the brands are known ones, and fit how the picture is coded.
func (w *heifWalk) fitting(coded string) error {
	allowed := map[string][]string{
		"hvc1": {"heic", "heix"}, "av01": {"avif", "MA1A", "MA1B"}, "avc1": {"avci"},
	}[coded]
	if w.movie != nil {
		allowed = append(allowed, map[string][]string{"hvc1": {"hevc", "hevx"}, "av01": {"avis"}}[coded]...)
		allowed = append(allowed, "msf1", "iso8")
		if w.movie.codec != coded {
			return &Finding{"an animation in another coding than the picture", 0}
		}
	}
	allowed = append(allowed, "mif1", "miaf")
	bad := &Finding{"brands that are not known", 0}
	if len(w.brands)%4 != 0 || w.brands[4:8] != "\x00\x00\x00\x00" {
		return bad
	}
	for at := 0; at < len(w.brands); at += 4 {
		if at == 4 {
			continue
		}
		ok := false
		for i, a := range allowed {
			if a == w.brands[at:at+4] {
				ok = true
				if at > 4 {
					allowed = append(allowed[:i:i], allowed[i+1:]...) // once
				}
				break
			}
		}
		if !ok {
			return bad
		}
	}
	return nil
}
