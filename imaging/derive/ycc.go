package derive

import (
	"image"
	"image/color"
)

// A photo comes out of the decoder as luma and chroma, and goes into the encoder
// as that. Resampling is linear, so it does not mind which three numbers a pixel
// has: the resizing library is given luma and chroma in the place of red, green
// and blue, and no pixel of the original is converted there and back.

// inPlace gives a picture whose red, green and blue are the luma and chroma of img.
func inPlace(img *image.YCbCr) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	shift := 0 // by so much the chroma is narrower
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420:
		shift = 1
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		shift = 2
	}
	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		luma := img.Y[img.YOffset(0, y):][:w]
		at := img.COffset(0, y)
		cb, cr := img.Cb[at:], img.Cr[at:]
		row := to.Pix[y*to.Stride:][:4*w]
		for x, v := range luma {
			p := row[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2], p[3] = v, cb[x>>shift], cr[x>>shift], 255
		}
	}
	return to
}

// outOfPlace is the inverse of inPlace.
func outOfPlace(img *image.NRGBA) *image.YCbCr {
	to := image.NewYCbCr(img.Rect, image.YCbCrSubsampleRatio444)
	for i := range to.Y { // both are without gaps between rows
		p := img.Pix[4*i : 4*i+3 : 4*i+3]
		to.Y[i], to.Cb[i], to.Cr[i] = p[0], p[1], p[2]
	}
	return to
}

// toRGBInPlace turns what inPlace gave into red, green and blue.
func toRGBInPlace(img *image.NRGBA) {
	for i := 0; i+3 < len(img.Pix); i += 4 {
		p := img.Pix[i : i+3 : i+3]
		p[0], p[1], p[2] = color.YCbCrToRGB(p[0], p[1], p[2])
	}
}
