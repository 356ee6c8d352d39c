package sanitise

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// jpegComponent is a colour component of a frame, and how far its scans have
// come.
type jpegComponent struct {
	id   byte
	h, v int64    // sampling factors
	q    byte     // its quantisation table
	done [64]int8 // of progressive scans: bits of each coefficient still to come, plus 1; 0 before its first scan
}

// frame reads the frame header (T.81, B.2.2).
func (j *jpegFile) frame(marker byte, off, n int64) error {
	if n < 8 || n > 8+3*4 || j.width != 0 {
		return errJPEGDamaged
	}
	b := make([]byte, n)
	if err := readAt(j.src, b, off); err != nil {
		return cut(err, errJPEGCut)
	}
	if n != 8+3*int64(b[7]) {
		return errJPEGDamaged
	}
	j.process = marker
	j.height, j.width = int(binary.BigEndian.Uint16(b[3:])), int(binary.BigEndian.Uint16(b[5:]))
	for c := b[8:]; len(c) > 0; c = c[3:] {
		part := jpegComponent{id: c[0], h: int64(c[1] >> 4), v: int64(c[1] & 15), q: c[2]}
		if part.h < 1 || part.h > 4 || part.v < 1 || part.v > 4 {
			return errJPEGDamaged
		}
		if slices.ContainsFunc(j.parts, func(p jpegComponent) bool { return p.id == part.id }) {
			return errJPEGDamaged
		}
		j.parts = append(j.parts, part)
	}
	if len(j.parts) == 0 {
		return errJPEGDamaged
	}
	return checkPixels(j.width, j.height, j.opt)
}

// jpegTable is a table for scans, of quantisation or of Huffman codes. One that
// no scan uses before the next of its number is a place to hide things.
type jpegTable struct {
	marker byte
	body   []byte
	used   bool
}

// use notes that a scan uses the table of a number.
func (j *jpegFile) use(marker, number byte) {
	if t := j.defined[uint16(marker)<<8|uint16(number)]; t != nil {
		t.used = true
	}
}

// usedTables gives a segment of the tables of a row that scans use, and nothing
// when there are none.
func (j *jpegFile) usedTables(row []*jpegTable) []byte {
	var body []byte
	for _, t := range row {
		if t.used {
			body = append(body, t.body...)
		} else {
			j.acc.removed("unused tables", int64(len(t.body)))
		}
	}
	if body == nil {
		return nil
	}
	return segment(row[0].marker, body)
}

// table looks at a segment of tables. A table that is defined twice before a
// scan uses it is a place to hide things: the same again is left out, another
// one refused.
func (j *jpegFile) table(marker byte, off, n int64) (again bool, err error) {
	b := make([]byte, n-2)
	if err := readAt(j.src, b, off+2); err != nil {
		return false, cut(err, errJPEGCut)
	}
	if marker == 0xdd {
		if len(b) != 2 {
			return false, errJPEGDamaged
		}
		j.interval = int64(binary.BigEndian.Uint16(b))
	}
	if j.tables == nil {
		j.tables, j.defined, j.rows = map[uint16][32]byte{}, map[uint16]*jpegTable{}, map[int][]*jpegTable{}
	}
	fresh, repeated, row := 0, 0, []*jpegTable(nil)
	for len(b) > 0 {
		size := 0
		switch {
		case marker == 0xdb:
			size = 1 + 64*(1+int(b[0]>>4))
		case marker == 0xc4 && len(b) > 16:
			size = 17
			for _, k := range b[1:17] {
				size += int(k)
			}
		case marker == 0xcc || marker == 0xdd:
			size = 2
		}
		if size == 0 || size > len(b) || marker != 0xcc && marker != 0xdd && (b[0]&15 > 3 || b[0]>>4 > 1) {
			return false, errJPEGDamaged
		}
		key := uint16(marker)<<8 | uint16(b[0])
		switch marker {
		case 0xdd:
			key = 0xdd00
		case 0xdb:
			key &^= 0xf0 // the precision is not of the number
		}
		sum := sha256.Sum256(b[:size])
		switch was, ok := j.tables[key]; {
		case !ok:
			if fresh++; marker == 0xdb || marker == 0xc4 {
				t := &jpegTable{marker: marker, body: b[:size]}
				j.defined[key], row = t, append(row, t)
			}
		case was == sum:
			repeated++
		default:
			return false, errJPEGDamaged
		}
		j.tables[key] = sum
		b = b[size:]
	}
	if fresh > 0 && repeated > 0 {
		return false, errJPEGDamaged
	}
	if row != nil {
		j.rows[len(j.keep)] = row
	}
	return fresh == 0, nil
}

// scanRoom is what one scan may hold.
type scanRoom struct {
	bytes    int64
	restarts int64
}

