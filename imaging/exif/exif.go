// Package exif reads what an EXIF block (CIPA DC-008, TIFF 6.0) tells about a
// picture and its maker: for the receipt, for the orientation, and for a
// suggestion of when the picture was taken. It never says what a value was.
//
// goexif does the reading of values, but it allocates what a block tells it to
// and is not maintained. So a walk of our own goes first, with every count,
// offset and depth bounded; only a block that passes it is handed on, inside a
// recover.
package exif

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/words"
)

// Facts are what a block tells.
type Facts struct {
	Orientation int          // 1 to 8; 0 when there is none
	CapturedAt  time.Time    // zero when there is none
	Zoned       bool         // CapturedAt is a moment; otherwise it is the camera's clock, written as UTC
	Kinds       []words.Text // what kinds of things are in it, in documents' words
}

// ErrRefused means that a block is not one that can be walked within bounds.
var ErrRefused = errors.New("the EXIF block is malformed")

const (
	maxBlock   = 64 << 20
	maxEntries = 4096
	maxIFDs    = 32
)

// Read reads a block: the bytes after "Exif\0\0", which start with "II" or
// "MM". A malformed block gives what was found up to the fault, and
// ErrRefused.
func Read(block []byte) (Facts, error) {
	w := walker{b: block, seen: map[uint32]bool{}, kinds: map[words.Text]bool{}, offsets: map[uint16]string{}}
	err := w.walk()
	f := Facts{Orientation: w.orientation}
	for _, k := range kindOrder {
		if w.kinds[k] {
			f.Kinds = append(f.Kinds, k)
		}
	}
	if err != nil {
		return f, fmt.Errorf("%w: %v", ErrRefused, err)
	}
	f.CapturedAt, f.Zoned = captured(block, w.offsets)
	return f, nil
}

// The kinds of things, in the order of a receipt.
const (
	kindGPS       words.Text = "EXIF GPS position"
	kindSerial    words.Text = "EXIF serial numbers"
	kindMaker     words.Text = "EXIF maker notes"
	kindModel     words.Text = "EXIF camera make and model"
	kindNames     words.Text = "EXIF names and owner"
	kindDates     words.Text = "EXIF dates"
	kindSoftware  words.Text = "EXIF software"
	kindUnique    words.Text = "EXIF unique image identifier"
	kindThumbnail words.Text = "EXIF thumbnail"
	kindText      words.Text = "EXIF descriptions and comments"
	kindOther     words.Text = "EXIF camera settings"
)

var kindOrder = []words.Text{kindGPS, kindSerial, kindMaker, kindModel, kindNames, kindDates, kindSoftware, kindUnique, kindThumbnail, kindText, kindOther}

var kindOf = map[uint16]words.Text{
	0x010f: kindModel, 0x0110: kindModel, 0xa433: kindModel, 0xa434: kindModel, 0xc614: kindModel,
	0xa431: kindSerial, 0xa435: kindSerial, 0xc62f: kindSerial, 0x927c: kindMaker,
	0x013b: kindNames, 0x8298: kindNames, 0xa430: kindNames, 0x9c9d: kindNames, 0x013c: kindNames,
	0x0132: kindDates, 0x9003: kindDates, 0x9004: kindDates, 0x9010: kindDates, 0x9011: kindDates, 0x9012: kindDates, 0x9290: kindDates, 0x9291: kindDates, 0x9292: kindDates,
	0x0131: kindSoftware, 0xa420: kindUnique,
	0x010e: kindText, 0x9286: kindText, 0x9c9b: kindText, 0x9c9c: kindText, 0x9c9e: kindText, 0x9c9f: kindText,
}

type walker struct {
	b           []byte
	order       binary.ByteOrder
	seen        map[uint32]bool
	entries     int
	values      int64 // bytes of all values
	orientation int
	offsets     map[uint16]string // of the clock from UTC, by tag
	kinds       map[words.Text]bool
}

func (w *walker) walk() error {
	if len(w.b) < 8 || len(w.b) > maxBlock {
		return errors.New("its size")
	}
	switch string(w.b[:4]) {
	case "II*\x00":
		w.order = binary.LittleEndian
	case "MM\x00*":
		w.order = binary.BigEndian
	default:
		return errors.New("its byte order")
	}
	next := w.order.Uint32(w.b[4:])
	for n := 0; next != 0; n++ {
		if n == 1 {
			w.kinds[kindThumbnail] = true
		}
		var err error
		if next, err = w.ifd(next, n == 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// ifd walks one directory and gives the offset of the next.
func (w *walker) ifd(at uint32, first bool, depth int) (uint32, error) {
	if w.seen[at] || len(w.seen) >= maxIFDs || depth > 4 {
		return 0, errors.New("its directories form a loop or are too many")
	}
	w.seen[at] = true
	if int64(at)+2 > int64(len(w.b)) {
		return 0, errors.New("a directory is outside")
	}
	n := int(w.order.Uint16(w.b[at:]))
	end := int64(at) + 2 + int64(n)*12
	if w.entries += n; w.entries > maxEntries || end > int64(len(w.b)) {
		return 0, errors.New("a directory is too long")
	}
	for i := range n {
		if err := w.entry(w.b[int(at)+2+i*12:][:12], first, depth); err != nil {
			return 0, err
		}
	}
	if end+4 > int64(len(w.b)) {
		return 0, nil // some writers leave the last pointer out
	}
	return w.order.Uint32(w.b[end:]), nil
}

var typeBytes = [...]int64{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}

func (w *walker) entry(e []byte, first bool, depth int) error {
	tag, typ, count := w.order.Uint16(e), w.order.Uint16(e[2:]), int64(w.order.Uint32(e[4:]))
	if typ == 0 || int(typ) >= len(typeBytes) {
		return errors.New("an unknown type")
	}
	size := typeBytes[typ] * count
	if size > 4 && int64(w.order.Uint32(e[8:]))+size > int64(len(w.b)) {
		return errors.New("a value is outside")
	}
	// goexif copies each value, and makes eight bytes of most; those of an honest
	// block do not lie across each other.
	if w.values += size; w.values > int64(len(w.b)) {
		return errors.New("its values are longer than it is")
	}
	value := w.order.Uint32(e[8:])
	switch {
	case tag == 0x0112 && first && typ == 3 && count == 1:
		if o := int(w.order.Uint16(e[8:])); o >= 1 && o <= 8 {
			w.orientation = o
		}
		return nil
	case tag >= 0x9010 && tag <= 0x9012 && typ == 2 && size > 4 && size <= 16:
		w.offsets[tag] = string(w.b[value:][:size])
	case tag == 0x8825 || tag == 0x8769 || tag == 0xa005:
		if tag == 0x8825 {
			w.kinds[kindGPS] = true
		}
		if count != 1 || typ != 4 && typ != 13 {
			return errors.New("a pointer of another type")
		}
		_, err := w.ifd(value, false, depth+1)
		return err
	}
	kind, ok := kindOf[tag]
	if !ok {
		kind = kindOther
	}
	w.kinds[kind] = true
	return nil
}
