package derive

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"io"

	"golang.org/x/image/tiff/lzw"
)

// How the strips and tiles of a TIFF are unpacked.

// part is a strip or tile, or one plane of it, unpacked.
type part struct {
	data     []byte
	rowBytes int
	samples  int
	bits     int
	order    binary.ByteOrder
	sub      [2]int // of chroma in units: luma of a few pixels, then the two of chroma
}

func (p *tiffPage) part(b []byte, rows int) (part, error) {
	out := part{samples: p.samples, bits: p.bits, order: p.order, sub: p.sub}
	if p.separate {
		out.samples = 1
	}
	if p.compression == tiffJPEG {
		return out, p.jpeg(b, rows, &out)
	}
	out.rowBytes = (p.partWidth*out.samples*p.bits + 7) / 8
	n := out.rowBytes * rows
	if p.sub != [2]int{1, 1} {
		if p.samples != 3 || p.predictor != 1 {
			return out, errTIFF
		}
		out.rowBytes = (p.partWidth + p.sub[0] - 1) / p.sub[0] * (p.sub[0]*p.sub[1] + 2)
		n = out.rowBytes * ((rows + p.sub[1] - 1) / p.sub[1])
	}
	var r io.Reader = bytes.NewReader(b)
	switch p.compression {
	case 1:
	case 5:
		l := lzw.NewReader(r, lzw.MSB, 8)
		defer func() { _ = l.Close() }()
		r = l
	case 8, 32946:
		z, err := zlib.NewReader(r)
		if err != nil {
			return out, err
		}
		r = z
	case 32773:
		r = bytes.NewReader(unpackBits(b, n))
	default:
		return out, errTIFF
	}
	out.data = make([]byte, n)
	if _, err := io.ReadFull(r, out.data); err != nil { // nothing is asked of what follows
		return out, fmt.Errorf("a strip: %w", err)
	}
	if p.predictor == 2 {
		out.accumulate()
	}
	return out, nil
}

// unpackBits gives at most n bytes.
func unpackBits(b []byte, n int) []byte {
	out := make([]byte, 0, n)
	for len(b) > 1 && len(out) < n {
		switch c := int(int8(b[0])); {
		case c >= 0:
			k := min(c+1, len(b)-1)
			out, b = append(out, b[1:1+k]...), b[1+k:]
		case c == -128:
			b = b[1:]
		default:
			out, b = append(out, bytes.Repeat(b[1:2], 1-c)...), b[2:]
		}
	}
	return out[:min(n, len(out))]
}

// accumulate undoes horizontal differencing.
func (t part) accumulate() {
	size := t.bits / 8
	step := size * t.samples
	for ; len(t.data) >= t.rowBytes; t.data = t.data[t.rowBytes:] {
		row := t.data[:t.rowBytes]
		for i := step; i+size <= len(row); i += size {
			switch size {
			case 1:
				row[i] += row[i-step]
			case 2:
				t.order.PutUint16(row[i:], t.order.Uint16(row[i:])+t.order.Uint16(row[i-step:]))
			case 4:
				t.order.PutUint32(row[i:], t.order.Uint32(row[i:])+t.order.Uint32(row[i-step:]))
			}
		}
	}
}

// value gives the k-th sample of a pixel, as it stands.
func (t part) value(x, y, k int) uint32 {
	if t.sub != [2]int{1, 1} {
		luma := t.sub[0] * t.sub[1]
		unit := t.data[y/t.sub[1]*t.rowBytes+x/t.sub[0]*(luma+2):]
		if k > 0 {
			return uint32(unit[luma+k-1])
		}
		return uint32(unit[y%t.sub[1]*t.sub[0]+x%t.sub[0]])
	}
	row, i := t.data[y*t.rowBytes:], x*t.samples+k
	switch t.bits {
	case 8:
		return uint32(row[i])
	case 16:
		return uint32(t.order.Uint16(row[2*i:]))
	case 32:
		return t.order.Uint32(row[4*i:])
	}
	v := uint32(0)
	for at := i * t.bits; at < (i+1)*t.bits; at++ {
		v = v<<1 | uint32(row[at/8]>>(7-at%8)&1)
	}
	return v
}

// jpeg decodes a strip or tile that is a JPEG of its own but for the tables
// (Adobe's Technical Note 2). What its colours are is the directory's to say.
func (p *tiffPage) jpeg(b []byte, rows int, to *part) error {
	if len(b) < 4 || p.bits != 8 {
		return errTIFF
	}
	b = b[2:]
	if n := 2 + int(binary.BigEndian.Uint16(b[2:])); b[0] == 0xff && b[1] == 0xee && n <= len(b) {
		b = b[n:]
	}
	transform := byte(0)
	if p.photometric == tiffYCbCr {
		transform = 1
	}
	whole := append([]byte("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"), transform)
	if len(p.tables) > 4 {
		whole = append(whole, p.tables[2:len(p.tables)-2]...)
	}
	whole = append(whole, b...)
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(whole))
	if err != nil {
		return err
	}
	if cfg.Width != p.partWidth || cfg.Height < rows || cfg.Height > p.partHeight {
		return errTIFF
	}
	img, err := jpeg.Decode(bytes.NewReader(whole))
	if err != nil {
		return err
	}
	w := p.partWidth
	switch img := img.(type) {
	case *image.Gray:
		if to.samples != 1 {
			return errTIFF
		}
		to.data, to.rowBytes = img.Pix, img.Stride
	case *image.CMYK: // turned over, as Adobe's programs have it in files of their own
		if to.samples != 4 || p.photometric != tiffCMYK {
			return errTIFF
		}
		for i := range img.Pix {
			img.Pix[i] = ^img.Pix[i]
		}
		to.data, to.rowBytes = img.Pix, img.Stride
	case *image.YCbCr, *image.RGBA:
		if to.samples != 3 || p.photometric != tiffRGB && p.photometric != tiffYCbCr {
			return errTIFF
		}
		to.data, to.rowBytes = make([]byte, 3*w*rows), 3*w
		for y := range rows {
			for x := range w {
				v := to.data[y*to.rowBytes+3*x:]
				switch img := img.(type) {
				case *image.RGBA:
					copy(v, img.Pix[img.PixOffset(x, y):][:3])
				case *image.YCbCr:
					c := img.COffset(x, y)
					v[0], v[1], v[2] = img.Y[img.YOffset(x, y)], img.Cb[c], img.Cr[c]
				}
			}
		}
	default:
		return errTIFF
	}
	return nil
}
