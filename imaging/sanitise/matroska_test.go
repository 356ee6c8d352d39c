package sanitise_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/test/servers"
)

// ebml writes an EBML element with a size of eight bytes.
func ebml(id string, parts ...string) string {
	body := strings.Join(parts, "")
	size := binary.BigEndian.AppendUint64(nil, uint64(len(body))|1<<56)
	return id + string(size) + body
}

// The ids of the elements that the tests write.
const (
	mkvEBML, mkvSegment, mkvInfo, mkvTracks, mkvCluster = "\x1a\x45\xdf\xa3", "\x18\x53\x80\x67", "\x15\x49\xa9\x66", "\x16\x54\xae\x6b", "\x1f\x43\xb6\x75"
	mkvTrack, mkvVideo, mkvAudio, mkvBlock, mkvGroup    = "\xae", "\xe0", "\xe1", "\xa3", "\xa0"
	mkvVoid                                             = "\xec"
	mkvUnknown                                          = "\x01\xff\xff\xff\xff\xff\xff\xff"
)

func mkvHeader(docType string) string {
	return ebml(mkvEBML, ebml("\x42\x86", "\x01"), ebml("\x42\xf7", "\x01"), ebml("\x42\xf2", "\x04"), ebml("\x42\xf3", "\x08"), ebml("\x42\x82", docType), ebml("\x42\x87", "\x04"), ebml("\x42\x85", "\x02"))
}

const mkvPixels = "\xb0\x81\x40\xba\x81\x30"

// mkvTrackOf is a track of given number, kind and codec.
func mkvTrackOf(number, kind byte, codec string, more ...string) string {
	return ebml(mkvTrack, ebml("\xd7", string([]byte{number})), ebml("\x83", string([]byte{kind})), ebml("\x86", codec), strings.Join(more, ""))
}

func mkvPictureTrack(more ...string) string {
	return mkvTrackOf(1, 1, "V_VP8", append(more, ebml(mkvVideo, mkvPixels))...)
}

func mkvSoundTrack(more ...string) string {
	return mkvTrackOf(2, 2, "A_AC3", append(more, ebml(mkvAudio, ebml("\x9f", "\x01")))...)
}

// mkvFrame is a SimpleBlock of a key frame.
func mkvFrame(track byte, at int16, body string) string {
	return ebml(mkvBlock, string([]byte{0x80 | track, byte(at >> 8), byte(at), 0x80}), body)
}

func mkvFilm(tracks string, rest ...string) []byte {
	return []byte(mkvHeader("webm") + ebml(mkvSegment, ebml(mkvInfo, ebml("\x2a\xd7\xb1", "\x0f\x42\x40")), ebml(mkvTracks, tracks), strings.Join(rest, "")))
}

func mkvPlain() []byte {
	return mkvFilm(mkvPictureTrack()+mkvSoundTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), mkvFrame(1, 0, "picture one"), mkvFrame(2, 0, "sound one"), mkvFrame(1, 40, "picture two")))
}

// mkvPictures is the hash of a film's decoded pictures.
func mkvPictures(t *testing.T, b []byte) string {
	t.Helper()
	cmd := exec.Command(servers.Binary(t, "ffmpeg"), "-v", "error", "-i", "pipe:0", "-map", "0:v", "-f", "framehash", "-")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg cannot show it: %v", err)
	}
	return string(out)
}

