package sanitise

import (
	"bytes"
	"strings"
	"testing"
)

// Settings of a decoder end where they say, and have no words at their end.
func TestSettingsEnd(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	for name, c := range map[string]struct{ typ, settings string }{
		"VP9":               {"vpcC", "\x01\x00\x00\x00\x00\x0a\x82\x02\x02\x02\x00\x00"},
		"VP9, early":        {"vpcC", "\x00\x00\x00\x00\x00\x0a\x80\x00\x00\x00"},
		"Opus":              {"dOps", "\x00\x02\x01\x38\x00\x00\xbb\x80\x00\x00\x00"},
		"Opus of 6":         {"dOps", "\x00\x06\x01\x38\x00\x00\xbb\x80\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05"},
		"E-AC-3":            {"dec3", "\x03\x00\x60\x02\x00\x00"},
		"E-AC-3 of two":     {"dec3", "\x03\x01\x60\x02\x00\x60\x02\x00\x00"},
		"E-AC-3, dependent": {"dec3", "\x03\x00\x60\x02\x02\x05\x00"},
		"E-AC-3, objects":   {"dec3", "\x14\x00\x20\x0f\x00\x01\x10"},
		"ALAC":              {"alac", zeros(28)},
		"DTS":               {"ddts", zeros(20)},
		"TrueHD":            {"dmlp", zeros(10)},
		"speakers":          {"chan", zeros(12) + "\x00\x00\x00\x02" + zeros(40)},
		"FLAC":              {"dfLa", zeros(4) + "\x80\x00\x00\x22" + zeros(34)},
	} {
		if out := vendorless(c.typ, []byte(c.settings+"MARKER")); string(out) != c.settings {
			t.Errorf("%s: %q", name, out)
		}
		if out := vendorless(c.typ, []byte(c.settings)); string(out) != c.settings {
			t.Errorf("%s, as it is: %q", name, out)
		}
	}
}

// Of the settings of AAC what a decoder must know stays, also where channels
// are described one by one; the comment behind them goes.
func TestSettingsOfAAC(t *testing.T) {
	described := "\x12\x00\x05\x04\x01\x00\x20\x00" // as ffmpeg writes 2.1
	for name, c := range map[string]struct{ in, want string }{
		"stereo":            {"\x12\x10", "\x12\x10"},
		"stereo and signs":  {"\x12\x10\x56\xe5\x00", "\x12\x10\x56\xe5\x00"},
		"a tail":            {"\x12\x10\x56\xe5\x00MARKER", "\x12\x10\x56\xe5\x00MA"},
		"described":         {described + "\x00\x56\xe5\x00", described + "\x00\x56\xe5\x00"},
		"comment":           {described + "\x06MARKER\x56\xe5\x00", described + "\x00\x56\xe5\x00"},
		"comment past end":  {described + "\x07MARKER", ""},
		"of another kind":   {"\xf8\x50\x20\x00", ""},
		"nothing":           {"", ""},
		"frequency in full": {"\x17\x80\x5d\xc0\x08", ""},
	} {
		out, ok := configAAC([]byte(c.in))
		if ok != (c.want != "") || !bytes.Equal(out, []byte(c.want)) {
			t.Errorf("%s: %x %v, not %x", name, out, ok, c.want)
		}
	}
}
