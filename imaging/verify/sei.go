package verify

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
)

// nal certifies samples of NAL units (H.264, H.265, H.266): units that decoding
// needs, messages of few kinds, filler that is filler. It reads the headers of
// the units, and the messages.
type nal struct {
	src    io.ReaderAt
	size   int64
	avc    bool
	vvc    bool
	dolby  bool // units of Dolby Vision are expected
	prefix int  // bytes of the length before each unit
	stream bool // start codes divide the units instead

	near   []byte
	nearAt int64
}

// Units that may stand in samples, by the number of their kind.
var (
	unitsAVC  = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 19, 20, 21}
	unitsHEVC = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 18, 19, 20, 21, 32, 33, 34, 35, 36, 37, 39, 40}
	unitsVVC  = []int{0, 1, 2, 3, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24}
)

// Messages that may say something, by the number of their payload.
var (
	messagesAVC  = []uint64{0, 2, 6, 7, 13, 14, 19, 21, 45, 47, 137, 144, 147, 148, 149, 150, 151}
	messagesHEVC = []uint64{0, 1, 2, 6, 19, 45, 47, 128, 129, 130, 132, 137, 144, 147, 148, 149, 150, 151, 160, 161, 164, 165, 167, 168, 176}
)

// mostBytes is how long messages of some kinds can be: where to start and to
// stand still, stereo pictures, rotation, sums of pictures, colours and
// brightness of the screen and of the light around it.
var mostBytes = map[uint64]int{6: 8, 13: 8, 14: 1, 21: 2, 45: 32, 47: 16, 132: 1 + 3*16, 137: 24, 144: 4, 147: 1, 148: 8}

const (
	longestMessages = 1 << 20
	nearBytes       = 4096
)

// peek gives up to nearBytes bytes at an offset, valid until the next call.
func (v *nal) peek(at, n int64) ([]byte, error) {
	if at < 0 || n > nearBytes || at+n > v.size {
		return nil, &Finding{"a sample outside of the file", at}
	}
	if at < v.nearAt || at+n > v.nearAt+int64(len(v.near)) {
		v.near = slices.Grow(v.near[:0], nearBytes)[:min(nearBytes, v.size-at)]
		if k, err := v.src.ReadAt(v.near, at); k < len(v.near) {
			v.near = v.near[:0]
			return nil, fmt.Errorf("read a sample to verify it: %w", err)
		}
		v.nearAt = at
	}
	return v.near[at-v.nearAt:][:n], nil
}

// some gives the bytes that are at hand at an offset, at least and at most as
// many, so that small steps do not read them again.
func (v *nal) some(at, least, most int64) ([]byte, error) {
	if at < v.nearAt || at+least > v.nearAt+int64(len(v.near)) {
		if _, err := v.peek(at, min(most, nearBytes)); err != nil {
			return nil, err
		}
	}
	b := v.near[at-v.nearAt:]
	return b[:min(int64(len(b)), most)], nil
}

func (v *nal) header() int64 {
	if v.avc {
		return 1
	}
	return 2
}

// sample checks the sample of n bytes at an offset.
func (v *nal) sample(at, n int64) error {
	if v.stream {
		b, err := v.peek(at, min(n, 4))
		starts := bytes.HasPrefix(b, []byte{0, 0, 1}) || bytes.Equal(b, []byte{0, 0, 0, 1})
		return cmp.Or(err, found(!starts, "a sample that starts with no unit", at), v.units(at, n))
	}
	for end := at + n; at < end; {
		b, err := v.peek(at, min(int64(v.prefix)+2, end-at))
		if err != nil {
			return err
		}
		if len(b) < v.prefix {
			return found(!zero(b), "bytes after the units of a sample", at)
		}
		var length int64
		for _, x := range b[:v.prefix] {
			length = length<<8 + int64(x)
		}
		b = b[v.prefix:]
		start := at + int64(v.prefix)
		if length > end-start {
			return &Finding{"a unit longer than its sample", at}
		}
		if at = start + length; length == 0 {
			continue
		}
		if length >= v.header() && v.pixels(b) {
			continue
		}
		if err := v.units(start, length); err != nil {
			return err
		}
	}
	return nil
}

