// Package derive makes previews, thumbnails, posters and playable videos, and
// measures how good a picture is.
//
// Decoding pixels is where hostile pictures do harm, so it never happens in
// the server: each Derive starts this same binary again as a child with a
// memory and CPU limit and without files, network, environment or privileges,
// hands it the picture on standard input and takes the result from standard
// output. A child lives for one picture. What it answers is still not
// trusted: the Maker checks lengths, framing and dimensions, and a caller
// passes every picture through imaging/sanitise again before keeping it.
//
// What a derivative is: upright (the orientation is applied once, and gone),
// never larger than the original, always an 8-bit JPEG, alpha laid over
// white. White, and no PNG: drawings and screenshots with a clear background
// are made for a light page, would vanish on a dark viewer, and one format
// keeps every viewer simple. Resampling is in the picture's own colour space
// and its ICC profile goes with it, so that skin tones do not shift: RGB
// and grey profiles are carried byte for byte, a CMYK one is dropped because
// the decoder has already converted. Without an ICC profile, what the file
// says of its primaries and transfer (ITU-T H.273) decides: Display P3 gets a
// profile, wider colours and HDR are converted to it, and the rest is taken
// for sRGB. A PNG's gAMA and cHRM chunks are not applied.
//
// Of animated pictures the first frame is shown. JPEG of 12 bits, and what else
// the decoders do not know, gives ErrUndecodable; so does one coded
// arithmetically, until a Recoder has written it anew, and what is left is asked
// of Films.Still.
//
// Videos are another matter: see Films. There the child becomes ffmpeg, and
// that of Recoder becomes jpegtran.
package derive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/media"
)

// Version is raised whenever more kinds of pictures or videos can be read than
// before: what an older version gave up is then tried again, once.
const Version = 1

// What Derive gives when it is the picture that is at fault; trying again
// gives the same. Any other error is the system's or the source's, and worth
// another try.
var (
	// ErrBomb: the picture declares more pixels than are allowed, or a side of
	// more than 65,535, the most that a JPEG can have. Nothing was decoded.
	ErrBomb = errors.New("derive: too many pixels")
	// ErrUndecodable: the picture is damaged, of a coding that is not decoded
	// here, or made the decoder crash or answer nonsense.
	ErrUndecodable = errors.New("derive: the picture cannot be decoded")
	// ErrLimit: the child reached its limit of memory, CPU or wall time.
	ErrLimit = errors.New("derive: the picture takes more than is allowed")
)

// Config says how to start a child and what it may use. Zero fields take the
// defaults.
type Config struct {
	// Command starts the child: this binary and the hidden subcommand that calls
	// Child before anything else. "/proc/self/exe" stays the running version
	// while an upgrade replaces the file on disk.
	Command []string
	// MemoryBytes is the address space the child may take beyond what a Go
	// program reserves at its start. 50 MP in the costliest coding (progressive
	// CMYK JPEG) takes 1.2 GB. Default 2 GiB.
	MemoryBytes int64
	CPUFor      time.Duration // CPU time of all threads together, rounded up to seconds; default 30 s
	WallFor     time.Duration // from start to end; default 60 s
	MaxPixels   int64         // default 50,000,000
	Parallel    int           // children at a time; default 2. Each may take MemoryBytes.
}

// Size asks for one rendition whose longer edge is at most LongEdge pixels.
type Size struct {
	Rendition media.Rendition
	LongEdge  int
}

// Sizes are the renditions that every photo gets.
func Sizes() []Size {
	return []Size{{media.Preview, previewEdge}, {media.Thumbnail, 320}}
}

// Details is the rendition with every pixel, or nearly, of a photo that no
// browser shows as it is.
func Details() []Size { return []Size{{media.Detail, maxLongEdge}} }

// Picture is one finished rendition.
type Picture struct {
	Rendition     media.Rendition
	Format        media.Format
	Bytes         []byte
	Width, Height int // pixels
}

// Output is what was made, in the order that was asked for.
type Output struct {
	Pictures      []Picture
	Width, Height int // pixels of the original when upright
	Quality       media.Quality
}

const (
	maxSource   = 256 << 20 // bytes of a picture that is read at all
	maxLongEdge = 8192
	previewEdge = 2048
	maxSizes    = 8
)

// Maker makes derivatives. It may be used by many goroutines at once.
type Maker struct {
	cfg      Config
	slots    chan struct{}
	isolated bool // children get namespaces of their own
	confined string
}

// New checks the configuration, starts one child to learn how far it can be
// confined on this system, and has the child try to get out. It gives an error
// when the child cannot be started, or can reach a file, a socket, another
// program or another process. It takes a few tens of milliseconds.
func New(cfg Config) (*Maker, error) {
	if len(cfg.Command) == 0 {
		return nil, errors.New("derive: no command to start the child with")
	}
	setDefault(&cfg.MemoryBytes, 2<<30)
	setDefault(&cfg.CPUFor, 30*time.Second)
	setDefault(&cfg.WallFor, time.Minute)
	setDefault(&cfg.MaxPixels, 50_000_000)
	setDefault(&cfg.Parallel, 2)
	if cfg.MemoryBytes < 64<<20 || cfg.CPUFor < 0 || cfg.WallFor < 0 || cfg.MaxPixels < 0 || cfg.Parallel < 0 {
		return nil, errors.New("derive: a limit is negative, or the memory is under 64 MiB")
	}
	m := &Maker{cfg: cfg, slots: make(chan struct{}, cfg.Parallel), isolated: true}
	a, err := m.probe()
	if err != nil {
		// Containers and hardened systems often forbid new user namespaces.
		m.isolated = false
		if a, err = m.probe(); err != nil {
			return nil, fmt.Errorf("derive: try a child: %w", err)
		}
	}
	if len(a.Reached) > 0 {
		return nil, fmt.Errorf("derive: a child is not confined: it reached %s", strings.Join(a.Reached, ", "))
	}
	layers := a.Layers
	if m.isolated {
		layers = append(layers, "own user, network and IPC namespaces")
	} else {
		layers = append(layers, "no namespaces of its own")
	}
	m.confined = strings.Join(layers, "; ")
	return m, nil
}

