package derive

import (
	"image/color"
	"math"
)

// What colour the samples of a TIFF are.

// painter gives what turns the samples of a pixel into its colour.
func (p *tiffPage) painter() func(to []uint8, v []uint32) {
	most := uint64(1)<<p.bits - 1
	byte8 := func(v uint32) uint8 { return uint8((uint64(v)*255 + most/2) / most) }
	if p.format == 3 {
		byte8 = func(v uint32) uint8 {
			return uint8(255*max(0, min(1, float64(math.Float32frombits(v)))) + 0.5) // a NaN is black
		}
	}
	alpha := func(to []uint8, v []uint32, base int) {
		to[3] = 255
		if len(v) <= base || p.extra != 1 && p.extra != 2 {
			return
		}
		if to[3] = byte8(v[base]); p.extra == 1 && to[3] > 0 { // the colours are multiplied with it
			for k := range 3 {
				to[k] = uint8(min(255, (int(to[k])*255+int(to[3])/2)/int(to[3])))
			}
		}
	}
	switch p.photometric {
	case tiffRGB:
		return func(to []uint8, v []uint32) {
			to[0], to[1], to[2] = byte8(v[0]), byte8(v[1]), byte8(v[2])
			alpha(to, v, 3)
		}
	case tiffPalette:
		n := uint32(len(p.palette) / 3)
		return func(to []uint8, v []uint32) {
			for k := range uint32(3) {
				to[k] = uint8(p.palette[k*n+v[0]] >> 8)
			}
			alpha(to, v, 1)
		}
	case tiffCMYK:
		return func(to []uint8, v []uint32) {
			to[0], to[1], to[2] = color.CMYKToRGB(byte8(v[0]), byte8(v[1]), byte8(v[2]), byte8(v[3]))
			alpha(to, v, 4)
		}
	case tiffYCbCr:
		t := newTables(coding{matrix: matrixBT601, full: !p.narrow})
		return func(to []uint8, v []uint32) {
			to[0], to[1], to[2] = t.rgb(byte8(v[0]), byte8(v[1]), byte8(v[2]))
			alpha(to, v, 3)
		}
	case tiffLab, tiffICCLab:
		return func(to []uint8, v []uint32) {
			to[0], to[1], to[2] = labToSRGB(p.lab(v))
			alpha(to, v, 3)
		}
	}
	return func(to []uint8, v []uint32) {
		g := byte8(v[0])
		if p.photometric == tiffWhiteZero {
			g = ^g
		}
		to[0], to[1], to[2] = g, g, g
		alpha(to, v, 1)
	}
}

// lab reads CIE L*a*b*, whose a and b are signed, or in ICC's form moved up.
func (p *tiffPage) lab(v []uint32) (l, a, b float64) {
	most, signed := 255.0, func(v uint32) float64 { return float64(int8(v)) }
	if p.bits == 16 {
		most, signed = 65535, func(v uint32) float64 { return float64(int16(v)) / 256 }
	}
	if p.photometric == tiffICCLab {
		signed = func(v uint32) float64 { return float64(v)*255/most - 128 }
		if p.bits == 16 {
			most = 65280
			signed = func(v uint32) float64 { return float64(v)/256 - 128 }
		}
	}
	return float64(v[0]) * 100 / most, signed(v[1]), signed(v[2])
}

// labToSRGB takes the white of D50, as TIFF 6.0 has it, to that of sRGB.
func labToSRGB(l, a, b float64) (r, g, bl uint8) {
	f := func(t float64) float64 {
		if t > 6.0/29 {
			return t * t * t
		}
		return 3 * 36.0 / 841 * (t - 4.0/29)
	}
	fy := (l + 16) / 116
	x, y, z := 0.96422*f(fy+a/500), f(fy), 0.82521*f(fy-b/200)
	number := func(v float64) uint8 { return uint8(math.Round(255 * srgbCurve(max(0, min(1, v))))) }
	return number(3.1338561*x - 1.6168667*y - 0.4906146*z), number(-0.9787684*x + 1.9161415*y + 0.0334540*z), number(0.0719453*x - 0.2289914*y + 1.4052427*z)
}
