package verify

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
)

// pieces reads samples that are not made of NAL units: whole, or by jumps.
type pieces struct {
	ctx  context.Context
	near nal // for its peek
	buf  []byte
}

// codings are the codecs of pictures that are known, and how to look into
// them: "" has no place for words.
var codings = map[string]string{
	"av01": "obu", "dav1": "obu", "mp4v": "mpeg4", "jpeg": "jpeg", "mjpa": "jpeg",
	"m2v1": "mpeg2", "mp2v": "mpeg2", "mpg2": "mpeg2", "hdv1": "mpeg2", "hdv2": "mpeg2", "hdv3": "mpeg2", "hdv5": "mpeg2", "hdv6": "mpeg2", "hdv7": "mpeg2",
	"vp08": "", "vp09": "", "s263": "", "h263": "", "H263": "", "apch": "", "apcn": "", "apcs": "", "apco": "", "ap4h": "", "ap4x": "",
	"raw ": "", "2vuy": "", "yuv2": "", "v210": "", "v308": "", "v408": "", "v410": "", "rle ": "", "smc ": "", "rpza": "", "cvid": "",
}

func (p *pieces) sample(coding string, at, n int64) error {
	if at > p.near.size || n > p.near.size-at {
		return &Finding{"a sample outside of the file", at}
	}
	switch coding {
	case "obu":
		return p.obus(at, n)
	case "mpeg2", "mpeg4":
		return p.startCodes(at, n, coding == "mpeg4")
	case "jpeg":
		return p.jpegs(at, n)
	}
	return nil
}

// encoder is what user data of MPEG-4 may say: decoders go by it.
var encoder = regexp.MustCompile(`^(Lavc|FFmpeg|ffmpeg|XviD|DivX)[0-9.bp]*\x00*$`)

// plain reports whether user data is filler, or the name of an encoder where
// that is allowed.
func plain(text []byte, mpeg4 bool) bool {
	return leading(text, 0xff) == len(text) || mpeg4 && len(bytes.TrimRight(text, "\x00")) <= 24 && encoder.Match(text)
}

// startCodes looks for user data in a sample of MPEG-2 or MPEG-4 pictures.
func (p *pieces) startCodes(at, n int64, mpeg4 bool) error {
	if p.buf == nil {
		p.buf = make([]byte, 256<<10)
	}
	var b []byte // what is at hand from at on
	for end := at + n; at < end; {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if len(b) == 0 {
			b = p.buf[:min(end-at, int64(len(p.buf)))]
			if k, err := p.near.src.ReadAt(b, at); k < len(b) {
				return fmt.Errorf("read a sample to verify it: %w", err)
			}
		}
		last := at+int64(len(b)) == end
		i := bytes.Index(b, []byte{0, 0, 1, 0xb2})
		if i < 0 {
			step := len(b)
			if !last {
				step = max(step-3, 0)
			}
			at, b = at+int64(step), nil
			continue
		}
		at, b = at+int64(i), b[i:]
		text := b[4:]
		stop := bytes.Index(text, []byte{0, 0, 1})
		switch {
		case stop >= 0:
			text = text[:stop]
		case last:
		case len(b) < len(p.buf):
			b = nil // for more of it
			continue
		case leading(text, 0xff) == len(text):
			// a long run of filler goes on in the next piece
			var err error
			if at, err = p.pastFiller(at+4, end); err != nil {
				return err
			}
			b = nil
			continue
		default:
			return &Finding{"text in a sample", at}
		}
		if !plain(text, mpeg4) {
			return &Finding{"text in a sample", at}
		}
		at, b = at+4+int64(len(text)), b[4+len(text):]
	}
	return nil
}

// pastFiller reads over 0xff up to a start code.
func (p *pieces) pastFiller(at, end int64) (int64, error) {
	for at < end {
		b, err := p.near.some(at, 1, end-at)
		if err != nil {
			return at, err
		}
		n := leading(b, 0xff)
		at += int64(n)
		if n < len(b) {
			rest, err := p.near.peek(at, min(end-at, 3))
			if err == nil && !bytes.HasPrefix([]byte{0, 0, 1}, rest) {
				err = &Finding{"text in a sample", at}
			}
			return at, err
		}
	}
	return at, nil
}

