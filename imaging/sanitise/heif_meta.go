package sanitise

import (
	"bytes"
)

// heifItem is one item that the file describes.
type heifItem struct {
	id        uint32
	typ       string // of infe; "" for one without a type
	content   string // MIME type, when typ is "mime"
	hidden    bool
	protected bool
	named     int // bytes of its name

	assoc   []heifAssoc
	located bool
	loc     heifLoc

	// Of kept items:
	number        uint16
	alpha         bool        // of an alpha plane, not of the picture
	parts         []*heifItem // that it is made of
	masters       []*heifItem // that it is the alpha plane of
	premultiplied []*heifItem // alpha planes that its colours are multiplied with
	width, height int
	clean         []heifProp
	literal       []byte   // the cleaned data of a derived item
	data          []extent // of the source: the cleaned data of a coded item
	shortened     bool     // parts of its data are left out
}

// coded reports whether the item's data is a coded picture.
func (it *heifItem) coded() bool { return it.typ == "hvc1" || it.typ == "av01" || it.typ == "avc1" }

// derived reports whether the item is made of others.
func (it *heifItem) derived() bool { return it.typ == "grid" || it.typ == "iovl" || it.typ == "iden" }

// heifAssoc says that an item has the property of an index, from 1.
type heifAssoc struct {
	index     int
	essential bool
}

// heifLoc says where the data of an item lies; the extents are not yet read.
type heifLoc struct {
	method, dataRef             int
	base                        uint64
	count                       int
	table                       []byte
	indexSize, offSize, lenSize int
}

// heifRef is a reference of one item to others.
type heifRef struct {
	typ  string
	from uint32
	to   []uint32
}

