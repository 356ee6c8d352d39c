package sanitise_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// made runs a tool in dir, and reads the file that it made.
func made(t testing.TB, dir, file, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(servers.Binary(t, name), args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plasma puts a picture with an alpha plane into dir.
func plasma(t testing.TB, dir, name, size string) {
	t.Helper()
	made(t, dir, name, "convert", "-seed", "7", "-size", size, "-depth", "8", "plasma:red-blue", "-alpha", "set", "-channel", "A", "-evaluate", "set", "60%", name)
}

// traces writes what a phone writes into a picture.
func traces(t testing.TB, b []byte, ext string) []byte {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"+ext), b, 0o600); err != nil {
		t.Fatal(err)
	}
	return made(t, dir, "a"+ext, "exiftool", "-q", "-overwrite_original", "-Artist=MARKER-ARTIST", "-GPSLatitude=51.5", "-GPSLatitudeRef=N", "-SerialNumber=MARKER-SERIAL",
		"-DateTimeOriginal=2026:03:01 10:00:00", "-Orientation#=6", "-XMP-dc:Creator=MARKER-XMP", "a"+ext)
}

// shown gives a hash of the pixels that the reference decoder shows: of every
// picture, or of every frame.
func shown(t testing.TB, b []byte, frames int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for i := range frames {
		if bytes.Contains(b[:32], []byte("avi")) {
			made(t, dir, "out.png", "avifdec", "--jobs", "1", "--index", fmt.Sprint(i), "in", "out.png")
		} else {
			made(t, dir, "out.png", "heif-convert", "in", "out.png")
		}
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.png"))
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(sum, img.Bounds())
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				r, g, b, a := img.At(x, y).RGBA()
				binary.Write(sum, binary.BigEndian, []uint32{r, g, b, a})
			}
		}
	}
	return fmt.Sprintf("%d pictures, %x", len(names), sum.Sum(nil))
}

// heifMaker lays out a HEIF file of which every detail can be wrong.
type heifMaker struct {
	brands  string
	primary int
	items   []heifItem
	refs    []heifRef
	props   []string // boxes, counted from 1
	meta    []string // further boxes in the description
	tail    string
}

type heifItem struct {
	id     int
	typ    string
	data   string
	props  []int // negative when essential
	where  [][2]int
	method int
	flags  byte
}

type heifRef struct {
	typ  string
	from int
	to   []int
}

func u16(v ...int) string {
	var b []byte
	for _, n := range v {
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	}
	return string(b)
}

