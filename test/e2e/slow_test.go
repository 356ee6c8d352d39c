package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"

	"github.com/wardseal/wardseal/api"
)

// noisy is a PNG of about 12 MB, which no coding makes smaller.
func noisy(t *testing.T) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, 2000, 2000))
	_, _ = rand.NewChaCha8([32]byte{1}).Read(m.Pix)
	for i := 3; i < len(m.Pix); i += 4 {
		m.Pix[i] = 255
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Phones with one bar of signal fetch a picture slowly, and have more of them
// under way than there is memory for whole pictures: who comes then gets theirs
// at once, and the slow ones get the rest of theirs.
func TestSlowViewersKeepNobodyWaiting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		nurse := h.as("nurse")
		a := nurse.upload(noisy(t), h.details())
		if a.status != http.StatusCreated {
			t.Fatalf("upload: %d %s", a.status, a.body)
		}
		var f api.Filing
		a.into(t, &f)
		at := "/items/" + string(f.Item.ID) + "/renditions/original-clean"
		var slow []*http.Response
		for range 3 {
			resp := begin(t, h, nurse, "/api/v1"+at)
			defer resp.Body.Close()
			slow = append(slow, resp)
		}
		whole := nurse.must("GET", at, http.StatusOK, nil).body
		for i, resp := range slow {
			got, err := io.ReadAll(resp.Body)
			if err != nil || !bytes.Equal(got, whole) {
				t.Errorf("slow viewer %d: %d of %d bytes, %v", i+1, len(got), len(whole), err)
			}
		}
	})
}

// begin asks for a page or picture over a connection that takes in little, and
// reads no more than the header of the answer.
func begin(t *testing.T, h *house, p *person, path string) *http.Response {
	t.Helper()
	u, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10) }); e != nil {
			return e
		}
		return err
	}}
	conn, err := d.DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", path, u.Host, p.cookie); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %v %v", path, resp, err)
	}
	return resp
}
