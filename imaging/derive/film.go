package derive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wardseal/wardseal/internal/media"
)

// ErrNoFilms: this system has no video tool that could be confined, so videos
// get neither posters nor a playable form. Everything else works.
var ErrNoFilms = errors.New("derive: no video tool")

// FilmConfig says how to reach the video tool and what it may use. Zero fields
// take the defaults.
type FilmConfig struct {
	// Command starts the child: this binary and the hidden subcommand that calls
	// FilmChild before anything else.
	Command     []string
	FFmpeg      string        // the program; default "ffmpeg" in PATH. ffprobe is looked for beside it.
	MemoryBytes int64         // address space of the tool; default 3 GiB
	FrameFor    time.Duration // CPU and wall time for one look at a video; default 1 minute
	PlayFor     time.Duration // the same for making it playable; default 4 hours
	MaxPixels   int64         // of one frame; default 50,000,000
}

// Films asks the video tool, ffmpeg, for posters and playable forms. The tool
// is a child that has no network, opens no file but its own libraries, and
// gets the video on standard input: what is decrypted never touches a disk.
type Films struct {
	cfg           FilmConfig
	ffmpeg, probe string
	isolated      bool
	tones         bool // it can turn HDR into SDR
}

// probeReach has the child try to get out instead of becoming the tool.
const probeReach = "?"

// NewFilms looks for the tool and tries it in its confinement. Its error wraps
// ErrNoFilms when the tool is missing or cannot be confined.
func NewFilms(cfg FilmConfig) (*Films, error) {
	if len(cfg.Command) == 0 {
		return nil, errors.New("derive: no command to start the film child with")
	}
	setDefault(&cfg.MemoryBytes, 3<<30)
	setDefault(&cfg.FrameFor, time.Minute)
	setDefault(&cfg.PlayFor, 4*time.Hour)
	setDefault(&cfg.MaxPixels, 50_000_000)
	if cfg.FFmpeg == "" {
		cfg.FFmpeg = "ffmpeg"
	}
	f := &Films{cfg: cfg, isolated: true}
	var err error
	if f.ffmpeg, err = program(cfg.FFmpeg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFilms, err)
	}
	if f.probe, err = program(filepath.Join(filepath.Dir(f.ffmpeg), "ffprobe")); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFilms, err)
	}
	if err = f.try(); err != nil {
		f.isolated = false // containers often forbid new user namespaces
		if err = f.try(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoFilms, err)
		}
	}
	return f, nil
}

// program finds a program's real file, which is what Landlock lets run.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// try starts the child twice: to see that it cannot get out, and that the tool
// works in there.
func (f *Films) try() error {
	ctx, cancel := context.WithTimeout(context.Background(), f.cfg.FrameFor)
	defer cancel()
	reached, err := f.output(ctx, 64<<10, strings.NewReader(""), probeReach, "-")
	if err != nil {
		return err
	}
	if len(reached) > 0 {
		return fmt.Errorf("the tool would not be confined: it reaches %s", strings.Join(strings.Fields(string(reached)), " "))
	}
	filters, err := f.output(ctx, 1<<20, strings.NewReader(""), f.ffmpeg, "-hide_banner", "-v", "error", "-filters")
	if err != nil {
		return err
	}
	if !bytes.Contains(filters, []byte(" scale ")) {
		return errors.New("the program is not ffmpeg")
	}
	f.tones = bytes.Contains(filters, []byte(" zscale ")) && bytes.Contains(filters, []byte(" tonemap "))
	return nil
}

// Film is what the tool says of a video. Nothing of it is believed further
// than to choose how to go on.
type Film struct {
	Width, Height int // as coded
	Duration      time.Duration
	video, audio  string // codecs
	pixels        string // pixel format
	transfer      string
	space         string
	interlaced    bool
}

// demuxers are the tool's names for the containers: said to it, never guessed
// by it, so that a file cannot pass for a playlist.
var demuxers = map[media.Format]string{
	media.MP4: "mov", media.MOV: "mov", media.ThreeGP: "mov", media.WebM: "matroska", media.Matroska: "matroska",
}

// input is how every call begins: one container, one protocol.
func input(format media.Format) []string {
	return []string{"-protocol_whitelist", "pipe", "-f", demuxers[format], "-i", "pipe:0"}
}

