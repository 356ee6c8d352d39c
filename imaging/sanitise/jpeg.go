package sanitise

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/wardseal/wardseal/imaging/splice"
	"github.com/wardseal/wardseal/internal/words"
)

// Limits on the structure of a JPEG, far above what cameras write.
const (
	maxSegments = 20_000
	maxScans    = 2_000
)

var (
	errJPEGCut     = refuse("truncated", "This photo is not complete: its end is missing. Take or export it again.")
	errJPEGDamaged = refuse("damaged", "This photo is damaged and cannot be cleaned safely. Take or export it again.")
)

// jpegFile is a walk over one JPEG (ITU-T T.81 annex B).
type jpegFile struct {
	ctx  context.Context
	src  io.ReaderAt
	size int64
	opt  Options
	acc  *account

	keep        [][2]int64 // ranges to copy: tables, frame, scans
	jfif        []byte     // rewritten
	adobe       []byte
	orientation int
	icc         map[byte][]byte
	iccTotal    byte
	width       int
	height      int
	scans       int
	most        int    // segments; 0 means maxSegments
	buf         []byte // of scan

	process  byte // the frame's marker
	parts    []jpegComponent
	interval int64               // MCUs between restarts; 0 when there are none
	tables   map[uint16][32]byte // hash of each table since the last scan
	defined  map[uint16]*jpegTable
	rows     map[int][]*jpegTable // by which of keep they are
}

// jpeg keeps what decoding needs: tables, the frame, the scans as they are, and
// of the application segments the density, the Adobe colour transform, the
// orientation and the reduced colour profile.
func jpeg(ctx context.Context, src io.ReaderAt, size int64, opt Options) (*plan, error) {
	j := &jpegFile{ctx: ctx, src: src, size: size, opt: opt, acc: newAccount(), orientation: 1, icc: map[byte][]byte{}}
	end, err := j.walk()
	if err != nil {
		return nil, err
	}
	if j.width == 0 || j.scans == 0 {
		return nil, errJPEGDamaged
	}
	j.tail(end)
	out := splice.New(src, size)
	out.Literal([]byte{0xff, 0xd8})
	if j.jfif != nil {
		out.Literal(j.jfif)
	}
	if j.orientation > 1 {
		out.Literal(segment(0xe1, append([]byte("Exif\x00\x00"), orientationOnly(j.orientation)...)))
		j.acc.kept("orientation", "so that the picture is shown upright")
	}
	out.Literal(j.profile())
	if j.adobe != nil {
		out.Literal(j.adobe)
		j.acc.kept("Adobe colour transform", "the colours cannot be decoded without it")
	}
	for i, r := range j.keep {
		if row, ok := j.rows[i]; ok && slices.ContainsFunc(row, func(t *jpegTable) bool { return !t.used }) {
			out.Literal(j.usedTables(row))
		} else {
			out.Copy(r[0], r[1])
		}
	}
	out.Literal([]byte{0xff, 0xd9})
	return &plan{out: out, receipt: j.acc.receipt, width: j.width, height: j.height}, nil
}

// shape reduces a horizontal and a vertical resolution to the shape of the
// pixels: how dense they are tells what scanned them. 1 and 1 are square ones.
func shape(x, y uint64) (uint64, uint64) {
	if x == 0 || y == 0 {
		return 1, 1
	}
	a, b := x, y
	for b != 0 {
		a, b = b, a%b
	}
	return x / a, y / a
}

func segment(marker byte, body []byte) []byte {
	n := len(body) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, body...)
}

// walk goes over the segments and gives the offset behind the end marker.
func (j *jpegFile) walk() (int64, error) {
	at := int64(2) // behind SOI, which sniffing saw
	if j.most == 0 {
		j.most = maxSegments
	}
	for range j.most {
		if err := j.ctx.Err(); err != nil {
			return 0, err
		}
		marker, next, err := j.marker(at)
		if err != nil {
			return 0, err
		}
		switch {
		case marker == 0xd9:
			return next, nil
		case j.scans > 0 && (marker < 0xc0 || marker >= 0xd0 && marker <= 0xd8):
			return 0, errJPEGDamaged // decoders differ on whether the scan goes on behind it
		case marker == 0xd8 || marker == 0x01 || marker >= 0xd0 && marker <= 0xd7:
			j.acc.removed("stray markers", 2)
			at = next
			continue
		}
		var head [2]byte
		if err := readAt(j.src, head[:], next); err != nil {
			return 0, cut(err, errJPEGCut)
		}
		n := int64(binary.BigEndian.Uint16(head[:]))
		if n < 2 || next+n > j.size {
			return 0, errJPEGCut
		}
		if at, err = j.segment(marker, next, n); err != nil {
			return 0, err
		}
	}
	return 0, refuse("structure", "This photo has far more parts than a camera writes, and was refused. Take or export it again.")
}

