package derive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"time"
)

// ErrNoRecoder: this system has no tool that recodes JPEGs and could be
// confined, so those coded arithmetically get no preview.
var ErrNoRecoder = errors.New("derive: no tool to recode JPEGs")

// RecoderConfig says how to reach the tool and what it may use. Zero fields
// take the defaults.
type RecoderConfig struct {
	Command     []string      // starts the child, as FilmConfig's does
	JPEGTran    string        // the program; default "jpegtran" in PATH
	MemoryBytes int64         // address space of the tool; default 1 GiB
	Within      time.Duration // CPU and wall time for one picture; default 1 minute
}

// Recoder has jpegtran, of libjpeg-turbo, write JPEGs anew that are coded
// arithmetically (ITU-T T.81, annex D), as browsers and the decoder of
// pictures do not read them: the same coefficients in Huffman codes. It may be
// used by many goroutines at once.
type Recoder struct {
	tools
	jpegtran string
}

// NewRecoder looks for the tool and tries it in its confinement. Its error
// wraps ErrNoRecoder when the tool is missing or cannot be confined.
func NewRecoder(cfg RecoderConfig) (*Recoder, error) {
	if len(cfg.Command) == 0 {
		return nil, errors.New("derive: no command to start the recoding child with")
	}
	setDefault(&cfg.MemoryBytes, 1<<30)
	setDefault(&cfg.Within, time.Minute)
	if cfg.JPEGTran == "" {
		cfg.JPEGTran = "jpegtran"
	}
	r := &Recoder{tools: tools{command: cfg.Command, memory: cfg.MemoryBytes, within: cfg.Within}}
	var err error
	if r.jpegtran, err = program(cfg.JPEGTran); err == nil {
		err = r.start(r.try)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoRecoder, err)
	}
	return r, nil
}

// try has the tool recode a picture of eight by eight.
func (r *Recoder) try(ctx context.Context) error {
	var small bytes.Buffer
	if err := jpeg.Encode(&small, image.NewGray(image.Rect(0, 0, 8, 8)), nil); err != nil {
		return err
	}
	out, err := r.output(ctx, 64<<10, &small, r.jpegtran, "-copy", "all")
	if err != nil {
		return err
	}
	if _, err := jpeg.DecodeConfig(bytes.NewReader(out)); err != nil {
		return fmt.Errorf("the program is not jpegtran: %w", err)
	}
	return nil
}

// Huffman gives the JPEG that src is in Huffman codes, with its profile and
// orientation, in at most max bytes. What the tool cannot read, or reads with
// warnings, wraps ErrUndecodable.
func (r *Recoder) Huffman(ctx context.Context, src io.Reader, max int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	out, err := r.output(ctx, max, src, r.jpegtran, "-copy", "all")
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%w: nothing came of it", ErrUndecodable)
	}
	return out, err
}
