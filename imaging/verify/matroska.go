package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// mkvWalk reads a WebM or Matroska file of the one shape that a cleaned file
// has: a header of known bytes, one segment of known size that ends with the
// file, and in it places, information, tracks, perhaps an index, clusters.
type mkvWalk struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64

	near   []byte
	nearAt int64

	start  int64 // of the segment's content
	seeks  map[uint32]int64
	scale  uint64
	length float64
	tracks map[uint64]*mkvTrack
	shown  uint64 // number of the first picture track
	cues   []mkvCue

	last     uint64 // end of the last block
	earliest uint64
	pictures bool
}

type mkvCue struct {
	time, track uint64
	at          int64
}

type mkvTrack struct {
	number uint64
	video  bool
	alpha  bool
	packed bool
	dolby  bool
	codec  string
	frame  uint64 // nanoseconds
	look   look
}

const (
	largestFront = 32 << 20 // the index of many clusters
	nearMKV      = 4096
)

// The headers that a cleaned file may have, and the start of the segment.
const (
	headWebM     = "\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm\x42\x87\x81\x04\x42\x85\x81\x02"
	headMatroska = "\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x88matroska\x42\x87\x81\x04\x42\x85\x81\x02"
	headSegment  = "\x18\x53\x80\x67\x01"
)

func matroska(ctx context.Context, src io.ReaderAt, size int64) error {
	w := &mkvWalk{ctx: ctx, src: src, size: size, tracks: map[uint64]*mkvTrack{}, seeks: map[uint32]int64{}, earliest: math.MaxUint64}
	b, err := w.peek(0, min(size, 64))
	if err != nil {
		return err
	}
	head := len(headMatroska)
	if !bytes.HasPrefix(b, []byte(headMatroska)) {
		if head = len(headWebM); !bytes.HasPrefix(b, []byte(headWebM)) {
			return &Finding{"a header that is not known", 0}
		}
	}
	b = b[head:]
	w.start = int64(head) + 12
	if len(b) < 12 || !bytes.HasPrefix(b, []byte(headSegment)) {
		return &Finding{"no segment", int64(head)}
	}
	if n := binary.BigEndian.Uint64(b[4:]) & (1<<56 - 1); n != uint64(size-w.start) {
		return &Finding{"a segment that does not end with the file", int64(head)}
	}
	at, err := w.front()
	if err != nil {
		return err
	}
	for at < size {
		if at, err = w.cluster(at); err != nil {
			return err
		}
	}
	switch {
	case len(w.cues) > 0:
		return &Finding{"an index to no cluster", size}
	case !w.pictures:
		return &Finding{"no pictures", size}
	case w.earliest != 0:
		return &Finding{"times that count from elsewhere", size}
	}
	over := w.length - float64(w.last)
	return found(over < 0 || over > 10e9/float64(w.scale), "a length that is not that of the video", size)
}

// peek gives up to nearMKV bytes at an offset, valid until the next call.
func (w *mkvWalk) peek(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || n > nearMKV || n > w.size-at {
		return nil, &Finding{"the file ends inside a part", at}
	}
	if at < w.nearAt || at+n > w.nearAt+int64(len(w.near)) {
		if err := w.ctx.Err(); err != nil {
			return nil, err
		}
		w.near = slices.Grow(w.near[:0], nearMKV)[:min(nearMKV, w.size-at)]
		if k, err := w.src.ReadAt(w.near, at); k < len(w.near) {
			w.near = w.near[:0]
			return nil, fmt.Errorf("read the file to verify it: %w", err)
		}
		w.nearAt = at
	}
	return w.near[at-w.nearAt:][:n], nil
}

// mkvPart is the head of an element.
type mkvPart struct {
	id       uint32
	head     int64
	n        int64
	shortest bool // its size takes no more bytes than it must
}

// partHead reads the head of an element, whose size must be known.
func partHead(b []byte) (p mkvPart, ok bool) {
	width := func(c byte) int {
		n := 1
		for mask := byte(0x80); mask != 0 && c&mask == 0; mask >>= 1 {
			n++
		}
		return n
	}
	if len(b) == 0 {
		return p, false
	}
	k := width(b[0])
	if k > 4 || k >= len(b) {
		return p, false
	}
	for _, c := range b[:k] {
		p.id = p.id*256 + uint32(c)
	}
	b = b[k:]
	s := width(b[0])
	if s > 8 || s > len(b) {
		return p, false
	}
	v := uint64(b[0]) - uint64(1)<<(8-s)
	for _, c := range b[1:s] {
		v = v*256 + uint64(c)
	}
	unknown := uint64(1)<<(7*s) - 1
	p.head, p.n = int64(k+s), int64(v)
	p.shortest = s == 1 || v >= unknown>>7
	return p, v != unknown
}

