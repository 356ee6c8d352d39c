package sanitise

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/media"
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
	movie   bool
	read    int64 // bytes of tables read so far
	primary uint32
	items   map[uint32]*heifItem
	order   []uint32 // of the items in the file
	refs    []heifRef
	props   []child // all properties, counted from 1 by the items
	idat    extent
	inSelf  bool // the data reference names this file

	cleaned map[int][]byte // bodies of large properties, by index
	units   int
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
	if err := h.choose(); err != nil {
		return nil, err
	}
	if err := h.data(); err != nil {
		return nil, err
	}
	if err := h.properties(); err != nil {
		return nil, err
	}
	h.dropped()
	if h.changed {
		h.acc.removed("messages inside the coded picture", 0)
	}
	out := splice.New(src, size)
	if err := h.write(out); err != nil {
		return nil, err
	}
	first := h.items[h.primary]
	format := media.HEIC
	if h.codec() == "av01" {
		format = media.AVIF
	}
	return &plan{out: out, receipt: h.acc.receipt, width: first.width, height: first.height, format: format}, nil
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
	if err == errHEIFCut && h.meta && seen.n < h.size {
		h.acc.removed("data after the picture", h.size-seen.n)
		err = nil
	}
	switch {
	case err != nil:
		return err
	case !h.meta:
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
	case "moov":
		h.movie = true
		h.acc.removed("animation", body.n)
	case "mini":
		return errHEIFUnusual
	case "free", "skip", "wide":
		h.acc.removed("unused space", body.n)
	default:
		kind, ok := map[string]string{"mpvd": "motion video after the picture", "sefd": "Samsung's private data", "uuid": "XMP or private data"}[typ]
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
	return ""
}

// Brands that are passed on when the file has them and the codec fits them.
var heifBrands = map[string]string{
	"hvc1": "heic heix mif1 miaf",
	"av01": "avif mif1 miaf MA1A MA1B",
	"avc1": "avci mif1 miaf",
}

// ftyp gives the brands: those of a fixed list that the file had, and those
// that its kind must have.
func (h *heifFile) ftyp() []byte {
	codec := h.codec()
	allowed := strings.Fields(heifBrands[codec])
	major := h.brands[0]
	if !slices.Contains(allowed, major) || strings.HasPrefix(major, "mi") && codec == "av01" || strings.HasPrefix(major, "M") {
		major = allowed[0]
		if slices.Contains(h.brands, "heix") && codec == "hvc1" {
			major = "heix"
		}
	}
	body := major + "\x00\x00\x00\x00"
	for _, b := range allowed {
		if b == major || b == "mif1" || slices.Contains(h.brands, b) {
			body += b
		}
	}
	return box("ftyp", []byte(body))
}
