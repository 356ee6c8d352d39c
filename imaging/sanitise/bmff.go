package sanitise

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"
	"time"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/words"
)

// Limits on the structure of a video.
const (
	maxMoov     = 32 << 20 // tables of many hours
	maxTopBoxes = 200_000  // fragments of many hours
	maxTracks   = 64
	maxEdits    = 10_000
	maxOffsets  = 500_000 // of all tracks: hours, with a chunk for each picture and each bit of sound
)

var (
	errVideoCut       = refuse("truncated", "This video is not complete. Take or export it again.")
	errVideoDamaged   = refuse("damaged", "This video is damaged and cannot be cleaned safely. Take or export it again.")
	errVideoProtected = refuse("protected", "This video is copy-protected and cannot be cleaned. Send one without protection.")
	errVideoPieces    = refuse("too-long", "This video is cut into more pieces than can be cleaned. Send a shorter one, or export it as an ordinary MP4.")
	errVideoUnusual   = refuse("structure", "This video is built in a way that is not known here. Export it as an ordinary MP4.")
)

// bmffFile is a walk over one MP4 (ISO/IEC 14496-12) or QuickTime file.
type bmffFile struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	opt  Options
	acc  *account

	handlers []string // of the tracks that are kept
	quick    bool     // QuickTime, not ISO
	still    bool     // the animation of a HEIF picture
	codec    string   // of the first pictures
	phone    bool     // 3GPP
	moov     []byte
	mdat     []extent
	moof     []fragment
	chapters map[uint32]bool // tracks that only show chapters
	trex     map[uint32]defaults

	tracks        []*track
	chunks        int // of all tracks
	width, height int
	captured      time.Time
}

// extent is a range of the source.
type extent struct{ off, n int64 }

// fragment is where a moof box starts, and its body.
type fragment struct {
	head int64
	extent
}

// bmff rebuilds the file as brands, movie and media data. The movie is built
// anew from what playing needs. Of the media data only what the samples of the
// kept tracks cover is copied.
func bmff(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	f := &bmffFile{ctx: ctx, src: src, size: size, opt: opt, acc: newAccount(), handlers: []string{"vide", "soun"}, trex: map[uint32]defaults{}, chapters: map[uint32]bool{}, quick: true}
	if err := f.top(); err != nil {
		return nil, err
	}
	if f.moov == nil || len(f.mdat) == 0 {
		return nil, errVideoCut
	}
	if err := f.movie(); err != nil {
		return nil, err
	}
	if len(f.moof) > 0 {
		if err := f.fragments(); err != nil {
			return nil, err
		}
	}
	samples, err := f.samples()
	if err != nil {
		return nil, err
	}
	if len(samples) == 0 || !slices.ContainsFunc(f.tracks, func(t *track) bool { return t.handler != "soun" && t.count() > 0 }) {
		return nil, errVideoCut // a movie without a picture in it
	}
	if src, err = f.scrub(); err != nil {
		return nil, err
	}
	brands := box("ftyp", []byte("isom\x00\x00\x02\x00isomiso2mp41"))
	switch {
	case f.quick:
		brands = box("ftyp", []byte("qt  \x00\x00\x00\x00qt  "))
	case f.phone:
		brands = box("ftyp", []byte("3gp6\x00\x00\x01\x003gp6isom"))
	}
	if slices.ContainsFunc(f.tracks, func(t *track) bool { return t.handler == "soun" }) {
		f.acc.kept("sound", "it was not asked to be removed")
	}
	moov, head, covered := f.place(samples, int64(len(brands)), 0)
	if moov == nil {
		return nil, errVideoUnusual
	}
	out := splice.New(src, size)
	out.Literal(brands)
	out.Literal(moov)
	out.Literal(head)
	for _, s := range samples {
		out.Copy(s.off, s.n)
	}
	held := int64(0)
	for _, m := range f.mdat {
		held += m.n
	}
	if held > covered {
		f.acc.removed("media data that no kept track uses", held-covered)
	}
	if !f.captured.IsZero() {
		f.acc.receipt.CapturedAt = &f.captured
	}
	return &plan{out: out, receipt: f.acc.receipt, width: f.width, height: f.height}, nil
}

// top walks the boxes of the file.
func (f *bmffFile) top() error {
	at, in := int64(0), newWindow(f.ctx, f.src, f.size, filmWindow)
	for n := 0; at < f.size; n++ {
		if n > maxTopBoxes {
			return errVideoUnusual
		}
		have := min(16, f.size-at)
		h, err := in.film(at, have)
		if err != nil {
			return err
		}
		if have < 8 {
			f.acc.removed("data after the video", have)
			return nil
		}
		size, head := int64(binary.BigEndian.Uint32(h)), int64(8)
		switch {
		case size == 0:
			size = f.size - at
		case size == 1 && have == 16:
			size, head = int64(min(binary.BigEndian.Uint64(h[8:]), 1<<62)), 16
		}
		typ := string(h[4:8])
		if typ == "ftyp" && f.moov != nil && len(f.mdat) > 0 { // another file behind this one
			f.acc.removed("data after the video", f.size-at)
			return nil
		}
		if size < head || size > f.size-at {
			if f.moov != nil && len(f.mdat) > 0 && typ != "mdat" { // no box: bytes that somebody appended
				f.acc.removed("data after the video", f.size-at)
				return nil
			}
			return errVideoCut
		}
		if err := f.topBox(typ, at, extent{at + head, size - head}); err != nil {
			return err
		}
		at += size
	}
	return nil
}

func (f *bmffFile) topBox(typ string, head int64, body extent) error {
	switch typ {
	case "ftyp":
		var major [4]byte
		if body.n < 8 {
			return errVideoDamaged
		}
		if err := readAt(f.src, major[:], body.off); err != nil {
			return cut(err, errVideoCut)
		}
		f.quick, f.phone = string(major[:]) == "qt  ", string(major[:2]) == "3g"
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
		if body.n > maxFragment {
			return errVideoUnusual
		}
		f.moof = append(f.moof, fragment{head, body})
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
	kind, ok := map[string]words.Text{
		"udta": "user data", "meta": "user data", "uuid": "XMP or private data", "XMP_": "XMP", "free": "unused space", "skip": "unused space", "wide": "unused space",
		"tref": "references to other tracks", "iods": "player hints", "sgpd": "sample groups", "sbgp": "sample groups", "btrt": "bit rate", "sdtp": "hints on samples", "stdp": "hints on samples", "subs": "hints on samples", "tapt": "clean aperture", "clap": "clean aperture",
		"sidx": "index of fragments", "ssix": "index of fragments", "mfra": "index of fragments", "styp": "brands of fragments", "emsg": "events", "prft": "clock times", "saiz": "protection", "saio": "protection",
	}[typ]
	if !ok {
		kind = "unknown or unneeded box"
	}
	f.acc.removed(kind, n+8)
	for _, k := range []struct {
		mark string
		kind words.Text
	}{
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
