package sanitise

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/wardseal/wardseal/imaging/splice"
)

// maxChunks bounds the structure of a PNG; a picture of 50 megapixels in
// chunks of 8 KiB has some 25,000.
const maxChunks = 100_000

var errPNGDamaged = refuse("damaged", "This picture is damaged and cannot be cleaned safely. Take or export it again.")

// pngFile is a walk over one PNG (W3C PNG third edition).
type pngFile struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	opt  Options
	acc  *account
	out  *splice.Splice

	width, height int
	data          bool // an IDAT was seen
	ended         bool
}

// pngKept are the chunks that rendering needs, with the most bytes that each may have.
var pngKept = map[string]int64{
	"IHDR": 13, "PLTE": 768, "IDAT": 1<<31 - 1, "IEND": 0, "tRNS": 256, "gAMA": 4, "cHRM": 32, "sRGB": 1, "cICP": 4, "sBIT": 4, "bKGD": 6, "pHYs": 9, "mDCV": 24, "cLLI": 8,
}

func png(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	p := &pngFile{ctx: ctx, src: src, size: size, opt: opt, acc: newAccount(), out: splice.New(src, size)}
	p.out.Copy(0, 8)
	at := int64(8)
	for n := 0; !p.ended; n++ {
		if n > maxChunks {
			return nil, refuse("structure", "This picture has far more parts than usual, and was refused. Take or export it again.")
		}
		var h [8]byte
		if err := readAt(src, h[:], at); err != nil {
			return nil, cut(err, refuse("truncated", "This picture is not complete: its end is missing. Take or export it again."))
		}
		length := int64(binary.BigEndian.Uint32(h[:]))
		if length > 1<<31-1 || at+12+length > size {
			return nil, refuse("truncated", "This picture is not complete: its end is missing. Take or export it again.")
		}
		if err := p.chunk(string(h[4:]), at, length); err != nil {
			return nil, err
		}
		at += 12 + length
	}
	if !p.data || p.width == 0 {
		return nil, errPNGDamaged
	}
	if at < size {
		p.acc.removed("data after the picture", size-at)
	}
	return &plan{out: p.out, receipt: p.acc.receipt, width: p.width, height: p.height}, nil
}

// chunk deals with the chunk of a type whose data has length bytes.
func (p *pngFile) chunk(typ string, at, length int64) error {
	if (typ == "IHDR") != (p.width == 0) {
		return errPNGDamaged
	}
	if most, ok := pngKept[typ]; ok {
		if err := p.checkCRC(at, length); err != nil {
			return err
		}
		return p.keep(typ, at, length, most)
	}
	switch typ {
	case "acTL", "fcTL", "fdAT":
		return refuse("animated", "This is an animated PNG, which is not accepted yet. Send a still picture, or an MP4 video.")
	case "iCCP", "eXIf":
		if length > maxICC {
			p.acc.removed("colour profile or EXIF of absurd size", length+12)
			return nil
		}
		body := make([]byte, length)
		if err := readAt(p.src, body, at+8); err != nil {
			return cut(err, errPNGDamaged)
		}
		if p.data && typ == "iCCP" { // too late to mean anything; EXIF may follow the picture
			p.acc.removed("late "+typ, length+12)
			return nil
		}
		if typ == "iCCP" {
			p.profile(body)
		} else if o := p.acc.exif(body, length+12); o > 1 {
			p.acc.kept("orientation", "so that the picture is shown upright")
			p.out.Literal(chunk("eXIf", orientationOnly(o)))
		}
		return nil
	}
	kind, ok := map[string]string{
		"tEXt": "text", "zTXt": "text", "iTXt": "text or XMP", "tIME": "time of the last change", "hIST": "histogram", "sPLT": "suggested palette", "caBX": "content credentials",
	}[typ]
	if !ok {
		kind = "private or unknown chunk"
		if typ[0]&0x20 == 0 { // a critical one: what it would change is not known
			return refuse("structure", "This picture uses an extension of PNG that is not known here. Export it as an ordinary PNG or JPEG.")
		}
	}
	p.acc.removed(kind, length+12)
	return nil
}

func (p *pngFile) keep(typ string, at, length, most int64) error {
	if length > most {
		return errPNGDamaged
	}
	var b [32]byte
	if length <= int64(len(b)) {
		if err := readAt(p.src, b[:length], at+8); err != nil {
			return cut(err, errPNGDamaged)
		}
	}
	switch typ {
	case "IHDR":
		if length != 13 {
			return errPNGDamaged
		}
		w, h := binary.BigEndian.Uint32(b[:]), binary.BigEndian.Uint32(b[4:])
		if w > 1<<31-1 || h > 1<<31-1 {
			return errPNGDamaged
		}
		p.width, p.height = int(w), int(h)
		if err := checkPixels(p.width, p.height, p.opt); err != nil {
			return err
		}
	case "pHYs": // a resolution says what scanned it; an aspect changes how it looks
		if length != 9 || bytes.Equal(b[:4], b[4:8]) {
			p.acc.removed("resolution", length+12)
			return nil
		}
	case "IDAT":
		p.data = true
	case "IEND":
		p.ended = true
	}
	p.out.Copy(at, length+12)
	return nil
}

func (p *pngFile) checkCRC(at, length int64) error {
	h := crc32.NewIEEE()
	if _, err := io.Copy(h, io.NewSectionReader(p.src, at+4, length+4)); err != nil {
		return err
	}
	var want [4]byte
	if err := readAt(p.src, want[:], at+8+length); err != nil {
		return cut(err, errPNGDamaged)
	}
	if binary.BigEndian.Uint32(want[:]) != h.Sum32() {
		return errPNGDamaged
	}
	return p.ctx.Err()
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
