package sanitise

import (
	"encoding/binary"
	"errors"
)

// errPNGAnimation means that the chunks of an animation do not fit together.
// Viewers must show the still picture then (PNG third edition, 11.3.6), and so
// does what is kept.
var errPNGAnimation = errors.New("the animation is malformed")

// pngAnimation checks the structure of an animated PNG.
type pngAnimation struct {
	used      bool   // a chunk of an animation was seen
	announced uint32 // frames, 0 before acTL
	frames    int
	next      uint32 // sequence number
	open      bool   // a frame was begun
	first     bool   // and its data is the still picture
	bytes     int64  // of data that the frame has
	pixels    int64
}

// animation deals with a chunk that only animated PNG has.
func (p *pngFile) animation(typ string, at, length int64) error {
	if p.still {
		p.acc.removed("animation that is malformed", length+12)
		return nil
	}
	a := &p.anim
	a.used = true
	if err := p.checkCRC(at, length); err != nil {
		return err
	}
	b, err := p.in.bytes(at+8, min(length, 26))
	if err != nil {
		return cut(err, errPNGCut)
	}
	ok := false
	switch typ {
	case "acTL":
		ok = length == 8 && a.announced == 0 && !p.seen["IDAT"]
		if ok {
			a.announced = binary.BigEndian.Uint32(b)
			ok = a.announced > 0 && a.announced < 1<<31
		}
	case "fcTL":
		ok = length == 26 && a.control(b, p.width, p.height, p.seen["IDAT"])
		if a.frames > maxMovingFrames || a.pixels > maxMovingPixels*p.opt.MaxPixels {
			return errMovingTooBig
		}
	case "fdAT":
		ok = length >= 4 && a.open && !a.first && p.seen["IDAT"] && binary.BigEndian.Uint32(b) == a.next
		a.next++
		a.data(length - 4)
	}
	if !ok {
		return errPNGAnimation
	}
	p.out.Copy(at, length+12)
	return nil
}

// control begins a frame.
func (a *pngAnimation) control(b []byte, width, height int, later bool) bool {
	be := binary.BigEndian
	w, h, x, y := int64(be.Uint32(b[4:])), int64(be.Uint32(b[8:])), int64(be.Uint32(b[12:])), int64(be.Uint32(b[16:]))
	ok := be.Uint32(b) == a.next && w > 0 && h > 0 && x+w <= int64(width) && y+h <= int64(height) && b[24] <= 2 && b[25] <= 1
	if !later { // the still picture is the first frame
		ok = ok && a.frames == 0 && w == int64(width) && h == int64(height)
	}
	ok = ok && (!a.open || a.bytes > 0)
	a.next++
	a.frames++
	a.open, a.first, a.bytes = true, !later, 0
	if ok {
		a.pixels += w * h
	}
	return ok
}

func (a *pngAnimation) data(n int64) {
	if a.open {
		a.bytes += n
	}
}

// end reports an animation that is not whole, unless it is dropped anyway.
func (a *pngAnimation) end(still bool) error {
	if still || !a.used || int64(a.frames) == int64(a.announced) && a.bytes > 0 {
		return nil
	}
	return errPNGAnimation
}
