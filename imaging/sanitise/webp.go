package sanitise

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"slices"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/words"
)

var (
	errWebPCut     = refuse("truncated", "This picture is not complete: its end is missing. Take or export it again.")
	errWebPDamaged = refuse("damaged", "This picture is damaged and cannot be cleaned safely. Take or export it again.")
)

// Flags of the extended header (WebP container specification, RFC 9649, 2.7).
const (
	webpICC      = 0x20
	webpAlpha    = 0x10
	webpEXIF     = 0x08
	webpAnimated = 0x02
)

// webpFile is a walk over one WebP.
type webpFile struct {
	in  *window
	opt Options
	acc *account

	extended    bool
	flags       byte // of the extended header, as found
	width       int
	height      int
	icc         []byte // reduced
	orientation int
	blocks      int        // of EXIF
	anim        []byte     // background and loop count
	body        []filePart // the picture, or the frames
	still       bool       // the picture was seen
	alpha       *webpChunk
	frames      int
	pixels      int64
	chunks      int
}

// webpChunk is where a chunk is: its data has n bytes from at.
type webpChunk struct {
	kind  string
	at, n int64
}

// webp keeps the coded pictures with their alpha as they are, and of the rest
// the animation's settings, the orientation and the reduced colour profile. The
// header is written anew and says what is really there.
func webp(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	w := &webpFile{in: newWindow(ctx, src, size, windowBytes), opt: opt, acc: newAccount(), orientation: 1}
	head, err := w.in.bytes(0, 12)
	if err != nil {
		return nil, cut(err, errWebPCut)
	}
	end := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
	if !bytes.HasPrefix(head, []byte("RIFF")) || string(head[8:]) != "WEBP" || end < 20 || end > 1<<32-1<<20 {
		return nil, errWebPDamaged
	}
	if end > size {
		return nil, errWebPCut
	}
	if err := w.walk(12, end, w.chunk); err != nil {
		return nil, err
	}
	if !w.still && w.frames == 0 {
		return nil, errWebPDamaged
	}
	if w.alpha != nil {
		w.acc.removed("alpha without a picture", w.alpha.n+8)
	}
	if end < size {
		w.acc.removed("data after the picture", size-end)
	}
	return &plan{out: w.write(src, size), receipt: w.acc.receipt, width: w.width, height: w.height}, nil
}

// walk calls do for each chunk between at and end.
func (w *webpFile) walk(at, end int64, do func(webpChunk) error) error {
	for at+8 <= end {
		h, err := w.in.bytes(at, 8)
		if err != nil {
			return cut(err, errWebPCut)
		}
		if w.chunks++; w.chunks > maxMovingParts {
			return errManyParts
		}
		c := webpChunk{kind: string(h[:4]), at: at + 8, n: int64(binary.LittleEndian.Uint32(h[4:]))}
		if c.n > end-c.at {
			return errWebPCut
		}
		if err := do(c); err != nil {
			return err
		}
		at = c.at + c.n + c.n&1
	}
	if at < end {
		w.acc.removed("bytes between chunks", end-at)
	}
	return nil
}

// chunk deals with one chunk of the file.
func (w *webpFile) chunk(c webpChunk) error {
	if c.at == 20 { // the first says which kind of file this is
		switch c.kind {
		case "VP8X":
			return w.header(c)
		case "VP8 ", "VP8L":
		default:
			return errWebPDamaged
		}
	}
	animated := w.flags&webpAnimated != 0
	switch {
	case c.kind == "ANIM" && animated && w.anim == nil:
		b, err := w.start(c, 6)
		if err != nil {
			return err
		}
		w.anim = bytes.Clone(b)
		if c.n > 6 {
			w.acc.removed("more than an animation's settings", c.n-6)
		}
		return nil
	case c.kind == "ANMF" && animated && w.anim != nil:
		return w.frame(c)
	case c.kind == "ALPH" && w.extended && !animated && !w.still && w.alpha == nil:
		w.alpha = &c
		return nil
	case (c.kind == "VP8 " || c.kind == "VP8L") && !w.still:
		if animated {
			return errWebPDamaged // a picture beside the frames: viewers disagree
		}
		w.still = true
		pieces, width, height, err := w.picture(c)
		if err != nil {
			return err
		}
		if w.extended && (width != w.width || height != w.height) {
			return errWebPDamaged
		}
		w.body, w.width, w.height = pieces, width, height
		return nil
	case c.kind == "ICCP" && w.extended && w.icc == nil:
		return w.profile(c)
	case c.kind == "EXIF":
		return w.exif(c)
	}
	w.acc.removed(webpKind(c.kind), c.n+8)
	return nil
}

