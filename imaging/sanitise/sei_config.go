package sanitise

// The decoder configurations of ISO/IEC 14496-15: parameter sets in front of
// the samples. Units of another kind that writers put there go.

// unitRow cuts count units, each after its length in two bytes, off b and gives
// those that stay as they were written.
func unitRow(c *coding, b []byte, count int, acc *account) (kept []byte, stay int, rest []byte, err error) {
	for range count {
		if len(b) < 2 {
			return nil, 0, nil, errVideoDamaged
		}
		n := int(be.Uint16(b)) + 2
		if n > len(b) {
			return nil, 0, nil, errVideoDamaged
		}
		if c.stays(b[2:n]) {
			kept = append(kept, b[:n]...)
			stay++
		} else {
			acc.removed("private data in the decoder settings", int64(n))
		}
		b = b[n:]
	}
	return kept, stay, b, nil
}

// stays reports whether a unit in memory is needed for decoding whole.
func (c *coding) stays(unit []byte) bool {
	if len(unit) < 3 {
		return false
	}
	typ := c.typ(unit)
	if !c.sei(typ) {
		return c.set(typ)
	}
	s := scrubber{}
	for i, zeros := c.head, 0; i < len(unit); i++ {
		if zeros >= 2 && unit[i] == 3 {
			zeros = 0
			continue
		}
		if unit[i] == 0 {
			zeros++
		} else {
			zeros = 0
		}
		s.sei = append(s.sei, unit[i])
	}
	for b := s.sei; len(b) > 0 && !(len(b) == 1 && b[0] == 0x80); {
		payload, at, ok1 := number(b, 0)
		size, at, ok2 := number(b, at)
		if !ok1 || !ok2 || size > len(b)-at || !c.stay(payload, b[at:at+size]) {
			return false
		}
		b = b[at+size:]
	}
	return true
}

// configAVC cleans an avcC, and gives the length of the lengths in samples.
func configAVC(b []byte, acc *account) ([]byte, int, error) {
	if len(b) < 7 || b[0] != 1 {
		return nil, 0, errVideoDamaged
	}
	out := append([]byte{}, b[:5]...)
	sets, n, rest, err := unitRow(codingAVC, b[6:], int(b[5]&31), acc)
	if err != nil || len(rest) == 0 {
		return nil, 0, errVideoDamaged
	}
	out = append(append(out, b[5]&0xe0|byte(n)), sets...)
	sets, n, rest, err = unitRow(codingAVC, rest[1:], int(rest[0]), acc)
	if err != nil {
		return nil, 0, err
	}
	out = append(append(out, byte(n)), sets...)
	if p := b[1]; len(rest) >= 4 && (p == 100 || p == 110 || p == 122 || p == 144 || p == 244 || p == 44 || p == 118 || p == 128) {
		if sets, n, after, err := unitRow(codingAVC, rest[4:], int(rest[3]), acc); err == nil {
			out = append(append(append(out, rest[:3]...), byte(n)), sets...)
			rest = after
		}
	}
	if len(rest) > 0 {
		acc.removed("private data in the decoder settings", int64(len(rest)))
	}
	return out, int(b[4]&3) + 1, nil
}

// configHEVC cleans an hvcC, whose fixed part has 23 bytes, or an lhvC with 6.
func configHEVC(b []byte, fixed int, acc *account) ([]byte, int, error) {
	if len(b) < fixed || b[0] > 1 { // 0 is of files before the standard was done
		return nil, 0, errVideoDamaged
	}
	out, err := arrays(codingHEVC, append([]byte{}, b[:fixed-1]...), b[fixed-1:], acc)
	return out, int(b[fixed-2]&3) + 1, err
}

// configVVC cleans a vvcC.
func configVVC(b []byte, acc *account) ([]byte, int, error) {
	if len(b) < 6 || be.Uint32(b) != 0 {
		return nil, 0, errVideoDamaged
	}
	n := 5
	if b[4]&1 != 0 {
		if len(b) < 12 {
			return nil, 0, errVideoDamaged
		}
		sublayers := int(be.Uint16(b[5:]) >> 4 & 7)
		n = 8 + 3 + int(b[8]&63) // bit depth; profile, tier and level; constraints
		if sublayers > 1 {
			if n >= len(b) {
				return nil, 0, errVideoDamaged
			}
			levels := b[n]
			n++
			for i := range sublayers - 1 {
				n += int(levels >> (7 - i) & 1)
			}
		}
		if n >= len(b) {
			return nil, 0, errVideoDamaged
		}
		n += 1 + 4*int(b[n]) + 6
	}
	if n >= len(b) {
		return nil, 0, errVideoDamaged
	}
	out, err := arrays(codingVVC, append([]byte{}, b[:n]...), b[n:], acc)
	return out, int(b[4]>>1&3) + 1, err
}

// arrays cleans the arrays of units that H.265 and H.266 have, after their count.
func arrays(c *coding, out, b []byte, acc *account) ([]byte, error) {
	left, at := int(b[0]), len(out)
	out, b = append(out, 0), b[1:]
	for ; left > 0; left-- {
		if len(b) < 3 {
			return nil, errVideoDamaged
		}
		count, head, single := int(be.Uint16(b[1:])), 3, c == codingVVC && (b[0]&31 == 13 || b[0]&31 == 14)
		if single {
			count, head = 1, 1
		}
		first := b[0]
		kept, n, rest, err := unitRow(c, b[head:], count, acc)
		if err != nil {
			return nil, err
		}
		if b = rest; n > 0 {
			out[at]++
			out = append(out, first)
			if !single {
				out = be.AppendUint16(out, uint16(n))
			}
			out = append(out, kept...)
		}
	}
	if len(b) > 0 {
		acc.removed("private data in the decoder settings", int64(len(b)))
	}
	return out, nil
}
