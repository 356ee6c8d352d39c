package derive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"

	"golang.org/x/image/tiff"
)

// What the library does not read of TIFF: JPEG inside, planes, CMYK, YCbCr,
// Lab, a grey picture's alpha, other depths than 1, 8 and 16 bits, and LZW
// without its end code.

// tiffPage is the first directory of a TIFF (TIFF 6.0).
type tiffPage struct {
	order                               binary.ByteOrder
	width, height                       int
	bits, samples, format               int
	compression, photometric, predictor int
	separate, tiled                     bool
	partWidth, partHeight               int
	at, sizes                           []uint32 // of the strips or tiles
	extra                               int      // what the first further sample is
	palette                             []uint32
	sub                                 [2]int // subsampling of chroma
	narrow                              bool   // black is above 0
	tables                              []byte // of the JPEGs
}

const (
	tiffJPEG      = 7
	tiffWhiteZero = 0
	tiffRGB       = 2
	tiffPalette   = 3
	tiffCMYK      = 5
	tiffYCbCr     = 6
	tiffLab       = 8
	tiffICCLab    = 9
)

var errTIFF = errors.New("a TIFF of a form that is not read here")

func tiffConfig(b []byte) (image.Config, error) {
	cfg, err := tiff.DecodeConfig(bytes.NewReader(b))
	if err == nil {
		return cfg, nil
	}
	p, err := newTIFFPage(b)
	if err != nil {
		return image.Config{}, err
	}
	cfg = image.Config{ColorModel: color.NRGBAModel, Width: p.width, Height: p.height}
	if p.photometric == tiffCMYK {
		cfg.ColorModel = color.CMYKModel
	}
	return cfg, nil
}

func tiffDecode(b []byte) (image.Image, error) {
	img, err := tiff.Decode(bytes.NewReader(b))
	if err == nil {
		return img, nil
	}
	p, err := newTIFFPage(b)
	if err != nil {
		return nil, err
	}
	return p.decode(b)
}

func newTIFFPage(b []byte) (*tiffPage, error) {
	p := &tiffPage{order: binary.BigEndian}
	if len(b) < 8 {
		return nil, errTIFF
	}
	if b[0] == 'I' {
		p.order = binary.LittleEndian
	}
	at := int64(p.order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return nil, errTIFF
	}
	tags := map[uint16][]uint32{}
	for n, dir := int(p.order.Uint16(b[at:])), b[at+2:]; n > 0 && len(dir) >= 12; n, dir = n-1, dir[12:] {
		tag := p.order.Uint16(dir)
		if tags[tag] = p.values(b, dir[:12]); tag == 347 { // JPEGTables
			for _, v := range tags[tag] {
				p.tables = append(p.tables, byte(v))
			}
		}
	}
	first := func(tag uint16, otherwise int) int {
		if v := tags[tag]; len(v) > 0 {
			return int(v[0])
		}
		return otherwise
	}
	p.width, p.height = first(256, 0), first(257, 0)
	p.bits, p.samples, p.format = first(258, 1), first(277, 1), first(339, 1)
	p.compression, p.photometric, p.predictor = first(259, 1), first(262, -1), first(317, 1)
	p.separate = first(284, 1) == 2 && p.samples > 1
	p.extra, p.palette = first(338, 0), tags[320]
	p.partWidth, p.partHeight = p.width, min(first(278, p.height), p.height)
	p.at, p.sizes = tags[273], tags[279]
	if p.tiled = first(322, 0) > 0; p.tiled {
		p.partWidth, p.partHeight, p.at, p.sizes = first(322, 0), first(323, 0), tags[324], tags[325]
	}
	p.sub = [2]int{2, 2}
	if s := tags[530]; len(s) == 2 {
		p.sub = [2]int{int(s[0]), int(s[1])}
	}
	if p.photometric != tiffYCbCr || p.compression == tiffJPEG {
		p.sub = [2]int{1, 1}
	}
	if s := tags[532]; len(s) == 12 && s[1] > 0 { // ReferenceBlackWhite, in rationals
		p.narrow = s[0]/s[1] >= 15
	}
	return p, p.check()
}

