// Package verify certifies that a sanitised file holds nothing but what
// rendering needs.
//
// It is a second opinion: it shares no parser and no keep-list with
// imaging/sanitise, and imports nothing of it. It accounts for every byte of
// the file; what it cannot account for is a Finding, and the file is refused.
// It decodes nothing and changes nothing.
package verify

import (
	"context"
	"fmt"
	"io"

	"github.com/wardseal/wardseal/internal/media"
)

// Finding is a part of a file that should not be there. Where names the part
// by its structure and offset, never by its content.
type Finding struct {
	Where  string
	Offset int64
}

// Error says where the finding is.
func (f *Finding) Error() string { return fmt.Sprintf("%s at byte %d", f.Where, f.Offset) }

var containers = map[media.Format]func(ctx context.Context, src io.ReaderAt, size int64) error{
	media.JPEG:     jpeg,
	media.PNG:      png,
	media.GIF:      gif,
	media.WebP:     webp,
	media.HEIC:     heif,
	media.AVIF:     heif,
	media.TIFF:     tiff,
	media.MP4:      bmff,
	media.MOV:      bmff,
	media.ThreeGP:  bmff,
	media.WebM:     matroska,
	media.Matroska: matroska,
}

// File walks the size bytes of src. It returns nil when every byte is
// accounted for, a *Finding when one is not, and any other error when src
// cannot be read or ctx ends.
func File(ctx context.Context, src io.ReaderAt, size int64, format media.Format) error {
	walk, ok := containers[format]
	if !ok {
		return &Finding{Where: "a format without a verifier"}
	}
	return walk(ctx, src, size)
}
