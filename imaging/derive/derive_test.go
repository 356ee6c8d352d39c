package derive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/wardseal/wardseal/internal/media"
)

var (
	red    = color.NRGBA{200, 30, 40, 255}
	green  = color.NRGBA{30, 160, 60, 255}
	blue   = color.NRGBA{40, 60, 190, 255}
	yellow = color.NRGBA{220, 210, 50, 255}
)

// quarters has red, green in the upper half and blue, yellow in the lower.
func quarters(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := [2][2]color.NRGBA{{red, green}, {blue, yellow}}[2*y/h][2*x/w]
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func jpegOf(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// segment puts a marker segment right after a JPEG's start.
func segment(b []byte, marker byte, body string) []byte {
	s := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, marker}, uint16(2+len(body)))
	return append(append(s, body...), b[2:]...)
}

// chunk puts a chunk right after a PNG's IHDR.
func chunk(b []byte, kind string, body []byte) []byte {
	const at = 8 + 12 + 13
	c := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	c = append(append(c, kind...), body...)
	c = binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c[4:]))
	return append(append(bytes.Clone(b[:at]), c...), b[at:]...)
}

func exifBlock(order binary.AppendByteOrder, orientation int) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, 3)
	b = order.AppendUint32(b, 1)
	b = order.AppendUint16(b, uint16(orientation))
	return append(b, 0, 0, 0, 0, 0, 0)
}

func near(a, b color.Color, most int) bool {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	for _, d := range []int{int(ar>>8) - int(br>>8), int(ag>>8) - int(bg>>8), int(ab>>8) - int(bb>>8)} {
		if d < -most || d > most {
			return false
		}
	}
	return true
}

func decoded(t testing.TB, p Picture) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(p.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds().Dx() != p.Width || img.Bounds().Dy() != p.Height {
		t.Fatalf("%v is said to be %d by %d", img.Bounds(), p.Width, p.Height)
	}
	return img
}

func TestOrientation(t *testing.T) {
	m := maker(t, "child", Config{})
	// Where the upright picture's corners (upper left and right, lower left and
	// right) come from, by CIPA DC-008: 6 says that the first row is the right side.
	corners := map[int][4]color.NRGBA{
		1: {red, green, blue, yellow},
		2: {green, red, yellow, blue},
		3: {yellow, blue, green, red},
		4: {blue, yellow, red, green},
		5: {red, blue, green, yellow},
		6: {blue, red, yellow, green},
		7: {yellow, green, blue, red},
		8: {green, yellow, red, blue},
	}
	for o, want := range corners {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			exif := exifBlock(order, o)
			for f, b := range map[media.Format][]byte{
				media.JPEG: segment(jpegOf(t, quarters(400, 200), 95), 0xe1, exifName+string(exif)),
				media.PNG:  chunk(pngOf(t, quarters(400, 200)), "eXIf", exif),
			} {
				out, err := derive(m, b, f, Size{media.Preview, 2048}, Size{media.Thumbnail, 100})
				if err != nil {
					t.Fatalf("%s %d: %v", f, o, err)
				}
				w, h := 400, 200
				if o >= 5 {
					w, h = h, w
				}
				if out.Width != w || out.Height != h {
					t.Errorf("%s %d: the original is said to be %d by %d", f, o, out.Width, out.Height)
				}
				for i, p := range out.Pictures {
					if scale := 1 + 3*i; p.Width != w/scale || p.Height != h/scale || p.Format != media.JPEG {
						t.Fatalf("%s %d: %s is %d by %d", f, o, p.Rendition, p.Width, p.Height)
					}
					img := decoded(t, p)
					for k, c := range want {
						x, y := p.Width/8+k%2*p.Width*3/4, p.Height/8+k/2*p.Height*3/4
						if got := img.At(x, y); !near(got, c, 4) {
							t.Errorf("%s %d %s: corner %d is %v, not %v", f, o, p.Rendition, k, got, c)
						}
					}
					if made := jpegFacts(p.Bytes); made.orientation != 1 {
						t.Errorf("%s %d: an orientation is left", f, o)
					}
				}
			}
		}
	}
}

