package sanitise

import (
	"encoding/binary"
	"slices"

	"github.com/wardseal/wardseal/internal/words"
)

// Tags that this reader knows by name (TIFF 6.0; EXIF 2.32; DNG 1.7).
const (
	tagNewSubfileType = 254
	tagSubfileType    = 255
	tagWidth          = 256
	tagHeight         = 257
	tagBits           = 258
	tagCompression    = 259
	tagPhotometric    = 262
	tagFillOrder      = 266
	tagStripOffsets   = 273
	tagOrientation    = 274
	tagSamples        = 277
	tagRowsPerStrip   = 278
	tagStripBytes     = 279
	tagXResolution    = 282
	tagYResolution    = 283
	tagPlanar         = 284
	tagT4Options      = 292
	tagT6Options      = 293
	tagResolutionUnit = 296
	tagPredictor      = 317
	tagWhitePoint     = 318
	tagPrimaries      = 319
	tagColorMap       = 320
	tagTileWidth      = 322
	tagTileHeight     = 323
	tagTileOffsets    = 324
	tagTileBytes      = 325
	tagSubIFDs        = 330
	tagInkSet         = 332
	tagExtraSamples   = 338
	tagSampleFormat   = 339
	tagJPEGTables     = 347
	tagYCbCrWeights   = 529
	tagSubsampling    = 530
	tagYCbCrPosition  = 531
	tagBlackWhite     = 532
	tagCFAPattern     = 33422
	tagExif           = 34665
	tagICC            = 34675
	tagGPS            = 34853
	tagDNGVersion     = 50706
	tagDNGPrivate     = 50740
)

// tiffStructure are tags that say how the file is made, not by whom: they are
// rewritten or left out without a word in the receipt.
var tiffStructure = []uint16{
	254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 286, 287, 288, 289, 290, 291, 292, 293, 296, 297,
	301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 330, 332, 334, 336, 338, 339, 340, 341, 347, 512, 513, 514, 529, 530, 531, 532,
	tagExif, tagICC, tagGPS,
}

// tiffKinds are tags beside those of EXIF that tell where a picture comes from.
var tiffKinds = map[uint16]words.Text{
	700: "XMP", 33723: "Photoshop and IPTC information", 34377: "Photoshop and IPTC information", 37724: "Photoshop layers",
	269: "document and page names", 285: "document and page names", 316: "name of the computer",
	33550: "geographic position (GeoTIFF)", 33922: "geographic position (GeoTIFF)", 34264: "geographic position (GeoTIFF)",
	34735: "geographic position (GeoTIFF)", 34736: "geographic position (GeoTIFF)", 34737: "geographic position (GeoTIFF)",
	42112: "geographic position (GeoTIFF)", 42113: "geographic position (GeoTIFF)",
}

// tiffField is an entry of a directory whose value lies at an offset.
type tiffField struct {
	tag, typ  uint16
	count     int64
	at, bytes int64
}

// tiffIFD is a directory and the offset of the next one, 0 after the last.
type tiffIFD struct {
	fields []tiffField
	next   int64
}

func (d tiffIFD) find(tag uint16) (tiffField, bool) {
	i := slices.IndexFunc(d.fields, func(f tiffField) bool { return f.tag == tag })
	if i < 0 {
		return tiffField{}, false
	}
	return d.fields[i], true
}

var tiffTypeBytes = [...]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}

// directory reads the directory at an offset. A value that lies outside the
// file is left out when the picture can do without it.
func (t *tiffFile) directory(at int64) (tiffIFD, error) {
	if err := t.ctx.Err(); err != nil {
		return tiffIFD{}, err
	}
	if t.seen[at] || len(t.seen) >= maxTIFFDirectories {
		return tiffIFD{}, errTIFFStructure
	}
	t.seen[at] = true
	var head [2]byte
	if err := readAt(t.src, head[:], at); err != nil {
		return tiffIFD{}, cut(err, errTIFFCut)
	}
	n := int64(t.order.Uint16(head[:]))
	if t.entries += int(n); n > 1000 || t.entries > maxTIFFEntries {
		return tiffIFD{}, errTIFFStructure
	}
	b := make([]byte, n*12+4)
	if err := readAt(t.src, b, at+2); err != nil {
		return tiffIFD{}, cut(err, errTIFFCut)
	}
	t.taken = append(t.taken, [2]int64{at, at + 2 + int64(len(b))})
	d := tiffIFD{next: int64(t.order.Uint32(b[n*12:]))}
	for i := range n {
		e := b[i*12:]
		f := tiffField{tag: t.order.Uint16(e), typ: t.order.Uint16(e[2:]), count: int64(t.order.Uint32(e[4:]))}
		if int(f.typ) >= len(tiffTypeBytes) || f.typ == 0 {
			continue
		}
		f.at, f.bytes = at+2+i*12+8, f.count*tiffTypeBytes[f.typ]
		if f.bytes > 4 {
			f.at = int64(t.order.Uint32(e[8:]))
			if f.at > t.size-f.bytes {
				if slices.Contains(tiffStructure, f.tag) && f.tag != tagXResolution && f.tag != tagYResolution {
					return tiffIFD{}, errTIFFCut
				}
				continue
			}
			t.taken = append(t.taken, [2]int64{f.at, f.at + f.bytes})
		}
		if _, twice := d.find(f.tag); twice && slices.Contains(tiffStructure, f.tag) {
			return tiffIFD{}, errTIFFStructure // readers differ on which of the two counts
		}
		d.fields = append(d.fields, f)
	}
	return d, nil
}

