package sanitise

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/words"
)

// Limits on the structure of a Matroska file.
const (
	maxEBMLHeader = 4096
	maxMKVHeader  = 8 << 20  // information and tracks
	maxElements   = 16 << 20 // in segment and clusters: many hours
	maxPieces     = 400_000  // ranges that are copied apart from one another
	maxClusters   = 120_000
	maxTime       = 1 << 50 // ticks
)

// Elements of the file, its segment and its clusters (RFC 9559, section 5).
const (
	idEBML        = 0x1a45dfa3
	idDocType     = 0x4282
	idVoid        = 0xec
	idCRC         = 0xbf
	idSegment     = 0x18538067
	idSeekHead    = 0x114d9b74
	idInfo        = 0x1549a966
	idTracks      = 0x1654ae6b
	idCues        = 0x1c53bb6b
	idCluster     = 0x1f43b675
	idTags        = 0x1254c367
	idChapters    = 0x1043a770
	idAttachments = 0x1941a469
)

var errTwoVideos = refuse("several", "This file holds more than one video, one after the other. Send each as a file of its own.")

// matroskaFile is a walk over one Matroska or WebM file.
type matroskaFile struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	opt  Options
	acc  *account
	in   *window
	left int // elements that may still come

	docType  string
	scale    uint64 // nanoseconds a tick
	duration float64
	captured time.Time
	hasInfo  bool

	tracks        []*mkvTrack // in the order of the file, the dropped ones too
	hasTracks     bool
	width, height int

	clusters []mkvCluster
	pieces   []extent // what the clusters keep; an offset below zero is a literal
	literals [][]byte
	fills    *scrubber
	base     uint64 // time of the earliest cluster
	last     uint64 // end of the last block
}

// matroska rebuilds the file: a plain header, information and tracks of what
// playing needs, an index made anew, and clusters in which the blocks of the
// kept tracks are copied. Times count from the first cluster on, since some
// recorders count from 1970.
func matroska(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	f := &matroskaFile{
		ctx: ctx, src: src, size: size, opt: opt, acc: newAccount(), left: maxElements, scale: 1_000_000,
		in: newWindow(ctx, src, size, filmWindow),
	}
	f.fills = newScrubber(ctx, src, size, f.acc)
	if err := f.document(); err != nil {
		return nil, err
	}
	if !f.hasTracks {
		return nil, errVideoCut
	}
	if err := f.complete(); err != nil {
		return nil, err
	}
	for _, t := range f.tracks {
		if t.dropped != "" {
			f.acc.removed(t.dropped, t.bytes)
		}
	}
	if !f.captured.IsZero() {
		f.acc.receipt.CapturedAt = &f.captured
	}
	over, err := f.fills.source()
	if err != nil {
		return nil, err
	}
	out := splice.New(over, size)
	f.layout(out)
	return &plan{out: out, receipt: f.acc.receipt, width: f.width, height: f.height}, nil
}

// complete reports whether there is a picture to show.
func (f *matroskaFile) complete() error {
	pictures := false
	for _, t := range f.tracks {
		if t.dropped == "" && t.video {
			pictures = true
			if t.blocks > 0 {
				return nil
			}
		}
	}
	if pictures {
		return errVideoCut
	}
	return refuse("no-pictures", "This file has sound or data but no pictures. Send a photo or a video.")
}

// element reads the head of the element at an offset, inside one that ends at end.
func (f *matroskaFile) element(at, end int64) (element, error) {
	if f.left--; f.left < 0 {
		return element{}, errVideoUnusual
	}
	b, err := f.in.film(at, min(12, end-at))
	if err != nil {
		return element{}, err
	}
	id, n, used, ok := head(b)
	switch {
	case !ok && end == f.size && len(b) < 12:
		return element{}, errVideoCut
	case !ok:
		return element{}, errVideoDamaged
	}
	e := element{id: id, at: at, body: at + int64(used), n: n}
	if n > end-e.body {
		if n > f.size-e.body {
			return element{}, errVideoCut
		}
		return element{}, errVideoDamaged
	}
	return e, nil
}

// content reads an element into memory, if it is of a size that it may have.
func (f *matroskaFile) content(e element, most int64) ([]byte, error) {
	if e.n < 0 || e.n > most {
		return nil, errVideoUnusual
	}
	b := make([]byte, e.n)
	if err := readAt(f.src, b, e.body); err != nil {
		return nil, cut(err, errVideoCut)
	}
	return b, nil
}

// list reads an element that holds others.
func (f *matroskaFile) list(e element, most int64) ([]node, error) {
	b, err := f.content(e, most)
	if err != nil {
		return nil, err
	}
	return nodes(b)
}

// document walks the header and the segment.
func (f *matroskaFile) document() error {
	e, err := f.element(0, f.size)
	if err != nil {
		return err
	}
	if e.id != idEBML {
		return errVideoDamaged
	}
	if err := f.ebmlHeader(e); err != nil {
		return err
	}
	for at := e.end(); at < f.size; {
		if e, err = f.element(at, f.size); err != nil {
			return err
		}
		if e.id == idSegment {
			return f.segment(e)
		}
		if e.n < 0 || e.id == idEBML {
			return errVideoDamaged
		}
		f.dropped(e)
		at = e.end()
	}
	return errVideoCut
}

