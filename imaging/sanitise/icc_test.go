package sanitise_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/media"
)

// tableProfile is a colour profile whose colours come from a table.
func tableProfile(table string) string {
	for len(table)%4 != 0 {
		table += "\x00"
	}
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	white := "XYZ " + u32(0, 0xf6d6, 0x10000, 0xd32d)
	tags := u32(2) + "wtpt" + u32(156, 20) + "A2B0" + u32(176, uint32(len(table))) + white + table
	head := u32(0x04200000) + "mntrRGB XYZ " + zeros(12) + "acsp" + zeros(28) + u32(0xf6d6, 0x10000, 0xd32d) + zeros(48)
	return u32(uint32(8+len(head)+len(tags))) + zeros(4) + head + tags
}

// Of a table of colours what is computed with stays; there are no words between
// its parts and behind it.
func TestWordsInColourTables(t *testing.T) {
	const gap, empty = "MARKER??", "\x00\x00\x00\x00\x00\x00\x00\x00"
	curves := strings.Repeat("para\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", 3)
	matrix := u32(1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<16, 0, 0, 0)
	grid := "\x02\x02\x02" + strings.Repeat("\x00", 13) + "\x01\x00\x00\x00" + "abcdefghijklmnopqrstuvwx"
	table := func(kind, gap string) string {
		all := strings.Join([]string{curves, matrix, curves, grid, curves}, gap)
		at := uint32(32 + len(gap))
		offsets := u32(at)
		for _, part := range []string{curves, matrix, curves, grid} {
			at += uint32(len(part) + len(gap))
			offsets += u32(at)
		}
		return kind + "\x00\x00\x00\x00\x03\x03\x00\x00" + offsets + gap + all
	}
	one := "\x01\x01\x02\x00" + matrix[:36]
	plain := encoded(t, media.JPEG)
	head, scan := jpegParts(t, plain)
	for name, c := range map[string]struct{ in, want string }{
		"mAB":  {table("mAB ", gap) + gap, table("mAB ", empty)},
		"mBA":  {table("mBA ", gap) + gap, table("mBA ", empty)},
		"mft1": {"mft1\x00\x00\x00\x00" + one + strings.Repeat("i", 256) + "tt" + strings.Repeat("o", 256) + gap, "mft1\x00\x00\x00\x00" + one + strings.Repeat("i", 256) + "tt" + strings.Repeat("o", 256)},
		"mft2": {"mft2\x00\x00\x00\x00" + one + "\x00\x02\x00\x02" + "iiiittttoooo" + gap, "mft2\x00\x00\x00\x00" + one + "\x00\x02\x00\x02" + "iiiittttoooo"},
	} {
		t.Run(name, func(t *testing.T) {
			with := func(table string) []byte {
				return join(head[:2], segment(0xe2, "ICC_PROFILE\x00\x01\x01"+tableProfile(table)), head[2:], scan, "\xff\xd9")
			}
			out, _ := must(t, with(c.in))
			if !bytes.Contains(out, []byte(c.want)) || bytes.Contains(out, []byte("MARKER")) {
				t.Errorf("%q", out[:600])
			}
			check := func(b []byte) error {
				return verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.JPEG)
			}
			worse := bytes.Clone(out)
			if at := bytes.LastIndex(worse, []byte(c.want)); strings.HasPrefix(name, "mft") {
				worse[at+11] = 'M'
			} else {
				worse[at+32] = 'M'
			}
			if check(out) != nil || check(worse) == nil {
				t.Errorf("the verifier: %v, then %v", check(out), check(worse))
			}
		})
	}
}
