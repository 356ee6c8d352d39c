package sanitise

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"

	"github.com/wardseal/wardseal/imaging/splice"
)

// Limits on the structure of pictures that move, far above what phones,
// cameras and editors write.
const (
	maxMovingParts  = 200_000 // extensions and frames of a GIF, chunks of a WebP
	maxMovingFrames = 10_000
	maxMovingPixels = 100 // all frames together, as a multiple of Options.MaxPixels
	maxEXIFBlocks   = 8   // that are read; the rest just goes
	gifLoopHeader   = "\x21\xff\x0bNETSCAPE2.0\x03\x01"
)

var (
	errGIFCut       = refuse("truncated", "This picture is not complete: its end is missing. Take or export it again.")
	errGIFDamaged   = refuse("damaged", "This picture is damaged and cannot be cleaned safely. Take or export it again.")
	errManyParts    = refuse("structure", "This picture has far more parts than usual, and was refused. Take or export it again.")
	errMovingTooBig = refuse("too-many-pixels", "This moving picture has too many or too large frames. Send a smaller one, or an MP4 video.")
)

// filePart is a range of the source, or literal bytes.
type filePart struct {
	at, n   int64
	literal []byte
}

// gifFile is a walk over one GIF (GIF89a specification).
type gifFile struct {
	in  *window
	opt Options
	acc *account

	body    []filePart // frames, in order
	control []byte     // the graphic control that the next frame gets
	loop    []byte     // the last loop count; viewers take the last
	codes   gifCodes

	width, height int
	frames        int
	pixels        int64 // of all frames
}

// gif keeps the screen, the colour tables and the frames with their graphic
// control, as they are, and the loop count. All other extensions go. The codes
// of each frame are followed up to its last pixel and what comes after is cut;
// at most seven bits are left there that no pixel needs.
func gif(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	g := &gifFile{in: newWindow(ctx, src, size, windowBytes), opt: opt, acc: newAccount()}
	head, err := g.in.bytes(0, 13)
	if err != nil {
		return nil, cut(err, errGIFCut)
	}
	if !bytes.HasPrefix(head, []byte("GIF87a")) && !bytes.HasPrefix(head, []byte("GIF89a")) {
		return nil, errGIFDamaged
	}
	g.width, g.height = int(binary.LittleEndian.Uint16(head[6:])), int(binary.LittleEndian.Uint16(head[8:]))
	start := 13 + gifTable(head[10])
	end, err := g.walk(start)
	if err != nil {
		return nil, err
	}
	if g.frames == 0 {
		return nil, errGIFDamaged
	}
	if g.control != nil {
		g.acc.removed("display settings without a picture", 8)
	}
	if end < size {
		g.acc.removed("data after the picture", size-end)
	}
	out := splice.New(src, size)
	out.Copy(0, start)
	if g.loop != nil {
		out.Literal(append(append([]byte(gifLoopHeader), g.loop...), 0))
		g.acc.kept("loop count", "so that a moving picture repeats as it was made to")
	}
	for _, p := range g.body {
		if p.literal != nil {
			out.Literal(p.literal)
		} else {
			out.Copy(p.at, p.n)
		}
	}
	out.Literal([]byte{0x3b})
	return &plan{out: out, receipt: g.acc.receipt, width: g.width, height: g.height}, nil
}

// gifTable is the length of the colour table that a packed field announces.
func gifTable(packed byte) int64 {
	if packed&0x80 == 0 {
		return 0
	}
	return 3 << (packed&7 + 1)
}

func (g *gifFile) keep(at, n int64) {
	if k := len(g.body) - 1; k >= 0 && g.body[k].literal == nil && g.body[k].at+g.body[k].n == at {
		g.body[k].n += n
	} else if n > 0 {
		g.body = append(g.body, filePart{at: at, n: n})
	}
}

func (g *gifFile) literal(b ...byte) { g.body = append(g.body, filePart{literal: b}) }

