package sanitise_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
)

// Whatever is changed in a picture, it is refused or clean: the verifier never
// has to catch what the sanitiser let through.
func TestDamagedPictures(t *testing.T) {
	head, data, end := pngParts(encoded(t, media.PNG))
	lossy := lossyWebP(t)
	files := [][]byte{
		movingGIF(t), inGIF(movingGIF(t), gifBlock(0xfe, traceMark)),
		lossy, movingWebP(t), alphaWebP(t),
		webpOf(vp8x(0x2c), webpChunk("ICCP", namedProfile(traceMark)), lossy[12:], webpChunk("EXIF", exifSix), webpChunk("XMP ", traceMark)),
		movingPNG(t),
		pngOf(head, chunk("gAMA", "abcd"), chunk("pHYs", "abcdefghi"), chunk("oFFs", "abcdefgh\x00"), chunk("tEXt", "a\x00"+traceMark), data, chunk("eXIf", exifSix), end),
	}
	r := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for i := range 20_000 {
		x := bytes.Clone(files[i%len(files)])
		within := len(x)
		if i%3 > 0 { // mostly where the structure is
			within = min(within, 120)
		}
		for range 1 + r.IntN(4) {
			at := r.IntN(within)
			switch r.IntN(4) {
			case 0:
				x[at] = byte(r.Uint32())
			case 1:
				x[at] ^= 1 << r.IntN(8)
			case 2:
				x = append(x[:at:at], append([]byte{byte(r.Uint32())}, x[at:]...)...)
			case 3:
				x = append(x[:at:at], x[at+1:]...)
				within--
			}
		}
		if x[0] == 0x89 {
			x = mended(x)
		}
		_, _, err := clean(t, x)
		if err == nil {
			accepted++
			continue
		}
		if e := fault.From(err); e.Kind == fault.Internal || e.Code == "media-not-certified" {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d were accepted: the changes test nothing", accepted)
	}
}
