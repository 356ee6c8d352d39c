package verify

import (
	"encoding/binary"
)

// cluster checks a cluster, and says where the next one starts.
func (w *mkvWalk) cluster(at int64) (int64, error) {
	start := at
	p, err := w.part(at, w.size)
	if err != nil {
		return 0, err
	}
	if p.id != 0x1f43b675 || !p.shortest {
		return 0, &Finding{"something else than a cluster", at}
	}
	at += p.head
	end := at + p.n
	b, err := w.peek(at, min(10, end-at))
	if err != nil {
		return 0, err
	}
	t, ok := partHead(b)
	if !ok || t.id != 0xe7 || t.n > 7 || t.head+t.n > int64(len(b)) || !wholeUpTo(1<<50)(b[t.head:][:t.n]) {
		return 0, &Finding{"a cluster without a time", at}
	}
	time := wholeNumber(b[t.head:][:t.n])
	w.earliest = min(w.earliest, time)
	key := int64(-1 << 62) // of the first picture track's first key frame, from time
	for at += t.head + t.n; at < end; {
		p, err := w.part(at, end)
		if err != nil {
			return 0, err
		}
		var x mkvBlock
		switch p.id {
		case 0xa3:
			x, err = w.block(at+p.head, p.n, 0x70)
			x.key = x.flags >= 0x80
		case 0xa0:
			x, err = w.group(at+p.head, p.n)
		default:
			err = &Finding{"something else than a block", at}
		}
		if err != nil {
			return 0, err
		}
		if x.long == 0 {
			x.long = x.track.frame * x.frames / w.scale
		}
		if until := x.rel + int64(x.long); until > 0 {
			w.last = max(w.last, time+uint64(until))
		}
		w.last = max(w.last, time)
		w.pictures = w.pictures || x.track.video
		if x.key && x.track.number == w.shown && key == -1<<62 {
			key = x.rel
		}
		at += p.head + p.n
	}
	if len(w.cues) > 0 && w.cues[0].at == start-w.start {
		c := w.cues[0]
		if c.track != w.shown || key == -1<<62 || int64(time)+key != int64(c.time) {
			return 0, &Finding{"an index that does not fit its cluster", start}
		}
		w.cues = w.cues[1:]
	}
	return end, nil
}

// mkvBlock is what is known of a block.
type mkvBlock struct {
	track  *mkvTrack
	rel    int64
	flags  byte
	key    bool
	frames uint64
	long   uint64 // ticks, if it says so
}

// block checks the n bytes of a block, whose flags must not have some.
func (w *mkvWalk) block(at, n int64, not byte) (x mkvBlock, err error) {
	b, err := w.peek(at, min(n, 5))
	if err != nil {
		return x, err
	}
	// The tracks of a cleaned file have numbers of one or two bytes; a longer
	// writing of them is accepted up to that.
	var number uint64
	var k int64
	switch {
	case len(b) >= 4 && b[0] > 0x7f:
		number, k = uint64(b[0]-0x80), 1
	case len(b) >= 5 && b[0] > 0x3f:
		number, k = uint64(b[0]-0x40)<<8+uint64(b[1]), 2
	default:
		return x, &Finding{"a block of an unexpected form", at}
	}
	x.track = w.tracks[number]
	x.rel = int64(int16(binary.BigEndian.Uint16(b[k:])))
	x.flags, x.frames = b[k+2], 1
	if x.track == nil || x.flags&not != 0 {
		return x, &Finding{"a block of no track or with flags that are not known", at}
	}
	at, n = at+k+3, n-k-3
	if x.flags&6 != 0 {
		if b, err = w.peek(at, min(n, nearMKV)); err != nil {
			return x, err
		}
		if n == 0 {
			return x, &Finding{"a block of an unexpected form", at}
		}
		x.frames = uint64(b[0]) + 1
	}
	if x.track.look.opaque() {
		return x, nil
	}
	if x.flags&6 == 0 {
		return x, x.track.look.sample(at, n)
	}
	sizes, head, ok := lacing(b, int(x.flags>>1&3), n)
	if !ok {
		return x, &Finding{"frames of wrong length", at}
	}
	at += head
	for _, s := range sizes {
		if err := x.track.look.sample(at, s); err != nil {
			return x, err
		}
		at += s
	}
	return x, nil
}

