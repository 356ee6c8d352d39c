package verify_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/imaging/verify"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// pictures makes clean HEIC and AVIF files with the real tools, and the raw
// files that they came from.
func pictures(t testing.TB) (clean, raw map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	tool := func(name string, args ...string) {
		cmd := exec.Command(servers.Binary(t, name), args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	tool("convert", "-size", "128x128", "-depth", "8", "plasma:", "-alpha", "set", "-channel", "A", "-evaluate", "set", "60%", "a.png")
	tool("heif-enc", "-q", "20", "-t", "32", "a.png", "-o", "a.heic")
	tool("avifenc", "-s", "10", "--irot", "1", "a.png", "a.avif")
	tool("avifenc", "-s", "10", "--grid", "2x2", "a.png", "grid.avif")
	tool("avifenc", "-s", "10", "a.png", "a.png", "moving.avif")
	clean, raw = map[string][]byte{}, map[string][]byte{}
	for _, name := range []string{"a.heic", "a.avif", "grid.avif", "moving.avif"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		f, err := sniff.Format(b[:min(len(b), 4096)])
		if err != nil {
			t.Fatal(err)
		}
		r, err := sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), f, sanitise.Options{})
		if err != nil {
			t.Fatal(err)
		}
		raw[name] = b
		if clean[name], err = io.ReadAll(r.Clean.Reader()); err != nil {
			t.Fatal(err)
		}
	}
	return clean, raw
}

func certified(t testing.TB, b []byte) error {
	t.Helper()
	return verify.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.HEIC)
}

// edit changes the body of the box at a path, and the lengths and places that
// depend on it.
func edit(t testing.TB, b []byte, path string, change func(body []byte) []byte) []byte {
	t.Helper()
	was := len(b)
	var walk func(b []byte, path []string) []byte
	walk = func(b []byte, path []string) []byte {
		if len(path) == 0 {
			return change(bytes.Clone(b))
		}
		var out []byte
		done := false
		for len(b) > 0 {
			n := int(binary.BigEndian.Uint32(b))
			typ, body := string(b[4:8]), b[8:n]
			if typ == path[0] && !done {
				done = true
				head := 0
				if typ == "meta" && len(path) > 1 {
					head = 4
				}
				body = append(bytes.Clone(body[:head]), walk(body[head:], path[1:])...)
			}
			out = binary.BigEndian.AppendUint32(out, uint32(8+len(body)))
			out = append(append(out, typ...), body...)
			b = b[n:]
		}
		if !done {
			t.Fatalf("there is no %s", path[0])
		}
		return out
	}
	out := walk(b, strings.Split(path, "/"))
	if strings.HasPrefix(path, "mdat") {
		return out
	}
	at := bytes.Index(out, []byte("iloc"))
	if at < 0 || strings.HasSuffix(path, "iloc") {
		return out
	}
	places := out[at+4:]
	version, count := places[0], int(binary.BigEndian.Uint16(places[6:]))
	places = places[8:]
	for range count {
		head, method := 4, uint16(0)
		if version == 1 {
			head, method = 6, binary.BigEndian.Uint16(places[2:])
		}
		n := int(binary.BigEndian.Uint16(places[head:]))
		places = places[head+2:]
		if n == 1 {
			if method == 0 {
				binary.BigEndian.PutUint32(places, uint32(int(binary.BigEndian.Uint32(places))+len(out)-was))
			}
			places = places[8:]
		}
	}
	return out
}

func atom(typ, body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))) + typ + body
}

