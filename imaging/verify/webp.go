package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strings"
)

// webpWalk reads a WebP in the one order of chunks that a cleaned file has.
type webpWalk struct {
	in    *cursor
	flags byte
	w, h  uint32 // of the canvas
}

func webp(ctx context.Context, src io.ReaderAt, size int64) error {
	v := &webpWalk{in: newCursor(ctx, src, size)}
	b, err := v.in.take(12)
	if err != nil {
		return err
	}
	if string(b[:4]) != "RIFF" || string(b[8:]) != "WEBP" || int64(binary.LittleEndian.Uint32(b[4:]))+8 != size {
		return &Finding{"a RIFF header that is wrong", 0}
	}
	kind, err := v.peek()
	if err != nil {
		return err
	}
	if kind == "VP8X" {
		err = v.extended()
	} else {
		err = v.picture(false, 0, 0)
	}
	return first(err, found(v.in.at != size, "data after the picture", v.in.at))
}

// peek gives the kind of the next chunk.
func (v *webpWalk) peek() (string, error) {
	b, err := v.in.view(v.in.at, 4)
	return string(b), err
}

// open takes the header of a chunk, which must be of a kind, and gives its length.
func (v *webpWalk) open(kind string) (int64, error) {
	at := v.in.at
	b, err := v.in.take(8)
	if err != nil {
		return 0, err
	}
	n := int64(binary.LittleEndian.Uint32(b[4:]))
	return n, first(found(string(b[:4]) != kind, "a chunk that rendering does not need or out of order", at),
		found(n > v.in.size-v.in.at, "the file ends inside a part", at))
}

// small takes a whole chunk with its padding.
func (v *webpWalk) small(kind string) ([]byte, error) {
	n, err := v.open(kind)
	if err != nil {
		return nil, err
	}
	if n > 8<<20 {
		return nil, &Finding{"a chunk that is too long", v.in.at}
	}
	var all []byte
	for left := n; left > 0; {
		b, err := v.in.take(min(left, maxTake))
		if err != nil {
			return nil, err
		}
		all, left = append(all, b...), left-int64(len(b))
	}
	return all, v.pad(n)
}

func (v *webpWalk) pad(n int64) error {
	if n%2 == 0 {
		return nil
	}
	return v.in.expect("zero padding", []byte{0})
}

func le24(b []byte) uint32 { return binary.LittleEndian.Uint32(append(bytes.Clone(b[:3]), 0)) }

// extended walks a file that starts with VP8X: every flag must be true.
func (v *webpWalk) extended() error {
	at := v.in.at
	b, err := v.small("VP8X")
	if err != nil {
		return err
	}
	if len(b) != 10 || b[0]&0b11000101 != 0 || le24(b[1:]) != 0 {
		return &Finding{"an extended header of an unexpected form", at}
	}
	v.flags, v.w, v.h = b[0], le24(b[4:])+1, le24(b[7:])+1
	if v.flags&0x20 != 0 {
		p, err := v.small("ICCP")
		if err != nil {
			return err
		}
		if err := profile(p); err != nil {
			return err
		}
	}
	if v.flags&0x02 != 0 {
		err = v.animation()
	} else {
		err = v.picture(true, v.w, v.h)
	}
	if err != nil || v.flags&0x08 == 0 {
		return err
	}
	at = v.in.at
	if b, err = v.small("EXIF"); err != nil {
		return err
	}
	return found(!onlyOrientation(append([]byte("Exif\x00\x00"), b...)), "EXIF that holds more than an orientation", at)
}

func (v *webpWalk) animation() error {
	at := v.in.at
	b, err := v.small("ANIM")
	if err != nil {
		return err
	}
	if len(b) != 6 {
		return &Finding{"an animation's settings of wrong length", at}
	}
	for n := 0; ; n++ {
		if v.in.at == v.in.size {
			return found(n == 0, "no picture", at)
		}
		kind, err := v.peek()
		if err != nil {
			return err
		}
		if kind != "ANMF" && n > 0 {
			return nil
		}
		if err := v.frame(); err != nil {
			return err
		}
	}
}

func (v *webpWalk) frame() error {
	at := v.in.at
	n, err := v.open("ANMF")
	if err != nil {
		return err
	}
	end := v.in.at + n
	b, err := v.in.take(16)
	if err != nil {
		return err
	}
	x, y, w, h := 2*le24(b), 2*le24(b[3:]), 1+le24(b[6:]), 1+le24(b[9:])
	if b[15] > 3 || x+w > v.w || y+h > v.h {
		return &Finding{"a frame of an unexpected form", at}
	}
	if err := v.picture(true, w, h); err != nil {
		return err
	}
	return found(v.in.at != end, "data in a frame after its picture", v.in.at)
}

// picture takes a coded picture, with alpha before it where that may be, of
// the given size unless that is 0.
func (v *webpWalk) picture(alpha bool, w, h uint32) error {
	kind, err := v.peek()
	if err != nil {
		return err
	}
	at, pixels := v.in.at, int64(-1)
	if kind == "ALPH" && alpha {
		if pixels, err = v.alpha(); err != nil {
			return err
		}
		kind = "VP8 " // VP8L has alpha of its own
	} else if !strings.HasPrefix(kind, "VP8") {
		return &Finding{"no picture where one belongs", at}
	}
	if kind != "VP8L" {
		kind = "VP8 "
	}
	n, err := v.open(kind)
	if err != nil {
		return err
	}
	end := v.in.at + n
	b, err := v.in.view(v.in.at, min(n, 10))
	if err != nil {
		return err
	}
	var gotW, gotH uint32
	switch {
	case kind == "VP8 " && n >= 10 && b[0]&1 == 0 && string(b[3:6]) == "\x9d\x01*":
		gotW, gotH = uint32(b[6])|uint32(b[7]&0x3f)<<8, uint32(b[8])|uint32(b[9]&0x3f)<<8
	case kind == "VP8L" && n >= 5 && b[0] == '/' && b[4]>>5 == 0:
		bits := binary.LittleEndian.Uint32(b[1:])
		gotW, gotH = bits%(1<<14)+1, bits>>14%(1<<14)+1
	default:
		return &Finding{"a picture of an unexpected form", at}
	}
	if w != 0 && (gotW != w || gotH != h) || pixels >= 0 && pixels != int64(gotW)*int64(gotH) {
		return &Finding{"a picture of another size than announced", at}
	}
	v.in.at = end
	return v.pad(n)
}

// alpha takes a chunk of alpha, and gives how many pixels it is for; -1 when
// only decoding it would tell.
func (v *webpWalk) alpha() (int64, error) {
	at := v.in.at
	n, err := v.open("ALPH")
	if err != nil {
		return 0, err
	}
	end := v.in.at + n
	b, err := v.in.take(1)
	if err != nil {
		return 0, err
	}
	pixels := int64(-1)
	switch b[0] & 0b11000011 {
	case 0:
		pixels = n - 1
	case 1:
	default:
		return 0, &Finding{"alpha of an unexpected form", at}
	}
	if n == 0 || end > v.in.size {
		return 0, &Finding{"alpha of an unexpected form", at}
	}
	v.in.at = end
	return pixels, v.pad(n)
}
