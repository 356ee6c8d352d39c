package verify

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// heifWalk reads a HEIC or AVIF picture of the one shape that a cleaned file
// has: brands, one description with its boxes in a fixed order, media data.
// Items are numbered from 1 without gaps, and each must be needed.
type heifWalk struct {
	brands  string
	primary int           // counted from 0
	items   []pictureItem // the item of number 1 first
	props   []property
	movie   *bmffWalk // of an animation; else nil
	base    int64     // where the description lies in the file
}

// pictureItem is one item as the tables describe it.
type pictureItem struct {
	kind    string
	props   []int // counted from 0
	inline  bool  // the data lies in the description
	at, n   int64
	dimg    []int // counted from 0
	auxl    []int
	prem    []int
	reached bool
	alphaOf bool // reached as an alpha plane or a part of one
}

type property struct {
	kind string
	body []byte
	at   int64
	used bool
}

const (
	largestDescription = 64 << 20
	mostItems          = 10_000
)

func heif(ctx context.Context, src io.ReaderAt, size int64) error {
	in := newCursor(ctx, src, size)
	w := &heifWalk{}
	head, err := in.take(8)
	if err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(head)) - 8
	if string(head[4:]) != "ftyp" || n < 12 || n > 64 {
		return &Finding{"no brands", 0}
	}
	b, err := in.take(n)
	if err != nil {
		return err
	}
	w.brands = string(b)
	typ, err := in.nextType()
	if err != nil {
		return err
	}
	if typ == "meta" {
		meta, err := in.table("meta", largestDescription)
		if err != nil {
			return err
		}
		w.base = in.at - int64(len(meta))
		inline, err := w.description(meta)
		if err != nil {
			return err
		}
		if err := w.needed(inline); err != nil {
			return err
		}
		if typ, err = in.nextType(); err != nil {
			return err
		}
	}
	if typ == "moov" {
		w.movie = &bmffWalk{ctx: ctx, src: src, size: size, handlers: []string{"vide", "pict", "auxv"}, still: true, tables: map[string][]byte{}}
		if w.movie.moov, err = in.table("moov", largestMovie); err != nil {
			return err
		}
		if err := w.movie.boxes("moov", w.movie.moov, in.at-int64(len(w.movie.moov))); err != nil {
			return err
		}
	}
	coded, err := w.data(in)
	if err != nil {
		return err
	}
	if w.movie != nil {
		if coded == "" {
			coded = w.movie.codec
		}
		if err := w.movie.media(in); err != nil {
			return err
		}
	}
	return first(found(in.at != size, "media data that no item accounts for", in.at), w.fitting(coded))
}

// nextType is the type of the box that comes next.
func (c *cursor) nextType() (string, error) {
	b, err := c.view(c.at, 8)
	if err != nil {
		return "", err
	}
	return string(b[4:]), nil
}

// table takes the body of the next box, which must be of a type and not larger
// than most.
func (c *cursor) table(typ string, most int64) ([]byte, error) {
	at := c.at
	head, err := c.take(8)
	if err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(head)) - 8
	if string(head[4:]) != typ || n < 4 || n > most || n > c.size-c.at {
		return nil, &Finding{"not the box that belongs here: " + typ, at}
	}
	b := make([]byte, n)
	if k, err := c.src.ReadAt(b, c.at); int64(k) < n {
		return nil, fmt.Errorf("read the description to verify it: %w", err)
	}
	c.at += n
	return b, nil
}

