package failure

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/media"
)

// picture is a photo with details that no other has.
type picture struct {
	file, clean []byte // as the phone made it, and what is kept of it
	note, site  string
}

// photo makes a picture of noise, w by w pixels, with a comment in it and so
// many bytes behind its end, which are not kept.
func photo(t *testing.T, w, behind int) picture {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, w, w))
	_, _ = rand.Read(img.Pix)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	mark := rand.Text()
	comment := "comment of the phone " + mark
	file := []byte{0xff, 0xd8, 0xff, 0xfe, 0, byte(len(comment) + 2)}
	file = append(append(file, comment...), out.Bytes()[2:]...)
	more := make([]byte, behind)
	_, _ = rand.Read(more)
	p := picture{file: append(file, more...), note: "note of the nurse " + mark, site: "heel of " + mark}
	r, err := sanitise.File(t.Context(), bytes.NewReader(p.file), int64(len(p.file)), media.JPEG, sanitise.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p.clean, err = io.ReadAll(r.Clean.Reader()); err != nil {
		t.Fatal(err)
	}
	a, err1 := jpeg.Decode(bytes.NewReader(p.file))
	b, err2 := jpeg.Decode(bytes.NewReader(p.clean))
	if err1 != nil || err2 != nil || !bytes.Equal(a.(*image.Gray).Pix, b.(*image.Gray).Pix) || bytes.Contains(p.clean, []byte(mark)) {
		t.Fatalf("the picture is not what it was: %v, %v", err1, err2)
	}
	return p
}

// readable is what a thief could read: windows of what was never to be on a
// disk in the clear.
type readable struct {
	mu      sync.Mutex
	windows map[uint64][][]byte // by their first eight bytes
	n       int
}

func (r *readable) add(what ...[]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.windows == nil {
		r.windows = map[uint64][][]byte{}
	}
	for _, w := range what {
		k := binary.NativeEndian.Uint64(w)
		r.windows[k] = append(r.windows[k], w)
		r.n++
	}
}

// of adds a picture's texts and pieces of its pixels and of what is behind them.
func (r *readable) of(p picture) {
	r.add([]byte(p.note), []byte(p.site), p.file[6:40])
	for _, at := range []int{len(p.clean) / 2, len(p.clean) * 3 / 4, len(p.file) - 40} {
		r.add(p.file[at : at+24])
	}
}

// search looks for all windows in every file under the folders, and gives what
// it found and how many bytes it read.
func (r *readable) search(t *testing.T, folders ...string) (found []string, read int64) {
	t.Helper()
	for _, dir := range folders {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil // of a server that still runs
			}
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				return err
			}
			read += int64(len(b))
			if what := r.in(b); what != "" {
				found = append(found, what+" in "+e.Name())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found, read
}

func (r *readable) in(b []byte) string {
	for i := 0; i+8 <= len(b); i++ {
		for _, w := range r.windows[binary.NativeEndian.Uint64(b[i:])] {
			if bytes.HasPrefix(b[i:], w) {
				return fmt.Sprintf("%q", w)
			}
		}
	}
	return ""
}

// A search that finds nothing proves something only if it would find.
func TestSearchFinds(t *testing.T) {
	p, dir := photo(t, 48, 1000), t.TempDir()
	var r readable
	r.of(p)
	if r.in(p.clean) == "" || r.in(p.file[len(p.file)-100:]) == "" || r.in([]byte("xxx"+p.note)) == "" || r.in([]byte(p.site)) == "" || r.in([]byte(strings.Repeat("nothing", 1000))) != "" {
		t.Error("it does not find what is there")
	}
	if err := os.WriteFile(filepath.Join(dir, "x"), slices.Concat(make([]byte, 5000), p.clean), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, read := r.search(t, dir); len(found) != 1 || read < 5000 {
		t.Errorf("in a file: %q of %d bytes", found, read)
	}
}
