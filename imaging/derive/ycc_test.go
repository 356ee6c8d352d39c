package derive

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/wardseal/wardseal/internal/media"
)

// What is resized as luma and chroma comes out as what is resized in red, green
// and blue, at every subsampling, with odd sides and hardly any, upright or not.
func TestLumaAndChromaAreResizedAsColours(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		for _, size := range []image.Point{{1301, 403}, {1301, 1}, {2, 1301}} {
			img := waves(size.X, size.Y, ratio)
			for _, orientation := range []int{1, 6} {
				req := request{Sizes: []target{{LongEdge: 1100, Quality: 100}, {LongEdge: 300, Quality: 100}}}
				a, got, err := drawAll(img, facts{orientation: orientation}, nil, req)
				if err != nil {
					t.Fatal(err)
				}
				b, want, err := drawAll(imaging.Clone(img), facts{orientation: orientation}, nil, req)
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					if d := distance(t, got[i], want[i]); d > 1.5 {
						t.Errorf("%v, %v, orientation %d: picture %d is off by %.2f", ratio, size, orientation, i, d)
					}
				}
				if math.Abs(a.Quality.Sharpness-b.Quality.Sharpness) > 0.05*b.Quality.Sharpness+1 || fmt.Sprint(a.Quality.Flags) != fmt.Sprint(b.Quality.Flags) {
					t.Errorf("%v, %v: measured as %+v, and as %+v in colours", ratio, size, a.Quality, b.Quality)
				}
			}
		}
	}
}

// waves is a picture whose luma and colours change slowly.
func waves(w, h int, ratio image.YCbCrSubsampleRatio) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	for y := range h {
		for x := range w {
			img.Y[img.YOffset(x, y)] = uint8(128 + 60*math.Sin(float64(x*y)/9000) + float64(x*7+y*13)/float64(w+h)*4)
			k := img.COffset(x, y)
			img.Cb[k], img.Cr[k] = uint8(90+70*x/w), uint8(170-80*y/h)
		}
	}
	return img
}

// distance is the root of the mean square by which two JPEGs differ, in levels.
func distance(t *testing.T, a, b []byte) float64 {
	t.Helper()
	x, err1 := jpeg.Decode(bytes.NewReader(a))
	y, err2 := jpeg.Decode(bytes.NewReader(b))
	if err1 != nil || err2 != nil || x.Bounds() != y.Bounds() {
		t.Fatalf("%v, %v", err1, err2)
	}
	p, q, sum := imaging.Clone(x).Pix, imaging.Clone(y).Pix, 0.0
	for i := range p {
		d := float64(p[i]) - float64(q[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(p)))
}

// A photo's colours are right from end to end, at a size at which it is resized
// twice.
func TestColoursOfAPhoto(t *testing.T) {
	m := maker(t, "child", Config{})
	out, err := derive(m, jpegOf(t, quarters(2400, 1600), 95), media.JPEG, Sizes()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range out.Pictures {
		img, err := jpeg.Decode(bytes.NewReader(p.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		want := imaging.Resize(quarters(2400, 1600), p.Width, p.Height, imaging.CatmullRom)
		got := imaging.Clone(img)
		for _, at := range []image.Point{{p.Width / 4, p.Height / 4}, {3 * p.Width / 4, p.Height / 4}, {p.Width / 4, 3 * p.Height / 4}, {3 * p.Width / 4, 3 * p.Height / 4}} {
			x, y := got.NRGBAAt(at.X, at.Y), want.NRGBAAt(at.X, at.Y)
			for _, d := range []int{int(x.R) - int(y.R), int(x.G) - int(y.G), int(x.B) - int(y.B)} {
				if max(d, -d) > 4 {
					t.Errorf("%s at %v: %v, want %v", p.Rendition, at, x, y)
				}
			}
		}
	}
}
