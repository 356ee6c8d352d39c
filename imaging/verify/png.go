package verify

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// pngWalk is how far the walk over a PNG has come.
type pngWalk struct {
	seen    map[string]bool // kinds of chunks
	last    string          // the kind of the chunk before
	depth   byte
	colour  byte
	colours int64 // in the palette
	w, h    uint32
	anim    []pngFrame
	frames  uint32 // announced
	seq     uint32 // the next number in the animation
}

// pngFrame is a frame of an animation.
type pngFrame struct {
	still bool // its data is in IDAT
	bytes int64
}

// png walks the chunks in order; each is known, of its length, and whole.
func png(ctx context.Context, src io.ReaderAt, size int64) error {
	in := newCursor(ctx, src, size)
	if err := in.expect("PNG signature", []byte("\x89PNG\r\n\x1a\n")); err != nil {
		return err
	}
	w := &pngWalk{seen: map[string]bool{}}
	for {
		at := in.at
		h, err := in.take(8)
		if err != nil {
			return err
		}
		n, typ := int64(binary.BigEndian.Uint32(h)), string(h[4:8])
		body, err := pngBody(in, n, typ)
		if err != nil {
			return err
		}
		if err := first(w.place(typ, at), w.chunk(typ, n, body, at)); err != nil {
			return err
		}
		if typ == "IEND" {
			return first(found(in.at != size, "data after the end", in.at), found(!w.seen["IDAT"], "no picture", at), w.end(at))
		}
		w.seen[typ], w.last = true, typ
	}
}

// pngBody takes the data of a chunk and checks its sum. It gives the whole of
// a short chunk, and the start of picture data.
func pngBody(in *cursor, n int64, typ string) ([]byte, error) {
	at := in.at
	sum := crc32.ChecksumIEEE([]byte(typ))
	most := int64(8 << 20)
	if typ == "IDAT" || typ == "fdAT" {
		most = 4
	}
	var body []byte
	for left := n; left > 0; {
		b, err := in.some(left)
		if err != nil {
			return nil, err
		}
		sum = crc32.Update(sum, crc32.IEEETable, b)
		left -= int64(len(b))
		body = append(body, b[:min(int64(len(b)), most-int64(len(body)))]...)
	}
	crc, err := in.take(4)
	if err != nil {
		return nil, err
	}
	return body, found(binary.BigEndian.Uint32(crc) != sum, "a chunk with a wrong checksum", at)
}

// place checks that a chunk may be where it is.
func (w *pngWalk) place(typ string, at int64) error {
	idat := w.seen["IDAT"]
	switch {
	case w.last == "":
		return found(typ != "IHDR", "a chunk out of order or twice", at)
	case typ == "IDAT":
		return found(idat && w.last != "IDAT", "picture data in two places", at)
	case typ == "fcTL" || typ == "fdAT":
		return nil // they have numbers
	}
	return found(w.seen[typ] || idat && typ != "IEND" && typ != "eXIf", "a chunk out of order or twice", at)
}

func (w *pngWalk) chunk(typ string, n int64, body []byte, at int64) error {
	exact := map[string]int64{"IEND": 0, "gAMA": 4, "cHRM": 32, "sRGB": 1, "cICP": 4, "pHYs": 9, "mDCV": 24, "cLLI": 8}
	if want, ok := exact[typ]; ok {
		return found(n != want, "a chunk of wrong length", at)
	}
	switch typ {
	case "IHDR":
		if n != 13 {
			return &Finding{"a chunk of wrong length", at}
		}
		w.w, w.h, w.depth, w.colour = binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:]), body[8], body[9]
		return nil
	case "IDAT":
		if k := len(w.anim); k > 0 {
			w.anim[k-1].bytes += n
		}
		return nil
	case "PLTE":
		w.colours = n / 3
		return found(n == 0 || n > 768 || n%3 != 0 || w.colours > 1<<min(w.depth, 8) || w.colour != 3, "a palette of wrong length or without use", at)
	case "tRNS", "sBIT", "bKGD":
		return found(!w.fits(typ, n), "a chunk of wrong length", at)
	case "oFFs":
		return found(n != 9 || body[8] != 0, "a position that is not in pixels", at)
	case "acTL", "fcTL", "fdAT":
		return w.animation(typ, n, body, at)
	case "eXIf":
		return found(!onlyOrientation(append([]byte("Exif\x00\x00"), body...)), "EXIF that holds more than an orientation", at)
	case "iCCP":
		return pngProfile(body, at)
	}
	return &Finding{"a chunk that rendering does not need", at}
}

// fits reports whether a chunk has the length that the colour type gives it.
func (w *pngWalk) fits(typ string, n int64) bool {
	samples := map[string][7]int64{"tRNS": {0: 2, 2: 6}, "sBIT": {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}, "bKGD": {0: 2, 2: 6, 3: 1, 4: 2, 6: 6}}
	if typ == "tRNS" && w.colour == 3 {
		return n > 0 && n <= w.colours
	}
	return w.colour < 7 && n > 0 && n == samples[typ][w.colour]
}

// animation checks a chunk of an animation against those before it.
func (w *pngWalk) animation(typ string, n int64, body []byte, at int64) error {
	u32 := binary.BigEndian.Uint32
	idat := w.seen["IDAT"]
	if typ == "acTL" {
		if n != 8 {
			return &Finding{"a chunk of wrong length", at}
		}
		w.frames = u32(body)
		return nil
	}
	if n < 4 || u32(body) != w.seq {
		return &Finding{"a frame out of sequence", at}
	}
	w.seq++
	if typ == "fdAT" {
		k := len(w.anim) - 1
		if k < 0 || w.anim[k].still || !idat {
			return &Finding{"data of no frame", at}
		}
		w.anim[k].bytes += n - 4
		return nil
	}
	if n != 26 {
		return &Finding{"a chunk of wrong length", at}
	}
	fw, fh, fx, fy := uint64(u32(body[4:])), uint64(u32(body[8:])), uint64(u32(body[12:])), uint64(u32(body[16:]))
	whole := fx == 0 && fy == 0 && fw == uint64(w.w) && fh == uint64(w.h)
	outside := fw == 0 || fh == 0 || fx+fw > uint64(w.w) || fy+fh > uint64(w.h)
	if outside || body[24] > 2 || body[25] > 1 || !idat && (len(w.anim) > 0 || !whole) {
		return &Finding{"a frame of an unexpected form", at}
	}
	w.anim = append(w.anim, pngFrame{still: !idat})
	return nil
}

// end checks that an animation is whole.
func (w *pngWalk) end(at int64) error {
	for _, f := range w.anim {
		if f.bytes == 0 {
			return &Finding{"a frame without data", at}
		}
	}
	animated := w.seen["acTL"]
	return found(uint64(len(w.anim)) != uint64(w.frames) || animated && w.frames == 0, "an animation with frames missing", at)
}

func pngProfile(body []byte, at int64) error {
	if !bytes.HasPrefix(body, []byte("icc\x00\x00")) {
		return &Finding{"a colour profile with a name", at}
	}
	rest := bytes.NewReader(body[5:])
	z, err := zlib.NewReader(rest)
	if err != nil {
		return &Finding{"a colour profile that does not open", at}
	}
	p, err := io.ReadAll(io.LimitReader(z, 8<<20))
	if err != nil || rest.Len() != 0 {
		return &Finding{"a colour profile that does not open", at}
	}
	return profile(p)
}
