package derive

import (
	"errors"
	"image"
	"math"
	"slices"

	"github.com/disintegration/imaging"

	"github.com/wardseal/wardseal/internal/media"
)

// measureEdge is the longer edge at which pictures are measured: sharpness
// depends on size, so all are brought to one. None is enlarged.
const measureEdge = 1024

// tileEdge is the side of the tiles whose sharpness is compared.
const tileEdge = 64

// What the flags say, chosen on real photos; docs/decisions/0007 says how.
const (
	sharpEnough  = 15.0 // below: blurred
	blackLevel   = 8
	whiteLevel   = 250
	darkLevel    = 60  // when nine pixels of ten are darker: dark
	whiteTooMuch = 0.4 // share of white pixels
)

// normalised gives a picture at the size at which pictures are measured.
func normalised(img image.Image) *image.NRGBA {
	w, h := fit(img.Bounds().Dx(), img.Bounds().Dy(), measureEdge)
	return imaging.Resize(img, w, h, imaging.Box)
}

// measure gives the quality facts of a picture that has been decoded. With ycc
// it is what inPlace gives.
func measure(img image.Image, ycc bool) media.Quality {
	small := normalised(img) // of the right size already, a copy
	w, h := small.Rect.Dx(), small.Rect.Dy()
	if ycc {
		toRGBInPlace(small)
	}
	onWhite(small)
	luma := make([]uint8, w*h)
	var histogram [256]int
	white := 0
	for i := range luma {
		p := small.Pix[4*i : 4*i+3 : 4*i+3]
		luma[i] = uint8((299*int(p[0]) + 587*int(p[1]) + 114*int(p[2]) + 500) / 1000)
		histogram[luma[i]]++
		if min(p[0], p[1], p[2]) >= whiteLevel {
			white++
		}
	}
	black, below := 0, 0
	for v, n := range histogram {
		if v <= blackLevel {
			black += n
		}
		if v < darkLevel {
			below += n
		}
	}
	all := float64(len(luma))
	share := func(n int) float64 { return math.Round(float64(n)/all*1e4) / 1e4 }
	gain := contrast(histogram[:], len(luma))
	q := media.Quality{Sharpness: math.Round(sharpness(luma, w, h)*gain*gain*10) / 10, Shadows: share(black), Highlights: share(white), Flags: []media.Flag{}}
	if q.Sharpness < sharpEnough {
		q.Flags = append(q.Flags, media.Blurred)
	}
	if float64(below) > 0.9*all {
		q.Flags = append(q.Flags, media.Dark)
	}
	if q.Highlights > whiteTooMuch {
		q.Flags = append(q.Flags, media.Overexposed)
	}
	return q
}

// contrast gives by how much the picture's luma could be spread, within
// bounds: a dark picture's edges are small numbers, and none the less sharp.
func contrast(histogram []int, all int) float64 {
	edge := func(share float64) int {
		n := 0
		for v, k := range histogram {
			if n += k; float64(n) >= share*float64(all) {
				return v
			}
		}
		return len(histogram) - 1
	}
	const most = 4
	return min(most, max(1, 255/float64(max(1, edge(0.99)-edge(0.01)))))
}

// sharpness is the variance of the second difference in the sharpest tenth of
// tiles: a wound in focus before a blurred ward is a sharp picture. It is taken
// along four directions, of which the softest counts: a shaken picture is sharp
// across the shake.
func sharpness(luma []uint8, w, h int) float64 {
	steps := [4]int{1, w, w + 1, w - 1}
	var tiles [len(steps)][]float64
	for y0 := 1; y0 < h-1; y0 += tileEdge {
		for x0 := 1; x0 < w-1; x0 += tileEdge {
			x1, y1 := min(x0+tileEdge, w-1), min(y0+tileEdge, h-1)
			if len(tiles[0]) > 0 && (x1-x0)*(y1-y0) < tileEdge*tileEdge/4 {
				continue // a sliver at the edge says little
			}
			n := float64((x1 - x0) * (y1 - y0))
			for k, step := range steps {
				sum, squares := 0, 0
				for y := y0; y < y1; y++ {
					for i := y*w + x0; i < y*w+x1; i++ {
						d := 2*int(luma[i]) - int(luma[i-step]) - int(luma[i+step])
						sum, squares = sum+d, squares+d*d
					}
				}
				mean := float64(sum) / n
				tiles[k] = append(tiles[k], float64(squares)/n-mean*mean)
			}
		}
	}
	if len(tiles[0]) == 0 {
		return 0
	}
	softest := math.Inf(1)
	for _, all := range tiles {
		slices.Sort(all)
		softest = min(softest, all[len(all)-1-len(all)/10])
	}
	return softest
}

// acceptQuality takes what a child measured, and believes nothing beyond its
// form.
func acceptQuality(q *media.Quality, w, h int) (media.Quality, error) {
	if q == nil {
		return media.Quality{}, errors.New("nothing was measured")
	}
	share := func(v float64) bool { return v >= 0 && v <= 1 } // not so for NaN
	if !(q.Sharpness >= 0 && q.Sharpness < 1e7) || !share(q.Shadows) || !share(q.Highlights) || len(q.Flags) > 3 {
		return media.Quality{}, errors.New("a measure is out of range")
	}
	for i, f := range q.Flags {
		if !f.Valid() || slices.Contains(q.Flags[:i], f) {
			return media.Quality{}, errors.New("no such flag")
		}
	}
	out := *q
	out.Width, out.Height = w, h
	if out.Flags == nil {
		out.Flags = []media.Flag{}
	}
	return out, nil
}