// Look reads what a video is. src is the whole of it; as much is read as is
// needed.
func (f *Films) Look(ctx context.Context, src io.Reader, format media.Format) (Film, error) {
	if demuxers[format] == "" {
		return Film{}, fmt.Errorf("%w: %s is no video", ErrUndecodable, format)
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.FrameFor)
	defer cancel()
	args := append([]string{"-hide_banner", "-v", "error"}, input(format)...)
	args = append(args, "-of", "json", "-show_entries",
		"stream=codec_type,codec_name,pix_fmt,width,height,color_transfer,color_space,field_order,duration:stream_disposition=attached_pic:format=duration")
	out, err := f.output(ctx, 1<<20, src, f.probe, args...)
	if err != nil {
		return Film{}, err
	}
	return look(out, f.cfg.MaxPixels)
}

func look(said []byte, maxPixels int64) (Film, error) {
	var got struct {
		Streams []struct {
			Type        string         `json:"codec_type"`
			Codec       string         `json:"codec_name"`
			Pixels      string         `json:"pix_fmt"`
			Transfer    string         `json:"color_transfer"`
			Space       string         `json:"color_space"`
			Fields      string         `json:"field_order"`
			Duration    string         `json:"duration"`
			Width       int            `json:"width"`
			Height      int            `json:"height"`
			Disposition map[string]int `json:"disposition"`
		} `json:"streams"`
		Format struct {
			Duration string `json:"duration"`
		} `json:"format"`
	}
	if json.Unmarshal(said, &got) != nil {
		return Film{}, fmt.Errorf("%w: what the tool says of it is garbled", ErrUndecodable)
	}
	film := Film{Duration: seconds(got.Format.Duration)}
	for _, s := range got.Streams {
		switch {
		case s.Type == "video" && film.video == "" && s.Disposition["attached_pic"] == 0:
			film.video, film.pixels, film.transfer, film.space, film.Width, film.Height = s.Codec, s.Pixels, s.Transfer, s.Space, s.Width, s.Height
			film.interlaced = s.Fields != "" && s.Fields != "progressive" && s.Fields != "unknown"
			film.Duration = max(film.Duration, seconds(s.Duration))
		case s.Type == "audio" && film.audio == "":
			film.audio = s.Codec
		}
	}
	if film.video == "" || film.Width < 1 || film.Height < 1 {
		return Film{}, fmt.Errorf("%w: no picture in it", ErrUndecodable)
	}
	if film.Width > maxSide || film.Height > maxSide || int64(film.Width)*int64(film.Height) > maxPixels {
		return Film{}, ErrBomb
	}
	return film, nil
}

func seconds(s string) time.Duration {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v < 1e6) {
		return 0
	}
	return time.Duration(v * float64(time.Second))
}

// Plays reports whether the browsers in use can be expected to play the video
// as it is.
func (film Film) Plays(format media.Format) bool {
	pixels := film.pixels == "yuv420p" || film.pixels == "yuvj420p"
	switch format {
	case media.MP4, media.MOV:
		return pixels && !film.interlaced && film.video == "h264" && (film.audio == "" || film.audio == "aac")
	case media.WebM:
		return pixels && (film.video == "vp8" || film.video == "vp9" || film.video == "av1") && (film.audio == "" || film.audio == "opus" || film.audio == "vorbis")
	}
	return false
}

// Frame gives one frame of a video as a PNG: upright, of square pixels, at most
// edge pixels a side. Of the first frames it takes the most usual, because
// films often start in black.
func (f *Films) Frame(ctx context.Context, src io.Reader, format media.Format, film Film, edge int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.FrameFor)
	defer cancel()
	args := append([]string{"-hide_banner", "-v", "error", "-nostdin", "-threads", "2"}, input(format)...)
	args = append(args, "-map", "0:V:0", "-vf", f.chain(film, edge, edge, 1)+",thumbnail=12,format=rgb24",
		"-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "pipe:1")
	out, err := f.output(ctx, 4*int64(edge)*int64(edge)+1<<20, src, f.ffmpeg, args...)
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no frame in it", ErrUndecodable)
	}
	return out, nil
}

// chain is the filters that make frames square-pixelled, no larger than long
// by short, of sides that are multiples of step, and of a screen's brightness.
// The tool itself has turned them upright before.
func (f *Films) chain(film Film, long, short, step int) string {
	fit := fmt.Sprintf("min(1,min(%d/max(iw*sar,ih),%d/min(iw*sar,ih)))", long, short)
	matrix := ""
	if (film.space == "" || film.space == "unknown") && film.Height >= 720 {
		matrix = ":in_color_matrix=bt709" // as players take it
	}
	chain := fmt.Sprintf("scale=w='max(%[1]d,trunc(iw*sar*%[2]s/%[1]d)*%[1]d)':h='max(%[1]d,trunc(ih*%[2]s/%[1]d)*%[1]d)'%[3]s,setsar=1", step, fit, matrix)
	if f.tones && (film.transfer == "smpte2084" || film.transfer == "arib-std-b67") {
		chain += ",zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=mobius,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
	}
	return chain
}

