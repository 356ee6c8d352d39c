package verify

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
)

// bmffWalk reads an MP4 or QuickTime file of the one shape that a cleaned file
// has: brands, movie, media data; and in the movie only named boxes of known
// lengths.
type bmffWalk struct {
	ctx    context.Context
	src    io.ReaderAt
	size   int64
	moov   []byte
	ranges [][2]int64 // of the samples, as start and end
	tables map[string][]byte
	looks  []*look // of the sample descriptions of the track
	sound  bool
	quick  bool
	still  bool   // the animation of a HEIF picture
	codec  string // of the first pictures, then

	handlers []string // of the tracks that may be there
}

const largestMovie = 128 << 20

func bmff(ctx context.Context, src io.ReaderAt, size int64) error {
	in := newCursor(ctx, src, size)
	w := &bmffWalk{ctx: ctx, src: src, size: size, handlers: []string{"vide", "soun"}, tables: map[string][]byte{}}
	brands, err := in.take(8)
	if err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(brands)) - 8
	if string(brands[4:]) != "ftyp" || n < 0 || n > 64 {
		return &Finding{"no brands", 0}
	}
	if brands, err = in.take(n); err != nil {
		return err
	}
	switch string(brands) {
	case "qt  \x00\x00\x00\x00qt  ":
		w.quick = true
	case "isom\x00\x00\x02\x00isomiso2mp41", "3gp6\x00\x00\x01\x003gp6isom":
	default:
		return &Finding{"brands that are not known", 0}
	}
	at := in.at
	head, err := in.take(8)
	if err != nil {
		return err
	}
	n = int64(binary.BigEndian.Uint32(head)) - 8
	if string(head[4:]) != "moov" || n < 0 || n > largestMovie || n > size-in.at {
		return &Finding{"no movie", at}
	}
	w.moov = make([]byte, n)
	if k, err := src.ReadAt(w.moov, in.at); int64(k) < n {
		return fmt.Errorf("read the movie to verify it: %w", err)
	}
	if err := w.boxes("moov", w.moov, in.at); err != nil {
		return err
	}
	in.at += n
	return w.media(in)
}

// media checks the media data, to the end of the file.
func (w *bmffWalk) media(in *cursor) error {
	sort.Slice(w.ranges, func(i, j int) bool { return w.ranges[i][0] < w.ranges[j][0] })
	for in.at < in.size {
		if err := w.mediaData(in); err != nil {
			return err
		}
	}
	return found(len(w.ranges) > 0, "samples outside of the media data", in.size)
}

// mediaData checks that every byte of one mdat that no sample covers is zero.
func (w *bmffWalk) mediaData(in *cursor) error {
	start := in.at
	h, err := in.take(8)
	if err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(h)) - 8
	typ := string(h[4:])
	if n == 1-8 {
		if h, err = in.take(8); err != nil {
			return err
		}
		n = int64(min(binary.BigEndian.Uint64(h), 1<<62)) - 16
	}
	if typ != "mdat" || n < 0 || n > in.size-in.at {
		return &Finding{"something else than media data", start}
	}
	for end := in.at + n; in.at < end; {
		if len(w.ranges) > 0 && w.ranges[0][0] <= in.at {
			r := w.ranges[0]
			if r[0] < start || r[1] > end {
				return &Finding{"a sample across the edge of the media data", r[0]}
			}
			in.at = max(in.at, r[1])
			w.ranges = w.ranges[1:]
			continue
		}
		next := end
		if len(w.ranges) > 0 {
			next = min(next, w.ranges[0][0])
		}
		b, err := in.take(min(next-in.at, 64<<10))
		if err != nil {
			return err
		}
		if !zero(b) {
			return &Finding{"media data that no sample accounts for", in.at - int64(len(b))}
		}
	}
	return nil
}

func zero(b []byte) bool { return strings.Trim(string(b), "\x00") == "" }

// inside lists the boxes that each box may hold. A star marks one that holds boxes.
var inside = map[string]string{
	"moov": "mvhd trak*",
	"trak": "tkhd tref* edts* mdia*",
	"tref": "auxl prem",
	"edts": "elst",
	"mdia": "mdhd hdlr minf*",
	"minf": "vmhd smhd hdlr dinf* stbl*",
	"dinf": "dref",
	"stbl": "stsd stts ctts cslg stss stps stsc stsz stz2 stco co64",
}

// boxes checks what one box holds, at any depth.
func (w *bmffWalk) boxes(parent string, b []byte, at int64) error {
	allowed := strings.Fields(inside[parent])
	seen := map[string]bool{}
	if parent == "trak" {
		w.tables = map[string][]byte{}
	}
	for len(b) > 0 {
		if len(b) < 8 {
			return &Finding{"bytes between boxes", at}
		}
		n, typ := int64(binary.BigEndian.Uint32(b)), string(b[4:8])
		if n < 8 || n > int64(len(b)) {
			return &Finding{"a box of wrong length", at}
		}
		if seen[typ] && typ != "trak" {
			return &Finding{"a box that is there twice", at}
		}
		seen[typ] = true
		var err error
		switch {
		case slices.Contains(allowed, typ+"*"):
			err = w.boxes(typ, b[8:n], at+8)
		case slices.Contains(allowed, typ):
			err = w.leaf(parent, typ, b[8:n], at)
		default:
			err = &Finding{"a box that playing does not need", at}
		}
		if err != nil {
			return err
		}
		b, at = b[n:], at+n
	}
	if parent == "trak" {
		return w.chunks(at)
	}
	return nil
}