func TestHEIFLeftovers(t *testing.T) {
	clean, raw := pictures(t)
	for name, b := range clean {
		if err := certified(t, b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if same := edit(t, b, "ftyp", func(b []byte) []byte { return b }); !bytes.Equal(same, b) {
			t.Fatalf("%s: editing nothing changes it", name)
		}
		if certified(t, append(bytes.Clone(b), 0)) == nil {
			t.Errorf("%s: a byte at the end is not found", name)
		}
		if certified(t, append(bytes.Clone(b), atom("free", "")...)) == nil {
			t.Errorf("%s: a box at the end is not found", name)
		}
		if certified(t, b[:len(b)-1]) == nil {
			t.Errorf("%s: a missing byte is not found", name)
		}
		if certified(t, raw[name]) == nil {
			t.Errorf("%s as it was made is not found", name)
		}
	}
	add := func(s string) func([]byte) []byte {
		return func(b []byte) []byte { return append(b, s...) }
	}
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("there is no %q", old)
			}
			return bytes.Replace(b, []byte(old), []byte(new), 1)
		}
	}
	set := func(at int, to byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = to; return b }
	}
	const zeros = "\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		file, path string
		change     func([]byte) []byte
	}{
		"unknown brand":     {"a.heic", "ftyp", replace("mif1", "abcd")},
		"further brand":     {"a.heic", "ftyp", add("abcd")},
		"brand twice":       {"a.heic", "ftyp", add("mif1")},
		"minor version":     {"a.heic", "ftyp", set(7, 1)},
		"brand of a movie":  {"a.avif", "ftyp", add("avis")},
		"handler name":      {"a.heic", "meta/hdlr", replace("pict"+strings.Repeat("\x00", 13), "pict"+strings.Repeat("\x00", 12)+"name\x00")},
		"handler vendor":    {"a.heic", "meta/hdlr", set(13, 'x')},
		"other primary":     {"a.heic", "meta/pitm", set(5, 2)},
		"primary not there": {"a.heic", "meta/pitm", set(5, 99)},
		"free in meta":      {"a.heic", "meta", add(atom("free", "secret"))},
		"groups":            {"a.heic", "meta", add(atom("grpl", zeros))},
		"uuid in meta":      {"a.heic", "meta", add(atom("uuid", "secret"))},
		"version of meta":   {"a.heic", "meta", set(0, 1)},
		"EXIF item": {"a.heic", "meta/iinf", func(b []byte) []byte {
			b[5]++
			return append(b, atom("infe", "\x02\x00\x00\x00\x00\x03\x00\x00Exif\x00")...)
		}},
		"item name":           {"a.heic", "meta/iinf", replace("hvc1\x00", "hvc1x\x00")},
		"item type":           {"a.heic", "meta/iinf", replace("hvc1", "mime")},
		"protected":           {"a.heic", "meta/iinf", set(6+15, 1)},
		"reference":           {"a.heic", "meta/iref", add(atom("cdsc", "\x00\x01\x00\x01\x00\x02"))},
		"reference to itself": {"a.heic", "meta/iref", add(atom("prem", "\x00\x01\x00\x01\x00\x01"))},
		"unneeded item":       {"a.heic", "meta/iref", func(b []byte) []byte { return b[:4] }},
		"bytes in references": {"a.heic", "meta/iref", add("secret")},
		"unused property":     {"a.heic", "meta/iprp/ipco", add(atom("irot", "\x01"))},
		"description":         {"a.heic", "meta/iprp/ipco", replace("pixi", "udes")},
		"time":                {"a.heic", "meta/iprp/ipco", replace("pixi", "crtt")},
		"depth map":           {"a.heic", "meta/iprp/ipco", replace("auxid:1", "auxid:2")},
		"after the name":      {"a.heic", "meta/iprp/ipco/auxC", add("secret")},
		"after the settings":  {"a.heic", "meta/iprp/ipco/hvcC", add("secret")},
		"SEI in settings":     {"a.heic", "meta/iprp/ipco/hvcC", func(b []byte) []byte { b[22]++; return append(b, "\x27\x00\x01\x00\x05\x4e\x01\x05\x01x"...) }},
		"wrong set":           {"a.heic", "meta/iprp/ipco/hvcC", replace("\x20\x00\x01\x00", "\x21\x00\x01\x00")},
		"rotation":            {"a.avif", "meta/iprp/ipco/irot", set(0, 5)},
		"colour":              {"a.avif", "meta/iprp/ipco/colr", add("x")},
		"whole profile":       {"a.avif", "meta/iprp/ipco/colr", func([]byte) []byte { return []byte("prof" + strings.Repeat("secret", 40)) }},
		"OBU in settings":     {"a.avif", "meta/iprp/ipco/av1C", add("\x2a\x06secret")},
		"bytes in properties": {"a.avif", "meta/iprp", add("secret")},
		"version of places":   {"a.avif", "meta/iloc", set(0, 2)},
		"another file":        {"a.avif", "meta/iloc", set(11, 1)},
		"data out of place":   {"a.avif", "meta/iloc", set(17, 9)},
		"bytes after places":  {"a.avif", "meta/iloc", add("secret")},
		"unused data inside":  {"grid.avif", "meta/idat", add("secret")},
		"recipe":              {"grid.avif", "meta/idat", set(2, 7)},
		"tile missing":        {"grid.avif", "meta/iref", replace("\x00\x01\x00\x04\x00\x02", "\x00\x01\x00\x03\x00\x02")},
		"made of itself":      {"grid.avif", "meta/iref", replace("\x00\x01\x00\x04\x00\x02", "\x00\x01\x00\x04\x00\x01")},
		"SEI":                 {"a.heic", "mdat", set(4, 39<<1)},
		"bytes in the data":   {"a.heic", "mdat", add("secret")},
		"metadata OBU":        {"a.avif", "mdat", set(0, 0x2a)},
		"padding OBU":         {"a.avif", "mdat", set(0, 0x7a)},
		"time of the movie":   {"moving.avif", "moov/mvhd", set(7, 1)},
		"user data":           {"moving.avif", "moov", func(b []byte) []byte { return append([]byte(atom("udta", "secret")), b...) }},
		"track's description": {"moving.avif", "moov/trak", add(atom("meta", zeros))},
		"kind of track":       {"moving.avif", "moov/trak/mdia/hdlr", replace("pict", "soun")},
		"encoder":             {"moving.avif", "moov/trak/mdia/minf/stbl/stsd", set(8+8+43, 'x')},
		"movie's colour":      {"moving.avif", "moov/trak/mdia/minf/stbl/stsd", replace("ccst", "ccsx")},
	} {
		b := edit(t, clean[c.file], c.path, c.change)
		var found *verify.Finding
		if err := certified(t, b); !errors.As(err, &found) {
			t.Errorf("%s is not found: %v", name, err)
		}
	}
}

func FuzzVerifyHEIF(f *testing.F) {
	servers.Seed(f, func() (all [][]byte) {
		clean, raw := pictures(f)
		for name := range clean {
			all = append(all, clean[name], raw[name])
		}
		return all
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		if certified(t, b) != nil {
			return
		}
		for _, trace := range []string{"Exif\x00\x00", "<x:xmpmeta", "http://ns.adobe.com/xap/1.0/"} {
			if i := bytes.Index(b, []byte(trace)); i >= 0 && i < bytes.Index(b, []byte("mdat")) {
				t.Errorf("certified with %q in its description", trace)
			}
		}
		r, err := sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.HEIC, sanitise.Options{})
		if err != nil {
			return // a verifier need not know what decoders cannot show
		}
		if out, err := io.ReadAll(r.Clean.Reader()); err != nil || len(out) > len(b) {
			t.Errorf("a certified file grows from %d to %d bytes: %v", len(b), len(out), err)
		}
	})
}
