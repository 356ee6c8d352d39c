package derive

import (
	"encoding/binary"

	"github.com/wardseal/wardseal/imaging/splice"
)

// write lays out type, table and samples.
func (f *fragments) write() (*splice.Splice, error) {
	ftyp := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2avc1mp41"))
	var total int64
	for _, e := range f.data {
		total += e.n
	}
	mdat := binary.BigEndian.AppendUint64([]byte("\x00\x00\x00\x01mdat"), uint64(total+16))
	// The table's length does not depend on the offsets in it.
	moov := f.table(func(int64) uint64 { return 0 })
	start := int64(len(ftyp)+len(moov)) + int64(len(mdat))
	lost := false
	moov = f.table(func(at int64) uint64 {
		to := start
		for _, e := range f.data {
			if at >= e.off && at < e.off+e.n {
				return uint64(to + at - e.off)
			}
			to += e.n
		}
		lost = true
		return 0
	})
	if lost {
		return nil, errFragments
	}
	out := splice.New(f.src, f.size)
	out.Literal(ftyp)
	out.Literal(moov)
	out.Literal(mdat)
	for _, e := range f.data {
		out.Copy(e.off, e.n)
	}
	return out, out.Err()
}

func box(kind string, parts ...[]byte) []byte {
	out := append(make([]byte, 4), kind...)
	for _, p := range parts {
		out = append(out, p...)
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return out
}

// movieScale is the tool's own time scale of a whole film, in parts of a second.
const movieScale = 1000

// table is moov again, with lengths and samples in it and without fragments.
func (f *fragments) table(place func(int64) uint64) []byte {
	var longest uint64
	for _, t := range f.tracks {
		longest = max(longest, t.length())
	}
	var body []byte
	i := 0
	boxes(f.moov, func(kind string, b []byte) bool {
		switch kind {
		case "mvhd":
			body = append(body, box(kind, withDuration(b, longest, 16))...)
		case "trak":
			if i < len(f.tracks) {
				body = append(body, f.tracks[i].box(place)...)
			}
			i++
		}
		return true
	})
	return box("moov", body)
}

// length is in the film's own time scale.
func (t *track) length() uint64 {
	if t.timescale == 0 {
		return 0
	}
	return t.next * movieScale / uint64(t.timescale)
}

// withDuration puts a duration into a header box of version 0 or 1; at is
// where version 0 has it.
func withDuration(b []byte, d uint64, at int) []byte {
	b = append([]byte{}, b...)
	switch {
	case len(b) >= at+16 && b[0] == 1:
		binary.BigEndian.PutUint64(b[at+8:], d)
	case len(b) >= at+4:
		binary.BigEndian.PutUint32(b[at:], uint32(min(d, 1<<32-1)))
	}
	return b
}

func (t *track) box(place func(int64) uint64) []byte {
	var body []byte
	boxes(t.trak, func(kind string, b []byte) bool {
		switch kind {
		case "tkhd":
			b = withDuration(b, t.length(), 20)
		case "mdia":
			b = t.inside(b, place)
		case "edts":
			b = box("elst", t.edits(inner(b, "elst")))
		}
		body = append(body, box(kind, b)...)
		return true
	})
	return box("trak", body)
}

// edits gives the track's edit list with its last edit, which the tool leaves
// open, lasting to the track's end.
func (t *track) edits(b []byte) []byte {
	b = append([]byte{}, b...)
	const head = 8
	if len(b) < head {
		return b
	}
	n := int64(binary.BigEndian.Uint32(b[4:]))
	wide, size := b[0] == 1, int64(12)
	if wide {
		size = 20
	}
	at := head + size*(n-1)
	if n < 1 || at+size > int64(len(b)) {
		return b
	}
	last := b[at:]
	start := int64(int32(binary.BigEndian.Uint32(last[4:])))
	if wide {
		start = int64(binary.BigEndian.Uint64(last[8:]))
	}
	if start < 0 || start > t.end {
		return b
	}
	if length := uint64(t.end-start) * movieScale / uint64(max(t.timescale, 1)); wide {
		binary.BigEndian.PutUint64(last, length)
	} else {
		binary.BigEndian.PutUint32(last, uint32(min(length, 1<<32-1)))
	}
	return b
}

// inside is mdia, minf and stbl.
func (t *track) inside(b []byte, place func(int64) uint64) []byte {
	var body []byte
	boxes(b, func(kind string, b []byte) bool {
		switch kind {
		case "mdhd":
			b = withDuration(b, t.next, 16)
		case "minf":
			b = t.inside(b, place)
		case "stbl":
			b = append(box("stsd", inner(b, "stsd")), t.samples(place)...)
		}
		body = append(body, box(kind, b)...)
		return true
	})
	return body
}

// samples is the rest of stbl.
func (t *track) samples(place func(int64) uint64) []byte {
	u32 := binary.BigEndian.AppendUint32
	list := func(kind string, version byte, n int, body []byte) []byte {
		return box(kind, u32([]byte{version, 0, 0, 0}, uint32(n)), body)
	}
	runs := func(runs []run) (body []byte) {
		for _, r := range runs {
			body = u32(u32(body, r.count), r.value)
		}
		return body
	}
	out := list("stts", 0, len(t.durations), runs(t.durations))
	if len(t.offsets) > 1 || len(t.offsets) == 1 && t.offsets[0].value != 0 {
		out = append(out, list("ctts", 1, len(t.offsets), runs(t.offsets))...)
	}
	if len(t.sync) < len(t.sizes) {
		var body []byte
		for _, n := range t.sync {
			body = u32(body, n)
		}
		out = append(out, list("stss", 0, len(t.sync), body)...)
	}
	var sizes, groups, places []byte
	for _, n := range t.sizes {
		sizes = u32(sizes, n)
	}
	n := 0
	for i, c := range t.chunks {
		if i == 0 || c.samples != t.chunks[i-1].samples {
			groups = u32(u32(u32(groups, uint32(i+1)), c.samples), 1)
			n++
		}
		places = binary.BigEndian.AppendUint64(places, place(c.at))
	}
	out = append(out, list("stsc", 0, n, groups)...)
	out = append(out, box("stsz", u32(u32(make([]byte, 4), 0), uint32(len(t.sizes))), sizes)...)
	return append(out, list("co64", 0, len(t.chunks), places)...)
}