// pixels reports whether a unit with the header b is of coded pixels, into
// which nobody looks.
func (v *nal) pixels(b []byte) bool {
	switch {
	case v.avc:
		return b[0]%32 >= 1 && b[0]%32 <= 5
	case v.vvc:
		return b[1]/8 < 11 && slices.Contains(unitsVVC, int(b[1]/8))
	}
	return b[0]/2%64 < 32 && slices.Contains(unitsHEVC, int(b[0]/2%64))
}

// units checks the bytes of one unit, which may be several behind start codes.
func (v *nal) units(at, n int64) error {
	first := at
	for end := at + n; at < end; {
		b, err := v.some(at, min(3, end-at), end-at)
		if err != nil {
			return err
		}
		i := bytes.Index(b, []byte{0, 0, 1})
		switch {
		case i >= 0:
			if err := v.unit(first, at+int64(i)-first); err != nil {
				return err
			}
			at += int64(i) + 3
			first = at
		case at+int64(len(b)) == end:
			return v.unit(first, end-first)
		default:
			at += int64(len(b)) - 2
		}
	}
	return v.unit(first, at-first)
}

func (v *nal) unit(at, n int64) error {
	for v.stream && n > 0 { // zeros may follow a unit
		b, err := v.peek(at+max(n-64, 0), min(n, 64))
		if err != nil {
			return err
		}
		rest := bytes.TrimRight(b, "\x00")
		if n -= int64(len(b) - len(rest)); len(rest) > 0 {
			break
		}
	}
	if n == 0 {
		return nil
	}
	if n < v.header() {
		b, err := v.peek(at, n)
		return cmp.Or(err, found(err == nil && b[0] != 76 && b[0] != 0, "a unit without a header", at))
	}
	b, err := v.peek(at, v.header())
	if err != nil {
		return err
	}
	// first is the delimiter of pictures, after which come the marks of ends
	kind, known, messages, filler, first := 0, unitsHEVC, []int{39, 40}, 38, 35
	switch {
	case v.avc:
		kind, known, messages, filler, first = int(b[0]%32), unitsAVC, []int{6}, 12, 9
	case v.vvc:
		kind, known, messages, filler, first = int(b[1]/8), unitsVVC, []int{23, 24}, 25, 20
	default:
		kind = int(b[0] / 2 % 64)
	}
	switch {
	case slices.Contains(messages, kind):
		return v.messages(at+v.header(), n-v.header())
	case kind == first, kind == first+1, kind == first+2:
		at, n = at+v.header(), n-v.header()
		if kind == first && n > 0 {
			at, n = at+1, n-1
		}
		return v.nothing(at, n)
	case slices.Contains(known, kind):
		return nil
	case v.dolby && v.avc && (kind == 28 || kind == 30), v.dolby && !v.avc && !v.vvc && kind > 61:
		return nil
	case kind == filler:
		return v.filled(at+v.header(), n-v.header())
	}
	return &Finding{"a unit that decoding does not need", at}
}