// marker finds the next marker from at, passing over what decoders pass over.
func (j *jpegFile) marker(at int64) (byte, int64, error) {
	var b [4096]byte
	if at+2 <= j.size { // nearly always it is the next byte
		if err := readAt(j.src, b[:2], at); err != nil {
			return 0, 0, cut(err, errJPEGCut)
		}
		if b[0] == 0xff && b[1] != 0 && b[1] != 0xff {
			return b[1], at + 2, nil
		}
	}
	skipped := int64(0)
	for at < j.size {
		n := min(int64(len(b)), j.size-at)
		if err := readAt(j.src, b[:n], at); err != nil {
			return 0, 0, cut(err, errJPEGCut)
		}
		for i := int64(0); i+1 < n; i++ {
			if b[i] == 0xff && b[i+1] != 0 && b[i+1] != 0xff {
				if skipped += i; skipped > 0 {
					if j.scans > 0 && len(afterFill(b[:i])) > 0 {
						return 0, 0, errJPEGDamaged
					}
					j.acc.removed("bytes between segments", skipped)
				}
				return b[i+1], at + i + 2, nil
			}
		}
		if skipped += n - 1; skipped > 1<<20 || n < 2 {
			break
		}
		at += n - 1
	}
	return 0, 0, errJPEGCut
}

// segment deals with the segment whose length field is at off and gives the
// offset of what follows.
func (j *jpegFile) segment(marker byte, off, n int64) (int64, error) {
	next := off + n
	switch {
	case marker == 0xc4 || marker == 0xdb || marker == 0xcc || marker == 0xdd:
		again, err := j.table(marker, off, n)
		if err != nil {
			return 0, err
		}
		if again {
			j.acc.removed("repeated tables", n+2)
		} else {
			j.keep = append(j.keep, [2]int64{off - 2, n + 2})
		}
	case marker == 0xde || marker == 0xdf:
		return 0, refuse("hierarchical", "This photo is a hierarchical JPEG, which is not accepted. Export it as an ordinary JPEG.")
	case marker >= 0xc5 && marker <= 0xc7 || marker >= 0xcd && marker <= 0xcf:
		return 0, refuse("hierarchical", "This photo is a hierarchical JPEG, which is not accepted. Export it as an ordinary JPEG.")
	case marker >= 0xc0 && marker <= 0xcb && marker != 0xc8:
		if err := j.frame(marker, off, n); err != nil {
			return 0, err
		}
		j.keep = append(j.keep, [2]int64{off - 2, n + 2})
	case marker == 0xda:
		if j.scans++; j.scans > maxScans || j.width == 0 {
			return 0, errJPEGDamaged
		}
		room, err := j.scanHeader(off, n)
		if err != nil {
			return 0, err
		}
		end, err := j.scan(next, room)
		if err != nil {
			return 0, err
		}
		j.keep = append(j.keep, [2]int64{off - 2, end - off + 2})
		return end, nil
	case marker >= 0xe0 && marker <= 0xef:
		body := make([]byte, n-2)
		if err := readAt(j.src, body, off+2); err != nil {
			return 0, cut(err, errJPEGCut)
		}
		return next, j.app(marker, body)
	case marker == 0xfe:
		j.acc.removed("comment", n+2)
	default:
		j.acc.removed(words.Say("unknown segment {code}", fmt.Sprintf("%02X", marker)), n+2)
	}
	return next, nil
}

func checkPixels(width, height int, opt Options) error {
	switch {
	case width <= 0 || height <= 0:
		return refuse("damaged", "This picture says that it has no pixels. Take or export it again.")
	case int64(width)*int64(height) > opt.MaxPixels:
		return refuse("too-many-pixels", words.Say("This picture says that it has {width} × {height} pixels, and the limit is {limit} million. Send a smaller one.", width, height, opt.MaxPixels/1_000_000))
	}
	return nil
}

