package failure

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/test/servers"
)

// refusedWhole sees that an answer is a problem and has nothing of a picture.
func refusedWhole(a answer, pic picture) bool {
	return a.err == nil && a.status >= 500 && a.header.Get("Content-Type") == "application/problem+json" && !bytes.Contains(a.body, pic.clean[:8]) && !bytes.Contains(a.body, pic.clean[len(pic.clean)/2:len(pic.clean)/2+8])
}

// Whichever bit of a stored object is another, the picture is refused before
// its first byte.
func TestEveryBitFlipIsRefused(t *testing.T) {
	t.Parallel()
	in := within(t, "sqlite+filesystem")
	pic := photo(t, 8, 500)
	item, a := in.nurse.upload(pic, rand.Text())
	if item == "" {
		t.Fatal(a)
	}
	path := in.object(item)
	object, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flips := 0
	for i, b := range object {
		for bit := range 8 {
			if !full() && bit != i%8 { // one of each byte
				continue
			}
			if _, err := f.WriteAt([]byte{b ^ 1<<bit}, int64(i)); err != nil {
				t.Fatal(err)
			}
			if a := in.nurse.picture(item); !refusedWhole(a, pic) {
				t.Fatalf("bit %d of byte %d: %s", bit, i, a)
			}
			flips++
		}
		if _, err := f.WriteAt([]byte{b}, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for cut := range len(object) {
		if cut%97 != 0 && cut != len(object)-1 {
			continue
		}
		if err := f.Truncate(int64(cut)); err != nil {
			t.Fatal(err)
		}
		if a := in.nurse.picture(item); !refusedWhole(a, pic) {
			t.Fatalf("cut at %d: %s", cut, a)
		}
		if _, err := f.WriteAt(object, 0); err != nil {
			t.Fatal(err)
		}
		flips++
	}
	if a := in.nurse.picture(item); !bytes.Equal(a.body, pic.clean) {
		t.Errorf("as it was: %s", a)
	}
	t.Logf("%d damages of an object of %d bytes: %d refused, 0 image bytes sent", flips, len(object), flips)
}

// Of a damaged video never a wrong byte is sent: what is sent before the damage
// is what was filmed, and nothing of the damaged chunk is.
func TestDamagedVideo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "film.mp4")
	if out, err := exec.Command(servers.Binary(t, "ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "nullsrc=size=320x240:rate=10:duration=0.4,geq=random(1)*255:128:128", "-c:v", "mpeg4", "-q:v", "2", path).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	film, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	in := within(t, "sqlite+filesystem")
	item, a := in.nurse.upload(picture{file: film, note: "n", site: "heel"}, rand.Text())
	if item == "" {
		t.Fatal(a)
	}
	whole := in.nurse.picture(item).body
	object, err := os.ReadFile(in.object(item))
	if err != nil || len(whole) < 3<<16 {
		t.Fatalf("a film of %d bytes, %v", len(whole), err)
	}
	f, err := os.OpenFile(in.object(item), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const box = 64<<10 + 16
	damages := []int{0, 20, 21, 22, 25, 40, 1000, 1533, 1534, 1600, seal.HeadBytes - 17, seal.HeadBytes - 16, seal.HeadBytes - 1}
	for at := seal.HeadBytes; at < len(object); at += box { // each chunk's first, a middle and last bytes
		end := min(at+box, len(object))
		damages = append(damages, at, at+(end-at)/2, end-17, end-16, end-1)
	}
	sent, wrong := 0, 0
	for _, at := range damages {
		if _, err := f.WriteAt([]byte{object[at] ^ 4}, int64(at)); err != nil {
			t.Fatal(err)
		}
		chunk := (at - seal.HeadBytes) / box
		for _, r := range [][2]int{{0, len(whole) - 1}, {chunk << 16, min(chunk<<16+99, len(whole)-1)}, {max(0, len(whole)-100), len(whole) - 1}} {
			if r[0] < 0 {
				continue
			}
			in.sys.Flows().Views.Cache = blob.NewCache(16 << 20) // which would know the bytes from before
			a := in.nurse.send("GET", "/items/"+item+"/renditions/original-clean", nil, "Range", fmt.Sprintf("bytes=%d-%d", r[0], r[1]))
			if a.status == http.StatusPartialContent {
				sent += len(a.body)
				if !bytes.HasPrefix(whole[r[0]:], a.body) {
					wrong++
				}
				if at >= seal.HeadBytes && r[0] < (chunk+1)<<16 && r[0]+len(a.body) > chunk<<16 {
					t.Errorf("byte %d: something of its chunk is sent: %d bytes from %d", at, len(a.body), r[0])
				}
			} else if a.err == nil && a.status < 500 { // an error is a connection that was cut before anything was sent
				t.Errorf("byte %d: %d", at, a.status)
			}
		}
		if _, err := f.WriteAt([]byte{object[at]}, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if wrong != 0 {
		t.Errorf("%d answers have a wrong byte", wrong)
	}
	in.sys.Flows().Views.Cache = blob.NewCache(16 << 20)
	if a := in.nurse.picture(item); !bytes.Equal(a.body, whole) {
		t.Errorf("as it was: %d", a.status)
	}
	t.Logf("%d damages of a film of %d bytes: %d right bytes sent, 0 wrong ones", len(damages), len(whole), sent)
}

// Whatever of two items takes the place of the other's, neither is shown.
func TestSwapsAreRefused(t *testing.T) {
	t.Parallel()
	in := within(t, "sqlite+filesystem")
	pics := []picture{photo(t, 48, 0), photo(t, 48, 0)}
	var items []string
	for _, pic := range pics {
		item, a := in.nurse.upload(pic, rand.Text())
		if item == "" {
			t.Fatal(a)
		}
		items = append(items, item)
	}
	exchange := func(table, id, column string) func() { // of both items
		return func() {
			var values [2][]byte
			for i, item := range items {
				if err := in.db.QueryRowContext(t.Context(), "SELECT "+column+" FROM "+table+" WHERE "+id+" = ?", item).Scan(&values[i]); err != nil {
					t.Fatal(err)
				}
			}
			for i, item := range items {
				var v any = values[1-i]
				if strings.HasSuffix(column, "bytes") {
					v = string(values[1-i])
				}
				in.run("UPDATE "+table+" SET "+column+" = ? WHERE "+id+" = ?", v, item)
			}
		}
	}
	swapColumn := func(table, column string) func() { return exchange(table, "item", column) }
	objects := func() {
		a, b := in.object(items[0]), in.object(items[1])
		for _, move := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
			if err := os.Rename(move[0], move[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	sizes := swapColumn("renditions", "bytes")
	keys := swapColumn("wrapped_keys", "wrapped")
	n := 0
	for name, swap := range map[string][]func(){
		"the objects":                   {objects},
		"the objects and their lengths": {objects, swapColumn("renditions", "object_bytes"), sizes},
		"the keys":                      {keys},
		"the objects and the keys":      {objects, keys},
		"objects, lengths and keys":     {objects, swapColumn("renditions", "object_bytes"), sizes, keys},
	} {
		for _, f := range swap {
			f()
		}
		for i, item := range items {
			if a := in.nurse.picture(item); !refusedWhole(a, pics[0]) || !refusedWhole(a, pics[1]) {
				t.Errorf("%s: item %d: %s", name, i, a)
			}
			n++
		}
		for _, f := range swap {
			f()
		}
		for i, item := range items {
			if a := in.nurse.picture(item); !bytes.Equal(a.body, pics[i].clean) {
				t.Fatalf("%s, swapped back: %s", name, a)
			}
		}
	}
	for _, column := range []string{"note", "body_site", "receipt"} {
		swap := exchange("items", "id", column)
		swap()
		for _, item := range items {
			path := "/items/" + item
			if column == "receipt" {
				path += "/receipt"
			}
			if a := in.nurse.send("GET", path, nil); a.status < 500 || strings.Contains(string(a.body), pics[0].note) || strings.Contains(string(a.body), pics[1].note) {
				t.Errorf("the %s of the other: %s", column, a)
			}
			n++
		}
		swap()
	}
	t.Logf("%d swaps: all refused", n)
}
