package sniff_test

import (
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		head string
		want media.Format
		says string // part of the refusal
	}{
		{"\xff\xd8\xff\xe1", media.JPEG, ""},
		{"\x89PNG\r\n\x1a\n....", media.PNG, ""},
		{"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00mp41avc1", media.MP4, ""},
		{"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  ", media.MOV, ""},
		{"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", media.MOV, ""},
		{"", 0, "empty"},
		{"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", media.HEIC, ""},
		{"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", media.AVIF, ""},
		{"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1avifmiaf", media.AVIF, ""},
		{"\x00\x00\x00\x18ftyp3gp5\x00\x00\x00\x003gp5....", media.ThreeGP, ""},
		{"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A ....", 0, "sound"},
		{"RIFF\x00\x00\x00\x00WEBPVP8 ", media.WebP, ""},
		{"GIF89a", media.GIF, ""},
		{"II*\x00\x08\x00\x00\x00", media.TIFF, ""},
		{"II*\x00\x10\x00\x00\x00CR\x02\x00", 0, "raw"},
		{"FUJIFILMCCD-RAW 0201", 0, "raw"},
		{"%PDF-1.7", 0, "PDF"},
		{"PK\x03\x04", 0, "ZIP"},
		{"\x1aE\xdf\xa3\x84\x42\x82\x84webm", media.WebM, ""},
		{"\x1aE\xdf\xa3\x84\x42\x82\x88matroska", media.Matroska, ""},
		{"  <SVG xmlns", 0, "SVG"},
		{"<!DOCTYPE html>", 0, "web page"},
		{strings.Repeat("\x00", 128) + "DICM", 0, "DICOM"},
		{"hello, world", 0, "not a photo"},
		{"\xff\xd8", 0, "not a photo"},
	} {
		got, err := sniff.Format([]byte(c.head))
		if got != c.want || (err == nil) != (c.says == "") {
			t.Errorf("%q: %v, %v", c.head, got, err)
			continue
		}
		if err != nil && !strings.Contains(fault.From(err).Message.String(), c.says) {
			t.Errorf("%q: %q does not say %q", c.head, fault.From(err).Message.String(), c.says)
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x18ftypisom"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if got, err := sniff.Format(head); (err == nil) == (got == media.Unknown) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