// lacing gives the lengths of the frames of a block of n bytes that starts
// with b, and the bytes in front of them. The ways are 1 Xiph, 2 fixed, 3 EBML.
func lacing(b []byte, way int, n int64) (sizes []int64, head int64, ok bool) {
	count, at := int64(b[0]), 1
	if way == 2 {
		each := (n - 1) / (count + 1)
		for range count + 1 {
			sizes = append(sizes, each)
		}
		return sizes, 1, each*(count+1) == n-1
	}
	sum, before := int64(0), int64(0)
	for i := range count {
		var v int64
		if way == 1 {
			for more := true; more; at++ {
				if at >= len(b) {
					return nil, 0, false
				}
				v += int64(b[at])
				more = b[at] == 0xff
			}
		} else {
			if at >= len(b) {
				return nil, 0, false
			}
			k := leadingZeros(b[at]) + 1
			if k > 6 || at+k > len(b) {
				return nil, 0, false
			}
			v = int64(b[at]) - 1<<(8-k)
			for _, c := range b[at+1 : at+k] {
				v = v*256 + int64(c)
			}
			if at += k; i > 0 {
				v += before - (1<<(7*k-1) - 1)
			}
			before = v
		}
		if v < 0 || v > n {
			return nil, 0, false
		}
		sizes = append(sizes, v)
		sum += v
	}
	rest := n - int64(at) - sum
	return append(sizes, rest), int64(at), rest >= 0
}

func leadingZeros(c byte) int {
	n := 0
	for ; n < 8 && c&(0x80>>n) == 0; n++ {
	}
	return n
}

// group checks a block group: a block, and what says how it is shown.
func (w *mkvWalk) group(at, n int64) (x mkvBlock, err error) {
	x.key = true
	var additions []mkvPart
	var where []int64
	start := at
	for end := at + n; at < end; {
		p, err := w.part(at, end)
		if err != nil {
			return x, err
		}
		body := at + p.head
		switch p.id {
		case 0xa1:
			if x.track != nil {
				return x, &Finding{"a second block in a group", at}
			}
			key, long := x.key, x.long
			if x, err = w.block(body, p.n, 0xf1); err != nil {
				return x, err
			}
			x.key, x.long = key, long
		case 0x9b, 0xfb, 0x75a2:
			if p.n < 1 || p.n > 8 {
				return x, &Finding{"a number of wrong length", at}
			}
			if p.id == 0xfb {
				x.key = false
			}
			if p.id == 0x9b {
				b, err := w.peek(body, p.n)
				if err != nil {
					return x, err
				}
				if x.long = wholeNumber(b); x.long > 1<<50 {
					return x, &Finding{"a block without an end", at}
				}
			}
		case 0x75a1:
			additions, where = append(additions, p), append(where, body)
		default:
			return x, &Finding{"data beside the frames", at}
		}
		at = body + p.n
	}
	if x.track == nil {
		return x, &Finding{"a group without a block", start}
	}
	for i, p := range additions {
		if !x.track.alpha {
			return x, &Finding{"data beside the frames", where[i]}
		}
		if err := w.transparency(where[i], p.n); err != nil {
			return x, err
		}
	}
	return x, nil
}

// transparency checks that what stands beside a frame is its transparency.
func (w *mkvWalk) transparency(at, n int64) error {
	bad := &Finding{"data beside the frames", at}
	more, err := w.part(at, at+n)
	if err != nil {
		return err
	}
	if more.id != 0xa6 || more.head+more.n != n {
		return bad
	}
	end := at + n
	for at += more.head; at < end; {
		p, err := w.part(at, end)
		if err != nil {
			return err
		}
		b, err := w.peek(at+p.head, min(p.n, 1))
		if err != nil {
			return err
		}
		if p.id != 0xa5 && (p.id != 0xee || p.n != 1 || b[0] != 1) {
			return bad
		}
		at += p.head + p.n
	}
	return nil
}
