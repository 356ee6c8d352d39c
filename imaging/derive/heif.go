package derive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"

	"github.com/gen2brain/heic"
)

// What a HEIF file (ISO/IEC 23008-12) says of its primary item. The decoders
// do not tell the coding of its colours, nor, for AVIF, how it is turned.

var errHEIF = errors.New("no primary picture in the boxes")

// heif is the primary item's properties.
type heif struct {
	width, height int // as coded
	largest       ispe
	turns         []turn
	clap          []byte // the clean aperture, as it stands
	coding        *coding
	profile       []byte
	sps           []byte // of the first HEVC configuration
	gray          bool
}

// ispe is how large an item is said to be.
type ispe struct{ w, h uint32 }

func (s ispe) pixels() uint64 { return uint64(s.w) * uint64(s.h) }

// turn is irot or imir, in the order that they apply.
type turn struct {
	mirror bool
	by     int // quarters counter-clockwise, or the mirror's mode
}

// boxes calls each for every box in b, until it says no.
func boxes(b []byte, each func(kind string, body []byte) bool) {
	for len(b) >= 8 {
		n, head := int64(binary.BigEndian.Uint32(b)), int64(8)
		switch {
		case n == 1 && len(b) >= 16:
			n, head = int64(binary.BigEndian.Uint64(b[8:])), 16
		case n == 0:
			n = int64(len(b))
		}
		if n < head || n > int64(len(b)) {
			return
		}
		if !each(string(b[4:8]), b[head:n:n]) {
			return
		}
		b = b[n:]
	}
}

// inner gives the body of the first box of a kind.
func inner(b []byte, kind string) (found []byte) {
	boxes(b, func(k string, body []byte) bool {
		if k == kind {
			found = body
		}
		return found == nil
	})
	return found
}

// fullBox cuts the version and flags off a full box.
func fullBox(b []byte) (version byte, flags uint32, rest []byte) {
	if len(b) < 4 {
		return 0, 0, nil
	}
	return b[0], binary.BigEndian.Uint32(b) & 0xffffff, b[4:]
}

// id reads an item's number of two or four bytes.
func id(b []byte, wide bool) (uint32, []byte) {
	switch {
	case wide && len(b) >= 4:
		return binary.BigEndian.Uint32(b), b[4:]
	case !wide && len(b) >= 2:
		return uint32(binary.BigEndian.Uint16(b)), b[2:]
	}
	return 0, nil
}

func heifFacts(b []byte) (heif, error) {
	_, _, meta := fullBox(inner(b, "meta"))
	version, _, pitm := fullBox(inner(meta, "pitm"))
	primary, _ := id(pitm, version > 0)
	iprp := inner(meta, "iprp")
	var properties [][]byte
	var kinds []string
	boxes(inner(iprp, "ipco"), func(kind string, body []byte) bool {
		kinds, properties = append(kinds, kind), append(properties, body)
		return len(kinds) < 1<<15
	})
	if primary == 0 || len(kinds) == 0 {
		return heif{}, errHEIF
	}
	var h heif
	for i, kind := range kinds {
		if kind == "ispe" && len(properties[i]) >= 12 {
			if s := (ispe{binary.BigEndian.Uint32(properties[i][4:]), binary.BigEndian.Uint32(properties[i][8:])}); s.pixels() > h.largest.pixels() {
				h.largest = s
			}
		}
	}
	boxes(iprp, func(kind string, body []byte) bool {
		if kind == "ipma" {
			associations(body, func(item uint32, index int) {
				if index >= 1 && index <= len(kinds) && item == primary {
					h.take(kinds[index-1], properties[index-1])
				}
			})
		}
		return true
	})
	// A grid's configuration is that of its tiles: the first serves for all.
	for i, kind := range kinds {
		h.config(kind, properties[i])
		if h.coding == nil && kind == "colr" {
			h.take(kind, properties[i])
		}
	}
	if h.width < 1 || h.height < 1 {
		return h, errHEIF
	}
	return h, nil
}

// associations walks an ipma box.
func associations(b []byte, each func(item uint32, index int)) {
	version, flags, b := fullBox(b)
	if len(b) < 4 {
		return
	}
	count := binary.BigEndian.Uint32(b)
	b = b[4:]
	for ; count > 0 && len(b) > 0; count-- {
		var item uint32
		if item, b = id(b, version > 0); len(b) < 1 {
			return
		}
		n := int(b[0])
		b = b[1:]
		for ; n > 0; n-- {
			if flags&1 != 0 {
				if len(b) < 2 {
					return
				}
				each(item, int(binary.BigEndian.Uint16(b)&0x7fff))
				b = b[2:]
				continue
			}
			if len(b) < 1 {
				return
			}
			each(item, int(b[0]&0x7f))
			b = b[1:]
		}
	}
}

// take notes one property of the primary item.
func (h *heif) take(kind string, b []byte) {
	switch {
	case kind == "ispe" && len(b) >= 12:
		h.width, h.height = int(binary.BigEndian.Uint32(b[4:])), int(binary.BigEndian.Uint32(b[8:]))
	case kind == "irot" && len(b) >= 1:
		h.turns = append(h.turns, turn{by: int(b[0] & 3)})
	case kind == "imir" && len(b) >= 1:
		h.turns = append(h.turns, turn{mirror: true, by: int(b[0] & 1)})
	case kind == "clap" && len(b) >= 32:
		h.clap = b
	case kind == "pixi" && len(b) >= 5:
		h.gray = b[4] == 1
	case kind == "colr" && len(b) >= 11 && string(b[:4]) == "nclx":
		if h.coding == nil {
			h.coding = &coding{int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:])), int(binary.BigEndian.Uint16(b[8:])), b[10]&0x80 != 0}
		}
	case kind == "colr" && len(b) > 4 && (string(b[:4]) == "prof" || string(b[:4]) == "rICC") && len(b)-4 <= maxProfile:
		if h.profile == nil {
			h.profile = b[4:]
		}
	}
}

