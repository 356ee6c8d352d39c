package derive

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/wardseal/wardseal/internal/media"
)

func recoder(t *testing.T) *Recoder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRecoder(RecoderConfig{Command: []string{self, "film"}, JPEGTran: tool(t, "jpegtran")})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecoder(t *testing.T) {
	r, ctx := recoder(t), context.Background()
	photo := jpegOf(t, quarters(400, 200), 90)
	for _, mode := range [][]string{{"-arithmetic"}, {"-arithmetic", "-progressive"}} {
		cmd := exec.Command(r.jpegtran, mode...)
		cmd.Stdin = bytes.NewReader(photo)
		arithmetic, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		m := maker(t, "child", Config{})
		if _, err := derive(m, arithmetic, media.JPEG); !errors.Is(err, ErrUndecodable) {
			t.Fatalf("%v: it decodes as it is: %v", mode, err)
		}
		b, err := r.Huffman(ctx, bytes.NewReader(arithmetic), 1<<20)
		if err != nil {
			t.Fatalf("%v: %v", mode, err)
		}
		out, err := derive(m, b, media.JPEG)
		if err != nil {
			t.Fatalf("%v: %v", mode, err)
		}
		for _, p := range out.Pictures {
			corners(t, string(p.Rendition), p, upCorners)
		}
		if _, err := r.Huffman(ctx, bytes.NewReader(arithmetic[:len(arithmetic)/2]), 1<<20); !errors.Is(err, ErrUndecodable) {
			t.Errorf("%v: half of it: %v", mode, err)
		}
		if _, err := r.Huffman(ctx, bytes.NewReader(arithmetic), 1000); !errors.Is(err, ErrUndecodable) {
			t.Errorf("%v: more than was to come: %v", mode, err)
		}
	}
	if _, err := r.Huffman(ctx, bytes.NewReader([]byte("<html>")), 1<<20); !errors.Is(err, ErrUndecodable) {
		t.Errorf("no picture: %v", err)
	}
}

// Many at once all succeed: a child lives on until it is the tool, however
// busy the system is.
func TestRecoderUnderLoad(t *testing.T) {
	r, photo := recoder(t), jpegOf(t, quarters(64, 64), 90)
	var g errgroup.Group
	for range 8 {
		g.Go(func() error {
			for range 50 {
				if _, err := r.Huffman(context.Background(), bytes.NewReader(photo), 1<<20); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// What is not there, or is another program, is known at the start.
func TestNoRecoder(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/nonexistent/jpegtran", tool(t, "true")} {
		if _, err := NewRecoder(RecoderConfig{Command: []string{self, "film"}, JPEGTran: path}); !errors.Is(err, ErrNoRecoder) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
