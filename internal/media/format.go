package media

// Format is one of a closed set of file formats. The zero Format is Unknown
// and is refused everywhere.
type Format uint8

const (
	Unknown Format = iota
	JPEG
	PNG
	MP4
	MOV
)

// Formats lists every format that is accepted.
func Formats() []Format { return []Format{JPEG, PNG, MP4, MOV} }

var formatNames = map[Format]struct{ name, mediaType, ext string }{
	JPEG: {"JPEG", "image/jpeg", ".jpg"},
	PNG:  {"PNG", "image/png", ".png"},
	MP4:  {"MP4", "video/mp4", ".mp4"},
	MOV:  {"MOV", "video/quicktime", ".mov"},
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

// Video reports whether the format holds moving pictures.
func (f Format) Video() bool { return f == MP4 || f == MOV }

// ParseFormat is the inverse of String.
func ParseFormat(name string) (Format, bool) {
	for f, n := range formatNames {
		if n.name == name {
			return f, true
		}
	}
	return Unknown, false
}

// Rendition is one form in which an item is kept.
type Rendition string

const (
	Original  Rendition = "original-clean" // as taken, less every trace
	Preview   Rendition = "preview"        // upright, at most 2,048 px a side
	Thumbnail Rendition = "thumbnail"      // upright, at most 320 px a side
)

// Renditions lists every rendition.
func Renditions() []Rendition { return []Rendition{Original, Preview, Thumbnail} }

// Valid reports whether r is one of Renditions.
func (r Rendition) Valid() bool { return r == Original || r == Preview || r == Thumbnail }
