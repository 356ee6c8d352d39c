package sanitise_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// A PNG in its parts: the signature with IHDR, the picture data, the end.
func pngParts(b []byte) (head, data, end []byte) { return b[:33], b[33 : len(b)-12], b[len(b)-12:] }

func pngOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func acTL(frames uint32) []byte {
	return chunk("acTL", string(binary.BigEndian.AppendUint32(nil, frames))+"\x00\x00\x00\x00")
}

func fcTL(seq, w, h, x, y uint32) []byte {
	var b []byte
	for _, v := range []uint32{seq, w, h, x, y} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return chunk("fcTL", string(b)+"\x00\x01\x00\x0a\x01\x00")
}

func fdAT(seq uint32, data string) []byte {
	return chunk("fdAT", string(binary.BigEndian.AppendUint32(nil, seq))+data)
}

// deflated is picture data of w × h opaque black pixels.
func deflated(w, h int) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	for range h {
		_, _ = z.Write(append([]byte{0}, bytes.Repeat([]byte{0, 0, 0, 255}, w)...))
	}
	_ = z.Close()
	return b.String()
}

// movingPNG has the still picture and two more frames.
func movingPNG(t testing.TB) []byte {
	t.Helper()
	head, data, end := pngParts(encoded(t, media.PNG)) // 90 × 70
	return pngOf(head, acTL(3), fcTL(0, 90, 70, 0, 0), data,
		fcTL(1, 10, 10, 80, 60), fdAT(2, deflated(10, 10)[:5]), fdAT(3, deflated(10, 10)[5:]), fcTL(4, 90, 70, 0, 0), fdAT(5, deflated(90, 70)), end)
}

// apngFrames is what ffmpeg shows of a moving PNG.
func apngFrames(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moving.png")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(servers.Binary(t, "ffmpeg"), "-v", "error", "-f", "apng", "-i", path, "-f", "framemd5", "-").Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	_, shown, _ := strings.Cut(string(out), "#stream#") // behind what tells of the file
	return shown
}

func TestAPNG(t *testing.T) {
	moving := movingPNG(t)
	still := encoded(t, media.PNG)
	head, data, end := pngParts(still)
	if out, r := must(t, moving); !bytes.Equal(out, moving) || len(r.Receipt.Removed) != 0 {
		t.Errorf("without traces, and changes: %s", kinds(r.Receipt))
	}
	if strings.Count(apngFrames(t, moving), "\n0,") != 3 {
		t.Fatalf("ffmpeg shows\n%s", apngFrames(t, moving))
	}
	first, second, big := fcTL(0, 90, 70, 0, 0), fcTL(1, 90, 70, 0, 0), deflated(90, 70)
	text := chunk("tEXt", "Author\x00"+traceMark)
	for name, c := range map[string]struct{ file, want []byte }{
		"text between frames": {pngOf(head, text, acTL(2), first, data, second, fdAT(2, big), text, end), pngOf(head, acTL(2), first, data, second, fdAT(2, big), end)},
		"text in a frame":     {pngOf(head, acTL(2), first, text, data, text, second, text, fdAT(2, big), end), pngOf(head, acTL(2), first, data, second, fdAT(2, big), end)},
		"picture not a frame": {pngOf(head, acTL(1), data, first, fdAT(1, big), text, end), pngOf(head, acTL(1), data, first, fdAT(1, big), end)},
		"control before acTL": {pngOf(head, first, acTL(1), text, data, end), pngOf(head, first, acTL(1), data, end)},
		"empty data":          {pngOf(head, acTL(1), data, first, fdAT(1, ""), text, fdAT(2, big), end), pngOf(head, acTL(1), data, first, fdAT(1, ""), fdAT(2, big), end)},
	} {
		out, _ := must(t, c.file)
		if !bytes.Equal(out, c.want) {
			t.Errorf("%s: it is not as it was", name)
		}
		if again, _ := must(t, out); !bytes.Equal(again, out) {
			t.Errorf("%s: cleaning it again changes it", name)
		}
		if name == "text between frames" && apngFrames(t, out) != apngFrames(t, c.file) {
			t.Errorf("%s: the frames differ", name)
		}
	}
	// Where the animation is malformed, the still picture stays (PNG third edition, 11.3.6).
	for name, b := range map[string][]byte{
		"no frames announced": pngOf(head, acTL(0), data, end),
		"too many announced":  pngOf(head, acTL(3), first, data, second, fdAT(2, big), end),
		"too few announced":   pngOf(head, acTL(1), first, data, second, fdAT(2, big), end),
		"absurd number":       pngOf(head, acTL(1<<31), first, data, end),
		"not announced":       pngOf(head, data, first, fdAT(1, big), end),
		"announced twice":     pngOf(head, acTL(1), acTL(1), first, data, end),
		"announced late":      pngOf(head, data, acTL(1), first, fdAT(1, big), end),
		"sequence":            pngOf(head, acTL(2), first, data, fcTL(2, 90, 70, 0, 0), fdAT(1, big), end),
		"no data":             pngOf(head, acTL(2), first, data, second, end),
		"no data between":     pngOf(head, acTL(2), data, first, second, fdAT(2, big), end),
		"data without frame":  pngOf(head, acTL(1), data, fdAT(0, big), end),
		"data of the picture": pngOf(head, acTL(1), first, data, fdAT(1, big), end),
		"outside":             pngOf(head, acTL(2), first, data, fcTL(1, 90, 70, 1, 0), fdAT(2, big), end),
		"overflow":            pngOf(head, acTL(2), first, data, fcTL(1, 90, 70, 0xffffffff, 0), fdAT(2, big), end),
		"no pixels":           pngOf(head, acTL(2), first, data, fcTL(1, 0, 70, 0, 0), fdAT(2, big), end),
		"first not whole":     pngOf(head, acTL(1), fcTL(0, 9, 7, 0, 0), data, end),
		"two first":           pngOf(head, acTL(2), first, second, data, end),
		"short control":       pngOf(head, acTL(1), chunk("fcTL", "\x00\x00\x00\x00"+traceMark[:9]), data, end),
		"short data":          pngOf(head, acTL(1), data, first, chunk("fdAT", traceMark[:3]), end),
		"disposal":            pngOf(head, acTL(1), chunk("fcTL", string(first[8:32])+"\x03\x00"), data, end),
	} {
		out, r := must(t, b)
		if !bytes.Equal(out, still) {
			t.Errorf("%s: not only the still picture is left", name)
		}
		if !strings.Contains(kinds(r.Receipt), "animation that is malformed") {
			t.Errorf("%s: the receipt says %s", name, kinds(r.Receipt))
		}
	}
}

