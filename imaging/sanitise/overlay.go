package sanitise

import (
	"cmp"
	"io"
	"slices"
	"sort"
)

// maxFills bounds the memory of one overlay (16 bytes a fill): four hours of a
// film with text at each picture.
const maxFills = 1 << 20

// fill is a range of the source that reads as filler. It is a formula, not
// bytes, so a million of them cost little.
type fill struct {
	off  int64
	n    uint32
	kind fillKind
	with byte // the byte of a run; the payload type of filler messages
	last byte // fillRun: the last byte
	keep byte // fillMessages: how many zeros end it
}

type fillKind byte

const (
	fillRun      fillKind = iota // the byte with; last at the end
	fillMessages                 // SEI messages of 0xff
	fillRest                     // the same and the stop bit
)

// put writes the bytes of the fill from its at-th on into p.
func (f fill) put(p []byte, at int64) {
	set := func(i int64, b byte) {
		if i -= at; i >= 0 && i < int64(len(p)) {
			p[i] = b
		}
	}
	b := f.with
	if f.kind != fillRun {
		b = 0xff
	}
	for i := range p {
		p[i] = b
	}
	n := int64(f.n)
	if f.kind == fillRun {
		set(n-1, f.last)
		return
	}
	for i := range int64(f.keep) {
		set(n-1-i, 0)
	}
	if f.kind == fillRest {
		set(n-1, 0x80)
		if n--; n == 1 {
			set(0, 0x80)
			return
		}
	}
	// A message is its type, its size in bytes of 255 and one less, and the
	// payload. No single one is of 256k+1 bytes; a short one goes before it.
	start, typ := int64(0), f.with
	if n > 1 && n%256 == 1 {
		set(0, typ)
		set(1, 1)
		start, typ = 3, fillerPayload
	}
	if body := n - start - 2; body >= 0 {
		payload := body - body/256
		set(start, typ)
		set(start+1+payload/255, byte(payload%255))
	}
}

// overlay reads as its source, with the fills in place.
type overlay struct {
	src   io.ReaderAt
	fills []fill // sorted, without overlaps
}

// settle sorts the fills. Samples that share bytes give the same fill twice,
// which is one; fills that overlap otherwise are a fault.
func (o *overlay) settle() error {
	slices.SortFunc(o.fills, func(a, b fill) int { return cmp.Compare(a.off, b.off) })
	o.fills = slices.Compact(o.fills)
	for i, f := range o.fills[min(1, len(o.fills)):] {
		if before := o.fills[i]; f.off < before.off+int64(before.n) {
			return errVideoUnusual
		}
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.src.ReadAt(p, off)
	end := off + int64(n)
	i := sort.Search(len(o.fills), func(i int) bool { return o.fills[i].off+int64(o.fills[i].n) > off })
	for ; i < len(o.fills) && o.fills[i].off < end; i++ {
		f := o.fills[i]
		from, to := max(f.off, off), min(f.off+int64(f.n), end)
		f.put(p[from-off:to-off], from-f.off)
	}
	return n, err
}
