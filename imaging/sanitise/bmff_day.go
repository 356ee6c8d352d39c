package sanitise

import (
	"bytes"
	"time"
)

// told gives when a film was taken, by what the phone wrote into it beside the
// times of its headers; zero when there is no such thing. Where both are, this
// is the better one: a phone that makes a film smaller to send it writes the
// time of that into the headers.
func told(c child) time.Time {
	switch c.typ {
	case "meta":
		return keyed(c.body)
	case "udta":
		boxes, _ := children(c.body)
		if day := one(boxes, "\xa9day"); len(day) > 4 { // a length and a language
			return moment(day[4:])
		}
		return keyed(one(boxes, "meta"))
	}
	return time.Time{}
}

// keyed looks for a date among QuickTime's keys, or in iTunes' list.
func keyed(meta []byte) time.Time {
	if len(meta) > 4 && be.Uint32(meta) == 0 { // version and flags, which QuickTime has not
		meta = meta[4:]
	}
	boxes, _ := children(meta)
	name := "\xa9day"
	keys := &fields{b: one(boxes, "keys")}
	keys.num(8)
	for i := uint32(1); len(keys.b) > 0; i++ {
		if _, key := keys.box(); string(key.b) == "com.apple.quicktime.creationdate" {
			name = string(be.AppendUint32(nil, i))
		}
	}
	values, _ := children(one(boxes, "ilst"))
	value, _ := children(one(values, name))
	if data := one(value, "data"); len(data) > 8 { // a type and a place
		return moment(data[8:])
	}
	return time.Time{}
}

// moment reads a date with a time and its zone.
func moment(b []byte) time.Time {
	text := string(bytes.TrimRight(b[:min(len(b), 40)], "\x00 "))
	for _, layout := range []string{"2006-01-02T15:04:05-0700", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1990 && t.Year() < 2200 {
			return t.UTC()
		}
	}
	return time.Time{}
}