func words(v ...int) string {
	var b []byte
	for _, n := range v {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return string(b)
}

func atom(typ string, body ...string) string {
	s := strings.Join(body, "")
	return words(8+len(s)) + typ + s
}

func ispe(w, h int) string { return atom("ispe", words(0, w, h)) }

func (m heifMaker) bytes() []byte {
	layout := func(at int) (meta, data string) {
		var infos, places, assoc, refs, all []string
		for _, it := range m.items {
			infos = append(infos, atom("infe", "\x02\x00\x00", string(it.flags), u16(it.id, 0), it.typ, "MARKER-NAME\x00"))
			where := it.where
			if where == nil && it.data != "" {
				where = [][2]int{{at, len(it.data)}}
			}
			places = append(places, u16(it.id, it.method, 0, len(where)))
			for _, w := range where {
				places = append(places, words(w[0], w[1]))
			}
			all = append(all, it.data)
			at += len(it.data)
			assoc = append(assoc, u16(it.id)+string(byte(len(it.props))))
			for _, p := range it.props {
				if p < 0 {
					p = 0x80 - p
				}
				assoc = append(assoc, string([]byte{byte(p)}))
			}
		}
		for _, r := range m.refs {
			refs = append(refs, atom(r.typ, u16(r.from, len(r.to)), u16(r.to...)))
		}
		of := func(list []string) string { return strings.Join(list, "") }
		meta = atom("meta", words(0), atom("hdlr", words(0, 0), "pict", words(0, 0, 0), "MARKER-HANDLER\x00"), atom("pitm", words(0), u16(m.primary)),
			atom("iloc", "\x01\x00\x00\x00\x44\x00", u16(len(m.items)), of(places)), atom("iinf", words(0), u16(len(m.items)), of(infos)), atom("iref", words(0), of(refs)),
			atom("iprp", atom("ipco", m.props...), atom("ipma", words(0, len(m.items)), of(assoc))), of(m.meta))
		return meta, of(all)
	}
	head := atom("ftyp", m.brands[:4], words(0), m.brands)
	meta, data := layout(0)
	meta, _ = layout(len(head) + len(meta) + 8)
	return []byte(head + meta + atom("mdat", data) + m.tail)
}

// tile gives the configuration and the data of one coded picture.
func tile(t testing.TB, typ string) (config, data string) {
	t.Helper()
	dir := t.TempDir()
	made(t, dir, "a.png", "convert", "-seed", "9", "-size", "64x64", "-depth", "8", "plasma:", "a.png")
	var b []byte
	if typ == "av01" {
		b = made(t, dir, "a.avif", "avifenc", "-s", "10", "a.png", "a.avif")
	} else {
		b = made(t, dir, "a.heic", "heif-enc", "-q", "60", "a.png", "-o", "a.heic")
	}
	b, _ = must(t, b)
	name := map[string]string{"hvc1": "hvcC", "av01": "av1C"}[typ]
	at := bytes.Index(b, []byte(name)) - 4
	config = string(b[at:][:binary.BigEndian.Uint32(b[at:])])
	return config, string(b[bytes.Index(b, []byte("mdat"))+4:])
}

// plain is a file of one coded picture.
func plain(t testing.TB, typ string) heifMaker {
	config, data := tile(t, typ)
	brands := map[string]string{"hvc1": "heicmif1miaf", "av01": "avifmif1miaf"}[typ]
	pixi := atom("pixi", words(0), "\x03\x08\x08\x08")
	return heifMaker{brands: brands, primary: 1, props: []string{config, ispe(64, 64), pixi}, items: []heifItem{{id: 1, typ: typ, data: data, props: []int{-1, 2, 3}}}}
}

// composed is a file of a picture that is made of others.
func composed(m heifMaker, typ, recipe string, w, h int) heifMaker {
	m.items, m.props = slices.Clone(m.items), slices.Clone(m.props)
	m.primary = 9
	m.props = append(m.props, ispe(w, h), atom("irot", "\x01"))
	m.items[0].flags = 1
	again := m.items[0]
	again.id = 2
	m.items = append(m.items, again, heifItem{id: 9, typ: typ, data: recipe, props: []int{4, 3, -5}})
	m.refs = []heifRef{{"dimg", 9, []int{1, 2, 1, 2}}}
	if recipe == "" {
		m.refs[0].to = []int{2}
		m.items = m.items[1:]
	}
	return m
}

func TestHEIFTracesGo(t *testing.T) {
	dir := t.TempDir()
	plasma(t, dir, "a.png", "250x190")
	plasma(t, dir, "b.png", "256x256")
	for _, n := range []string{"1.png", "2.png", "3.png"} {
		made(t, dir, n, "convert", "-size", "64x64", "-depth", "8", "plasma:", "-alpha", "set", "-channel", "A", "-evaluate", "set", "60%", n)
	}
	sei := words(30) + "\x4e\x01\x05\x19" + strings.Repeat("u", 16) + "MARKER-SEI"
	hevc := plain(t, "hvc1")
	inHEVC := plain(t, "hvc1")
	inHEVC.items[0].data = sei + inHEVC.items[0].data + sei
	inHEVC.props[0] = withArray(inHEVC.props[0], 39, sei[4:])
	inAV1 := plain(t, "av01")
	inAV1.items[0].data = "\x2a\x0f\x04\xb5MARKER-OBU-T35"[:17] + inAV1.items[0].data
	inAV1.props[0] = atom("av1C", inAV1.props[0][8:12], "\x2a\x0e\x04\xb5MARKER-OBU-T")
	aux := plain(t, "hvc1")
	for i, name := range []string{"urn:com:apple:photo:2020:aux:hdrgainmap", "urn:mpeg:hevc:2015:auxid:2", "urn:com:apple:photo:2018:aux:portraiteffectsmatte", "urn:MARKER:other"} {
		aux.props = append(aux.props, atom("auxC", words(0), name, "\x00"))
		aux.items = append(aux.items, heifItem{id: 10 + i, typ: "hvc1", data: aux.items[0].data + words(9) + "\x02MARKERAU"[:9], props: []int{-1, 2, 4 + i}})
		aux.refs = append(aux.refs, heifRef{"auxl", 10 + i, []int{1}})
	}
	aux.items = append(aux.items, heifItem{id: 20, typ: "hvc1", data: aux.items[0].data + "\x00\x00\x00\x08\x02MARKER2"[:12], props: []int{-1, 2}, flags: 1},
		heifItem{id: 21, typ: "uri ", data: "MARKER-URI"}, heifItem{id: 22, typ: "tmap", data: "MARKER-TMAP"}, heifItem{id: 23, typ: "mime", data: "MARKER-MIME"})
	aux.refs = append(aux.refs, heifRef{"dimg", 22, []int{1, 20}}, heifRef{"cdsc", 23, []int{1}})
	aux.meta = []string{atom("grpl", atom("altr", words(0, 7, 2, 1, 22))), atom("free", "MARKER-FREE")}
	aux.tail = atom("uuid", strings.Repeat("i", 16), "MARKER-UUID") + atom("mpvd", "MARKER-MOTION") + atom("sefd", "MARKER-SEFD") + "MARKER-TAIL"
	told := plain(t, "av01")
	told.props = append(told.props, atom("udes", words(0), "en\x00MARKER-DESCRIPTION\x00\x00\x00"), atom("crtt", words(0), "MARKERTI"), atom("altt", words(0), "MARKER-ALT\x00en\x00"), atom("mkrP", "MARKER-PROPERTY"))
	told.items[0].props = append(told.items[0].props, 4, 5, 6, 7)
	quad := "\x00\x00\x01\x01" + u16(120, 110)
	over := "\x00\x00" + u16(9, 9, 9, 65535, 100, 100, 65530, 0, 50, 0, 0, 50, 50, 50)

	for name, c := range map[string]struct {
		file   []byte
		kinds  string
		frames int
		w, h   int
	}{
		"HEIC":          {traces(t, made(t, dir, "a.heic", "heif-enc", "-t", "64", "a.png", "-o", "a.heic"), ".heic"), "EXIF GPS position, EXIF serial, XMP, embedded thumbnail", 1, 250, 190},
		"HEIC ten bits": {traces(t, made(t, dir, "t.heic", "heif-enc", "-b", "10", "a.png", "-o", "t.heic"), ".heic"), "EXIF GPS position, XMP", 1, 250, 190},
		"AVIF turned":   {traces(t, made(t, dir, "a.avif", "avifenc", "-s", "10", "--irot", "1", "--imir", "0", "a.png", "a.avif"), ".avif"), "EXIF GPS position, XMP", 1, 250, 190},
		"AVIF grid":     {traces(t, made(t, dir, "b.avif", "avifenc", "-s", "10", "--grid", "2x2", "b.png", "b.avif"), ".avif"), "EXIF GPS position, XMP", 1, 256, 256},
		"animated":      {append(made(t, dir, "m.avif", "avifenc", "-s", "10", "1.png", "2.png", "3.png", "m.avif"), "MARKER-TAIL"...), "handler names, data after", 3, 64, 64},
		"HEIC grid":     {composed(hevc, "grid", quad, 120, 110).bytes(), "item names", 1, 120, 110},
		"overlay":       {composed(hevc, "iovl", over, 100, 100).bytes(), "item names", 1, 100, 100},
		"identity":      {composed(hevc, "iden", "", 64, 64).bytes(), "item names", 1, 64, 64},
		"SEI":           {inHEVC.bytes(), "messages inside", 1, 64, 64},
		"AV1 metadata":  {inAV1.bytes(), "messages inside", 1, 64, 64},
		"auxiliary":     {aux.bytes(), "gain map, depth map, portrait, auxiliary picture, embedded document, groups, motion video, Samsung, XMP or private, unused space, data after", 1, 64, 64},
		"properties":    {told.bytes(), "descriptions and dates, unneeded property", 1, 64, 64},
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, c.file)
			if i := bytes.Index(out, []byte("MARKER")); i >= 0 {
				t.Errorf("a trace is left: %q", out[i:][:16])
			}
			for k := range strings.SplitSeq(c.kinds, ", ") {
				if !strings.Contains(kinds(r.Receipt), k) {
					t.Errorf("the receipt does not list %s: %s", k, kinds(r.Receipt))
				}
			}
			if a, b := shown(t, c.file, c.frames), shown(t, out, c.frames); a != b {
				t.Errorf("it looks different: %s, %s", a, b)
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if r.Width != c.w || r.Height != c.h {
				t.Errorf("%d × %d pixels", r.Width, r.Height)
			}
			if strings.Contains(c.kinds, "EXIF") && (r.Receipt.CapturedAt == nil || r.Receipt.CapturedAt.Year() != 2026) {
				t.Errorf("captured at %v", r.Receipt.CapturedAt)
			}
		})
	}
}