// ebmlHeader accepts what a reader of this package understands.
func (f *matroskaFile) ebmlHeader(e element) error {
	all, err := f.list(e, maxEBMLHeader)
	if err != nil {
		return err
	}
	f.docType = string(bytes.TrimRight(find(all, idDocType), "\x00"))
	if f.docType != "webm" && f.docType != "matroska" {
		return errVideoUnusual
	}
	for _, limit := range []struct {
		id   uint32
		most uint64
	}{{0x42f7, 1}, {0x42f2, 4}, {0x42f3, 8}, {0x4285, 4}} { // versions to read with, lengths of ids and sizes
		if v, ok := number64(find(all, limit.id)); ok && v > limit.most {
			return errVideoUnusual
		}
	}
	return nil
}

// segment walks the parts of the segment. One of unknown size ends with the file.
func (f *matroskaFile) segment(s element) error {
	end := f.size
	if s.n >= 0 {
		end = s.end()
	}
	for at := s.body; at < end; {
		e, err := f.element(at, end)
		if err != nil {
			return err
		}
		if e.id == idCluster {
			if at, err = f.cluster(e, end); err != nil {
				return err
			}
			continue
		}
		if e.id == idEBML || e.id == idSegment {
			return errTwoVideos
		}
		if e.n < 0 {
			return errVideoDamaged
		}
		switch {
		case e.id == idInfo && !f.hasInfo:
			err = f.info(e)
		case e.id == idTracks && !f.hasTracks:
			err = f.trackList(e)
		default:
			f.dropped(e)
		}
		if err != nil {
			return err
		}
		at = e.end()
	}
	return f.after(end)
}

// after accounts for what comes behind the segment.
func (f *matroskaFile) after(at int64) error {
	if at == f.size {
		return nil
	}
	b, err := f.in.film(at, min(12, f.size-at))
	if err != nil {
		return err
	}
	if id, _, _, ok := head(b); ok && (id == idEBML || id == idSegment || id == idCluster) {
		return errTwoVideos
	}
	f.acc.removed("data after the video", f.size-at)
	return nil
}

// matroskaEpoch is where dates count from, in nanoseconds.
var matroskaEpoch = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

// info keeps the length of a tick and of the video.
func (f *matroskaFile) info(e element) error {
	all, err := f.list(e, maxMKVHeader)
	if err != nil {
		return err
	}
	f.hasInfo = true
	for _, c := range all {
		n := int64(len(c.body))
		switch c.id {
		case 0x2ad7b1: // TimestampScale
			if v, ok := number64(c.body); ok {
				f.scale = v
			}
		case 0x4489: // Duration
			f.duration, _ = real(c.body)
		case 0x4461: // DateUTC
			f.acc.removed("dates", n)
			if v, ok := number64(c.body); ok && len(c.body) == 8 && f.captured.IsZero() {
				if t := matroskaEpoch.Add(time.Duration(v)).Truncate(time.Second); t.Year() >= 1990 && t.Year() < 2200 {
					f.captured = t
				}
			}
		case 0x4d80, 0x5741: // MuxingApp, WritingApp
			if string(c.body) != writer {
				f.acc.removed("software", n)
			}
		case 0x7ba9:
			f.acc.removed("title", n)
		case 0x73a4, 0x3cb923, 0x3eb923, 0x4444: // of this segment, the one before, the one after, the family
			f.acc.removed("unique identifiers", n)
		case 0x7384, 0x3c83ab, 0x3e83bb:
			f.acc.removed("file names", n)
		default:
			f.acc.removed("unknown or unneeded element", n)
		}
	}
	if f.scale == 0 || f.scale > 1_000_000_000 {
		return errVideoUnusual
	}
	return nil
}

// dropped accounts for an element that is left out, by what people would call
// it. The index is not among them: it is made anew.
func (f *matroskaFile) dropped(e element) {
	switch e.id {
	case idSeekHead, idCues:
		return
	case idTags:
		f.acc.removed("tags", e.n)
		f.tagKinds(e)
		return
	}
	kind, ok := map[uint32]words.Text{
		idVoid: "unused space", idCRC: "checksums", idChapters: "chapters", idAttachments: "attached files",
		idInfo: "information that is there twice", idTracks: "information that is there twice",
	}[e.id]
	if !ok {
		kind = "unknown or unneeded element"
	}
	f.acc.removed(kind, e.n)
}

// tagKinds accounts for what the first tags are about. It is for the receipt
// alone: an error is as no tags.
func (f *matroskaFile) tagKinds(e element) {
	b := make([]byte, min(e.n, 64<<10))
	if readAt(f.src, b, e.body) != nil {
		return
	}
	b = bytes.ToUpper(b)
	for _, k := range []struct {
		mark string
		kind words.Text
	}{
		{"LOCATION", "GPS position"}, {"GPS", "GPS position"}, {"MAKE", "device make and model"}, {"MODEL", "device make and model"}, {"DATE", "dates"}, {"CREATION_TIME", "dates"},
		{"ENCODER", "software"}, {"ARTIST", "names"}, {"AUTHOR", "names"}, {"COMMENT", "comment"}, {"DESCRIPTION", "comment"}, {"SERIAL", "serial numbers"},
	} {
		if bytes.Contains(b, []byte(k.mark)) {
			f.acc.removed(k.kind, 0)
		}
	}
}
