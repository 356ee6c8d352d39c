package derive

import (
	"image"
	"slices"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/wardseal/wardseal/internal/media"
)

// textured is a chart with fine stripes, as skin and dressings have.
func textured(w, h int) *image.NRGBA {
	img := patches(w, h, false)
	for i := 0; i < len(img.Pix); i += 4 {
		x, y := i/4%w, i/4/w
		if (x/5+y/7)%2 == 0 {
			for k := range 3 {
				img.Pix[i+k] = uint8(int(img.Pix[i+k]) * 4 / 5)
			}
		}
	}
	return img
}

func times(img *image.NRGBA, by float64) *image.NRGBA {
	out := imaging.Clone(img)
	for i := range out.Pix {
		if i%4 != 3 {
			out.Pix[i] = uint8(min(255, float64(out.Pix[i])*by))
		}
	}
	return out
}

func TestQuality(t *testing.T) {
	sharp := textured(1600, 1200)
	blurred := imaging.Blur(sharp, 8)
	// A sharp wound in the middle of a blurred ward.
	subject := imaging.Paste(blurred, imaging.CropCenter(sharp, 600, 500), image.Pt(500, 350))
	for name, c := range map[string]struct {
		img  *image.NRGBA
		want []media.Flag
	}{
		"sharp":                {sharp, nil},
		"small":                {textured(300, 200), nil},
		"blurred":              {blurred, []media.Flag{media.Blurred}},
		"a sharp subject":      {subject, nil},
		"dark, and sharp":      {times(sharp, 0.12), []media.Flag{media.Dark}},
		"dark, and blurred":    {times(blurred, 0.12), []media.Flag{media.Blurred, media.Dark}},
		"overexposed":          {times(sharp, 3), []media.Flag{media.Overexposed}},
		"a white page":         {imaging.New(800, 600, image.White), []media.Flag{media.Blurred, media.Overexposed}},
		"nothing at all":       {image.NewNRGBA(image.Rect(0, 0, 1, 1)), []media.Flag{media.Blurred, media.Overexposed}},
		"one line of a number": {textured(900, 2), []media.Flag{media.Blurred}},
	} {
		if q := measure(c.img); !slices.Equal(q.Flags, c.want) {
			t.Errorf("%s: %+v, want %v", name, q, c.want)
		}
	}
	// The child measures the same, whatever sizes are asked for.
	m := maker(t, "child", Config{})
	for _, sizes := range [][]Size{Sizes(), {{media.Thumbnail, 320}}} {
		out, err := derive(m, jpegOf(t, blurred, 92), media.JPEG, sizes...)
		if err != nil || !slices.Equal(out.Quality.Flags, []media.Flag{media.Blurred}) || out.Quality.Width != 1600 || out.Quality.Height != 1200 {
			t.Errorf("%+v %v", out.Quality, err)
		}
	}
}