func TestAPNGRefusals(t *testing.T) {
	moving := movingPNG(t)
	head, data, end := pngParts(encoded(t, media.PNG))
	for n := 8; n < len(moving); n++ {
		if _, _, err := clean(t, moving[:n]); fault.From(err) == nil || fault.From(err).Code != "media-truncated" {
			t.Fatalf("%d of %d bytes: %v", n, len(moving), err)
		}
	}
	var many, big [][]byte
	for i := range uint32(10_001) {
		many = append(many, fcTL(2*i, 1, 1, 0, 0), fdAT(2*i+1, "x"))
	}
	huge := bytes.Clone(head)
	binary.BigEndian.PutUint32(huge[16:], 7000)
	binary.BigEndian.PutUint32(huge[20:], 7000)
	huge = append(huge[:8:8], chunk("IHDR", string(huge[16:29]))...)
	for i := range uint32(103) {
		big = append(big, fcTL(2*i, 7000, 7000, 0, 0), fdAT(2*i+1, "x"))
	}
	damaged := bytes.Clone(moving)
	damaged[len(damaged)-20] ^= 1
	for name, c := range map[string]struct {
		file []byte
		code string
	}{
		"many frames":    {pngOf(head, acTL(10_001), data, pngOf(many...), end), "media-too-many-pixels"},
		"big frames":     {pngOf(huge, acTL(103), data, pngOf(big...), end), "media-too-many-pixels"},
		"checksum":       {damaged, "media-damaged"},
		"endless chunks": {pngOf(head, bytes.Repeat(chunk("tEXt", ""), 100_001), data, end), "media-structure"},
		"data twice":     {pngOf(head, data, acTL(1), data, end), "media-damaged"},
		"critical":       {pngOf(head, chunk("ABCD", traceMark), data, end), "media-structure"},
	} {
		_, _, err := clean(t, c.file)
		if e := fault.From(err); e == nil || e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if out, _ := must(t, pngOf(head, bytes.Repeat(chunk("prVt", "x"), 99_000), data, end)); !bytes.Equal(out, pngOf(head, data, end)) {
		t.Error("99,000 chunks do not leave the picture")
	}
}

// What viewers pass over goes; it is no reason to refuse a picture.
func TestPNGChunksThatDoNotFit(t *testing.T) {
	still := encoded(t, media.PNG)
	head, data, end := pngParts(still)
	wrong := chunk("gAMA", "\x00\x00\xb1\x8f")
	wrong[len(wrong)-1] ^= 1
	twoColours := append(bytes.Clone(head[:8]), chunk("IHDR", string(head[16:24])+"\x01\x03\x00\x00\x00")...)
	gama, offs := chunk("gAMA", "\x00\x00\xb1\x8f"), chunk("oFFs", "\x00\x00\x00\x05\xff\xff\xff\xf9\x00")
	for name, c := range map[string]struct{ file, want []byte }{
		"empty":               {pngOf(head, chunk("gAMA", ""), chunk("cHRM", ""), chunk("sBIT", ""), chunk("bKGD", ""), chunk("tRNS", ""), data, end), still},
		"longer":              {pngOf(head, chunk("sRGB", traceMark), chunk("bKGD", traceMark[:7]), data, end), still},
		"checksum":            {pngOf(head, wrong, data, end), still},
		"repeated":            {pngOf(head, gama, chunk("gAMA", traceMark[:4]), data, end), pngOf(head, gama, data, end)},
		"late":                {pngOf(head, data, gama, end), still},
		"transparency of RGB": {pngOf(head, chunk("tRNS", traceMark[:6]), data, end), still},
		"position":            {pngOf(head, offs, data, end), pngOf(head, offs, data, end)},
		"position on paper":   {pngOf(head, chunk("oFFs", traceMark[:8]+"\x01"), data, end), still},
		"suggested palette":   {pngOf(head, chunk("PLTE", traceMark), data, end), still},
		"late profile":        {pngOf(head, data, chunk("iCCP", traceMark+"\x00\x00"), end), still},
		"colours of no pixel": {pngOf(twoColours, chunk("PLTE", "abcdef"+traceMark), data, end), pngOf(twoColours, chunk("PLTE", "abcdef"), data, end)},
	} {
		out, _ := must(t, c.file)
		if !bytes.Equal(out, c.want) {
			t.Errorf("%s: %q", name, out)
		}
	}
	indexed := append(bytes.Clone(head[:8]), chunk("IHDR", string(head[16:25])+"\x03"+string(head[26:29]))...)
	for name, b := range map[string][]byte{"palette twice": pngOf(indexed, chunk("PLTE", "abc"), chunk("PLTE", "abc"), data, end), "late palette": pngOf(head, data, chunk("PLTE", "abc"), end), "no palette": pngOf(indexed, data, end)} {
		if _, _, err := clean(t, b); fault.From(err) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Older tools write EXIF as text; the picture stays upright all the same.
func TestPNGOrientationInText(t *testing.T) {
	head, data, end := pngParts(encoded(t, media.PNG))
	digits := hex.EncodeToString([]byte("Exif\x00\x00" + exifSix))
	for i := 72; i < len(digits); i += 73 {
		digits = digits[:i] + "\n" + digits[i:]
	}
	text := fmt.Sprintf("\nexif\n%8d\n%s\n", 6+len(exifSix), digits)
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	plain, packed := chunk("tEXt", "Raw profile type exif\x00"+text), chunk("zTXt", "Raw profile type APP1\x00\x00"+z.String())
	six, one := chunk("eXIf", onlySix), chunk("eXIf", "MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00")
	for name, c := range map[string]struct{ file, want []byte }{
		"plain":      {pngOf(head, plain, data, end), pngOf(head, six, data, end)},
		"compressed": {pngOf(head, packed, data, end), pngOf(head, six, data, end)},
		"both":       {pngOf(head, packed, plain, six, data, end), pngOf(head, six, data, end)},
		"after":      {pngOf(head, data, plain, end), pngOf(head, data, six, end)},
		"eXIf rules": {pngOf(head, plain, one, data, end), pngOf(head, data, end)},
		"no digits":  {pngOf(head, chunk("tEXt", "Raw profile type exif\x00\nexif\n 3\nxyz"), data, end), pngOf(head, data, end)},
		"no lines":   {pngOf(head, chunk("tEXt", "Raw profile type exif\x00\n\n"), data, end), pngOf(head, data, end)},
		"no EXIF":    {pngOf(head, chunk("tEXt", "Raw profile type exif\x00\nexif\n 3\n616263\n"), data, end), pngOf(head, data, end)},
		"bad zlib":   {pngOf(head, chunk("zTXt", "Raw profile type exif\x00\x00abc"), data, end), pngOf(head, data, end)},
	} {
		out, r := must(t, c.file)
		if !bytes.Equal(out, c.want) {
			t.Errorf("%s: %q", name, out)
		}
		if name == "plain" && !strings.Contains(kinds(r.Receipt), "make and model") {
			t.Errorf("the receipt says %s", kinds(r.Receipt))
		}
	}
}

// mended is b with the checksums of its chunks made right, so that fuzzing
// comes past them.
func mended(b []byte) []byte {
	b = bytes.Clone(b)
	for at := 8; at+12 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[at:]))
		if n > len(b)-at-12 {
			break
		}
		binary.BigEndian.PutUint32(b[at+8+n:], crc32.ChecksumIEEE(b[at+4:at+8+n]))
		at += 12 + n
	}
	return b
}

func FuzzPNGChunks(f *testing.F) {
	head, _, end := pngParts(encoded(f, media.PNG))
	data := chunk("IDAT", "x")
	f.Add(pngOf(head, chunk("gAMA", "abcd"), chunk("pHYs", "abcdefghi"), chunk("tEXt", "a\x00b"), data, chunk("eXIf", exifSix), end))
	f.Add(pngOf(head, acTL(2), fcTL(0, 90, 70, 0, 0), data, fcTL(1, 10, 10, 80, 60), fdAT(2, "x"), fdAT(3, "y"), end))
	f.Add(pngOf(head, acTL(1), chunk("iCCP", "name\x00\x00x"), data, fcTL(0, 10, 10, 80, 60), fdAT(1, "x"), end, data))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, _, err := clean(t, mended(b))
		if err != nil {
			return
		}
		if again, _, err := clean(t, out); err != nil || !bytes.Equal(again, out) {
			t.Errorf("a clean PNG is not steady: %v", err)
		}
	})
}