// mkvWithMore adds to a film what ffmpeg does not write: chapters, attachments,
// nested tags, track names and a title.
func mkvWithMore(t *testing.T, b []byte, ext string) []byte {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tags := put("tags.xml", `<?xml version="1.0"?><Tags><Tag><Simple><Name>RECORDING_LOCATION</Name><String>+51.0000+000.5000/</String><Simple><Name>NESTED</Name><String>MARKER-NESTED</String></Simple></Simple></Tag></Tags>`)
	chapters := put("chapters.txt", "CHAPTER01=00:00:00.000\nCHAPTER01NAME=MARKER-CHAPTER\n")
	cover := put("MARKER-LETTER.txt", "MARKER-ATTACHED")
	text := put("text.srt", "1\n00:00:00,100 --> 00:00:00,500\nMARKER-WORDS\n")
	in, out := put("in"+ext, string(b)), filepath.Join(dir, "out"+ext)
	args := []string{"-q", "-o", out, "--title", "MARKER-TITLE", "--global-tags", tags, "--chapters", chapters, "--attachment-mime-type", "text/plain", "--attach-file", cover,
		"--track-name", "0:MARKER-TRACK", "--language", "0:deu", in, text}
	if said, err := exec.Command(servers.Binary(t, "mkvmerge"), args...).CombinedOutput(); err != nil {
		t.Fatalf("mkvmerge: %v\n%s", err, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMatroskaFilms(t *testing.T) {
	vp8 := []string{"-c:v", "libvpx", "-b:v", "200k", "-c:a", "libopus"}
	h264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-c:a", "libmp3lame"}
	for name, c := range map[string]struct {
		film    []byte
		kind    string
		changed bool // in what stands between the pictures, or in where time starts
	}{
		"VP8 and Opus":      {film(t, ".webm", vp8...), "GPS position", false},
		"VP9 and Vorbis":    {film(t, ".webm", "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis"), "texts in the decoder settings", false},
		"live":              {film(t, ".webm", append(vp8, "-live", "1", "-cluster_time_limit", "200")...), "title", false},
		"transparent":       {film(t, ".webm", append(vp8, "-vf", "format=yuva420p,colorchannelmixer=aa=0.5", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0")...), "title", false},
		"H.264 and AAC":     {film(t, ".mkv", append(h264, "-c:a", "aac")...), "video stream", true},
		"HEVC and FLAC":     {film(t, ".mkv", "-c:v", "libx265", "-x265-params", "log-level=none", "-preset", "ultrafast", "-c:a", "flac"), "decoder settings", false},
		"MPEG-4 and AC-3":   {film(t, ".mkv", "-c:a", "ac3"), "tags", false},
		"MPEG-2 and MP2":    {film(t, ".mkv", "-r", "25", "-c:v", "mpeg2video", "-c:a", "mp2"), "tags", false},
		"Motion JPEG":       {film(t, ".mkv", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-c:a", "alac"), "tags", true},
		"AV1":               {film(t, ".webm", "-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-c:a", "libopus"), "tags", false},
		"Theora and MP3":    {film(t, ".mkv", "-c:v", "libtheora", "-c:a", "libmp3lame"), "texts in the decoder settings", false},
		"chapters and more": {mkvWithMore(t, film(t, ".mkv", h264...), ".mkv"), "attached files", true},
		"late start":        {film(t, ".mkv", append(h264, "-output_ts_offset", "100000")...), "title", true},
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, c.film)
			for _, trace := range []string{"MARKER", "+51.0000", "Lavf", "Lavc", "x264", "x265", "libmatroska", "deu"} {
				if bytes.Contains(out, []byte(trace)) && !(trace == "Lavc" && (strings.Contains(name, "AAC") || strings.Contains(name, "MPEG-4"))) { // in a frame of AAC; by which MPEG-4 is decoded
					t.Errorf("%s is still there", trace)
				}
			}
			if mkvPictures(t, c.film) != mkvPictures(t, out) {
				t.Error("the pictures differ")
			}
			if !c.changed && packets(t, c.film) != packets(t, out) {
				t.Error("the packets differ")
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if !strings.Contains(kinds(r.Receipt), c.kind) {
				t.Errorf("the receipt: %s", kinds(r.Receipt))
			}
			if r.Receipt.CapturedAt == nil || name != "chapters and more" && r.Receipt.CapturedAt.Format("2006-01-02T15:04:05") != "2026-03-01T10:00:00" {
				t.Errorf("captured at %v", r.Receipt.CapturedAt)
			}
			if r.Width != 160 || r.Height != 120 {
				t.Errorf("%d × %d", r.Width, r.Height)
			}
			mkvContent(t, out)
		})
	}
}

// mkvContent fails when players have something to say about a film, or cannot
// find their way in it.
func mkvContent(t *testing.T, film []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.mkv")
	if err := os.WriteFile(path, film, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{
		exec.Command(servers.Binary(t, "mkvmerge"), "--quiet", "-o", path+".again", path),
		exec.Command(servers.Binary(t, "ffmpeg"), "-v", "warning", "-ss", "0.7", "-i", path, "-an", "-frames:v", "1", "-f", "null", "-"),
	} {
		if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s: %v\n%s", cmd.Path, err, said)
		}
	}
}

// What a kept track says is kept as far as showing needs it.
func TestMatroskaKeepsTheLook(t *testing.T) {
	colour := ebml("\x55\xb0", ebml("\x55\xb1", "\x09"), ebml("\x55\xb9", "\x01"), ebml("\x55\xba", "\x10"), ebml("\x55\xbb", "\x09"), ebml("\x55\xd0", ebml("\x55\xd9", "\x44\x7a\x00\x00")))
	turned := ebml("\x76\x70", ebml("\x76\x71", "\x00"), ebml("\x76\x75", "\x42\xb4\x00\x00"))
	video := ebml(mkvVideo, mkvPixels, ebml("\x54\xb0", "\x80"), ebml("\x54\xba", "\x30"), ebml("\x54\xaa", "\x02"), ebml("\x9a", "\x02"), colour, turned)
	out, _ := must(t, mkvFilm(mkvTrackOf(1, 1, "V_VP8", ebml("\x23\xe3\x83", "\x02\x62\x5a\x00"), ebml("\x56\xaa", "\x05"), video), ebml(mkvCluster, ebml("\xe7", "\x00"), mkvFrame(1, 0, "x"))))
	for name, want := range map[string]string{
		"display": "\x54\xb0\x81\x80", "crop": "\x54\xaa\x81\x02", "interlaced": "\x9a\x81\x02", "matrix": "\x55\xb1\x81\x09", "range": "\x55\xb9\x81\x01", "transfer": "\x55\xba\x81\x10", "primaries": "\x55\xbb\x81\x09",
		"luminance": "\x55\xd9\x88" + string(binary.BigEndian.AppendUint64(nil, math.Float64bits(1000))), "turn": "\x76\x75\x88" + string(binary.BigEndian.AppendUint64(nil, math.Float64bits(90))),
		"frame time": "\x23\xe3\x83\x84\x02\x62\x5a\x00", "codec delay": "\x56\xaa\x81\x05",
	} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s is lost", name)
		}
	}
}

// Everything that can hold a mark, in a place where the walk has to find it.
func TestMatroskaTracesGo(t *testing.T) {
	const mark = "MARKER-OF-A-PERSON"
	cluster := func(more string) string {
		return ebml(mkvCluster, ebml("\xe7", "\x00"), mkvFrame(1, 0, "picture one"), more, mkvFrame(1, 40, "picture two"))
	}
	group := func(more ...string) string {
		return cluster(ebml(mkvGroup, ebml("\xa1", "\x81\x00\x10\x00", "picture between"), strings.Join(more, "")))
	}
	for name, c := range map[string]struct {
		film []byte
		kind string
	}{
		"Void":                {mkvFilm(mkvPictureTrack(), ebml(mkvVoid, mark), cluster("")), "unused space"},
		"Void in a cluster":   {mkvFilm(mkvPictureTrack(), cluster(ebml(mkvVoid, mark))), ""},
		"Void in a group":     {mkvFilm(mkvPictureTrack(), group(ebml(mkvVoid, mark))), "data beside the frames"},
		"Void in a track":     {mkvFilm(mkvPictureTrack(ebml(mkvVoid, mark)), cluster("")), ""},
		"unknown":             {mkvFilm(mkvPictureTrack(), ebml("\x4a\xbc", mark), cluster("")), "unknown"},
		"unknown in cluster":  {mkvFilm(mkvPictureTrack(), cluster(ebml("\x4a\xbc", mark))), "unknown"},
		"unknown in track":    {mkvFilm(mkvPictureTrack(ebml("\x4a\xbc", mark)), cluster("")), ""},
		"name":                {mkvFilm(mkvPictureTrack(ebml("\x53\x6e", mark)), cluster("")), "track names"},
		"language":            {mkvFilm(mkvPictureTrack(ebml("\x22\xb5\x9c", mark)), cluster("")), "languages"},
		"codec name":          {mkvFilm(mkvPictureTrack(ebml("\x25\x86\x88", mark)), cluster("")), "encoder names"},
		"private of a codec":  {mkvFilm(mkvPictureTrack(ebml("\x63\xa2", mark)), cluster("")), "decoder settings"},
		"identifier":          {mkvFilm(mkvPictureTrack(ebml("\x73\xc5", mark[:8])), cluster("")), "unique identifiers"},
		"data track":          {mkvFilm(mkvPictureTrack()+mkvTrackOf(3, 0x21, mark), cluster(mkvFrame(3, 0, mark))), "timed metadata track"},
		"frames of no track":  {mkvFilm(mkvPictureTrack(), cluster(mkvFrame(9, 0, mark))), "frames of no track"},
		"additions":           {mkvFilm(mkvPictureTrack(), group(ebml("\x75\xa1", ebml("\xa6", ebml("\xee", "\x04"), ebml("\xa5", mark))))), "data beside the frames"},
		"codec state":         {mkvFilm(mkvPictureTrack(), group(ebml("\xa4", mark))), "data beside the frames"},
		"long duration":       {mkvFilm(mkvPictureTrack(), group(ebml("\x9b", "\x00"), ebml("\x75\xa2", mark))), "data beside the frames"},
		"checksum":            {mkvFilm(mkvPictureTrack(), ebml("\xbf", mark[:4]), cluster("")), "checksums"},
		"after":               {append(mkvFilm(mkvPictureTrack(), cluster("")), mark...), "data after the video"},
		"before":              {[]byte(mkvHeader("webm") + ebml(mkvVoid, mark) + string(mkvFilm(mkvPictureTrack(), cluster("")))[len(mkvHeader("webm")):]), "unused space"},
		"second information":  {mkvFilm(mkvPictureTrack(), ebml(mkvInfo, ebml("\x7b\xa9", mark)), cluster("")), "there twice"},
		"index":               {mkvFilm(mkvPictureTrack(), cluster(""), ebml("\x1c\x53\xbb\x6b", ebml("\xbb", ebml("\xb3", mark[:8])))), ""},
		"header":              {[]byte(ebml(mkvEBML, ebml("\x42\x82", "webm"), ebml(mkvVoid, mark)) + string(mkvFilm(mkvPictureTrack(), cluster("")))[len(mkvHeader("webm")):]), ""},
		"reserved flags":      {mkvFilm(mkvPictureTrack(), cluster(ebml(mkvBlock, "\x81\x00\x10\x70", "picture between"))), "unknown"},
		"Dolby Vision of two": {mkvFilm(mkvPictureTrack(ebml("\x41\xe4", ebml("\x41\xa4", mark))), cluster("")), "data beside"},
	} {
		t.Run(name, func(t *testing.T) {
			out, r := must(t, c.film)
			if bytes.Contains(out, []byte(mark[:8])) || bytes.Contains(out, []byte(mark[:4])) {
				t.Error("it is still there")
			}
			for _, want := range []string{"picture one", "picture two"} {
				if !bytes.Contains(out, []byte(want)) {
					t.Error("a picture is lost")
				}
			}
			if bytes.Contains(c.film, []byte("between")) && !bytes.Contains(out, []byte("picture between")) {
				t.Error("a picture is lost")
			}
			if !strings.Contains(kinds(r.Receipt), c.kind) {
				t.Errorf("the receipt says %q, not %q", kinds(r.Receipt), c.kind)
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
		})
	}
}

func TestMatroskaWithoutSound(t *testing.T) {
	for name, b := range map[string][]byte{"made": mkvPlain(), "real": film(t, ".webm", "-c:v", "libvpx", "-c:a", "libopus")} {
		r, err := sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), media.WebM, sanitise.Options{DropSound: true})
		if err != nil {
			t.Fatal(name, err)
		}
		out, err := io.ReadAll(r.Clean.Reader())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(kinds(r.Receipt), "sound removed by choice") || bytes.Contains(out, []byte("A_")) || bytes.Contains(out, []byte("sound one")) {
			t.Errorf("%s: %s", name, kinds(r.Receipt))
		}
		if name == "real" && mkvPictures(t, b) != mkvPictures(t, out) {
			t.Error("the pictures differ")
		}
	}
}

// A recorder that does not know how long the film will be leaves sizes open.
func TestMatroskaOfUnknownSizes(t *testing.T) {
	want, _ := must(t, mkvPlain())
	two := mkvFrame(1, 0, "picture one") + mkvFrame(2, 0, "sound one")
	tracks := ebml(mkvTracks, mkvPictureTrack()+mkvSoundTrack())
	for name, rest := range map[string]string{
		"segment":              ebml(mkvCluster, ebml("\xe7", "\x00"), two, mkvFrame(1, 40, "picture two")),
		"cluster":              mkvCluster + mkvUnknown + ebml("\xe7", "\x00") + two + mkvFrame(1, 40, "picture two"),
		"size of one byte":     mkvCluster + "\xff" + ebml("\xe7", "\x00") + two + mkvFrame(1, 40, "picture two"),
		"cluster before cues":  mkvCluster + mkvUnknown + ebml("\xe7", "\x00") + two + mkvFrame(1, 40, "picture two") + ebml("\x1c\x53\xbb\x6b", ""),
		"cluster with a void":  mkvCluster + mkvUnknown + ebml("\xe7", "\x00") + two + ebml(mkvVoid, "x") + mkvFrame(1, 40, "picture two"),
		"cluster before empty": mkvCluster + mkvUnknown + ebml("\xe7", "\x00") + two + mkvFrame(1, 40, "picture two") + mkvCluster + mkvUnknown + ebml("\xe7", "\x09"),
	} {
		b := []byte(mkvHeader("webm") + mkvSegment + mkvUnknown + tracks + rest)
		if out, _ := must(t, b); !bytes.Equal(out, want) {
			t.Errorf("%s: it is not the same film", name)
		}
	}
}

func TestMatroskaTimesCountFromTheStart(t *testing.T) {
	since1970 := "\x01\x95\x4f\x00\x00\x00" // milliseconds: a day in 2025
	b := mkvFilm(mkvPictureTrack(), ebml(mkvCluster, ebml("\xe7", since1970), mkvFrame(1, 0, "one")), ebml(mkvCluster, ebml("\xe7", "\x01\x95\x4f\x00\x00\x64"), mkvFrame(1, 0, "two"), mkvFrame(1, 50, "three")))
	out, _ := must(t, b)
	if bytes.Contains(out, []byte("\x95\x4f")) {
		t.Error("the day can be told")
	}
	if !bytes.Contains(out, []byte("\xe7\x81\x00")) || !bytes.Contains(out, []byte("\xe7\x81\x64")) {
		t.Error("the clusters are not a tenth of a second apart")
	}
	if !bytes.Contains(out, append([]byte("\x44\x89\x88"), binary.BigEndian.AppendUint64(nil, math.Float64bits(150))...)) {
		t.Error("the length is not 150 ticks")
	}
}

func TestMatroskaTruncated(t *testing.T) {
	live := mkvHeader("matroska") + mkvSegment + mkvUnknown + ebml(mkvTracks, mkvPictureTrack()) + mkvCluster + mkvUnknown + ebml("\xe7", "\x00")
	whole := map[int]bool{}
	for i := range 3 {
		live += mkvFrame(1, int16(i*40), "picture")
		whole[len(live)] = true
	}
	for name, b := range map[string][]byte{"sized": mkvPlain(), "live": []byte(live)} {
		for n := 4; n < len(b); n++ {
			_, _, err := clean(t, b[:n])
			switch {
			case err == nil && name == "live" && whole[n]: // cut between two frames is as a shorter film
			case err == nil:
				t.Fatalf("%s: %d of %d bytes are accepted", name, n, len(b))
			case fault.From(err).Code != "media-truncated":
				t.Fatalf("%s: %d of %d bytes: %v", name, n, len(b), err)
			}
		}
	}
}

func TestMatroskaRefusals(t *testing.T) {
	one := ebml(mkvCluster, ebml("\xe7", "\x00"), mkvFrame(1, 0, "picture"))
	codec := func(name string) string { return mkvTrackOf(1, 1, name, ebml(mkvVideo, mkvPixels)) }
	size := func(w, h string) string {
		return mkvTrackOf(1, 1, "V_VP8", ebml(mkvVideo, ebml("\xb0", w), ebml("\xba", h)))
	}
	packed := func(body ...string) string { return ebml("\x6d\x80", ebml("\x62\x40", body...)) }
	huge := "\x01\xff\xff\xff\xff\xff\xff\xfe"
	for name, c := range map[string]struct {
		film []byte
		code string
	}{
		"sound alone":         {mkvFilm(mkvSoundTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), mkvFrame(2, 0, "sound"))), "media-no-pictures"},
		"no frame":            {mkvFilm(mkvPictureTrack()), "media-truncated"},
		"sound without":       {mkvFilm(mkvPictureTrack()+mkvSoundTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), mkvFrame(2, 0, "sound"))), "media-truncated"},
		"two files":           {append(mkvPlain(), mkvPlain()...), "media-several"},
		"two segments":        {append(mkvPlain(), ebml(mkvSegment, one)...), "media-several"},
		"two live":            {[]byte(mkvHeader("webm") + mkvSegment + mkvUnknown + ebml(mkvTracks, mkvPictureTrack()) + one + mkvHeader("webm")), "media-several"},
		"encrypted":           {mkvFilm(mkvPictureTrack(packed(ebml("\x50\x33", "\x01"))), one), "media-protected"},
		"encrypted block":     {mkvFilm(mkvPictureTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), ebml("\xaf", "x"))), "media-protected"},
		"unknown packing":     {mkvFilm(mkvPictureTrack(packed(ebml("\x50\x34", ebml("\x42\x54", "\x02")))), one), "media-structure"},
		"packed twice":        {mkvFilm(mkvPictureTrack(ebml("\x6d\x80", ebml("\x62\x40"), ebml("\x62\x40"))), one), "media-structure"},
		"unknown codec":       {mkvFilm(codec("V_NEW"), one), "media-codec"},
		"H.264 without":       {mkvFilm(codec("V_MPEG4/ISO/AVC"), one), "media-damaged"},
		"no size":             {mkvFilm(mkvTrackOf(1, 1, "V_VP8", ebml(mkvVideo)), one), "media-damaged"},
		"huge picture":        {mkvFilm(size("\xff\xff", "\xff\xff"), one), "media-too-many-pixels"},
		"endless picture":     {mkvFilm(size("\xff\xff\xff\xff\xff\xff\xff\xff", "\x30"), one), "media-too-many-pixels"},
		"track twice":         {mkvFilm(mkvPictureTrack()+mkvPictureTrack(), one), "media-damaged"},
		"clusters first":      {[]byte(mkvHeader("webm") + ebml(mkvSegment, one, ebml(mkvTracks, mkvPictureTrack()))), "media-structure"},
		"no time":             {mkvFilm(mkvPictureTrack(), ebml(mkvCluster, mkvFrame(1, 0, "x"))), "media-damaged"},
		"other document":      {bytes.Replace(mkvPlain(), []byte("webm"), []byte("well"), 1), "media-structure"},
		"new version":         {bytes.Replace(mkvPlain(), []byte("\x42\x85\x01\x00\x00\x00\x00\x00\x00\x01\x02"), []byte("\x42\x85\x01\x00\x00\x00\x00\x00\x00\x01\x09"), 1), "media-structure"},
		"huge element":        {mkvFilm(mkvPictureTrack(), "\x4a\xbc"+huge), "media-truncated"},
		"huge cluster":        {mkvFilm(mkvPictureTrack(), mkvCluster+huge), "media-truncated"},
		"huge segment":        {[]byte(mkvHeader("webm") + mkvSegment + huge), "media-truncated"},
		"huge tracks":         {[]byte(mkvHeader("webm") + mkvSegment + mkvUnknown + mkvTracks + huge), "media-truncated"},
		"open group":          {mkvFilm(mkvPictureTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), mkvGroup+mkvUnknown)), "media-damaged"},
		"element too long":    {mkvFilm(mkvPictureTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), mkvBlock+"\xa0xx"), ebml(mkvVoid, strings.Repeat("x", 100))), "media-damaged"},
		"group without block": {mkvFilm(mkvPictureTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), ebml(mkvGroup, ebml("\x9b", "\x01")))), "media-damaged"},
		"short block":         {mkvFilm(mkvPictureTrack(), ebml(mkvCluster, ebml("\xe7", "\x00"), ebml(mkvBlock, "\x81\x00"))), "media-damaged"},
		"no element":          {mkvFilm(mkvPictureTrack(), "\x00\x00\x00\x00", one), "media-damaged"},
	} {
		if _, _, err := clean(t, c.film); err == nil || fault.From(err).Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// A film of a million elements that say nothing is walked in little memory.
func TestMatroskaOfManyElements(t *testing.T) {
	void, block := "\xec\x80", "\xa3\x84\x81\x00\x00\x80"
	lists := map[string]string{
		"voids":           ebml(mkvCluster, ebml("\xe7", "\x00"), mkvFrame(1, 0, "x"), strings.Repeat(void, 1_000_000)),
		"blocks":          ebml(mkvCluster, ebml("\xe7", "\x00"), strings.Repeat(block, 1_000_000)),
		"blocks and void": ebml(mkvCluster, ebml("\xe7", "\x00"), strings.Repeat(block+void, 399_999)),
		"too many pieces": ebml(mkvCluster, ebml("\xe7", "\x00"), strings.Repeat(block+void, 500_000)),
		"clusters":        strings.Repeat(mkvCluster+"\x89\xe7\x81\x00"+block, 119_999),
		"empty clusters":  strings.Repeat(mkvCluster+"\x83\xe7\x81\x00", 300_000),
		"top":             strings.Repeat(void, 1_000_000),
	}
	for name, rest := range lists {
		b := mkvFilm(mkvPictureTrack(), rest)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f, err := sniff.Format(b[:4096])
		if err != nil {
			t.Fatal(err)
		}
		_, err = sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), f, sanitise.Options{})
		runtime.ReadMemStats(&after)
		if wants := map[string]bool{"voids": true, "blocks": true, "blocks and void": true, "clusters": true}[name]; (err == nil) != wants {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 192<<20 {
			t.Errorf("%s: %d MB allocated in all", name, n>>20)
		} else {
			t.Logf("%s: %d MB allocated in all", name, n>>20)
		}
	}
}

