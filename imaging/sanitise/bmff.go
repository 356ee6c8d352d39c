package sanitise

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"time"

	"github.com/wardseal/wardseal/imaging/splice"
)

// Limits on the structure of a video.
const (
	maxMoov     = 64 << 20 // tables of many hours
	maxTopBoxes = 10_000
	maxTracks   = 64
)

var (
	errVideoCut     = refuse("truncated", "This video is not complete. Take or export it again.")
	errVideoDamaged = refuse("damaged", "This video is damaged and cannot be cleaned safely. Take or export it again.")
	errVideoUnusual = refuse("structure", "This video is built in a way that is not known here. Export it as an ordinary MP4.")
)

// bmffFile is a walk over one MP4 (ISO/IEC 14496-12) or QuickTime file.
type bmffFile struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	opt  Options
	acc  *account

	quick bool // QuickTime, not ISO
	moov  []byte
	mdat  []extent

	tracks        []*track
	width, height int
	captured      time.Time
}

// extent is a range of the source.
type extent struct{ off, n int64 }

// bmff rebuilds the file as brands, movie and media data. The movie is built
// anew from what playing needs. Of the media data only what the samples of the
// kept tracks cover is copied; everything else in it becomes zero.
func bmff(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	f := &bmffFile{ctx: ctx, src: src, size: size, opt: opt, acc: newAccount(), quick: true}
	if err := f.top(); err != nil {
		return nil, err
	}
	if f.moov == nil || len(f.mdat) == 0 {
		return nil, errVideoCut
	}
	if err := f.movie(); err != nil {
		return nil, err
	}
	samples, err := f.samples()
	if err != nil {
		return nil, err
	}
	if src, err = f.scrub(); err != nil {
		return nil, err
	}
	brands := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2mp41"))
	if f.quick {
		brands = box("ftyp", []byte("qt  \x00\x00\x00\x00qt  "))
	}
	// The movie's size does not depend on where the media data comes to lie.
	start := int64(len(brands)) + int64(len(f.rebuild(nil)))
	shift := make([]int64, len(f.mdat))
	at := start
	for i, m := range f.mdat {
		at += int64(len(mdatHeader(m.n)))
		shift[i] = at - m.off
		at += m.n
	}
	moved := func(off int64) (int64, bool) {
		for i, m := range f.mdat {
			if off >= m.off && off <= m.off+m.n {
				return off + shift[i], true
			}
		}
		return 0, false
	}
	moov := f.rebuild(moved)
	if moov == nil {
		return nil, errVideoUnusual
	}
	out := splice.New(src, size)
	out.Literal(brands)
	out.Literal(moov)
	unused := int64(0)
	for _, m := range f.mdat {
		out.Literal(mdatHeader(m.n))
		unused += copyCovered(out, m, samples)
	}
	if unused > 0 {
		f.acc.removed("media data that no kept track uses", unused)
	}
	if !f.captured.IsZero() {
		f.acc.receipt.CapturedAt = &f.captured
	}
	return &plan{out: out, receipt: f.acc.receipt, width: f.width, height: f.height}, nil
}

// copyCovered copies what the sorted ranges cover of m, zeroes the rest, and
// says how much that was.
func copyCovered(out *splice.Splice, m extent, samples []extent) (zeroed int64) {
	at, end := m.off, m.off+m.n
	for _, s := range samples {
		if s.off+s.n <= at || s.off >= end {
			continue
		}
		if s.off > at {
			out.Zero(s.off - at)
			zeroed += s.off - at
			at = s.off
		}
		out.Copy(at, s.off+s.n-at)
		at = s.off + s.n
	}
	out.Zero(end - at)
	return zeroed + end - at
}

func mdatHeader(n int64) []byte {
	if n+8 <= 1<<32-1 {
		return append(binary.BigEndian.AppendUint32(nil, uint32(n+8)), "mdat"...)
	}
	b := append(binary.BigEndian.AppendUint32(nil, 1), "mdat"...)
	return binary.BigEndian.AppendUint64(b, uint64(n+16))
}