func webpKind(kind string) words.Text {
	if kind == "XMP " {
		return "XMP"
	}
	if slices.Contains([]string{"VP8 ", "VP8L", "ALPH", "ANMF", "ANIM"}, kind) {
		return "further pictures after the first"
	}
	return "private or unknown chunk"
}

func (w *webpFile) header(c webpChunk) error {
	b, err := w.start(c, 10)
	if err != nil {
		return err
	}
	w.extended, w.flags = true, b[0]
	w.width, w.height = 1+int(u24(b[4:])), 1+int(u24(b[7:]))
	return checkPixels(w.width, w.height, w.opt)
}

// start gives the first n bytes of a chunk's data.
func (w *webpFile) start(c webpChunk, n int64) ([]byte, error) {
	if c.n < n {
		return nil, errWebPDamaged
	}
	b, err := w.in.bytes(c.at, n)
	return b, cut(err, errWebPCut)
}

func u24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

func put24(b []byte, v int) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }

// picture checks the coded picture c and the alpha before it, and gives the
// chunks to write.
func (w *webpFile) picture(c webpChunk) (out []filePart, width, height int, err error) {
	b, err := w.in.bytes(c.at, min(c.n, 10))
	if err != nil {
		return nil, 0, 0, cut(err, errWebPCut)
	}
	le := binary.LittleEndian
	switch {
	case c.kind == "VP8 " && len(b) == 10: // RFC 6386, 9.1
		if b[0]&1 != 0 || string(b[3:6]) != "\x9d\x01\x2a" || int64(u24(b)>>5) > c.n-10 {
			return nil, 0, 0, errWebPDamaged
		}
		width, height = int(le.Uint16(b[6:])&0x3fff), int(le.Uint16(b[8:])&0x3fff)
	case c.kind == "VP8L" && len(b) >= 5: // RFC 9649, 3.4
		v := le.Uint32(b[1:])
		if b[0] != 0x2f || v>>29 != 0 || w.alpha != nil {
			return nil, 0, 0, errWebPDamaged
		}
		width, height = 1+int(v&0x3fff), 1+int(v>>14&0x3fff)
	default:
		return nil, 0, 0, errWebPDamaged
	}
	if err := checkPixels(width, height, w.opt); err != nil {
		return nil, 0, 0, err
	}
	if w.alpha != nil {
		if out, err = w.alphaOf(int64(width) * int64(height)); err != nil {
			return nil, 0, 0, err
		}
		w.alpha = nil
	}
	return append(out, webpPieces(c)...), width, height, nil
}

// alphaOf checks the alpha of a picture of so many pixels.
func (w *webpFile) alphaOf(pixels int64) ([]filePart, error) {
	c := *w.alpha
	b, err := w.start(c, 1)
	if err != nil {
		return nil, err
	}
	if b[0]>>6 != 0 || b[0]&3 > 1 {
		return nil, errWebPDamaged
	}
	if b[0]&3 == 0 { // as it is: its length is known
		if c.n < 1+pixels {
			return nil, errWebPCut
		}
		if c.n > 1+pixels {
			w.acc.removed("data after the picture's last pixel", c.n-1-pixels)
			c.n = 1 + pixels
		}
	}
	return webpPieces(c), nil
}

// webpPieces is a chunk as it is, with padding that is zero.
func webpPieces(c webpChunk) []filePart {
	out := []filePart{{literal: binary.LittleEndian.AppendUint32([]byte(c.kind), uint32(c.n))}, {at: c.at, n: c.n}}
	if c.n&1 != 0 {
		out = append(out, filePart{literal: []byte{0}})
	}
	return out
}

