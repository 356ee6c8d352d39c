package e2e

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/test/servers"
)

// counted counts what is read of it.
type counted struct {
	io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// endless is a file that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// What is over the limit is refused before it has been read: by its announced
// length, and without one as soon as the limit is passed.
func TestTooLargeIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	h := open(t, "sqlite+filesystem", func(c *config.Config) { c.Limits.MaxUploadBytes = limit })
	nurse := h.session("nurse")
	for name, length := range map[string]int64{"announced": 1 << 40, "not announced": -1} {
		var head bytes.Buffer
		w := multipart.NewWriter(&head)
		for k, v := range h.details() {
			_ = w.WriteField(k, v)
		}
		if _, err := w.CreateFormFile("file", "IMG_0001.JPG"); err != nil {
			t.Fatal(err)
		}
		body := &counted{Reader: io.MultiReader(&head, bytes.NewReader(phone(t)), endless{})}
		r, err := http.NewRequestWithContext(t.Context(), "POST", h.url+"/api/v1/items", body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		r.Header.Set("Content-Type", w.FormDataContentType())
		r.AddCookie(nurse.cookie)
		before := h.events("item.refused")
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		said, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(said), "limit of 1 MB") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, said)
		}
		if n := body.n.Load(); n > limit+(8<<20) { // what the network's buffers took
			t.Errorf("%s: %d bytes were sent", name, n)
		}
		if h.events("item.refused") != before+1 || objects(t, h) != 0 {
			t.Errorf("%s: it is not recorded, or something is stored", name)
		}
	}
}

// The name and the type that a client gives are not believed: what counts is
// what the bytes are.
func TestNamesAreNotBelieved(t *testing.T) {
	t.Parallel()
	h, dir := open(t, "sqlite+filesystem", nil), t.TempDir()
	png := dir + "/picture.png"
	if out, err := exec.Command(servers.Binary(t, "convert"), "-size", "20x10", "xc:red", png).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	got, err := os.ReadFile(png)
	if err != nil {
		t.Fatal(err)
	}
	var f api.Filing
	a := h.session("nurse").upload(got, h.details()) // as IMG_0001.JPG
	a.into(t, &f)
	if a.status != http.StatusCreated || f.Item.MediaType != "image/png" {
		t.Errorf("a PNG by the name of JPG: %d %s", a.status, a.body)
	}
	shown := h.session("nurse").must("GET", "/items/"+string(f.Item.ID)+"/renditions/original-clean", http.StatusOK, nil)
	if shown.header.Get("Content-Type") != "image/png" || shown.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("it is shown as %v", shown.header)
	}
	if a := h.session("nurse").upload([]byte("<html><script>alert(1)</script>"), h.details()); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("a page by the name of JPG: %d %s", a.status, a.body)
	}
}

// A client that goes away in the middle leaves nothing, and that is recorded.
func TestBrokenOffUpload(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse, before := h.session("nurse"), h.events("item.refused")
	in, out := io.Pipe()
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	for k, v := range h.details() {
		_ = w.WriteField(k, v)
	}
	_, _ = w.CreateFormFile("file", "a.jpg")
	go func() {
		_, _ = out.Write(head.Bytes())
		_, _ = out.Write(phone(t))
		_ = out.CloseWithError(io.ErrUnexpectedEOF) // as when the signal is lost
	}()
	r, err := http.NewRequestWithContext(t.Context(), "POST", h.url+"/api/v1/items", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.AddCookie(nurse.cookie)
	if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
		_ = resp.Body.Close()
		t.Fatalf("it was answered with %d", resp.StatusCode)
	}
	eventually(t, "the broken upload is not recorded", func() bool { return h.events("item.refused") == before+1 })
	if objects(t, h) != 0 || h.items() != 0 {
		t.Error("something is stored")
	}
}

// eventually waits for what happens in another goroutine.
func eventually(t *testing.T, otherwise string, is func() bool) {
	t.Helper()
	for range 200 {
		if is() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error(otherwise)
}
