package sanitise

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
	bits       uint32
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
	for i := 0; i < len(b) && !c.ended && !c.broken; i++ {
		c.bits |= uint32(b[i]) << c.have
		c.have += 8
		if !c.full {
			needed = i + 1
		}
		for c.have >= c.width && !c.ended && !c.broken {
			code := uint(c.bits & (1<<c.width - 1))
			c.bits >>= c.width
			c.have -= c.width
			if c.take(code) {
				needed = i + 1
			}
		}
	}
	return needed
}

// take follows one code; it reports whether the picture needs that code.
func (c *gifCodes) take(code uint) bool {
	clear := uint(1) << c.min
	if c.full { // encoders end with an end code, and some clear before it
		switch {
		case code == clear+1:
			c.ended = true
			return true
		case code == clear && !c.cleared:
			c.cleared = true
			c.clear()
		default:
			c.ended = true
		}
		return false
	}
	switch {
	case code == clear:
		c.clear()
		return true
	case code == clear+1 || code > c.next || c.last < 0 && code > clear:
		c.broken = true // it ends too early, or names a code that is not there
		return false
	}
	if c.last >= 0 && c.next < 4096 {
		c.pixels[c.next] = c.pixels[c.last] + 1
		if c.next++; c.next == 1<<c.width && c.width < 12 {
			c.width++
		}
	}
	c.last = int(code)
	c.left -= int64(c.pixels[code])
	c.full = c.left <= 0
	return true
}
