package sanitise

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/words"
)

// ranks order the kinds of kept items: one may be made only of kinds of a lower
// rank, so that nothing can be made of itself.
var ranks = map[string]int{"hvc1": 0, "av01": 0, "avc1": 0, "grid": 1, "iden": 2, "iovl": 3}

// The names of alpha planes (ISO/IEC 23008-12, 6.4.4 and annexes B and E).
var alphaNames = []string{"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1", "urn:mpeg:avc:2015:auxid:1"}

// choose lists the items to keep: the primary item, those that it is made of,
// and the alpha planes of these. Each gets its new number.
func (h *heifFile) choose() error {
	if len(h.items) == 0 && h.movie.n > 0 {
		return nil // an animation alone
	}
	primary := h.items[h.primary]
	if primary == nil {
		return errHEIFDamaged
	}
	made := map[uint32][]uint32{}
	alphas := map[uint32][]*heifItem{}
	seen := map[[2]uint32]bool{}
	for _, ref := range h.refs {
		switch ref.typ {
		case "dimg":
			if made[ref.from] != nil {
				return errHEIFDamaged
			}
			made[ref.from] = ref.to
		case "auxl":
			if it := h.items[ref.from]; it != nil && slices.Contains(alphaNames, h.auxName(it)) {
				for _, to := range ref.to {
					if !seen[[2]uint32{ref.from, to}] {
						seen[[2]uint32{ref.from, to}] = true
						alphas[to] = append(alphas[to], it)
					}
				}
			}
		}
	}
	if err := h.keep(primary, false, false); err != nil {
		return err
	}
	for i := 0; i < len(h.kept); i++ {
		it := h.kept[i]
		if it.derived() {
			for _, id := range made[it.id] {
				part := h.items[id]
				if part == nil {
					return errHEIFDamaged
				}
				if err := h.keep(part, it.alpha, true); err != nil {
					return err
				}
				if ranks[part.typ] >= ranks[it.typ] {
					return errHEIFUnusual
				}
				it.parts = append(it.parts, part)
			}
		}
		if it.alpha {
			continue
		}
		if len(alphas[it.id]) > 1 {
			return errHEIFUnusual
		}
		for _, a := range alphas[it.id] {
			if err := h.keep(a, true, false); err != nil {
				return err
			}
			a.masters = append(a.masters, it)
		}
	}
	// The items stay in the order of their numbers: some decoders put the tiles
	// of a grid in that order.
	slices.SortFunc(h.kept, func(a, b *heifItem) int { return cmp.Compare(a.id, b.id) })
	for i, it := range h.kept {
		it.number = uint16(i + 1)
	}
	clear(seen)
	for _, ref := range h.refs {
		it := h.items[ref.from]
		if ref.typ != "prem" || it == nil || it.number == 0 || it.alpha {
			continue
		}
		for _, id := range ref.to {
			if a := h.items[id]; a != nil && a.alpha && !seen[[2]uint32{it.id, id}] {
				seen[[2]uint32{it.id, id}] = true
				it.premultiplied = append(it.premultiplied, a)
			}
		}
	}
	return nil
}

// keep adds an item to those that are kept, once. An item is part of the
// picture or of its alpha plane; of both only when it is a tile.
func (h *heifFile) keep(it *heifItem, alpha, tile bool) error {
	if it.number > 0 {
		if it.alpha != alpha && (!it.coded() || !tile) {
			return errHEIFUnusual
		}
		return nil
	}
	if _, ok := ranks[it.typ]; !ok || len(h.kept) >= maxHEIFItems {
		return refuse("coding", "This photo is coded in a way that is not known here. Export it as a JPEG photo and send that.")
	}
	if it.protected {
		return refuse("protected", "This photo is copy-protected and cannot be cleaned. Send one without protection.")
	}
	it.alpha = alpha
	h.kept = append(h.kept, it)
	it.number = uint16(len(h.kept))
	if it.named > 0 {
		h.acc.removed("item names", int64(it.named))
	}
	return nil
}

// auxName is what kind of auxiliary picture an item says that it is.
func (h *heifFile) auxName(it *heifItem) string {
	for _, a := range it.assoc {
		if a.index <= len(h.props) && h.props[a.index-1].typ == "auxC" {
			return auxType(h.props[a.index-1].body)
		}
	}
	return ""
}

func auxType(b []byte) string {
	r := &fields{b: b[:min(len(b), 256)]}
	r.full()
	return r.text()
}

// dropped accounts for the items that are left out. An item that only others
// are made of counts with these.
func (h *heifFile) dropped() {
	made, parts := map[uint32][]uint32{}, map[uint32]bool{}
	thumbs, aux := map[uint32]bool{}, map[uint32]bool{}
	for _, ref := range h.refs {
		switch ref.typ {
		case "dimg":
			made[ref.from] = ref.to
			if it := h.items[ref.from]; it != nil && it.number == 0 {
				for _, id := range ref.to {
					parts[id] = true
				}
			}
		case "thmb":
			thumbs[ref.from] = true
		case "auxl":
			aux[ref.from] = true
		}
	}
	counted := map[uint32]bool{}
	for _, id := range h.order {
		it := h.items[id]
		if it.number > 0 || parts[id] {
			continue
		}
		n := h.length(it)
		for _, part := range made[id] {
			if p := h.items[part]; p != nil && p.number == 0 && !counted[part] {
				counted[part] = true
				n += h.length(p)
			}
		}
		h.acc.removed(h.kindOf(it, thumbs[id], aux[id]), n)
		if it.typ == "Exif" {
			h.exif(it)
		}
	}
}

// length is how many bytes an item has.
func (h *heifFile) length(it *heifItem) (n int64) {
	where, err := h.locate(it)
	if err != nil {
		return 0
	}
	for _, e := range where {
		n += e.n
	}
	return min(n, h.size)
}

// kindOf is what people call an item.
func (h *heifFile) kindOf(it *heifItem, thumb, aux bool) words.Text {
	name := strings.ToLower(h.auxName(it))
	switch {
	case it.typ == "Exif":
		return "EXIF item"
	case it.typ == "mime" && it.content == "application/rdf+xml":
		return "XMP"
	case it.typ == "iptc":
		return "Photoshop and IPTC information"
	case it.typ == "mime" || it.typ == "uri " || it.typ == "":
		return "embedded document or private data"
	case thumb || strings.Contains(name, "thumbnail"):
		return "embedded thumbnail"
	case it.typ == "tmap" || strings.Contains(name, "gainmap"):
		return "gain map for HDR displays"
	case strings.Contains(name, "depth") || name == "urn:mpeg:hevc:2015:auxid:2" || name == "urn:mpeg:mpegb:cicp:systems:auxiliary:depth":
		return "depth map"
	case strings.Contains(name, "matte"):
		return "portrait and segmentation maps"
	case aux:
		return "auxiliary picture"
	}
	return "further pictures"
}

// exif reads the EXIF of the file for the receipt. The orientation in it does
// not count in HEIF: items have properties for that.
func (h *heifFile) exif(it *heifItem) {
	where, err := h.locate(it)
	if err != nil {
		return
	}
	var b []byte
	for _, e := range where {
		part, err := h.load(e)
		if err != nil {
			return
		}
		b = append(b, part...)
	}
	if len(b) > 4 && int64(be.Uint32(b)) < int64(len(b)-4) {
		b = b[4+be.Uint32(b):]
	}
	h.acc.exif(bytes.TrimPrefix(b, []byte("Exif\x00\x00")), 0)
}
