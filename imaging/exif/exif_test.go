package exif_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/imaging/exif"
	"github.com/wardseal/wardseal/internal/words"
)

var le = binary.LittleEndian

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
		if !strings.Contains(words.Join(f.Kinds, ",").String(), k) {
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

// entry is one of a directory; le is its byte order.
func entry(tag, typ uint16, count uint32, value string) []byte {
	b := le.AppendUint16(le.AppendUint16(nil, tag), typ)
	return append(append(le.AppendUint32(b, count), value...), make([]byte, 4-len(value))...)
}

// told makes a block: the EXIF and GPS directories hold texts and times.
func told(original, offset, date string, clock [3]uint32) []byte {
	const ifd0, exifAt, gpsAt, values = 8, 8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + 2 + 24 + 4, 8 + 3*(2+24+4)
	b := le.AppendUint32([]byte("II*\x00"), ifd0)
	var tail []byte
	put := func(tag, typ uint16, n uint32, v []byte) {
		b = append(b, entry(tag, typ, n, string(le.AppendUint32(nil, uint32(values+len(tail)))))...)
		tail = append(tail, v...)
	}
	b = append(b, 2, 0)
	b = append(b, entry(0x8769, 4, 1, string(le.AppendUint32(nil, exifAt)))...)
	b = append(b, entry(0x8825, 4, 1, string(le.AppendUint32(nil, gpsAt)))...)
	b = append(b, 0, 0, 0, 0, 2, 0)
	put(0x9003, 2, uint32(len(original)), []byte(original))
	put(0x9011, 2, uint32(len(offset)), []byte(offset))
	b = append(b, 0, 0, 0, 0, 2, 0)
	var times []byte
	for _, n := range clock {
		times = le.AppendUint32(le.AppendUint32(times, n), 1)
	}
	put(7, 5, 3, times)
	put(0x1d, 2, uint32(len(date)), []byte(date))
	return append(append(b, 0, 0, 0, 0), tail...)
}

func TestCapturedAt(t *testing.T) {
	for name, c := range map[string]struct {
		block []byte
		want  string
		zoned bool
	}{
		"with an offset":          {told("2026:07:01 10:00:00\x00", "+01:00\x00", "none before\x00", [3]uint32{}), "2026-07-01T09:00:00Z", true},
		"west":                    {told("2026:07:01 23:00:00\x00", "-05:30\x00", "none before\x00", [3]uint32{}), "2026-07-02T04:30:00Z", true},
		"offset unset":            {told("2026:07:01 10:00:00\x00", "   :  \x00", "none before\x00", [3]uint32{}), "2026-07-01T10:00:00Z", false},
		"by satellite":            {told("2026:07:01 10:00:00\x00", "      \x00", "2026:07:01\x00", [3]uint32{9, 0, 5}), "2026-07-01T09:00:00Z", true},
		"by satellite over night": {told("2026:07:01 00:30:00\x00", "      \x00", "2026:06:30\x00", [3]uint32{23, 29, 0}), "2026-06-30T23:30:00Z", true},
		"an old position":         {told("2026:07:01 10:00:00\x00", "      \x00", "2026:07:01\x00", [3]uint32{8, 37, 0}), "2026-07-01T10:00:00Z", false},
		"another day's position":  {told("2026:07:01 10:00:00\x00", "      \x00", "2026:06:01\x00", [3]uint32{9, 0, 0}), "2026-07-01T10:00:00Z", false},
		"only a satellite":        {told("0000:00:00 00:00:00\x00", "      \x00", "2026:07:01\x00", [3]uint32{9, 0, 0}), "2026-07-01T09:00:00Z", true},
	} {
		f, err := exif.Read(c.block)
		if err != nil || f.CapturedAt.Format(time.RFC3339) != c.want || f.Zoned != c.zoned {
			t.Errorf("%s: %v %v, %v", name, f.CapturedAt, f.Zoned, err)
		}
	}
}

// Values that lie across each other would make goexif allocate many times what
// the block has; one of its own size once made it ask for 77 GB.
func TestNoLargeAllocations(t *testing.T) {
	overlapping := append([]byte("II*\x00\x08\x00\x00\x00"), 0xd0, 0x07)
	for range 2000 {
		overlapping = append(overlapping, entry(0x9286, 3, 400_000, "\x08\x00\x00\x00")...)
	}
	overlapping = append(overlapping, make([]byte, 1<<20)...)
	enormous := append([]byte("II*\x00\x08\x00\x00\x00\x01\x00"), entry(0x9286, 5, 0x9a00_0000, "\x08\x00\x00\x00")...)
	wrapping := append([]byte("II*\x00\x08\x00\x00\x00\x01\x00"), entry(0x9286, 12, 0x2000_0001, "\x08\x00\x00\x00")...) // times 8 it is 8 in 32 bits
	for name, b := range map[string][]byte{"overlapping": overlapping, "enormous": enormous, "wrapping": append(wrapping, make([]byte, 64)...)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := exif.Read(b)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, exif.ErrRefused) || after.TotalAlloc-before.TotalAlloc > 32<<20 {
			t.Errorf("%s: %v, %d bytes", name, err, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(block(f))
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"))
	f.Add(told("2026:07:01 10:00:00\x00", "+01:00\x00", "2026:07:01\x00", [3]uint32{9, 0, 5}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if facts, _ := exif.Read(b); facts.Orientation < 0 || facts.Orientation > 8 {
			t.Errorf("orientation %d", facts.Orientation)
		}
	})
}
