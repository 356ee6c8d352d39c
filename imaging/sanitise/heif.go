package sanitise

import (
	"context"
	"io"
	"slices"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
)

// Limits on the structure of a HEIF file, far above what phones write: a
// picture of 200 megapixels has under 1,000 tiles.
const (
	maxHEIFMeta  = 16 << 20 // of all tables together
	maxHEIFItems = 10_000
	maxHEIFProps = 32_000
	maxHEIFAssoc = 64      // properties of one item
	maxHEIFBoxes = 10_000  // at one level
	maxHEIFUnits = 200_000 // of all coded pictures together
	maxHEIFParts = 256     // pieces in which the data of one item lies
)

var (
	errHEIFCut     = refuse("truncated", "This photo is not complete: its end is missing. Take or export it again.")
	errHEIFDamaged = refuse("damaged", "This photo is damaged and cannot be cleaned safely. Take or export it again.")
	errHEIFUnusual = refuse("structure", "This photo is built in a way that is not known here. Export it as a JPEG photo and send that.")
)

// heifFile is a walk over one HEIF picture (ISO/IEC 23008-12), of which HEIC
// and AVIF are two kinds.
type heifFile struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	opt  Options
	acc  *account

	brands  []string // the major brand first
	meta    bool
	movie   extent
	mdat    []extent
	read    int64 // bytes of tables read so far
	primary uint32
	items   map[uint32]*heifItem
	order   []uint32 // of the items in the file
	refs    []heifRef
	props   []child // all properties, counted from 1 by the items
	idat    extent
	inSelf  bool // the data reference names this file

	cleaned  map[int][]byte // bodies of large properties, by index
	units    int
	samples  []extent    // of the movie
	frames   *bmffFile   // the movie; nil when nothing moves
	scrubbed io.ReaderAt // the source without messages between the frames

	kept    []*heifItem // their new numbers are 1, 2, 3 …
	changed bool        // messages inside the coded pictures are left out
}

// heif rebuilds the file as brands, the description of the kept items, and
// their data. Kept are the primary item, what it is composed of, and its alpha
// plane. The numbers of items and the places of their data are given anew.
func heif(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	h := &heifFile{ctx: ctx, src: src, size: size, opt: opt, acc: newAccount(), items: map[uint32]*heifItem{}, cleaned: map[int][]byte{}}
	if err := h.top(); err != nil {
		return nil, err
	}
	for _, step := range []func() error{h.choose, h.data, h.properties, h.animation} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	h.dropped()
	if h.changed {
		h.acc.removed("messages inside the coded picture", 0)
	}
	out := splice.New(h.scrubbed, size)
	if err := h.write(out); err != nil {
		return nil, err
	}
	p := &plan{out: out, receipt: h.acc.receipt, format: media.HEIC}
	if h.codec() == "av01" {
		p.format = media.AVIF
	}
	if first := h.items[h.primary]; first != nil {
		p.width, p.height = first.width, first.height
	} else {
		p.width, p.height = h.frames.width, h.frames.height
	}
	return p, nil
}

