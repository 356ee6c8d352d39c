package derive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"

	"golang.org/x/image/webp"
)

// still is the first frame of a WebP file as a file of its own, and where on
// the canvas it lies.
type still struct {
	file          []byte
	at            image.Point
	width, height int    // of the canvas
	coded         []byte // of a lossy picture: its chunk alone
	orientation   int
	profile       []byte
}

var errWebP = errors.New("not a WebP as it should be")

// le24 is the three-byte number of WebP.
func le24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// webpStill walks the chunks (RFC 9649, 2.7). The decoder knows still pictures
// only, so an animation's first frame is handed to it as one.
func webpStill(b []byte) (still, error) {
	s := still{orientation: 1}
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WEBP" {
		return s, errWebP
	}
	var frame []byte // the chunks that make the picture
	alpha := false
	width, height := 0, 0
	take := func(kind string, chunk, body []byte) {
		switch kind {
		case "ALPH":
			alpha = true
			frame = append(frame, chunk...)
		case "VP8 ", "VP8L":
			if s.coded = nil; kind == "VP8 " {
				s.coded = chunk
			}
			frame = append(frame, chunk...)
		}
	}
	done := false
	err := webpChunks(b[12:], func(kind string, chunk, body []byte) error {
		switch kind {
		case "VP8X":
			if len(body) < 10 {
				return errWebP
			}
			s.width, s.height = le24(body[4:])+1, le24(body[7:])+1
		case "ICCP":
			s.profile = body
		case "EXIF":
			s.orientation = orientation(bytes.TrimPrefix(body, []byte(exifName)))
		case "ANMF":
			if done {
				return nil
			}
			if len(body) < 16 {
				return errWebP
			}
			done, frame, alpha = true, nil, false
			s.at = image.Pt(2*le24(body), 2*le24(body[3:]))
			width, height = le24(body[6:])+1, le24(body[9:])+1
			return webpChunks(body[16:], func(kind string, chunk, body []byte) error { take(kind, chunk, body); return nil })
		default:
			if !done {
				take(kind, chunk, body)
			}
		}
		return nil
	})
	if err != nil || frame == nil {
		return s, errWebP
	}
	if width == 0 {
		width, height = s.width, s.height
	}
	if alpha {
		head := append([]byte("VP8X\x0a\x00\x00\x00\x10\x00\x00\x00"), byte(width-1), byte((width-1)>>8), byte((width-1)>>16),
			byte(height-1), byte((height-1)>>8), byte((height-1)>>16))
		frame = append(head, frame...)
	}
	s.file = append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(frame))), "WEBP"...)
	s.file = append(s.file, frame...)
	return s, nil
}

func webpChunks(b []byte, each func(kind string, chunk, body []byte) error) error {
	for len(b) >= 8 {
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		end := 8 + n + n&1
		if 8+n > int64(len(b)) {
			return errWebP
		}
		end = min(end, int64(len(b)))
		if err := each(string(b[:4]), b[:end:end], b[8:8+n:8+n]); err != nil {
			return err
		}
		b = b[end:]
	}
	return nil
}

// webpConfig gives the canvas, or the frame if that is larger than it says.
func webpConfig(b []byte) (image.Config, error) {
	s, err := webpStill(b)
	if err != nil {
		return image.Config{}, err
	}
	cfg, err := webp.DecodeConfig(bytes.NewReader(s.file))
	if err != nil {
		return cfg, err
	}
	inner := cfg
	if s.coded != nil { // behind an alpha plane the coded picture has a size of its own
		head := append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(s.coded))), "WEBP"...)
		if inner, err = webp.DecodeConfig(bytes.NewReader(append(head, s.coded...))); err != nil {
			return inner, err
		}
	}
	for _, size := range [][2]int{{inner.Width, inner.Height}, {s.width, s.height}} {
		if int64(size[0])*int64(size[1]) > int64(cfg.Width)*int64(cfg.Height) {
			cfg.Width, cfg.Height = size[0], size[1]
		}
	}
	return cfg, nil
}

// webpDecode gives the picture, or the first frame on its canvas. Lossy WebP
// is BT.601 in the narrow range, which image.YCbCr does not mean.
func webpDecode(b []byte) (image.Image, error) {
	s, err := webpStill(b)
	if err != nil {
		return nil, err
	}
	img, err := webp.Decode(bytes.NewReader(s.file))
	if err != nil {
		return nil, err
	}
	img = toRGB(img, coding{matrix: matrixBT601})
	if s.width == 0 {
		return img, nil
	}
	return onCanvas(img, s.at, s.width, s.height), nil
}

func webpFacts(b []byte) facts {
	s, err := webpStill(b)
	if err != nil {
		return facts{orientation: 1}
	}
	f := facts{orientation: s.orientation}
	if len(s.profile) <= maxProfile {
		f.profile = s.profile
	}
	return f
}
