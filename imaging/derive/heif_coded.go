package derive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"slices"
)

// The coded data of a HEIF file, as a stream that the video tool reads. Only
// the form in which the sanitiser lays files out is understood.

var errHEIFForm = errors.New("a HEIF file that is made up in another way than is read here")

// heifItems is what a file says of its items.
type heifItems struct {
	primary uint16
	kinds   map[uint16]string
	data    map[uint16][]byte
	parts   map[uint16][]uint16 // of a grid
	alphas  map[uint16][]uint16 // by the item that they are for
	props   map[uint16][]heifProp
}

type heifProp struct {
	kind string
	body []byte
}

func readHEIFItems(b []byte) (heifItems, error) {
	be := binary.BigEndian
	h := heifItems{kinds: map[uint16]string{}, data: map[uint16][]byte{}, parts: map[uint16][]uint16{}, alphas: map[uint16][]uint16{}, props: map[uint16][]heifProp{}}
	_, _, meta := fullBox(inner(b, "meta"))
	if _, _, pitm := fullBox(inner(meta, "pitm")); len(pitm) >= 2 {
		h.primary = be.Uint16(pitm)
	}
	if _, _, iinf := fullBox(inner(meta, "iinf")); len(iinf) > 2 {
		boxes(iinf[2:], func(kind string, body []byte) bool {
			if version, _, infe := fullBox(body); kind == "infe" && version == 2 && len(infe) >= 8 {
				h.kinds[be.Uint16(infe)] = string(infe[4:8])
			}
			return true
		})
	}
	if _, _, refs := fullBox(inner(meta, "iref")); refs != nil {
		boxes(refs, func(kind string, ref []byte) bool {
			if len(ref) < 4 {
				return true
			}
			var to []uint16
			for n, at := be.Uint16(ref[2:]), ref[4:]; n > 0 && len(at) >= 2; n, at = n-1, at[2:] {
				to = append(to, be.Uint16(at))
			}
			switch kind {
			case "dimg":
				h.parts[be.Uint16(ref)] = to
			case "auxl": // of those that stay, all are alpha
				for _, of := range to {
					h.alphas[of] = append(h.alphas[of], be.Uint16(ref))
				}
			}
			return true
		})
	}
	iprp := inner(meta, "iprp")
	var all []heifProp
	boxes(inner(iprp, "ipco"), func(kind string, body []byte) bool {
		all = append(all, heifProp{kind, body})
		return true
	})
	associations(inner(iprp, "ipma"), func(item uint32, index int) {
		if index >= 1 && index <= len(all) && item < 1<<16 {
			h.props[uint16(item)] = append(h.props[uint16(item)], all[index-1])
		}
	})
	return h, h.locate(b, meta)
}

// locate finds each item's data: one range of the file, or of the idat box.
func (h heifItems) locate(b, meta []byte) error {
	be := binary.BigEndian
	version, _, iloc := fullBox(inner(meta, "iloc"))
	if version > 1 || len(iloc) < 4 || iloc[0] != 0x44 || iloc[1] != 0 {
		return errHEIFForm
	}
	idat := inner(meta, "idat")
	size := 14
	if version == 1 {
		size = 16
	}
	count, at := int(be.Uint16(iloc[2:])), iloc[4:]
	for ; count > 0 && len(at) >= size-8; count-- {
		item, method := be.Uint16(at), uint16(0)
		at = at[2:]
		if version == 1 {
			method, at = be.Uint16(at), at[2:]
		}
		extents := be.Uint16(at[2:]) // after the file's number
		if at = at[4:]; extents == 0 {
			continue
		}
		if extents > 1 || len(at) < 8 {
			return errHEIFForm
		}
		from, n := int64(be.Uint32(at)), int64(be.Uint32(at[4:]))
		at = at[8:]
		in := b
		if method == 1 {
			in = idat
		}
		if from+n > int64(len(in)) {
			return errHEIFForm
		}
		h.data[item] = in[from : from+n]
	}
	return nil
}

func (h heifItems) prop(item uint16, kind string) []byte {
	for _, p := range h.props[item] {
		if p.kind == kind {
			return p.body
		}
	}
	return nil
}

// size is what the item's extent property says.
func (h heifItems) size(item uint16) image.Point {
	ispe := h.prop(item, "ispe")
	if len(ispe) < 12 {
		return image.Point{}
	}
	return image.Pt(int(min(binary.BigEndian.Uint32(ispe[4:]), maxSide+1)), int(min(binary.BigEndian.Uint32(ispe[8:]), maxSide+1)))
}

// codedPlane is a picture, or its alpha, as one coded picture after the other.
type codedPlane struct {
	codec         string // hvc1 or av01
	stream        []byte
	columns, rows int
	tile, size    image.Point // of each coded picture, and of what is shown of the whole
	gray          bool
}