// metaBoxes reads the tables that describe the items.
func (h *heifFile) metaBoxes(body extent) error {
	tables := map[string][]byte{}
	err := h.boxes(body.off, body.n, func(typ string, b extent) error {
		switch typ {
		case "hdlr", "pitm", "iinf", "iref", "iprp", "iloc", "dinf":
			if tables[typ] != nil {
				return errHEIFUnusual
			}
			t, err := h.load(b)
			tables[typ] = t
			if typ == "hdlr" && len(t) > 25 {
				h.acc.removed("handler names", int64(len(t)-24))
			}
			return err
		case "idat":
			if h.idat.off != 0 {
				return errHEIFUnusual
			}
			h.idat = b
		case "free", "skip":
			h.acc.removed("unused space", b.n)
		case "grpl":
			h.acc.removed("groups of pictures", b.n+8)
		case "ipro":
			return refuse("protected", "This photo is copy-protected and cannot be cleaned. Send one without protection.")
		default:
			h.acc.removed("unknown or unneeded box", b.n+8)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if t := tables["hdlr"]; len(t) < 12 || string(t[8:12]) != "pict" {
		return errHEIFUnusual
	}
	if tables["iinf"] == nil {
		return nil // of an animation alone
	}
	h.inSelf = bytes.Contains(tables["dinf"], []byte("\x00\x00\x00\x01\x00\x00\x00\x0curl \x00\x00\x00\x01"))
	for _, step := range []struct {
		typ  string
		read func(r *fields) error
	}{{"pitm", h.pitm}, {"iinf", h.iinf}, {"iref", h.iref}, {"iprp", h.iprp}, {"iloc", h.iloc}} {
		t := tables[step.typ]
		if t == nil && step.typ != "iref" {
			return errHEIFDamaged
		}
		if t == nil {
			continue
		}
		r := &fields{b: t}
		if err := step.read(r); err != nil {
			return err
		}
		if r.bad {
			return errHEIFDamaged
		}
	}
	return nil
}

func (h *heifFile) pitm(r *fields) error {
	version, _ := r.full()
	h.primary = uint32(r.num(wide(version, 1)))
	return nil
}

// wide is the size of an item's number: 4 bytes from a version on.
func wide(version, from int) int {
	if version >= from {
		return 4
	}
	return 2
}

func (h *heifFile) iinf(r *fields) error {
	version, _ := r.full()
	n := r.num(wide(version, 1))
	if n > maxHEIFItems {
		return errHEIFUnusual
	}
	for range n {
		typ, e := r.box()
		if r.bad || typ != "infe" {
			return errHEIFDamaged
		}
		it := &heifItem{}
		version, flags := e.full()
		it.hidden = flags&1 != 0
		it.id = uint32(e.num(wide(version, 3)))
		it.protected = e.num(2) != 0
		if version >= 2 {
			it.typ = string(e.take(4))
		}
		it.named = len(e.text())
		if it.typ == "mime" {
			it.content = e.text()
		}
		if e.bad || version > 3 || h.items[it.id] != nil {
			return errHEIFDamaged
		}
		h.items[it.id] = it
		h.order = append(h.order, it.id)
	}
	return nil
}

func (h *heifFile) iref(r *fields) error {
	version, _ := r.full()
	size := wide(version, 1)
	for k := 0; len(r.b) > 0; k++ {
		typ, e := r.box()
		ref := heifRef{typ: typ, from: uint32(e.num(size))}
		n := int(e.num(2))
		if r.bad || e.bad || n*size > len(e.b) || k > 4*maxHEIFItems {
			return errHEIFDamaged
		}
		for range n {
			ref.to = append(ref.to, uint32(e.num(size)))
		}
		h.refs = append(h.refs, ref)
	}
	return nil
}

func (h *heifFile) iprp(r *fields) error {
	for len(r.b) > 0 && !r.bad {
		typ, e := r.box()
		switch typ {
		case "ipco":
			for len(e.b) > 0 {
				typ, p := e.box()
				if e.bad || len(h.props) >= maxHEIFProps {
					return errHEIFDamaged
				}
				h.props = append(h.props, child{typ, p.b})
			}
		case "ipma":
			if err := h.ipma(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// ipma reads which items have which properties.
func (h *heifFile) ipma(r *fields) error {
	version, flags := r.full()
	for n := r.num(4); n > 0; n-- {
		it := h.items[uint32(r.num(wide(version, 1)))]
		for k := r.num(1); k > 0; k-- {
			size := 1 + int(flags&1)
			v := int(r.num(size))
			essential := 1 << (8*size - 1)
			if it != nil && v&(essential-1) != 0 {
				if len(it.assoc) >= maxHEIFAssoc {
					return errHEIFUnusual
				}
				it.assoc = append(it.assoc, heifAssoc{v & (essential - 1), v&essential != 0})
			}
		}
		if r.bad {
			return errHEIFDamaged
		}
	}
	return nil
}

// iloc notes where each item's table of extents is. Nothing is made in
// proportion to the counts in it.
func (h *heifFile) iloc(r *fields) error {
	version, _ := r.full()
	sizes := r.num(2)
	offSize, lenSize, baseSize, indexSize := int(sizes>>12), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	if version == 0 {
		indexSize = 0
	}
	for _, s := range []int{offSize, lenSize, baseSize, indexSize} {
		if s != 0 && s != 4 && s != 8 {
			return errHEIFDamaged
		}
	}
	if version > 2 {
		return errHEIFUnusual
	}
	n := r.num(wide(version, 2))
	if n > maxHEIFItems {
		return errHEIFUnusual
	}
	for ; n > 0; n-- {
		it := h.items[uint32(r.num(wide(version, 2)))]
		loc := heifLoc{indexSize: indexSize, offSize: offSize, lenSize: lenSize}
		if version > 0 {
			loc.method = int(r.num(2) & 15)
		}
		loc.dataRef = int(r.num(2))
		loc.base = r.num(baseSize)
		loc.count = int(r.num(2))
		loc.table = r.take(loc.count * (indexSize + offSize + lenSize))
		if r.bad {
			return errHEIFDamaged
		}
		if it == nil {
			continue
		}
		if it.located {
			return errHEIFDamaged
		}
		it.located, it.loc = true, loc
	}
	return nil
}

// locate gives the ranges of the source that hold an item's data, in order.
func (h *heifFile) locate(it *heifItem) ([]extent, error) {
	if !it.located {
		return nil, nil
	}
	from, size := int64(0), h.size
	switch {
	case it.loc.method == 1 && h.idat.off != 0:
		from, size = h.idat.off, h.idat.n
	case it.loc.method != 0 || it.loc.dataRef > 1 || it.loc.dataRef == 1 && !h.inSelf:
		return nil, errHEIFUnusual // the data lies in another item, or another file
	}
	if it.loc.count > maxHEIFParts {
		return nil, errHEIFUnusual
	}
	var out []extent
	r := &fields{b: it.loc.table}
	for range it.loc.count {
		r.num(it.loc.indexSize)
		off, n := r.num(it.loc.offSize), r.num(it.loc.lenSize)
		// A length of 0 means everything: no camera writes that.
		if n == 0 || off > 1<<62 || it.loc.base > 1<<62 || off+it.loc.base > uint64(size) || n > uint64(size)-off-it.loc.base {
			return nil, errHEIFCut
		}
		e := extent{from + int64(off+it.loc.base), int64(n)}
		if k := len(out) - 1; k >= 0 && out[k].off+out[k].n == e.off {
			out[k].n += e.n
			continue
		}
		out = append(out, e)
	}
	return out, nil
}