// declares gives a small valid PNG whose header says another size.
func declares(t *testing.T, w, h uint32) []byte {
	b := pngOf(t, quarters(8, 8))
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestRefusals(t *testing.T) {
	m := maker(t, "child", Config{MaxPixels: 1_000_000})
	tall := jpegOf(t, quarters(8, 8), 90)
	sof := bytes.Index(tall, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(tall[sof+5:], 60000)
	binary.BigEndian.PutUint16(tall[sof+7:], 60000)
	arithmetic, twelve := jpegOf(t, quarters(8, 8), 90), jpegOf(t, quarters(8, 8), 90)
	arithmetic[sof+1] = 0xc9
	twelve[sof+4] = 12
	photo := jpegOf(t, quarters(64, 64), 90)
	for _, c := range []struct {
		name string
		data []byte
		f    media.Format
		want error
	}{
		{"PNG of 50,000 by 50,000", declares(t, 50000, 50000), media.PNG, ErrBomb},
		{"PNG of 900,000 by 1", declares(t, 900_000, 1), media.PNG, ErrBomb},
		{"JPEG of 60,000 by 60,000", tall, media.JPEG, ErrBomb},
		{"PNG one pixel over", declares(t, 1_000_001, 1), media.PNG, ErrBomb},
		{"PNG with less inside than it declares", declares(t, 1000, 1000), media.PNG, ErrUndecodable},
		{"arithmetic JPEG", arithmetic, media.JPEG, ErrUndecodable},
		{"12-bit JPEG", twelve, media.JPEG, ErrUndecodable},
		{"half a JPEG", photo[:len(photo)/2], media.JPEG, ErrUndecodable},
		{"a JPEG called a PNG", photo, media.PNG, ErrUndecodable},
		{"no picture", []byte("<html>"), media.JPEG, ErrUndecodable},
		{"a video", photo, media.MP4, ErrUndecodable},
		{"a film", photo, media.MOV, ErrUndecodable},
		{"nothing known", photo, media.Unknown, ErrUndecodable},
	} {
		if out, err := derive(m, c.data, c.f); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, out, err, c.want)
		}
	}
	for name, sizes := range map[string][]Size{
		"no sizes": {}, "size zero": {{media.Preview, 0}}, "a huge size": {{media.Preview, 1 << 20}},
	} {
		if _, err := m.Derive(context.Background(), bytes.NewReader(photo), int64(len(photo)), media.JPEG, sizes); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestBombsAreBounded decodes a picture within the pixel limit that takes more
// than the memory limit: a PNG of 1.5 MB that grows to 400 MB.
func TestBombsAreBounded(t *testing.T) {
	black := &uniform{image.Rect(0, 0, 7000, 7000)}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, black); err != nil {
		t.Fatal(err)
	}
	if _, err := derive(maker(t, "child", Config{MemoryBytes: 128 << 20}), b.Bytes(), media.PNG); !errors.Is(err, ErrLimit) {
		t.Errorf("got %v, want %v", err, ErrLimit)
	}
}

type uniform struct{ r image.Rectangle }

func (u *uniform) ColorModel() color.Model { return color.NRGBA64Model }
func (u *uniform) Bounds() image.Rectangle { return u.r }
func (u *uniform) At(x, y int) color.Color { return color.NRGBA64{1, 2, 3, 0x8000} }

func TestPastThePalette(t *testing.T) {
	got := unpaletted(pastPalette())
	if got.NRGBAAt(1, 1) != (color.NRGBA{A: 255}) || got.NRGBAAt(0, 0) != (color.NRGBA{255, 255, 255, 255}) {
		t.Errorf("%v, %v", got.NRGBAAt(1, 1), got.NRGBAAt(0, 0))
	}
	if _, same := resizable(pastPalette()).(*image.Paletted); same {
		t.Error("a palette reaches the imaging library")
	}
	// The same through a file: an index of 3 in a palette of one.
	p := image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{red, green, blue, yellow})
	for i := range p.Pix {
		p.Pix[i] = 3
	}
	b := pngOf(t, p)
	at := bytes.Index(b, []byte("PLTE")) - 4
	b = append(b[:at:at], chunk(b[:33], "PLTE", []byte{1, 2, 3})[33:]...)
	b = append(b, pngOf(t, p)[at+12+12:]...)
	if _, err := derive(maker(t, "child", Config{}), b, media.PNG); err != nil && !errors.Is(err, ErrUndecodable) {
		t.Error(err)
	}
}

func TestNeverEnlarges(t *testing.T) {
	m := maker(t, "child", Config{})
	for _, c := range []struct{ w, h, edge, wantW, wantH int }{
		{100, 60, 320, 100, 60}, {320, 10, 320, 320, 10}, {321, 3, 320, 320, 3}, {2000, 1, 320, 320, 1}, {1, 1, 1, 1, 1}, {3, 700, 70, 1, 70},
	} {
		out, err := derive(m, pngOf(t, quarters(c.w, c.h)), media.PNG, Size{media.Thumbnail, c.edge})
		if err != nil {
			t.Fatal(err)
		}
		if p := out.Pictures[0]; p.Width != c.wantW || p.Height != c.wantH || p.Rendition != media.Thumbnail {
			t.Errorf("%+v: %d by %d", c, p.Width, p.Height)
		}
	}
}