// scanHeader reads a scan header (T.81, B.2.3), sees that the scan codes
// something that no earlier one coded, and says how much room that needs.
func (j *jpegFile) scanHeader(off, n int64) (scanRoom, error) {
	if n < 6 || n > 6+2*4 {
		return scanRoom{}, errJPEGDamaged
	}
	b := make([]byte, n)
	if err := readAt(j.src, b, off); err != nil {
		return scanRoom{}, cut(err, errJPEGCut)
	}
	if n != 6+2*int64(b[2]) || b[2] == 0 {
		return scanRoom{}, errJPEGDamaged
	}
	clear(j.tables)
	first, last, high, low := int(b[n-3]), int(b[n-2]), int8(b[n-1]>>4), int8(b[n-1]&15)
	if j.process != 0xc2 && j.process != 0xca {
		first, last, high, low = 0, 0, 0, 0 // a sequential scan codes all of a component at once
	} else if first > last || last > 63 || first == 0 && last != 0 || first > 0 && b[2] != 1 || high > 0 && low != high-1 || low > 13 {
		return scanRoom{}, errJPEGDamaged
	}
	var in []*jpegComponent
	for c := b[3 : n-3]; len(c) > 0; c = c[2:] {
		var part *jpegComponent
		for i := range j.parts {
			if j.parts[i].id == c[0] {
				part = &j.parts[i]
			}
		}
		if part == nil {
			return scanRoom{}, errJPEGDamaged
		}
		for k := first; k <= last; k++ {
			if part.done[k] != 0 && (high == 0 || part.done[k] != high+1) || part.done[k] == 0 && high != 0 {
				return scanRoom{}, errJPEGDamaged
			}
			part.done[k] = low + 1
		}
		j.scanned(part, c[1]>>4, c[1]&15, first, high)
		in = append(in, part)
	}
	return j.room(in), nil
}

// scanned notes the tables that a scan of a component uses.
func (j *jpegFile) scanned(part *jpegComponent, dc, ac byte, first int, high int8) {
	progressive, lossless := j.process == 0xc2 || j.process == 0xca, j.process == 0xc3 || j.process == 0xcb
	if !lossless {
		j.use(0xdb, part.q)
	}
	if j.process >= 0xc9 { // arithmetic coding has no Huffman codes
		return
	}
	if first == 0 && high == 0 { // of the refinement of DC coefficients there are only bits
		j.use(0xc4, dc)
	}
	if !lossless && !progressive || first > 0 {
		j.use(0xc4, 0x10|ac)
	}
}

// room bounds the coded data of a scan over some components: no code of a
// coefficient or sample has more than 32 bits, and stuffing may double that.
func (j *jpegFile) room(in []*jpegComponent) scanRoom {
	const mostBytes = 8
	across, down := int64(1), int64(1)
	for _, part := range j.parts {
		across, down = max(across, part.h), max(down, part.v)
	}
	unit := int64(8)
	if j.process == 0xc3 || j.process == 0xcb { // lossless ones code samples
		unit = 1
	}
	up := func(a, b int64) int64 { return (a + b - 1) / b }
	w, h, blocks := up(int64(j.width), unit*across), up(int64(j.height), unit*down), int64(0)
	for _, part := range in {
		blocks += part.h * part.v
	}
	if len(in) == 1 {
		w, h, blocks = up(up(int64(j.width)*in[0].h, across), unit), up(up(int64(j.height)*in[0].v, down), unit), 1
	}
	room := scanRoom{bytes: w*h*blocks*unit*unit*mostBytes + 64}
	if j.interval > 0 {
		room.restarts = up(w*h, j.interval) - 1
		room.bytes += 2 * room.restarts
	}
	return room
}

// scan passes over entropy-coded data: everything up to a marker that is
// neither stuffing nor a restart. Restarts count up, and end when the picture
// does.
func (j *jpegFile) scan(at int64, room scanRoom) (int64, error) {
	start, restarts := at, int64(0)
	if j.buf == nil {
		j.buf = make([]byte, 128<<10)
	}
	b := j.buf
	for at < j.size {
		if err := j.ctx.Err(); err != nil {
			return 0, err
		}
		n := min(int64(len(b)), j.size-at)
		if err := readAt(j.src, b[:n], at); err != nil {
			return 0, cut(err, errJPEGCut)
		}
		i := 0
		for {
			k := bytes.IndexByte(b[i:n], 0xff)
			if k < 0 {
				at += n
				break
			}
			if i += k; int64(i+1) == n { // its second byte is in the next block
				if at+n == j.size {
					return 0, errJPEGCut
				}
				at += int64(i)
				break
			}
			switch m := b[i+1]; {
			case m == 0xff:
				return at + int64(i), j.filled(at+int64(i), start, room)
			case m >= 0xd0 && m <= 0xd7:
				if restarts > room.restarts || int64(m-0xd0) != restarts%8 {
					return 0, errJPEGDamaged
				}
				if restarts++; restarts > room.restarts { // some cameras write one more, behind the last
					room.bytes = at + int64(i) + 2 - start
				}
			case m != 0:
				if at+int64(i)-start > room.bytes {
					return 0, errJPEGDamaged // more than the pixels can need
				}
				return at + int64(i), nil
			}
			i += 2
		}
	}
	return 0, errJPEGCut
}

// filled looks at fill bytes in or behind a scan, which start at at: the scan
// ends there only if a marker other than a restart follows.
func (j *jpegFile) filled(at, start int64, room scanRoom) error {
	if at-start > room.bytes {
		return errJPEGDamaged
	}
	var b [256]byte
	n, _ := j.src.ReadAt(b[:min(int64(len(b)), j.size-at)], at)
	rest := afterFill(b[:n])
	if len(rest) == 0 || rest[0] == 0 || rest[0] >= 0xd0 && rest[0] <= 0xd7 {
		return errJPEGDamaged
	}
	return nil
}

// afterFill is b without the fill bytes in front.
func afterFill(b []byte) []byte {
	for len(b) > 0 && b[0] == 0xff {
		b = b[1:]
	}
	return b
}
