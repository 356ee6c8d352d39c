package derive

import (
	"image"
	"image/color"
	"runtime"
	"sync"

	"github.com/disintegration/imaging"
)

// A photo comes out of the decoder as luma and chroma, and goes into the encoder
// as that. Resampling is linear, so it does not mind which three numbers a pixel
// has: the resizing library is given luma and chroma in the place of red, green
// and blue, and no pixel of the original is converted there and back.

// inPlace gives a picture whose red, green and blue are the luma and chroma of img.
func inPlace(img *image.YCbCr) *image.NRGBA {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	shift, _ := halvings(img.SubsampleRatio)
	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	beside(h, func(y int) {
		luma := img.Y[img.YOffset(0, y):][:w]
		at := img.COffset(0, y)
		cb, cr := img.Cb[at:], img.Cr[at:]
		row := to.Pix[y*to.Stride:][:4*w]
		for x, v := range luma {
			p := row[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2], p[3] = v, cb[x>>shift], cr[x>>shift], 255
		}
	})
	return to
}

// halvings is how many times the chroma's width and height are halved.
func halvings(ratio image.YCbCrSubsampleRatio) (width, height int) {
	switch ratio {
	case image.YCbCrSubsampleRatio422:
		return 1, 0
	case image.YCbCrSubsampleRatio420:
		return 1, 1
	case image.YCbCrSubsampleRatio440:
		return 0, 1
	case image.YCbCrSubsampleRatio411:
		return 2, 0
	case image.YCbCrSubsampleRatio410:
		return 2, 1
	}
	return 0, 0
}

// shrunk is inPlace of img at a smaller size, for half the work of resizing what
// inPlace gives. The library resizes three colours at once: here they are three
// thirds of the luma, the rows' first and then the columns'. Chroma is brought to
// half the size at once, as the encoder would halve it.
func shrunk(img *image.YCbCr, w, h int) *image.NRGBA {
	if img.Rect.Dx() == w && img.Rect.Dy() == h {
		return inPlace(img)
	}
	chroma := imaging.Resize(chromaOf(img), (w+1)/2, (h+1)/2, imaging.CatmullRom)

	height := img.Rect.Dy()
	third := (height + 2) / 3 // of the rows
	rows := image.NewNRGBA(image.Rect(0, 0, img.Rect.Dx(), third))
	beside(third, func(y int) {
		row := func(k int) []uint8 { return img.Y[min(y+k*third, height-1)*img.YStride:] }
		abreast(rows.Pix[y*rows.Stride:][:rows.Stride], row(0), row(1), row(2))
	})
	rows = imaging.Resize(rows, w, third, imaging.CatmullRom)

	part := (w + 2) / 3 // of the columns
	columns := image.NewNRGBA(image.Rect(0, 0, part, height))
	beside(height, func(y int) {
		from := rows.Pix[y%third*rows.Stride+y/third:]
		to := columns.Pix[y*columns.Stride:][:columns.Stride]
		for x := range part {
			p := to[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[2], p[3] = from[4*x], from[4*min(x+part, w-1)], from[4*min(x+2*part, w-1)], 255
		}
	})
	columns = imaging.Resize(columns, part, h, imaging.CatmullRom)

	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	beside(h, func(y int) {
		luma, colour := columns.Pix[y*columns.Stride:], chroma.Pix[y/2*chroma.Stride:]
		row := to.Pix[y*to.Stride:][:4*w]
		for x := range w {
			p, c := row[4*x:4*x+4:4*x+4], colour[x/2*4:]
			p[0], p[1], p[2], p[3] = luma[x%part*4+x/part], c[0], c[1], 255
		}
	})
	return to
}

// chromaOf gives a picture whose red and green are the chroma of img, at half its
// width and height or what they already are halved to.
func chromaOf(img *image.YCbCr) *image.NRGBA {
	narrow, low := halvings(img.SubsampleRatio)
	width, height := up(img.Rect.Dx(), narrow), up(img.Rect.Dy(), low)
	across, down := max(0, 1-narrow), max(0, 1-low) // what is left to halve
	to := image.NewNRGBA(image.Rect(0, 0, up(width, across), up(height, down)))
	beside(to.Rect.Dy(), func(y int) {
		row := to.Pix[y*to.Stride:][:to.Stride]
		first, second := y<<down*img.CStride, min(y<<down+down, height-1)*img.CStride
		if across+down == 0 {
			abreast(row, img.Cb[first:], img.Cr[first:], img.Cr[first:])
			return
		}
		mean := func(c []uint8, left, right int) uint8 {
			return uint8((int(c[first+left]) + int(c[first+right]) + int(c[second+left]) + int(c[second+right]) + 2) / 4)
		}
		for x := range to.Rect.Dx() {
			left, right := x<<across, min(x<<across+across, width-1)
			p := row[4*x : 4*x+4 : 4*x+4]
			p[0], p[1], p[3] = mean(img.Cb, left, right), mean(img.Cr, left, right), 255
		}
	})
	return to
}

// up halves n so many times, and rounds up.
func up(n, times int) int { return (n + 1<<times - 1) >> times }

// abreast writes three rows as the colours of one without clear parts.
func abreast(to, a, b, c []uint8) {
	n := len(to) / 4
	a, b, c = a[:n], b[:n], c[:n]
	for x, v := range a {
		p := to[4*x : 4*x+4 : 4*x+4]
		p[0], p[1], p[2], p[3] = v, b[x], c[x], 255
	}
}

// beside does what is to be done for each of n rows, on every processor.
func beside(n int, row func(y int)) {
	var all sync.WaitGroup
	parts := min(runtime.GOMAXPROCS(0), n)
	for i := range parts {
		all.Go(func() {
			for y := i * n / parts; y < (i+1)*n/parts; y++ {
				row(y)
			}
		})
	}
	all.Wait()
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
