package sanitise

import "bytes"

// fields reads numbers off a body. Past its end they are 0, and bad is set.
type fields struct {
	b   []byte
	bad bool
}

func (r *fields) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// num reads a number of n bytes, 0 to 8.
func (r *fields) num(n int) uint64 {
	v := uint64(0)
	for _, x := range r.take(n) {
		v = v<<8 | uint64(x)
	}
	return v
}

func (r *fields) u32() uint32 { return uint32(r.num(4)) }

// full reads the version and flags of a full box.
func (r *fields) full() (version int, flags uint32) {
	v := r.num(4)
	return int(v >> 24), uint32(v & 0xffffff)
}

// text reads up to a zero byte, or to the end.
func (r *fields) text() string {
	i := bytes.IndexByte(r.b, 0)
	if i < 0 {
		return string(r.take(len(r.b)))
	}
	return string(r.take(i + 1)[:i])
}

// box reads the next box, whose size has 32 bits as everywhere in these tables.
func (r *fields) box() (string, *fields) {
	n := int(r.num(4))
	typ := string(r.take(4))
	if n == 0 && !r.bad {
		n = 8 + len(r.b)
	}
	return typ, &fields{b: r.take(n - 8)}
}