// app deals with an application segment.
func (j *jpegFile) app(marker byte, body []byte) error {
	n := int64(len(body)) + 4
	has := func(prefix string) bool { return bytes.HasPrefix(body, []byte(prefix)) }
	switch {
	case marker == 0xe0 && has("JFIF\x00") && len(body) >= 14:
		if j.jfif == nil {
			x, y := shape(uint64(binary.BigEndian.Uint16(body[8:])), uint64(binary.BigEndian.Uint16(body[10:])))
			j.jfif = segment(0xe0, []byte{'J', 'F', 'I', 'F', 0, 1, 1, 0, byte(x >> 8), byte(x), byte(y >> 8), byte(y), 0, 0})
		}
		if len(body) > 14 {
			j.acc.removed("embedded thumbnail", int64(len(body)-14))
		}
	case marker == 0xe0 && has("JFXX\x00"):
		j.acc.removed("embedded thumbnail", n)
	case marker == 0xe1 && has("Exif\x00"):
		o := j.acc.exif(body[min(6, len(body)):], n)
		if j.orientation == 1 {
			j.orientation = o
		}
	case marker == 0xe1 && (has("http://ns.adobe.com/xap/1.0/\x00") || has("http://ns.adobe.com/xmp/")):
		j.acc.removed("XMP", n)
	case marker == 0xe2 && has("ICC_PROFILE\x00") && len(body) >= 14:
		return j.iccPart(body[12], body[13], body[14:])
	case marker == 0xe2 && has("MPF\x00"):
		j.acc.removed("list of further pictures (MPF)", n)
	case marker == 0xed:
		j.acc.removed("Photoshop and IPTC information", n)
	case marker == 0xee && has("Adobe") && len(body) >= 12:
		if j.scans == 0 && body[11] <= 2 { // the last one counts
			j.adobe = segment(0xee, []byte{'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, body[11]})
		}
	default:
		j.acc.removed(words.Say("application segment {code}", fmt.Sprintf("APP%d", marker-0xe0)), n)
	}
	return nil
}

func (j *jpegFile) iccPart(seq, total byte, part []byte) error {
	if _, twice := j.icc[seq]; twice || seq == 0 || seq > total || j.iccTotal != 0 && j.iccTotal != total {
		j.acc.removed("colour profile that is malformed", int64(len(part)))
		return nil
	}
	j.icc[seq], j.iccTotal = part, total
	return nil
}

// profile gives the segments of the reduced colour profile; none when it is
// malformed, since decoders pass over such a profile too.
func (j *jpegFile) profile() []byte {
	if j.iccTotal == 0 {
		return nil
	}
	var whole []byte
	for seq := 1; seq <= int(j.iccTotal); seq++ {
		whole = append(whole, j.icc[byte(seq)]...)
	}
	reduced, err := reduceICC(whole)
	if err != nil || len(j.icc) != int(j.iccTotal) {
		j.acc.removed("colour profile that is malformed", int64(len(whole)))
		return nil
	}
	j.acc.kept("colour profile (rendering tags)", "so that skin tones do not shift")
	j.acc.removed("colour profile's names and dates", int64(max(len(whole)-len(reduced), 0)))
	const most = 65_519
	total := (len(reduced) + most - 1) / most
	var out []byte
	for seq := 1; seq <= total; seq++ {
		part := reduced[:min(most, len(reduced))]
		reduced = reduced[len(part):]
		out = append(out, segment(0xe2, append([]byte("ICC_PROFILE\x00"+string([]byte{byte(seq), byte(total)})), part...))...)
	}
	return out
}

// tail accounts for what follows the picture.
func (j *jpegFile) tail(end int64) {
	left := j.size - end
	if left <= 0 {
		return
	}
	head := make([]byte, min(left, 64<<10))
	if readAt(j.src, head, end) != nil {
		head = nil
	}
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xd8, 0xff}):
		j.acc.removed("further pictures after the first", left)
	case bytes.Contains(head, []byte("ftyp")):
		j.acc.removed("motion video after the picture", left)
	default:
		j.acc.removed("data after the picture", left)
	}
}

// readAt reads all of p.
func readAt(src io.ReaderAt, p []byte, off int64) error {
	if n, err := src.ReadAt(p, off); n < len(p) {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// cut tells the end of a file from a failure to read it.
func cut(err, refusal error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return refusal
	}
	return err
}
