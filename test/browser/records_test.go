package browser

import (
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// From a death that is recorded to a certificate in the file, by two records
// officers; and what the auditor sees of it. The printed certificate says what
// it should, on pages that have something on them.
func TestRecords(t *testing.T) {
	t.Parallel()
	totext, toimage := servers.Binary(t, "pdftotext"), servers.Binary(t, "pdftoppm")
	kept := t.TempDir()
	walk(t, "records.mjs", "URL="+demo(t, "--cooling-off", "40s"), "KEEP="+kept)
	paper := filepath.Join(kept, "certificate.pdf")
	text, err := exec.CommandContext(t.Context(), totext, "-layout", paper, "-").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, words := range []string{"Certificate of destruction", "Interim", "Example Health Board", "Rory Placeholder", "Rosa Dummy", "2 pictures and videos", "Every version of every object was deleted", "Signed for the records team"} {
		if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), words) {
			t.Errorf("the printed certificate does not say %q:\n%s", words, text)
		}
	}
	for _, secret := range []string{"9990000018", "999 000 0018", "Test Patient", "1950", "heel"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the printed certificate says %q", secret)
		}
	}
	if out, err := exec.CommandContext(t.Context(), toimage, "-r", "100", "-png", paper, filepath.Join(kept, "page")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pages, err := filepath.Glob(filepath.Join(kept, "page*.png"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		inked(t, page)
	}
}

// inked fails the test when a picture of a page is blank, and keeps it where
// screenshots go.
func inked(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	dark := 0
	for y := page.Bounds().Min.Y; y < page.Bounds().Max.Y; y++ {
		for x := page.Bounds().Min.X; x < page.Bounds().Max.X; x++ {
			if r, _, _, _ := page.At(x, y).RGBA(); r < 0x8000 {
				dark++
			}
		}
	}
	if dark < 500 {
		t.Errorf("%s is blank: %d dark pixels", filepath.Base(name), dark)
	}
	if dir := os.Getenv("WARDSEAL_SHOTS"); dir != "" {
		b, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "certificate-"+filepath.Base(name)), b, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
