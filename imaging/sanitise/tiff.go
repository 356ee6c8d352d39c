package sanitise

import (
	"context"
	"encoding/binary"
	"io"
	"slices"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// Limits on the structure of a TIFF, far above what scanners write.
const (
	maxTIFFDirectories = 2_000
	maxTIFFEntries     = 40_000  // of all directories together
	maxTIFFStrips      = 1 << 18 // of all pages together; 50 megapixels in tiles of 16 × 16 have 195,000
	maxTIFFStripsJPEG  = 20_000  // each is a JPEG of its own
	maxTIFFFax         = 8 << 20 // bytes of fax codes, which are followed bit by bit; a dense page has 200 KB
	tiffBytesPerPixel  = 8       // RGBA of 16 bits: MaxPixels of these is what all pages may unpack to
)

var (
	errTIFFCut       = refuse("truncated", "This picture is not complete: a part of it is missing. Take or export it again.")
	errTIFFDamaged   = refuse("damaged", "This picture is damaged and cannot be cleaned safely. Take or export it again.")
	errTIFFStructure = refuse("structure", "This picture has far more parts than usual, or parts that lie across each other, and was refused. Export it again.")
	errTIFFRaw       = fault.New(fault.Unsupported, "format-not-accepted",
		"This is a camera raw photo (such as DNG), which is not accepted here. Set the camera to save JPEG beside raw, or export it as a JPEG, and send that.").In("file")
)

// notBaseline refuses what this reader cannot account for, by its name.
func notBaseline(what words.Text) error {
	return fault.New(fault.Unsupported, "format-not-accepted", words.Say("This TIFF uses {what}, which is not accepted here. Export it as an ordinary TIFF, JPEG or PNG.", what)).In("file")
}

// tiffFile is a walk over one TIFF (TIFF 6.0, and Adobe's supplements of it).
type tiffFile struct {
	ctx   context.Context
	src   io.ReaderAt
	size  int64
	opt   Options
	acc   *account
	order tiffOrder

	seen    map[int64]bool // directories that were read
	entries int
	taken   [][2]int64 // header, directories and values: no strip may lie across them
	told    exifTold   // what the first page says of its making
	raw     bool       // it is a camera's raw file

	pages  []*tiffPage
	strips int
	fax    int64 // bytes of fax codes so far
	budget int64 // bytes that all pages may still unpack to
	unpack unpacker
	scan   []byte // buffer for the scans of JPEG strips
}

// tiffOrder is the byte order of a file.
type tiffOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// tiff lays the file out anew: a header, then each page as a directory with the
// tags that rendering needs, their values, and the picture's strips or tiles,
// each cut to where its picture ends. What none of these is was not copied.
//
// All full pages are kept, as a faxed letter has several. Reduced copies of
// them, which may show what was cut off later, are not.
func tiff(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	t := &tiffFile{ctx: ctx, src: src, size: size, opt: opt, acc: newAccount(), order: binary.LittleEndian, seen: map[int64]bool{}, taken: [][2]int64{{0, 8}}}
	t.budget = opt.MaxPixels * tiffBytesPerPixel
	var h [8]byte
	if err := readAt(src, h[:], 0); err != nil {
		return nil, cut(err, errTIFFCut)
	}
	if h[0] == 'M' {
		t.order = binary.BigEndian
	}
	if err := t.walk(int64(t.order.Uint32(h[4:]))); err != nil {
		return nil, err
	}
	if err := t.account(); err != nil {
		return nil, err
	}
	out, err := t.write(h[:4])
	if err != nil {
		return nil, err
	}
	return &plan{out: out, receipt: t.acc.receipt, width: t.pages[0].width, height: t.pages[0].height}, nil
}

// walk follows the chain of directories. The first pass only looks, so that a
// raw file is named as such before anything in it is called damaged.
func (t *tiffFile) walk(at int64) error {
	var chain []tiffIFD
	for at != 0 {
		d, err := t.directory(at)
		if err != nil {
			return err
		}
		t.look(d, len(chain) == 0)
		chain = append(chain, d)
		at = d.next
	}
	if t.raw {
		return errTIFFRaw
	}
	for i, d := range chain {
		if kind := t.lesser(d, i > 0 && t.told.camera, chain[0]); kind != "" {
			t.acc.removed(kind, 0)
			continue
		}
		p, err := t.page(d)
		if err != nil {
			return err
		}
		if len(t.pages) == 0 {
			t.tell(p)
		}
		t.pages = append(t.pages, p)
	}
	if len(t.pages) == 0 {
		return errTIFFDamaged
	}
	if len(t.pages) > 1 {
		t.acc.kept(words.Count(len(t.pages), "{n} page", "{n} pages"), "a document is sent whole")
	}
	return nil
}

// lesser says why a directory is not a page of its own: it is marked as a
// reduced copy or a mask, or it is the small second picture that cameras and
// their programs leave beside the EXIF block without marking it.
func (t *tiffFile) lesser(d tiffIFD, camera bool, first tiffIFD) words.Text {
	switch kind := t.number(d, tagNewSubfileType, 0); {
	case kind&1 != 0, t.number(d, tagSubfileType, 0) == 2:
		return "embedded thumbnail"
	case kind&4 != 0:
		return "transparency mask"
	}
	w, h := t.number(d, tagWidth, 0), t.number(d, tagHeight, 0)
	if camera && max(w, h) <= 320 && t.number(first, tagWidth, 0) > w && t.number(first, tagHeight, 0) > h {
		return "embedded thumbnail"
	}
	return ""
}

// look takes from a directory what the receipt says of it, and notices a
// camera's raw file, also where only a further directory shows it.
func (t *tiffFile) look(d tiffIFD, first bool) {
	t.raw = t.raw || rawTags(t, d)
	for _, f := range d.fields {
		if kind, ok := tiffKinds[f.tag]; ok {
			t.acc.removed(kind, f.bytes)
		} else if first && !slices.Contains(tiffStructure, f.tag) {
			t.told.ifd0 = append(t.told.ifd0, f)
		}
	}
	for _, at := range t.pointers(d, tagSubIFDs, 16) {
		if sub, err := t.directory(at); err == nil {
			t.raw = t.raw || rawTags(t, sub)
			t.acc.removed("further pictures after the first", 0)
		}
	}
	if !first {
		return
	}
	for _, tag := range []uint16{tagExif, tagGPS} {
		for _, at := range t.pointers(d, tag, 1) {
			if sub, err := t.directory(at); err == nil {
				t.told.add(tag, sub.fields)
			}
		}
	}
	_, exif := d.find(tagExif)
	_, make := d.find(0x010f)
	t.told.camera = exif || make
}

// tell puts what the first page said of its making into the receipt.
func (t *tiffFile) tell(p *tiffPage) {
	if p.orientation > 1 {
		t.acc.kept("orientation", "so that the picture is shown upright")
	}
	if block := t.told.block(t); block != nil {
		t.acc.exif(block, 0)
	}
}

// account sees that no strip lies across the header, a directory or a value,
// which would carry them along, and says how many bytes nothing refers to.
func (t *tiffFile) account() error {
	slices.SortFunc(t.taken, func(a, b [2]int64) int { return int(min(max(a[0]-b[0], -1), 1)) })
	merged := t.taken[:1]
	for _, r := range t.taken[1:] {
		if last := &merged[len(merged)-1]; r[0] <= last[1] {
			last[1] = max(last[1], r[1])
		} else {
			merged = append(merged, r)
		}
	}
	used := int64(0)
	for _, p := range t.pages {
		for _, s := range p.strips {
			i, _ := slices.BinarySearchFunc(merged, s.from, func(r [2]int64, at int64) int {
				if r[1] <= at {
					return -1
				}
				return 1
			})
			if i < len(merged) && merged[i][0] < s.from+s.length {
				return errTIFFStructure
			}
			used += s.length
		}
	}
	if used > t.size { // strips that lie across each other, so that a small file becomes a huge one
		return errTIFFStructure
	}
	for _, r := range merged {
		used += r[1] - r[0]
	}
	if t.size-used > int64(len(t.taken)+t.strips) { // more than what aligns the parts
		t.acc.removed("bytes that no part of the file refers to", t.size-used)
	}
	return nil
}

// write lays the pages out one after the other.
func (t *tiffFile) write(magic []byte) (*splice.Splice, error) {
	out := splice.New(t.src, t.size)
	out.Literal(t.order.AppendUint32(slices.Clone(magic), 8))
	for i, p := range t.pages {
		if err := t.ctx.Err(); err != nil {
			return nil, err
		}
		head, end := p.layout(t.order, out.Size(), i+1 == len(t.pages))
		if end > 1<<32-1 {
			return nil, errTIFFStructure
		}
		out.Literal(head)
		for _, s := range p.strips {
			s.write(out)
			out.Zero(s.size & 1)
		}
	}
	return out, nil
}
