package sanitise

import (
	"slices"
	"sort"
)

// samples gives the ranges of the source that the kept tracks' chunks cover,
// sorted and merged. Memory is in proportion to the tables in the file.
func (f *bmffFile) samples() ([]extent, error) {
	var all []extent
	for _, t := range f.tracks {
		if err := f.ctx.Err(); err != nil {
			return nil, err
		}
		got, err := t.cover()
		if err != nil {
			return nil, err
		}
		for _, e := range got {
			i := sort.Search(len(f.mdat), func(i int) bool { return f.mdat[i].off > e.off }) - 1
			if i < 0 || e.off+e.n > f.mdat[i].off+f.mdat[i].n {
				return nil, errVideoCut
			}
		}
		all = append(all, got...)
	}
	slices.SortFunc(all, func(a, b extent) int {
		switch {
		case a.off < b.off:
			return -1
		case a.off > b.off:
			return 1
		}
		return 0
	})
	var out []extent
	for _, e := range all {
		if k := len(out) - 1; k >= 0 && e.off <= out[k].off+out[k].n {
			out[k].n = max(out[k].n, e.off+e.n-out[k].off)
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

// cover gives the range of each chunk of a track, and cuts the size table to
// its count.
func (t *track) cover() ([]extent, error) {
	out := make([]extent, 0, len(t.offsets))
	err := t.walk(func(c run) error {
		n := int64(c.count) * int64(t.fixed())
		if t.fixed() == 0 {
			for s := range c.count {
				n += c.size(c.first + s)
			}
		}
		if n > 0 {
			out = append(out, extent{c.off, n})
		}
		return nil
	})
	return out, err
}

// run is a chunk: samples that lie one after the other.
type run struct {
	off          int64
	first, count uint32 // samples
	description  uint32 // counts from one
	size         func(sample uint32) int64
}

// walk visits the chunks of a track, which must hold its samples exactly.
func (t *track) walk(visit func(run) error) error {
	count, size, err := t.sampleSizes()
	if err != nil {
		return err
	}
	entries, sample := len(t.chunks)/12, uint32(0)
	for i := range entries {
		e := t.chunks[i*12:]
		first, per := be.Uint32(e), be.Uint32(e[4:])
		last := uint32(len(t.offsets))
		if i+1 < entries {
			last = be.Uint32(e[12:]) - 1
		}
		if first == 0 || i == 0 && first != 1 || last > uint32(len(t.offsets)) || last+1 < first {
			return errVideoDamaged
		}
		for c := first; c <= last; c++ {
			if uint64(sample)+uint64(per) > uint64(count) {
				return errVideoDamaged
			}
			if err := visit(run{t.offsets[c-1], sample, per, be.Uint32(e[8:]), size}); err != nil {
				return err
			}
			sample += per
		}
	}
	if sample != count || len(t.offsets) > 0 && entries == 0 {
		return errVideoDamaged
	}
	return nil
}

// count is how many samples the tables of a track list.
func (t *track) count() uint32 { return be.Uint32(t.sizes[8:]) }

func (t *track) fixed() uint32 {
	if t.packed {
		return 0
	}
	return be.Uint32(t.sizes[4:])
}

// sampleSizes gives how many samples there are and the size of each.
func (t *track) sampleSizes() (uint32, func(uint32) int64, error) {
	count, bits := be.Uint32(t.sizes[8:]), uint64(32)
	switch {
	case t.packed:
		if bits = uint64(t.sizes[7]); bits != 8 && bits != 16 {
			return 0, nil, errVideoUnusual
		}
		clear(t.sizes[4:7])
	case t.fixed() > 0:
		t.sizes = t.sizes[:12]
		// Uncompressed sound counts frames of a fixed size; no table bounds it, but the chunks do.
		return count, nil, nil
	}
	want := 12 + uint64(count)*bits/8
	if want > uint64(len(t.sizes)) {
		return 0, nil, errVideoDamaged
	}
	t.sizes = t.sizes[:want]
	table := t.sizes[12:]
	return count, func(i uint32) int64 {
		switch bits {
		case 8:
			return int64(table[i])
		case 16:
			return int64(be.Uint16(table[2*i:]))
		}
		return int64(be.Uint32(table[4*i:]))
	}, nil
}