// obus checks a sample of AV1.
func (p *pieces) obus(at, n int64) error {
	for end := at + n; at < end; {
		b, err := p.near.peek(at, min(end-at, 12))
		if err != nil {
			return err
		}
		head, size := obu(b, end-at)
		if head == 0 || size > end-at-head {
			return &Finding{"a unit longer than its sample", at}
		}
		switch kind := b[0] >> 3; {
		case kind == 1, kind == 3, kind == 4, kind == 6, kind == 7, size == 0 && kind != 0x10:
		case (kind == 5 || kind == 15) && size <= 512:
			if b, err = p.near.peek(at+head, size); err != nil {
				return err
			}
			if kind == 5 && !brightness(b) || kind == 15 && (leading(b, 0xff) != len(b)-1 || b[len(b)-1] != 0x80) {
				return &Finding{"a unit that decoding does not need", at}
			}
		case kind == 15:
			// the stop bit is the end of a run of ones
			if err := p.near.filled(at+head, size); err != nil {
				return err
			}
		default:
			return &Finding{"a unit that decoding does not need", at}
		}
		at += head + size
	}
	return nil
}

// brightness reports whether metadata of AV1 tells how bright pictures are, or
// how they are layered.
func brightness(b []byte) bool {
	switch b[0] {
	case 1, 2, 3:
		return len(b) > 1 && len(b) <= 64
	case 4:
		return bytes.HasPrefix(b[1:], []byte{0xb5, 0, 60, 0, 1, 4})
	}
	return false
}

// obu gives the length of a unit's header and of what follows it, of room
// bytes in all. The header has none if it cannot be read.
func obu(b []byte, room int64) (head, size int64) {
	head = 1
	if b[0]&4 > 0 {
		head = 2
	}
	if b[0] >= 0x80 {
		return 0, 0
	}
	if b[0]&2 == 0 {
		if room < head {
			return 0, 0
		}
		return head, room - head
	}
	for shift := 0; shift < 56 && head < int64(len(b)); shift += 7 {
		c := b[head]
		head++
		if size |= int64(c%128) << shift; c < 128 {
			return head, size
		}
	}
	return 0, 0
}

// jpegs checks a sample of JPEG pictures.
func (p *pieces) jpegs(at, n int64) error {
	open := false
	for end := at + n; at < end; {
		b, err := p.near.some(at, min(end-at, 4), end-at)
		if err != nil {
			return err
		}
		if !open {
			if i := leading(b, 0); i > 0 {
				at += int64(i)
				continue
			}
			if !bytes.HasPrefix(b, []byte{0xff, 0xd8}) {
				return &Finding{"bytes after a picture", at}
			}
			open = true
			at += 2
			continue
		}
		if len(b) < 2 || b[0] != 0xff {
			return &Finding{"bytes between the parts of a picture", at}
		}
		switch m := b[1]; {
		case m == 0xff:
			at++
		case m == 0xd9:
			open = false
			at += 2
		case m >= 0xd0 && m <= 0xd8, m == 1:
			at += 2
		case m < 0xc0 || m >= 0xf0 && m != 0xfe || len(b) < 4:
			return &Finding{"an unknown part of a picture", at}
		default:
			size := int64(b[2])<<8 + int64(b[3])
			if size < 2 || size+2 > end-at {
				return &Finding{"a part longer than its sample", at}
			}
			if m >= 0xe0 {
				if err := p.application(m, at+4, size-2); err != nil {
					return err
				}
			}
			at += 2 + size
			if m != 0xda {
				continue
			}
			if at, err = p.coded(at, end); err != nil {
				return err
			}
		}
	}
	return nil
}

// application checks a segment that decoding does not need: it is empty, or a
// form without words.
func (p *pieces) application(m byte, at, n int64) error {
	for whole := n; n > 0; {
		b, err := p.near.peek(at, min(n, nearBytes))
		if err != nil {
			return err
		}
		known := m == 0xe0 && whole == 14 && (string(b[:5]) == "JFIF\x00" && zero(b[12:]) || string(b[:4]) == "AVI1") ||
			m == 0xe1 && whole == 40 && string(b[4:8]) == "mjpg" || m == 0xee && whole == 12 && string(b[:5]) == "Adobe"
		if !known && !zero(b) {
			return &Finding{"metadata in a picture", at}
		}
		at, n = at+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// coded gives where the next marker after coded pixels is.
func (p *pieces) coded(at, end int64) (int64, error) {
	for at < end {
		b, err := p.near.some(at, min(end-at, 2), end-at)
		if err != nil {
			return at, err
		}
		i := bytes.IndexByte(b, 0xff)
		switch {
		case i < 0:
			at += int64(len(b))
		case i == len(b)-1 && at+int64(len(b)) == end:
			return end, nil
		case i == len(b)-1:
			at += int64(i)
		case b[i+1] == 0, slices.Contains([]byte{0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7}, b[i+1]):
			at += int64(i) + 2
		default:
			return at + int64(i), nil
		}
	}
	return at, nil
}
