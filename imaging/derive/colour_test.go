package derive

import (
	"bytes"
	"compress/zlib"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wardseal/wardseal/internal/media"
)

func deflated(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// tool finds a program; in CI it must be there.
func tool(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", names[0])
	}
	t.Skipf("%s is not installed", names[0])
	return ""
}

// patches is a chart of 6 by 4 colours, most of them of skin, wounds and grey.
func patches(w, h int, alpha bool) *image.NRGBA {
	chart := []uint32{
		0x735244, 0xc29682, 0x8d5524, 0xc68642, 0xe0ac69, 0xf1c27d, 0xffdbac, 0x3b2219, 0xa1665e, 0x8e2f2a, 0xb04a48, 0x5c1a1b,
		0xe8c5c1, 0xd9a5a0, 0xf4d35e, 0x7a7a3a, 0x2f2f2f, 0x555555, 0x7a7a79, 0xa0a0a0, 0xc8c8c8, 0xf3f3f2, 0x305080, 0x4f8f50,
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			i := y*4/h*6 + x*6/w
			c := color.NRGBA{uint8(chart[i] >> 16), uint8(chart[i] >> 8), uint8(chart[i]), 255}
			if alpha {
				c.A = uint8(255 - 10*i)
			}
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

// TestColours compares each patch with what ImageMagick makes of the same file.
func TestColours(t *testing.T) {
	convert := tool(t, "convert-im6.q16", "magick", "convert")
	m := maker(t, "child", Config{})
	dir := t.TempDir()
	chart := filepath.Join(dir, "chart.png")
	clear := filepath.Join(dir, "clear.png")
	for path, img := range map[string]*image.NRGBA{chart: patches(1200, 800, false), clear: patches(1200, 800, true)} {
		if err := os.WriteFile(path, pngOf(t, img), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) []byte {
		out, err := exec.Command(convert, args...).Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	for _, c := range []struct {
		name string
		f    media.Format
		args []string
	}{
		{"baseline 4:2:0", media.JPEG, []string{chart, "-sampling-factor", "2x2", "-quality", "92", "jpg:-"}},
		{"baseline 4:4:4", media.JPEG, []string{chart, "-sampling-factor", "1x1", "-quality", "92", "jpg:-"}},
		{"4:2:2 upright pairs", media.JPEG, []string{chart, "-sampling-factor", "1x2", "-quality", "92", "jpg:-"}},
		{"progressive", media.JPEG, []string{chart, "-interlace", "JPEG", "-quality", "92", "jpg:-"}},
		{"RGB without transform", media.JPEG, []string{chart, "-colorspace", "RGB", "-set", "colorspace", "sRGB", "-quality", "95", "jpg:-"}},
		{"grey", media.JPEG, []string{chart, "-colorspace", "Gray", "-quality", "92", "jpg:-"}},
		{"CMYK", media.JPEG, []string{chart, "-colorspace", "CMYK", "-quality", "100", "jpg:-"}},
		{"8 bits", media.PNG, []string{chart, "png24:-"}},
		{"16 bits", media.PNG, []string{chart, "png48:-"}},
		{"palette", media.PNG, []string{chart, "png8:-"}},
		{"interlaced", media.PNG, []string{chart, "-interlace", "PNG", "png24:-"}},
		{"grey PNG", media.PNG, []string{chart, "-colorspace", "Gray", "png:-"}},
		{"alpha", media.PNG, []string{clear, "png32:-"}},
		{"16 bits with alpha", media.PNG, []string{clear, "png64:-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := run(c.args...)
			path := filepath.Join(dir, "src"+c.f.Ext())
			if err := os.WriteFile(path, src, 0o600); err != nil {
				t.Fatal(err)
			}
			want := run(path, "-background", "white", "-flatten", "-colorspace", "sRGB", "-resize", "300x200", "-depth", "8", "rgb:-")
			out, err := derive(m, src, c.f, Size{media.Preview, 300})
			if err != nil {
				t.Fatal(err)
			}
			slack := 2 // levels
			if c.name == "CMYK" {
				slack = 4 // converted without the profile of an ink
			}
			img := decoded(t, out.Pictures[0])
			for i := range 24 {
				var got, wanted [3]int // sums over the middle of the patch
				x0, y0 := i%6*50+15, i/6*50+15
				for y := y0; y < y0+20; y++ {
					for x := x0; x < x0+20; x++ {
						r, g, b, _ := img.At(x, y).RGBA()
						for k, v := range [3]uint32{r, g, b} {
							got[k] += int(v >> 8)
							wanted[k] += int(want[3*(300*y+x)+k])
						}
					}
				}
				for k := range 3 {
					if d := got[k] - wanted[k]; d > slack*400 || d < -slack*400 {
						t.Errorf("patch %d channel %d: %d instead of %d", i, k, got[k]/400, wanted[k]/400)
					}
				}
			}
		})
	}
}
