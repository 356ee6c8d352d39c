package attack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

// payloads are things that browsers or servers run, open or show; MARK is in
// each, and RUN is what it would do.
var payloads = []struct{ name, text string }{
	{"html", `<!doctype html><html><body><script>RUN//MARK</script><img src=x onerror="RUN"></body></html>`},
	{"svg", `<svg xmlns="http://www.w3.org/2000/svg" onload="RUN"><script>RUN//MARK</script></svg>`},
	{"js", "*/=1;RUN;/*MARK*/"},
	{"pdf", "%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(RUN)>>>>endobj\n%MARK\ntrailer<</Root 1 0 R>>\n%%EOF"},
	{"zip", "PK\x03\x04\x14\x00\x00\x00\x00\x00MARK/META-INF/MANIFEST.MF PK\x05\x06\x00\x00"},
	{"php", `<?php echo "MARK"; system($_GET["c"]); ?><script>RUN</script>`},
	{"mhtml", "From: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=MARK\r\n\r\n--MARK\r\nContent-Type: text/html\r\n\r\n<script>RUN</script>\r\n--MARK--"},
	{"xss", `"><script>RUN</script><!--MARK-->`},
}

// carriers hide a payload in a picture, in a way that its format allows.
var carriers = []struct {
	name, ext string
	hide      func(t *testing.T, payload []byte) []byte
}{
	{"jpeg-trailer", "jpg", func(t *testing.T, p []byte) []byte { return append(still(t, "jpg"), p...) }},
	{"jpeg-comment", "jpg", func(t *testing.T, p []byte) []byte { return segment(still(t, "jpg"), 0xfe, p) }},
	{"jpeg-exif", "jpg", func(t *testing.T, p []byte) []byte {
		return segment(still(t, "jpg"), 0xe1, append([]byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"), p...))
	}},
	{"png-text", "png", func(t *testing.T, p []byte) []byte {
		return chunk(still(t, "png"), append([]byte("Comment\x00"), p...))
	}},
	{"png-trailer", "png", func(t *testing.T, p []byte) []byte { return append(still(t, "png"), p...) }},
	{"gif-comment", "gif", func(t *testing.T, p []byte) []byte { return comment(still(t, "gif"), p) }},
	{"gif-trailer", "gif", func(t *testing.T, p []byte) []byte { return append(still(t, "gif"), p...) }},
	{"webp-chunk", "webp", func(t *testing.T, p []byte) []byte { return riff(converted(t, "webp"), p) }},
	{"mp4-free", "mp4", func(t *testing.T, p []byte) []byte { return box(converted(t, "mp4"), p) }},
	{"heic-free", "heic", func(t *testing.T, p []byte) []byte { return box(converted(t, "heic"), p) }},
	{"before", "jpg", func(t *testing.T, p []byte) []byte { return append(bytes.Clone(p), still(t, "jpg")...) }},
}

func picture() image.Image {
	m := image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{color.White, color.Black})
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 7 % 2)
	}
	return m
}

func still(t *testing.T, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	err := map[string]func() error{
		"jpg": func() error { return jpeg.Encode(&b, picture(), nil) }, "png": func() error { return png.Encode(&b, picture()) }, "gif": func() error { return gif.Encode(&b, picture(), nil) },
	}[format]()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// converted has a tool make what Go does not write.
func converted(t *testing.T, format string) []byte {
	t.Helper()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a.png"), filepath.Join(dir, "a."+format)
	if err := os.WriteFile(from, still(t, "png"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := map[string][]string{
		"webp": {"cwebp", "-quiet", from, "-o", to}, "heic": {"heif-enc", from, "-o", to},
		"mp4": {"ffmpeg", "-v", "error", "-loop", "1", "-i", from, "-t", "1", "-r", "5", "-c:v", "libx264", "-pix_fmt", "yuv420p", to},
	}[format]
	if out, err := exec.CommandContext(t.Context(), servers.Binary(t, args[0]), args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// segment puts a segment behind the start of a JPEG.
func segment(file []byte, marker byte, p []byte) []byte {
	head := []byte{0xff, 0xd8, 0xff, marker, 0, 0}
	binary.BigEndian.PutUint16(head[4:], uint16(len(p)+2))
	return bytes.Join([][]byte{head, p, file[2:]}, nil)
}

// chunk puts a tEXt chunk behind the header of a PNG.
func chunk(file, p []byte) []byte {
	const header = 8 + 25
	c := append([]byte("tEXt"), p...)
	c = binary.BigEndian.AppendUint32(c, crc32.ChecksumIEEE(c))
	c = append(binary.BigEndian.AppendUint32(nil, uint32(len(p))), c...)
	return bytes.Join([][]byte{file[:header], c, file[header:]}, nil)
}

// comment puts a comment before the trailer of a GIF.
func comment(file, p []byte) []byte {
	out := append(bytes.Clone(file[:len(file)-1]), 0x21, 0xfe)
	for len(p) > 0 {
		n := min(len(p), 255)
		out = append(append(out, byte(n)), p[:n]...)
		p = p[n:]
	}
	return append(out, 0, 0x3b)
}

// riff puts a chunk of its own at the end of a WebP.
func riff(file, p []byte) []byte {
	if len(p)%2 == 1 {
		p = append(p, ' ')
	}
	out := append(bytes.Clone(file), "XPLD"...)
	out = append(binary.LittleEndian.AppendUint32(out, uint32(len(p))), p...)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out
}

// box puts a free box at the end of an ISO media file.
func box(file, p []byte) []byte {
	out := binary.BigEndian.AppendUint32(bytes.Clone(file), uint32(len(p)+8))
	return append(append(out, "free"...), p...)
}

// Files that are a picture and something else are refused, or filed without
// the something else; and opened in Chromium in every way, none runs anything.
// POLYGLOTS is how many; see polyglots.mjs.
func TestPolyglotsDoNotRun(t *testing.T) {
	t.Parallel()
	n := times(t, "POLYGLOTS", 4)
	node, chromium, modules := servers.Binary(t, "node"), servers.Binary(t, "chromium"), servers.Modules(t, "../browser")
	dir := t.TempDir()
	for i := range n {
		c, p := carriers[i%len(carriers)], payloads[(i+i/len(carriers))%len(payloads)]
		mark := fmt.Sprintf("POLYGLOT-%02d", i)
		text := bytes.ReplaceAll([]byte(p.text), []byte("MARK"), []byte(mark))
		text = bytes.ReplaceAll(text, []byte("RUN"), []byte("self.owned&&owned('"+mark+"')"))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s.%s.%s.%s", mark, c.name, p.name, c.ext)), c.hide(t, text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("polyglots.mjs")
	if err != nil {
		t.Fatal(err)
	}
	run := t.TempDir()
	if err := os.WriteFile(filepath.Join(run, "polyglots.mjs"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(run, "node_modules")); err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	cmd := exec.CommandContext(t.Context(), node, "polyglots.mjs")
	cmd.Dir, cmd.WaitDelay = run, 5*time.Second
	cmd.Env = append(os.Environ(), "URL="+s.URL, "PASSWORD="+password, "FILES="+dir, "CHROMIUM="+chromium, "HOME="+run)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