func setDefault[T int | int64 | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// Confinement says in words what holds a child on this system, for a health
// page or the log.
func (m *Maker) Confinement() string { return m.confined }

func (m *Maker) probe() (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), m.cfg.WallFor)
	defer cancel()
	a, _, err := m.run(ctx, request{Probe: true}, strings.NewReader(""))
	return a, err
}

// Derive makes the given renditions of one picture, which is the next n bytes
// of src: clean bytes only. It waits for a free child. When ctx ends the child
// is killed. src is not used after Derive returns unless its Read outlasts the
// child by more than a second, so its Read should end with ctx.
func (m *Maker) Derive(ctx context.Context, src io.Reader, n int64, f media.Format, sizes []Size) (Output, error) {
	return m.derive(ctx, src, request{Format: f.String(), Bytes: n}, f, sizes)
}

func (m *Maker) derive(ctx context.Context, src io.Reader, req request, f media.Format, sizes []Size) (Output, error) {
	n := req.Bytes
	if !decodes(f) {
		return Output{}, fmt.Errorf("%w: %s is not decoded here", ErrUndecodable, f)
	}
	if n <= 0 || len(sizes) == 0 || len(sizes) > maxSizes {
		return Output{}, errors.New("derive: nothing to do, or too much")
	}
	if n > maxSource {
		return Output{}, fmt.Errorf("%w: it has more than %d bytes", ErrLimit, maxSource)
	}
	req.MaxPixels = m.cfg.MaxPixels
	for _, s := range sizes {
		if s.LongEdge < 1 || s.LongEdge > maxLongEdge {
			return Output{}, errors.New("derive: a size out of range")
		}
		quality := 85
		switch s.Rendition {
		case media.Thumbnail:
			quality = 80
		case media.Detail: // looked at pixel by pixel
			quality = 92
		}
		req.Sizes = append(req.Sizes, target{LongEdge: s.LongEdge, Quality: quality})
	}
	select {
	case m.slots <- struct{}{}:
		defer func() { <-m.slots }()
	case <-ctx.Done():
		return Output{}, ctx.Err()
	}
	a, rest, err := m.run(ctx, req, src)
	if err != nil {
		return Output{}, err
	}
	switch a.State {
	case stateDone:
	case stateBomb:
		return Output{}, ErrBomb
	case stateUndecodable:
		return Output{}, ErrUndecodable
	default:
		return Output{}, fmt.Errorf("%w: the child's answer has no known state", ErrUndecodable)
	}
	out, err := accept(req, a, rest)
	if err != nil {
		return Output{}, fmt.Errorf("%w: the child's answer is refused: %w", ErrUndecodable, err)
	}
	for i := range out.Pictures {
		out.Pictures[i].Rendition = sizes[i].Rendition
	}
	return out, nil
}

// DeriveFrame makes the given renditions of one frame that Films took.
func (m *Maker) DeriveFrame(ctx context.Context, frame []byte, sizes []Size) (Output, error) {
	return m.Derive(ctx, bytes.NewReader(frame), int64(len(frame)), media.PNG, sizes)
}

// DeriveStill makes the given renditions of a picture that Films read.
func (m *Maker) DeriveStill(ctx context.Context, s Still, sizes []Size) (Output, error) {
	req := request{Format: media.PNG.String(), Bytes: int64(len(s.png)), Alpha: int64(s.alpha)}
	return m.derive(ctx, bytes.NewReader(s.png), req, media.PNG, sizes)
}

// fit gives the size of a picture whose longer edge is at most edge, with the
// same proportions and at least one pixel a side.
func fit(w, h, edge int) (int, int) {
	long := max(w, h)
	if long <= edge {
		return w, h
	}
	scale := func(v int) int { return max(1, (2*v*edge+long)/(2*long)) }
	return scale(w), scale(h)
}

// sizeLimit is the most bytes that an answer to req may have. A JPEG at the
// qualities used stays under three bytes a pixel; a large one is a photo, of
// which half a byte is usual, and the answer is held in memory.
func (r request) sizeLimit() int64 {
	n := int64(maxHeader)
	for _, s := range r.Sizes {
		edge := int64(s.LongEdge)
		n += min(3*edge*edge, max(3*previewEdge*previewEdge, r.MaxPixels)) + maxProfile + 1<<16
	}
	return n
}

// largestFirst gives the indices of sizes from the largest edge to the
// smallest, so that each can be made from the one before.
func largestFirst(sizes []target) []int {
	order := make([]int, len(sizes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return sizes[b].LongEdge - sizes[a].LongEdge })
	return order
}
