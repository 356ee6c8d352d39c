package derive

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"

	"github.com/wardseal/wardseal/internal/media"
)

// Both directions use one frame: the length of a JSON header (four bytes, big
// endian), the header, then the bytes that the header announces.

// maxHeader bounds a header's length.
const maxHeader = 16 << 10

// request is what the Maker asks of a child; Bytes of picture follow it.
type request struct {
	Memory     int64    `json:"memory"`
	CPUSeconds uint64   `json:"cpu_seconds"`
	Probe      bool     `json:"probe,omitempty"` // only try to get out
	Format     string   `json:"format,omitempty"`
	Bytes      int64    `json:"bytes,omitempty"`
	Alpha      int64    `json:"alpha,omitempty"` // so many of the bytes, the last, are a grey PNG that says where the picture is clear
	MaxPixels  int64    `json:"max_pixels,omitempty"`
	Sizes      []target `json:"sizes,omitempty"`
}

type target struct {
	LongEdge int `json:"long_edge"`
	Quality  int `json:"quality"`
}

// answer is what a child says; its pictures' bytes follow, in order.
type answer struct {
	State    string   `json:"state"`
	Layers   []string `json:"layers,omitempty"`  // what confines it
	Reached  []string `json:"reached,omitempty"` // what a probe got hold of
	Width    int      `json:"width,omitempty"`   // of the upright original
	Height   int      `json:"height,omitempty"`
	Pictures []drawn  `json:"pictures,omitempty"`

	Quality *media.Quality `json:"quality,omitempty"`
}

type drawn struct {
	Width  int   `json:"width"`
	Height int   `json:"height"`
	Bytes  int64 `json:"bytes"`
}

const (
	stateDone        = "done"
	stateBomb        = "bomb"
	stateUndecodable = "undecodable"
)

func writeHeader(w io.Writer, header any) error {
	b, err := json.Marshal(header)
	if err != nil {
		return err
	}
	if len(b) > maxHeader {
		return errors.New("the header is too long")
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}

func readHeader(r io.Reader, header any) error {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxHeader {
		return errors.New("the header is too long")
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(header); err != nil {
		return errors.New("the header is not as agreed")
	}
	if d.InputOffset() != int64(n) {
		return errors.New("the header is longer than what it says")
	}
	return nil
}

// check refuses a request that no Maker sends.
func (r request) check() error {
	if r.Probe {
		return nil
	}
	if r.Bytes <= 0 || r.Bytes > maxSource || r.Alpha < 0 || r.Alpha >= r.Bytes || r.MaxPixels <= 0 || len(r.Sizes) == 0 || len(r.Sizes) > maxSizes {
		return errors.New("the request is out of range")
	}
	for _, s := range r.Sizes {
		if s.LongEdge < 1 || s.LongEdge > maxLongEdge || s.Quality < 1 || s.Quality > 100 {
			return errors.New("a size is out of range")
		}
	}
	return nil
}

// accept takes the pictures from a child's answer. It believes nothing: the
// original must be within the limits that were set, every picture a JPEG of
// exactly the size that follows from the original's, and nothing may be left
// over.
func accept(req request, a answer, rest []byte) (Output, error) {
	if a.Width < 1 || a.Height < 1 || a.Width > maxSide || a.Height > maxSide || int64(a.Width)*int64(a.Height) > req.MaxPixels {
		return Output{}, errors.New("the original's size is out of range")
	}
	if len(a.Pictures) != len(req.Sizes) {
		return Output{}, fmt.Errorf("%d pictures instead of %d", len(a.Pictures), len(req.Sizes))
	}
	quality, err := acceptQuality(a.Quality, a.Width, a.Height)
	if err != nil {
		return Output{}, err
	}
	out := Output{Width: a.Width, Height: a.Height, Quality: quality}
	for i, d := range a.Pictures {
		if w, h := fit(a.Width, a.Height, req.Sizes[i].LongEdge); d.Width != w || d.Height != h {
			return Output{}, fmt.Errorf("picture %d is not of the size asked for", i)
		}
		if d.Bytes < 4 || d.Bytes > int64(len(rest)) {
			return Output{}, fmt.Errorf("picture %d is not all there", i)
		}
		b := rest[:d.Bytes:d.Bytes]
		rest = rest[d.Bytes:]
		cfg, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || cfg.Width != d.Width || cfg.Height != d.Height || b[len(b)-2] != 0xff || b[len(b)-1] != 0xd9 {
			return Output{}, fmt.Errorf("picture %d is not the JPEG it is said to be", i)
		}
		out.Pictures = append(out.Pictures, Picture{Format: media.JPEG, Bytes: b, Width: d.Width, Height: d.Height})
	}
	if len(rest) > 0 {
		return Output{}, errors.New("bytes follow the last picture")
	}
	return out, nil
}
