package ui

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// QR is a text as a QR code, to draw as SVG: a path of its dark squares.
type QR struct {
	Size int
	Path string
}

// quiet is the empty border that readers need, in squares.
const quiet = 4

// NewQR makes a QR code.
func NewQR(text string) (QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QR{}, fmt.Errorf("make a QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var b strings.Builder
	for y := range size {
		for x := range size {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return QR{size + 2*quiet, b.String()}, nil
}
