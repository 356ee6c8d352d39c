package verify

import (
	"bytes"
	"encoding/binary"
)

// jpegFrame is what the frame header says, and which bits of its coefficients
// the scans so far have given.
type jpegFrame struct {
	marker        byte
	width, height int64
	interval      int64 // MCUs between restarts
	parts         map[byte]*jpegPart
}

type jpegPart struct {
	wide, high int64
	steps      byte        // the number of its quantisation table
	lowest     map[int]int // by coefficient: the lowest bit given
}

// scanEnd is where a scan's data must have ended.
type scanEnd struct{ bytes, intervals int64 }

func (f *jpegFrame) read(marker byte, body []byte, at int64) error {
	if len(body) < 9 || len(body) != 6+3*int(body[5]) || body[5] > 4 {
		return &Finding{"a frame header of wrong length", at}
	}
	f.marker, f.parts = marker, map[byte]*jpegPart{}
	f.height, f.width = int64(binary.BigEndian.Uint16(body[1:])), int64(binary.BigEndian.Uint16(body[3:]))
	if f.height == 0 || f.width == 0 {
		return &Finding{"a frame without pixels", at}
	}
	for i := 6; i < len(body); i += 3 {
		p := &jpegPart{wide: int64(body[i+1] >> 4), high: int64(body[i+1] & 15), steps: body[i+2], lowest: map[int]int{}}
		if _, twice := f.parts[body[i]]; twice || p.wide == 0 || p.wide > 4 || p.high == 0 || p.high > 4 {
			return &Finding{"a frame with odd components", at}
		}
		f.parts[body[i]] = p
	}
	return nil
}

// scan checks a scan header: it gives bits of coefficients that no scan before
// it gave, each in its turn.
func (f *jpegFrame) scan(body []byte, at int64) (scanEnd, error) {
	odd := &Finding{"a scan header of wrong length, or of what was coded before", at}
	if len(body) < 6 || len(body) != 4+2*int(body[0]) || f.parts == nil {
		return scanEnd{}, odd
	}
	tail := body[len(body)-3:]
	from, to, above, lowest := int(tail[0]), int(tail[1]), int(tail[2]>>4), int(tail[2]&15)
	if progressive := f.marker == 0xc2 || f.marker == 0xca; !progressive {
		from, to, above, lowest = 0, 0, 0, 0
	} else if to > 63 || from > to || from == 0 && to > 0 || from > 0 && body[0] > 1 {
		return scanEnd{}, odd
	}
	var parts []*jpegPart
	for i := 1; i < len(body)-3; i += 2 {
		p := f.parts[body[i]]
		if p == nil {
			return scanEnd{}, odd
		}
		for k := from; k <= to; k++ {
			last, seen := p.lowest[k]
			if seen != (above > 0) || seen && (last != above || lowest != above-1) {
				return scanEnd{}, odd
			}
			p.lowest[k] = lowest
		}
		parts = append(parts, p)
	}
	return f.end(parts), nil
}

// end says how many restart intervals the components' pixels make, and how many
// bytes they can need at most: 32 bits for each coefficient or sample, all of
// them stuffed.
func (f *jpegFrame) end(parts []*jpegPart) scanEnd {
	var wide, high int64
	for _, p := range f.parts {
		wide, high = max(wide, p.wide), max(high, p.high)
	}
	side := int64(8)
	if f.marker == 0xc3 || f.marker == 0xcb {
		side = 1
	}
	mcu := func(pixels, side int64) int64 { return (pixels-1)/side + 1 }
	units := mcu(f.width, side*wide) * mcu(f.height, side*high)
	each := int64(0)
	for _, p := range parts {
		each += p.wide * p.high
	}
	if len(parts) == 1 {
		p := parts[0]
		units, each = mcu(mcu(f.width*p.wide, wide), side)*mcu(mcu(f.height*p.high, high), side), 1
	}
	e := scanEnd{bytes: 64 + units*each*side*side*8, intervals: 1}
	if f.interval > 0 {
		e.intervals = mcu(units, f.interval)
		e.bytes += 2 * e.intervals
	}
	return e
}

// entropy passes over the coded data of a scan, up to the next marker that is
// neither stuffing nor a restart. Restarts are numbered in turn; one more than
// there are intervals has nothing behind it.
func (w *jpegWalk) entropy(end scanEnd) error {
	c := w.in
	start, restarts := c.at, int64(0)
	for {
		if c.size-c.at < 2 {
			return &Finding{"a scan without an end", c.at}
		}
		b, err := c.ahead(2)
		if err != nil {
			return err
		}
		n := unmarked(b)
		c.at += int64(n)
		if n >= len(b)-1 {
			continue
		}
		switch next := b[n+1]; {
		case next&^7 == 0xd0:
			if int64(next&7) != restarts%8 || restarts >= end.intervals {
				return &Finding{"a restart out of turn", c.at}
			}
			restarts++
			c.at += 2
			if restarts == end.intervals {
				b, err := c.view(c.at, min(2, c.size-c.at))
				if err != nil {
					return err
				}
				if len(b) < 2 || b[0] != 0xff || b[1] == 0 {
					return &Finding{"data after the last restart", c.at}
				}
			}
		default:
			return found(c.at-start > end.bytes, "a scan longer than its pixels need", start)
		}
	}
}

// unmarked gives how many bytes of b, from its start, come before a marker. The
// last byte may be the first half of one, and is left unless it ends stuffing.
func unmarked(b []byte) int {
	i := 0
	for i < len(b)-1 {
		k := bytes.IndexByte(b[i:len(b)-1], 0xff)
		if k < 0 {
			return len(b) - 1
		}
		if i += k; b[i+1] != 0 {
			return i
		}
		i += 2
	}
	return i
}

// onlyShape reports whether two resolutions say the shape of pixels and no more.
func onlyShape(x, y int64) bool {
	if x <= 0 || y <= 0 {
		return false
	}
	for y != 0 {
		x, y = y, x%y
	}
	return x == 1
}
