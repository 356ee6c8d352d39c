// Package sniff tells a file's format from its first bytes, and from nothing
// else: neither its name nor what the client says it is.
package sniff

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
)

const (
	asPhoto = "Send it as a JPEG or PNG photo."
	asVideo = "Send it as an MP4 or MOV video."
	fromRaw = "Set the camera to save JPEG beside raw, or export it as a JPEG, and send that."
)

// Format tells the format of a file that starts with head; give it up to
// 4 KiB. What is not accepted is refused by its name with a *fault.Error.
func Format(head []byte) (media.Format, error) {
	switch {
	case len(head) == 0:
		return media.Unknown, fault.New(fault.Invalid, "file-empty", "This file is empty. Choose the photo or video again.").In("file")
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return media.JPEG, nil
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return media.PNG, nil
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return media.GIF, nil
	case bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 12 && string(head[8:12]) == "WEBP":
		return media.WebP, nil
	case bytes.HasPrefix(head, []byte("\x1aE\xdf\xa3")):
		return matroska(head), nil
	}
	if f, ok, err := tiff(head); ok {
		return f, err
	}
	if f, ok, err := bmff(head); ok {
		return f, err
	}
	for _, k := range others {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return media.Unknown, refuse(k.name, k.instead)
		}
	}
	if bytes.HasPrefix(head, []byte("RIFF")) && len(head) >= 12 {
		switch string(head[8:12]) {
		case "AVI ":
			return media.Unknown, refuse("AVI video", asVideo)
		case "WAVE":
			return media.Unknown, refuse("sound recording", asVideo)
		}
	}
	if len(head) >= 132 && string(head[128:132]) == "DICM" {
		return media.Unknown, refuse("DICOM file", asPhoto)
	}
	text := strings.ToLower(string(bytes.TrimLeft(head[:min(len(head), 512)], "\xef\xbb\xbf \t\r\n")))
	for _, k := range []struct {
		tag  string
		name words.Text
	}{{"<svg", "SVG drawing"}, {"<!doctype html", "web page"}, {"<html", "web page"}, {"<?xml", "XML document"}} {
		if strings.HasPrefix(text, k.tag) {
			return media.Unknown, refuse(k.name, asPhoto)
		}
	}
	return media.Unknown, fault.New(fault.Unsupported, "format-unknown", "This is not a photo or video that is known here. Send the photo or video as the phone made it.").In("file")
}

var others = []struct {
	magic         string
	name, instead words.Text
}{
	{"FUJIFILMCCD-RAW", "camera raw photo", fromRaw}, {"IIRO", "camera raw photo", fromRaw}, {"IIRS", "camera raw photo", fromRaw}, {"MMOR", "camera raw photo", fromRaw},
	{"IIU\x00", "camera raw photo", fromRaw}, {"\x00MRM", "camera raw photo", fromRaw}, {"FOVb", "camera raw photo", fromRaw}, {"II\x1a\x00\x00\x00HEAPCCDR", "camera raw photo", fromRaw},
	{"II+\x00", "BigTIFF picture", asPhoto}, {"MM\x00+", "BigTIFF picture", asPhoto}, {"8BPS", "Photoshop document", asPhoto}, {"%!PS", "PostScript document", asPhoto}, {"\xc5\xd0\xd3\xc6", "PostScript document", asPhoto},
	{"%PDF", "PDF document", asPhoto}, {"PK\x03\x04", "ZIP archive or office document", asPhoto},
	{"BM", "BMP picture", asPhoto}, {"\xff\x0a", "JPEG XL photo", asPhoto}, {"\x00\x00\x00\x0cJXL ", "JPEG XL photo", asPhoto},
	{"\x00\x00\x00\x0cjP  ", "JPEG 2000 photo", asPhoto}, {"\xff\x4f\xff\x51", "JPEG 2000 photo", asPhoto},
	{"ID3", "sound recording", asVideo}, {"OggS", "Ogg file", asVideo}, {"FLV", "Flash video", asVideo}, {"\x30\x26\xb2\x75", "Windows Media file", asVideo},
	{"MZ", "program", asPhoto}, {"\x7fELF", "program", asPhoto},
}

func refuse(name, instead words.Text) error {
	return fault.New(fault.Unsupported, "format-not-accepted", words.Say("This is a {format}, which is not accepted here. {instead}", name, instead)).In("file")
}

// bmff tells the formats of the ISO base media file format (ISO/IEC 14496-12)
// and of QuickTime apart by their brands.
func bmff(head []byte) (media.Format, bool, error) {
	if len(head) < 12 {
		return media.Unknown, false, nil
	}
	switch string(head[4:8]) {
	case "moov", "mdat", "wide", "free", "skip", "pnot": // QuickTime before it had brands
		return media.MOV, true, nil
	case "ftyp":
	default:
		return media.Unknown, false, nil
	}
	size := min(int64(binary.BigEndian.Uint32(head)), int64(len(head)))
	brands := []string{string(head[8:12])}
	for at := int64(16); at+4 <= size; at += 4 {
		brands = append(brands, string(head[at:at+4]))
	}
	has := func(prefix string) bool {
		return slices.ContainsFunc(brands, func(b string) bool { return strings.HasPrefix(b, prefix) })
	}
	switch b := brands[0]; {
	case b == "qt  ":
		return media.MOV, true, nil
	case b == "avif" || b == "avis":
		return media.AVIF, true, nil
	case strings.HasPrefix(b, "hei") || strings.HasPrefix(b, "hev") || strings.HasPrefix(b, "mif") || b == "msf1" || b == "miaf" || b == "avci" || b == "jpeg":
		if has("avi") && !has("hei") {
			return media.AVIF, true, nil
		}
		return media.HEIC, true, nil
	case strings.HasPrefix(b, "3g"):
		return media.ThreeGP, true, nil
	case strings.HasPrefix(b, "M4A") || strings.HasPrefix(b, "M4B") || strings.HasPrefix(b, "F4A"):
		return media.Unknown, true, refuse("sound recording", asVideo)
	case b == "crx ":
		return media.Unknown, true, refuse("camera raw photo", fromRaw)
	case b == "jp2 " || b == "jpx " || b == "jxl ":
		return media.Unknown, true, refuse("JPEG 2000 or JPEG XL photo", asPhoto)
	}
	return media.MP4, true, nil
}

// matroska tells WebM from Matroska (RFC 9559, 5.1.2) by the document type
// among the first elements.
func matroska(head []byte) media.Format {
	if i := bytes.Index(head[:min(len(head), 80)], []byte("\x42\x82")); i >= 0 && bytes.HasPrefix(head[i+2:], []byte("\x84webm")) {
		return media.WebM
	}
	return media.Matroska
}

// tiff tells a TIFF from the camera raw formats that look like one. A raw file
// that shows itself only further on is refused by the sanitiser.
func tiff(head []byte) (media.Format, bool, error) {
	if !bytes.HasPrefix(head, []byte("II*\x00")) && !bytes.HasPrefix(head, []byte("MM\x00*")) {
		return media.Unknown, false, nil
	}
	if len(head) >= 12 && string(head[8:10]) == "CR" {
		return media.Unknown, true, refuse("camera raw photo", fromRaw)
	}
	return media.TIFF, true, nil
}
