package sanitise

import "encoding/binary"

// gifCodes follows the LZW codes of one frame (GIF89a, appendix F) without
// building a pixel: of each code it keeps only how many pixels it stands for.
// That is enough to know where the picture ends, so that nothing can hide
// behind it.
type gifCodes struct {
	pixels [4096]uint16 // that a code stands for
	left   int64        // pixels still to come

	min, width uint
	next       uint // the code that the next entry gets
	last       int  // the code before; -1 after a clear code
	bits       uint64
	have       uint // bits in bits

	full    bool // every pixel has come
	cleared bool // a clear code came after that
	ended   bool // nothing that follows is of the picture
	broken  bool
}

func (c *gifCodes) start(size byte, pixels int64) {
	*c = gifCodes{left: pixels, min: uint(size)}
	for i := range 1 << size {
		c.pixels[i] = 1
	}
	c.clear()
}

func (c *gifCodes) clear() {
	c.width, c.next, c.last = c.min+1, 1<<c.min+2, -1
}

// feed takes one sub-block and gives how many bytes of it, from its start, the
// picture was seen to need; 0 when it needs none.
func (c *gifCodes) feed(b []byte) (needed int) {
	if c.ended || c.broken {
		return 0
	}
	i := 0
	if !c.full {
		if i = c.follow(b); !c.full {
			return i
		}
	}
	return max(i, c.tail(b, i))
}

// follow reads codes up to the picture's last pixel and gives how many bytes of
// b that took. It is one loop over local variables, since it runs for every code
// of every frame.
func (c *gifCodes) follow(b []byte) int {
	clear := uint(1) << c.min
	bits, have, width, next, last, left := c.bits, c.have, c.width, c.next, c.last, c.left
	i := 0
	for left > 0 {
		if have < width {
			switch {
			case i+4 <= len(b):
				bits |= uint64(binary.LittleEndian.Uint32(b[i:])) << have
				i, have = i+4, have+32
				continue
			case i < len(b):
				bits |= uint64(b[i]) << have
				i, have = i+1, have+8
				continue
			}
			break
		}
		code := uint(bits) & (1<<width - 1)
		bits >>= width
		have -= width
		switch {
		case code == clear:
			width, next, last = c.min+1, clear+2, -1
			continue
		case code == clear+1 || code > next || last < 0 && code > clear:
			c.broken = true // it ends too early, or names a code that is not there
			return 0
		}
		if last >= 0 && next < 4096 {
			c.pixels[next&4095] = c.pixels[last&4095] + 1
			if next++; next == 1<<width && width < 12 {
				width++
			}
		}
		last = int(code)
		left -= int64(c.pixels[code&4095])
	}
	if c.full = left <= 0; c.full { // whole bytes behind the last code were not needed
		i -= int(have / 8)
		have %= 8
		bits &= 1<<have - 1
	}
	c.bits, c.have, c.width, c.next, c.last, c.left = bits, have, width, next, last, left
	return i
}

// tail follows what comes behind the last pixel: encoders put an end code
// there, and some clear before it. It gives how much of b, of which i bytes
// were read, the end code needs; 0 when there is none.
func (c *gifCodes) tail(b []byte, i int) int {
	for {
		for c.have >= c.width {
			code := uint(c.bits) & (1<<c.width - 1)
			c.bits >>= c.width
			c.have -= c.width
			switch {
			case code == 1<<c.min && !c.cleared:
				c.cleared = true
				c.clear()
				continue
			case code == 1<<c.min+1:
				c.ended = true
				return i
			}
			c.ended = true
			return 0
		}
		if i == len(b) {
			return 0
		}
		c.bits |= uint64(b[i]) << c.have
		c.have += 8
		i++
	}
}
