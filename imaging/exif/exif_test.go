package exif_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/exif"
)

func block(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	_, b, _ = bytes.Cut(b, []byte("Exif\x00\x00"))
	return b[:12_000]
}

func TestRead(t *testing.T) {
	f, err := exif.Read(block(t))
	if err != nil || f.Orientation != 6 || f.CapturedAt.Format("2006-01-02 15:04:05") != "2014-09-01 15:03:47" {
		t.Errorf("%+v, %v", f, err)
	}
	for _, k := range []string{"GPS", "serial", "maker", "model", "owner", "dates", "software", "thumbnail"} {
		if !strings.Contains(strings.Join(f.Kinds, ","), k) {
			t.Errorf("%s is not in %v", k, f.Kinds)
		}
	}
}

// Blocks that send a reader in circles, out of bounds or into huge allocations.
func TestHostileBlocks(t *testing.T) {
	for name, b := range map[string]string{
		"empty":          "",
		"no order":       "XX*\x00\x08\x00\x00\x00",
		"outside":        "II*\x00\xff\xff\xff\x7f",
		"loop":           "II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
		"huge count":     "II*\x00\x08\x00\x00\x00\x01\x00\x0f\x01\x02\x00\xff\xff\xff\xff\x08\x00\x00\x00\x00\x00\x00\x00",
		"huge rationals": "II*\x00\x08\x00\x00\x00\x01\x00\x1a\x01\x05\x00\xff\xff\xff\xff\x08\x00\x00\x00\x00\x00\x00\x00",
		"unknown type":   "II*\x00\x08\x00\x00\x00\x01\x00\x0f\x01\x63\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
		"many entries":   "II*\x00\x08\x00\x00\x00\xff\xff",
		"pointer loop":   "II*\x00\x08\x00\x00\x00\x01\x00\x69\x87\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
	} {
		if _, err := exif.Read([]byte(b)); !errors.Is(err, exif.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(block(f))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if facts, _ := exif.Read(b); facts.Orientation < 0 || facts.Orientation > 8 {
			t.Errorf("orientation %d", facts.Orientation)
		}
	})
}
