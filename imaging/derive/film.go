package derive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
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
	tools
	cfg           FilmConfig
	ffmpeg, probe string
	tones         bool // it can turn HDR into SDR
}

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
	f := &Films{cfg: cfg, tools: tools{command: cfg.Command, memory: cfg.MemoryBytes, within: cfg.FrameFor}}
	var err error
	if f.ffmpeg, err = program(cfg.FFmpeg); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFilms, err)
	}
	if f.probe, err = program(filepath.Join(filepath.Dir(f.ffmpeg), "ffprobe")); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFilms, err)
	}
	if err = f.start(f.try); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFilms, err)
	}
	return f, nil
}

// try sees that the tool works in its confinement.
func (f *Films) try(ctx context.Context) error {
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
