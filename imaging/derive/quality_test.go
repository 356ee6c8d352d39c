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

// shaken is img while the camera moved by n pixels, along dx and dy.
func shaken(img *image.NRGBA, n, dx, dy int) *image.NRGBA {
	out := image.NewNRGBA(img.Rect)
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for i := 0; i < len(out.Pix); i += 4 {
		x, y := i/4%w, i/4/w
		var sum [3]int
		for k := range n {
			at := img.PixOffset(max(0, min(w-1, x+(k-n/2)*dx)), max(0, min(h-1, y+(k-n/2)*dy)))
			for c := range sum {
				sum[c] += int(img.Pix[at+c])
			}
		}
		out.Pix[i], out.Pix[i+1], out.Pix[i+2], out.Pix[i+3] = uint8(sum[0]/n), uint8(sum[1]/n), uint8(sum[2]/n), 255
	}
	return out
}

// lines is what a shake along a slant leaves of any texture: lines along it.
func lines(w, h, slant int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(img.Pix); i += 4 {
		v := uint8(60)
		if (i/4%w+slant*(i/4/w)+h)/7%2 == 0 {
			v = 200
		}
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = v, v, v, 255
	}
	return img
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
		"shaken sideways":      {shaken(sharp, 40, 1, 0), []media.Flag{media.Blurred}},
		"shaken up and down":   {shaken(sharp, 40, 0, 1), []media.Flag{media.Blurred}},
		"shaken slantwise":     {lines(1000, 800, 1), []media.Flag{media.Blurred}},
		"slantwise the other":  {lines(1000, 800, -1), []media.Flag{media.Blurred}},
		"dark, and sharp":      {times(sharp, 0.12), []media.Flag{media.Dark}},
		"dark, and blurred":    {times(blurred, 0.12), []media.Flag{media.Blurred, media.Dark}},
		"overexposed":          {times(sharp, 3), []media.Flag{media.Overexposed}},
		"a white page":         {imaging.New(800, 600, image.White), []media.Flag{media.Blurred, media.Overexposed}},
		"nothing at all":       {image.NewNRGBA(image.Rect(0, 0, 1, 1)), []media.Flag{media.Blurred, media.Overexposed}},
		"one line of a number": {textured(900, 2), []media.Flag{media.Blurred}},
	} {
		if q := measure(c.img, false); !slices.Equal(q.Flags, c.want) {
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
