package breached

import (
	"crypto/sha1"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "breached.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whoever is in the list is found, and nobody else is, whatever the length of
// the list, of its lines and of their ends.
func TestFindsWhatIsThere(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 1000} {
		for _, end := range []string{"\n", "\r\n"} {
			for _, last := range []bool{true, false} {
				var lines []string
				for i := range n {
					lines = append(lines, fmt.Sprintf("%X:%d", sha1.Sum(fmt.Appendf(nil, "password %d", i)), 1<<(i%40)))
				}
				slices.Sort(lines)
				text := strings.Join(lines, end)
				if last {
					text += end
				}
				l, err := Open(write(t, text))
				if err != nil {
					t.Fatal(err)
				}
				for i := range n {
					if yes, err := l.Has(fmt.Sprintf("password %d", i)); !yes || err != nil {
						t.Errorf("of %d: password %d: %v %v", n, i, yes, err)
					}
					if yes, err := l.Has(fmt.Sprintf("passw0rd %d", i)); yes || err != nil {
						t.Errorf("of %d: passw0rd %d: %v %v", n, i, yes, err)
					}
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// counting counts what is read.
type counting struct {
	io.ReaderAt
	bytes int
}

func (c *counting) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, at)
	c.bytes += n
	return n, err
}

// A look-up reads little of a long list.
func TestReadsLittle(t *testing.T) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "%040X:3\r\n", i*7)
	}
	l, err := Open(write(t, text.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := &counting{ReaderAt: l.f}
	l.f = c
	if yes, err := l.Has("nobody's"); yes || err != nil {
		t.Error(yes, err)
	}
	if c.bytes > 8<<10 {
		t.Errorf("%d bytes of %d were read", c.bytes, text.Len())
	}
}

// What is no such list is refused when it is opened.
func TestRefusesOtherFiles(t *testing.T) {
	hash := func(s string) string { return fmt.Sprintf("%X", sha1.Sum([]byte(s))) }
	for name, text := range map[string]string{
		"empty": "", "words": strings.Repeat("password\n", 100), "NTLM": strings.Repeat("8846F7EAEE8FB117AD06BDD830B7586C:3\n", 100),
		"by how often": strings.Repeat("F"+hash("a")[1:]+":9\n", 500) + strings.Repeat("0"+hash("b")[1:]+":1\n", 500), "one long line": strings.Repeat("A", 4000),
	} {
		if l, err := Open(write(t, text)); err == nil {
			t.Errorf("%s is taken", name)
			_ = l.Close()
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file is taken")
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder is taken")
	}
}