func (h heifItems) plane(item uint16) (codedPlane, error) {
	p := codedPlane{codec: h.kinds[item], columns: 1, rows: 1, size: h.size(item)}
	tiles := []uint16{item}
	if p.codec == "grid" {
		b := h.data[item] // ISO/IEC 23008-12, 6.6.2.3
		if tiles = h.parts[item]; len(b) < 8 || len(tiles) == 0 {
			return p, errHEIFForm
		}
		p.rows, p.columns = int(b[2])+1, int(b[3])+1
		p.codec = h.kinds[tiles[0]]
		if p.size = image.Pt(int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:]))); b[1]&1 != 0 {
			if len(b) < 12 {
				return p, errHEIFForm
			}
			p.size = image.Pt(int(min(binary.BigEndian.Uint32(b[4:]), maxSide+1)), int(min(binary.BigEndian.Uint32(b[8:]), maxSide+1)))
		}
	}
	p.tile = h.size(tiles[0])
	whole := image.Pt(p.columns*p.tile.X, p.rows*p.tile.Y)
	if len(tiles) != p.columns*p.rows || p.size.X < 1 || p.size.Y < 1 || p.size.X > min(maxSide, whole.X) || p.size.Y > min(maxSide, whole.Y) ||
		whole.X-p.size.X >= p.tile.X || whole.Y-p.size.Y >= p.tile.Y {
		return p, errHEIFForm
	}
	var out bytes.Buffer
	for _, tile := range tiles {
		if h.kinds[tile] != p.codec || h.size(tile) != p.tile {
			return p, errHEIFForm
		}
		var err error
		switch p.codec {
		case "hvc1":
			config := h.prop(tile, "hvcC")
			p.gray = len(config) > 16 && config[16]&3 == 0
			err = annexB(&out, config, h.data[tile])
		case "av01":
			config := h.prop(tile, "av1C")
			p.gray = len(config) > 2 && config[2]&0x10 != 0
			err = obus(&out, config, h.data[tile])
		default:
			err = errHEIFForm
		}
		if err != nil {
			return p, err
		}
		if out.Len() > maxSource {
			return p, errHEIFForm
		}
	}
	p.stream = out.Bytes()
	return p, nil
}

// annexB writes the parameter sets and the units of an HEVC picture, each after
// a start code instead of its length (ISO/IEC 14496-15, 8.3.3).
func annexB(out *bytes.Buffer, config, data []byte) error {
	start := []byte{0, 0, 0, 1}
	if len(config) < 23 {
		return errHEIFForm
	}
	b := config[23:]
	for arrays := config[22]; arrays > 0 && len(b) >= 3; arrays-- {
		count := binary.BigEndian.Uint16(b[1:])
		for b = b[3:]; count > 0 && len(b) >= 2; count-- {
			n := int(binary.BigEndian.Uint16(b))
			if 2+n > len(b) {
				return errHEIFForm
			}
			out.Write(start)
			out.Write(b[2 : 2+n])
			b = b[2+n:]
		}
	}
	for prefix := int(config[21]&3) + 1; len(data) > 0; {
		n := 0
		for k := range min(prefix, len(data)) {
			n = n<<8 | int(data[k])
		}
		if prefix+n > len(data) || n == 0 {
			return errHEIFForm
		}
		out.Write(start)
		out.Write(data[prefix : prefix+n])
		data = data[prefix+n:]
	}
	return nil
}

// obus writes the units of an AV1 picture, each with its size, after a delimiter
// and the configuration's (AV1, 5.2 and 5.3; AV1 in ISO BMFF, 2.3).
func obus(out *bytes.Buffer, config, data []byte) error {
	if len(config) < 4 {
		return errHEIFForm
	}
	out.Write([]byte{0x12, 0}) // a temporal delimiter
	for _, b := range [][]byte{config[4:], data} {
		for len(b) > 0 {
			head, n := 1+int(b[0]>>2&1), 0
			sized := b[0]&2 != 0
			if n = len(b) - head; sized {
				v, k := binary.Uvarint(b[min(head, len(b)):])
				if k <= 0 || v > uint64(len(b)) {
					return errHEIFForm
				}
				head, n = head+k, int(v)
			}
			if n < 0 || head+n > len(b) {
				return errHEIFForm
			}
			if sized {
				out.Write(b[:head])
			} else {
				out.Write(binary.AppendUvarint(append([]byte{b[0] | 2}, b[1:head]...), uint64(n)))
			}
			out.Write(b[head : head+n])
			b = b[head+n:]
		}
	}
	return nil
}

// alpha gives the item that is the alpha plane of another, if there is one. One
// for each tile of a grid is another way to say it, and is not read here.
func (h heifItems) alpha(item uint16) (plane uint16, ok bool, err error) {
	if slices.ContainsFunc(h.parts[item], func(tile uint16) bool { return len(h.alphas[tile]) > 0 }) || len(h.alphas[item]) > 1 {
		return 0, false, errHEIFForm
	}
	if len(h.alphas[item]) == 0 {
		return 0, false, nil
	}
	return h.alphas[item][0], true, nil
}
