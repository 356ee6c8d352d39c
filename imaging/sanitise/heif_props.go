package sanitise

import (
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/words"
)

// heifProp is one cleaned property of an item.
type heifProp struct {
	box       string
	essential bool
}

// Properties that are copied as they are when they have one of these lengths
// (ISO/IEC 23008-12, 6.5; ISO/IEC 14496-12, 12.1; AVIF 1.1, 2.3).
var heifPlain = map[string][]int{
	"pasp": {8}, "clap": {32}, "a1op": {1}, "lsel": {2}, "clli": {4}, "mdcv": {24}, "amve": {8},
}

// properties makes the properties of all kept items anew, and checks what
// they make a decoder do: many items may be made of one.
func (h *heifFile) properties() error {
	for _, it := range h.kept {
		if err := h.ctx.Err(); err != nil {
			return err
		}
		if err := h.cleanProps(it); err != nil {
			return err
		}
		if it.width == 0 || it.height == 0 {
			return errHEIFDamaged
		}
	}
	h.crops()
	total := int64(0)
	for _, it := range h.kept {
		for _, part := range it.parts {
			if total += int64(part.width) * int64(part.height); total > 16*h.opt.MaxPixels {
				return refuse("too-many-pixels", "This photo is composed of far more pixels than it shows, and was refused. Export it as a JPEG photo and send that.")
			}
		}
	}
	return nil
}

// crops tells of parts of the picture that are not shown, since nothing but
// decoding could take them out.
func (h *heifFile) crops() {
	it := h.items[h.primary]
	if it == nil {
		return
	}
	for _, p := range it.clean {
		if p.box[4:8] != "clap" {
			continue
		}
		r := &fields{b: []byte(p.box[8:])}
		w, wd, ht, hd := r.num(4), r.num(4), r.num(4), r.num(4)
		if int64(w)+16*int64(wd) < int64(it.width)*int64(wd) || int64(ht)+16*int64(hd) < int64(it.height)*int64(hd) {
			h.acc.kept("parts outside of the crop", "the picture is cropped for showing only")
		}
	}
}

// cleanProps makes the properties of a kept item anew, from a list of those
// that decoding and showing need.
func (h *heifFile) cleanProps(it *heifItem) error {
	config := 0
	for _, a := range it.assoc {
		if a.index > len(h.props) {
			return errHEIFDamaged
		}
		p := h.props[a.index-1]
		b, done := h.cleaned[a.index]
		if !done {
			var err error
			if b, err = h.prop(it, p); err != nil {
				return err
			}
		}
		if p.typ == "colr" || p.typ == heifConfig[it.typ] { // large, and the same for every item
			h.cleaned[a.index] = b
		}
		switch {
		case b != nil:
			if err := it.have(p.typ, heifProp{string(box(p.typ, b)), a.essential}); err != nil {
				return err
			}
		case a.essential && !slices.Contains([]string{"colr", "a1lx"}, p.typ):
			return errHEIFUnusual // it cannot be shown rightly without it
		}
		if p.typ == heifConfig[it.typ] {
			config++
		}
	}
	if it.coded() && config != 1 {
		return errHEIFDamaged
	}
	return nil
}

// have adds a cleaned property. Each kind may be there once, but for colours,
// of which there may be one of numbers and one profile.
func (it *heifItem) have(typ string, p heifProp) error {
	for _, was := range it.clean {
		same := typ
		if typ == "colr" {
			same = p.box[4:12]
		}
		switch {
		case was.box[4:4+len(same)] != same:
		case was.box == p.box && !slices.Contains([]string{"irot", "imir", "clap"}, typ):
			return nil
		default:
			return errHEIFUnusual
		}
	}
	it.clean = append(it.clean, p)
	return nil
}