// part reads the head of an element of the file that ends before an offset.
func (w *mkvWalk) part(at, end int64) (mkvPart, error) {
	b, err := w.peek(at, min(12, end-at))
	if err != nil {
		return mkvPart{}, err
	}
	p, ok := partHead(b)
	if !ok || p.n > end-at-p.head {
		return p, &Finding{"an element of wrong length", at}
	}
	return p, nil
}

// front checks all in front of the clusters, and says where they start.
func (w *mkvWalk) front() (int64, error) {
	at, order := w.start, []uint32{0x114d9b74, 0x1549a966, 0x1654ae6b, 0x1c53bb6b}
	for i, id := range order {
		p, err := w.part(at, w.size)
		if err != nil {
			return 0, err
		}
		if p.id != id {
			if i == 3 && w.seeks[id] == 0 {
				return at, nil
			}
			return 0, &Finding{"a part of the segment out of its place", at}
		}
		if !p.shortest || p.n > largestFront {
			return 0, &Finding{"an element of wrong length", at}
		}
		if i > 0 && w.seeks[id] != at-w.start {
			return 0, &Finding{"a place that is said wrong", at}
		}
		b := make([]byte, p.n)
		if k, err := w.src.ReadAt(b, at+p.head); int64(k) < p.n {
			return 0, fmt.Errorf("read the file to verify it: %w", err)
		}
		switch i {
		case 0:
			err = w.places(b, at)
		case 1:
			err = w.information(b, at)
		case 2:
			err = w.trackEntries(b, at)
		case 3:
			err = w.index(b, at)
		}
		if err != nil {
			return 0, err
		}
		at += p.head + p.n
	}
	return at, nil
}

// places notes where the parts are said to be.
func (w *mkvWalk) places(b []byte, at int64) error {
	for len(b) > 0 {
		// An entry has one form: an id of four bytes and a place of four bytes.
		if len(b) < 17 || string(b[:6]) != "\x4d\xbb\x8e\x53\xab\x84" || string(b[10:13]) != "\x53\xac\x84" {
			return &Finding{"a place of an unexpected form", at}
		}
		id := binary.BigEndian.Uint32(b[6:])
		if _, twice := w.seeks[id]; twice || !slices.Contains([]uint32{0x1549a966, 0x1654ae6b, 0x1c53bb6b}, id) {
			return &Finding{"a place of something else", at}
		}
		w.seeks[id] = int64(binary.BigEndian.Uint32(b[13:]))
		b = b[17:]
	}
	return nil
}

// information checks that nothing is said but the length of a tick and of the video.
func (w *mkvWalk) information(b []byte, at int64) error {
	all, ok := row(b, mkvInfo)
	if !ok || len(all) != 4 {
		return &Finding{"information that playing does not need", at}
	}
	w.scale = wholeNumber(all[0x2ad7b1])
	w.length = math.Float64frombits(binary.BigEndian.Uint64(all[0x4489]))
	return found(w.scale == 0, "information of an unexpected form", at)
}

// index notes what it points to, which is compared with the clusters. A point
// has one form: a time, and a track with a place of eight bytes.
func (w *mkvWalk) index(b []byte, at int64) error {
	for len(b) > 0 {
		point, rest, ok := only(b, 0xbb)
		time, to, ok1 := only(point, 0xb3)
		to, none, ok2 := only(to, 0xb7)
		track, place, ok3 := only(to, 0xf7)
		place, none2, ok4 := only(place, 0xf1)
		ok = ok && ok1 && ok2 && ok3 && ok4 && len(none)+len(none2) == 0 && len(place) == 8
		if !ok || !wholeUpTo(1<<51)(time) || !wholeUpTo(1<<14)(track) {
			return &Finding{"an index of an unexpected form", at}
		}
		w.cues = append(w.cues, mkvCue{wholeNumber(time), wholeNumber(track), int64(binary.BigEndian.Uint64(place))})
		b = rest
	}
	return nil
}

// only takes an element of a known kind from the front of b.
func only(b []byte, id uint32) (body, rest []byte, ok bool) {
	p, ok := partHead(b)
	if !ok || p.id != id || !p.shortest || p.n > int64(len(b))-p.head {
		return nil, nil, false
	}
	return b[p.head:][:p.n], b[p.head+p.n:], true
}