func box(typ string, parts ...[]byte) []byte {
	n := 8
	for _, p := range parts {
		n += len(p)
	}
	b := append(binary.BigEndian.AppendUint32(make([]byte, 0, n), uint32(n)), typ...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// top walks the boxes of the file.
func (f *bmffFile) top() error {
	at := int64(0)
	for n := 0; at < f.size; n++ {
		if n > maxTopBoxes {
			return errVideoUnusual
		}
		var h [16]byte
		have := min(int64(len(h)), f.size-at)
		if err := readAt(f.src, h[:have], at); err != nil {
			return cut(err, errVideoCut)
		}
		size, head := int64(binary.BigEndian.Uint32(h[:])), int64(8)
		switch {
		case have < 8:
			f.acc.removed("data after the video", have)
			return nil
		case size == 0:
			size = f.size - at
		case size == 1 && have == 16:
			size, head = int64(min(binary.BigEndian.Uint64(h[8:]), 1<<62)), 16
		}
		typ := string(h[4:8])
		if size < head || size > f.size-at {
			if f.moov != nil && len(f.mdat) > 0 && typ != "mdat" { // no box: bytes that somebody appended
				f.acc.removed("data after the video", f.size-at)
				return nil
			}
			return errVideoCut
		}
		if err := f.topBox(typ, extent{at + head, size - head}); err != nil {
			return err
		}
		at += size
	}
	return nil
}

func (f *bmffFile) topBox(typ string, body extent) error {
	switch typ {
	case "ftyp":
		var major [4]byte
		if body.n < 8 {
			return errVideoDamaged
		}
		if err := readAt(f.src, major[:], body.off); err != nil {
			return cut(err, errVideoCut)
		}
		f.quick = string(major[:]) == "qt  "
	case "moov":
		if f.moov != nil || body.n > maxMoov {
			return errVideoUnusual
		}
		f.moov = make([]byte, body.n)
		if err := readAt(f.src, f.moov, body.off); err != nil {
			return cut(err, errVideoCut)
		}
	case "mdat":
		if body.n > 0 {
			f.mdat = append(f.mdat, body)
		}
	case "moof":
		return refuse("fragmented", "This video is a fragmented MP4, which is not accepted yet. Export it as an ordinary MP4.")
	case "free", "skip", "wide", "pnot":
		f.acc.removed("unused space", body.n)
	default:
		head := make([]byte, min(body.n, 64<<10))
		if err := readAt(f.src, head, body.off); err != nil {
			return cut(err, errVideoCut)
		}
		f.dropped(typ, head, body.n)
	}
	return nil
}

// dropped accounts for a box that is left out, by what people would call it.
func (f *bmffFile) dropped(typ string, body []byte, n int64) {
	kind, ok := map[string]string{
		"udta": "user data", "meta": "user data", "uuid": "XMP or private data", "XMP_": "XMP", "free": "unused space", "skip": "unused space", "wide": "unused space",
		"tref": "references to other tracks", "iods": "player hints", "sgpd": "sample groups", "sbgp": "sample groups", "mvex": "fragment defaults", "btrt": "bit rate",
	}[typ]
	if !ok {
		kind = "unknown or unneeded box"
	}
	f.acc.removed(kind, n+8)
	for _, k := range []struct{ mark, kind string }{
		{"\xa9xyz", "GPS position"}, {"loci", "GPS position"}, {"quicktime.location", "GPS position"}, {"\xa9mak", "device make and model"}, {"\xa9mod", "device make and model"},
		{"quicktime.make", "device make and model"}, {"quicktime.model", "device make and model"}, {"\xa9day", "dates"}, {"creationdate", "dates"},
		{"\xa9too", "software"}, {"quicktime.software", "software"}, {"\xa9swr", "software"}, {"serial", "serial numbers"}, {"Serial", "serial numbers"}, {"<x:xmpmeta", "XMP"}, {"covr", "cover picture"},
	} {
		if bytes.Contains(body, []byte(k.mark)) {
			f.acc.removed(k.kind, 0)
		}
	}
}

// quickTimeEpoch is where the times in the movie count from.
var quickTimeEpoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)

// noteTime accounts for a creation time that is being cleared.
func (f *bmffFile) noteTime(seconds uint64) {
	if seconds == 0 {
		return
	}
	f.acc.removed("dates", 0)
	if t := quickTimeEpoch.Add(time.Duration(min(seconds, 1<<33)) * time.Second); f.captured.IsZero() && t.Year() >= 1990 && t.Year() < 2200 {
		f.captured = t
	}
}
