package sanitise

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wardseal/wardseal/imaging/splice"
)

// write lays out the file anew: brands, the tables of the kept items with the
// data of derived items inside, the movie of an animation, the coded data of
// the items without gaps, and the movie's media data.
func (h *heifFile) write(out *splice.Splice) error {
	starts, sizes, data := h.layout()
	total := int64(0)
	for _, e := range data {
		total += e.n
	}
	brands := h.ftyp()
	at := int64(len(brands))
	var meta, header, moov, after []byte
	if len(h.kept) > 0 {
		meta, header = h.metaBox(0, starts, sizes), mdatHeader(total)
		at += int64(len(meta))
	}
	if h.frames != nil {
		moov, after, _ = h.frames.place(h.samples, at, int64(len(header))+total)
		if moov == nil {
			return errHEIFUnusual
		}
		at += int64(len(moov))
	}
	if at += int64(len(header)); at+total > 1<<32-1 {
		return errHEIFUnusual
	}
	out.Literal(brands)
	if meta != nil {
		out.Literal(h.metaBox(at, starts, sizes)) // of the same length
	}
	out.Literal(moov)
	out.Literal(header)
	for _, e := range data {
		out.Copy(e.off, e.n)
	}
	out.Literal(after)
	for _, s := range h.samples {
		out.Copy(s.off, s.n)
	}
	return nil
}

// layout places the data of the coded items one after the other. Items that
// have the very same data, as equal tiles may, share it.
func (h *heifFile) layout() (starts, sizes []int64, data []extent) {
	shared := map[int64]int64{} // by where the data began; different data never overlaps
	at := int64(0)
	for _, it := range h.kept {
		n := int64(len(it.literal))
		start := int64(0)
		if it.coded() {
			n = 0
			for _, e := range it.data {
				n += e.n
			}
			var again bool
			if start, again = shared[it.data[0].off]; !again {
				start, shared[it.data[0].off] = at, at
				data = append(data, it.data...)
				at += n
			}
		}
		starts, sizes = append(starts, start), append(sizes, n)
	}
	return starts, sizes, data
}

var be16, be32 = binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32

// metaBox describes the kept items; at is where the media data begins.
func (h *heifFile) metaBox(at int64, starts, sizes []int64) []byte {
	full := make([]byte, 4)
	n := uint16(len(h.kept))
	var idat, refs []byte
	infos := be16(full, n)
	places := be16(nil, n)
	version := byte(0)
	if slices.ContainsFunc(h.kept, func(it *heifItem) bool { return it.literal != nil }) {
		version = 1
	}
	for i, it := range h.kept {
		flags := byte(0)
		if it.hidden {
			flags = 1
		}
		infos = append(infos, box("infe", []byte{2, 0, 0, flags}, be16(nil, it.number), []byte{0, 0}, []byte(it.typ), []byte{0})...)
		places = be16(places, it.number)
		off := at + starts[i]
		if version == 1 {
			method := uint16(0)
			if it.derived() {
				method, off = 1, int64(len(idat))
			}
			places = be16(places, method)
		}
		idat = append(idat, it.literal...)
		places = append(places, 0, 0) // in this file
		if sizes[i] == 0 {
			places = be16(places, 0)
		} else {
			places = be32(be32(be16(places, 1), uint32(off)), uint32(sizes[i]))
		}
		refs = append(refs, references(it)...)
	}
	parts := [][]byte{full,
		box("hdlr", full, full, []byte("pict"), make([]byte, 13)),
		box("pitm", full, be16(nil, h.items[h.primary].number)),
		box("iloc", []byte{version, 0, 0, 0, 0x44, 0}, places),
		box("iinf", infos),
	}
	if len(refs) > 0 {
		parts = append(parts, box("iref", full, refs))
	}
	parts = append(parts, h.propertyBox())
	if len(idat) > 0 {
		parts = append(parts, box("idat", idat))
	}
	return box("meta", parts...)
}

// references gives the references of one item: to what it is made of, and to
// what it is the alpha plane of.
func references(it *heifItem) (out []byte) {
	ref := func(typ string, to []*heifItem) {
		if len(to) == 0 {
			return
		}
		b := be16(be16(nil, it.number), uint16(len(to)))
		for _, other := range to {
			b = be16(b, other.number)
		}
		out = append(out, box(typ, b)...)
	}
	ref("dimg", it.parts)
	ref("auxl", it.masters)
	ref("prem", it.premultiplied)
	return out
}

// propertyBox writes every different property once, and which item has which.
func (h *heifFile) propertyBox() []byte {
	index := map[string]int{}
	var all []string
	for _, it := range h.kept {
		for _, p := range it.clean {
			if index[p.box] == 0 {
				all = append(all, p.box)
				index[p.box] = len(all)
			}
		}
	}
	flags, mark := byte(0), 1<<7
	if len(all) > 127 {
		flags, mark = 1, 1<<15
	}
	assoc := be32([]byte{0, 0, 0, flags}, uint32(len(h.kept)))
	for _, it := range h.kept {
		assoc = append(be16(assoc, it.number), byte(len(it.clean)))
		for _, p := range it.clean {
			v := index[p.box]
			if p.essential {
				v |= mark
			}
			if flags == 1 {
				assoc = append(assoc, byte(v>>8))
			}
			assoc = append(assoc, byte(v))
		}
	}
	return box("iprp", box("ipco", []byte(strings.Join(all, ""))), box("ipma", assoc))
}