// walk goes over the blocks and gives the offset behind the trailer.
func (g *gifFile) walk(at int64) (int64, error) {
	for range maxMovingParts {
		b, err := g.in.bytes(at, 1)
		if err != nil {
			return 0, cut(err, errGIFCut)
		}
		switch b[0] {
		case 0x3b:
			return at + 1, nil
		case 0x21:
			at, err = g.extension(at)
		case 0x2c:
			at, err = g.frame(at)
		default: // viewers disagree on what follows
			err = errGIFDamaged
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, errManyParts
}

// extension deals with the extension at off and gives the offset behind it.
func (g *gifFile) extension(off int64) (int64, error) {
	b, err := g.in.bytes(off, 3)
	if err != nil {
		return 0, cut(err, errGIFCut)
	}
	label, n := b[1], int64(b[2])
	first, err := g.in.bytes(off+3, n)
	if err != nil {
		return 0, cut(err, errGIFCut)
	}
	if label == 0xf9 {
		return g.graphicControl(off, first)
	}
	name := string(first[:min(n, 11)])
	if label == 0xff && (name == "NETSCAPE2.0" || name == "ANIMEXTS1.0") {
		if b, err = g.in.bytes(off+3+n, 4); err == nil && b[0] >= 3 && b[1] == 1 {
			g.loop = bytes.Clone(b[2:4])
		}
	}
	end, err := g.skip(off + 2)
	if err != nil {
		return 0, err
	}
	switch {
	case label == 0xfe:
		g.acc.removed("comment", end-off)
	case label == 0x01:
		g.acc.removed("text over the picture", end-off)
	case label == 0xff && name == "XMP DataXMP":
		g.acc.removed("XMP", end-off)
	case label == 0xff && name == "ICCRGBG1012":
		g.acc.removed("colour profile, which viewers of GIF do not use", end-off)
	case label == 0xff && (name == "NETSCAPE2.0" || name == "ANIMEXTS1.0"):
		if end-off != 19 {
			g.acc.removed("more than a loop count", end-off)
		}
	case label == 0xff:
		g.acc.removed("application block", end-off)
	default:
		g.acc.removed("unknown extension", end-off)
	}
	return end, nil
}

// graphicControl remembers the delay, disposal and transparency of the next
// frame, without their reserved bits.
func (g *gifFile) graphicControl(off int64, b []byte) (int64, error) {
	if len(b) != 4 {
		return 0, errGIFDamaged
	}
	if g.control != nil {
		g.acc.removed("display settings given twice", 8)
	}
	g.control = []byte{0x21, 0xf9, 4, b[0] & 0x1f, b[1], b[2], b[3], 0}
	if b[0]&1 == 0 {
		g.control[6] = 0 // no colour is transparent
	}
	end, err := g.skip(off + 2)
	if err == nil && end-off != 8 {
		g.acc.removed("unknown extension", end-off-8)
	}
	return end, err
}

// skip passes over sub-blocks.
func (g *gifFile) skip(at int64) (int64, error) {
	for {
		b, err := g.in.bytes(at, 1)
		if err != nil {
			return 0, cut(err, errGIFCut)
		}
		at += 1 + int64(b[0])
		if b[0] == 0 {
			return at, nil
		}
	}
}

// frame deals with the image descriptor at off and its data.
func (g *gifFile) frame(off int64) (int64, error) {
	b, err := g.in.bytes(off, 10)
	if err != nil {
		return 0, cut(err, errGIFCut)
	}
	le := binary.LittleEndian
	w, h, packed := int(le.Uint16(b[5:])), int(le.Uint16(b[7:])), b[9]
	// Viewers make the screen larger when the first frame reaches over it.
	right, bottom := int(le.Uint16(b[1:]))+w, int(le.Uint16(b[3:]))+h
	if err := checkPixels(w, h, g.opt); err != nil {
		return 0, err
	}
	if err := checkPixels(max(g.width, right), max(g.height, bottom), g.opt); err != nil {
		return 0, err
	}
	if g.frames == 0 {
		g.width, g.height = max(g.width, right), max(g.height, bottom)
	}
	g.frames++
	if g.pixels += int64(w) * int64(h); g.frames > maxMovingFrames || g.pixels > maxMovingPixels*g.opt.MaxPixels {
		return 0, errMovingTooBig
	}
	if g.control != nil {
		g.literal(g.control...)
		g.control = nil
	}
	if packed&0x18 != 0 {
		d := bytes.Clone(b)
		d[9] &^= 0x18 // reserved
		g.literal(d...)
	} else {
		g.keep(off, 10)
	}
	at := off + 10 + gifTable(packed)
	if b, err = g.in.bytes(at, 1); err != nil {
		return 0, cut(err, errGIFCut)
	}
	if b[0] < 2 || b[0] > 8 {
		return 0, errGIFDamaged
	}
	g.codes.start(b[0], int64(w)*int64(h))
	g.keep(off+10, at+1-off-10)
	return g.data(at + 1)
}

// data keeps the sub-blocks from off up to the last that the picture needs, and
// gives the offset behind all of them.
func (g *gifFile) data(off int64) (int64, error) {
	block, needed, size := off, 0, 0 // the last that is needed, and how much of it
	at := off
	for {
		b, err := g.in.bytes(at, 1)
		if err != nil {
			return 0, cut(err, errGIFCut)
		}
		n := int64(b[0])
		if b, err = g.in.bytes(at+1, n); err != nil {
			return 0, cut(err, errGIFCut)
		}
		if k := g.codes.feed(b); k > 0 {
			block, needed, size = at, k, int(n)
		}
		if g.codes.broken {
			return 0, errGIFDamaged
		}
		at += 1 + n
		if n == 0 {
			break
		}
	}
	if !g.codes.full {
		return 0, errGIFDamaged
	}
	g.keep(off, block-off)
	if needed == size {
		g.keep(block, 1+int64(size))
	} else {
		g.literal(byte(needed))
		g.keep(block+1, int64(needed))
	}
	if end := block + 1 + int64(size); needed == size && end+1 == at {
		g.keep(end, 1)
	} else {
		g.literal(0)
		g.acc.removed("data after the picture's last pixel", at-1-end+int64(size-needed))
	}
	return at, nil
}