// heifBoxes calls each for every box in the n bytes of src from off. A box of
// size 0 reaches to the end.
func (h *heifFile) boxes(off, n int64, each func(typ string, body extent) error) error {
	at, end := off, off+n
	for k := 0; at < end; k++ {
		if k > maxHEIFBoxes {
			return errHEIFUnusual
		}
		if err := h.ctx.Err(); err != nil {
			return err
		}
		var b [16]byte
		have := min(int64(len(b)), end-at)
		if have < 8 {
			return errHEIFCut
		}
		if err := readAt(h.src, b[:have], at); err != nil {
			return cut(err, errHEIFCut)
		}
		size, head := int64(be.Uint32(b[:])), int64(8)
		switch {
		case size == 0:
			size = end - at
		case size == 1 && have == 16:
			size, head = int64(min(be.Uint64(b[8:]), 1<<62)), 16
		}
		if size < head || size > end-at {
			return errHEIFCut
		}
		if err := each(string(b[4:8]), extent{at + head, size - head}); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// load reads the body of a table.
func (h *heifFile) load(body extent) ([]byte, error) {
	if h.read += body.n; h.read > maxHEIFMeta {
		return nil, errHEIFUnusual
	}
	b := make([]byte, body.n)
	if err := readAt(h.src, b, body.off); err != nil {
		return nil, cut(err, errHEIFCut)
	}
	return b, nil
}

// top walks the boxes of the file.
func (h *heifFile) top() error {
	seen := extent{}
	err := h.boxes(0, h.size, func(typ string, body extent) error {
		seen = extent{0, body.off + body.n}
		return h.topBox(typ, body)
	})
	// What follows the last whole box is not a box, but bytes that somebody
	// appended, or media data that is cut off: the items' extents tell.
	if err == errHEIFCut && (h.meta || h.movie.n > 0) && seen.n < h.size {
		h.acc.removed("data after the picture", h.size-seen.n)
		err = nil
	}
	switch {
	case err != nil:
		return err
	case h.brands == nil:
		return errHEIFDamaged
	case !h.meta && h.movie.n == 0:
		return errHEIFCut
	}
	return nil
}

func (h *heifFile) topBox(typ string, body extent) error {
	switch typ {
	case "ftyp":
		if h.brands != nil || body.n < 8 || body.n > 4096 {
			return errHEIFUnusual
		}
		b, err := h.load(body)
		if err != nil {
			return err
		}
		for h.brands = []string{string(b[:4])}; len(b) >= 12; b = b[4:] {
			h.brands = append(h.brands, string(b[8:12]))
		}
	case "meta":
		if h.meta || body.n < 4 {
			return errHEIFUnusual
		}
		h.meta = true
		var b [4]byte
		if err := readAt(h.src, b[:], body.off); err != nil {
			return cut(err, errHEIFCut)
		}
		return h.metaBoxes(extent{body.off + 4, body.n - 4})
	case "mdat":
		if body.n > 0 {
			h.mdat = append(h.mdat, body)
		}
	case "moov":
		if h.movie.n > 0 {
			return errHEIFUnusual
		}
		h.movie = body
	case "mini", "moof":
		return errHEIFUnusual
	case "free", "skip", "wide":
		h.acc.removed("unused space", body.n)
	default:
		kind, ok := map[string]words.Text{"mpvd": "motion video after the picture", "sefd": "Samsung's private data", "uuid": "XMP or private data"}[typ]
		if !ok {
			kind = "unknown or unneeded box"
		}
		h.acc.removed(kind, body.n+8)
	}
	return nil
}

// codec is the type of the coded items that the picture is made of.
func (h *heifFile) codec() string {
	for _, it := range h.kept {
		if it.coded() {
			return it.typ
		}
	}
	if h.frames != nil {
		return h.frames.codec
	}
	return ""
}

// Brands that are passed on when the file has them and its content fits them;
// the first ones of each list may be the major brand.
var heifBrands = map[string]struct{ still, moving []string }{
	"hvc1": {[]string{"heic", "heix", "mif1"}, []string{"hevc", "hevx", "msf1"}},
	"av01": {[]string{"avif", "mif1"}, []string{"avis", "msf1"}},
	"avc1": {[]string{"avci", "mif1"}, []string{"msf1"}},
}

// ftyp gives the brands: those of a fixed list that the file had, and those
// that its kind must have.
func (h *heifFile) ftyp() []byte {
	brands := heifBrands[h.codec()]
	var majors, must []string
	add := func(list []string) {
		majors = append(majors, list...)
		codec := list[0]
		if len(list) == 3 && slices.Contains(h.brands, list[1]) && !slices.Contains(h.brands, codec) {
			codec = list[1]
		}
		must = append(must, codec, list[len(list)-1])
	}
	if len(h.kept) > 0 {
		add(brands.still)
	}
	if h.frames != nil {
		add(brands.moving)
	}
	body := must[0]
	if slices.Contains(majors, h.brands[0]) {
		body = h.brands[0]
	}
	body += "\x00\x00\x00\x00"
	for _, b := range append(majors, "miaf", "MA1A", "MA1B", "iso8") {
		if slices.Contains(must, b) || slices.Contains(h.brands, b) {
			body += b
		}
	}
	return box("ftyp", []byte(body))
}