// A picture of H.264, and a text beside it.
const (
	mkvSlice = "\x00\x00\x00\x05\x65slic"
	mkvSEI   = "\x00\x00\x00\x22\x06\x05\x1e0123456789abcdefMARKER-MARKER.\x80"
)

// mkvLaced is a film of one block, its frames laced by what the flags say.
func mkvLaced(flags byte, head string, frames ...string) []byte {
	settings := "\x01\x42\x00\x1e\xff\xe1\x00\x04\x67\x42\x00\x1e\x01\x00\x04\x68\xce\x38\x80"
	pictures := mkvTrackOf(1, 1, "V_MPEG4/ISO/AVC", ebml("\x63\xa2", settings), ebml(mkvVideo, mkvPixels))
	return mkvFilm(pictures, ebml(mkvCluster, ebml("\xe7", "\x00"), ebml(mkvBlock, "\x81\x00\x00", string([]byte{0x80 | flags}), head, strings.Join(frames, ""))))
}

// Frames that are laced are looked into one by one.
func TestMatroskaLacedUnits(t *testing.T) {
	n := len(mkvSEI + mkvSlice)
	for name, b := range map[string][]byte{
		"none":  mkvLaced(0, "", mkvSEI+mkvSlice),
		"Xiph":  mkvLaced(2, "\x01"+string([]byte{byte(n)}), mkvSEI+mkvSlice, mkvSlice),
		"fixed": mkvLaced(4, "\x01", mkvSEI+mkvSlice, mkvSEI+mkvSlice),
		"EBML":  mkvLaced(6, "\x02"+string([]byte{0x80 | byte(n), 0xbf}), mkvSEI+mkvSlice, mkvSEI+mkvSlice, mkvSlice),
	} {
		out, r := must(t, b)
		if bytes.Contains(out, []byte("MARKER")) {
			t.Errorf("%s: a text is still there", name)
		}
		if !strings.Contains(kinds(r.Receipt), "video stream") {
			t.Errorf("%s: %s", name, kinds(r.Receipt))
		}
		if !bytes.Contains(out, []byte("slic")) {
			t.Errorf("%s: a picture is lost", name)
		}
	}
	if _, _, err := clean(t, mkvLaced(6, "\x02\xff\xbf", mkvSEI)); err == nil {
		t.Error("frames longer than their block are accepted")
	}
}

