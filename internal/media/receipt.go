package media

import (
	"time"

	"github.com/wardseal/wardseal/internal/words"
)

// Receipt is what sanitising did to one file: kinds and sizes, never values.
type Receipt struct {
	Format       string     `json:"format"`
	Removed      []Trace    `json:"removed"` // what was in the file and is gone
	Kept         []Trace    `json:"kept"`    // what stays besides pixels and samples, and why
	BytesBefore  int64      `json:"bytes_before"`
	BytesAfter   int64      `json:"bytes_after"`
	SHA256Before string     `json:"sha256_before,omitempty"` // lower-case hexadecimal
	SHA256After  string     `json:"sha256_after,omitempty"`
	CapturedAt   *time.Time `json:"captured_at,omitempty"`   // what the file said, as a suggestion only
	CapturedZone string     `json:"captured_zone,omitempty"` // "unknown" when CapturedAt is the camera's clock, written as UTC
}

// Trace is one kind of thing found in a file, such as "EXIF GPS position".
type Trace struct {
	Kind  words.Text `json:"kind"`
	Count int        `json:"count"`
	Bytes int64      `json:"bytes,omitempty"` // 0 when it is part of another trace
	Why   words.Text `json:"why,omitempty"`   // for what is kept
}
