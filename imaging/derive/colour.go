package derive

import (
	"encoding/binary"
	"image"
	"math"
)

// shown brings a picture without a profile, in place, into colours that every
// viewer shows right, and gives the profile that says which: none for sRGB,
// that of Display P3 for wider colours. It works on the resized picture.
func (c coding) shown(img *image.NRGBA) []byte {
	hdr := c.transfer == transferPQ || c.transfer == transferHLG
	wide := c.primaries == primariesP3 || c.primaries == primariesBT2020 || c.primaries == primariesDCI
	switch {
	case !hdr && !wide && c.transfer != transferLinear:
		return nil
	case c.primaries == primariesP3 && !hdr && c.transfer != transferLinear:
		return p3Profile() // as it is
	}
	c.convert(img)
	if wide {
		return p3Profile()
	}
	return nil
}

// convert works pixel by pixel: to light, to the primaries of Display P3 when
// they are wider, a soft shoulder for what is brighter than a screen's white,
// and back to numbers by sRGB's curve.
func (c coding) convert(img *image.NRGBA) {
	var light [256]float64
	for i := range light {
		light[i] = c.light(float64(i) / 255)
	}
	var back [4096]uint8
	for i := range back {
		back[i] = uint8(math.Round(255 * srgbCurve(float64(i)/4095)))
	}
	m := identity3
	if c.primaries == primariesBT2020 {
		m = bt2020ToP3
	}
	for i := 0; i+3 < len(img.Pix); i += 4 {
		p := img.Pix[i : i+3 : i+3]
		r, g, b := light[p[0]], light[p[1]], light[p[2]]
		if c.transfer == transferHLG { // BT.2100, system gamma of 1.2
			y := 0.2627*r + 0.6780*g + 0.0593*b
			k := math.Pow(y, 0.2) * hdrPeak / hdrWhite
			r, g, b = r*k, g*k, b*k
		}
		v := [3]float64{m[0]*r + m[1]*g + m[2]*b, m[3]*r + m[4]*g + m[5]*b, m[6]*r + m[7]*g + m[8]*b}
		scale := 1.0
		if top := max(v[0], v[1], v[2]); c.transfer == transferPQ || c.transfer == transferHLG {
			scale = shoulder(top) / max(top, 1e-9)
		}
		for k := range p {
			p[k] = back[int(math.Round(4095*max(0, min(1, v[k]*scale))))]
		}
	}
}

// What BT.2408 takes for white, and a usual peak, in candela per square metre.
const (
	hdrWhite = 203.0
	hdrPeak  = 1000.0
)

// shoulder leaves light below three quarters of white alone, and presses all
// that is brighter into the rest.
func shoulder(v float64) float64 {
	const knee = 0.75
	if v <= knee {
		return v
	}
	return knee + (1-knee)*(1-math.Exp(-(v-knee)/(1-knee)))
}

// light gives the light of a number from 0 to 1: relative to white for PQ,
// scene light for HLG.
func (c coding) light(v float64) float64 {
	switch c.transfer {
	case transferLinear:
		return v
	case transferPQ: // SMPTE ST 2084
		const m1, m2, c1, c2, c3 = 2610.0 / 16384, 2523.0 / 4096 * 128, 3424.0 / 4096, 2413.0 / 4096 * 32, 2392.0 / 4096 * 32
		p := math.Pow(v, 1/m2)
		return math.Pow(max(p-c1, 0)/(c2-c3*p), 1/m1) * 10000 / hdrWhite
	case transferHLG: // BT.2100
		const a, b, d = 0.17883277, 0.28466892, 0.55991073
		if v <= 0.5 {
			return v * v / 3
		}
		return (math.Exp((v-d)/a) + b) / 12
	}
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

// srgbCurve is the inverse of light, for sRGB (IEC 61966-2-1).
func srgbCurve(v float64) float64 {
	if v <= 0.0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

var (
	identity3  = [9]float64{1, 0, 0, 0, 1, 0, 0, 0, 1}
	bt2020ToP3 = [9]float64{
		1.343578, -0.282180, -0.061399,
		-0.065297, 1.075788, -0.010490,
		0.002822, -0.019598, 1.016777,
	}
)

// p3Profile builds an ICC profile (ICC.1:2010, version 2.4) of Display P3:
// its primaries adapted to D50, and sRGB's curve.
func p3Profile() []byte {
	fixed := func(b []byte, v float64) []byte {
		return binary.BigEndian.AppendUint32(b, uint32(int32(math.Round(v*65536))))
	}
	xyz := func(x, y, z float64) []byte {
		return fixed(fixed(fixed([]byte("XYZ \x00\x00\x00\x00"), x), y), z)
	}
	const steps = 1024
	curve := binary.BigEndian.AppendUint32([]byte("curv\x00\x00\x00\x00"), steps)
	srgb := coding{}
	for i := range steps {
		curve = binary.BigEndian.AppendUint16(curve, uint16(math.Round(65535*srgb.light(float64(i)/(steps-1)))))
	}
	name := "Display P3"
	desc := binary.BigEndian.AppendUint32([]byte("desc\x00\x00\x00\x00"), uint32(len(name)+1))
	desc = append(append(desc, name...), make([]byte, 1+4+4+2+1+67)...)
	cprt := []byte("text\x00\x00\x00\x00No copyright\x00")
	tags := []struct {
		name string
		body []byte
	}{
		{"desc", desc}, {"cprt", cprt}, {"wtpt", xyz(0.96420, 1, 0.82491)},
		{"rXYZ", xyz(0.51512, 0.24120, -0.00105)}, {"gXYZ", xyz(0.29198, 0.69225, 0.04189)}, {"bXYZ", xyz(0.15710, 0.06657, 0.78407)},
		{"rTRC", curve}, {"gTRC", nil}, {"bTRC", nil},
	}
	head := make([]byte, 128)
	copy(head[8:], "\x02\x40\x00\x00mntrRGB XYZ ")
	copy(head[24:], "\x07\xe0\x00\x01\x00\x01") // a date: 2016-01-01
	copy(head[36:], "acsp")
	copy(head[68:], xyz(0.96420, 1, 0.82491)[8:])
	table := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	var body []byte
	at, size := 0, 0
	for _, t := range tags {
		if t.body != nil {
			for len(body)%4 != 0 {
				body = append(body, 0)
			}
			at, size = 128+4+12*len(tags)+len(body), len(t.body)
			body = append(body, t.body...)
		}
		table = append(table, t.name...)
		table = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(table, uint32(at)), uint32(size))
	}
	out := append(append(head, table...), body...)
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return out
}
