package sanitise

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/words"
)

// maxChunks bounds the structure of a PNG; a picture of 50 megapixels in
// chunks of 8 KiB has some 25,000.
const maxChunks = 100_000

var (
	errPNGCut     = refuse("truncated", "This picture is not complete: its end is missing. Take or export it again.")
	errPNGDamaged = refuse("damaged", "This picture is damaged and cannot be cleaned safely. Take or export it again.")
)

// pngFile is a walk over one PNG (W3C PNG third edition).
type pngFile struct {
	in  *window
	opt Options
	acc *account
	out *splice.Splice

	width, height int
	colour, depth byte // the colour type, and bits a sample
	palette       int64
	seen          map[string]bool // kept chunks of which there is one
	last          string          // the chunk before
	ended         bool

	oriented bool // an eXIf chunk was seen
	blocks   int  // of EXIF in such chunks
	raw      int  // the orientation in a text chunk; 0 when there is none
	raws     int  // text chunks that were looked into

	still bool // the animation is malformed: only the still picture is kept
	anim  pngAnimation
}

// pngKept are the chunks besides IHDR, PLTE, IDAT and IEND that rendering needs, with
// the lengths that they may have, by colour type where it matters.
var pngKept = map[string]func(p *pngFile, n int64) bool{
	"tRNS": func(p *pngFile, n int64) bool {
		return p.colour == 0 && n == 2 || p.colour == 2 && n == 6 || p.colour == 3 && n > 0 && n <= p.palette/3
	},
	"bKGD": func(p *pngFile, n int64) bool { return n == map[byte]int64{0: 2, 2: 6, 3: 1, 4: 2, 6: 6}[p.colour] },
	"sBIT": func(p *pngFile, n int64) bool { return n == map[byte]int64{0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[p.colour] },
	"gAMA": exactly(4), "cHRM": exactly(32), "sRGB": exactly(1), "cICP": exactly(4), "mDCV": exactly(24), "cLLI": exactly(8), "pHYs": exactly(9), "oFFs": exactly(9),
}

func exactly(want int64) func(*pngFile, int64) bool {
	return func(_ *pngFile, n int64) bool { return n == want }
}

func png(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	p, err := walkPNG(ctx, src, size, opt, false)
	if err == errPNGAnimation { // viewers show the still picture then
		p, err = walkPNG(ctx, src, size, opt, true)
	}
	if err != nil {
		return nil, err
	}
	return &plan{out: p.out, receipt: p.acc.receipt, width: p.width, height: p.height}, nil
}

func walkPNG(ctx context.Context, src io.ReaderAt, size int64, opt Options, still bool) (*pngFile, error) {
	p := &pngFile{in: newWindow(ctx, src, size, windowBytes), opt: opt, acc: newAccount(), out: splice.New(src, size), seen: map[string]bool{}, still: still}
	p.out.Copy(0, 8)
	at := int64(8)
	for n := 0; !p.ended; n++ {
		if n > maxChunks {
			return nil, errManyParts
		}
		h, err := p.in.bytes(at, 8)
		if err != nil {
			return nil, cut(err, errPNGCut)
		}
		length, typ := int64(binary.BigEndian.Uint32(h)), string(h[4:])
		if length > 1<<31-1 || at+12+length > size {
			return nil, errPNGCut
		}
		if err := p.chunk(typ, at, length); err != nil {
			return nil, err
		}
		p.last = typ
		at += 12 + length
	}
	if !p.seen["IDAT"] {
		return nil, errPNGDamaged
	}
	if at < size {
		p.acc.removed("data after the picture", size-at)
	}
	return p, nil
}

// chunk deals with the chunk of a type whose data has length bytes.
func (p *pngFile) chunk(typ string, at, length int64) error {
	if (typ == "IHDR") != (p.width == 0) {
		return errPNGDamaged
	}
	switch typ {
	case "IHDR", "PLTE", "IDAT", "IEND":
		return p.critical(typ, at, length)
	case "acTL", "fcTL", "fdAT":
		return p.animation(typ, at, length)
	case "iCCP", "eXIf", "tEXt", "zTXt":
		return p.metadata(typ, at, length)
	}
	fits, ok := pngKept[typ]
	switch {
	case !ok && typ[0]&0x20 == 0: // a critical one: what it would change is not known
		return refuse("structure", "This picture uses an extension of PNG that is not known here. Export it as an ordinary PNG or JPEG.")
	case !ok:
		p.acc.removed(pngKind(typ), length+12)
		return nil
	case p.seen["IDAT"] || p.seen[typ] || !fits(p, length): // viewers pass over it
		p.acc.removed("chunk that is malformed, late or repeated", length+12)
		return nil
	}
	if err := p.checkCRC(at, length); err == errPNGDamaged {
		p.acc.removed("chunk that is malformed, late or repeated", length+12)
		return nil
	} else if err != nil {
		return err
	}
	b, err := p.in.bytes(at+8, length)
	if err != nil {
		return cut(err, errPNGCut)
	}
	switch {
	case typ == "pHYs" && bytes.Equal(b[:4], b[4:8]): // says what scanned it; an aspect changes how it looks
		p.acc.removed("resolution", length+12)
		return nil
	case typ == "oFFs" && b[8] != 0: // a length on paper; some viewers place a picture by pixels
		p.acc.removed("position on paper", length+12)
		return nil
	}
	p.seen[typ] = true
	p.out.Copy(at, length+12)
	return nil
}

func pngKind(typ string) words.Text {
	kind, ok := map[string]words.Text{
		"iTXt": "text or XMP", "tIME": "time of the last change", "hIST": "histogram", "sPLT": "suggested palette", "caBX": "content credentials",
	}[typ]
	if !ok {
		return "private or unknown chunk"
	}
	return kind
}

// critical keeps the chunks that every picture is made of.
func (p *pngFile) critical(typ string, at, length int64) error {
	if err := p.checkCRC(at, length); err != nil {
		return err
	}
	switch typ {
	case "IHDR":
		if length != 13 {
			return errPNGDamaged
		}
		b, err := p.in.bytes(at+8, length)
		if err != nil {
			return cut(err, errPNGCut)
		}
		w, h := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		if w > 1<<31-1 || h > 1<<31-1 {
			return errPNGDamaged
		}
		p.width, p.height, p.depth, p.colour = int(w), int(h), b[8], b[9]
		if err := checkPixels(p.width, p.height, p.opt); err != nil {
			return err
		}
	case "PLTE":
		if p.seen[typ] || p.seen["IDAT"] || length == 0 || length > 768 || length%3 != 0 {
			return errPNGDamaged
		}
		if p.colour != 3 { // the pixels are colours already
			p.acc.removed("suggested palette", length+12)
			return nil
		}
		p.palette = length
		if most := int64(3) << min(p.depth, 8); length > most { // readers pass over the rest
			b, err := p.in.bytes(at+8, most)
			if err != nil {
				return cut(err, errPNGCut)
			}
			p.acc.removed("colours that no pixel can have", length-most)
			p.seen[typ], p.palette = true, most
			p.out.Literal(chunk(typ, b))
			return nil
		}
	case "IDAT":
		if p.seen[typ] && p.last != "IDAT" || p.colour == 3 && p.palette == 0 {
			return errPNGDamaged
		}
		if !p.seen[typ] {
			p.orient()
		}
		p.anim.data(length)
	case "IEND":
		if length != 0 {
			return errPNGDamaged
		}
		if err := p.anim.end(p.still); err != nil {
			return err
		}
		p.orient()
		p.ended = true
	}
	p.seen[typ] = true
	p.out.Copy(at, length+12)
	return nil
}

// metadata deals with the chunks of which something may have to stay.
func (p *pngFile) metadata(typ string, at, length int64) error {
	text := typ == "tEXt" || typ == "zTXt"
	if text {
		p.acc.removed("text", length+12)
	}
	if typ == "eXIf" {
		p.blocks++
	}
	if length > maxICC || p.blocks > maxEXIFBlocks {
		if !text {
			p.acc.removed("colour profile or EXIF of absurd size or number", length+12)
		}
		return nil
	}
	body := make([]byte, length)
	if err := readAt(p.in.src, body, at+8); err != nil {
		return cut(err, errPNGCut)
	}
	switch {
	case text:
		if block := p.rawProfile(typ, body); block != nil {
			if o := p.acc.exif(block, 0); o > 1 && p.raw == 0 {
				p.raw = o
			}
		}
	case typ == "iCCP" && (p.seen["IDAT"] || p.seen["iCCP"]): // too late to mean anything
		p.acc.removed("late or repeated colour profile", length+12)
	case typ == "iCCP":
		p.seen[typ] = true
		p.profile(body)
	default:
		o := p.acc.exif(body, length+12)
		if !p.oriented { // it may follow the picture
			p.oriented, p.raw = true, 0
			p.writeOrientation(o)
		}
	}
	return p.in.ctx.Err()
}

// orient writes the orientation that only a text chunk told.
func (p *pngFile) orient() {
	if p.raw != 0 && !p.oriented {
		p.oriented = true
		p.writeOrientation(p.raw)
	}
}

func (p *pngFile) writeOrientation(o int) {
	if o > 1 {
		p.acc.kept("orientation", "so that the picture is shown upright")
		p.out.Literal(chunk("eXIf", orientationOnly(o)))
	}
}

// checkCRC gives errPNGDamaged when a chunk's checksum is wrong.
func (p *pngFile) checkCRC(at, length int64) error {
	sum := uint32(0)
	for off, left := at+4, length+4; left > 0; {
		b, err := p.in.bytes(off, min(left, windowBytes))
		if err != nil {
			return cut(err, errPNGCut)
		}
		sum = crc32.Update(sum, crc32.IEEETable, b)
		off, left = off+int64(len(b)), left-int64(len(b))
	}
	b, err := p.in.bytes(at+8+length, 4)
	if err != nil {
		return cut(err, errPNGCut)
	}
	if binary.BigEndian.Uint32(b) != sum {
		return errPNGDamaged
	}
	return nil
}

// profile reduces a colour profile and gives it a name that says nothing.
func (p *pngFile) profile(body []byte) {
	i := bytes.IndexByte(body, 0)
	var reduced []byte
	if i > 0 && i+2 <= len(body) && body[i+1] == 0 {
		if z, err := zlib.NewReader(bytes.NewReader(body[i+2:])); err == nil {
			whole, err := io.ReadAll(io.LimitReader(z, maxICC+1))
			if err == nil {
				reduced, _ = reduceICC(whole)
			}
		}
	}
	if reduced == nil {
		p.acc.removed("colour profile that is malformed", int64(len(body))+12)
		return
	}
	var out bytes.Buffer
	out.WriteString("icc\x00\x00")
	z, _ := zlib.NewWriterLevel(&out, zlib.BestCompression) // the level is a valid one
	_, _ = z.Write(reduced)
	_ = z.Close()
	p.out.Literal(chunk("iCCP", out.Bytes()))
	p.acc.kept("colour profile (rendering tags)", "so that skin tones do not shift")
	p.acc.removed("colour profile's names and dates", 0)
}

func chunk(typ string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, typ...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}
