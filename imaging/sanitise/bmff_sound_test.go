package sanitise_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// heard is the hash of a film's decoded sound.
func heard(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(servers.Binary(t, "ffmpeg"), "-v", "error", "-i", path, "-map", "0:a", "-f", "md5", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// inMoments writes the tables of a film's sound as QuickTime does: each moment
// is a sample of size 1.
func inMoments(t testing.TB, film []byte, moments uint32) []byte {
	t.Helper()
	film = bytes.Clone(film)
	sound := film[bytes.LastIndex(film, []byte("mhlrsoun")):]
	body := func(typ string) []byte { return sound[bytes.Index(sound, []byte(typ))+4:] }
	u32, put := binary.BigEndian.Uint32, binary.BigEndian.PutUint32
	stts, stsc, stsz := body("stts"), body("stsc"), body("stsz")
	if u32(stts[4:]) != 1 || u32(stts[12:]) != moments || u32(stsz[4:]) < 2 {
		t.Fatal("the film is not as expected")
	}
	put(stts[8:], u32(stts[8:])*moments)
	put(stts[12:], 1)
	put(stsz[8:], u32(stsz[8:])*moments)
	put(stsz[4:], 1)
	for row := range u32(stsc[4:]) {
		put(stsc[12+12*row:], u32(stsc[12+12*row:])*moments)
	}
	return film
}

// QuickTime counts moments of sound and says 1 for the size of each: the sound
// is kept whole all the same, and nothing else with it.
func TestSoundCountedInMoments(t *testing.T) {
	for name, c := range map[string]struct {
		codec   string
		moments uint32
	}{"plain": {"pcm_s16le", 1}, "plain of 24 bits": {"pcm_s24be", 1}, "IMA 4:1": {"adpcm_ima_qt", 64}} {
		t.Run(name, func(t *testing.T) {
			usual := recorded(t, ".mov", "-map", "1:a", "-c:v", "mpeg4", "-c:a", c.codec)
			b := inMoments(t, usual, c.moments)
			out, _ := must(t, b)
			if was, is := heard(t, b), heard(t, out); was != is || was != heard(t, usual) {
				t.Errorf("the sound was %s and is %s", was, is)
			}
			if want, _ := must(t, usual); len(out) != len(want) {
				t.Errorf("%d bytes, and %d where packets are counted", len(out), len(want))
			}
			if again, _ := must(t, out); !bytes.Equal(again, out) {
				t.Error("cleaning it again changes it")
			}
		})
	}
}
