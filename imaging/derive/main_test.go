package derive

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"testing"
	"time"

	"github.com/disintegration/imaging"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"

	"github.com/wardseal/wardseal/internal/media"
)

// TestMain lets the test binary stand in for the server's: started with a
// child's name it is that child.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "film" {
		os.Exit(FilmChild(os.Args[2:]))
	}
	if len(os.Args) > 1 {
		if child, ok := children[os.Args[1]]; ok {
			os.Exit(child(os.Stdin, os.Stdout))
		}
	}
	os.Exit(m.Run())
}

// children are the real child and the bad ones. All answer a probe well.
var children = map[string]func(in io.Reader, out io.Writer) int{
	"child": Child,
	"hangs": bad(func(request, io.Reader, io.Writer) { time.Sleep(time.Hour) }),
	"spins": bad(func(req request, _ io.Reader, _ io.Writer) {
		if _, err := confine(req.Memory, req.CPUSeconds); err != nil {
			os.Exit(exitConfine)
		}
		for n := 0; ; n++ {
			_ = n
		}
	}),
	"hoards": bad(func(req request, _ io.Reader, _ io.Writer) {
		if _, err := confine(req.Memory, req.CPUSeconds); err != nil {
			os.Exit(exitConfine)
		}
		var all [][]byte
		for range 1 << 10 {
			b := make([]byte, 16<<20)
			for i := range b {
				b[i] = byte(i)
			}
			all = append(all, b)
		}
		os.Exit(len(all) % 7)
	}),
	// A picture that CVE-2023-36308 lives on, past the check that keeps it out.
	"panics": bad(func(request, io.Reader, io.Writer) { imaging.Resize(pastPalette(), 2, 2, imaging.CatmullRom) }),
	"floods": bad(func(_ request, _ io.Reader, out io.Writer) {
		for {
			if _, err := out.Write(make([]byte, 1<<20)); err != nil {
				os.Exit(1)
			}
		}
	}),
	"filtered":  probes(func() error { return filterCalls() }),
	"locked":    probes(func() error { _, err := lock(); return err }),
	"unbridled": probes(func() error { return nil }),
	"curious": func(in io.Reader, out io.Writer) int {
		a := answer{State: stateDone, Layers: os.Environ()}
		if wd, err := os.Getwd(); err != nil || wd != "/" {
			a.Layers = append(a.Layers, "a folder of its own")
		}
		_ = writeHeader(out, a)
		return 0
	},
}

func bad(do func(request, io.Reader, io.Writer)) func(io.Reader, io.Writer) int {
	return func(in io.Reader, out io.Writer) int {
		var req request
		if readHeader(in, &req) != nil {
			return exitRequest
		}
		if req.Probe {
			_ = writeHeader(out, answer{State: stateDone})
			return 0
		}
		do(req, in, out)
		return 0
	}
}

// probes is a child with one layer of confinement only, that says what it reached.
func probes(layer func() error) func(io.Reader, io.Writer) int {
	return func(in io.Reader, out io.Writer) int {
		time.AfterFunc(time.Hour, func() {}).Stop()
		if layer() != nil {
			return exitConfine
		}
		_ = writeHeader(out, answer{State: stateDone, Reached: reach()})
		return 0
	}
}

func pastPalette() *image.Paletted {
	p := image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.White})
	p.Pix[5] = 200
	return p
}

func maker(t testing.TB, child string, cfg Config) *Maker {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Command = []string{self, child}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func derive(m *Maker, b []byte, f media.Format, sizes ...Size) (Output, error) {
	if len(sizes) == 0 {
		sizes = Sizes()
	}
	return m.Derive(context.Background(), bytes.NewReader(b), int64(len(b)), f, sizes)
}

func TestLimits(t *testing.T) {
	photo := jpegOf(t, quarters(64, 48), 90)
	for _, c := range []struct {
		child string
		cfg   Config
		want  error
	}{
		{"hangs", Config{WallFor: 4 * time.Second}, ErrLimit},
		{"spins", Config{CPUFor: time.Second, WallFor: time.Minute}, ErrLimit},
		{"hoards", Config{MemoryBytes: 256 << 20}, ErrLimit},
		{"panics", Config{}, ErrUndecodable},
		{"floods", Config{}, ErrUndecodable},
	} {
		t.Run(c.child, func(t *testing.T) {
			t.Parallel()
			if _, err := derive(maker(t, c.child, c.cfg), photo, media.JPEG); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestConfinement(t *testing.T) {
	t.Logf("%s", maker(t, "child", Config{}).Confinement())
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// What each layer alone leaves within reach, without namespaces: the filter
	// must hold by itself, and the test must be able to fail.
	reached := func(child string) []string {
		m := &Maker{cfg: Config{Command: []string{self, child}, WallFor: time.Minute}}
		a, err := m.probe()
		if err != nil {
			t.Fatalf("%s: %v", child, err)
		}
		return a.Reached
	}
	if got := reached("filtered"); len(got) > 0 {
		t.Errorf("with the filter alone a child reaches %v", got)
	}
	if got := reached("unbridled"); len(got) != 8 {
		t.Errorf("with nothing a child reaches %v only: the probe proves too little", got)
	}
	if version, err := landlocksys.LandlockGetABIVersion(); err == nil && version > 0 {
		for _, what := range reached("locked") {
			if what == "a file to read" || what == "a folder" || what == "a file to write" {
				t.Errorf("with Landlock alone a child reaches %s", what)
			}
		}
	}
	if _, err := New(Config{Command: []string{self, "unbridled"}}); err == nil {
		t.Error("an unconfined child was accepted")
	}
	t.Setenv("PATIENT", "no")
	m := &Maker{cfg: Config{Command: []string{self, "curious"}, WallFor: time.Minute}}
	if a, err := m.probe(); err != nil || len(a.Layers) != 0 {
		t.Errorf("a child starts with %v, %v", a.Layers, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no command":     {},
		"no program":     {Command: []string{"/nonexistent"}},
		"a silent child": {Command: []string{"/bin/true"}},
		"no memory":      {Command: []string{"/bin/true"}, MemoryBytes: 1},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