// withArray adds an array of one unit to an hvcC box.
func withArray(box string, typ byte, unit string) string {
	b := []byte(box[8:])
	b[22]++
	return atom("hvcC", string(b), string([]byte{typ}), u16(1, len(unit)), unit)
}

// exiftool must find nothing in a cleaned picture but its structure.
func TestHEIFHasNothingToSay(t *testing.T) {
	dir := t.TempDir()
	plasma(t, dir, "a.png", "128x96")
	for _, ext := range []string{".heic", ".avif"} {
		tool := map[string][]string{".heic": {"heif-enc", "a.png", "-o", "a.heic"}, ".avif": {"avifenc", "-s", "10", "a.png", "a.avif"}}[ext]
		out, _ := must(t, traces(t, made(t, dir, "a"+ext, tool[0], tool[1:]...), ext))
		if err := os.WriteFile(filepath.Join(dir, "clean"+ext), out, 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command(servers.Binary(t, "exiftool"), "-a", "-G1", "-s", filepath.Join(dir, "clean"+ext)).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(said)) {
			if group, _, _ := strings.Cut(line, "]"); !slices.Contains([]string{"[ExifTool", "[System", "[File", "[Composite", "[QuickTime", "[Meta"}, group) {
				t.Errorf("exiftool still finds %s", strings.TrimSpace(line))
			}
		}
	}
}

