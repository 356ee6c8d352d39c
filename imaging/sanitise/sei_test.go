package sanitise

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// scrubbed is a sample after the walk.
func scrubbed(t testing.TB, c *coding, sample []byte) ([]byte, error) {
	t.Helper()
	s := newScrubber(t.Context(), bytes.NewReader(sample), int64(len(sample)), newAccount())
	if err := s.sample(look{codec: c, length: 4}, 0, int64(len(sample))); err != nil {
		return nil, err
	}
	src, err := s.source()
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(sample))
	if n, err := src.ReadAt(out, 0); n < len(out) {
		t.Fatal(err)
	}
	// What one read gives, reads of any size give.
	for at := 0; at < len(out); at += 7 {
		piece := make([]byte, min(13, len(out)-at))
		if _, err := src.ReadAt(piece, int64(at)); err != nil && err != io.EOF || !bytes.Equal(piece, out[at:at+len(piece)]) {
			t.Fatalf("a read at %d differs: %v", at, err)
		}
	}
	return out, nil
}

// escaped puts a 3 where two zeros would meet a byte that must not follow.
func escaped(rbsp []byte) (out []byte) {
	zeros := 0
	for _, c := range rbsp {
		if zeros >= 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		if out = append(out, c); c == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

func unescaped(b []byte) (out []byte) {
	zeros := 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if out = append(out, c); c == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

type message struct {
	typ  int
	body []byte
}

func messages(t testing.TB, rbsp []byte) (all []message) {
	t.Helper()
	for at := 0; at < len(rbsp) && !(rbsp[at] == 0x80 && at == len(rbsp)-1); {
		typ, a, ok1 := number(rbsp, at)
		n, b, ok2 := number(rbsp, a)
		if !ok1 || !ok2 || n > len(rbsp)-b {
			t.Fatalf("cannot be read at %d of %x", at, rbsp)
		}
		all = append(all, message{typ, rbsp[b : b+n]})
		at = b + n
	}
	return all
}

func size(n int) (b []byte) {
	for ; n >= 255; n -= 255 {
		b = append(b, 255)
	}
	return append(b, byte(n))
}

func unit(head []byte, rbsp []byte) []byte {
	nal := append(bytes.Clone(head), escaped(rbsp)...)
	return append(be.AppendUint32(nil, uint32(len(nal))), nal...)
}

// Whatever messages a unit holds: those that stay are the same bytes in the
// same order, of the rest nothing is left, and the stream is legal.
func TestMessagesBecomeFiller(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	body := func() []byte {
		n := []int{0, 1, 2, 3, r.IntN(20), r.IntN(600), 250 + r.IntN(12), 505 + r.IntN(12)}[r.IntN(8)]
		b := make([]byte, n)
		for i := range b {
			switch r.IntN(5) {
			case 0, 1, 2: // many zeros and escapes
				b[i] = byte(r.IntN(4)) * byte(r.IntN(2))
			default:
				b[i] = byte(r.Uint32())
			}
		}
		return b
	}
	for i := range 20_000 {
		c, head := codingAVC, []byte{6}
		switch r.IntN(3) {
		case 1:
			c, head = codingHEVC, []byte{39 << 1, 1}
		case 2:
			c, head = codingVVC, []byte{0, 23<<3 | 1}
		}
		var rbsp []byte
		var want []message
		for range 1 + r.IntN(5) {
			m := message{[]int{0, 1, 3, 4, 5, 6, 45, 130, 137, 250, 255, 300, r.IntN(200)}[r.IntN(13)], body()}
			rbsp = append(append(append(rbsp, size(m.typ)...), size(len(m.body))...), m.body...)
			if c.stay(m.typ, m.body) {
				want = append(want, m)
			}
		}
		rbsp = append(rbsp, 0x80)
		in := unit(head, rbsp)
		out, err := scrubbed(t, c, in)
		if err != nil {
			t.Fatal(err)
		}
		nal := out[4+len(head):]
		if !bytes.Equal(out[:4+len(head)], in[:4+len(head)]) {
			t.Fatalf("%d: the header changed", i)
		}
		for at := 2; at < len(nal); at++ {
			if nal[at-2] == 0 && nal[at-1] == 0 && (nal[at] <= 2 || nal[at] == 3 && at+1 < len(nal) && nal[at+1] > 3) {
				t.Fatalf("%d: not legal at %d\n%x\n%x", i, at, in, out)
			}
		}
		left := 0
		for _, m := range messages(t, unescaped(nal)) {
			if left < len(want) && m.typ == want[left].typ && bytes.Equal(m.body, want[left].body) {
				left++
			} else if !c.stay(m.typ, m.body) || m.typ != fillerPayload && m.typ != fillerReserved {
				t.Fatalf("%d: a message of type %d is left: %x\n%x", i, m.typ, in, out)
			}
		}
		if left != len(want) {
			t.Fatalf("%d: %d of %d messages that stay are there\n%x\n%x", i, left, len(want), in, out)
		}
		if again, err := scrubbed(t, c, out); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%d: not steady: %v", i, err)
		}
	}
}

func TestUnitsThatNobodyNeeds(t *testing.T) {
	picture := unit([]byte{0x65}, []byte("coded pixels \x00\x00\x01\x06\x05"))
	for name, c := range map[string]struct{ in, want []byte }{
		"unspecified":    {unit([]byte{24}, []byte("Jon Sample")), unit([]byte{12}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80"))},
		"false filler":   {unit([]byte{12}, []byte("Jon Sample")), unit([]byte{12}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80"))},
		"filler":         {unit([]byte{12}, []byte("\xff\xff\x80")), unit([]byte{12}, []byte("\xff\xff\x80"))},
		"empty":          {[]byte{0, 0, 0, 0}, []byte{0, 0, 0, 0}},
		"cut length":     {[]byte("Jon"), []byte{0, 0, 0}},
		"start codes":    {unit([]byte{9}, nil), unit([]byte{9}, nil)},
		"cut message":    {unit([]byte{6}, []byte("\x05\x30Jon")), unit([]byte{6}, []byte("\x03\x02\xff\xff\x80"))},
		"cut in size":    {unit([]byte{6}, []byte("\x05\xff")), unit([]byte{6}, []byte("\x80\x80"))},
		"no size":        {unit([]byte{6}, []byte("\x05")), unit([]byte{6}, []byte("\x80"))},
		"pixels":         {picture, picture},
		"behind a start": {[]byte("\x00\x00\x00\x10\x09\x10\x00\x00\x01\x06\x05\x03Jon\x80\x00\x00\x01\x65"), []byte("\x00\x00\x00\x10\x09\x10\x00\x00\x01\x06\x03\x03\xff\xff\xff\x80\x00\x00\x01\x65")},
	} {
		in := append(bytes.Clone(picture), c.in...)
		out, err := scrubbed(t, codingAVC, in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if want := append(bytes.Clone(picture), c.want...); !bytes.Equal(out, want) {
			t.Errorf("%s:\n%x, want\n%x", name, out, want)
		}
	}
	if _, err := scrubbed(t, codingAVC, []byte("\x00\x00\x00\x09\x65Jon")); err != errVideoDamaged {
		t.Errorf("a unit longer than its sample: %v", err)
	}
}

// A message that decoding needs is no longer than it must be.
func TestMessagesHaveNoTail(t *testing.T) {
	for payload, n := range map[int]int{6: 8, 45: 32, 47: 16, 137: 24, 144: 4, 147: 1} {
		body := bytes.Repeat([]byte{0x11}, n)
		rbsp := append(append(size(payload), size(n)...), body...)
		for name, more := range map[string]string{"as it must be": "", "with a tail": "MARKER"} {
			in := unit([]byte{6}, slices.Concat(size(payload), size(n+len(more)), body, []byte(more), []byte{0x80}))
			out, err := scrubbed(t, codingAVC, in)
			if stays := err == nil && bytes.Contains(out, rbsp); stays != (more == "") || bytes.Contains(out, []byte("MARKER")) {
				t.Errorf("%d %s: %x %v", payload, name, out, err)
			}
		}
	}
}

// Units that only mark where a picture starts, or a stream ends, mark it still
// and say nothing else.
func TestMarksBetweenPictures(t *testing.T) {
	for name, c := range map[string]struct {
		coding       *coding
		start, ended []byte // headers
	}{
		"H.264": {codingAVC, []byte{9}, []byte{10}},
		"H.265": {codingHEVC, []byte{35 << 1, 1}, []byte{37 << 1, 1}},
		"H.266": {codingVVC, []byte{0, 20<<3 | 1}, []byte{0, 21<<3 | 1}},
	} {
		lengths := func(n int) []byte { return be.AppendUint32(nil, uint32(n)) }
		join := func(start, ended string) []byte {
			start, ended = string(c.start)+start, string(c.ended)+ended
			return []byte(string(lengths(len(start))) + start + string(lengths(len(ended))) + ended)
		}
		out, err := scrubbed(t, c.coding, join("\xf0MARKER", "MARKER"))
		if want := join("\xf0\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00"); err != nil || !bytes.Equal(out, want) {
			t.Errorf("%s: %q, not %q: %v", name, out, want, err)
		}
		if plain := join("\xf0", ""); err == nil {
			if out, err = scrubbed(t, c.coding, plain); err != nil || !bytes.Equal(out, plain) {
				t.Errorf("%s: %q, not %q: %v", name, out, plain, err)
			}
		}
	}
}

func TestTextInOtherCodecs(t *testing.T) {
	const ones = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	for name, c := range map[string]struct {
		codec    string
		in, want string
	}{
		"MPEG-4 text":    {"mp4v", "\x00\x00\x01\xb2Jon Sample\x00\x00\x01\xb6pixels", "\x00\x00\x01\xb2" + ones + "\x00\x00\x01\xb6pixels"},
		"MPEG-4 encoder": {"mp4v", "\x00\x00\x01\xb2XviD0050\x00\x00\x01\xb6pixels", "\x00\x00\x01\xb2XviD0050\x00\x00\x01\xb6pixels"},
		"MPEG-4 name":    {"mp4v", "\x00\x00\x01\xb2XviD Jon S", "\x00\x00\x01\xb2" + ones},
		"MPEG-2":         {"m2v1", "x\x00\x00\x01\xb2Lavc58.134\x00\x00\x01\x01", "x\x00\x00\x01\xb2" + ones + "\x00\x00\x01\x01"},
		"AV1 T.35":       {"av01", "\x12\x00\x2a\x0b\x04Jon Sample\x32\x01x", "\x12\x00\x7a\x0b" + ones + "\x80\x32\x01x"},
		"AV1 delimiter":  {"av01", "\x12\x0aJon Sample\x32\x01x", "\x7a\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x32\x01x"},
		"AV1 brightness": {"av01", "\x2a\x06\x01\x00\x01\x00\x02\x80", "\x2a\x06\x01\x00\x01\x00\x02\x80"},
		"AV1 unknown":    {"av01", "\x48Jon Sample", "\x78\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80"},
		"JPEG comment":   {"jpeg", "\xff\xd8\xff\xfe\x00\x0cJon Sample\xff\xda\x00\x02px\xff\x00\xff\xd9 tail", "\xff\xd8\xff\xfe\x00\x0c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xda\x00\x02px\xff\x00\xff\xd9\x00\x00\x00\x00\x00"},
	} {
		s := newScrubber(t.Context(), bytes.NewReader([]byte(c.in)), int64(len(c.in)), newAccount())
		if err := s.sample(look{scan: scans[c.codec]}, 0, int64(len(c.in))); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		src, err := s.source()
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, len(c.in))
		if _, err := src.ReadAt(out, 0); err != nil || string(out) != c.want {
			t.Errorf("%s: %v\n%q, want\n%q", name, err, out, c.want)
		}
	}
}

// FuzzSEI walks any bytes as a sample: what comes out is as long, and a second
// walk finds nothing.
func FuzzSEI(f *testing.F) {
	f.Add(byte(0), unit([]byte{6}, []byte("\x05\x14MARKER-OF-A-PERSON--\x80")))
	f.Add(byte(1), unit([]byte{39 << 1, 1}, []byte("\x05\x00\x04\x03abc\x80")))
	f.Add(byte(2), unit([]byte{0, 23<<3 | 1}, []byte("\x06\x01\x80\x80")))
	f.Add(byte(0), []byte("\x00\x00\x00\x11\x09\x10\x00\x00\x01\x06\x05\x03Jon\x80\x00\x00\x01\x65"))
	f.Fuzz(func(t *testing.T, which byte, sample []byte) {
		c := []*coding{codingAVC, codingHEVC, codingVVC}[which%3]
		out, err := scrubbed(t, c, sample)
		if err != nil {
			return
		}
		if again, err := scrubbed(t, c, out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("not steady: %v\n%x\n%x\n%x", err, sample, out, again)
		}
	})
}
