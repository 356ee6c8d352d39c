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
	stage             int  // how far the head of the file has come
	tables            bool // it is tables for other streams, without a frame
	frame             jpegFrame
	scans             int
	unused            map[[2]byte]bool // tables that no scan used yet
	part              bool             // its tables may be for other streams, or theirs for it
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
		return found(w.frame.parts != nil, "tables with a picture", 0)
	case w.frame.parts == nil || w.scans == 0:
		return &Finding{"a picture without a frame or a scan", 0}
	case len(w.unused) > 0 && !w.part:
		return &Finding{"a table that nothing uses", 0}
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
		ok := n == 14 && bytes.HasPrefix(body, []byte("JFIF\x00\x01\x01\x00")) && body[12] == 0 && body[13] == 0 && onlyShape(int64(binary.BigEndian.Uint16(body[8:])), int64(binary.BigEndian.Uint16(body[10:])))
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
	switch marker {
	case 0xdb:
		return w.row("quantisation table", marker, body, at, func(b []byte) int { return 1 + 64*(1+int(b[0]>>4)) })
	case 0xc4:
		return w.row("Huffman table", marker, body, at, func(b []byte) int {
			if len(b) < 17 {
				return -1
			}
			sum := 17
			for _, c := range b[1:17] {
				sum += int(c)
			}
			return sum
		})
	case 0xcc:
		return w.row("arithmetic table", marker, body, at, func([]byte) int { return 2 })
	case 0xdd:
		if len(body) != 2 {
			return &Finding{"a restart interval of wrong length", at}
		}
		w.frame.interval = int64(binary.BigEndian.Uint16(body))
		return nil
	case 0xda:
		w.scans++
		end, err := w.frame.scan(body, at)
		if err != nil {
			return err
		}
		w.uses(body)
		return w.entropy(end)
	case 0xc0, 0xc1, 0xc2, 0xc3, 0xc9, 0xca, 0xcb:
		if w.frame.parts != nil {
			return &Finding{"a second frame", at}
		}
		return w.frame.read(marker, body, at)
	}
	return &Finding{"a segment that decoding does not need", at}
}

// uses notes which tables a scan needs: those that it names.
func (w *jpegWalk) uses(scan []byte) {
	for key := range w.unused {
		if w.part || key[0] == 0xcc {
			delete(w.unused, key)
		}
	}
	tail := scan[len(scan)-3:]
	for i := 1; i < len(scan)-3; i += 2 {
		dc, ac := [2]byte{0xc4, scan[i+1] / 16}, [2]byte{0xc4, 16 + scan[i+1]%16}
		switch w.frame.marker {
		case 0xc0, 0xc1:
			delete(w.unused, dc)
			delete(w.unused, ac)
		case 0xc2:
			if tail[0] > 0 {
				delete(w.unused, ac)
			} else if tail[2] < 16 {
				delete(w.unused, dc)
			}
		case 0xc3:
			delete(w.unused, dc)
			continue
		case 0xcb:
			continue
		}
		delete(w.unused, [2]byte{0xdb, w.frame.parts[scan[i]].steps})
	}
}

// row checks that a segment is a row of tables whose lengths size gives, each
// of a number that no table before it had that no scan used.
func (w *jpegWalk) row(what string, marker byte, body []byte, at int64, size func([]byte) int) error {
	if len(body) == 0 {
		return &Finding{"an empty " + what, at}
	}
	for len(body) > 0 {
		n := size(body)
		if n <= 0 || n > len(body) {
			return &Finding{"a " + what + " of wrong length", at}
		}
		key := [2]byte{marker, body[0]}
		if marker == 0xdb {
			key[1] %= 16
		}
		if w.unused[key] || marker != 0xcc && (body[0]&15 > 3 || body[0]>>4 > 1) {
			return &Finding{"a " + what + " that nothing uses", at}
		}
		if w.unused == nil {
			w.unused = map[[2]byte]bool{}
		}
		w.unused[key] = true
		body = body[n:]
	}
	return nil
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
