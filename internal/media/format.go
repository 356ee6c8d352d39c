package media

import "slices"

// Format is one of a closed set of file formats. The zero Format is Unknown
// and is refused everywhere.
type Format uint8

const (
	Unknown Format = iota
	JPEG
	PNG // still or animated (APNG)
	GIF
	WebP
	HEIC // any HEIF picture that is not AVIF
	AVIF
	TIFF
	MP4
	MOV
	ThreeGP // 3GP and 3G2
	WebM
	Matroska
)

// Formats lists every format that is accepted.
func Formats() []Format {
	return []Format{JPEG, PNG, GIF, WebP, HEIC, AVIF, TIFF, MP4, MOV, ThreeGP, WebM, Matroska}
}

var formatNames = map[Format]struct {
	name, mediaType, ext string
	video                bool
}{
	JPEG:     {"JPEG", "image/jpeg", ".jpg", false},
	PNG:      {"PNG", "image/png", ".png", false},
	GIF:      {"GIF", "image/gif", ".gif", false},
	WebP:     {"WebP", "image/webp", ".webp", false},
	HEIC:     {"HEIC", "image/heic", ".heic", false},
	AVIF:     {"AVIF", "image/avif", ".avif", false},
	TIFF:     {"TIFF", "image/tiff", ".tif", false},
	MP4:      {"MP4", "video/mp4", ".mp4", true},
	MOV:      {"MOV", "video/quicktime", ".mov", true},
	ThreeGP:  {"3GP", "video/3gpp", ".3gp", true},
	WebM:     {"WebM", "video/webm", ".webm", true},
	Matroska: {"Matroska", "video/matroska", ".mkv", true},
}

// String is the format's common name, such as "JPEG".
func (f Format) String() string {
	if n, ok := formatNames[f]; ok {
		return n.name
	}
	return "unknown"
}

// MediaType is the registered media type, such as "image/jpeg".
func (f Format) MediaType() string {
	if n, ok := formatNames[f]; ok {
		return n.mediaType
	}
	return "application/octet-stream"
}

// Ext is the usual file extension with its dot, such as ".jpg".
func (f Format) Ext() string { return formatNames[f].ext }

// Video reports whether the format is one of videos: large, played from any
// offset, perhaps with sound. Animated pictures are pictures.
func (f Format) Video() bool { return formatNames[f].video }

// ParseFormat is the inverse of String.
func ParseFormat(name string) (Format, bool) {
	for f, n := range formatNames {
		if n.name == name {
			return f, true
		}
	}
	return Unknown, false
}

// Shown reports whether the browsers in use show a picture of this format as
// it is; of the rest they need a rendition.
func (f Format) Shown() bool {
	switch f {
	case JPEG, PNG, GIF, WebP, AVIF:
		return true
	}
	return false
}

// Rendition is one form in which an item is kept.
type Rendition string

const (
	Original  Rendition = "original-clean" // as taken, less every trace
	Preview   Rendition = "preview"        // of a picture: upright JPEG, at most 2,048 px a side
	Detail    Rendition = "detail"         // of a picture that browsers do not show as it is: upright JPEG, at most 8,192 px a side
	Thumbnail Rendition = "thumbnail"      // of a picture or video: upright JPEG, at most 320 px a side
	Poster    Rendition = "poster"         // of a video: one frame, upright JPEG, at most 2,048 px a side
	Playable  Rendition = "playable"       // of a video that browsers may not play: MP4, H.264 and AAC
)

// Renditions lists every rendition.
func Renditions() []Rendition {
	return []Rendition{Original, Preview, Detail, Thumbnail, Poster, Playable}
}

// Valid reports whether r is one of Renditions.
func (r Rendition) Valid() bool { return slices.Contains(Renditions(), r) }
