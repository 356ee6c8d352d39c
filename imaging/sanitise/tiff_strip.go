package sanitise

import (
	"bufio"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"

	"github.com/wardseal/wardseal/imaging/splice"
)

// tiffStrip is a strip or tile: where it lies in the source and what of it is
// written.
type tiffStrip struct {
	from, length int64       // in the source
	size         int64       // as written
	jpeg         []jpegPiece // of a strip that is a JPEG of its own; nil when it is copied whole
}

// jpegPiece is a range of the source, or literal bytes.
type jpegPiece struct {
	from, length int64
	literal      []byte
}

func (s *tiffStrip) write(out *splice.Splice) {
	if s.jpeg == nil {
		out.Copy(s.from, s.length)
	}
	for _, piece := range s.jpeg {
		if piece.literal != nil {
			out.Literal(piece.literal)
		} else {
			out.Copy(piece.from, piece.length)
		}
	}
}

// parts reads where the strips or tiles lie, and finds where each one ends.
func (t *tiffFile) parts(p *tiffPage) error {
	d := p.ifd
	offsets, sizes := uint16(tagStripOffsets), uint16(tagStripBytes)
	p.partWidth, p.partHeight = p.width, min(int(t.number(d, tagRowsPerStrip, 1<<31)), p.height)
	if _, ok := d.find(tagTileWidth); ok {
		p.tiled = true
		offsets, sizes = tagTileOffsets, tagTileBytes
		p.partWidth, p.partHeight = int(t.number(d, tagTileWidth, 0)), int(t.number(d, tagTileHeight, 0))
		if err := checkPixels(p.partWidth, p.partHeight, t.opt); err != nil {
			return err
		}
		p.long(t, tagTileWidth, uint32(p.partWidth))
		p.long(t, tagTileHeight, uint32(p.partHeight))
	} else {
		if p.partHeight == 0 {
			return errTIFFDamaged
		}
		p.long(t, tagRowsPerStrip, uint32(p.partHeight))
	}
	across, down, planes := (p.width+p.partWidth-1)/p.partWidth, (p.height+p.partHeight-1)/p.partHeight, 1
	if p.separate {
		planes = p.samples
	}
	n := across * down * planes // each at most MaxPixels, and 16
	if t.strips += n; t.strips > maxTIFFStrips || p.compression == tiffJPEG && t.strips > maxTIFFStripsJPEG {
		return errTIFFStructure
	}
	f, ok := d.find(offsets)
	if !ok || f.count < int64(n) {
		return errTIFFDamaged
	}
	at, err := t.numbers(f, maxTIFFStrips)
	if err != nil {
		return err
	}
	length, err := t.lengths(p, sizes, n)
	if err != nil {
		return err
	}
	p.strips = make([]tiffStrip, n)
	for i := range n {
		rows := p.partHeight
		if !p.tiled {
			rows = min(rows, p.height-(i%down)*p.partHeight)
		}
		s := tiffStrip{from: int64(at[i]), length: int64(length[i])}
		want := p.unpacked(rows)
		if t.budget -= want; t.budget < 0 {
			return refuse("too-many-pixels", "This file has more pixels on its pages than can be dealt with. Send a smaller one, or the pages one by one.")
		}
		if err := t.strip(p, &s, want, rows); err != nil {
			return err
		}
		p.strips[i] = s
	}
	return nil
}

// lengths reads the lengths of n strips. Old writers of files that are not
// compressed left them out, and then they follow from the size of the picture.
func (t *tiffFile) lengths(p *tiffPage, tag uint16, n int) ([]uint32, error) {
	f, ok := p.ifd.find(tag)
	if !ok && p.compression == tiffPlain {
		out := make([]uint32, n)
		for i := range out {
			out[i] = uint32(min(p.unpacked(p.partHeight), t.size))
		}
		return out, nil
	}
	if !ok || f.count < int64(n) {
		return nil, errTIFFDamaged
	}
	return t.numbers(f, maxTIFFStrips)
}

// unpacked is the number of bytes that so many rows of a strip or tile have.
func (p *tiffPage) unpacked(rows int) int64 {
	w, h, samples := int64(p.partWidth), int64(rows), int64(p.samples)
	if p.separate {
		samples = 1
	}
	if p.photometric == 6 && !p.separate && p.compression != tiffJPEG && samples == 3 {
		x, y := int64(p.sub[0]), int64(p.sub[1])
		row := (w + x - 1) / x * (x*y + 2) * int64(p.bits)
		return (row + 7) / 8 * ((h + y - 1) / y)
	}
	return (w*samples*int64(p.bits) + 7) / 8 * h
}

