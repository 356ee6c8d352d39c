package derive

import (
	"bytes"
	"context"
	"errors"
	"image/color"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/media"
)

func films(t testing.TB, cfg FilmConfig) *Films {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Command = []string{self, "film"}
	f, err := NewFilms(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// shot has the tool make a film of the quarters, two seconds long, and gives
// its bytes.
func shot(t testing.TB, ext string, args ...string) []byte {
	t.Helper()
	line := append([]string{"ffmpeg", "-v", "error", "-loop", "1", "-framerate", "10", "-t", "2", "-i", "IN", "-f", "lavfi", "-t", "2", "-i", "sine", "-map", "0:v", "-map", "1:a"}, args...)
	return made(t, ext, append(line, "OUT")...)
}

var (
	h264 = []string{"-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart"}
	h265 = []string{"-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", "-c:a", "aac", "-movflags", "+faststart"}
)

// taken gives the upright first picture of a film, as it would be kept.
func taken(t *testing.T, f *Films, b []byte, format media.Format) (Film, Picture) {
	t.Helper()
	ctx := context.Background()
	film, err := f.Look(ctx, bytes.NewReader(b), format)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := f.Frame(ctx, bytes.NewReader(b), format, film, 2048)
	if err != nil {
		t.Fatal(err)
	}
	out, err := maker(t, "child", Config{}).DeriveFrame(ctx, frame, []Size{{media.Poster, 2048}})
	if err != nil {
		t.Fatal(err)
	}
	return film, out.Pictures[0]
}

func TestFilms(t *testing.T) {
	f := films(t, FilmConfig{})
	mp4 := filepath.Join(t.TempDir(), "upright.mp4")
	if err := os.WriteFile(mp4, shot(t, ".mp4", h264...), 0o600); err != nil {
		t.Fatal(err)
	}
	turned := made(t, ".mp4", "ffmpeg", "-v", "error", "-i", mp4, "-c", "copy", "-metadata:s:v", "rotate=90", "-movflags", "+faststart", "OUT")
	for name, c := range map[string]struct {
		format media.Format
		b      []byte
		plays  bool
	}{
		"H.264 MP4":             {format: media.MP4, b: shot(t, ".mp4", h264...), plays: true},
		"H.264 MOV":             {format: media.MOV, b: shot(t, ".mov", h264...), plays: true},
		"H.264 MOV, PCM sound":  {format: media.MOV, b: shot(t, ".mov", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", "-movflags", "+faststart")},
		"H.264 of 4:4:4":        {format: media.MP4, b: shot(t, ".mp4", "-c:v", "libx264", "-pix_fmt", "yuv444p", "-c:a", "aac", "-movflags", "+faststart")},
		"HEVC MOV":              {format: media.MOV, b: shot(t, ".mov", h265...)},
		"ProRes":                {format: media.MOV, b: shot(t, ".mov", "-c:v", "prores", "-c:a", "pcm_s16le", "-movflags", "+faststart")},
		"3GP of H.264":          {format: media.ThreeGP, b: shot(t, ".3gp", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart")},
		"MPEG-4 part 2":         {format: media.MP4, b: shot(t, ".mp4", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "aac", "-movflags", "+faststart")},
		"VP8 WebM":              {format: media.WebM, b: shot(t, ".webm", "-c:v", "libvpx", "-pix_fmt", "yuv420p", "-c:a", "libvorbis"), plays: true},
		"Matroska with H.264":   {format: media.Matroska, b: shot(t, ".mkv", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")},
		"a film turned upright": {format: media.MP4, b: turned, plays: true},
	} {
		film, p := taken(t, f, c.b, c.format)
		if film.Plays(c.format) != c.plays || film.Duration < 1900*time.Millisecond || film.Duration > 2200*time.Millisecond {
			t.Errorf("%s: it plays is %t, %s long", name, film.Plays(c.format), film.Duration)
		}
		if want := upCorners; name != "a film turned upright" {
			if p.Width != 400 || p.Height != 200 {
				t.Errorf("%s: %d by %d", name, p.Width, p.Height)
			}
			corners(t, name, p, want)
		} else if p.Width != 200 || p.Height != 400 {
			t.Errorf("%s: %d by %d", name, p.Width, p.Height)
		} else {
			corners(t, name, p, [4]color.NRGBA{green, yellow, red, blue})
		}
	}
}

// What is made to play is H.264 and AAC in order, without a trace of the
// original's words, and passes the sanitiser.
func TestPlayable(t *testing.T) {
	f := films(t, FilmConfig{})
	ctx := context.Background()
	for name, b := range map[string][]byte{
		"HEVC":  shot(t, ".mov", append(h265, "-metadata", "title=Example Patient", "-metadata", "location=+51.5-0.1/")...),
		"H.264": shot(t, ".mkv", "-c:v", "libx264", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "flac", "-metadata", "title=Example Patient"),
	} {
		format := map[string]media.Format{"HEVC": media.MOV, "H.264": media.Matroska}[name]
		film, err := f.Look(ctx, bytes.NewReader(b), format)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		last := 0.0
		if err := f.Play(ctx, bytes.NewReader(b), format, film, &out, func(p float64) { last = p }); err != nil {
			t.Fatal(err)
		}
		if last < 0.5 || last > 1 {
			t.Errorf("%s: its last progress is %f", name, last)
		}
		ordered, err := InOrder(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		clean, err := sanitise.File(ctx, ordered, ordered.Size(), media.MP4, sanitise.Options{})
		if err != nil {
			t.Fatal(err)
		}
		kept, err := io.ReadAll(clean.Clean.Reader())
		if err != nil || bytes.Contains(kept, []byte("Example Patient")) || bytes.Contains(kept, []byte("x264")) && name == "HEVC" {
			t.Errorf("%s: words are left, %v", name, err)
		}
		if got, err := f.Look(ctx, bytes.NewReader(kept), media.MP4); err != nil || !got.Plays(media.MP4) || got.audio != "aac" || got.Duration < 1900*time.Millisecond || got.Duration > 2200*time.Millisecond {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		// The same frames as in the fragments, at the same times.
		if a, b := frames(t, out.Bytes()), frames(t, kept); a != b {
			t.Errorf("%s: the order changed what is shown:\n%s\n%s", name, a, b)
		}
		for cut := 0; cut < out.Len(); cut += out.Len()/40 + 1 {
			_, _ = InOrder(bytes.NewReader(out.Bytes()[:cut]), int64(cut))
			bad := bytes.Clone(out.Bytes()[:min(out.Len(), 3000)])
			bad[cut%len(bad)] ^= 0xff
			_, _ = InOrder(bytes.NewReader(bad), int64(len(bad)))
		}
	}
}

func frames(t *testing.T, b []byte) string {
	t.Helper()
	cmd := exec.Command(tool(t, "ffmpeg"), "-v", "error", "-i", "pipe:0", "-map", "0:v", "-f", "framemd5", "-")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, l := range strings.Split(string(out), "\n") {
		if f := strings.Fields(l); len(f) >= 6 && !strings.HasPrefix(l, "#") {
			lines = append(lines, f[0]+f[2]+f[5]) // stream, time, sum
		}
	}
	return strings.Join(lines, "\n")
}

// A file that is no film of its kind must not have the tool open another.
func TestFilmsReachNothing(t *testing.T) {
	f := films(t, FilmConfig{})
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.mp4")
	if err := os.WriteFile(secret, shot(t, ".mp4", h264...), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a concat list":  "ffconcat version 1.0\nfile '" + secret + "'\n",
		"an HLS list":    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://" + secret + "\n#EXT-X-ENDLIST\n",
		"an SDP":         "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
		"a DASH list":    `<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation><BaseURL>file://` + secret + `</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"an empty file":  "",
		"a page of HTML": "<html>",
	} {
		for format := range demuxers {
			if film, err := f.Look(context.Background(), strings.NewReader(text), format); err == nil {
				t.Errorf("%s as %s: %+v", name, format, film)
			}
			film := Film{Width: 400, Height: 200, video: "h264"}
			if out, err := f.Frame(context.Background(), strings.NewReader(text), format, film, 320); err == nil {
				t.Errorf("%s as %s: a frame of %d bytes", name, format, len(out))
			}
		}
	}
	// Past our own words to it, the confinement holds: neither a readable file
	// nor the network is there.
	for _, args := range [][]string{
		{"-i", secret}, {"-f", "concat", "-safe", "0", "-i", "pipe:0"}, {"-i", "http://127.0.0.1:1/"}, {"-i", "/etc/passwd"},
	} {
		line := append(append([]string{"-v", "error", "-nostdin"}, args...), "-f", "null", "-")
		if _, err := f.output(context.Background(), 1<<20, strings.NewReader("file '"+secret+"'\n"), f.ffmpeg, line...); err == nil {
			t.Errorf("%v works", args)
		}
		// The same outside works, where it is a file: the test can fail.
		if args[1] == secret {
			if err := exec.Command(f.ffmpeg, line...).Run(); err != nil {
				t.Errorf("%v fails outside: %v", args, err)
			}
		}
	}
	out := filepath.Join(dir, "written")
	_, err := f.output(context.Background(), 1<<20, bytes.NewReader(shot(t, ".mp4", h264...)), f.ffmpeg, "-v", "error", "-f", "mov", "-i", "pipe:0", "-f", "mp4", out)
	if _, missing := os.Stat(out); err == nil || missing == nil {
		t.Error("the tool wrote a file")
	}
}

func TestFilmLimits(t *testing.T) {
	ctx := context.Background()
	b := shot(t, ".mp4", h264...)
	if _, err := films(t, FilmConfig{MaxPixels: 400*200 - 1}).Look(ctx, bytes.NewReader(b), media.MP4); !errors.Is(err, ErrBomb) {
		t.Errorf("too many pixels: %v", err)
	}
	f := films(t, FilmConfig{})
	film, err := f.Look(ctx, bytes.NewReader(b), media.MP4)
	if err != nil {
		t.Fatal(err)
	}
	hasty := *f
	hasty.cfg.FrameFor = 500 * time.Millisecond
	if _, err := hasty.Frame(ctx, stuck{}, media.MP4, film, 320); !errors.Is(err, ErrLimit) {
		t.Errorf("a source that never comes: %v", err)
	}
	broken := errors.New("the store is away")
	if err := f.Play(ctx, io.MultiReader(bytes.NewReader(b[:2000]), failing{broken}), media.MP4, film, io.Discard, nil); !errors.Is(err, broken) {
		t.Errorf("a source that fails: %v", err)
	}
	full := errors.New("the spool is full")
	if err := f.Play(ctx, bytes.NewReader(b), media.MP4, film, failing{full}, nil); !errors.Is(err, full) {
		t.Errorf("a target that fails: %v", err)
	}
	if _, err := f.Look(ctx, bytes.NewReader(b[:len(b)/10]), media.MP4); !errors.Is(err, ErrUndecodable) {
		t.Errorf("a tenth of a film: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range []string{"/nonexistent/ffmpeg", "/bin/true"} {
		if _, err := NewFilms(FilmConfig{Command: []string{self, "film"}, FFmpeg: missing}); !errors.Is(err, ErrNoFilms) {
			t.Errorf("%s: %v", missing, err)
		}
	}
	for name, said := range map[string]string{
		"no JSON": "<b>", "no streams": `{"streams": []}`, "sound only": `{"streams": [{"codec_type": "audio", "codec_name": "aac"}]}`,
		"no size": `{"streams": [{"codec_type": "video", "codec_name": "h264"}]}`,
	} {
		if _, err := look([]byte(said), 1e6); !errors.Is(err, ErrUndecodable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { time.Sleep(5 * time.Second); return 0, io.EOF }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }
