package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
)

// gif reads header, colour tables, at most one loop count, and frames, in the
// one order that a cleaned file has. In each frame it follows the codes to the
// last pixel, and takes no byte after it.
func gif(ctx context.Context, src io.ReaderAt, size int64) error {
	in := newCursor(ctx, src, size)
	b, err := in.take(13)
	if err != nil {
		return err
	}
	if string(b[:6]) != "GIF87a" && string(b[:6]) != "GIF89a" {
		return &Finding{"no GIF signature", 0}
	}
	if err := gifPalette(in, b[10]); err != nil {
		return err
	}
	for frames, loops := 0, 0; ; {
		at := in.at
		if b, err = in.take(1); err != nil {
			return err
		}
		switch b[0] {
		case 0x3b:
			return first(found(in.at != size, "data after the end", in.at), found(frames == 0, "no picture", at))
		case 0x2c:
			frames++
			err = gifFrame(in)
		case 0x21:
			if b, err = in.view(in.at, 2); err != nil {
				return err
			}
			if b[0] == 0xff {
				loops++
				err = first(found(frames > 0 || loops > 1, "a loop count out of order or twice", at), gifLoop(in))
			} else {
				err = gifControl(in)
			}
		default:
			err = &Finding{"a byte between blocks", at}
		}
		if err != nil {
			return err
		}
	}
}

func gifPalette(in *cursor, packed byte) error {
	if packed>>7 == 0 {
		return nil
	}
	_, err := in.take(3 * int64(2<<(packed&7)))
	return err
}

func gifLoop(in *cursor) error {
	if err := in.expect("bare loop count", []byte("\xff\x0bNETSCAPE2.0\x03\x01")); err != nil {
		return err
	}
	if _, err := in.take(2); err != nil {
		return err
	}
	return in.expect("end of a loop count", []byte{0})
}

// gifControl takes a graphic control, which a frame must follow.
func gifControl(in *cursor) error {
	at := in.at
	b, err := in.view(at, 8)
	if err != nil {
		return err
	}
	in.at += 7 // the eighth starts the frame
	bad := !bytes.Equal(b[:2], []byte{0xf9, 4}) || b[2]>>5 != 0 || b[6] != 0 || b[2]&1 == 0 && b[5] != 0
	return found(bad || b[7] != 0x2c, "an extension that rendering does not need", at)
}

func gifFrame(in *cursor) error {
	at := in.at
	b, err := in.take(9)
	if err != nil {
		return err
	}
	packed := b[8]
	area := int64(binary.LittleEndian.Uint16(b[4:])) * int64(binary.LittleEndian.Uint16(b[6:]))
	if packed&0b11000 != 0 || area == 0 {
		return &Finding{"a frame of an unexpected form", at}
	}
	if err := gifPalette(in, packed); err != nil {
		return err
	}
	if b, err = in.take(1); err != nil {
		return err
	}
	if b[0] < 2 || b[0] > 8 {
		return &Finding{"a frame of an unexpected form", at}
	}
	return (&gifBits{in: in}).frame(int(b[0]), area)
}

// gifBits gives the bits of a frame out of its sub-blocks.
type gifBits struct {
	in    *cursor
	block []byte // what is left of this sub-block
	end   bool   // the empty sub-block was taken
	bits  uint64 // taken out of it, the next one lowest
	n     int    // how many
}

// fill makes at least n bits ready, twelve at most.
func (g *gifBits) fill(n int) error {
	for g.n < n {
		switch {
		case len(g.block) >= 4:
			g.bits |= uint64(binary.LittleEndian.Uint32(g.block)) << g.n
			g.block, g.n = g.block[4:], g.n+32
		case len(g.block) > 0:
			g.bits |= uint64(g.block[0]) << g.n
			g.block, g.n = g.block[1:], g.n+8
		case g.end:
			return &Finding{"a frame that ends before its last pixel", g.in.at}
		default:
			if err := g.next(); err != nil {
				return err
			}
		}
	}
	return nil
}

// next takes the next sub-block.
func (g *gifBits) next() error {
	b, err := g.in.take(1)
	if err != nil {
		return err
	}
	g.end = b[0] == 0
	g.block, err = g.in.take(int64(b[0]))
	return err
}

// over reports whether fewer than eight bits are left of the frame, and takes
// the empty sub-block behind them.
func (g *gifBits) over() (bool, error) {
	if g.n+8*len(g.block) >= 8 {
		return false, nil
	}
	if !g.end {
		if err := g.next(); err != nil {
			return false, err
		}
	}
	return g.end, nil
}

func (g *gifBits) code(width int) (int, error) {
	if err := g.fill(width); err != nil {
		return 0, err
	}
	v := int(g.bits & (1<<width - 1))
	g.bits >>= width
	g.n -= width
	return v, nil
}

// frame follows the codes of area pixels. How long the string of a code is
// follows from the code that it extends. Its variables are its own, since it
// runs for every code.
func (g *gifBits) frame(size int, area int64) error {
	const most = 4096
	reset, stop := 1<<size, 1<<size+1
	var length [most]uint16
	for i := range reset {
		length[i] = 1
	}
	known, width, prev := stop+1, size+1, uint16(0) // prev is the length of the code before, 0 after a reset
	bits, n := g.bits, g.n
	for area > 0 {
		if n < width {
			g.bits, g.n = bits, n
			if err := g.fill(width); err != nil {
				return err
			}
			bits, n = g.bits, g.n
		}
		v := int(bits & (1<<width - 1))
		bits >>= width
		n -= width
		if v == reset {
			known, width, prev = stop+1, size+1, 0
			continue
		}
		if prev > 0 && known < most {
			length[known] = prev + 1
			if known++; known == 1<<width && width < 12 {
				width++
			}
		}
		if v == stop || v >= known || prev == 0 && v > stop {
			return &Finding{"a code that stands for nothing", g.in.at}
		}
		prev = length[v]
		area -= int64(prev)
	}
	g.bits, g.n = bits, n
	return g.rest(size, width, reset, stop)
}

// rest allows what encoders put after the last pixel: nothing, an end code, or
// a reset and an end code; then fewer than eight bits.
func (g *gifBits) rest(size, width, reset, stop int) error {
	at := g.in.at
	if over, err := g.over(); over || err != nil {
		return err
	}
	v, err := g.code(width)
	if v == reset && err == nil {
		v, err = g.code(size + 1)
	}
	if err != nil {
		return err
	}
	over, err := g.over()
	return first(err, found(v != stop || !over, "data after a frame's last pixel", at))
}
