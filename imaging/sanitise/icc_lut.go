package sanitise

import "encoding/binary"

// reduceLUT copies of a table from colours to colours what an engine computes
// with (ICC.1:2022, 10.10 to 10.13), and cuts what follows. Between its parts
// are zeros.
func reduceLUT(d []byte) ([]byte, error) {
	if len(d) < 32 {
		return nil, errICC
	}
	if kind := string(d[:4]); kind == "mft1" || kind == "mft2" {
		return reduceOldLUT(d)
	}
	l := &lut{from: d, to: make([]byte, len(d))}
	in, out := int(d[8]), int(d[9])
	l.copy(0, 10)
	l.copy(12, 20)
	before, after := out, in // curves on the sides of the matrix, and on that of the table
	if string(d[:4]) == "mBA " {
		before, after = in, out
	}
	be := binary.BigEndian
	for i, part := range []func(at int){l.curves(before), func(at int) { l.copy(at, 48) }, l.curves(before), func(at int) { l.grid(at, in, out) }, l.curves(after)} {
		if at := be.Uint32(d[12+4*i:]); at != 0 {
			part(int(min(at, maxICC)))
		}
	}
	if l.bad {
		return nil, errICC
	}
	return l.to[:min((l.end+3)&^3, len(d))], nil
}

// reduceOldLUT is of tables of the form that profiles of version 2 have.
func reduceOldLUT(d []byte) ([]byte, error) {
	be := binary.BigEndian
	head, width, first, last := 48, 1, 256, 256
	if string(d[:4]) == "mft2" {
		if len(d) < 52 {
			return nil, errICC
		}
		head, width, first, last = 52, 2, int(be.Uint16(d[48:])), int(be.Uint16(d[50:]))
	}
	in, out := int(d[8]), int(d[9])
	points := out
	for range in {
		if points *= int(d[10]); points > maxICC {
			return nil, errICC
		}
	}
	n := head + width*(in*first+points+out*last)
	if n > len(d) {
		return nil, errICC
	}
	b := append([]byte{}, d[:n]...)
	b[11] = 0
	return b, nil
}

// lut copies parts of a table to where they were.
type lut struct {
	from, to []byte
	end      int // of the last part
	bad      bool
}

func (l *lut) copy(at, n int) {
	if at < 0 || n < 0 || at > len(l.from) || n > len(l.from)-at {
		l.bad = true
		return
	}
	copy(l.to[at:], l.from[at:at+n])
	l.end = max(l.end, at+n)
}

// curves copies as many curves, each padded to four bytes.
func (l *lut) curves(count int) func(at int) {
	return func(at int) {
		for range count {
			if at+12 > len(l.from) {
				l.bad = true
				return
			}
			n := 0
			l.copy(at, 4)
			switch d := l.from[at:]; string(d[:4]) {
			case "curv":
				n = 12 + 2*int(min(binary.BigEndian.Uint32(d[8:]), maxICC))
				l.copy(at+8, n-8)
			case "para":
				n = 12 + 4*paraParams(d)
				l.copy(at+8, 2)
				l.copy(at+12, n-12)
			default:
				l.bad = true
			}
			if l.bad {
				return
			}
			at = (at + n + 3) &^ 3
		}
	}
}

// paraParams is how many numbers a parametric curve has; negative if it is of
// no known kind.
func paraParams(d []byte) int {
	params := [...]int{1, 3, 4, 5, 7}
	if kind := int(binary.BigEndian.Uint16(d[8:])); kind < len(params) {
		return params[kind]
	}
	return -1
}

// grid copies the table itself.
func (l *lut) grid(at, in, out int) {
	l.copy(at, min(in, 16))
	l.copy(at+16, 1)
	if l.bad || in > 16 {
		l.bad = true
		return
	}
	n := out * int(l.from[at+16])
	for _, k := range l.from[at : at+in] {
		if n *= int(k); n > maxICC {
			l.bad = true
			return
		}
	}
	l.copy(at+20, n)
}
