package derive

import (
	"image"
	"math"
)

// coding is how numbers in a file stand for colours (ITU-T H.273). The zero
// coding says nothing.
type coding struct {
	primaries, transfer, matrix int
	full                        bool // the numbers use their whole range
}

// Values of H.273 that are told apart here.
const (
	primariesBT2020 = 9
	primariesDCI    = 11
	primariesP3     = 12

	transferLinear = 8
	transferPQ     = 16
	transferHLG    = 18

	matrixIdentity = 0
	matrixBT709    = 1
	matrixBT601    = 6
	matrixBT2020   = 9
)

// jfif is the coding that image.YCbCr means.
var jfif = coding{matrix: matrixBT601, full: true}

// or fills in from d what c leaves unspecified.
func (c coding) or(d coding) coding {
	const unspecified = 2
	for to, from := range map[*int]int{&c.primaries: d.primaries, &c.transfer: d.transfer, &c.matrix: d.matrix} {
		if *to == unspecified && from != 0 {
			*to = from
		}
	}
	return c
}

// luma gives the weights of red and blue in a matrix.
func (c coding) luma() (kr, kb float64) {
	switch c.matrix {
	case matrixBT709:
		return 0.2126, 0.0722
	case matrixBT2020, 10:
		return 0.2627, 0.0593
	}
	return 0.299, 0.114
}

// toRGB gives a picture of luma and chroma in red, green and blue when its
// coding is another than image.YCbCr means. Others it gives as they are.
func toRGB(img image.Image, c coding) image.Image {
	var y *image.YCbCr
	var alpha *image.NYCbCrA
	switch img := img.(type) {
	case *image.YCbCr:
		y = img
	case *image.NYCbCrA:
		y, alpha = &img.YCbCr, img
	default:
		return img
	}
	if kr, _ := c.luma(); alpha == nil && c.full && kr == 0.299 && c.matrix != matrixIdentity {
		return img
	}
	tables := newTables(c)
	w, h := y.Rect.Dx(), y.Rect.Dy()
	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	for j := range h {
		row := to.Pix[j*to.Stride:]
		for i := range w {
			x, z := y.Rect.Min.X+i, y.Rect.Min.Y+j
			k := y.COffset(x, z)
			p := row[4*i : 4*i+4 : 4*i+4]
			p[0], p[1], p[2] = tables.rgb(y.Y[y.YOffset(x, z)], y.Cb[k], y.Cr[k])
			p[3] = 255
			if alpha != nil {
				p[3] = alpha.A[alpha.AOffset(x, z)]
			}
		}
	}
	return to
}

// tables are the products of one coding's matrix, in 1/65,536.
type tables struct {
	y, rv, gu, gv, bu [256]int32
	identity          bool
}

func newTables(c coding) *tables {
	t := &tables{identity: c.matrix == matrixIdentity}
	kr, kb := c.luma()
	kg := 1 - kr - kb
	lumaScale, lumaZero, chromaScale := 255.0/219, 16.0, 255.0/224
	if c.full {
		lumaScale, lumaZero, chromaScale = 1, 0, 1
	}
	fixed := func(v float64) int32 { return int32(math.Round(v * 65536)) }
	for i := range 256 {
		u := (float64(i) - 128) * chromaScale
		t.y[i] = fixed((float64(i)-lumaZero)*lumaScale) + 1<<15
		t.rv[i] = fixed(u * 2 * (1 - kr))
		t.bu[i] = fixed(u * 2 * (1 - kb))
		t.gv[i] = fixed(-u * 2 * kr * (1 - kr) / kg)
		t.gu[i] = fixed(-u * 2 * kb * (1 - kb) / kg)
	}
	return t
}

func (t *tables) rgb(y, cb, cr uint8) (r, g, b uint8) {
	clamp := func(v int32) uint8 { return uint8(max(0, min(255, v>>16))) }
	if t.identity { // H.273, 8.3: green, blue, red
		return clamp(t.y[cr]), clamp(t.y[y]), clamp(t.y[cb])
	}
	l := t.y[y]
	return clamp(l + t.rv[cr]), clamp(l + t.gu[cb] + t.gv[cr]), clamp(l + t.bu[cb])
}
