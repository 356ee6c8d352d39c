package derive

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/disintegration/imaging"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// cleaned gives a picture as it is kept.
func cleaned(t *testing.T, b []byte, f media.Format) []byte {
	t.Helper()
	c, err := sanitise.File(context.Background(), bytes.NewReader(b), int64(len(b)), f, sanitise.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err = io.ReadAll(c.Clean.Reader())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func second(t *testing.T, f *Films, b []byte, format media.Format) (Output, error) {
	t.Helper()
	s, err := f.Still(context.Background(), bytes.NewReader(b), int64(len(b)), format)
	if err != nil {
		return Output{}, err
	}
	return maker(t, "child", Config{}).DeriveStill(context.Background(), s, Sizes())
}

// heifOf has a tool make a HEIC or AVIF of a picture.
func heifOf(t *testing.T, img image.Image, ext string, args ...string) []byte {
	t.Helper()
	in := filepath.Join(t.TempDir(), "picture.png")
	if err := os.WriteFile(in, pngOf(t, img), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		if args[i] == "PICTURE" {
			args[i] = in
		}
	}
	return cleaned(t, made(t, ext, args...), map[string]media.Format{".heic": media.HEIC, ".avif": media.AVIF}[ext])
}

// The video tool sees what the decoders do, in the same colours: whatever is
// handed to it is shown right.
func TestSecondLook(t *testing.T) {
	f := films(t, FilmConfig{})
	img := quarters(400, 200)
	heif := func(args ...string) []byte {
		return heifOf(t, img, ".heic", append(append([]string{"heif-enc", "-q", "95"}, args...), "PICTURE", "-o", "OUT")...)
	}
	avif := func(args ...string) []byte {
		return heifOf(t, img, ".avif", append(append([]string{"avifenc", "-s", "9"}, args...), "PICTURE", "OUT")...)
	}
	clear := imaging.Clone(img)
	for y := range 100 {
		for x := range 200 {
			clear.Pix[clear.PixOffset(x, y)+3] = 0
		}
	}
	white := color.NRGBA{255, 255, 255, 255}
	onWhite := [4]color.NRGBA{white, green, blue, yellow}
	tiles := []string{"avifenc", "-s", "9", "--grid", "2x2"}
	for k := range 4 {
		tile := filepath.Join(t.TempDir(), "tile.png")
		if err := os.WriteFile(tile, pngOf(t, imaging.Crop(img, image.Rect(k%2*200, k/2*100, k%2*200+200, k/2*100+100))), 0o600); err != nil {
			t.Fatal(err)
		}
		tiles = append(tiles, tile)
	}
	for name, c := range map[string]struct {
		f    media.Format
		b    []byte
		want [4]color.NRGBA
	}{
		"HEIC":                 {media.HEIC, heif(), upCorners},
		"HEIC of 10 bits":      {media.HEIC, heif("-b", "10"), upCorners},
		"HEIC of 12 bits":      {media.HEIC, heif("-b", "12"), upCorners},
		"HEIC of 4:2:2":        {media.HEIC, heif("-p", "chroma=422"), upCorners},
		"HEIC of BT.709":       {media.HEIC, heif("--matrix_coefficients", "1"), upCorners},
		"HEIC in narrow range": {media.HEIC, heif("--full_range_flag", "0"), upCorners},
		"lossless HEIC":        {media.HEIC, heif("-L", "-p", "chroma=444", "--matrix_coefficients", "0"), upCorners},
		"AVIF":                 {media.AVIF, avif(), upCorners},
		"AVIF of 10 bits":      {media.AVIF, avif("-d", "10"), upCorners},
		"AVIF in narrow range": {media.AVIF, avif("-r", "limited"), upCorners},
		"AVIF of BT.709":       {media.AVIF, avif("--cicp", "1/13/1"), upCorners},
		"AVIF in a grid":       {media.AVIF, cleaned(t, made(t, ".avif", append(tiles, "OUT")...), media.AVIF), upCorners},
		"AVIF upside down":     {media.AVIF, avif("--imir", "0"), [4]color.NRGBA{blue, yellow, red, green}},
		"HEIC with alpha":      {media.HEIC, heifOf(t, clear, ".heic", "heif-enc", "-q", "95", "PICTURE", "-o", "OUT"), onWhite},
		"AVIF with alpha":      {media.AVIF, heifOf(t, clear, ".avif", "avifenc", "-s", "9", "PICTURE", "OUT"), onWhite},
		"lossless JPEG":        {media.JPEG, made(t, ".jpg", "ffmpeg", "-v", "error", "-i", "IN", "-c:v", "ljpeg", "-pix_fmt", "yuvj444p", "OUT"), upCorners},
		"GIF":                  {media.GIF, made(t, ".gif", "convert", "IN", "OUT"), upCorners},
	} {
		out, err := second(t, f, c.b, c.f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if out.Width != 400 || out.Height != 200 {
			t.Errorf("%s: %d by %d", name, out.Width, out.Height)
		}
		corners(t, name, out.Pictures[0], c.want)
	}
}

// What the WebAssembly traps on is seen by the second look: pictures in grey of
// odd sides, and some with alpha.
func TestSecondLookIsNeeded(t *testing.T) {
	f, m := films(t, FilmConfig{}), maker(t, "child", Config{})
	grey := image.NewGray(image.Rect(0, 0, 529, 200)) // coded as more than it shows
	for i := range grey.Pix {
		grey.Pix[i] = uint8(40 + i/529)
	}
	b := heifOf(t, grey, ".heic", "heif-enc", "-q", "95", "PICTURE", "-o", "OUT")
	if _, err := derive(m, b, media.HEIC); !errors.Is(err, ErrUndecodable) {
		t.Errorf("it decodes as it is: %v", err)
	}
	out, err := second(t, f, b, media.HEIC)
	if err != nil {
		t.Fatal(err)
	}
	if out.Width != 529 || out.Height != 200 {
		t.Errorf("%d by %d", out.Width, out.Height)
	}
	got, ok := decoded(t, out.Pictures[0]).(*image.Gray)
	if !ok {
		t.Fatal("it is not grey any more")
	}
	for _, y := range []int{5, 50, 195} {
		if d := int(got.GrayAt(10, y).Y) - (40 + y); d > 3 || d < -3 {
			t.Errorf("row %d is %d", y, got.GrayAt(10, y).Y)
		}
	}
}

// What the WebAssembly would show wrong is left to the second look.
func TestHEICWithAlphaIsNotShownWithout(t *testing.T) {
	m := maker(t, "child", Config{})
	for _, size := range []image.Point{{400, 200}, {128, 128}, {72, 72}} {
		img := quarters(size.X, size.Y)
		for i := 3; i < len(img.Pix); i += 4 {
			img.Pix[i] = 0
		}
		b := heifOf(t, img, ".heic", "heif-enc", "-q", "95", "PICTURE", "-o", "OUT")
		if _, err := derive(m, b, media.HEIC); !errors.Is(err, ErrUndecodable) {
			t.Errorf("%v: %v", size, err)
		}
	}
}

// A picture keeps its way up, its profile and its coding.
func TestSecondLookKeepsFacts(t *testing.T) {
	f := films(t, FilmConfig{})
	profile := p3Profile()
	exif := append([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"), 0, 0, 0, 0)
	b := made(t, ".jpg", "ffmpeg", "-v", "error", "-i", "IN", "-c:v", "ljpeg", "-pix_fmt", "yuvj444p", "OUT")
	out, err := second(t, f, segment(withProfile(b, profile), 0xe1, exifName+string(exif)), media.JPEG)
	if err != nil {
		t.Fatal(err)
	}
	if out.Width != 200 || out.Height != 400 {
		t.Errorf("%d by %d", out.Width, out.Height)
	}
	corners(t, "JPEG", out.Pictures[0], [4]color.NRGBA{blue, red, yellow, green})
	if got := jpegFacts(out.Pictures[0].Bytes).profile; !bytes.Equal(got, profile) {
		t.Errorf("a profile of %d bytes", len(got))
	}
	wide := heifOf(t, quarters(400, 200), ".avif", "avifenc", "-s", "9", "--cicp", "12/13/6", "PICTURE", "OUT")
	if out, err = second(t, f, wide, media.AVIF); err != nil {
		t.Fatal(err)
	}
	if got := jpegFacts(out.Pictures[0].Bytes).profile; !bytes.Equal(got, p3Profile()) {
		t.Errorf("wide colours have a profile of %d bytes", len(got))
	}
}

func TestSecondLookRefuses(t *testing.T) {
	ctx := context.Background()
	f := films(t, FilmConfig{})
	img := quarters(400, 200)
	lossless := made(t, ".jpg", "ffmpeg", "-v", "error", "-i", "IN", "-c:v", "ljpeg", "-pix_fmt", "yuvj444p", "OUT")
	heic := heifOf(t, img, ".heic", "heif-enc", "-q", "95", "PICTURE", "-o", "OUT")
	few := films(t, FilmConfig{MaxPixels: 400*200 - 1})
	for name, c := range map[string]struct {
		f    media.Format
		b    []byte
		want error
		by   *Films
	}{
		"a JPEG of too many pixels": {media.JPEG, lossless, ErrBomb, few},
		"a HEIC of too many pixels": {media.HEIC, heic, ErrBomb, few},
		"half a JPEG":               {media.JPEG, lossless[:len(lossless)/2], ErrUndecodable, f},
		"a JPEG that is a HEIC":     {media.JPEG, heic, ErrUndecodable, f},
		"a HEIC that is a JPEG":     {media.HEIC, lossless, ErrUndecodable, f},
		"a TIFF":                    {media.TIFF, made(t, ".tif", "convert", "IN", "OUT"), ErrUndecodable, f},
	} {
		if _, err := c.by.Still(ctx, bytes.NewReader(c.b), int64(len(c.b)), c.f); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for at, v := range map[int]byte{4: 12, 1: 0xc0, 9: 4} { // bits, process, components
		other := bytes.Clone(lossless)
		other[bytes.Index(other, []byte{0xff, 0xc3})+at] = v
		if _, err := f.Still(ctx, bytes.NewReader(other), int64(len(other)), media.JPEG); !errors.Is(err, ErrUndecodable) {
			t.Errorf("a JPEG with %d at %d of its frame header: %v", v, at, err)
		}
	}
	// What the boxes say and what is coded must agree.
	smaller := bytes.Clone(heic)
	at := bytes.Index(smaller, []byte("ispe"))
	copy(smaller[at+8:], []byte{0, 0, 2, 0})
	if _, err := f.Still(ctx, bytes.NewReader(smaller), int64(len(smaller)), media.HEIC); !errors.Is(err, ErrUndecodable) {
		t.Errorf("a picture that is narrower than it says: %v", err)
	}
	if _, err := chunksOf(pngOf(t, img), image.Pt(400, 199), facts{}); !errors.Is(err, ErrUndecodable) {
		t.Errorf("a PNG of another size than was counted: %v", err)
	}
	away := errors.New("the store is away")
	if _, err := f.Still(ctx, failing{away}, 100, media.JPEG); !errors.Is(err, away) || errors.Is(err, ErrUndecodable) {
		t.Errorf("a source that fails: %v", err)
	}
	for i := range min(len(heic), 900) {
		bad := bytes.Clone(heic)
		bad[i] ^= 0xff
		for _, b := range [][]byte{bad, heic[:i]} {
			if items, err := readHEIFItems(b); err == nil {
				_, _ = items.plane(items.primary)
			}
		}
	}
}

// Alpha must be of the picture's size, and the frame between the two is held to.
func TestAlphaPlane(t *testing.T) {
	m := maker(t, "child", Config{})
	picture := pngOf(t, quarters(400, 200))
	for name, c := range map[string]struct {
		alpha image.Image
		ok    bool
	}{
		"of its size": {image.NewGray(image.Rect(0, 0, 400, 200)), true}, "of another": {image.NewGray(image.Rect(0, 0, 400, 199)), false}, "in colour": {quarters(400, 200), false},
	} {
		alpha := pngOf(t, c.alpha)
		out, err := m.DeriveStill(context.Background(), Still{png: append(bytes.Clone(picture), alpha...), alpha: len(alpha)}, Sizes())
		if c.ok != (err == nil) || !c.ok && !errors.Is(err, ErrUndecodable) {
			t.Errorf("%s: %v", name, err)
		}
		if c.ok {
			w := color.NRGBA{255, 255, 255, 255}
			corners(t, name, out.Pictures[0], [4]color.NRGBA{w, w, w, w})
		}
	}
	if _, err := m.DeriveStill(context.Background(), Still{png: picture, alpha: len(picture)}, Sizes()); err == nil {
		t.Error("a picture of alpha alone")
	}
}

// The boxes of a file are read in the server.
func FuzzCodedPlanes(f *testing.F) {
	servers.Seed(f, func() [][]byte {
		return [][]byte{made(f, ".heic", "heif-enc", "-q", "50", "IN", "-o", "OUT"), made(f, ".avif", "avifenc", "-s", "9", "IN", "OUT")}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = heifFacts(b)
		items, err := readHEIFItems(b)
		if err != nil {
			return
		}
		p, err := items.plane(items.primary)
		if err == nil && (p.size.X > p.columns*p.tile.X || p.size.Y > p.rows*p.tile.Y || len(p.stream) > maxSource) {
			t.Errorf("%d by %d of %v show %v", p.columns, p.rows, p.tile, p.size)
		}
	})
}

// A TIFF is unpacked in the child; nothing in it may run away.
func FuzzTIFFPages(f *testing.F) {
	f.Add(handTIFF(5, 8, 4, 1, make([]byte, 256)))
	f.Add(handTIFF(8, 16, 3, 1, make([]byte, 384)))
	f.Add(handTIFF(1, 12, 2, 1, make([]byte, 192), [2]uint32{338, 2}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := newTIFFPage(b); err == nil && p.width*p.height < 1<<12 {
			_, _ = p.decode(b)
		}
	})
}
