package derive

import "errors"

// spsCoding reads how colours are coded from an HEVC sequence parameter set
// (ITU-T H.265, 7.3.2.2 and annex E). It reports whether the set says so.
// Without that, HEVC is taken for narrow range, as its annex E.3.1 has it.
func spsCoding(nal []byte) (c coding, ok bool) {
	defer func() {
		if e := recover(); e != nil && e != errBits {
			panic(e)
		}
	}()
	if len(nal) < 3 {
		return c, false
	}
	r := &bits{b: unescaped(nal[2:])}
	r.skip(4) // vps id
	layers := int(r.take(3))
	r.skip(1)
	r.profile(layers)
	r.ue() // sps id
	chroma := r.ue()
	if chroma == 3 {
		r.skip(1)
	}
	r.ue() // width
	r.ue() // height
	if r.flag() {
		for range 4 {
			r.ue()
		}
	}
	r.ue() // bit depths
	r.ue()
	poc := r.ue() + 4
	first := layers
	if r.flag() {
		first = 0
	}
	for range layers - first + 1 {
		r.ue()
		r.ue()
		r.ue()
	}
	for range 6 {
		r.ue()
	}
	if r.flag() { // scaling lists, and perhaps their own
		if r.flag() {
			r.scaling()
		}
	}
	r.skip(2)
	if r.flag() { // pcm
		r.skip(8)
		r.ue()
		r.ue()
		r.skip(1)
	}
	r.pictureSets()
	if r.flag() { // long-term pictures
		for n := r.ue(); n > 0; n-- {
			r.skip(int(poc) + 1)
		}
	}
	r.skip(2)
	c = coding{primaries: 2, transfer: 2, matrix: 2}
	if !r.flag() { // no VUI
		return c, true
	}
	if r.flag() && r.take(8) == 255 { // aspect ratio
		r.skip(32)
	}
	if r.flag() { // overscan
		r.skip(1)
	}
	if !r.flag() { // video signal type
		return c, true
	}
	r.skip(3)
	c.full = r.flag()
	if r.flag() {
		c.primaries, c.transfer, c.matrix = int(r.take(8)), int(r.take(8)), int(r.take(8))
	}
	return c, true
}

// bits reads a bit string; past its end it panics with errBits.
type bits struct {
	b  []byte
	at int
}

var errBits = errors.New("the bit string is too short")

// unescaped drops the bytes that keep start codes out (7.3.1.1).
func unescaped(b []byte) []byte {
	out := make([]byte, 0, len(b))
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if zeros++; c != 0 {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}

func (r *bits) flag() bool { return r.take(1) == 1 }

func (r *bits) take(n int) uint32 {
	var v uint32
	for range n {
		if r.at >= 8*len(r.b) {
			panic(errBits)
		}
		v = v<<1 | uint32(r.b[r.at/8]>>(7-r.at%8)&1)
		r.at++
	}
	return v
}

func (r *bits) skip(n int) {
	if r.at += n; r.at > 8*len(r.b) {
		panic(errBits)
	}
}

// ue reads an Exp-Golomb number (9.2).
func (r *bits) ue() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; zeros > 31 {
			panic(errBits)
		}
	}
	return 1<<zeros - 1 + r.take(zeros)
}

// profile passes profile_tier_level (7.3.3).
func (r *bits) profile(layers int) {
	r.skip(88 + 8)
	var has [8][2]bool
	for i := range layers {
		has[i] = [2]bool{r.flag(), r.flag()}
	}
	if layers > 0 {
		r.skip(2 * (8 - layers))
	}
	for i := range layers {
		if has[i][0] {
			r.skip(88)
		}
		if has[i][1] {
			r.skip(8)
		}
	}
}

// scaling passes scaling_list_data (7.3.4).
func (r *bits) scaling() {
	for size := range 4 {
		for m := 0; m < 6; m += 1 + 2*(size/3) {
			if !r.flag() {
				r.ue()
				continue
			}
			if size > 1 {
				r.ue()
			}
			for range min(64, 1<<(4+size<<1)) {
				r.ue()
			}
		}
	}
}

// pictureSets passes the short-term reference picture sets (7.3.7).
func (r *bits) pictureSets() {
	n := r.ue()
	if n > 64 {
		panic(errBits)
	}
	last := uint32(0) // pictures in the set before
	for i := range n {
		if i > 0 && r.flag() {
			r.skip(1)
			r.ue()
			kept := uint32(0)
			for range last + 1 {
				used := r.flag()
				if !used {
					used = r.flag() // kept for later
				}
				if used {
					kept++
				}
			}
			last = kept
			continue
		}
		before, after := r.ue(), r.ue()
		if before > 16 || after > 16 {
			panic(errBits)
		}
		for range before + after {
			r.ue()
			r.skip(1)
		}
		last = before + after
	}
}