func TestSourceFaults(t *testing.T) {
	m := maker(t, "child", Config{})
	photo := jpegOf(t, quarters(640, 480), 95)
	broken := errors.New("the store is away")
	n := int64(len(photo))
	for _, c := range []struct {
		name string
		src  io.Reader
		want error
	}{
		{"fails", io.MultiReader(bytes.NewReader(photo[:100]), iotest.ErrReader(broken)), broken},
		{"ends early", bytes.NewReader(photo[:100]), io.ErrUnexpectedEOF},
		{"is empty", bytes.NewReader(nil), io.ErrUnexpectedEOF},
		{"comes in drops", iotest.OneByteReader(bytes.NewReader(photo)), nil},
		{"goes on", io.MultiReader(bytes.NewReader(photo), iotest.ErrReader(broken)), nil},
	} {
		if _, err := m.Derive(context.Background(), c.src, n, media.JPEG, Sizes()); !errors.Is(err, c.want) {
			t.Errorf("a source that %s: got %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := m.Derive(context.Background(), bytes.NewReader(photo), maxSource+1, media.JPEG, Sizes()); !errors.Is(err, ErrLimit) {
		t.Errorf("too long: %v", err)
	}
}

func TestCancel(t *testing.T) {
	m := maker(t, "hangs", Config{Parallel: 1})
	photo := jpegOf(t, quarters(64, 48), 90)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 3 { // one in a child, two waiting for one
		wg.Go(func() {
			if _, err := m.Derive(ctx, bytes.NewReader(photo), int64(len(photo)), media.JPEG, Sizes()); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	wg.Wait()
}

// TestParallel counts children by the sources that are being read.
func TestParallel(t *testing.T) {
	m := maker(t, "child", Config{Parallel: 2})
	photo := jpegOf(t, quarters(64, 48), 90)
	var mu sync.Mutex
	now, most := 0, 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := &counting{r: bytes.NewReader(photo), mu: &mu, now: &now, most: &most}
			if _, err := m.Derive(context.Background(), r, int64(len(photo)), media.JPEG, Sizes()); err != nil {
				t.Error(err)
			}
			mu.Lock()
			now--
			mu.Unlock()
		})
	}
	wg.Wait()
	if most != 2 {
		t.Errorf("%d children at a time", most)
	}
}

type counting struct {
	r         io.Reader
	mu        *sync.Mutex
	now, most *int
	seen      bool
}

func (c *counting) Read(p []byte) (int, error) {
	c.mu.Lock()
	if !c.seen {
		c.seen = true
		*c.now++
		*c.most = max(*c.most, *c.now)
	}
	c.mu.Unlock()
	return c.r.Read(p)
}

func TestAnswersAreNotTrusted(t *testing.T) {
	photo := jpegOf(t, quarters(64, 48), 85)
	other := jpegOf(t, quarters(48, 64), 85)
	req := request{MaxPixels: 10_000, Sizes: []target{{LongEdge: 100, Quality: 85}}}
	good := answer{State: stateDone, Width: 64, Height: 48, Pictures: []drawn{{64, 48, int64(len(photo))}}, Quality: &media.Quality{Sharpness: 1}}
	if out, err := accept(req, good, photo); err != nil || len(out.Pictures) != 1 {
		t.Fatalf("a good answer: %v", err)
	}
	with := func(change func(*answer)) answer {
		a := good
		a.Pictures = []drawn{good.Pictures[0]}
		change(&a)
		return a
	}
	for name, c := range map[string]struct {
		a    answer
		rest []byte
	}{
		"bytes left over":     {good, append(bytes.Clone(photo), 0)},
		"bytes missing":       {good, photo[:len(photo)-1]},
		"another picture":     {good, other[:len(photo)]},
		"no end marker":       {good, append(bytes.Clone(photo[:len(photo)-1]), 0)},
		"HTML":                {good, bytes.Repeat([]byte("<b>"), len(photo))[:len(photo)]},
		"no picture":          {with(func(a *answer) { a.Pictures = nil }), nil},
		"two pictures":        {with(func(a *answer) { a.Pictures = append(a.Pictures, a.Pictures[0]) }), append(bytes.Clone(photo), photo...)},
		"negative length":     {with(func(a *answer) { a.Pictures[0].Bytes = -1 }), photo},
		"wrong size":          {with(func(a *answer) { a.Pictures[0].Width = 48; a.Pictures[0].Height = 64 }), other},
		"wrong original":      {with(func(a *answer) { a.Width = 640; a.Height = 480 }), photo},
		"original too large":  {with(func(a *answer) { a.Width = 1 << 40; a.Height = 1 << 40 }), photo},
		"original of nothing": {with(func(a *answer) { a.Width = 0; a.Height = 0 }), photo},
		"nothing measured":    {with(func(a *answer) { a.Quality = nil }), photo},
		"a measure too large": {with(func(a *answer) { a.Quality = &media.Quality{Shadows: 1.5} }), photo},
		"an unknown flag":     {with(func(a *answer) { a.Quality = &media.Quality{Flags: []media.Flag{"<b>"}} }), photo},
		"a flag twice":        {with(func(a *answer) { a.Quality = &media.Quality{Flags: []media.Flag{"dark", "dark"}} }), photo},
		"negative original":   {with(func(a *answer) { a.Width = -64; a.Height = -48 }), photo},
	} {
		if _, err := accept(req, c.a, c.rest); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, head := range map[string]string{
		"too long":      "\xff\xff\xff\xff{}",
		"cut off":       "\x00\x00\x00\x10{}",
		"not JSON":      "\x00\x00\x00\x02xx",
		"unknown words": "\x00\x00\x00\x0b{\"more\": 1}",
		"two values":    "\x00\x00\x00\x04{}{}",
		"empty":         "",
	} {
		var a answer
		if err := readHeader(bytes.NewReader([]byte(head)), &a); err == nil {
			t.Errorf("header %s: accepted", name)
		}
	}
}

// fake builds an ICC profile of n bytes with the given colour space.
func fake(space string, n int) []byte {
	p := bytes.Repeat([]byte("rendering tag "), n/14+1)[:n]
	binary.BigEndian.PutUint32(p, uint32(n))
	copy(p[16:], space)
	copy(p[36:], "acsp")
	return p
}

func TestProfiles(t *testing.T) {
	m := maker(t, "child", Config{})
	colour, gray := jpegOf(t, quarters(64, 48), 90), jpegOf(t, image.NewGray(image.Rect(0, 0, 64, 48)), 90)
	for _, c := range []struct {
		name    string
		data    []byte
		profile []byte
		carried bool
		gray    bool
	}{
		{"colour", colour, fake("RGB ", 500), true, false},
		{"colour, in three parts", colour, fake("RGB ", 140_000), true, false},
		{"colour with a grey profile", colour, fake("GRAY", 500), false, false},
		{"colour with a CMYK profile", colour, fake("CMYK", 500), false, false},
		{"grey", gray, fake("GRAY", 500), true, true},
		{"grey with a colour profile", gray, fake("RGB ", 500), false, true},
		{"a cut profile", colour, fake("RGB ", 500)[:499], false, false},
		{"no profile", colour, nil, false, false},
	} {
		out, err := derive(m, withProfile(c.data, c.profile), media.JPEG)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, p := range out.Pictures {
			want := c.profile
			if !c.carried {
				want = nil
			}
			if got := jpegFacts(p.Bytes).profile; !bytes.Equal(got, want) {
				t.Errorf("%s: %s has a profile of %d bytes instead of %d", c.name, p.Rendition, len(got), len(want))
			}
			if _, isGray := decoded(t, p).(*image.Gray); isGray != c.gray {
				t.Errorf("%s: grey is %t", c.name, isGray)
			}
		}
	}
	for _, space := range []string{"RGB ", "GRAY"} {
		var img image.Image = quarters(64, 48)
		if space == "GRAY" {
			img = image.NewGray16(image.Rect(0, 0, 64, 48))
		}
		profile := fake(space, 3000)
		b := chunk(pngOf(t, img), "iCCP", append([]byte("icc\x00\x00"), deflated(t, profile)...))
		out, err := derive(m, b, media.PNG)
		if err != nil {
			t.Fatal(err)
		}
		if got := jpegFacts(out.Pictures[0].Bytes).profile; !bytes.Equal(got, profile) {
			t.Errorf("PNG %s: a profile of %d bytes", space, len(got))
		}
	}
}

func TestFit(t *testing.T) {
	for w := 1; w < 400; w += 7 {
		for h := 1; h < 400; h += 11 {
			for _, edge := range []int{1, 2, 99, 320} {
				gw, gh := fit(w, h, edge)
				if gw < 1 || gh < 1 || gw > w || gh > h || max(gw, gh) != min(edge, max(w, h)) {
					t.Fatal(fmt.Sprint(w, h, edge, gw, gh))
				}
				if sw, sh := fit(h, w, edge); sw != gh || sh != gw {
					t.Fatal("turning changes the size")
				}
			}
		}
	}
}
