package sanitise

// frames counts the frames of a block, and looks into those of codecs in which
// things can be written between the pictures.
func (f *matroskaFile) frames(b block) (int, error) {
	looked := b.track.looked()
	if b.flags&flagsLacing == 0 {
		if !looked {
			return 1, nil
		}
		return 1, f.fills.sample(b.track.look, b.frame, b.end-b.frame)
	}
	h, err := f.in.film(b.frame, min(b.end-b.frame, filmWindow))
	if err != nil {
		return 0, err
	}
	if len(h) == 0 {
		return 0, errVideoDamaged
	}
	count := int(h[0]) + 1
	if !looked {
		return count, nil
	}
	sizes, used, ok := laced(h[1:], b.flags&flagsLacing, count, b.end-b.frame-1)
	if !ok {
		return 0, errVideoDamaged
	}
	at := b.frame + 1 + int64(used)
	for _, n := range sizes {
		if err := f.fills.sample(b.track.look, at, n); err != nil {
			return 0, err
		}
		at += n
	}
	return count, nil
}

// laced reads the sizes of count frames in total bytes, of which b are the
// first, by one of the three ways (RFC 9559, section 10.3).
func laced(b []byte, way byte, count int, total int64) (sizes []int64, used int, ok bool) {
	sum := int64(0)
	add := func(n int64) bool {
		if n < 0 || n > total-sum {
			return false
		}
		sum += n
		sizes = append(sizes, n)
		return true
	}
	switch way {
	case 0x04: // all the same
		for range count {
			if total%int64(count) != 0 || !add(total/int64(count)) {
				return nil, 0, false
			}
		}
		return sizes, 0, true
	case 0x02: // bytes of 255, and one less
		for range count - 1 {
			n := int64(0)
			for used < len(b) && b[used] == 255 {
				n += 255
				used++
			}
			if used >= len(b) || !add(n+int64(b[used])) {
				return nil, 0, false
			}
			used++
		}
	default: // a number, and differences
		size := int64(0)
		for i := range count - 1 {
			v, n, ok := vint(b[used:])
			if !ok || v > 1<<40 {
				return nil, 0, false
			}
			if used += n; i == 0 {
				size = int64(v)
			} else {
				size += int64(v) - (1<<(7*n-1) - 1)
			}
			if !add(size) {
				return nil, 0, false
			}
		}
	}
	return sizes, used, add(total - int64(used) - sum)
}
