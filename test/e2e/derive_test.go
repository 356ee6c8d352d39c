package e2e

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

// working opens a house that makes derivatives, and has it work.
func working(t *testing.T, kind string, change func(*config.Config)) *house {
	t.Helper()
	h := open(t, kind, func(c *config.Config) {
		c.Limits.NoDerivatives = false
		if change != nil {
			change(c)
		}
	})
	h.work()
	return h
}

// work starts the background work and gives what stops it.
func (h *house) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.sys.Work(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	h.t.Cleanup(stop)
	return stop
}

// put uploads a file as the nurse and gives the item.
func (h *house) put(file []byte) string {
	h.t.Helper()
	a := h.as("nurse").upload(file, h.details())
	var f api.Filing
	if a.status != http.StatusCreated {
		h.t.Fatalf("upload: %d %s", a.status, a.body)
	}
	a.into(h.t, &f)
	return string(f.Item.ID)
}

// settled waits until nothing more is made of an item, and gives its detail.
func (h *house) settled(item string) api.ItemDetail {
	h.t.Helper()
	nurse := h.as("nurse")
	deadline := time.Now().Add(3 * time.Minute)
	for {
		var d api.ItemDetail
		nurse.must("GET", "/items/"+item, http.StatusOK, nil).into(h.t, &d)
		if d.Deriving != "waiting" {
			return d
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("it is still being worked on: %+v", d)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// show fetches a rendition.
func (h *house) show(item, rendition string) []byte {
	h.t.Helper()
	return h.as("nurse").must("GET", "/items/"+item+"/renditions/"+rendition, http.StatusOK, nil).body
}

// shot has ffmpeg make a film and gives its bytes.
func shot(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, err := exec.Command(servers.Binary(t, "ffmpeg"), append(append([]string{"-v", "error", "-y"}, args...), path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hevc is two seconds of what a recent phone films: HEVC in 10 bits.
func hevc(t *testing.T) []byte {
	return shot(t, "hevc.mov", "-f", "lavfi", "-i", "testsrc2=s=640x360:d=2:r=25", "-f", "lavfi", "-i", "sine=d=2",
		"-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", "-c:a", "aac", "-movflags", "+faststart")
}

func names(d api.ItemDetail) (out []string) {
	for _, r := range d.Renditions {
		out = append(out, string(r.Name))
	}
	slices.Sort(out)
	return out
}

func TestFilmsGetPosterAndPlayableForm(t *testing.T) {
	t.Parallel()
	each := []string{"sqlite+filesystem", "postgres+s3"}
	for _, kind := range each {
		t.Run(kind, func(t *testing.T) {
			h := working(t, kind, nil)
			item := h.put(hevc(t))
			d := h.settled(item)
			if want := []string{"original-clean", "playable", "poster", "thumbnail"}; d.Deriving != "done" || !slices.Equal(names(d), want) {
				t.Fatalf("%s %s %v", d.Deriving, d.Reason, names(d))
			}
			for _, r := range []string{"poster", "thumbnail"} {
				img, err := jpeg.Decode(bytes.NewReader(h.show(item, r)))
				if err != nil || img.Bounds().Dx() > 640 || img.Bounds().Dx() < 320 {
					t.Errorf("%s: %v", r, err)
				}
			}
			path := filepath.Join(t.TempDir(), "playable.mp4")
			if err := os.WriteFile(path, h.show(item, "playable"), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(servers.Binary(t, "ffprobe"), "-v", "error", "-of", "csv=p=0", "-show_entries", "stream=codec_name,pix_fmt:format=duration", path).CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), "h264,yuv420p\naac\n2.0") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestPicturesGetPreviewAndQuality(t *testing.T) {
	t.Parallel()
	h := working(t, "sqlite+filesystem", nil)
	item := h.put(phone(t))
	d := h.settled(item)
	if want := []string{"original-clean", "preview", "thumbnail"}; d.Deriving != "done" || !slices.Equal(names(d), want) || d.Quality == nil || d.Quality.Width == 0 {
		t.Fatalf("%s %v %+v", d.Deriving, names(d), d.Quality)
	}
}

// What browsers do not show can be looked at to its last pixel all the same.
func TestEveryPixelOfHEIC(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	png, file := filepath.Join(dir, "a.png"), filepath.Join(dir, "a.heic")
	for _, args := range [][]string{
		{"convert", "-size", "2600x1400", "-seed", "1", "plasma:fractal", png},
		{"heif-enc", "-q", "60", png, "-o", file},
	} {
		if out, err := exec.Command(servers.Binary(t, args[0]), args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	photo, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := working(t, "sqlite+filesystem", nil)
	item := h.put(photo)
	d := h.settled(item)
	if want := []string{"detail", "original-clean", "preview", "thumbnail"}; d.Deriving != "done" || !slices.Equal(names(d), want) {
		t.Fatalf("%s %s %v", d.Deriving, d.Reason, names(d))
	}
	for r, width := range map[string]int{"preview": 2048, "detail": 2600} {
		if img, err := jpeg.DecodeConfig(bytes.NewReader(h.show(item, r))); err != nil || img.Width != width {
			t.Errorf("%s: %d pixels wide, %v", r, img.Width, err)
		}
	}
	page := h.as("nurse").send("GET", "/pictures/"+item, nil)
	for _, want := range []string{`/renditions/detail" data-width="2600" data-height="1400"`, "The original ("} {
		if !strings.Contains(string(page.body), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// A server that dies in the middle of a derivation is no reason for a picture
// to stay without a preview.
func TestDerivationsSurviveARestart(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Limits.NoDerivatives = false })
	photo, film := h.put(phone(t)), h.put(hevc(t))
	for range 2 { // two workers took the jobs, and the machine stopped
		if _, err := h.sys.Store.LeaseJob(t.Context(), "gone", []string{"derive", "poster"}, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	h.reopen()
	stop := h.work()
	for { // stopped again as soon as the slow part has begun
		jobs, err := h.sys.Store.JobsOf(t.Context(), media.ItemID(film))
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 2 && jobs[1].Attempts > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	h.work()
	if d := h.settled(photo); d.Deriving != "done" || len(d.Renditions) != 3 {
		t.Errorf("the photo: %s %v", d.Deriving, names(d))
	}
	if d := h.settled(film); d.Deriving != "done" || len(d.Renditions) != 4 {
		t.Errorf("the film: %s %s %v", d.Deriving, d.Reason, names(d))
	}
}

// What cannot be decoded is kept, and the item says why it has no preview.
func TestUndecodablePicturesSayWhy(t *testing.T) {
	t.Parallel()
	h := working(t, "sqlite+filesystem", nil)
	twelve := phone(t)
	twelve[bytes.LastIndex(twelve, []byte{0xff, 0xc0, 0, 17})+4] = 12 // bits
	d := h.settled(h.put(twelve))
	if d.Deriving != "failed" || d.Reason != "undecodable" || d.Quality != nil || !slices.Equal(names(d), []string{"original-clean"}) {
		t.Errorf("%s %s %v", d.Deriving, d.Reason, names(d))
	}
	if n := h.events("item.rendition-failed"); n != 1 {
		t.Errorf("%d failures are recorded", n)
	}
}

// What an older version of the program gave up is tried again by a newer one, by
// itself and once.
func TestANewerVersionTriesAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		twelve := phone(t)
		twelve[bytes.LastIndex(twelve, []byte{0xff, 0xc0, 0, 17})+4] = 12 // bits
		kinds, again := []string{transfer.DeriveJob}, []string{"undecodable"}
		learnt, not := h.put(phone(t)), h.put(twelve)
		for range 2 { // the older version reads neither
			j, err := h.sys.Store.LeaseJob(t.Context(), "older", kinds, time.Minute)
			if err == nil {
				err = h.sys.Store.RetryJob(t.Context(), j.ID, "older", "undecodable", 0, 0, derive.Version-1)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, item := range []string{learnt, not} {
			if d := h.settled(item); d.Deriving != "failed" || d.Reason != "undecodable" {
				t.Fatalf("before: %s %s", d.Deriving, d.Reason)
			}
		}
		h.sys.Config.Limits.NoDerivatives = false
		h.reopen()
		h.work()
		for deadline := time.Now().Add(3 * time.Minute); h.events("item.rendition-failed") == 0 || h.settled(learnt).Deriving != "done"; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("not both are tried again")
			}
		}
		if d := h.settled(learnt); d.Quality == nil || !slices.Equal(names(d), []string{"original-clean", "preview", "thumbnail"}) {
			t.Errorf("what is read now: %s %v", d.Deriving, names(d))
		}
		if d := h.settled(not); d.Deriving != "failed" || d.Reason != "undecodable" {
			t.Errorf("what is not read now either: %s %s", d.Deriving, d.Reason)
		}
		if _, err := h.sys.Store.LeaseAgain(t.Context(), "same", kinds, again, derive.Version, time.Minute); !errors.Is(err, meta.ErrNotFound) {
			t.Errorf("it would be tried again by the same version: %v", err)
		}
		if n := h.events("item.rendition-failed"); n != 1 {
			t.Errorf("it was tried %d times", n)
		}
		if j, err := h.sys.Store.LeaseAgain(t.Context(), "next", kinds, again, derive.Version+1, time.Minute); err != nil || string(j.Item) != not {
			t.Errorf("it would not be tried by the next version: %v", err)
		}
	})
}

// A JPEG that is coded arithmetically gets the same pictures as the one it was
// made of; without the tool for it, the item says that it has none.
func TestArithmeticJPEGsAreSeen(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(servers.Binary(t, "jpegtran"), "-copy", "all", "-arithmetic")
	plain := phone(t)
	cmd.Stdin = bytes.NewReader(plain)
	arithmetic, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	h := working(t, "sqlite+filesystem", nil)
	want, got := h.settled(h.put(plain)), h.settled(h.put(arithmetic))
	if got.Deriving != "done" || got.Quality == nil || !reflect.DeepEqual(got.Quality, want.Quality) {
		t.Fatalf("%s %s %v, not %v", got.Deriving, got.Reason, got.Quality, want.Quality)
	}
	if want := []string{"detail", "original-clean", "preview", "thumbnail"}; !slices.Equal(names(got), want) {
		t.Errorf("it has %v", names(got))
	}
	for _, r := range []string{"preview", "thumbnail"} {
		if !bytes.Equal(h.show(string(got.ID), r), h.show(string(want.ID), r)) {
			t.Errorf("the %s is another", r)
		}
	}
	h = working(t, "sqlite+filesystem", func(c *config.Config) { c.JPEGTran = "/nonexistent/jpegtran" })
	if d := h.settled(h.put(arithmetic)); d.Deriving != "failed" || d.Reason != "undecodable" {
		t.Errorf("without jpegtran: %s %s", d.Deriving, d.Reason)
	}
}

// A still that the decoders do not read is seen by the video tool; without it,
// the item says that it has no preview.
func TestStillsThatOnlyTheVideoToolReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	png, file := filepath.Join(dir, "a.png"), filepath.Join(dir, "a.heic")
	for _, args := range [][]string{
		{"convert", "-size", "601x401", "gradient:gray20-gray80", "-colorspace", "gray", png},
		{"heif-enc", "-q", "90", png, "-o", file},
	} {
		if out, err := exec.Command(servers.Binary(t, args[0]), args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	grey, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := working(t, "sqlite+filesystem", nil)
	item := h.put(grey)
	d := h.settled(item)
	if want := []string{"detail", "original-clean", "preview", "thumbnail"}; d.Deriving != "done" || d.Quality == nil || !slices.Equal(names(d), want) {
		t.Fatalf("%s %s %v", d.Deriving, d.Reason, names(d))
	}
	img, err := jpeg.Decode(bytes.NewReader(h.show(item, "preview")))
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size.X != 601 || size.Y != 401 {
		t.Errorf("the preview is %v", size)
	}
	for y, want := range map[int]uint32{0: 0x33, 400: 0xcc} {
		if v, _, _, _ := img.At(300, y).RGBA(); v>>8 < want-4 || v>>8 > want+4 {
			t.Errorf("row %d is %#x, not %#x", y, v>>8, want)
		}
	}
	h = working(t, "sqlite+filesystem", func(c *config.Config) { c.FFmpeg = "/nonexistent/ffmpeg" })
	if d := h.settled(h.put(grey)); d.Deriving != "failed" || d.Reason != "undecodable" {
		t.Errorf("without ffmpeg: %s %s", d.Deriving, d.Reason)
	}
}

// Without the video tool everything else works, and a video says what it lacks.
func TestWithoutTheVideoTool(t *testing.T) {
	t.Parallel()
	h := working(t, "sqlite+filesystem", func(c *config.Config) { c.FFmpeg = "/nonexistent/ffmpeg" })
	if d := h.settled(h.put(hevc(t))); d.Deriving != "unavailable" || !slices.Equal(names(d), []string{"original-clean"}) {
		t.Errorf("the film: %s %v", d.Deriving, names(d))
	}
	if d := h.settled(h.put(phone(t))); d.Deriving != "done" {
		t.Errorf("the photo: %s", d.Deriving)
	}
}
