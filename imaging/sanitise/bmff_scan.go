package sanitise

import (
	"bytes"
	"slices"
	"strings"
)

// scan looks through one sample of a codec that is not made of NAL units.
type scan func(s *scrubber, off, n int64) error

// scans lists the sample entries of pictures beside those of NAL units. With
// nil there is no place in a sample for anything but the picture.
var scans = map[string]scan{
	"av01": (*scrubber).obus, "dav1": (*scrubber).obus,
	"mp4v": func(s *scrubber, off, n int64) error { return s.userData(off, n, true) },
	"m2v1": mpeg2, "mp2v": mpeg2, "mpg2": mpeg2, "hdv1": mpeg2, "hdv2": mpeg2, "hdv3": mpeg2, "hdv5": mpeg2, "hdv6": mpeg2, "hdv7": mpeg2,
	"jpeg": (*scrubber).jpegs, "mjpa": (*scrubber).jpegs,
	"vp08": nil, "vp09": nil, "s263": nil, "h263": nil, "H263": nil, // no place for words
	"apch": nil, "apcn": nil, "apcs": nil, "apco": nil, "ap4h": nil, "ap4x": nil, // ProRes
	"raw ": nil, "2vuy": nil, "yuv2": nil, "v210": nil, "v308": nil, "v408": nil, "v410": nil, "rle ": nil, "smc ": nil, "rpza": nil, "cvid": nil,
}

func mpeg2(s *scrubber, off, n int64) error { return s.userData(off, n, false) }

// userData overlays what stands after the start code of user data (ISO/IEC
// 13818-2 and 14496-2). Names of encoders stay in MPEG-4 when they are nothing
// more: decoders choose the exact arithmetic by them.
func (s *scrubber) userData(off, n int64, names bool) error {
	code := []byte{0, 0, 1, 0xb2}
	for end := off + n; off < end; {
		b, err := s.block(off, end-off)
		if err != nil {
			return err
		}
		i := bytes.Index(b, code)
		if i < 0 {
			off += max(int64(len(b))-3, 1)
			continue
		}
		off += int64(i) + 4
		n, _, err := s.startCode(off, end-off)
		if err != nil {
			return err
		}
		if n > 0 {
			text, err := s.in.film(off, min(n, filmWindow))
			if err != nil {
				return err
			}
			if n > windowBytes || !(names && encoderName(text) || allOnes(text)) {
				s.acc.removed("text or private data in the video stream", n)
				if err := s.add(fill{off: off, n: uint32(min(n, 1<<32-1)), with: 0xff, last: 0xff}); err != nil {
					return err
				}
			}
		}
		off += n
	}
	return nil
}

func allOnes(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0xff })
}

// encoderName reports whether user data is the name and number of an encoder
// that decoders know.
func encoderName(b []byte) bool {
	s := strings.TrimRight(string(b), "\x00")
	if len(s) > 24 {
		return false
	}
	for _, name := range []string{"Lavc", "FFmpeg", "ffmpeg", "XviD", "DivX"} {
		if rest, ok := strings.CutPrefix(s, name); ok {
			return strings.Trim(rest, "0123456789.bp") == ""
		}
	}
	return false
}

// obus walks a sample of AV1, which is a row of units each with its length.
func (s *scrubber) obus(off, n int64) error {
	for end := off + n; off < end; {
		h, err := s.in.film(off, min(10, end-off))
		if err != nil {
			return err
		}
		first, at := h[0], 1
		if first&4 != 0 {
			at++
		}
		size := end - off - int64(at)
		if first&2 != 0 {
			var ok bool
			if size, at, ok = leb128(h, at); !ok {
				return errVideoDamaged
			}
		}
		body := off + int64(at)
		if first&0x80 != 0 || size < 0 || size > end-body {
			return errVideoDamaged
		}
		stays, err := s.obuStays(int(first>>3&15), body, size)
		if err != nil {
			return err
		}
		if !stays {
			s.acc.removed("private data between the pictures", size)
			padding := first&^0x78 | 15<<3
			if err := s.add(fill{off: off, n: 1, with: padding, last: padding}); err != nil {
				return err
			}
			if err := s.add(fill{off: body, n: uint32(size), with: 0xff, last: 0x80}); err != nil {
				return err
			}
		}
		off = body + size
	}
	return nil
}

// obuStays reports whether a unit is of pictures, of their brightness, or
// padding without a word in it.
func (s *scrubber) obuStays(typ int, body, n int64) (bool, error) {
	switch typ {
	case 1, 3, 4, 6, 7:
		return true, nil
	case 5, 15:
	default:
		return n == 0, nil
	}
	if n > 512 {
		return false, nil
	}
	b, err := s.in.film(body, n)
	if err != nil {
		return false, err
	}
	if typ == 15 {
		return n == 0 || b[n-1] == 0x80 && allOnes(b[:n-1]), nil
	}
	return n > 1 && (b[0] >= 1 && b[0] <= 3 && n <= 64 || b[0] == 4 && bytes.HasPrefix(b[1:], []byte("\xb5\x00\x3c\x00\x01\x04"))), nil
}

