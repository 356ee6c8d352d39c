package sanitise

import "slices"

// configAAC cleans an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1), and is
// false for one of a form that is not known here. Most have few bytes. One that
// describes its channels one by one (4.4.1.1) ends the description in a comment.
func configAAC(b []byte) ([]byte, bool) {
	const few = 7 // the longest of those without such a description
	r := &bitReader{b: b}
	kind := r.get(5)
	frequency := r.get(4)
	channels := r.get(4)
	if kind == 5 || kind == 29 {
		frequency = max(frequency, r.get(4))
		kind = r.get(5)
	}
	if len(b) < 2 || kind < 1 || kind > 4 || frequency == 15 {
		return nil, false
	}
	if channels != 0 {
		return b[:min(len(b), few)], true
	}
	if r.get(1); r.get(1) == 1 { // depends on another
		r.get(14)
	}
	r.get(1)
	r.get(4 + 2 + 4) // number, profile, frequency
	front, side, back, low, data, coupled := r.get(4), r.get(4), r.get(4), r.get(2), r.get(3), r.get(4)
	for _, n := range []int{4, 4, 3} { // how to mix it down
		if r.get(1) == 1 {
			r.get(n)
		}
	}
	r.get(5*(front+side+back) + 4*(low+data) + 5*coupled)
	r.at = (r.at + 7) / 8 * 8
	comment := r.at / 8
	rest := comment + 1 + r.get(8)
	if r.at > 8*len(b) || rest > len(b) {
		return nil, false
	}
	return slices.Concat(b[:comment], []byte{0}, b[rest:min(len(b), rest+few-1)]), true
}

// bitReader reads numbers of a few bits. Past the end they are 0.
type bitReader struct {
	b  []byte
	at int // in bits
}

// get reads the next n bits, of which the last 31 count.
func (r *bitReader) get(n int) (v int) {
	for range n {
		v = v << 1 & (1<<31 - 1)
		if r.at/8 < len(r.b) {
			v |= int(r.b[r.at/8] >> (7 - r.at%8) & 1)
		}
		r.at++
	}
	return v
}