// value reads a field's value of at most limit bytes.
func (t *tiffFile) value(f tiffField, limit int64) ([]byte, error) {
	if f.bytes > limit {
		return nil, errTIFFStructure
	}
	b := make([]byte, f.bytes)
	if err := readAt(t.src, b, f.at); err != nil {
		return nil, cut(err, errTIFFCut)
	}
	return b, nil
}

// numbers reads a field of at most limit whole numbers.
func (t *tiffFile) numbers(f tiffField, limit int64) ([]uint32, error) {
	if f.count > limit {
		return nil, errTIFFStructure
	}
	b, err := t.value(f, limit*4)
	if err != nil {
		return nil, err
	}
	out := make([]uint32, f.count)
	for i := range out {
		switch f.typ {
		case 1:
			out[i] = uint32(b[i])
		case 3:
			out[i] = uint32(t.order.Uint16(b[2*i:]))
		case 4, 13:
			out[i] = t.order.Uint32(b[4*i:])
		default:
			return nil, errTIFFDamaged
		}
	}
	return out, nil
}

// number is the first number of a field, or otherwise where there is none.
func (t *tiffFile) number(d tiffIFD, tag uint16, otherwise uint32) uint32 {
	f, ok := d.find(tag)
	if !ok || f.count == 0 {
		return otherwise
	}
	f.count, f.bytes = 1, tiffTypeBytes[f.typ]
	n, err := t.numbers(f, 1)
	if err != nil {
		return otherwise
	}
	return n[0]
}

// pointers are the offsets of directories that a field names.
func (t *tiffFile) pointers(d tiffIFD, tag uint16, limit int64) []int64 {
	f, ok := d.find(tag)
	if !ok {
		return nil
	}
	n, err := t.numbers(f, limit)
	if err != nil {
		return nil
	}
	var out []int64
	for _, at := range n {
		out = append(out, int64(at))
	}
	return out
}

// rawTags reports whether a directory is one of a camera's raw file.
func rawTags(t *tiffFile, d tiffIFD) bool {
	for _, tag := range []uint16{tagCFAPattern, tagDNGVersion, tagDNGPrivate} {
		if _, ok := d.find(tag); ok {
			return true
		}
	}
	switch t.number(d, tagPhotometric, 0) {
	case 32803, 34892: // colour filter array, linear raw
		return true
	}
	switch t.number(d, tagCompression, 1) {
	case 32767, 32769, 32770, 34713, 34892, 65000, 65535: // Sony, Epson, Samsung, Nikon, lossy DNG, Kodak, Pentax
		return true
	}
	return false
}

// exifTold are the fields in which the first page tells of its making.
type exifTold struct {
	ifd0, exif, gps []tiffField
	camera          bool // it has what cameras write
}

func (x *exifTold) add(tag uint16, fields []tiffField) {
	if tag == tagGPS {
		x.gps = append(x.gps, fields...)
	} else {
		x.exif = append(x.exif, fields...)
	}
}

// maxTold is the longest value that is passed on for the receipt: a date.
const maxTold = 64

// block is a small EXIF block with what was told, so that one reader speaks
// for all formats. Of long values only their presence is told; nil means that
// there is nothing to tell.
func (x *exifTold) block(t *tiffFile) []byte {
	if len(x.ifd0)+len(x.exif)+len(x.gps) == 0 {
		return nil
	}
	b := append([]byte{'M', 'M', 0, 42}, 0, 0, 0, 8)
	pointers := map[uint16][]tiffField{tagExif: x.exif, tagGPS: x.gps}
	for tag, fields := range pointers {
		if len(fields) == 0 {
			delete(pointers, tag)
		}
	}
	at := map[uint16]int{}
	b = t.retell(b, x.ifd0, pointers, at)
	for tag, fields := range pointers {
		binary.BigEndian.PutUint32(b[at[tag]:], uint32(len(b)))
		b = t.retell(b, fields, nil, nil)
	}
	return b
}

// retell appends a directory of fields and pointers; at says where each
// pointer is to be filled in.
func (t *tiffFile) retell(b []byte, fields []tiffField, pointers map[uint16][]tiffField, at map[uint16]int) []byte {
	be := binary.BigEndian
	fields = fields[:min(len(fields), 1000)]
	b = be.AppendUint16(b, uint16(len(fields)+len(pointers)))
	values := len(b) + 12*(len(fields)+len(pointers)) + 4
	var tail []byte
	for _, f := range fields {
		v, err := t.value(f, maxTold)
		if f.typ != 2 || err != nil { // only text has dates in it, and text has no byte order
			b = append(be.AppendUint16(b, f.tag), 0, 7, 0, 0, 0, 1, 0, 0, 0, 0)
			continue
		}
		b = be.AppendUint32(append(be.AppendUint16(b, f.tag), 0, 2), uint32(len(v)))
		if len(v) <= 4 {
			b = append(append(b, v...), make([]byte, 4-len(v))...)
			continue
		}
		b = be.AppendUint32(b, uint32(values+len(tail)))
		tail = append(tail, v...)
	}
	for tag := range pointers {
		at[tag] = len(b) + 8
		b = append(be.AppendUint16(b, tag), 0, 4, 0, 0, 0, 1, 0, 0, 0, 0)
	}
	return append(append(b, 0, 0, 0, 0), tail...)
}
