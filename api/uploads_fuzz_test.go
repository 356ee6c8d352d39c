package api

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
)

// FuzzUploadLength: what is taken for a number of bytes is one, written in
// digits alone, and nothing that is one is refused.
func FuzzUploadLength(f *testing.F) {
	for _, seed := range []string{"", "0", "1048576", "-1", "+1", " 1", "1_000", "0x10", "1e3", "٣", "9223372036854775807", "9223372036854775808", "00000000000000000000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		n, ok := whole(header)
		digits := strings.TrimLeft(header, "0")
		if header != "" && digits == "" {
			digits = "0"
		}
		want, err := strconv.ParseUint(digits, 10, 63)
		if ok != (err == nil) || ok && (n < 0 || uint64(n) != want) {
			t.Errorf("%q: %d %t", header, n, ok)
		}
	})
}

// FuzzUploadMetadata: whatever stands beside it, what was put under a key comes
// back; and what comes back stood there.
func FuzzUploadMetadata(f *testing.F) {
	for _, seed := range []string{"", "entry", "entry ", "entry eA==", "entry eA", "entry\teA==", "person eA==,entry eA==", "entry eA==, entry eQ==", ",,,", "entry =", "filename d29ybGQ=,is_confidential", "entry eA== eA=="} {
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, header, value string) {
		got, err := metadata(header, "entry")
		if err == nil && got != "" && !strings.Contains(unbroken(header), base64.StdEncoding.EncodeToString([]byte(got))) {
			t.Errorf("%q: %q stands nowhere in it", header, got)
		}
		put := "entry " + base64.StdEncoding.EncodeToString([]byte(value))
		if got, err := metadata(put+","+header, "entry"); err != nil || got != value {
			t.Errorf("before %q: %q and %v, want %q", header, got, err, value)
		}
		if !strings.Contains(header, "entry") {
			if got, err := metadata(header+","+put, "entry"); err != nil || got != value {
				t.Errorf("after %q: %q and %v, want %q", header, got, err, value)
			}
		}
	})
}

// unbroken is a header without the ends of lines, which base64 passes over.
func unbroken(header string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(header) }
