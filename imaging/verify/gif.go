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

// gifBits gives the codes of a frame out of its sub-blocks.
type gifBits struct {
	in    *cursor
	block []byte // what is left of this sub-block
	end   bool   // the empty sub-block was taken
	acc   uint
	n     int
}

// fill makes n bits ready, if there are as many.
func (g *gifBits) fill(n int) (bool, error) {
	for g.n < n && !g.end {
		if len(g.block) > 0 {
			g.acc |= uint(g.block[0]) << g.n
			g.n += 8
			g.block = g.block[1:]
			continue
		}
		b, err := g.in.take(1)
		if err != nil {
			return false, err
		}
		if g.end = b[0] == 0; g.end {
			break
		}
		if g.block, err = g.in.take(int64(b[0])); err != nil {
			return false, err
		}
	}
	return g.n >= n, nil
}

func (g *gifBits) code(width int) (int, error) {
	if g.n < width {
		if ok, err := g.fill(width); err != nil {
			return 0, err
		} else if !ok {
			return 0, &Finding{"a frame that ends before its last pixel", g.in.at}
		}
	}
	v := int(g.acc & (1<<width - 1))
	g.acc >>= width
	g.n -= width
	return v, nil
}

// frame follows the codes of area pixels. How long the string of a code is
// follows from the code that it extends.
func (g *gifBits) frame(size int, area int64) error {
	reset, stop := 1<<size, 1<<size+1
	length := make([]int64, stop+1, 4096)
	for i := range reset {
		length[i] = 1
	}
	width, prev := 0, int64(0) // prev is the length of the code before, 0 after a reset
	again := func() { length, width, prev = length[:stop+1], size+1, 0 }
	for again(); area > 0; {
		v, err := g.code(width)
		switch {
		case err != nil:
			return err
		case v == reset:
			again()
			continue
		case prev > 0 && len(length) < 4096:
			length = append(length, prev+1)
			if len(length) == 1<<width && width < 12 {
				width++
			}
		}
		if v == stop || v >= len(length) || prev == 0 && v > stop {
			return &Finding{"a code that stands for nothing", g.in.at}
		}
		prev = length[v]
		area -= prev
	}
	return g.rest(size, width, reset, stop)
}

// rest allows what encoders put after the last pixel: nothing, an end code, or
// a reset and an end code; then fewer than eight bits.
func (g *gifBits) rest(size, width, reset, stop int) error {
	at := g.in.at
	if _, err := g.fill(g.n + 1); err != nil { // takes the end, or one byte more
		return err
	}
	if g.end && g.n < 8 {
		return nil
	}
	v, err := g.code(width)
	if v == reset && err == nil {
		v, err = g.code(size + 1)
	}
	if err != nil {
		return err
	}
	if _, err := g.fill(g.n + 1); err != nil {
		return err
	}
	return found(v != stop || !g.end || g.n >= 8, "data after a frame's last pixel", at)
}