// prop gives the cleaned body of a property, nil for one to leave out.
func (h *heifFile) prop(it *heifItem, p child) ([]byte, error) {
	r := &fields{b: p.body}
	var out []byte
	switch p.typ {
	case "ispe":
		r.full()
		w, ht := int(r.num(4)), int(r.num(4))
		if r.bad {
			return nil, errHEIFDamaged
		}
		if err := checkPixels(w, ht, h.opt); err != nil {
			return nil, err
		}
		if it.coded() || it.typ == "iden" {
			it.width, it.height = w, ht
		}
		out = slices.Concat(make([]byte, 4), p.body[4:12])
	case "pixi":
		r.full()
		n := int(r.num(1))
		if n == 0 || n > 4 {
			h.acc.removed("unneeded property", int64(len(p.body)))
			return nil, nil
		}
		out = slices.Concat(make([]byte, 4), []byte{byte(n)}, r.take(n))
	case "irot", "imir":
		mask := map[string]uint64{"irot": 3, "imir": 1}[p.typ]
		out = []byte{byte(r.num(1) & mask)}
		h.keptOnce("orientation", "so that the picture is shown upright")
	case "auxC":
		name := auxType(p.body)
		if !it.alpha || !slices.Contains(alphaNames, name) {
			h.acc.removed("unneeded property", int64(len(p.body)))
			return nil, nil
		}
		h.keptOnce("transparency", "the picture is not shown rightly without it")
		out = slices.Concat(make([]byte, 4), []byte(name), []byte{0})
	case "a1lx":
		if it.shortened { // the sizes in it are no longer right, and decoders do without
			return nil, nil
		}
		large := r.num(1) & 1
		out = slices.Concat([]byte{byte(large)}, r.take(6+6*int(large)))
	case "colr":
		return h.colour(r)
	case "hvcC", "av1C", "avcC":
		if p.typ != heifConfig[it.typ] {
			return nil, nil
		}
		return h.config(p)
	default:
		if slices.Contains(heifPlain[p.typ], len(p.body)) {
			return p.body, nil
		}
		kind := words.Text("unneeded property")
		if slices.Contains([]string{"udes", "altt", "crtt", "mdft", "uuid"}, p.typ) {
			kind = "descriptions and dates of the picture"
		}
		h.acc.removed(kind, int64(len(p.body)+8))
		return nil, nil
	}
	if r.bad {
		return nil, errHEIFDamaged
	}
	return out, nil
}

// keptOnce accounts for a kind that several items may have.
func (h *heifFile) keptOnce(kind, why words.Text) {
	for _, k := range h.acc.receipt.Kept {
		if k.Kind == kind {
			return
		}
	}
	h.acc.kept(kind, why)
}

// colour cleans a colour property; one that is malformed is left out, since
// decoders pass over such a profile too.
func (h *heifFile) colour(r *fields) ([]byte, error) {
	switch kind := string(r.take(4)); kind {
	case "nclx":
		b := r.take(7)
		if b == nil {
			return nil, errHEIFDamaged
		}
		return slices.Concat([]byte(kind), b[:6], []byte{b[6] & 0x80}), nil
	case "prof", "rICC":
		reduced, err := reduceICC(r.b)
		if err != nil {
			break
		}
		h.keptOnce("colour profile (rendering tags)", "so that skin tones do not shift")
		if n := len(r.b) - len(reduced); n > 0 {
			h.acc.removed("colour profile's names and dates", int64(n))
		}
		return slices.Concat([]byte(kind), reduced), nil
	}
	h.acc.removed("colour profile that is malformed", int64(len(r.b)))
	return nil, nil
}

// heifConfig names the property that configures the decoder of each codec.
var heifConfig = map[string]string{"hvc1": "hvcC", "av01": "av1C", "avc1": "avcC"}

// config cleans a decoder configuration: the parameter sets stay, and messages
// to players go.
func (h *heifFile) config(p child) ([]byte, error) {
	r := &fields{b: p.body}
	var out []byte
	switch p.typ {
	case "av1C":
		out = slices.Clone(r.take(4))
		for len(r.b) > 0 && !r.bad {
			unit := r.b
			typ, n := obu(r)
			if typ == 1 && n > 0 && !r.bad {
				out = append(out, unit[:n]...)
			}
		}
	case "avcC":
		out = slices.Clone(r.take(5))
		for _, mask := range []uint64{31, 255} { // sequence sets, picture sets
			n := r.num(1)
			out = append(out, byte(n))
			for range n & mask {
				out = appendUnit(out, r)
			}
		}
		if len(out) > 1 && slices.Contains([]byte{100, 110, 122, 144}, out[1]) && len(r.b) >= 4 {
			out = append(out, r.take(3)...)
			n := r.num(1)
			out = append(out, byte(n))
			for range n {
				out = appendUnit(out, r)
			}
		}
	case "hvcC":
		out = slices.Clone(r.take(22))
		arrays, at := byte(0), len(out)
		out = append(out, 0)
		for n := r.num(1); n > 0 && !r.bad; n-- {
			typ, count := byte(r.num(1)), r.num(2)
			keep := typ&63 >= 32 && typ&63 <= 34
			array := []byte{typ &^ 0x40, byte(count >> 8), byte(count)}
			for ; count > 0 && !r.bad; count-- {
				array = appendUnit(array, r)
			}
			if keep {
				arrays++
				out = append(out, array...)
			} else {
				h.changed = true
			}
		}
		if !r.bad {
			out[at] = arrays
		}
	}
	if r.bad || strings.HasPrefix(p.typ, "av") && len(out) == 0 || len(out) > 64<<10 {
		return nil, errHEIFDamaged
	}
	return out, nil
}

// appendUnit appends the next parameter set, with its length of 16 bits.
func appendUnit(out []byte, r *fields) []byte {
	n := r.num(2)
	return append(append(out, byte(n>>8), byte(n)), r.take(int(n))...)
}