// config finds the first sequence parameter set in an HEVC configuration
// (ISO/IEC 14496-15, 8.3.3).
func (h *heif) config(kind string, b []byte) {
	if kind != "hvcC" || h.sps != nil || len(b) < 23 {
		return
	}
	arrays := int(b[22])
	b = b[23:]
	for ; arrays > 0 && len(b) >= 3; arrays-- {
		unit, count := b[0]&0x3f, int(binary.BigEndian.Uint16(b[1:]))
		b = b[3:]
		for ; count > 0 && len(b) >= 2; count-- {
			n := int(binary.BigEndian.Uint16(b))
			if 2+n > len(b) {
				return
			}
			const sps = 33
			if unit == sps && h.sps == nil {
				h.sps = b[2 : 2+n]
			}
			b = b[2+n:]
		}
	}
}

// clap gives the clean aperture (ISO/IEC 14496-12, 12.1.4) if it is whole
// pixels inside the picture, and nothing otherwise.
func clap(b []byte, w, h int) image.Rectangle {
	var v [8]float64
	if len(b) < 4*len(v) {
		return image.Rectangle{}
	}
	for i := range v {
		v[i] = float64(int32(binary.BigEndian.Uint32(b[4*i:])))
	}
	if v[1] <= 0 || v[3] <= 0 || v[5] <= 0 || v[7] <= 0 {
		return image.Rectangle{}
	}
	cw, ch := v[0]/v[1], v[2]/v[3]
	x, y := v[4]/v[5]+(float64(w)-cw)/2, v[6]/v[7]+(float64(h)-ch)/2
	if !(x >= 0 && y >= 0 && cw >= 1 && ch >= 1 && x+cw <= float64(w) && y+ch <= float64(h)) {
		return image.Rectangle{}
	}
	return image.Rect(int(x), int(y), int(x+cw), int(y+ch))
}

var errHEICAlpha = errors.New("a HEIC with alpha")

// heicDecode reads the primary picture. The decoder looks at the main brand
// alone, so a file that calls itself HEIF first and HEVC second is helped. Of a
// picture with alpha it gives rows that are shifted, or all that is under the
// clear parts: that one is for Films.Still.
func heicDecode(b []byte) (image.Image, error) {
	if items, err := readHEIFItems(b); err == nil {
		if _, ok, err := items.alpha(items.primary); ok || err != nil {
			return nil, errHEICAlpha
		}
	}
	if len(b) >= 12 && string(b[4:8]) == "ftyp" {
		copy(b[8:12], "heic")
	}
	return heic.Decode(bytes.NewReader(b))
}

// heifConfig gives the size of the largest picture in the file: a tile or a
// thumbnail that is more than the whole is refused with it.
func heifConfig(b []byte) (image.Config, error) {
	h, err := heifFacts(b)
	if err != nil {
		return image.Config{}, err
	}
	if h.largest.pixels() > uint64(h.width)*uint64(h.height) {
		h.width, h.height = int(h.largest.w), int(h.largest.h)
	}
	return image.Config{Width: h.width, Height: h.height}, nil
}

// heicFacts: the decoder has turned the picture already.
func heicFacts(b []byte) facts {
	h, err := heifFacts(b)
	if err != nil {
		return facts{orientation: 1, coding: jfif}
	}
	f := facts{orientation: 1, profile: h.profile, coding: jfif}
	c, ok := spsCoding(h.sps)
	switch {
	case h.coding == nil && ok:
		f.coding = c
	case h.coding != nil:
		f.coding = h.coding.or(c)
	}
	return f
}

// avifFacts: the decoder gives red, green and blue, as coded.
func avifFacts(b []byte) facts {
	h, err := heifFacts(b)
	if err != nil {
		return facts{orientation: 1}
	}
	f := facts{orientation: turned(h.turns), profile: h.profile, crop: clap(h.clap, h.width, h.height)}
	if h.coding != nil {
		f.coding = *h.coding
	}
	return f
}

// turned gives the EXIF orientation that does what the turns do in order.
func turned(turns []turn) int {
	corners := [4]int{0, 1, 2, 3} // upper left, upper right, lower left, lower right
	for _, t := range turns {
		c := corners
		switch {
		case t.mirror && t.by == 0: // upper and lower parts change places
			corners = [4]int{c[2], c[3], c[0], c[1]}
		case t.mirror:
			corners = [4]int{c[1], c[0], c[3], c[2]}
		default:
			for range t.by {
				c = corners
				corners = [4]int{c[1], c[3], c[0], c[2]}
			}
		}
	}
	for o, want := range orientations {
		if corners == want {
			return o
		}
	}
	return 1
}

// orientations says where each EXIF orientation's upright corners come from.
var orientations = map[int][4]int{
	1: {0, 1, 2, 3}, 2: {1, 0, 3, 2}, 3: {3, 2, 1, 0}, 4: {2, 3, 0, 1},
	5: {0, 2, 1, 3}, 6: {2, 0, 3, 1}, 7: {3, 1, 2, 0}, 8: {1, 3, 0, 2},
}
