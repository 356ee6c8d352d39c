package sanitise

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"io"
)

// rawProfile gives the EXIF block that ImageMagick and older tools put into a
// text chunk as hexadecimal digits; nil when the chunk is any other text.
func (p *pngFile) rawProfile(typ string, body []byte) []byte {
	const few = 4 // since each may be inflated
	keyword, text, ok := bytes.Cut(body, []byte{0})
	if k := string(keyword); !ok || p.raws == few || k != "Raw profile type exif" && k != "Raw profile type APP1" {
		return nil
	}
	p.raws++
	if typ == "zTXt" {
		if len(text) == 0 || text[0] != 0 {
			return nil
		}
		z, err := zlib.NewReader(bytes.NewReader(text[1:]))
		if err != nil {
			return nil
		}
		if text, err = io.ReadAll(io.LimitReader(z, 2*maxICC)); err != nil {
			return nil
		}
	}
	// A line with a name, one with a length, then the digits.
	lines := bytes.SplitN(bytes.TrimLeft(text, "\n"), []byte("\n"), 3)
	if len(lines) < 3 {
		return nil
	}
	digits := bytes.Join(bytes.Fields(lines[2]), nil)
	block := make([]byte, len(digits)/2)
	if _, err := hex.Decode(block, digits[:len(block)*2]); err != nil {
		return nil
	}
	if block, ok = bytes.CutPrefix(block, []byte("Exif\x00\x00")); !ok {
		return nil
	}
	return block
}