// Play writes the video as a fragmented MP4 that browsers play, without
// metadata: H.264 and AAC, at most 1,920 by 1,080. Progress, from 0 to 1, is
// told now and then.
func (f *Films) Play(ctx context.Context, src io.Reader, format media.Format, film Film, w io.Writer, progress func(float64)) error {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.PlayFor)
	defer cancel()
	args := append([]string{"-hide_banner", "-v", "error", "-nostdin", "-progress", "pipe:3", "-stats_period", "1"}, input(format)...)
	args = append(args, "-map", "0:V:0", "-map", "0:a:0?", "-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn")
	if film.video == "h264" && !film.interlaced && (film.pixels == "yuv420p" || film.pixels == "yuvj420p") {
		args = append(args, "-c:v", "copy")
	} else {
		args = append(args, "-vf", f.chain(film, 1920, 1080, 2)+",format=yuv420p", "-fpsmax", "60",
			"-c:v", "libx264", "-preset", "veryfast", "-crf", "21", "-profile:v", "high")
	}
	args = append(args, "-bsf:v", "filter_units=remove_types=6") // what encoders say of themselves, and anything else in words
	args = append(args, "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
		"-movflags", "+frag_keyframe+delay_moov+default_base_moof", "-frag_duration", "2000000", "-f", "mp4", "pipe:1")
	out := &counted{w: w}
	err := f.run(ctx, f.cfg.PlayFor, src, out, func(line string) {
		if us, ok := strings.CutPrefix(line, "out_time_us="); ok && film.Duration > 0 && progress != nil {
			if n, err := strconv.ParseInt(us, 10, 64); err == nil && n > 0 {
				progress(min(1, float64(n)/float64(film.Duration.Microseconds())))
			}
		}
	}, f.ffmpeg, args...)
	if err == nil && out.n == 0 {
		err = fmt.Errorf("%w: nothing came of it", ErrUndecodable)
	}
	return err
}

type counted struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

// output runs a program to its end and gives the first max bytes it wrote; it
// is an error if there are more.
func (f *Films) output(ctx context.Context, max int64, src io.Reader, program string, args ...string) ([]byte, error) {
	out := &capped{max: max, fail: true}
	err := f.run(ctx, f.cfg.FrameFor, src, out, nil, program, args...)
	got, over := out.kept()
	if over {
		return nil, fmt.Errorf("%w: the tool says too much", ErrUndecodable)
	}
	return got, err
}

// run starts the tool in its confinement. said gets each line of the third
// pipe, if it is not nil.
func (f *Films) run(ctx context.Context, within time.Duration, src io.Reader, out io.Writer, said func(string), program string, args ...string) error {
	line := append(append([]string{}, f.cfg.Command[1:]...), strconv.FormatInt(f.cfg.MemoryBytes, 10),
		strconv.FormatInt(int64((within+time.Second-1)/time.Second)*int64(runtime.NumCPU()), 10), program)
	cmd := exec.CommandContext(ctx, f.cfg.Command[0], append(line, args...)...) // #nosec G204 -- the operator's ffmpeg, without a shell, confined
	cmd.Env = []string{}
	cmd.Dir = "/"
	in := &source{r: src, left: 1 << 62, open: true}
	words := &capped{max: 8 << 10}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, words
	cmd.WaitDelay = time.Second
	isolate(cmd, f.isolated)
	var telling sync.WaitGroup
	if said != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("derive: make a pipe: %w", err)
		}
		cmd.ExtraFiles = []*os.File{w}
		telling.Go(func() {
			for s := bufio.NewScanner(r); s.Scan(); {
				said(s.Text())
			}
			_, _ = io.Copy(io.Discard, r)
		})
		defer func() {
			_ = w.Close()
			telling.Wait()
			_ = r.Close()
		}()
	}
	// The kernel kills the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	if c, ok := out.(*counted); ok && c.err != nil {
		return c.err
	}
	return f.verdict(ctx, err, in, words)
}

func (f *Films) verdict(ctx context.Context, err error, in *source, words *capped) error {
	if err == nil {
		return nil
	}
	if failed := in.failed(); failed != nil {
		return fmt.Errorf("derive: read the video: %w", failed)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: no answer in time", ErrLimit)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said, _ := words.kept()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitConfine {
		return errors.New("derive: the tool could not be confined and started: " + strings.TrimSpace(string(said)))
	}
	if bytes.Contains(said, []byte("Cannot allocate memory")) {
		return fmt.Errorf("%w: no memory left", ErrLimit)
	}
	return verdict(err, nil, true)
}
