package sanitise

import (
	"math"
	"math/bits"
	"slices"
)

// A fragmented film is rebuilt as an ordinary one, with all samples in the
// tables of the movie: every player reads that, and one shape is to be verified.

const (
	maxFragment = 16 << 20 // bytes of one moof
	maxSamples  = 2 << 20  // in all fragments; hours of film and its sound
)

// defaults are what a fragment takes for what it does not say (trex).
type defaults struct{ description, duration, size, flags uint32 }

// fragments reads the moof boxes in their order.
func (f *bmffFile) fragments() error {
	tracks := map[uint32]*track{}
	left := maxSamples
	for _, t := range f.tracks {
		tracks[t.id] = t
		if err := t.begin(&left); err != nil {
			return err
		}
	}
	for _, m := range f.moof {
		if err := f.ctx.Err(); err != nil {
			return err
		}
		b := make([]byte, m.n)
		if err := readAt(f.src, b, m.off); err != nil {
			return cut(err, errVideoCut)
		}
		boxes, err := children(b)
		if err != nil {
			return err
		}
		base := m.head
		for _, c := range boxes {
			switch c.typ {
			case "traf":
				if base, err = f.traf(c.body, tracks, m.head, base, &left); err != nil {
					return err
				}
			case "mfhd":
			default:
				f.dropped(c.typ, c.body, int64(len(c.body)))
			}
		}
	}
	pictures := 0
	for _, t := range f.tracks {
		if t.handler != "soun" {
			pictures += t.frag.samples
		}
	}
	if pictures == 0 {
		return errVideoCut
	}
	return f.join()
}

// begin takes the samples that the tables of the movie list: some films have
// the first ones there and the others in fragments.
func (t *track) begin(left *int) error {
	t.frag = &fragmented{}
	if *left -= int(min(t.count(), maxSamples+1)); *left < 0 {
		return errVideoUnusual
	}
	boxes, err := children(t.tables)
	if err != nil {
		return err
	}
	lasts, shifts, syncs := rowsOf(one(boxes, "stts")), rowsOf(one(boxes, "ctts")), rowsOf(one(boxes, "stss"))
	signed, some := len(shifts) > 0 && one(boxes, "ctts")[0] == 1, one(boxes, "stss") != nil
	each := func(rows *[]byte, used *uint32) uint32 { // the next value of a table of runs
		for len(*rows) >= 8 && *used >= be.Uint32(*rows) {
			*rows, *used = (*rows)[8:], 0
		}
		if len(*rows) < 8 {
			return 0
		}
		*used++
		return be.Uint32((*rows)[4:])
	}
	var a, b uint32
	number := 0
	return t.walk(func(r run) error {
		if number++; r.count == 0 {
			return errVideoDamaged
		}
		for i := range r.count {
			s := sample{duration: each(&lasts, &a), size: t.fixed()}
			if s.shift = int64(each(&shifts, &b)); signed {
				s.shift = int64(int32(s.shift))
			}
			if s.size == 0 {
				s.size = uint32(r.size(r.first + i))
			}
			if some {
				if s.flags = 1 << 16; len(syncs) >= 4 && be.Uint32(syncs) == r.first+i+1 {
					s.flags, syncs = 0, syncs[4:]
				}
			}
			t.frag.add(s)
		}
		t.frag.chunk(number, r.count, r.description)
		return nil
	})
}

// rowsOf is a table without its head, which a track may lack.
func rowsOf(b []byte) []byte { return b[min(8, len(b)):] }

// traf reads the part of one track in a fragment, and gives where its data ends.
func (f *bmffFile) traf(b []byte, tracks map[uint32]*track, moof, before int64, left *int) (int64, error) {
	boxes, err := children(b)
	if err != nil {
		return 0, err
	}
	h := fields{b: one(boxes, "tfhd")}
	flags := h.u32()
	id := h.u32()
	d, known := f.trex[id]
	if !known {
		return 0, errVideoDamaged
	}
	base := before
	switch {
	case flags&1 != 0:
		base = int64(min(h.num(8), 1<<62))
	case flags&0x20000 != 0:
		base = moof
	}
	for _, x := range []struct {
		flag uint32
		to   *uint32
	}{{2, &d.description}, {8, &d.duration}, {16, &d.size}, {32, &d.flags}} {
		if flags&x.flag != 0 {
			*x.to = h.u32()
		}
	}
	if h.bad {
		return 0, errVideoDamaged
	}
	t := tracks[id]
	if decode := one(boxes, "tfdt"); len(decode) >= 8 && t != nil {
		at := uint64(be.Uint32(decode[4:]))
		if decode[0] == 1 && len(decode) >= 12 {
			at = be.Uint64(decode[4:])
		}
		if !t.frag.seek(at) {
			return 0, errVideoDamaged
		}
	}
	at := base
	for _, c := range boxes {
		switch c.typ {
		case "trun":
			if at, err = f.trun(c.body, t, d, base, at, left); err != nil {
				return 0, err
			}
		case "senc":
			return 0, errVideoProtected
		case "tfhd", "tfdt":
		default:
			f.dropped(c.typ, c.body, int64(len(c.body)))
		}
	}
	return at, nil
}

