package derive

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	stddraw "image/draw"
	"image/jpeg"
	"sync"

	"github.com/disintegration/imaging"

	"github.com/wardseal/wardseal/internal/media"
)

// maxSide is the longest side that a JPEG can have (ITU-T T.81, B.2.2).
const maxSide = 65535

// draw makes every picture that req asks for out of data. It runs in the child;
// it may panic or take more memory than there is.
func draw(data []byte, req request) (answer, [][]byte, error) {
	c, ok := codecs[req.Format]
	if !ok {
		return answer{}, nil, ErrUndecodable
	}
	data, alpha := data[:req.Bytes-req.Alpha], data[req.Bytes-req.Alpha:]
	img, cfg, err := c.read(data, req.MaxPixels)
	if err != nil {
		return answer{}, nil, err
	}
	if len(alpha) > 0 {
		plane, _, err := c.read(alpha, req.MaxPixels)
		if err != nil {
			return answer{}, nil, err
		}
		if img, err = withAlpha(img, plane); err != nil {
			return answer{}, nil, err
		}
	}
	f := c.facts(data)
	if _, is := img.(*image.Gray); is || cfg.ColorModel == color.GrayModel {
		f.gray = true
	}
	if req.Format == media.HEIC.String() {
		img = toRGB(img, f.coding)
	}
	if f.crop = f.crop.Intersect(img.Bounds()); !f.crop.Empty() && f.crop != img.Bounds() {
		img = imaging.Crop(resizable(img), f.crop)
	}
	return drawAll(resizable(img), f, f.profileFor(f.gray, cfg.ColorModel), req)
}

