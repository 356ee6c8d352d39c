// Package clean holds the one type that says a file was sanitised and
// independently verified.
//
// Only imaging/sanitise may call Certify, and a test of the house's layering
// fails the build when anything else does. crypto/seal takes nothing else, so
// bytes that were not sanitised cannot reach the store.
package clean

import (
	"io"

	"github.com/wardseal/wardseal/internal/media"
)

// Media is a sanitised and verified file. Its bytes are rendered on demand
// from the upload they came from, so it is valid only while that is open. The
// zero Media is nothing and is refused.
type Media struct {
	format media.Format
	src    io.ReaderAt
	size   int64
}

// Certify declares that the size bytes of src are a clean file of the format.
// Only imaging/sanitise may call it, after verification.
func Certify(format media.Format, src io.ReaderAt, size int64) Media {
	return Media{format: format, src: src, size: size}
}

// Valid reports whether m was certified.
func (m Media) Valid() bool { return m.src != nil && m.size > 0 && m.format != media.Unknown }

// Format is the file's format.
func (m Media) Format() media.Format { return m.format }

// Size is the file's length in bytes.
func (m Media) Size() int64 { return m.size }

// Reader reads the whole file from its start. Readers are independent of each
// other and may be used at the same time.
func (m Media) Reader() io.Reader { return io.NewSectionReader(m.src, 0, m.size) }