// frame deals with a frame of an animation.
func (w *webpFile) frame(c webpChunk) error {
	b, err := w.start(c, 16)
	if err != nil {
		return err
	}
	head := bytes.Clone(b)
	head[15] &= 3 // blending and disposal; the rest is reserved
	x, y, width, height := 2*int(u24(b)), 2*int(u24(b[3:])), 1+int(u24(b[6:])), 1+int(u24(b[9:]))
	if x+width > w.width || y+height > w.height {
		return errWebPDamaged
	}
	w.frames++
	if w.pixels += int64(width) * int64(height); w.frames > maxMovingFrames || w.pixels > maxMovingPixels*w.opt.MaxPixels {
		return errMovingTooBig
	}
	var out []filePart
	err = w.walk(c.at+16, c.at+c.n, func(sub webpChunk) error {
		switch {
		case sub.kind == "ALPH" && out == nil && w.alpha == nil:
			w.alpha = &sub
			return nil
		case (sub.kind == "VP8 " || sub.kind == "VP8L") && out == nil:
			var ow, oh int
			out, ow, oh, err = w.picture(sub)
			if err == nil && (ow != width || oh != height) {
				return errWebPDamaged
			}
			return err
		}
		w.acc.removed(webpKind(sub.kind), sub.n+8)
		return nil
	})
	if err != nil {
		return err
	}
	if out == nil {
		return errWebPDamaged
	}
	n := 16 + partsBytes(out)
	w.body = append(w.body, filePart{literal: append(binary.LittleEndian.AppendUint32([]byte("ANMF"), uint32(n)), head...)})
	w.body = append(w.body, out...)
	return nil
}

func partsBytes(all []filePart) (n int64) {
	for _, p := range all {
		n += p.n + int64(len(p.literal))
	}
	return n
}

func (w *webpFile) profile(c webpChunk) error {
	if c.n > maxICC {
		w.acc.removed("colour profile of absurd size", c.n+8)
		return nil
	}
	whole := make([]byte, c.n)
	if err := readAt(w.in.src, whole, c.at); err != nil {
		return cut(err, errWebPCut)
	}
	reduced, err := reduceICC(whole)
	if err != nil {
		w.acc.removed("colour profile that is malformed", c.n+8)
		return nil
	}
	w.icc = reduced
	w.acc.kept("colour profile (rendering tags)", "so that skin tones do not shift")
	w.acc.removed("colour profile's names and dates", max(c.n-int64(len(reduced)), 0))
	return nil
}

// exif accounts for an EXIF block, of which only the orientation stays. Some
// writers put the header of JPEG before it.
func (w *webpFile) exif(c webpChunk) error {
	if w.blocks++; c.n > maxICC || w.blocks > maxEXIFBlocks {
		w.acc.removed("EXIF of absurd size or number", c.n+8)
		return nil
	}
	block := make([]byte, c.n)
	if err := readAt(w.in.src, block, c.at); err != nil {
		return cut(err, errWebPCut)
	}
	o := w.acc.exif(bytes.TrimPrefix(block, []byte("Exif\x00\x00")), c.n+8)
	if w.extended && w.orientation == 1 && o > 1 { // the short form of the file cannot hold it
		w.orientation = o
		w.acc.kept("orientation", "so that the picture is shown upright")
	}
	return nil
}

// write puts the file together.
func (w *webpFile) write(src io.ReaderAt, size int64) *splice.Splice {
	var front, back []filePart
	add := func(to []filePart, kind string, b []byte) []filePart {
		head := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(b)))
		return append(to, filePart{literal: append(append(head, b...), make([]byte, len(b)&1)...)})
	}
	if w.extended {
		h := make([]byte, 10)
		h[0] = w.flags & (webpAlpha | webpAnimated)
		put24(h[4:], w.width-1)
		put24(h[7:], w.height-1)
		if w.icc != nil {
			h[0] |= webpICC
		}
		if w.orientation > 1 {
			h[0] |= webpEXIF
			back = add(back, "EXIF", orientationOnly(w.orientation))
		}
		front = add(front, "VP8X", h)
		if w.icc != nil {
			front = add(front, "ICCP", w.icc)
		}
		if w.anim != nil {
			front = add(front, "ANIM", w.anim)
		}
	}
	all := slices.Concat(front, w.body, back)
	out := splice.New(src, size)
	out.Literal(append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+partsBytes(all))), "WEBP"...))
	for _, p := range all {
		if p.literal != nil {
			out.Literal(p.literal)
		} else {
			out.Copy(p.at, p.n)
		}
	}
	return out
}
