package sanitise

import (
	"cmp"
	"slices"
)

// Units of a coded picture that decoding needs: slices and parameter sets.
// Messages to players (SEI), padding and private units are left out. Each of
// these has its length before it, so that leaving one out changes no other.
var heifUnits = map[string]func(header byte) bool{
	"hvc1": func(b byte) bool { // ISO/IEC 23008-2, table 7-1
		t := b >> 1 & 63
		return t <= 9 || t >= 16 && t <= 21 || t >= 32 && t <= 34
	},
	"avc1": func(b byte) bool { // ISO/IEC 14496-10, table 7-1
		return slices.Contains([]byte{1, 2, 3, 4, 5, 7, 8, 13, 19}, b&31)
	},
}

// obuKept lists the types of AV1 that decoding a picture needs (AV1, 6.2.2):
// sequence header, frame header, tile group, frame, redundant frame header.
var obuKept = []byte{1, 3, 4, 6, 7}

// data makes the data of all kept items anew. Items that have the very same
// data, as equal tiles may, are read once; data that overlaps otherwise is
// refused, so that the work is bounded by the file's size.
func (h *heifFile) data() error {
	same := map[string]*heifItem{}
	var all []extent
	for _, it := range h.kept {
		where, err := h.locate(it)
		if err != nil {
			return err
		}
		if !it.coded() {
			if err := h.derive(it, where); err != nil {
				return err
			}
			continue
		}
		prefix, err := h.prefix(it)
		if err != nil {
			return err
		}
		key := append([]byte(it.typ), byte(prefix))
		for _, e := range where {
			key = be.AppendUint64(be.AppendUint64(key, uint64(e.off)), uint64(e.n))
		}
		if was := same[string(key)]; was != nil {
			it.data, it.shortened = was.data, was.shortened
			continue
		}
		same[string(key)] = it
		all = append(all, where...)
		if err := h.coded(it, where, prefix); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b extent) int { return cmp.Compare(a.off, b.off) })
	for i := 1; i < len(all); i++ {
		if all[i].off < all[i-1].off+all[i-1].n {
			return errHEIFUnusual
		}
	}
	return nil
}

// coded lists the ranges of a coded item's data that decoding needs.
func (h *heifFile) coded(it *heifItem, where []extent, prefix int64) error {
	d := newPieces(h.src, where)
	if d.size == 0 {
		return errHEIFCut
	}
	kept := 0
	for at := int64(0); at < d.size; {
		n, keep, err := it.unit(d, at, prefix)
		if err != nil {
			return err
		}
		if n <= 0 || n > d.size-at {
			return errHEIFCut
		}
		if h.units++; h.units > maxHEIFUnits {
			return errHEIFUnusual
		}
		if keep {
			kept++
			it.data = d.cut(it.data, at, n)
		} else {
			h.changed, it.shortened = true, true
		}
		at += n
	}
	if kept == 0 {
		return errHEIFDamaged
	}
	return h.ctx.Err()
}

// unit gives the length of the unit at an offset, and whether to keep it.
func (it *heifItem) unit(d *pieces, at, prefix int64) (n int64, keep bool, err error) {
	left := d.size - at
	if it.typ == "av01" {
		b, err := d.peek(at, min(16, left))
		if err != nil {
			return 0, false, cut(err, errHEIFCut)
		}
		typ, n := obu(&fields{b: b})
		if n == 0 {
			n = left
		}
		return n, slices.Contains(obuKept, typ), nil
	}
	if d.zero(at) { // padding after the last unit
		return left, false, nil
	}
	b, err := d.peek(at, min(prefix+1, left))
	if err != nil {
		return 0, false, cut(err, errHEIFCut)
	}
	r := &fields{b: b}
	n = int64(r.num(int(prefix))) + prefix
	header := byte(r.num(1))
	return n, !r.bad && n > prefix && heifUnits[it.typ](header), nil
}

// prefix is how many bytes each unit's length has.
func (h *heifFile) prefix(it *heifItem) (int64, error) {
	if it.typ == "av01" {
		return 0, nil
	}
	at := map[string]int{"hvc1": 21, "avc1": 4}[it.typ]
	for _, a := range it.assoc {
		if a.index <= len(h.props) && h.props[a.index-1].typ == heifConfig[it.typ] && len(h.props[a.index-1].body) > at {
			return int64(h.props[a.index-1].body[at]&3) + 1, nil
		}
	}
	return 0, errHEIFDamaged
}

// obu reads the header of the next unit of AV1 (5.3) and passes over the unit
// as far as it is there. It gives the unit's type and whole length: 0 when it
// has none and reaches to the end, negative when it is malformed.
func obu(r *fields) (byte, int64) {
	had := int64(len(r.b))
	head := r.num(1)
	typ := byte(head >> 3 & 15)
	if head&4 != 0 {
		r.num(1)
	}
	if head&0x81 != 0 || r.bad {
		return typ, -1
	}
	if head&2 == 0 {
		r.take(len(r.b))
		return typ, 0
	}
	size := uint64(0)
	for i := 0; ; i++ {
		b := r.num(1)
		size |= (b & 127) << (7 * i)
		if r.bad || i > 7 || size > 1<<40 {
			return typ, -1
		}
		if b < 128 {
			break
		}
	}
	n := had - int64(len(r.b)) + int64(size)
	r.take(int(min(size, uint64(len(r.b)))))
	return typ, n
}