// Chromium recorded H.264 for years with start codes, and without settings.
func TestMatroskaOfStartCodes(t *testing.T) {
	film := func(frames ...string) []byte {
		var blocks string
		for i, f := range frames {
			blocks += mkvFrame(1, int16(100*i), f)
		}
		return mkvFilm(mkvTrackOf(1, 1, "V_MPEG4/ISO/AVC", ebml(mkvVideo, "\xb0\x81\xa0\xba\x81\x78")), ebml(mkvCluster, ebml("\xe7", "\x00"), blocks))
	}
	const start = "\x00\x00\x00\x01\x09"
	var frames []string
	stream := recorded(t, ".h264", "-c:v", "libx264", "-x264opts", "aud=1", "-bf", "0", "-pix_fmt", "yuv420p", "-bsf:v", "h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+MARKER-TEXT")
	for _, f := range strings.Split(string(stream), start)[1:] {
		frames = append(frames, start+f)
	}
	b := film(frames...)
	out, r := must(t, b)
	if bytes.Contains(out, []byte("MARKER")) || bytes.Contains(out, []byte("x264")) || !strings.Contains(kinds(r.Receipt), "video stream") {
		t.Errorf("a text is left: %s", kinds(r.Receipt))
	}
	if was, is := mkvPictures(t, b), mkvPictures(t, out); was != is || strings.Count(was, "\n") < 10 {
		t.Error("the pictures differ, or are few")
	}
	if again, _ := must(t, out); !bytes.Equal(again, out) {
		t.Error("cleaning it again changes it")
	}
	for name, frame := range map[string]string{"words before the first unit": "MARKER" + frames[0], "no unit": "MARKER"} {
		if _, _, err := clean(t, film(frame)); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

// Whatever is changed in a film, it is refused or verified, within bounds.
func TestDamagedMatroska(t *testing.T) {
	b := film(t, ".mkv", "-c:v", "libx264", "-preset", "ultrafast")
	r := rand.New(rand.NewPCG(1, 2))
	accepted := 0
	for i := range 3000 {
		x := bytes.Clone(b)
		for range 1 + i%3 {
			at := r.IntN(2000)
			x[at] = byte(r.Uint32())
		}
		out, _, err := clean(t, x)
		if err == nil {
			accepted++
		}
		if err == nil && bytes.Contains(out, []byte("MARKER")) {
			t.Fatalf("change %d: a trace is left", i)
		}
		if err != nil && fault.From(err).Kind == fault.Internal {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	if accepted == 0 {
		t.Error("no change at all is accepted")
	}
}

// Every film of the shared corpus, where there is one.
func TestMatroskaCorpus(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/corpus/mkv/*.mkv")
	more, _ := filepath.Glob("../../../shared/corpus/webm/*")
	for _, path := range append(files, more...) {
		name := filepath.Base(path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := clean(t, b)
		if slices.Contains([]string{"9781505f-Matroska.mkv", "aa219017-full_blocks.mkv"}, name) { // cut off; subtitles alone
			if err == nil {
				t.Errorf("%s is accepted", name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if again, _ := must(t, out); !bytes.Equal(again, out) {
			t.Errorf("%s: cleaning it again changes it", name)
		}
	}
}

func FuzzMatroska(f *testing.F) {
	group := ebml(mkvGroup, ebml("\xa1", "\x81\x00\x10\x00", "x"), ebml("\x9b", "\x01"), ebml("\xfb", "\xf0"), ebml("\x75\xa1", ebml("\xa6", ebml("\xee", "\x01"), ebml("\xa5", "x"))))
	odd := mkvFilm(mkvTrackOf(1, 1, "V_VP9", ebml("\x63\xa2", "\x01\x01\x00"), ebml(mkvVideo, mkvPixels, ebml("\x53\xc0", "\x01"), ebml("\x55\xb0", ebml("\x55\xb1", "\x09")), ebml("\x76\x70", ebml("\x76\x71", "\x00")))),
		mkvCluster+mkvUnknown+ebml("\xe7", "\x05"), group, mkvFrame(1, 0, "x"))
	fuzz(f, func() [][]byte {
		return [][]byte{mkvPlain(), odd, mkvLaced(6, "\x02"+string([]byte{0x80 | byte(len(mkvSEI+mkvSlice)), 0xbf}), mkvSEI+mkvSlice, mkvSEI+mkvSlice, mkvSlice), film(f, ".webm", "-c:v", "libvpx", "-c:a", "libopus", "-live", "1"), film(f, ".mkv", "-c:v", "libx264", "-preset", "ultrafast", "-t", "0.3")}
	})
}