func TestHEIFCutShort(t *testing.T) {
	dir := t.TempDir()
	plasma(t, dir, "a.png", "100x80")
	heic := traces(t, made(t, dir, "a.heic", "heif-enc", "-q", "30", "a.png", "-o", "a.heic"), ".heic")
	avif := made(t, dir, "b.avif", "avifenc", "-s", "10", "--min", "50", "--max", "60", "a.png", "a.png", "b.avif")
	for name, b := range map[string][]byte{"HEIC": heic, "AVIF": avif} {
		whole, _ := must(t, b)
		refused := 0
		for n := 40; n < len(b); n += 97 {
			out, _, err := clean(t, b[:n])
			if err == nil && !bytes.Equal(out, whole) {
				t.Errorf("%s of %d of %d bytes is accepted", name, n, len(b))
			}
			if err != nil && fault.From(err).Kind == fault.Internal {
				t.Errorf("%s of %d bytes: %v", name, n, err)
			}
			if err != nil {
				refused++
			}
		}
		if refused < 5 {
			t.Errorf("%s: %d refused", name, refused)
		}
	}
}

func TestHEIFRefusals(t *testing.T) {
	hevc := plain(t, "hvc1")
	data := hevc.items[0].data
	change := func(how func(*heifMaker)) []byte {
		m := hevc
		m.items, m.props, m.refs, m.meta = slices.Clone(m.items), slices.Clone(m.props), slices.Clone(m.refs), slices.Clone(m.meta)
		how(&m)
		return m.bytes()
	}
	grid := func(how func(*heifMaker)) []byte {
		m := composed(hevc, "grid", "\x00\x00\x01\x01"+u16(128, 128), 128, 128)
		how(&m)
		return m.bytes()
	}
	patched := func(old, new string) []byte {
		b := hevc.bytes()
		if !bytes.Contains(b, []byte(old)) {
			t.Fatalf("there is no %q", old)
		}
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	}
	overlapping := grid(func(m *heifMaker) {
		m.items[0].data += data
		m.items[1].data, m.items[1].where = "", [][2]int{{1 << 20, len(data)}}
	})
	at := bytes.Index(overlapping, []byte(data)) + len(data)
	overlapping = bytes.Replace(overlapping, []byte(words(1<<20, len(data))), []byte(words(at, len(data))), 1)
	many := func(n int, s string) string { return strings.Repeat(s, n) }
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"no primary":        {change(func(m *heifMaker) { m.primary = 3 }), "damaged"},
		"two of one number": {change(func(m *heifMaker) { m.items = append(m.items, m.items[0]) }), "damaged"},
		"unknown coding":    {change(func(m *heifMaker) { m.items[0].typ = "vvc1" }), "coding"},
		"JPEG inside":       {change(func(m *heifMaker) { m.items[0].typ = "jpeg" }), "coding"},
		"no size":           {change(func(m *heifMaker) { m.items[0].props = []int{-1} }), "damaged"},
		"no configuration":  {change(func(m *heifMaker) { m.items[0].props = []int{2} }), "damaged"},
		"needed property": {change(func(m *heifMaker) {
			m.props = append(m.props, atom("iscl", words(1)))
			m.items[0].props = []int{-1, 2, -4}
		}), "structure"},
		"no such property": {change(func(m *heifMaker) { m.items[0].props = []int{-1, 2, 77} }), "damaged"},
		"too many pixels":  {change(func(m *heifMaker) { m.props[1] = ispe(1<<30, 1<<30) }), "too-many-pixels"},
		"data in an item":  {change(func(m *heifMaker) { m.items[0].method = 2 }), "structure"},
		"data nowhere":     {change(func(m *heifMaker) { m.items[0].where = [][2]int{{1 << 30, 9}} }), "truncated"},
		"data of length 0": {change(func(m *heifMaker) { m.items[0].where = [][2]int{{400, 0}} }), "truncated"},
		"no data":          {change(func(m *heifMaker) { m.items[0].where = [][2]int{} }), "truncated"},
		"unit too long":    {change(func(m *heifMaker) { m.items[0].data = "\xff" + data[1:] }), "truncated"},
		"no slices":        {change(func(m *heifMaker) { m.items[0].data = words(4) + "\x4e\x01\x05\x00" }), "damaged"},
		"overlap":          {overlapping, "structure"},
		"made of itself":   {grid(func(m *heifMaker) { m.refs[0].to = []int{9, 1, 2, 9} }), "structure"},
		"made of each other": {grid(func(m *heifMaker) {
			m.items[1].typ, m.items[1].data = "grid", m.items[2].data
			m.refs = append(m.refs, heifRef{"dimg", 2, []int{9, 9, 9, 9}})
		}), "structure"},
		"alpha of itself": {change(func(m *heifMaker) {
			m.props = append(m.props, atom("auxC", words(0), "urn:mpeg:hevc:2015:auxid:1\x00"))
			m.items[0].props = append(m.items[0].props, 4)
			m.refs = []heifRef{{"auxl", 1, []int{1}}}
		}), "structure"},
		"tile missing":      {grid(func(m *heifMaker) { m.refs[0].to = []int{1, 2, 1} }), "damaged"},
		"tile unknown":      {grid(func(m *heifMaker) { m.refs[0].to = []int{1, 2, 1, 40} }), "damaged"},
		"grid cut short":    {grid(func(m *heifMaker) { m.items[2].data = "\x00\x00\x01\x01\x00" }), "damaged"},
		"references cut":    {patched("iref", "iref"+words(0, 99)[4:]), "damaged"},
		"many in a list":    {patched("iinf\x00\x00\x00\x00", "iinf\x01\x00\xff\xff"), "structure"},
		"many in places":    {patched("iloc\x01\x00\x00\x00\x44\x00\x00\x01", "iloc\x02\x00\x00\x00\x44\x00\xff\xff"), "structure"},
		"many associations": {patched("ipma\x00\x00\x00\x00\x00\x00", "ipma\x00\x00\x00\x00\xff\xff"), "damaged"},
		"protected":         {change(func(m *heifMaker) { m.meta = []string{atom("ipro", words(0))} }), "protected"},
		"small form":        {[]byte(atom("ftyp", "mif3", words(0), "heic") + atom("mini", "x")), "structure"},
		"two descriptions":  {change(func(m *heifMaker) { m.tail = atom("meta", words(0)) }), "structure"},
		"boxes in meta":     {change(func(m *heifMaker) { m.meta = []string{many(1_000_000, atom("free"))} }), "structure"},
		"boxes in file":     {change(func(m *heifMaker) { m.tail = many(1_000_000, atom("free")) }), "structure"},
		"properties":        {change(func(m *heifMaker) { m.props = append(m.props, many(1_000_000, atom("irot", "\x00"))) }), "damaged"},
		"references":        {change(func(m *heifMaker) { m.meta = nil; m.refs = slices.Repeat([]heifRef{{"dimg", 8, []int{1}}}, 100_000) }), "damaged"},
		"units":             {change(func(m *heifMaker) { m.items[0].data += many(1_000_000, words(2)+"\x4e\x01") }), "structure"},
		"items":             {change(func(m *heifMaker) { m.items = slices.Repeat([]heifItem{{id: 3, typ: "Exif"}}, 60_000) }), "structure"},
		"movie of nothing":  {[]byte(atom("ftyp", "avis", words(0), "avismsf1") + atom("moov", "x")), "damaged"},
		"huge box":          {append(hevc.bytes()[:24], "\x00\x00\x00\x01meta\x7f\xff\xff\xff\xff\xff\xff\xff"...), "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if n := allocated(func() { _, _, err = clean(t, c.file) }); n > mostAllocated {
				t.Errorf("%d MB allocated", n>>20)
			}
			if e := fault.From(err); e == nil || e.Code != "media-"+c.code || e.Message == "" {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}

// An item that is there in full but twice is one.
func TestHEIFSharesEqualTiles(t *testing.T) {
	m := composed(plain(t, "hvc1"), "grid", "\x00\x00\x01\x01"+u16(128, 128), 128, 128)
	apart, _ := must(t, m.bytes())
	head := len(m.bytes()) - len(m.items[0].data)*2 - len(m.items[2].data)
	m.items[1].where = [][2]int{{head, len(m.items[0].data)}}
	m.items[1].data = ""
	file := m.bytes()
	at := bytes.Index(file, []byte(m.items[0].data))
	file = bytes.Replace(file, []byte(words(head, len(m.items[0].data))), []byte(words(at, len(m.items[0].data))), 1)
	out, _ := must(t, file)
	if want := len(apart) - len(m.items[0].data); len(out) != want {
		t.Errorf("%d bytes, want %d", len(out), want)
	}
	if shown(t, out, 1) != shown(t, apart, 1) {
		t.Error("it looks different")
	}
}

// The format is that of the content, whatever the brands say.
func TestHEIFContentDecides(t *testing.T) {
	m := plain(t, "av01")
	m.brands = "heicmif1avif"
	out, r := must(t, m.bytes())
	if r.Clean.Format() != media.AVIF || string(out[8:12]) != "avif" {
		t.Errorf("%s, brand %s", r.Clean.Format(), out[8:12])
	}
}

// Every file of the shared corpus, where there is one: refused, or clean and
// steady.
func TestHEIFCorpus(t *testing.T) {
	for _, dir := range []string{"heic", "heif", "avif"} {
		files, _ := filepath.Glob(filepath.Join("../../../shared/corpus", dir, "*"))
		accepted := 0
		for _, path := range files {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := clean(t, b); err == nil {
				accepted++
			}
			judged(t, filepath.Base(path), b)
		}
		t.Logf("%s: %d of %d accepted", dir, accepted, len(files))
	}
}

func FuzzHEIF(f *testing.F) {
	fuzz(f, func() [][]byte {
		dir, hevc := f.TempDir(), plain(f, "hvc1")
		made(f, dir, "a.png", "convert", "-size", "32x32", "-depth", "8", "plasma:", "-alpha", "set", "-channel", "A", "-evaluate", "set", "60%", "a.png")
		return [][]byte{made(f, dir, "a.heic", "heif-enc", "-q", "10", "-t", "16", "a.png", "-o", "a.heic"), made(f, dir, "a.avif", "avifenc", "-s", "10", "--min", "60", "--max", "63", "a.png", "a.avif"),
			made(f, dir, "b.avif", "avifenc", "-s", "10", "--min", "60", "--max", "63", "a.png", "a.png", "b.avif"), composed(hevc, "grid", "\x00\x00\x01\x01"+u16(128, 128), 128, 128).bytes(),
			composed(hevc, "iovl", "\x00\x00"+u16(9, 9, 9, 9, 150, 150, 0, 0, 70, 0, 10, 80, 65530, 75), 150, 150).bytes(), composed(hevc, "iden", "", 64, 64).bytes()}
	})
}
