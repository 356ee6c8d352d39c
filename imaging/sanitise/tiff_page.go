package sanitise

import (
	"slices"

	"github.com/wardseal/wardseal/internal/words"
)

// tiffPage is one page as it will be written.
type tiffPage struct {
	width, height int
	orientation   int
	tags          []tiffTag // to write, but for where the strips lie
	strips        []tiffStrip
	tiled         bool

	compression, photometric, predictor uint32
	bits, samples                       int
	fillOrder                           uint32
	separate                            bool   // a plane for each sample
	sub                                 [2]int // subsampling of the chroma of YCbCr
	partWidth, partHeight               int    // of a strip or tile
	ifd                                 tiffIFD
}

// tiffTag is an entry to write; its data is in the file's byte order.
type tiffTag struct {
	tag, typ uint16
	count    uint32
	data     []byte
}

// Compressions that can be accounted for.
const (
	tiffPlain      = 1
	tiffFaxRuns    = 2
	tiffFax3       = 3
	tiffFax4       = 4
	tiffLZW        = 5
	tiffJPEG       = 7
	tiffDeflate    = 8
	tiffDeflateOld = 32946
	tiffPackBits   = 32773
)

var tiffOtherCompressions = map[uint32]words.Text{
	6: "an outdated form of JPEG compression", 9: "JBIG compression", 10: "JBIG compression", 32766: "NeXT compression", 32771: "word-aligned fax compression", 32809: "ThunderScan compression",
	32909: "PixarLog compression", 33003: "JPEG 2000 compression", 33005: "JPEG 2000 compression", 34661: "JBIG compression", 34676: "LogLuv compression", 34677: "LogLuv compression",
	34712: "JPEG 2000 compression", 34887: "LERC compression", 34925: "LZMA compression", 50000: "Zstandard compression", 50001: "WebP compression", 50002: "JPEG XL compression", 52546: "JPEG XL compression",
}

// tiffBase is the number of samples that each photometric interpretation has
// before any extra ones.
var tiffBase = map[uint32]int{0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3, 9: 3}

