package sanitise

// derive reads how a derived item is composed, and checks what that makes a
// decoder do.
func (h *heifFile) derive(it *heifItem, where []extent) error {
	var b []byte
	for _, e := range where {
		if e.n > maxHEIFMeta-int64(len(b)) {
			return errHEIFDamaged
		}
		part, err := h.load(e)
		if err != nil {
			return err
		}
		b = append(b, part...)
	}
	r := &fields{b: b}
	switch it.typ {
	case "iden":
		if len(it.parts) != 1 {
			return errHEIFDamaged
		}
		it.width, it.height = 1, 1 // until its property says more
		return nil
	case "grid":
		version := r.num(1)
		size := 2 + 2*int(r.num(1)&1)
		tiles := (r.num(1) + 1) * (r.num(1) + 1)
		it.width, it.height = int(r.num(size)), int(r.num(size))
		if version != 0 || tiles != uint64(len(it.parts)) {
			return errHEIFDamaged
		}
	case "iovl":
		version := r.num(1)
		size := 2 + 2*int(r.num(1)&1)
		r.take(8)
		it.width, it.height = int(r.num(size)), int(r.num(size))
		r.take(2 * size * len(it.parts))
		if version != 0 || len(it.parts) == 0 {
			return errHEIFDamaged
		}
	}
	if r.bad {
		return errHEIFDamaged
	}
	it.literal = b[:len(b)-len(r.b)]
	it.literal[1] &= 1
	return checkPixels(it.width, it.height, h.opt)
}
