package browser

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"testing"
)

// ruler writes a picture to measure in, as a phone held upright makes it: the
// sensor's 2,000 by 3,000 pixels, and a word that it is to be turned. Upright
// it is 3,000 by 2,000, with a corner of each colour, a ruler of 1,000 pixels, a
// wound as wide as said and 400 high, and squares of 8 that vanish in anything
// but the original.
func ruler(t *testing.T, name string, wound int) string {
	t.Helper()
	upright := image.NewRGBA(image.Rect(0, 0, 3000, 2000))
	fill := func(x, y, w, h int, c color.Color) {
		draw.Draw(upright, image.Rect(x, y, x+w, y+h), image.NewUniform(c), image.Point{}, draw.Src)
	}
	fill(0, 0, 3000, 2000, color.RGBA{176, 128, 96, 255})
	fill(0, 0, 200, 200, color.RGBA{255, 0, 0, 255})
	fill(2800, 0, 200, 200, color.RGBA{0, 255, 0, 255})
	fill(0, 1800, 200, 200, color.RGBA{0, 0, 255, 255})
	fill(2800, 1800, 200, 200, color.Black)
	fill(1800, 500, wound, 400, color.RGBA{96, 24, 24, 255})
	fill(500, 995, 1000, 10, color.White)
	for i := 0; i <= 10; i++ {
		fill(500+100*i-2, 960, 4, 80, color.White)
	}
	for i := range 12 * 12 {
		x, y, c := i%12, i/12, color.White
		if (x+y)%2 == 1 {
			c = color.Black
		}
		fill(1452+8*x, 1100+8*y, 8, 8, c)
	}
	sensor := image.NewRGBA(image.Rect(0, 0, 2000, 3000))
	for y := range 2000 {
		for x := range 3000 {
			sensor.SetRGBA(y, 2999-x, upright.RGBAAt(x, y))
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, sensor, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	turn := []byte("\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00") // orientation 6
	if err := os.WriteFile(name, append(append([]byte("\xff\xd8"), turn...), b.Bytes()[2:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