// trun reads one run of samples; at is where the run before it ended.
func (f *bmffFile) trun(b []byte, t *track, d defaults, base, at int64, left *int) (int64, error) {
	h := fields{b: b}
	flags, count := h.u32(), h.u32()
	if flags&1 != 0 {
		at = base + int64(int32(h.u32()))
	}
	first := d.flags
	if flags&4 != 0 {
		first = h.u32()
	}
	each := 4 * bits.OnesCount32(flags&0xf00)
	if *left -= int(min(count, maxSamples+1)); *left < 0 || h.bad {
		return 0, errVideoUnusual
	}
	if int64(count)*int64(each) > int64(len(h.b)) || at < 0 {
		return 0, errVideoDamaged
	}
	start := at
	for i := range count {
		s := sample{duration: d.duration, size: d.size, flags: d.flags}
		if i == 0 {
			s.flags = first
		}
		if flags&0x100 != 0 {
			s.duration = h.u32()
		}
		if flags&0x200 != 0 {
			s.size = h.u32()
		}
		if flags&0x400 != 0 {
			s.flags = h.u32()
		}
		if flags&0x800 != 0 {
			if s.shift = int64(h.u32()); flags>>24 > 0 {
				s.shift = int64(int32(s.shift))
			}
		}
		if at += int64(s.size); at > f.size {
			return 0, errVideoCut
		}
		if t != nil {
			t.frag.add(s)
		}
	}
	if t != nil && count > 0 {
		t.offsets = append(t.offsets, start)
		t.frag.chunk(len(t.offsets), count, d.description)
	}
	return at, nil
}

type sample struct {
	duration, size, flags uint32
	shift                 int64 // from decoding to showing
}

// fragmented gathers the samples of one track as the tables of a movie.
type fragmented struct {
	samples  int
	from, at int64 // decoding times, of the first sample and of the next
	end      int64 // the last time at which a picture is shown

	stts, ctts, stss, stsz, stsc []byte
	signed, deltas               bool
}

// seek takes the decoding time that a fragment says for its first sample. The
// sample before it lasts until then. It is false if time would run backwards.
func (g *fragmented) seek(at uint64) bool {
	if at >= 1<<62 {
		return false
	}
	if g.samples == 0 {
		g.from, g.at = int64(at), int64(at)
		return true
	}
	gap := int64(at) - g.at
	if gap == 0 {
		return true
	}
	n := len(g.stts)
	last := int64(be.Uint32(g.stts[n-4:])) + gap
	if last < 0 || last > 1<<32-1 {
		return false
	}
	g.at = int64(at)
	if runs := be.Uint32(g.stts[n-8:]); runs > 1 {
		be.PutUint32(g.stts[n-8:], runs-1)
	} else {
		g.stts = g.stts[:n-8]
	}
	g.stts = repeat(g.stts, uint32(last))
	return true
}

// repeat adds a value to a table of runs.
func repeat(b []byte, value uint32) []byte {
	if n := len(b); n >= 8 && be.Uint32(b[n-4:]) == value {
		be.PutUint32(b[n-8:], be.Uint32(b[n-8:])+1)
		return b
	}
	return be.AppendUint32(be.AppendUint32(b, 1), value)
}

func (g *fragmented) add(s sample) {
	g.samples++
	g.end = max(g.end, g.at-g.from+s.shift+int64(s.duration))
	g.at += int64(s.duration)
	g.stts = repeat(g.stts, s.duration)
	g.ctts = repeat(g.ctts, uint32(s.shift))
	g.stsz = be.AppendUint32(g.stsz, s.size)
	g.signed = g.signed || s.shift < 0
	if s.flags&(1<<16) == 0 { // a picture that needs no other
		g.stss = be.AppendUint32(g.stss, uint32(g.samples))
	} else {
		g.deltas = true
	}
}