// read decodes a picture of at most so many pixels, after it asked for the size.
func (c codec) read(data []byte, maxPixels int64) (image.Image, image.Config, error) {
	cfg, err := c.config(data)
	if err != nil {
		return nil, cfg, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	if cfg.Width < 1 || cfg.Height < 1 {
		return nil, cfg, ErrUndecodable
	}
	if cfg.Width > maxSide || cfg.Height > maxSide || int64(cfg.Width)*int64(cfg.Height) > maxPixels {
		return nil, cfg, ErrBomb
	}
	img, err := c.decode(data)
	if err != nil {
		return nil, cfg, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	return img, cfg, nil
}

// withAlpha gives a picture that is clear where the plane is black.
func withAlpha(img, plane image.Image) (*image.NRGBA, error) {
	a, ok := plane.(*image.Gray)
	if !ok || a.Rect != img.Bounds() {
		return nil, fmt.Errorf("%w: its alpha is of another size", ErrUndecodable)
	}
	to := imaging.Clone(img)
	for i, v := range a.Pix { // both are without gaps between rows
		to.Pix[4*i+3] = v
	}
	return to, nil
}

// drawAll makes the pictures out of a decoded one.
func drawAll(img image.Image, f facts, profile []byte, req request) (answer, [][]byte, error) {
	width, height := img.Bounds().Dx(), img.Bounds().Dy()
	photo, ycc := img.(*image.YCbCr)
	ycc = ycc && f.coding == (coding{}) && photo.Rect.Min == (image.Point{})
	a := answer{State: stateDone, Width: width, Height: height, Pictures: make([]drawn, len(req.Sizes))}
	if f.orientation >= 5 {
		a.Width, a.Height = a.Height, a.Width
	}
	pictures, errs := make([][]byte, len(req.Sizes)), make([]error, len(req.Sizes))
	var encoding sync.WaitGroup // beside the resizing of what is smaller
	var normal *image.NRGBA     // of the first one made, as pictures are measured
	for i, size := range largestFirst(req.Sizes) {
		// Catmull-Rom keeps the detail of a wound's edge, at two thirds of Lanczos'
		// cost. A thumbnail is made from what was made before, for a tenth of the work.
		w, h := fit(width, height, req.Sizes[size].LongEdge)
		if normal != nil && max(w, h) <= measureEdge/2 {
			img = normal
		}
		var small *image.NRGBA
		if ycc && i == 0 {
			small = shrunk(photo, w, h)
		} else {
			small = imaging.Resize(img, w, h, imaging.CatmullRom)
		}
		if i == 0 && profile == nil {
			profile = f.coding.shown(small)
		}
		onWhite(small)
		encoding.Go(func() {
			pictures[size], errs[size] = encode(upright(small, f.orientation), f.gray, ycc, req.Sizes[size].Quality, profile)
		})
		if i == 0 {
			measured := img
			if max(w, h) >= measureEdge {
				normal = normalised(small)
				measured = normal
			} else if ycc {
				measured = inPlace(photo)
			}
			quality := measure(measured, ycc)
			a.Quality = &quality
		}
		img = small
		if f.orientation >= 5 {
			w, h = h, w
		}
		a.Pictures[size] = drawn{Width: w, Height: h}
	}
	encoding.Wait()
	if err := errors.Join(errs...); err != nil {
		return answer{}, nil, err
	}
	for i, b := range pictures {
		a.Pictures[i].Bytes = int64(len(b))
	}
	return a, pictures, nil
}

// resizable gives img in a form that the imaging library reads quickly and
// without harm. Palettes in particular never reach it: an index past the
// palette's end panics there, in a goroutine of its own (CVE-2023-36308).
func resizable(img image.Image) image.Image {
	switch img := img.(type) {
	case *image.YCbCr, *image.Gray, *image.Gray16, *image.NRGBA, *image.RGBA, *image.NRGBA64, *image.RGBA64:
		return img
	case *image.Paletted:
		return unpaletted(img)
	default: // CMYK, of what the decoders give
		to := image.NewRGBA(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
		stddraw.Draw(to, to.Rect, img, img.Bounds().Min, stddraw.Src)
		return to
	}
}

// unpaletted looks up every pixel; an index without a colour is opaque black,
// as in image/png.
func unpaletted(img *image.Paletted) *image.NRGBA {
	var colours [256]color.NRGBA
	for i := range colours {
		colours[i] = color.NRGBA{A: 255}
		if i < len(img.Palette) {
			colours[i] = color.NRGBAModel.Convert(img.Palette[i]).(color.NRGBA)
		}
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	to := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		from := img.Pix[y*img.Stride : y*img.Stride+w]
		row := to.Pix[y*to.Stride:]
		for x, index := range from {
			c := colours[index]
			row[4*x], row[4*x+1], row[4*x+2], row[4*x+3] = c.R, c.G, c.B, c.A
		}
	}
	return to
}

// upright applies an EXIF orientation (CIPA DC-008, tag 0x0112). The library's
// angles are counter-clockwise.
func upright(img *image.NRGBA, orientation int) *image.NRGBA {
	switch orientation {
	case 2:
		return imaging.FlipH(img)
	case 3:
		return imaging.Rotate180(img)
	case 4:
		return imaging.FlipV(img)
	case 5:
		return imaging.Transpose(img)
	case 6:
		return imaging.Rotate270(img)
	case 7:
		return imaging.Transverse(img)
	case 8:
		return imaging.Rotate90(img)
	}
	return img
}

// encode gives a picture without clear parts as a JPEG with the profile, if any.
// A grey picture has one component. With ycc, img is what inPlace gives.
func encode(img *image.NRGBA, gray, ycc bool, quality int, profile []byte) ([]byte, error) {
	var from image.Image = &image.RGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect} // opaque, so the same
	if ycc {
		from = outOfPlace(img)
	}
	if gray {
		g := image.NewGray(img.Rect)
		for i := range g.Pix {
			g.Pix[i] = img.Pix[4*i] // both are without gaps between rows
		}
		from = g
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, from, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return withProfile(out.Bytes(), profile), nil
}

// onWhite makes img opaque in place.
func onWhite(img *image.NRGBA) {
	for i := 0; i+3 < len(img.Pix); i += 4 {
		p := img.Pix[i : i+4 : i+4]
		if a := uint32(p[3]); a != 255 {
			for k := range 3 {
				p[k] = uint8((uint32(p[k])*a + 255*(255-a) + 127) / 255)
			}
			p[3] = 255
		}
	}
}
