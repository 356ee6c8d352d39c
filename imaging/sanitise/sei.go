package sanitise

import (
	"bytes"
	"context"
	"io"

	"github.com/wardseal/wardseal/internal/words"
)

// Fillers that every decoder passes over: the payload type that the standards
// set aside for it, and one without a meaning for where two zeros go before,
// which with a third byte of 3 would read as an escape.
const (
	fillerPayload  = 3
	fillerReserved = 250
)

// maxSEI is the longest SEI unit that is read for what may stay in it. A longer
// one becomes filler whole.
const maxSEI = 1 << 20

// coding says how a codec made of NAL units lays them out.
type coding struct {
	head    int                   // bytes of a unit's header
	typ     func(head []byte) int // of a unit
	picture func(typ int) bool    // units of coded pixels
	keep    func(typ int) bool    // units that decoding needs
	set     func(typ int) bool    // units of parameters, which may go before the samples
	sei     func(typ int) bool    // units of SEI messages
	marks   map[int]int64         // units that only mark a place, and the bytes that they have behind their header
	stay    func(payload int, body []byte) bool
	filler  []byte // header of a unit of filler
}

// The codecs of ITU-T H.264, H.265 and H.266. Dolby Vision's units of its
// dynamic metadata are among the unspecified ones; see sampleUnits.
var (
	codingAVC = &coding{
		head: 1, typ: func(h []byte) int { return int(h[0] & 31) }, filler: []byte{12},
		keep:    func(t int) bool { return t >= 1 && t <= 16 && t != 12 || t >= 19 && t <= 21 },
		picture: func(t int) bool { return t >= 1 && t <= 5 },
		set:     func(t int) bool { return t == 7 || t == 8 || t == 13 || t == 15 },
		sei:     func(t int) bool { return t == 6 },
		marks:   map[int]int64{9: 1, 10: 0, 11: 0},
		stay:    stayAVC,
	}
	codingHEVC = &coding{
		head: 2, typ: func(h []byte) int { return int(h[0] >> 1 & 63) }, filler: []byte{38 << 1, 1},
		keep:    func(t int) bool { return t <= 9 || t >= 16 && t <= 21 || t >= 32 && t <= 37 || t == 39 || t == 40 },
		picture: func(t int) bool { return t <= 9 || t >= 16 && t <= 21 },
		set:     func(t int) bool { return t >= 32 && t <= 34 },
		sei:     func(t int) bool { return t == 39 || t == 40 },
		marks:   map[int]int64{35: 1, 36: 0, 37: 0},
		stay:    stayHEVC,
	}
	codingVVC = &coding{
		head: 2, typ: func(h []byte) int { return int(h[1] >> 3) }, filler: []byte{0, 25<<3 | 1},
		keep:    func(t int) bool { return t <= 3 || t >= 7 && t <= 10 || t >= 13 && t <= 24 },
		picture: func(t int) bool { return t <= 3 || t >= 7 && t <= 10 },
		set:     func(t int) bool { return t >= 13 && t <= 18 },
		sei:     func(t int) bool { return t == 23 || t == 24 },
		marks:   map[int]int64{20: 1, 21: 0, 22: 0},
		stay:    stayHEVC,
	}
)

// stayAVC keeps the messages of Annex D of H.264 that a decoder or a screen
// acts on. Picture timing can hold the time of day; without it is short.
func stayAVC(payload int, body []byte) bool {
	switch payload {
	case 1:
		return len(body) <= 2
	case 0, 2, 6, 7, 13, 14, 19, 21, 45, 47, 137, 144, 147, 148, 149, 150, 151:
		return len(body) <= longest(payload)
	}
	return stayAny(payload, body)
}

// stayHEVC does the same for H.265 and H.266 (H.274).
func stayHEVC(payload int, body []byte) bool {
	switch payload {
	case 0, 1, 2, 6, 19, 45, 47, 128, 129, 130, 132, 137, 144, 147, 148, 149, 150, 151, 160, 161, 164, 165, 167, 168, 176:
		return len(body) <= longest(payload)
	}
	return stayAny(payload, body)
}

// needed is how many bytes a message needs at most. What would follow has no
// meaning yet.
var needed = map[int]int{6: 8, 13: 8, 14: 1, 21: 2, 45: 32, 47: 16, 132: 49, 137: 24, 144: 4, 147: 1, 148: 8}

func longest(payload int) int {
	if n, ok := needed[payload]; ok {
		return n
	}
	return 512
}

// stayAny keeps the brightness of scenes (HDR10+), filler, and what is empty.
func stayAny(payload int, body []byte) bool {
	switch payload {
	case 4:
		return len(body) <= 512 && len(body) > 7 && string(body[:6]) == "\xb5\x00\x3c\x00\x01\x04"
	case fillerPayload, fillerReserved:
		return isFiller(body)
	}
	return len(body) == 0
}

// isFiller reports whether a payload is of 0xff but for two zeros at its end.
func isFiller(b []byte) bool {
	for i, c := range b {
		if c != 0xff && (c != 0 || i < len(b)-2) {
			return false
		}
	}
	return true
}