func (g *fragmented) chunk(number int, samples, description uint32) {
	if n := len(g.stsc); n > 0 && be.Uint32(g.stsc[n-8:]) == samples && be.Uint32(g.stsc[n-4:]) == description {
		return
	}
	for _, x := range []uint32{uint32(number), samples, description} {
		g.stsc = be.AppendUint32(g.stsc, x)
	}
}

// table is a full box of rows, with their count.
func table(typ string, version byte, rows []byte, each int) []byte {
	return box(typ, be.AppendUint32([]byte{version, 0, 0, 0}, uint32(len(rows)/each)), rows)
}

// join puts the gathered tables in place of those of the movie.
func (f *bmffFile) join() error {
	f.tracks = slices.DeleteFunc(f.tracks, func(t *track) bool { return t.frag.samples == 0 })
	movie, longest, start := clock(f.moov[8:]), int64(0), int64(math.MaxInt64)
	for _, t := range f.tracks {
		if movie == 0 || clock(t.media[8:]) == 0 {
			return errVideoDamaged
		}
		start = min(start, scale(t.frag.from, clock(t.media[8:]), movie))
	}
	for _, t := range f.tracks {
		g := t.frag
		t.tables = append(box("stsd", t.stsd), table("stts", 0, g.stts, 8)...)
		if g.signed {
			t.tables = append(t.tables, table("ctts", 1, g.ctts, 8)...)
		} else if len(g.ctts) > 8 || be.Uint32(g.ctts[4:]) != 0 {
			t.tables = append(t.tables, table("ctts", 0, g.ctts, 8)...)
		}
		if g.deltas {
			t.tables = append(t.tables, table("stss", 0, g.stss, 4)...)
		}
		t.tables = append(t.tables, table("stsc", 0, g.stsc, 12)...)
		t.chunks, t.packed = g.stsc, false
		t.sizes = append(be.AppendUint32(make([]byte, 8), uint32(g.samples)), g.stsz...)

		media := clock(t.media[8:])
		shown := t.schedule(scale(g.from, media, movie)-start, g.end, media, movie)
		setDuration(t.media[8:], 16, g.at-g.from)
		setDuration(t.head, 20, shown)
		longest = max(longest, shown)
	}
	setDuration(f.moov[8:], 16, longest)
	return nil
}

// schedule writes the edit list of a track that starts wait after the film and
// whose media ends at end, and gives how long the track is, both in units of
// the movie. A fragmented film leaves the length of an edit open.
func (t *track) schedule(wait, end int64, media, movie uint32) (shown int64) {
	edits := slices.Clone(t.edits)
	if len(edits) == 0 {
		edits = []edit{{rate: 1 << 16}}
	}
	for i, e := range edits {
		if e.length == 0 && e.from >= 0 {
			edits[i].length = scale(max(end-e.from, 0), media, movie) + 1 // rather a tick more than a picture less
		}
		shown += edits[i].length
	}
	if wait > 0 {
		edits, shown = append([]edit{{wait, -1, 1 << 16}}, edits...), shown+wait
	}
	if len(t.edits) > 0 || wait > 0 {
		rows := []byte(nil)
		for _, e := range edits {
			rows = be.AppendUint64(be.AppendUint64(rows, uint64(e.length)), uint64(e.from))
			rows = be.AppendUint32(rows, e.rate)
		}
		t.edit = box("edts", table("elst", 1, rows, 20))
	}
	return shown
}

// clock is the time scale in the body of an mvhd or mdhd box.
func clock(b []byte) uint32 {
	if b[0] == 1 {
		return be.Uint32(b[20:])
	}
	return be.Uint32(b[12:])
}

// setDuration writes the length of an mvhd, mdhd or tkhd box, which is at the
// given place in the short version.
func setDuration(b []byte, at int, n int64) {
	if b[0] == 1 {
		be.PutUint64(b[at+8:], uint64(n))
		return
	}
	be.PutUint32(b[at:], uint32(min(n, 1<<32-1)))
}

// scale converts a time between clocks.
func scale(n int64, from, to uint32) int64 {
	high, low := bits.Mul64(uint64(n), uint64(to))
	if high >= uint64(from) {
		return math.MaxInt64 / 4
	}
	q, _ := bits.Div64(high, low, uint64(from))
	return int64(min(q, math.MaxInt64/4))
}
