package exif

import (
	"bytes"
	"strings"
	"time"

	"github.com/rwcarlsen/goexif/exif"
)

// clocks are the times that a block may tell, the best first, each with the
// tags that may tell its offset from UTC (EXIF 2.31).
var clocks = []struct {
	field   exif.FieldName
	offsets []uint16
}{
	{exif.DateTimeOriginal, []uint16{0x9011, 0x9010}},
	{exif.DateTimeDigitized, []uint16{0x9012, 0x9010}},
	{exif.DateTime, []uint16{0x9010}},
}

// captured asks goexif when the picture was taken. Cameras write the time on
// their clock; where that is, only newer ones tell, by an offset or by the time
// that satellites gave. Otherwise zoned is false.
func captured(block []byte, offsets map[uint16]string) (at time.Time, zoned bool) {
	defer func() {
		if recover() != nil {
			at, zoned = time.Time{}, false // the suggestion is lost, nothing else
		}
	}()
	x, err := exif.Decode(bytes.NewReader(block))
	if x == nil || err != nil && exif.IsCriticalError(err) {
		return time.Time{}, false
	}
	gps := satellite(x)
	for _, c := range clocks {
		at, err := time.Parse("2006:01:02 15:04:05", text(x, c.field))
		if err != nil || at.Year() < 1990 || at.Year() > 2200 {
			continue
		}
		for _, tag := range c.offsets {
			if zone, err := time.Parse("-07:00", strings.TrimRight(offsets[tag], "\x00 ")); err == nil {
				_, seconds := zone.Zone()
				return at.Add(-time.Duration(seconds) * time.Second), true
			}
		}
		return offsetBy(at, gps)
	}
	return gps, !gps.IsZero()
}

// offsetBy finds the clock's offset from UTC by the satellites' time of the same
// picture. Offsets are whole quarters of an hour; a position that is older than
// the picture gives none, and then the time stays that of the clock.
func offsetBy(clock, gps time.Time) (time.Time, bool) {
	const slack = 2 * time.Minute
	offset := clock.Sub(gps).Round(15 * time.Minute)
	if gps.IsZero() || offset < -12*time.Hour || offset > 14*time.Hour || clock.Sub(gps)-offset > slack || offset-clock.Sub(gps) > slack {
		return clock, false
	}
	return clock.Add(-offset), true
}

// satellite is the GPS time, or zero.
func satellite(x *exif.Exif) time.Time {
	at, err := time.Parse("2006:01:02", text(x, exif.GPSDateStamp))
	if err != nil || at.Year() < 1990 || at.Year() > 2200 {
		return time.Time{}
	}
	tag, err := x.Get(exif.GPSTimeStamp)
	if err != nil || tag.Count != 3 {
		return time.Time{}
	}
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		num, den, err := tag.Rat2(i)
		if err != nil || den <= 0 || num < 0 || num/den > 60 {
			return time.Time{}
		}
		at = at.Add(time.Duration(float64(num) / float64(den) * float64(unit)))
	}
	return at
}

func text(x *exif.Exif, name exif.FieldName) string {
	tag, err := x.Get(name)
	if err != nil {
		return ""
	}
	s, err := tag.StringVal()
	if err != nil {
		return ""
	}
	return strings.TrimRight(s, "\x00 ")
}