// page reads what rendering needs of a directory.
func (t *tiffFile) page(d tiffIFD) (*tiffPage, error) {
	p := &tiffPage{ifd: d, orientation: 1}
	p.width, p.height = int(t.number(d, tagWidth, 0)), int(t.number(d, tagHeight, 0))
	if err := checkPixels(p.width, p.height, t.opt); err != nil {
		return nil, err
	}
	for _, read := range []func(*tiffPage) error{t.coding, t.colour, t.resolution, t.parts} {
		if err := read(p); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(p.tags, func(a, b tiffTag) int { return int(a.tag) - int(b.tag) })
	return p, nil
}

// coding reads how samples are coded.
func (t *tiffFile) coding(p *tiffPage) error {
	d := p.ifd
	p.compression = t.number(d, tagCompression, 1)
	switch p.compression {
	case tiffPlain, tiffFaxRuns, tiffFax3, tiffFax4, tiffLZW, tiffJPEG, tiffDeflate, tiffDeflateOld, tiffPackBits:
	default:
		if what, ok := tiffOtherCompressions[p.compression]; ok {
			return notBaseline(what)
		}
		return notBaseline("a compression that is not known here")
	}
	p.samples = int(t.number(d, tagSamples, 1))
	if p.samples < 1 || p.samples > 16 {
		return errTIFFDamaged
	}
	bits := []uint32{1}
	if f, ok := d.find(tagBits); ok {
		var err error
		if bits, err = t.numbers(f, 16); err != nil || len(bits) == 0 || len(bits) != 1 && len(bits) < p.samples {
			return errTIFFDamaged
		}
	}
	p.bits = int(bits[0])
	if slices.ContainsFunc(bits[:min(len(bits), p.samples)], func(b uint32) bool { return int(b) != p.bits }) {
		return notBaseline("samples of different depths")
	}
	if p.bits < 1 || p.bits > 16 && p.bits != 32 {
		return notBaseline("a depth of samples that is not known here")
	}
	p.fillOrder = t.number(d, tagFillOrder, 1)
	switch {
	case p.fillOrder == 1:
	case p.fillOrder == 2 && p.compression <= tiffFax4:
		p.short(t, tagFillOrder, 2)
	case p.fillOrder == 2 && p.compression == tiffJPEG: // it has no bits to order
	default:
		return notBaseline("reversed bits")
	}
	fax := p.compression >= tiffFaxRuns && p.compression <= tiffFax4
	if fax && (p.bits != 1 || p.samples != 1) || p.compression == tiffJPEG && p.bits != 8 && p.bits != 12 {
		return errTIFFDamaged
	}
	p.long(t, tagNewSubfileType, 0) // a page of its own: some readers take a JPEG that does not say so for a preview
	p.long(t, tagWidth, uint32(p.width))
	p.long(t, tagHeight, uint32(p.height))
	p.short(t, tagBits, slices.Repeat([]uint32{uint32(p.bits)}, p.samples)...)
	p.short(t, tagCompression, p.compression)
	p.short(t, tagSamples, uint32(p.samples))
	switch p.separate = t.number(d, tagPlanar, 1) == 2; {
	case p.separate && p.samples > 1:
		p.short(t, tagPlanar, 2)
	default:
		p.separate = false
	}
	if o := t.number(d, tagOrientation, 1); o >= 2 && o <= 8 {
		p.orientation = int(o)
		p.short(t, tagOrientation, o)
	}
	return t.options(p)
}

// options reads what only some compressions have.
func (t *tiffFile) options(p *tiffPage) error {
	d := p.ifd
	switch p.compression {
	case tiffLZW, tiffDeflate, tiffDeflateOld:
		p.predictor = t.number(d, tagPredictor, 1)
		if p.predictor > 3 || p.predictor < 1 {
			return notBaseline("a predictor that is not known here")
		}
		if p.predictor > 1 {
			p.short(t, tagPredictor, p.predictor)
		}
	case tiffFax3:
		if o := t.number(d, tagT4Options, 0); o&^5 != 0 {
			return notBaseline("uncompressed runs in a fax")
		} else if o != 0 {
			p.long(t, tagT4Options, o)
		}
	case tiffFax4:
		if o := t.number(d, tagT6Options, 0); o != 0 {
			return notBaseline("uncompressed runs in a fax")
		}
	case tiffJPEG:
		f, ok := d.find(tagJPEGTables)
		if !ok {
			return nil
		}
		tables, err := t.jpegTables(f)
		if err != nil {
			return err
		}
		if tables != nil {
			p.tags = append(p.tags, tiffTag{tagJPEGTables, 7, uint32(len(tables)), tables})
		}
	}
	return nil
}

// colour reads what gives samples their meaning.
func (t *tiffFile) colour(p *tiffPage) error {
	d := p.ifd
	p.photometric = t.number(d, tagPhotometric, 1<<31)
	base, ok := tiffBase[p.photometric]
	if !ok {
		return notBaseline("colours of a kind that is not known here")
	}
	p.short(t, tagPhotometric, p.photometric)
	if p.samples < base {
		return errTIFFDamaged
	}
	if f, ok := d.find(tagExtraSamples); ok && p.samples > base {
		extra, err := t.numbers(f, 16)
		if err != nil || len(extra) != p.samples-base || slices.Max(extra) > 2 {
			return errTIFFDamaged
		}
		p.short(t, tagExtraSamples, extra...)
	}
	if err := t.sampleFormat(p); err != nil {
		return err
	}
	switch p.photometric {
	case 3:
		f, ok := d.find(tagColorMap)
		if !ok || f.typ != 3 || p.bits > 16 || f.count != 3<<p.bits {
			return errTIFFDamaged
		}
		v, err := t.value(f, 6<<16)
		if err != nil {
			return err
		}
		p.tags = append(p.tags, tiffTag{tagColorMap, 3, uint32(f.count), v})
	case 5:
		if t.number(d, tagInkSet, 1) != 1 {
			return notBaseline("inks other than those of CMYK")
		}
	case 6:
		p.sub = [2]int{2, 2}
		if f, ok := d.find(tagSubsampling); ok {
			s, err := t.numbers(f, 2)
			if err != nil || len(s) != 2 || !slices.Contains([]uint32{1, 2, 4}, s[0]) || !slices.Contains([]uint32{1, 2, 4}, s[1]) {
				return errTIFFDamaged
			}
			p.sub = [2]int{int(s[0]), int(s[1])}
			p.short(t, tagSubsampling, s...)
		}
		if t.number(d, tagYCbCrPosition, 1) == 2 {
			p.short(t, tagYCbCrPosition, 2)
		}
		t.rationals(p, tagYCbCrWeights, 3)
	}
	t.rationals(p, tagWhitePoint, 2)
	t.rationals(p, tagPrimaries, 6)
	if p.photometric == 2 || p.photometric == 6 {
		t.rationals(p, tagBlackWhite, 6)
	}
	return t.profile(p)
}

func (t *tiffFile) sampleFormat(p *tiffPage) error {
	f, ok := p.ifd.find(tagSampleFormat)
	if !ok {
		return nil
	}
	formats, err := t.numbers(f, 16)
	if err != nil || len(formats) == 0 {
		return errTIFFDamaged
	}
	format := formats[0]
	switch {
	case slices.ContainsFunc(formats, func(v uint32) bool { return v != format }):
		return notBaseline("samples of different kinds")
	case format == 1 || format == 4:
	case format == 2 || format == 3 && (p.bits == 16 || p.bits == 32):
		p.short(t, tagSampleFormat, slices.Repeat([]uint32{format}, p.samples)...)
	default:
		return notBaseline("samples of a kind that is not known here")
	}
	return nil
}

// profile keeps the colour profile, reduced; decoders pass over a malformed one.
func (t *tiffFile) profile(p *tiffPage) error {
	f, ok := p.ifd.find(tagICC)
	if !ok {
		return nil
	}
	if f.bytes > maxICC {
		t.acc.removed("colour profile or EXIF of absurd size", f.bytes)
		return nil
	}
	whole, err := t.value(f, maxICC)
	if err != nil {
		return err
	}
	reduced, err := reduceICC(whole)
	if err != nil {
		t.acc.removed("colour profile that is malformed", f.bytes)
		return nil
	}
	p.tags = append(p.tags, tiffTag{tagICC, 7, uint32(len(reduced)), reduced})
	if len(t.pages) == 0 {
		t.acc.kept("colour profile (rendering tags)", "so that skin tones do not shift")
	}
	t.acc.removed("colour profile's names and dates", max(f.bytes-int64(len(reduced)), 0))
	return nil
}

// resolution keeps the shape of the pixels and no more: what a scanner was set
// to tells of the scanner, but a fax whose lines are further apart than its dots
// looks squashed without it. Readers of baseline TIFF want the tags to be there.
func (t *tiffFile) resolution(p *tiffPage) error {
	x, y := uint64(72), uint64(72)
	if v, w := t.rational(p, tagXResolution), t.rational(p, tagYResolution); v != nil && w != nil {
		v0, v1, w0, w1 := t.order.Uint32(v), t.order.Uint32(v[4:]), t.order.Uint32(w), t.order.Uint32(w[4:])
		a, b := shape(uint64(v0)*uint64(w1), uint64(w0)*uint64(v1))
		if a != b && max(a, b) < 1<<32 {
			x, y = a, b
		}
	}
	for tag, n := range map[uint16]uint64{tagXResolution: x, tagYResolution: y} {
		b := t.order.AppendUint32(t.order.AppendUint32(nil, uint32(n)), 1)
		p.tags = append(p.tags, tiffTag{tag, 5, 1, b})
	}
	p.short(t, tagResolutionUnit, 1) // none: only how they relate
	return nil
}

// rational reads one rational that is a number above 0, or nil.
func (t *tiffFile) rational(p *tiffPage, tag uint16) []byte {
	f, ok := p.ifd.find(tag)
	if !ok || f.typ != 5 || f.count != 1 {
		return nil
	}
	v, err := t.value(f, 8)
	if err != nil || t.order.Uint32(v) == 0 || t.order.Uint32(v[4:]) == 0 {
		return nil
	}
	return v
}

// rationals keeps a field of so many rationals, when it has that form.
func (t *tiffFile) rationals(p *tiffPage, tag uint16, count int64) {
	if f, ok := p.ifd.find(tag); ok && f.typ == 5 && f.count == count {
		if v, err := t.value(f, 64); err == nil {
			p.tags = append(p.tags, tiffTag{tag, 5, uint32(count), v})
		}
	}
}

func (p *tiffPage) short(t *tiffFile, tag uint16, values ...uint32) {
	var b []byte
	for _, v := range values {
		b = t.order.AppendUint16(b, uint16(v))
	}
	p.tags = append(p.tags, tiffTag{tag, 3, uint32(len(values)), b})
}

func (p *tiffPage) long(t *tiffFile, tag uint16, v uint32) {
	p.tags = append(p.tags, tiffTag{tag, 4, 1, t.order.AppendUint32(nil, v)})
}

// layout renders the page's directory and its values for offset at, and gives
// the offset behind the page's strips.
func (p *tiffPage) layout(order tiffOrder, at int64, last bool) ([]byte, int64) {
	offsets, sizes := uint16(tagStripOffsets), uint16(tagStripBytes)
	if p.tiled {
		offsets, sizes = tagTileOffsets, tagTileBytes
	}
	n := len(p.strips)
	where, lengths := tiffTag{offsets, 4, uint32(n), make([]byte, 4*n)}, tiffTag{sizes, 4, uint32(n), make([]byte, 4*n)}
	tags := append(slices.Clone(p.tags), where, lengths)
	slices.SortFunc(tags, func(a, b tiffTag) int { return int(a.tag) - int(b.tag) })
	end := at + 2 + 12*int64(len(tags)) + 4
	for _, tag := range tags {
		if len(tag.data) > 4 {
			end += int64(len(tag.data)+1) &^ 1
		}
	}
	for i, s := range p.strips {
		order.PutUint32(where.data[4*i:], uint32(end))
		order.PutUint32(lengths.data[4*i:], uint32(s.size))
		end += (s.size + 1) &^ 1
	}
	head := order.AppendUint16(nil, uint16(len(tags)))
	value := at + 2 + 12*int64(len(tags)) + 4
	var values []byte
	for _, tag := range tags {
		head = order.AppendUint16(order.AppendUint16(head, tag.tag), tag.typ)
		head = order.AppendUint32(head, tag.count)
		if len(tag.data) <= 4 {
			head = append(append(head, tag.data...), make([]byte, 4-len(tag.data))...)
			continue
		}
		head = order.AppendUint32(head, uint32(value+int64(len(values))))
		values = append(append(values, tag.data...), make([]byte, len(tag.data)&1)...)
	}
	next := uint32(end)
	if last {
		next = 0
	}
	return append(order.AppendUint32(head, next), values...), end
}