// scrubber finds what is written into the samples of picture tracks beside the
// pictures, and overlays it with filler of the same length.
type scrubber struct {
	ctx   context.Context
	in    *window
	acc   *account
	out   overlay
	sei   []byte
	raw   []int // of each byte of an unescaped unit, where it was
	big   []byte
	bigAt int64
	left  int64 // bytes of samples that may still be looked at
}

func newScrubber(ctx context.Context, src io.ReaderAt, size int64, acc *account) *scrubber {
	return &scrubber{ctx: ctx, in: newWindow(ctx, src, size, filmWindow), acc: acc, out: overlay{src: src}, left: 2*size + 1<<20}
}

// source is the source with all that was found overlaid.
func (s *scrubber) source() (io.ReaderAt, error) {
	if len(s.out.fills) == 0 {
		return s.out.src, nil
	}
	return &s.out, s.out.settle()
}

func (s *scrubber) add(f fill) error {
	if f.n == 0 {
		return nil
	}
	if len(s.out.fills) >= maxFills {
		return errVideoUnusual
	}
	s.out.fills = append(s.out.fills, f)
	return nil
}

// units walks one sample of NAL units, each after its length in lengthSize
// bytes. It reads the headers alone. With dolby the units of Dolby Vision stay.
func (s *scrubber) units(c *coding, lengthSize int, dolby bool, off, n int64) error {
	for end := off + n; off < end; {
		h, err := s.in.film(off, min(int64(lengthSize+c.head), end-off))
		if err != nil {
			return err
		}
		if len(h) < lengthSize {
			return s.add(fill{off: off, n: uint32(end - off)}) // zeros: too short for a unit
		}
		size := int64(0)
		for _, b := range h[:lengthSize] {
			size = size<<8 | int64(b)
		}
		off += int64(lengthSize)
		if size > end-off {
			return errVideoDamaged
		}
		if size >= int64(c.head) && c.picture(c.typ(h[lengthSize:])) {
			off += size
			continue
		}
		// Some phones put a whole picture behind start codes into one unit.
		for size > 0 {
			n, code, err := s.startCode(off, size)
			if err != nil {
				return err
			}
			if err := s.unit(c, dolby, off, n); err != nil {
				return err
			}
			off, size = off+n+code, size-n-code
		}
	}
	return nil
}

// stream walks one sample in which start codes divide the units (H.264, annex
// B), as Chromium recorded for years. Zeros may follow a unit.
func (s *scrubber) stream(c *coding, off, n int64) error {
	for first := true; n > 0; first = false {
		size, code, err := s.startCode(off, n)
		if err != nil {
			return err
		}
		tail := min(size, filmWindow)
		b, err := s.in.film(off+size-tail, tail)
		if err != nil {
			return err
		}
		zeros := tail - int64(len(bytes.TrimRight(b, "\x00")))
		switch {
		case first && (zeros < size || size > 1 || code == 0):
			return errVideoDamaged
		case zeros < size:
			if err := s.unit(c, false, off, size-zeros); err != nil {
				return err
			}
		}
		off, n = off+size+code, n-size-code
	}
	return nil
}

// startCode gives how far it is to the next start code, and its length, which
// is 0 at the end of the n bytes.
func (s *scrubber) startCode(off, n int64) (int64, int64, error) {
	zeros := 0
	for at := int64(0); at < n; {
		b, err := s.in.some(off+at, 1, n-at)
		if err != nil {
			return 0, 0, err
		}
		for _, c := range b {
			at++
			if c == 1 && zeros >= 2 {
				return at - 3, 3, nil
			}
			if zeros++; c != 0 {
				zeros = 0
			}
		}
	}
	return n, 0, nil
}

func (s *scrubber) unit(c *coding, dolby bool, off, n int64) error {
	if n < int64(c.head) {
		return s.add(fill{off: off, n: uint32(n), with: c.filler[0], last: c.filler[0]})
	}
	head, err := s.in.film(off, int64(c.head))
	if err != nil {
		return err
	}
	typ := c.typ(head)
	if has, ok := c.marks[typ]; ok {
		return s.zeros(off+int64(c.head)+has, n-int64(c.head)-has, "private data between the pictures")
	}
	switch {
	case c.sei(typ) && n <= maxSEI:
		return s.messages(c, off+int64(c.head), n-int64(c.head))
	case c.keep(typ) && !c.sei(typ), dolby && c == codingHEVC && typ >= 62, dolby && c == codingAVC && (typ == 28 || typ == 30):
		return nil
	}
	if full, err := s.isFillerUnit(c, off, n); full || err != nil {
		return err
	}
	s.acc.removed("private data between the pictures", n)
	for i, b := range c.filler {
		if err := s.add(fill{off: off + int64(i), n: 1, with: b, last: b}); err != nil {
			return err
		}
	}
	return s.add(fill{off: off + int64(c.head), n: uint32(n - int64(c.head)), with: 0xff, last: 0x80})
}

