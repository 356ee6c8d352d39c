package derive

import (
	"bytes"
	"image"
	stddraw "image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"

	"github.com/gen2brain/avif"

	"github.com/wardseal/wardseal/internal/media"
)

// codec is how one format is read. config says the size without decoding, and
// is asked first; facts are what the file says besides its pixels.
type codec struct {
	config func([]byte) (image.Config, error)
	decode func([]byte) (image.Image, error)
	facts  func([]byte) facts
}

var codecs = map[string]codec{
	media.JPEG.String(): {
		func(b []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(b)) },
		func(b []byte) (image.Image, error) { return jpeg.Decode(bytes.NewReader(b)) },
		jpegFacts,
	},
	media.PNG.String(): {
		func(b []byte) (image.Config, error) { return png.DecodeConfig(bytes.NewReader(b)) },
		func(b []byte) (image.Image, error) { return png.Decode(bytes.NewReader(b)) },
		pngFacts,
	},
	media.GIF.String(): {
		func(b []byte) (image.Config, error) { return gif.DecodeConfig(bytes.NewReader(b)) },
		gifDecode,
		func([]byte) facts { return facts{orientation: 1} },
	},
	media.TIFF.String(): {tiffConfig, tiffDecode, tiffFacts},
	media.WebP.String(): {webpConfig, webpDecode, webpFacts},
	media.HEIC.String(): {heifConfig, heicDecode, heicFacts},
	media.AVIF.String(): {
		avifConfig,
		func(b []byte) (image.Image, error) { return avif.Decode(bytes.NewReader(b)) },
		avifFacts,
	},
}

// decodes reports whether f is one of the still formats read here.
func decodes(f media.Format) bool {
	_, ok := codecs[f.String()]
	return ok
}

// gifDecode gives the first frame, laid on the whole canvas.
func gifDecode(b []byte) (image.Image, error) {
	canvas, err := gif.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	img, err := gif.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return onCanvas(resizable(img), img.Bounds().Min, canvas.Width, canvas.Height), nil
}

// onCanvas lays a frame on a clear canvas, unless it covers all of it.
func onCanvas(frame image.Image, at image.Point, w, h int) image.Image {
	size := frame.Bounds()
	if at == (image.Point{}) && size.Dx() == w && size.Dy() == h {
		return frame
	}
	canvas := image.NewNRGBA(image.Rect(0, 0, w, h))
	stddraw.Draw(canvas, image.Rectangle{at, at.Add(size.Size())}, frame, size.Min, stddraw.Src)
	return canvas
}

// avifConfig looks at the boxes, and then asks the decoder, which reads the
// header only. The larger size counts.
func avifConfig(b []byte) (image.Config, error) {
	boxes, err := heifConfig(b)
	if err == nil && int64(boxes.Width)*int64(boxes.Height) > decoderPixels {
		return boxes, nil // the decoder refuses it, without saying why
	}
	cfg, err := avif.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return cfg, err
	}
	if int64(boxes.Width)*int64(boxes.Height) > int64(cfg.Width)*int64(cfg.Height) {
		cfg.Width, cfg.Height = boxes.Width, boxes.Height
	}
	return cfg, nil
}

// decoderPixels is what the AVIF decoder takes at most.
const decoderPixels = 1 << 28