// values reads a field of whole numbers; of rationals both halves.
func (p *tiffPage) values(b, entry []byte) []uint32 {
	size, ok := map[uint16]int64{1: 1, 3: 2, 4: 4, 5: 8, 7: 1}[p.order.Uint16(entry[2:])]
	count := int64(p.order.Uint32(entry[4:]))
	if !ok || count > int64(len(b)) {
		return nil
	}
	data := entry[8:]
	if size*count > 4 {
		at := int64(p.order.Uint32(data))
		if at+size*count > int64(len(b)) {
			return nil
		}
		data = b[at:]
	}
	if size == 8 {
		size, count = 4, 2*count
	}
	out := make([]uint32, count)
	for i := range out {
		switch v := data[int64(i)*size:]; size {
		case 1:
			out[i] = uint32(v[0])
		case 2:
			out[i] = uint32(p.order.Uint16(v))
		default:
			out[i] = p.order.Uint32(v)
		}
	}
	return out
}

// check refuses what would be shown wrong, or take more than it shows.
func (p *tiffPage) check() error {
	base, ok := map[int]int{tiffWhiteZero: 1, 1: 1, tiffRGB: 3, tiffPalette: 1, tiffCMYK: 4, tiffYCbCr: 3, tiffLab: 3, tiffICCLab: 3}[p.photometric]
	lab := p.photometric == tiffLab || p.photometric == tiffICCLab
	const spare = 1024 // by which tiles may be larger than the picture, as in the library
	switch {
	case !ok || p.samples < base || p.samples > 16:
	case p.bits < 1 || p.bits > 16 && p.bits != 32, lab && p.bits != 8 && p.bits != 16, p.photometric == tiffYCbCr && p.bits != 8:
	case p.photometric == tiffPalette && (p.bits > 16 || len(p.palette) != 3<<p.bits):
	case p.format != 1 && (p.format != 3 || p.bits != 32), p.format == 3 && (lab || p.photometric == tiffPalette || p.predictor != 1):
	case p.predictor != 1 && (p.predictor != 2 || p.bits%8 != 0):
	case p.width < 1 || p.height < 1 || p.partWidth < 1 || p.partHeight < 1:
	case p.partWidth > p.width+spare || p.partHeight > p.height+spare:
	case p.photometric == tiffYCbCr && (p.sub[0] < 1 || p.sub[0] > 4 || p.sub[1] < 1 || p.sub[1] > 4 || p.separate && p.sub != [2]int{1, 1}):
	default:
		return nil
	}
	return errTIFF
}

func (p *tiffPage) decode(b []byte) (image.Image, error) {
	to := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	across, down, planes := (p.width+p.partWidth-1)/p.partWidth, (p.height+p.partHeight-1)/p.partHeight, 1
	if p.separate {
		planes = p.samples
	}
	if n := across * down * planes; n > len(p.at) || n > len(p.sizes) {
		return nil, errTIFF
	}
	paint := p.painter()
	values := make([]uint32, p.samples)
	for j := range down {
		rows := p.partHeight
		if !p.tiled {
			rows = min(rows, p.height-j*p.partHeight)
		}
		for i := range across {
			data := make([]part, planes)
			for k := range data {
				at := (k*down+j)*across + i
				from, n := int64(p.at[at]), int64(p.sizes[at])
				if from+n > int64(len(b)) {
					return nil, errTIFF
				}
				var err error
				if data[k], err = p.part(b[from:from+n], rows); err != nil {
					return nil, err
				}
			}
			for y := range min(rows, p.height-j*p.partHeight) {
				row := to.Pix[(j*p.partHeight+y)*to.Stride:]
				for x := range min(p.partWidth, p.width-i*p.partWidth) {
					for k := range values {
						if p.separate {
							values[k] = data[k].value(x, y, 0)
						} else {
							values[k] = data[0].value(x, y, k)
						}
					}
					at := 4 * (i*p.partWidth + x)
					paint(row[at:at+4:at+4], values)
				}
			}
		}
	}
	return to, nil
}