// description checks the boxes of the description, in their order, and gives
// the data that it holds.
func (w *heifWalk) description(b []byte) (inline []byte, err error) {
	if !zero(b[:4]) {
		return nil, &Finding{"a description of an unexpected version", w.base}
	}
	rest := b[4:]
	next := func(kind string, optional bool) []byte {
		if err != nil {
			return nil
		}
		at := w.base + int64(len(b)-len(rest))
		n, typ := boxHead(rest)
		if typ != kind {
			if !optional {
				err = &Finding{"not the box that belongs here: " + kind, at}
			}
			return nil
		}
		body := rest[8:n]
		rest = rest[n:]
		return body
	}
	fixed := func(kind, want string) {
		if got := next(kind, false); err == nil && string(got) != want {
			err = &Finding{"a box of an unexpected form: " + kind, w.base}
		}
	}
	fixed("hdlr", "\x00\x00\x00\x00\x00\x00\x00\x00pict"+strings.Repeat("\x00", 13))
	primary := next("pitm", false)
	places := next("iloc", false)
	infos := next("iinf", false)
	refs := next("iref", true)
	props := next("iprp", false)
	inline = next("idat", true)
	for _, step := range []struct {
		body []byte
		read func([]byte) error
	}{{infos, w.infos}, {places, w.places}, {refs, w.refs}, {props, w.properties}} {
		if err == nil {
			err = step.read(step.body)
		}
	}
	if err == nil && (len(primary) != 6 || !zero(primary[:4])) {
		err = &Finding{"a box of an unexpected form: pitm", w.base}
	}
	if err == nil {
		w.primary = int(binary.BigEndian.Uint16(primary[4:])) - 1
	}
	if err == nil && len(rest) > 0 {
		err = &Finding{"a box that showing does not need", w.base + int64(len(b)-len(rest))}
	}
	return inline, err
}

// boxHead gives the length and type of the box at the start of b; the type is
// empty when there is none that fits.
func boxHead(b []byte) (int, string) {
	if len(b) < 8 {
		return 0, ""
	}
	n := int64(binary.BigEndian.Uint32(b))
	if n < 8 || n > int64(len(b)) {
		return 0, ""
	}
	return int(n), string(b[4:8])
}

func (w *heifWalk) infos(b []byte) error {
	bad := &Finding{"a list of items of an unexpected form", w.base}
	if len(b) < 6 || !zero(b[:4]) {
		return bad
	}
	count := int(binary.BigEndian.Uint16(b[4:]))
	b = b[6:]
	if count == 0 || count > mostItems || len(b) != 21*count {
		return bad
	}
	for i := range count {
		e := b[21*i:][:21]
		if n, typ := boxHead(e); n != 21 || typ != "infe" || e[8] != 2 || e[9] != 0 || e[10] != 0 || e[11] > 1 ||
			int(binary.BigEndian.Uint16(e[12:])) != i+1 || !zero(e[14:16]) || e[20] != 0 {
			return bad
		}
		w.items = append(w.items, pictureItem{kind: string(e[16:20])})
	}
	return nil
}

func (w *heifWalk) places(b []byte) error {
	bad := &Finding{"places of items of an unexpected form", w.base}
	if len(b) < 8 || b[0] > 1 || !zero(b[1:4]) || b[4] != 0x44 || b[5] != 0 || int(binary.BigEndian.Uint16(b[6:])) != len(w.items) {
		return bad
	}
	methods := b[0] == 1
	b = b[8:]
	word := func() int {
		if len(b) < 2 {
			b = nil
			return -1
		}
		v := int(binary.BigEndian.Uint16(b))
		b = b[2:]
		return v
	}
	for i := range w.items {
		it := &w.items[i]
		if word() != i+1 {
			return bad
		}
		if methods {
			m := word()
			if m < 0 || m > 1 {
				return bad
			}
			it.inline = m == 1
		}
		if word() != 0 {
			return bad
		}
		switch word() {
		case 0:
		case 1:
			if len(b) < 8 {
				return bad
			}
			it.at, it.n = int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
			b = b[8:]
		default:
			return bad
		}
	}
	return found(len(b) > 0, bad.Where, bad.Offset)
}

func (w *heifWalk) refs(b []byte) error {
	if b == nil {
		return nil
	}
	bad := &Finding{"references between items of an unexpected form", w.base}
	if len(b) < 4 || !zero(b[:4]) {
		return bad
	}
	for b = b[4:]; len(b) > 0; {
		n, typ := boxHead(b)
		if n < 12 {
			return bad
		}
		from, count := int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))
		if from < 1 || from > len(w.items) || n != 12+2*count || count == 0 {
			return bad
		}
		list := map[string]*[]int{"dimg": &w.items[from-1].dimg, "auxl": &w.items[from-1].auxl, "prem": &w.items[from-1].prem}[typ]
		if list == nil || *list != nil {
			return bad
		}
		for i := range count {
			to := int(binary.BigEndian.Uint16(b[12+2*i:]))
			if to < 1 || to > len(w.items) || to == from {
				return bad
			}
			*list = append(*list, to-1)
		}
		b = b[n:]
	}
	return nil
}