// leb128 reads a number of AV1 of at most eight bytes.
func leb128(b []byte, at int) (n int64, next int, ok bool) {
	for i := 0; i < 8 && at < len(b); i++ {
		n |= int64(b[at]&0x7f) << (7 * i)
		at++
		if b[at-1]&0x80 == 0 {
			return n, at, n < 1<<32
		}
	}
	return 0, at, false
}

// configAV1 cleans an av1C: of the units in it the sequence header stays.
func configAV1(b []byte, acc *account) ([]byte, error) {
	if len(b) < 4 || b[0] != 0x81 {
		return nil, errVideoDamaged
	}
	out := append([]byte{}, b[:4]...)
	for b = b[4:]; len(b) > 0; {
		at := 1 + int(b[0]>>2&1)
		size, at, ok := leb128(b, at)
		if !ok || b[0]&2 == 0 || size > int64(len(b)-at) {
			return nil, errVideoDamaged
		}
		n := at + int(size)
		if b[0]>>3&15 == 1 {
			out = append(out, b[:n]...)
		} else {
			acc.removed("private data in the decoder settings", int64(n))
		}
		b = b[n:]
	}
	return out, nil
}

// jpegs walks a sample of one or two JPEG pictures, marker by marker.
func (s *scrubber) jpegs(off, n int64) error {
	end := off + n
	for inside := false; off < end; {
		h, err := s.in.film(off, min(24, end-off))
		if err != nil {
			return err
		}
		switch {
		case len(h) < 2, !inside && (h[0] != 0xff || h[1] != 0xd8): // after a picture
			if strings.Trim(string(h), "\x00") == "" {
				off += int64(len(h))
				continue
			}
			return s.rest(off, end)
		case h[0] != 0xff:
			return errVideoDamaged
		case h[1] == 0xff:
			off++
		case h[1] == 0xd8:
			inside = true
			off += 2
		case h[1] == 0xd9:
			inside = false
			off += 2
		case h[1] >= 0xd0 && h[1] <= 0xd7 || h[1] == 1:
			off += 2
		default:
			if len(h) < 4 {
				return errVideoDamaged
			}
			size := int64(be.Uint16(h[2:])) + 2
			if size < 4 || size > end-off {
				return errVideoDamaged
			}
			if !segmentStays(h, size) {
				if err := s.zeros(off+4, size-4, "metadata of the pictures in the video"); err != nil {
					return err
				}
			}
			off += size
			if h[1] == 0xda {
				if off, err = s.scanData(off, end); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rest overlays with zeros what follows the last picture of a sample.
func (s *scrubber) rest(off, end int64) error {
	s.acc.removed("data after a picture of the video", end-off)
	return s.add(fill{off: off, n: uint32(min(end-off, 1<<32-1))})
}

// segmentStays reports whether a segment of a JPEG is needed to decode it, from
// its first bytes.
func segmentStays(h []byte, size int64) bool {
	body := string(h[4:])
	switch m := h[1]; {
	case m == 0xe0:
		return size == 18 && (strings.HasPrefix(body, "JFIF\x00") && strings.HasSuffix(body[:min(14, len(body))], "\x00\x00") || strings.HasPrefix(body, "AVI1"))
	case m == 0xe1:
		return size == 44 && len(body) >= 8 && body[4:8] == "mjpg"
	case m == 0xee:
		return size == 16 && strings.HasPrefix(body, "Adobe")
	case m == 0xfe, m >= 0xe0 && m <= 0xef:
		return false
	}
	return h[1] >= 0xc0 && h[1] <= 0xdf
}

// scanData gives where the coded pixels from off on end.
func (s *scrubber) scanData(off, end int64) (int64, error) {
	for off < end {
		b, err := s.in.some(off, min(2, end-off), end-off)
		if err != nil {
			return 0, err
		}
		i := bytes.IndexByte(b, 0xff)
		switch {
		case i < 0:
			off += int64(len(b))
		case i+1 == len(b) && off+int64(len(b)) < end:
			off += int64(i)
			if i == 0 {
				return 0, errVideoDamaged
			}
		case i+1 == len(b):
			return end, nil
		case b[i+1] == 0 || b[i+1] >= 0xd0 && b[i+1] <= 0xd7:
			off += int64(i) + 2
		default:
			return off + int64(i), nil
		}
	}
	return off, nil
}
