package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"
)

// tiffWalk reads a TIFF strictly from its start to its end, in the one order
// that a cleaned file has: header, then of each page the directory, the values
// that do not fit into it, and the strips. An offset that points anywhere but
// at the next byte is a finding, so no byte is left over and none read twice.
type tiffWalk struct {
	in    *cursor
	order binary.ByteOrder
	parts int // strips and tiles so far
	data  unpacking
}

func tiff(ctx context.Context, src io.ReaderAt, size int64) error {
	w := &tiffWalk{in: newCursor(ctx, src, size), order: binary.LittleEndian}
	head, err := w.in.take(8)
	if err != nil {
		return err
	}
	switch string(head) {
	case "II*\x00\x08\x00\x00\x00":
	case "MM\x00*\x00\x00\x00\x08":
		w.order = binary.BigEndian
	default:
		return &Finding{"no header of a TIFF whose directory follows", 0}
	}
	for pages := 0; ; pages++ {
		at := w.in.at
		next, err := w.page()
		switch {
		case err != nil:
			return err
		case next == 0:
			return found(w.in.at != size, "data after the last page", w.in.at)
		case next != w.in.at || pages > 2000:
			return &Finding{"a page out of place", at}
		}
	}
}

// tiffTags are the values of a directory by tag, as numbers where they are.
type tiffTags map[uint16]tiffTag

type tiffTag struct {
	typ  uint16
	n    []int64 // whole numbers; of rationals both parts
	body []byte  // of undefined type
}

// one is the value of a tag with a single number, or otherwise.
func (t tiffTags) one(tag uint16, otherwise int64) int64 {
	if v, ok := t[tag]; ok && len(v.n) > 0 {
		return v.n[0]
	}
	return otherwise
}

func (w *tiffWalk) page() (next int64, err error) {
	at := w.in.at
	b, err := w.in.take(2)
	if err != nil {
		return 0, err
	}
	n := int64(w.order.Uint16(b))
	if n > 40 {
		return 0, &Finding{"a directory that is too long", at}
	}
	b, err = w.in.take(12*n + 4)
	if err != nil {
		return 0, err
	}
	b = bytes.Clone(b)
	tags := tiffTags{}
	last := uint16(0)
	for i := range n {
		e := b[12*i:][:12]
		tag := w.order.Uint16(e)
		if tag <= last {
			return 0, &Finding{"a tag twice or out of order", at}
		}
		last = tag
		if tags[tag], err = w.value(e); err != nil {
			return 0, err
		}
	}
	p, err := newTIFFPage(tags, at)
	if err != nil {
		return 0, err
	}
	return int64(w.order.Uint32(b[12*n:])), w.picture(p)
}

// value reads the value of an entry, from where it must lie.
func (w *tiffWalk) value(e []byte) (tiffTag, error) {
	at := w.in.at
	typ, count := w.order.Uint16(e[2:]), int64(w.order.Uint32(e[4:]))
	size, ok := map[uint16]int64{3: 2, 4: 4, 5: 8, 7: 1}[typ]
	if !ok || count < 1 || count > 8<<20 {
		return tiffTag{}, &Finding{"a tag of an unexpected type or count", at}
	}
	total := size * count
	raw := bytes.Clone(e[8:])
	if total > 4 {
		if int64(w.order.Uint32(e[8:])) != at {
			return tiffTag{}, &Finding{"a value out of place", at}
		}
		raw = nil
		for left := total; left > 0; {
			b, err := w.in.take(min(left, 64<<10))
			if err != nil {
				return tiffTag{}, err
			}
			raw = append(raw, b...)
			left -= int64(len(b))
		}
		if err := w.even(); err != nil {
			return tiffTag{}, err
		}
	} else if !zeros(raw[total:]) {
		return tiffTag{}, &Finding{"padding that is not zero", at}
	}
	v := tiffTag{typ: typ}
	switch typ {
	case 3:
		for i := range count {
			v.n = append(v.n, int64(w.order.Uint16(raw[2*i:])))
		}
	case 4, 5:
		for i := range total / 4 {
			v.n = append(v.n, int64(w.order.Uint32(raw[4*i:])))
		}
	default:
		v.body = raw[:total]
	}
	return v, nil
}

// even passes over the zero that brings the next part to an even offset.
func (w *tiffWalk) even() error {
	if w.in.at%2 == 0 {
		return nil
	}
	return w.in.expect("zero for padding", []byte{0})
}

func zeros(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

// picture goes over the strips or tiles of a page.
func (w *tiffWalk) picture(p *tiffPage) error {
	if w.parts += len(p.offsets); w.parts > 1<<18 {
		return &Finding{"too many strips", w.in.at}
	}
	if p.tables != nil {
		t := &jpegWalk{in: newCursor(w.in.ctx, bytes.NewReader(p.tables), int64(len(p.tables))), tables: true, stage: stageAdobe}
		if err := t.walk(); err != nil {
			return err
		}
	}
	if p.profile != nil {
		if err := profile(p.profile); err != nil {
			return err
		}
	}
	for i, off := range p.offsets {
		size := p.sizes[i]
		if off != w.in.at || size < 1 || size > w.in.size-off {
			return &Finding{"a strip out of place", w.in.at}
		}
		if err := w.in.ctx.Err(); err != nil {
			return err
		}
		if err := w.strip(p, i, off, size); err != nil {
			return err
		}
		w.in.at += size
		if err := w.even(); err != nil {
			return err
		}
	}
	return nil
}

// strip checks that the picture's data fill a strip to its last byte.
func (w *tiffWalk) strip(p *tiffPage, i int, off, size int64) error {
	rows := p.rowsOf(i)
	if p.compression == 7 {
		j := &jpegWalk{in: newCursor(w.in.ctx, io.NewSectionReader(w.in.src, off, size), size), stage: stageICC, part: true}
		if err := j.walk(); err != nil {
			return err
		}
		return found(j.iccTotal != 0 || j.frame.width != p.wide || j.frame.height < rows || j.frame.height > p.high, "a JPEG of another size than its strip", off)
	}
	ends, err := w.data.fill(io.NewSectionReader(w.in.src, off, size), p, rows)
	if err != nil {
		return err
	}
	return found(ends != size, "a strip that is not filled by its picture", off)
}