// strip finds where the strip s, which unpacks to want bytes, ends, and cuts it
// there: what follows no decoder shows.
func (t *tiffFile) strip(p *tiffPage, s *tiffStrip, want int64, rows int) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	if s.from < 8 || s.length < 1 || s.from >= t.size {
		return errTIFFCut
	}
	if p.compression != tiffPlain && p.compression != tiffJPEG {
		s.length = min(s.length, t.size-s.from) // the end is found below
	}
	if s.length > t.size-s.from {
		if s.length = t.size - s.from; p.compression == tiffJPEG || s.length < want {
			return errTIFFCut
		}
	}
	var err error
	switch p.compression {
	case tiffPlain:
		if s.length < want {
			return errTIFFCut
		}
		s.length = want
	case tiffJPEG:
		return t.jpegStrip(p, s, rows)
	case tiffFaxRuns, tiffFax3, tiffFax4:
		if t.fax += s.length; t.fax > maxTIFFFax {
			return errTIFFStructure
		}
		s.length, err = t.unpack.fax(io.NewSectionReader(t.src, s.from, s.length), p, t.number(p.ifd, tagT4Options, 0), rows)
	default:
		s.length, err = t.unpack.end(io.NewSectionReader(t.src, s.from, s.length), p.compression, want)
	}
	s.size = s.length
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errTIFFCut
	}
	return err
}

// unpacker finds the end of packed data without keeping what it unpacks.
type unpacker struct {
	from    *io.SectionReader
	in      *bufio.Reader // of from
	last    int64         // where the data end, when that is before what was read
	inflate io.ReadCloser
	length  []uint16 // of each LZW string
	ref     []int    // rows of a fax
	cur     []int
}

// at is how far the data were read.
func (u *unpacker) at() int64 {
	n, _ := u.from.Seek(0, io.SeekCurrent) // it cannot fail
	return n - int64(u.in.Buffered())
}

// end gives the length of the packed data in r that unpack to want bytes.
func (u *unpacker) end(r *io.SectionReader, compression uint32, want int64) (int64, error) {
	if u.in == nil {
		u.in = bufio.NewReaderSize(nil, 64<<10)
	}
	u.from, u.last = r, -1
	u.in.Reset(r)
	var err error
	switch compression {
	case tiffPackBits:
		err = u.packBits(want)
	case tiffLZW:
		err = u.lzw(want)
	default:
		err = u.deflate(want)
	}
	if u.last >= 0 {
		return u.last, err
	}
	return u.at(), err
}

// fax is end for the kinds of fax coding.
func (u *unpacker) fax(r *io.SectionReader, p *tiffPage, options uint32, rows int) (int64, error) {
	if u.in == nil {
		u.in = bufio.NewReaderSize(nil, 64<<10)
	}
	u.in.Reset(r)
	x := &faxReader{in: u.in, reversed: p.fillOrder == 2, width: p.partWidth, ref: u.ref[:0], cur: u.cur}
	n, err := x.rows(p.compression, options, rows)
	u.ref, u.cur = x.ref, x.cur
	return n, err
}

func (u *unpacker) packBits(want int64) error {
	for want > 0 {
		c, err := u.in.ReadByte()
		if err != nil {
			return err
		}
		run, data := int64(0), 0
		switch {
		case c < 128:
			run, data = int64(c)+1, int(c)+1
		case c > 128:
			run, data = 257-int64(c), 1
		}
		if want -= run; want < 0 {
			return errTIFFDamaged
		}
		if _, err := u.in.Discard(data); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacker) deflate(want int64) error {
	var err error
	if u.inflate == nil {
		u.inflate, err = zlib.NewReader(u.in)
	} else {
		err = u.inflate.(zlib.Resetter).Reset(u.in, nil)
	}
	if err != nil {
		u.inflate = nil
		return packed(err)
	}
	got, err := io.Copy(io.Discard, io.LimitReader(u.inflate, want+1))
	if err != nil {
		return packed(err)
	}
	if got != want {
		return errTIFFDamaged
	}
	return nil
}

// packed tells damage from an early end and from a failure to read.
func packed(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, zlib.ErrHeader) || errors.Is(err, zlib.ErrChecksum) || errors.Is(err, zlib.ErrDictionary) || errors.As(err, &corrupt) {
		return errTIFFDamaged
	}
	return err
}

// lzw follows the codes (TIFF 6.0, section 13) and keeps of each string only
// its length.
func (u *unpacker) lzw(want int64) error {
	const clearCode, endCode = 256, 257
	if u.length == nil {
		u.length = make([]uint16, 4096)
		for i := range 256 {
			u.length[i] = 1
		}
	}
	var bits uint32
	var have, width uint = 0, 9
	next, last := 258, -1
	code := func() (int, error) {
		for have < width {
			b, err := u.in.ReadByte()
			if err != nil {
				return 0, err
			}
			bits, have = bits<<8|uint32(b), have+8
		}
		have -= width
		return int(bits >> have & (1<<width - 1)), nil
	}
	for first := true; want > 0; first = false {
		c, err := code()
		if err != nil {
			return err
		}
		if first && c != clearCode {
			return errTIFFDamaged // among others, the order of bits of the time before TIFF 5
		}
		switch {
		case c == clearCode:
			next, width, last = 258, 9, -1
			continue
		case c == endCode || c > next || c == next && last < 0 || last < 0 && c > 255:
			return errTIFFDamaged
		case last >= 0 && next < len(u.length):
			u.length[next] = u.length[last] + 1
			if next++; next >= 1<<width-1 && width < 12 {
				width++
			}
		}
		want -= int64(u.length[c])
		last = c
	}
	if want < 0 {
		return errTIFFDamaged
	}
	u.last = u.at()
	c, err := code()
	if err == nil && c == clearCode { // some writers clear a full table before they end
		width = 9
		c, err = code()
	}
	if err == nil && c == endCode {
		u.last = u.at()
	}
	return nil
}