// zeros overlays what has no meaning, unless it is of zeros already.
func (s *scrubber) zeros(off, n int64, kind words.Text) error {
	for at := int64(0); at < n; at += filmWindow {
		b, err := s.in.film(off+at, min(n-at, filmWindow))
		if err != nil {
			return err
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			s.acc.removed(kind, n)
			return s.add(fill{off: off, n: uint32(n)})
		}
	}
	return nil
}

// isFillerUnit reports whether a unit is already as an overlaid one.
func (s *scrubber) isFillerUnit(c *coding, off, n int64) (bool, error) {
	for at := int64(0); at < n; {
		b, err := s.in.film(off+at, min(n-at, filmWindow))
		if err != nil {
			return false, err
		}
		for _, x := range b {
			want := byte(0xff)
			if at < int64(c.head) {
				want = c.filler[at]
			} else if at == n-1 {
				want = 0x80
			}
			if x != want {
				return false, nil
			}
			at++
		}
	}
	return true, nil
}

// messages overlays those messages of one SEI unit that do not stay. The bytes
// that escape zeros are counted with the message that they are in or after.
func (s *scrubber) messages(c *coding, off, n int64) error {
	if err := s.unescape(off, n); err != nil {
		return err
	}
	b := s.sei
	for at := 0; at < len(b) && !(b[at] == 0x80 && len(b) == at+1); {
		start := at
		payload, at1, ok1 := number(b, at)
		size, at2, ok2 := number(b, at1)
		at = at2 + size
		f := fill{off: off + int64(s.raw[start]), kind: fillMessages, with: fillerPayload}
		if start >= 2 && b[start-1] == 0 && b[start-2] == 0 && s.raw[start-2] == s.raw[start]-2 {
			f.with = fillerReserved
		}
		if !ok1 || !ok2 || size > len(b)-at2 {
			if allStop(b[start:]) {
				return nil
			}
			s.acc.removed("unreadable messages in the video stream", n-int64(s.raw[start]))
			f.n, f.kind = uint32(n-int64(s.raw[start])), fillRest
			return s.add(f)
		}
		if c.stay(payload, b[at2:at]) {
			continue
		}
		stop := n
		if at < len(b) {
			stop = int64(s.raw[at])
		}
		f.n = uint32(stop - int64(s.raw[start]))
		// What follows may count on the zeros before it.
		for f.keep < 2 && b[at-1-int(f.keep)] == 0 && int64(s.raw[at-1-int(f.keep)]) == stop-1-int64(f.keep) && size > int(f.keep) {
			f.keep++
		}
		s.acc.removed(messageKind(payload, b[at2:at]), stop-int64(s.raw[start]))
		if err := s.add(f); err != nil {
			return err
		}
		// The message reads as filler from here on.
		for i := start; i < at-int(f.keep); i++ {
			b[i] = 0xff
		}
	}
	return nil
}

func messageKind(payload int, body []byte) words.Text {
	switch {
	case payload == 5:
		return "text or private data in the video stream"
	case payload == 4 && len(body) > 7 && string(body[3:7]) == "GA94":
		return "captions in the video stream"
	case payload == 1, payload == 136:
		return "time codes in the video stream"
	}
	return "private data in the video stream"
}

// allStop reports whether b is what ends a unit that cannot be read further.
func allStop(b []byte) bool {
	for _, c := range b {
		if c != 0x80 {
			return false
		}
	}
	return true
}

// number reads a number of SEI messages: bytes of 255, and one less.
func number(b []byte, at int) (n, next int, ok bool) {
	for at < len(b) {
		c := b[at]
		n += int(c)
		at++
		if c != 0xff {
			return n, at, true
		}
	}
	return n, at, false
}

// unescape reads n bytes and leaves out each 3 that stands after two zeros.
func (s *scrubber) unescape(off, n int64) error {
	s.sei, s.raw = s.sei[:0], s.raw[:0]
	zeros := 0
	for at := int64(0); at < n; {
		b, err := s.in.film(off+at, min(n-at, filmWindow))
		if err != nil {
			return err
		}
		for _, c := range b {
			switch {
			case zeros >= 2 && c == 3:
				zeros = 0
				at++
				continue
			case c == 0:
				zeros++
			default:
				zeros = 0
			}
			s.sei, s.raw = append(s.sei, c), append(s.raw, int(at))
			at++
		}
	}
	return nil
}

// block gives up to n bytes in larger pieces, four at least where there are as
// many, for what is read whole.
func (s *scrubber) block(off, n int64) ([]byte, error) {
	if off < s.bigAt || off+min(n, 4) > s.bigAt+int64(len(s.big)) {
		if s.big == nil {
			s.big = make([]byte, 0, 128<<10)
		}
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
		s.big, s.bigAt = s.big[:min(n, int64(cap(s.big)))], off
		if err := readAt(s.in.src, s.big, off); err != nil {
			s.big = s.big[:0]
			return nil, cut(err, errVideoCut)
		}
	}
	b := s.big[off-s.bigAt:]
	return b[:min(n, int64(len(b)))], nil
}