// filled checks a unit of filler: ones, and the stop bit.
func (v *nal) filled(at, n int64) error {
	for n > 0 {
		b, err := v.peek(at, min(n, nearBytes))
		if err != nil {
			return err
		}
		rest := b[leading(b, 0xff):]
		if len(rest) > 0 && !(int64(len(b)) == n && string(rest) == "\x80") {
			return &Finding{"filler that is not filler", at}
		}
		at, n = at+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// nothing checks that n bytes are zero.
func (v *nal) nothing(at, n int64) error {
	for n > 0 {
		b, err := v.peek(at, min(n, nearBytes))
		if err != nil {
			return err
		}
		if !zero(b) {
			return &Finding{"a mark between pictures that says more", at}
		}
		at, n = at+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// messages checks a unit of SEI messages.
func (v *nal) messages(at, n int64) error {
	if n > longestMessages {
		return &Finding{"messages too long", at}
	}
	raw := make([]byte, 0, n)
	for got := int64(0); got < n; {
		b, err := v.peek(at+got, min(n-got, nearBytes))
		if err != nil {
			return err
		}
		raw = append(raw, b...)
		got += int64(len(b))
	}
	return found(!v.harmless(raw), "a message that decoding does not need", at)
}

// harmless reports whether all messages of a unit may stay.
func (v *nal) harmless(raw []byte) bool {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ { // take the escapes out
		if i+2 < len(raw) && raw[i] == 0 && raw[i+1] == 0 && raw[i+2] == 3 {
			b = append(b, 0, 0)
			i += 2
			continue
		}
		b = append(b, raw[i])
	}
	count := func(b []byte) (sum uint64, rest []byte, ok bool) {
		n := leading(b, 0xff)
		if n == len(b) {
			return 0, nil, false
		}
		return uint64(n)*255 + uint64(b[n]), b[n+1:], true
	}
	for leading(b, 0x80) < len(b) {
		kind, rest, ok := count(b)
		if !ok {
			return false
		}
		size, rest, ok := count(rest)
		if !ok || size > uint64(len(rest)) || !v.message(kind, rest[:size]) {
			return false
		}
		b = rest[size:]
	}
	return true
}

// leading counts the bytes c that b starts with.
func leading(b []byte, c byte) int {
	for i, x := range b {
		if x != c {
			return i
		}
	}
	return len(b)
}

func (v *nal) message(kind uint64, body []byte) bool {
	n := len(body)
	if n == 0 {
		return true
	}
	switch kind {
	case 3, 250: // filler; two zeros may end it
		rest := body[leading(body, 0xff):]
		return len(rest) <= 2 && zero(rest)
	case 4: // tone mapping by SMPTE ST 2094-40
		return n > 7 && n <= 512 && bytes.HasPrefix(body, []byte{0xb5, 0, 60, 0, 1, 4})
	}
	most, ok := mostBytes[kind]
	if !ok {
		most = 512
	}
	if v.avc {
		return kind == 1 && n < 3 || n <= most && slices.Contains(messagesAVC, kind)
	}
	return n <= most && slices.Contains(messagesHEVC, kind)
}

// settings checks the parameter sets of an avcC, hvcC, lhvC or vvcC box, and
// gives the length of the lengths in samples.
func (v *nal) settings(typ string, b []byte) (prefix int, ok bool) {
	take := func(n int) []byte {
		if n > len(b) {
			b, ok = nil, false
			return make([]byte, n)
		}
		t := b[:n]
		b = b[n:]
		return t
	}
	units := func(count int, allowed ...int) {
		for ; count > 0 && ok; count-- {
			size := take(2)
			u := take(int(size[0])<<8 + int(size[1]))
			if len(u) < 3 || !v.parameters(u, allowed) {
				ok = false
			}
		}
	}
	ok = true
	if typ == "avcC" {
		h := take(6)
		prefix = int(h[4]%4) + 1
		units(int(h[5]%32), 7, 15)
		units(int(take(1)[0]), 8)
		if len(b) > 0 {
			units(int(take(4)[3]), 13)
		}
		return prefix, ok && len(b) == 0 && h[0] == 1
	}
	switch typ {
	case "hvcC":
		prefix = int(take(22)[21]%4) + 1
	case "lhvC":
		prefix = int(take(5)[4]%4) + 1
	case "vvcC":
		h := take(5)
		prefix = int(h[4]/2%4) + 1
		if h[4]%2 == 1 {
			sub := int(take(3)[1] / 16 % 8)
			take(2 + int(take(1)[0]%64))
			if sub > 1 {
				for flags := take(1)[0]; sub > 1; sub-- {
					take(int(flags / 128))
					flags *= 2
				}
			}
			take(4*int(take(1)[0]) + 6)
		}
	}
	for arrays := int(take(1)[0]); arrays > 0 && ok; arrays-- {
		kind, count := int(take(1)[0]), 1
		if kind %= 64; v.vvc {
			kind %= 32
		}
		if !v.vvc || kind != 13 && kind != 14 {
			c := take(2)
			count = int(c[0])<<8 + int(c[1])
		}
		units(count, 32, 33, 34, 39, 40)
	}
	return prefix, ok && len(b) == 0
}

func (v *nal) parameters(u []byte, allowed []int) bool {
	if v.vvc {
		kind := u[1] / 8
		return kind >= 13 && kind <= 18 || (kind == 23 || kind == 24) && v.harmless(u[2:])
	}
	if v.avc {
		return slices.Contains(allowed, int(u[0]%32))
	}
	kind := int(u[0] / 2 % 64)
	return slices.Contains(allowed, kind) && (kind < 39 || v.harmless(u[2:]))
}
