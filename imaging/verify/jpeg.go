package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
)

// jpegWalk reads a JPEG strictly in order. The grammar is narrower than that of
// T.81: it is the one shape that a cleaned file has.
type jpegWalk struct {
	in  *cursor
	icc []byte // gathered from its parts
	// parts of the profile seen and said
	iccSeen, iccTotal byte
	stage             int // how far the head of the file has come
	frames, scans     int
	width, height     int
	tables            bool // it is tables for other streams, without a frame
}

// The order of the head: nothing may come before what it follows.
const (
	stageJFIF = iota + 1
	stageOrientation
	stageICC
	stageAdobe
	stageTables
)

func jpeg(ctx context.Context, src io.ReaderAt, size int64) error {
	return (&jpegWalk{in: newCursor(ctx, src, size)}).walk()
}

func (w *jpegWalk) walk() error {
	if err := w.in.expect("start of image", []byte{0xff, 0xd8}); err != nil {
		return err
	}
	for {
		at := w.in.at
		b, err := w.in.take(2)
		if err != nil {
			return err
		}
		if b[0] != 0xff {
			return &Finding{"a byte between segments", at}
		}
		marker := b[1]
		if marker == 0xd9 {
			return w.end()
		}
		if err := w.segment(marker, at); err != nil {
			return err
		}
	}
}

func (w *jpegWalk) end() error {
	switch {
	case w.in.at != w.in.size:
		return &Finding{"data after the end of image", w.in.at}
	case w.tables:
		return found(w.frames != 0, "tables with a picture", 0)
	case w.frames != 1 || w.scans == 0:
		return &Finding{"a picture without a frame or a scan", 0}
	case w.iccTotal != 0 && w.iccSeen != w.iccTotal:
		return &Finding{"a part of the colour profile is missing", 0}
	}
	if w.icc != nil {
		return profile(w.icc)
	}
	return nil
}

func (w *jpegWalk) reach(stage int, at int64) error {
	if stage < w.stage || stage == w.stage && stage != stageICC && stage != stageTables {
		return &Finding{"a segment out of order or twice", at}
	}
	w.stage = stage
	return nil
}

func (w *jpegWalk) segment(marker byte, at int64) error {
	head, err := w.in.take(2)
	if err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint16(head)) - 2
	if n < 0 {
		return &Finding{"a segment of negative length", at}
	}
	body, err := w.in.take(n)
	if err != nil {
		return err
	}
	switch marker {
	case 0xe0:
		ok := n == 14 && bytes.HasPrefix(body, []byte("JFIF\x00\x01\x01")) && body[7] <= 2 && body[12] == 0 && body[13] == 0
		return first(found(!ok, "APP0 that is not a bare JFIF header", at), w.reach(stageJFIF, at))
	case 0xe1:
		return first(found(!onlyOrientation(body), "APP1 that holds more than an orientation", at), w.reach(stageOrientation, at))
	case 0xe2:
		return first(w.iccPart(body, at), w.reach(stageICC, at))
	case 0xee:
		ok := n == 12 && bytes.HasPrefix(body, []byte("Adobe\x00\x64\x00\x00\x00\x00")) && body[11] <= 2
		return first(found(!ok, "APP14 that is not a bare Adobe header", at), w.reach(stageAdobe, at))
	}
	if err := w.reach(stageTables, at); err != nil {
		return err
	}
	return w.coding(marker, body, at)
}

// coding checks the segments that decoding needs, to the byte.
func (w *jpegWalk) coding(marker byte, body []byte, at int64) error {
	n := len(body)
	switch {
	case marker == 0xdb:
		return found(!tables(body, func(b []byte) int { return 1 + 64*(1+int(b[0]>>4)) }), "a quantisation table of wrong length", at)
	case marker == 0xc4:
		return found(!tables(body, func(b []byte) int {
			if len(b) < 17 {
				return -1
			}
			sum := 17
			for _, c := range b[1:17] {
				sum += int(c)
			}
			return sum
		}), "a Huffman table of wrong length", at)
	case marker == 0xcc:
		return found(n == 0 || n%2 != 0, "an arithmetic table of wrong length", at)
	case marker == 0xdd:
		return found(n != 2, "a restart interval of wrong length", at)
	case marker == 0xda:
		w.scans++
		if n < 1 || n != 4+2*int(body[0]) || w.frames != 1 {
			return &Finding{"a scan header of wrong length or place", at}
		}
		return w.in.scan()
	case marker >= 0xc0 && marker <= 0xcf && marker != 0xc8:
		w.frames++
		if n >= 6 {
			w.height, w.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
		}
		return found(n < 6 || n != 6+3*int(body[5]) || w.frames > 1, "a frame header of wrong length or place", at)
	}
	return &Finding{"a segment that decoding does not need", at}
}

// tables reports whether body is a row of tables whose lengths size gives.
func tables(body []byte, size func([]byte) int) bool {
	for len(body) > 0 {
		n := size(body)
		if n <= 0 || n > len(body) {
			return false
		}
		body = body[n:]
	}
	return true
}

func (w *jpegWalk) iccPart(body []byte, at int64) error {
	if !bytes.HasPrefix(body, []byte("ICC_PROFILE\x00")) || len(body) < 15 || body[12] != w.iccSeen+1 || w.iccSeen > 0 && body[13] != w.iccTotal || body[12] > body[13] {
		return &Finding{"APP2 that is not the next part of a colour profile", at}
	}
	w.iccSeen, w.iccTotal = body[12], body[13]
	w.icc = append(w.icc, body[14:]...)
	return nil
}

// onlyOrientation reports whether an EXIF segment is the one with a single
// orientation entry.
func onlyOrientation(body []byte) bool {
	want := []byte("Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00?\x00\x00\x00\x00\x00\x00")
	const at = 25
	return len(body) == len(want) && bytes.Equal(body[:at], want[:at]) && body[at] >= 2 && body[at] <= 8 && bytes.Equal(body[at+1:], want[at+1:])
}

// found makes a finding when there is one.
func found(bad bool, where string, at int64) error {
	if bad {
		return &Finding{where, at}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