// leaf checks one box without boxes.
func (w *bmffWalk) leaf(parent, typ string, b []byte, at int64) error {
	n, bad := len(b), &Finding{"a box of an unexpected form: " + parent + "/" + typ, at}
	if n < 4 {
		return bad
	}
	long := b[0] == 1
	ok := false
	switch typ {
	case "mvhd":
		ok = (n == 100 || long && n == 112) && timeless(b) && zero(b[n-74:n-64]) && zero(b[n-28:n-4])
	case "tkhd":
		ok = (n == 84 || long && n == 96) && timeless(b) && zero(b[n-60:n-52]) && zero(b[n-46:n-44])
	case "mdhd":
		ok = (n == 24 || long && n == 36) && timeless(b) && string(b[n-4:]) == "\x55\xc4\x00\x00"
	case "hdlr":
		if n != 25 {
			return bad
		}
		kind := "\x00\x00\x00\x00"
		if w.quick {
			kind = map[string]string{"mdia": "mhlr", "minf": "dhlr"}[parent]
		}
		ok = zero(b[:4]) && string(b[4:8]) == kind && zero(b[12:])
		h := string(b[8:12])
		if parent == "mdia" {
			w.sound = h == "soun"
			ok = ok && slices.Contains(w.handlers, h)
		} else {
			ok = ok && h == "url " && w.quick
		}
	case "vmhd":
		ok = n == 12
	case "smhd":
		ok = n == 8
	case "auxl", "prem":
		ok = w.still && n%4 == 0
	case "dref":
		ok = string(b) == "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x0curl \x00\x00\x00\x01"
	case "cslg":
		ok = n == 24
	case "elst":
		ok = rows(b, map[bool]int{false: 12, true: 20}[long])
	case "stts", "ctts":
		ok = rows(b, 8)
	case "stss", "stps", "stco":
		ok = rows(b, 4)
	case "stsc":
		ok = rows(b, 12)
	case "co64":
		ok = rows(b, 8)
	case "stsz", "stz2":
		ok = sizes(typ, b)
	case "stsd":
		return w.entries(b, at)
	}
	w.tables[typ] = b
	return found(!ok, bad.Where, at)
}

// timeless reports whether the two times after version and flags are zero.
func timeless(b []byte) bool {
	if b[0] == 1 {
		return zero(b[4:20])
	}
	return b[0] == 0 && zero(b[4:12])
}

func rows(b []byte, each int) bool {
	return len(b) >= 8 && uint64(len(b)) == 8+uint64(each)*uint64(binary.BigEndian.Uint32(b[4:]))
}

func sizes(typ string, b []byte) bool {
	if len(b) < 12 || !zero(b[1:4]) {
		return false
	}
	count := uint64(binary.BigEndian.Uint32(b[8:]))
	switch {
	case typ == "stz2":
		return zero(b[4:7]) && (b[7] == 8 || b[7] == 16) && uint64(len(b)) == 12+count*uint64(b[7])/8
	case binary.BigEndian.Uint32(b[4:]) > 0:
		return len(b) == 12
	}
	return uint64(len(b)) == 12+4*count
}

// chunks notes which bytes of the file the samples of a track cover.
func (w *bmffWalk) chunks(at int64) error {
	u32 := binary.BigEndian.Uint32
	size, fixed := w.tables["stsz"], uint32(0)
	width := 4
	if size == nil {
		if size = w.tables["stz2"]; size == nil {
			return &Finding{"a track without sizes", at}
		}
		width = int(size[7]) / 8
	} else {
		fixed = u32(size[4:])
	}
	table, wide := w.tables["stco"], 4
	if table == nil {
		table, wide = w.tables["co64"], 8
	}
	if table == nil || w.tables["stsd"] == nil || w.tables["stsc"] == nil {
		return &Finding{"a track without tables", at}
	}
	offsets, runs, bytes := table[8:], w.tables["stsc"][8:], size[12:]
	per, left := uint32(0), u32(size[8:])
	var inside *look
	for c := uint32(1); len(offsets) > 0; c++ {
		if len(runs) > 0 && u32(runs) == c {
			d := u32(runs[8:])
			if d < 1 || uint64(d) > uint64(len(w.looks)) {
				return &Finding{"a chunk without a description", at}
			}
			inside, per, runs = w.looks[d-1], u32(runs[4:]), runs[12:]
		}
		off := int64(u32(offsets))
		if wide == 8 {
			off = int64(min(binary.BigEndian.Uint64(offsets), 1<<62))
		}
		offsets = offsets[wide:]
		if per > left {
			return &Finding{"more samples in chunks than there are", at}
		}
		left -= per
		if err := w.ctx.Err(); err != nil {
			return err
		}
		n := int64(0)
		switch {
		case inside == nil:
			return &Finding{"a chunk without a description", at}
		case fixed > 0 && inside.opaque():
			n = int64(per) * int64(fixed)
		default:
			for range per {
				s := int64(fixed)
				if fixed == 0 {
					for _, b := range bytes[:width] {
						s = s<<8 | int64(b)
					}
					bytes = bytes[width:]
				}
				if err := inside.sample(off+n, s); err != nil {
					return err
				}
				n += s
			}
		}
		if n > 0 {
			w.ranges = append(w.ranges, [2]int64{off, off + n})
		}
	}
	return found(left != 0, "samples without chunks", at)
}
