package sanitise_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/test/servers"
)

// recorded makes a video with arguments of ffmpeg's own.
func recorded(t testing.TB, ext string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film"+ext)
	cmd := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=1.2", "-f", "lavfi", "-i", "sine=duration=1.2", "-map", "0:v"}, args...)
	if out, err := exec.Command(servers.Binary(t, "ffmpeg"), append(cmd, path)...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frames is the hash of each decoded picture and when it is shown, and the
// packets of the film's sound, if it has any.
func frames(t testing.TB, b []byte) (pictures, sound string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (lines string) {
		out, _ := exec.Command(servers.Binary(t, "ffmpeg"), append(append([]string{"-v", "error", "-i", path}, args...), "-f", "framehash", "-")...).Output()
		for line := range strings.Lines(string(out)) {
			if c := strings.Split(line, ","); len(c) == 6 { // all but how long it lasts, at which ffmpeg guesses in fragments
				lines += c[1] + c[2] + c[4] + c[5]
			}
		}
		return lines
	}
	pictures = run("-map", "0:v")
	if strings.Count(pictures, "\n") < 10 {
		t.Fatalf("few pictures:\n%s", pictures)
	}
	return pictures, run("-map", "0:a", "-c", "copy")
}

// contents is frames without their times.
func contents(lines string) (hashes string) {
	for line := range strings.Lines(lines) {
		hashes += line[strings.LastIndex(line, " "):]
	}
	return hashes
}

const h264Text = "filter_units=remove_types=6,h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+MARKER-TEXT"

func TestTextBetweenPictures(t *testing.T) {
	for name, b := range map[string][]byte{
		"H.264":            recorded(t, ".mp4", "-map", "1:a", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-flags:a", "+bitexact", "-bsf:v", h264Text),
		"H.264 with clock": recorded(t, ".mov", "-c:v", "libx264", "-x264opts", "nal-hrd=vbr:vbv-maxrate=300:vbv-bufsize=300:pic-struct:interlaced", "-bsf:v", h264Text),
		"H.265":            recorded(t, ".mp4", "-c:v", "libx265", "-x265-params", "log-level=none:repeat-headers=1:hash=1", "-tag:v", "hvc1"),
		"Motion JPEG":      recorded(t, ".mov", "-c:v", "mjpeg"),
		"MPEG-2":           recorded(t, ".mov", "-c:v", "mpeg2video"),
		"AV1":              recorded(t, ".mp4", "-c:v", "libaom-av1", "-cpu-used", "8"),
		"H.263":            recorded(t, ".3gp", "-s", "176x144", "-c:v", "h263"),
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := must(t, b)
			for _, mark := range []string{"MARKER", "x264", "x265", "Lavf", "Lavc"} {
				if bytes.Contains(out, []byte(mark)) {
					t.Errorf("%s is left", mark)
				}
			}
			was, wasSound := frames(t, b)
			is, isSound := frames(t, out)
			if was != is || wasSound != isSound {
				t.Error("pictures or sound differ")
			}
			again, r := must(t, out)
			if !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if len(r.Receipt.Removed) > 0 {
				t.Errorf("of the clean film are gone: %s", kinds(r.Receipt))
			}
		})
	}
}

// A film in fragments becomes an ordinary one that plays the same at the same times.
func TestFragmentedFilms(t *testing.T) {
	h264 := []string{"-map", "1:a", "-c:v", "libx264", "-g", "5", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac", "-metadata", "title=MARKER"}
	for name, flags := range map[string]string{
		"base is moof":               "frag_keyframe+empty_moov+default_base_moof",
		"base offsets":               "frag_keyframe+empty_moov",
		"first samples in the movie": "frag_keyframe",
		"DASH":                       "dash+frag_keyframe+global_sidx",
		"CMAF, negative shifts":      "cmaf+frag_every_frame",
		"negative shifts":            "frag_keyframe+empty_moov+negative_cts_offsets",
		"separate":                   "frag_keyframe+empty_moov+separate_moof",
	} {
		t.Run(name, func(t *testing.T) {
			b := recorded(t, ".mp4", append(h264, "-movflags", flags)...)
			out, r := must(t, b)
			if bytes.Contains(out, []byte("moof")) || bytes.Contains(out, []byte("MARKER")) || bytes.Contains(out, []byte("Lavf")) {
				t.Error("a trace is left")
			}
			was, wasSound := frames(t, b)
			is, isSound := frames(t, out)
			if strings.HasSuffix(name, "negative shifts") { // ffmpeg does not apply them to fragments: it shows all a picture late
				was, is = contents(was), contents(is)
			}
			if was != is || wasSound != isSound {
				t.Error("pictures, sound or times differ")
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
			if !strings.Contains(kinds(r.Receipt), "fragment") {
				t.Error(kinds(r.Receipt))
			}
		})
	}
}

func TestSoundIsRemovedByChoice(t *testing.T) {
	for name, b := range map[string][]byte{
		"ordinary":   recorded(t, ".mp4", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "aac"),
		"fragmented": recorded(t, ".mp4", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
		"QuickTime":  recorded(t, ".mov", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "pcm_s16le"),
	} {
		t.Run(name, func(t *testing.T) {
			format, err := sniff.Format(b)
			if err != nil {
				t.Fatal(err)
			}
			r, err := sanitise.File(t.Context(), bytes.NewReader(b), int64(len(b)), format, sanitise.Options{DropSound: true})
			if err != nil {
				t.Fatal(err)
			}
			out := make([]byte, r.Clean.Size())
			if _, err := r.Clean.Reader().Read(out); err != nil {
				t.Fatal(err)
			}
			was, wasSound := frames(t, b)
			is, isSound := frames(t, out)
			if was != is {
				t.Error("the pictures differ")
			}
			if wasSound == "" || isSound != "" {
				t.Error("there is sound")
			}
			if !strings.Contains(kinds(r.Receipt), "sound removed by choice") || len(r.Receipt.Kept) > 0 {
				t.Errorf("the receipt: %s, %v", kinds(r.Receipt), r.Receipt.Kept)
			}
			with, rest := must(t, b)
			if len(out) >= len(with) || len(rest.Receipt.Kept) != 1 || rest.Receipt.Kept[0].Kind != "sound" {
				t.Errorf("with sound: %d bytes, without: %d; kept %v", len(with), len(out), rest.Receipt.Kept)
			}
		})
	}
}

func bx(typ string, parts ...string) string {
	body := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))) + typ + body
}

func u32(n ...uint32) (s string) {
	for _, x := range n {
		s += string(binary.BigEndian.AppendUint32(nil, x))
	}
	return s
}

// built is a small film with the given tables, and what may follow them in moov.
func built(tables, more string) string {
	entry := bx("s263", "\x00\x00\x00\x00\x00\x00\x00\x01", strings.Repeat("\x00", 16), "\x00\xb0\x00\x90\x00\x48\x00\x00\x00\x48\x00\x00\x00\x00\x00\x00\x00\x01", strings.Repeat("\x00", 32), "\x00\x18\xff\xff")
	return bx("ftyp", "isom", u32(0)) + bx("moov", bx("mvhd", u32(0, 0, 0, 1000, 0, 1<<16), strings.Repeat("\x00", 76)),
		bx("trak", bx("tkhd", u32(7, 0, 0, 1, 0, 0), strings.Repeat("\x00", 60)),
			bx("mdia", bx("mdhd", u32(0, 0, 0, 1000, 0, 0)), bx("hdlr", u32(0, 0), "vide", strings.Repeat("\x00", 13)),
				bx("minf", bx("vmhd", u32(1, 0, 0)), bx("stbl", bx("stsd", u32(0, 1), entry), tables)))), more)
}

// inTrack puts a box into the track of a film.
func inTrack(film, more string) string {
	at := strings.Index(film, "trak") + 4
	b := []byte(film[:at] + more + film[at:])
	for _, typ := range []string{"moov", "trak"} {
		size := b[bytes.Index(b, []byte(typ))-4:]
		binary.BigEndian.PutUint32(size, binary.BigEndian.Uint32(size)+uint32(len(more)))
	}
	return string(b)
}

var noTables = bx("stts", u32(0, 0)) + bx("stsc", u32(0, 0)) + bx("stsz", u32(0, 0, 0)) + bx("stco", u32(0, 0))

// Files that are made to hurt are refused with a reason, in little memory.
func TestHostileFilms(t *testing.T) {
	trex := bx("mvex", bx("trex", u32(0, 1, 1, 1, 0, 0)))
	run := func(tfhd, trun string) string {
		return built(noTables, trex) + bx("moof", bx("mfhd", u32(0, 1)), bx("traf", bx("tfhd", tfhd), bx("trun", trun))) + bx("mdat", "pixels")
	}
	var same, parts strings.Builder
	for range 200_000 {
		same.WriteString(u32(100_000))
		parts.WriteString(u32(8) + "free")
	}
	overlap := built(bx("stts", u32(0, 1, 200_000, 1))+bx("stsc", u32(0, 1, 1, 1, 1))+bx("stsz", u32(0, 0, 200_000), same.String())+bx("stco", u32(0, 200_000), same.String()), "") + bx("mdat", strings.Repeat("\x00\x00\x00\x01", 100_000))
	overlap = strings.Replace(strings.Replace(overlap, "s263", "avc1", 1), "\x00\x18\xff\xff", "\x00\x18\xff\xff"+bx("avcC", "\x01\x42\x00\x1e\xff\xe0\x00"), 1)
	million := func(at int) string {
		return built(bx("stts", u32(0, 1, 1_000_000, 1))+bx("stsc", u32(0, 1, 1, 1, 1))+bx("stsz", u32(0, 1, 1_000_000))+bx("stco", u32(0, 1_000_000), strings.Repeat(u32(uint32(at), uint32(at+2)), 500_000)), "") + bx("mdat", "pixels")
	}
	for name, c := range map[string]string{
		"size of 2^63":           bx("ftyp", "isom", u32(0)) + u32(1) + "moov" + u32(1<<31, 0),
		"size of less":           bx("ftyp", "isom", u32(0)) + u32(3) + "moov",
		"size of nothing":        bx("ftyp", "isom", u32(0)) + u32(0) + "moov",
		"a million tiny boxes":   bx("ftyp", "isom", u32(0)) + strings.Repeat(parts.String(), 5),
		"tiny boxes inside":      bx("ftyp", "isom", u32(0)) + bx("moov", parts.String()),
		"deep boxes":             bx("ftyp", "isom", u32(0)) + deep("moov", 5000),
		"2^32 samples of a run":  run(u32(0x20000, 1), u32(0, math.MaxUint32)),
		"2^32 sizes of a run":    run(u32(0x20000, 1), u32(0x200, math.MaxUint32)),
		"data offset of -2^31":   run(u32(0x20000, 1), u32(0x201, 1, 1<<31, 5)),
		"base of 2^63":           run(u32(1, 1, 1<<31, 0), u32(0x201, 1, 0, 5)),
		"samples in the movie":   run(u32(0x20000, 1), u32(0x201, 1, 40, 5)),
		"2^32 and fragments":     strings.Replace(run(u32(0x20000, 1), u32(0x201, 1, 88, 5)), "stsz"+u32(0, 0, 0), "stsz"+u32(0, 1, math.MaxUint32), 1),
		"samples past the end":   run(u32(0x20000, 1), u32(0x201, 1, 40, 1<<30)),
		"no track":               run(u32(0x20000, 7), u32(0x201, 1, 40, 5)),
		"2^32 fixed samples":     built(bx("stts", u32(0, 1, math.MaxUint32, 1))+bx("stsc", u32(0, 1, 1, math.MaxUint32, 1))+bx("stsz", u32(0, 1, math.MaxUint32))+bx("stco", u32(0, 1, 100)), "") + bx("mdat", "pixels"),
		"2^32 sizes":             built(bx("stts", u32(0, 0))+bx("stsc", u32(0, 1, 1, 1, 1))+bx("stsz", u32(0, 0, math.MaxUint32))+bx("stco", u32(0, 1, 100)), "") + bx("mdat", "pixels"),
		"2^32 rows":              built(bx("stts", u32(0, math.MaxUint32))+bx("stsc", u32(0, 1, 1, 1, 1))+bx("stsz", u32(0, 0, 0))+bx("stco", u32(0, 0)), "") + bx("mdat", "pixels"),
		"chunks in wrong order":  built(bx("stts", u32(0, 0))+bx("stsc", u32(0, 2, 2, 1, 1, 1, 1, 1))+bx("stsz", u32(0, 5, 2))+bx("stco", u32(0, 2, 100, 100)), "") + bx("mdat", "pixels"),
		"overlaid samples":       overlap,
		"fragments and no data":  built(noTables, trex) + strings.Repeat(bx("moof", bx("mfhd", u32(0, 1))), 150_000),
		"a million chunks":       million(strings.Index(million(0), "pixels")),
		"a million edits":        inTrack(built(noTables, ""), bx("edts", bx("elst", u32(0, 1_000_000), strings.Repeat(u32(1, 1, 1<<16), 1_000_000)))) + bx("mdat", "pixels"),
		"many movies":            built(noTables, "") + built(noTables, "") + bx("mdat", "pixels"),
		"fragment without movie": bx("ftyp", "isom", u32(0)) + bx("moof", bx("mfhd", u32(0, 1))) + bx("mdat", "pixels"),
	} {
		t.Run(name, func(t *testing.T) {
			b := []byte(c)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := clean(t, b)
			runtime.ReadMemStats(&after)
			if e := fault.From(err); err == nil || e.Kind == fault.Internal {
				t.Errorf("%v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
				t.Errorf("it took %d MB", used>>20)
			}
		})
	}
	// The film that these are changes of is one.
	whole := func(at int) string {
		return built(bx("stts", u32(0, 1, 1, 1))+bx("stsc", u32(0, 1, 1, 1, 1))+bx("stsz", u32(0, 6, 1))+bx("stco", u32(0, 1, uint32(at))), "") + bx("mdat", "pixels and a tail")
	}
	out, _ := must(t, []byte(whole(strings.Index(whole(0), "pixels"))))
	if !bytes.HasSuffix(out, []byte("mdatpixels")) {
		t.Errorf("%q", out)
	}
}

func deep(typ string, n int) string {
	s := ""
	for range n {
		s = bx(typ, s)
	}
	return s
}

func FuzzBMFF(f *testing.F) {
	trex := bx("mvex", bx("trex", u32(0, 1, 1, 1, 0, 0)))
	fuzz(f, func() [][]byte {
		return [][]byte{film(f, ".mp4"), film(f, ".mov"), film(f, ".mp4", "-movflags", "frag_keyframe+empty_moov"),
			[]byte(built(bx("stts", u32(0, 1, 1, 1))+bx("stsc", u32(0, 1, 1, 1, 1))+bx("stsz", u32(0, 6, 1))+bx("stco", u32(0, 1, 484)), "") + bx("mdat", "pixels and a tail")),
			[]byte(built(noTables, trex) + bx("moof", bx("mfhd", u32(0, 1)), bx("traf", bx("tfhd", u32(0x20000, 1)), bx("tfdt", u32(0, 5)), bx("trun", u32(0x201, 1, 88, 6)))) + bx("mdat", "pixels and a tail"))}
	})
}

// Pictures and titles of chapters, and the words of FLAC, go.
func TestChaptersAndComments(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "chapters.txt")
	if err := os.WriteFile(list, []byte(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=600\ntitle=MARKER-ONE\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=600\nEND=1200\ntitle=MARKER-TWO\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	film, with := filepath.Join(dir, "film.mp4"), filepath.Join(dir, "with.mp4")
	if err := os.WriteFile(film, recorded(t, ".mp4", "-map", "1:a", "-c:v", "mpeg4", "-c:a", "flac", "-strict", "-2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(servers.Binary(t, "ffmpeg"), "-v", "error", "-i", film, "-i", list, "-map", "0", "-map_chapters", "1", "-c", "copy", "-strict", "-2", with).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	b, err := os.ReadFile(with)
	if err != nil {
		t.Fatal(err)
	}
	out, r := must(t, b)
	if bytes.Contains(out, []byte("MARKER")) || !strings.Contains(kinds(r.Receipt), "chapters") {
		t.Errorf("the receipt: %s", kinds(r.Receipt))
	}
	was, wasSound := frames(t, b)
	is, isSound := frames(t, out)
	if was != is || wasSound != isSound || wasSound == "" {
		t.Error("pictures or sound differ")
	}
}

// Encoders write their name into the settings of sound whose channels are
// described one by one.
func TestNamesInTheSettingsOfSound(t *testing.T) {
	for _, ext := range []string{".mp4", ".mov", ".mkv"} {
		b := recorded(t, ext, "-map", "1:a", "-c:v", "mpeg4", "-af", "pan=2.1|c0=c0|c1=c0|c2=c0", "-c:a", "aac")
		out, r := must(t, b)
		if name := regexp.MustCompile(`Lavc[0-9.]+V`); !name.Match(b) || name.Match(out) { // V starts what follows in the settings
			t.Errorf("%s: the name was there: %v, and is: %v", ext, name.Match(b), name.Match(out))
		}
		if !strings.Contains(kinds(r.Receipt), "texts in the decoder settings") {
			t.Errorf("%s: %s", ext, kinds(r.Receipt))
		}
		if was, is := heard(t, b), heard(t, out); was != is {
			t.Errorf("%s: the sound differs", ext)
		}
	}
}
