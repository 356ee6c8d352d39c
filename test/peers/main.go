// Command peers measures what Wardseal and the usual tools do to every file of
// a corpus of real photos and videos, and writes the account as tables:
//
//	go run ./test/peers -corpus DIR -tools DIR -summary docs/sanitising.md -files docs/sanitising-peers.md
//
// The judges are the corpus's own: tools/score.py runs each cleaner, then an
// oracle for traces and one for pixels, neither of which knows this project.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// peers are compared in this order.
var peers = []struct{ name, title string }{
	{"ours", "Wardseal"}, {"exiftool-keep", "exiftool"}, {"mat2-L", "mat2"}, {"exiv2", "exiv2"}, {"ffmpeg-strict", "ffmpeg"},
}

// score is one line of score.py: one peer on one file.
type score struct {
	peer, format, file string
	made               bool
	seconds            float64
	clean              bool
	left               string // classes of traces that were left
	pixels             string // identical, different…, or why nothing could be judged
	profile            string // none, same, lost, changed
}

// good is what a clinical picture needs.
func (s score) good() bool {
	return s.made && s.clean && (s.pixels == "identical" || s.framesSame()) && s.profile != "lost" && s.profile != "changed"
}

// framesSame reports whether packets changed and no decoded frame did, as when
// text between the pictures of a film is blanked. The judge names what differs.
func (s score) framesSame() bool {
	return strings.HasPrefix(s.pixels, "different") && strings.Contains(s.pixels, "packets=different") &&
		!strings.Contains(s.pixels, "pixels=") && !strings.Contains(s.pixels, "timing=") && !strings.Contains(s.pixels, "rotation=")
}

func main() {
	corpus := flag.String("corpus", "../shared/corpus", "folder of the corpus")
	tools := flag.String("tools", "../shared/tools", "folder of score.py")
	scores := flag.String("scores", "", "use these scores instead of measuring")
	summary := flag.String("summary", "", "Markdown file whose part between the peers markers is replaced by the summary")
	files := flag.String("files", "", "Markdown file to write a row a file to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *corpus, *tools, *scores, *summary, *files); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, corpus, tools, from, summary, files string) error {
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		return err
	}
	ours := filepath.Join(dir, "wardseal")
	build := exec.CommandContext(ctx, "go", "build", "-o", ours, "./cmd/wardseal")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}
	if from == "" {
		if from, err = measure(ctx, ours, corpus, tools); err != nil {
			return err
		}
	}
	all, err := read(from)
	if err != nil {
		return err
	}
	for i, s := range all {
		if s.peer == "ours" && s.made && s.profile == "changed" && sameColours(ctx, ours, filepath.Join(corpus, s.file)) {
			all[i].profile = "reduced"
		}
	}
	broken, err := invalid(corpus)
	if err != nil {
		return err
	}
	if summary != "" {
		if err := replace(summary, summarise(all, broken)); err != nil {
			return err
		}
	}
	if files != "" {
		return os.WriteFile(files, []byte(each(all, broken)), 0o644)
	}
	return nil
}

// measure runs score.py, which takes some twenty minutes.
func measure(ctx context.Context, ours, corpus, tools string) (string, error) {
	out := filepath.Join(filepath.Dir(ours), "scores.tsv")
	strip := fmt.Sprintf(`d=$(mktemp -d) && %s strip -o "$d" {in} && mv "$d"/* {out} && rmdir "$d"`, ours)
	args := []string{filepath.Join(tools, "score.py"), out}
	for _, p := range peers[1:] {
		args = append(args, p.name)
	}
	py := exec.CommandContext(ctx, "python3", append(args, "--dir", corpus, "--cmd", "ours", strip)...)
	py.Stdout, py.Stderr = os.Stderr, os.Stderr
	log.Printf("measuring; the scores go to %s", out)
	return out, py.Run()
}

// sameColours asks libvips (LittleCMS) whether a picture comes out with the
// same colours once its profile has been reduced to the tags that render.
func sameColours(ctx context.Context, ours, file string) bool {
	dir, err := os.MkdirTemp("", "colours")
	if err != nil {
		return false
	}
	defer os.RemoveAll(dir)
	if exec.CommandContext(ctx, ours, "strip", "-o", dir, file).Run() != nil {
		return false
	}
	var pixels [2][]byte
	for i, in := range []string{file, filepath.Join(dir, filepath.Base(file))} {
		out := filepath.Join(dir, strconv.Itoa(i)+".v")
		if exec.CommandContext(ctx, "vips", "icc_transform", in, out, "srgb", "--embedded").Run() != nil {
			return false
		}
		b, err := os.ReadFile(out)
		if err != nil {
			return false
		}
		const header = 64 // of a .v file; what follows the pixels is metadata
		n := header
		if len(b) > header {
			n += vipsPixels(b)
		}
		if n > len(b) {
			return false
		}
		pixels[i] = b[header:n]
	}
	return len(pixels[0]) > 0 && bytes.Equal(pixels[0], pixels[1])
}

// vipsPixels is how many bytes of 8-bit pixels a .v file has, by its header.
func vipsPixels(b []byte) int {
	u32 := binary.LittleEndian.Uint32
	return int(u32(b[4:])) * int(u32(b[8:])) * int(u32(b[12:])) // width, height, bands
}

func read(path string) ([]score, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	var all []score
	for _, c := range rows {
		if len(c) < 9 {
			return nil, errors.New("a line of the scores is too short")
		}
		secs, err := strconv.ParseFloat(c[4], 64)
		if err != nil {
			return nil, err
		}
		all = append(all, score{c[0], c[1], c[2], c[3] == "ok", secs, c[5] == "clean", c[6], c[7], c[8]})
	}
	return all, nil
}

// invalid lists the files that are hostile, truncated or malformed on purpose:
// refusing them is right.
func invalid(corpus string) (map[string]bool, error) {
	b, err := os.ReadFile(filepath.Join(corpus, "catalogue.tsv"))
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		c := strings.Split(line, "\t")
		if len(c) < 6 {
			continue
		}
		for _, f := range strings.Split(c[5], ",") {
			if f == "hostile" || f == "truncated" || f == "malformed" || f == "et-error" || f == "bomb?" {
				out[c[0]] = true
			}
		}
	}
	return out, nil
}

// summarise gives a table a format: how many files each peer took, and how
// many of them came out as a clinical picture must.
func summarise(all []score, broken map[string]bool) string {
	type key struct{ format, peer string }
	count, taken, good, clean := map[key]int{}, map[key]int{}, map[key]int{}, map[key]int{}
	times := map[string][]float64{}
	formats := map[string]bool{}
	for _, s := range all {
		for _, f := range []string{s.format, "all"} {
			k := key{f, s.peer}
			formats[f] = true
			if broken[s.file] && !s.made {
				continue
			}
			count[k]++
			if s.made {
				taken[k]++
			}
			if s.made && s.clean {
				clean[k]++
			}
			if s.good() {
				good[k]++
			}
		}
		times[s.peer] = append(times[s.peer], s.seconds)
	}
	var b strings.Builder
	b.WriteString("Files in which nothing is left, every pixel or decoded frame is the same and the colour profile is not lost, of the files given (sound alone, protected and unreadable files among them); in brackets how many were taken at all. Files that are damaged on purpose count only where they were taken.\n\n| format |")
	for _, p := range peers {
		b.WriteString(" " + p.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(peers)) + "\n")
	order := slices.Sorted(maps.Keys(formats))
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(btoi(a == "all"), btoi(b == "all")) })
	for _, f := range order {
		fmt.Fprintf(&b, "| %s |", f)
		for _, p := range peers {
			k := key{f, p.name}
			if count[k] == 0 {
				b.WriteString(" – |")
				continue
			}
			fmt.Fprintf(&b, " **%d** of %d (%d) |", good[k], count[k], taken[k])
		}
		b.WriteString("\n")
	}
	b.WriteString("| median time a file, process start included |")
	for _, p := range peers {
		t := times[p.name]
		if len(t) == 0 {
			b.WriteString(" – |")
			continue
		}
		slices.Sort(t)
		fmt.Fprintf(&b, " %.0f ms |", 1000*t[len(t)/2])
	}
	b.WriteString("\n")
	return b.String()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// each gives a row a file.
func each(all []score, broken map[string]bool) string {
	by, order := map[string]map[string]score{}, []string{}
	for _, s := range all {
		if by[s.file] == nil {
			by[s.file] = map[string]score{}
			order = append(order, s.file)
		}
		by[s.file][s.peer] = s
	}
	slices.Sort(order)
	var b strings.Builder
	b.WriteString("# Every file of the corpus, beside the usual tools\n\nMade by `go run ./test/peers`. In each cell: whether traces are left (and which), whether pixels or packets are the same, the colour profile if it changed, and the time of the whole process. Files marked † are damaged or hostile on purpose.\n\n| file |")
	for _, p := range peers {
		b.WriteString(" " + p.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(peers)) + "\n")
	for _, f := range order {
		mark := ""
		if broken[f] {
			mark = " †"
		}
		fmt.Fprintf(&b, "| %s%s |", f, mark)
		for _, p := range peers {
			s, ok := by[f][p.name]
			b.WriteString(" " + cell(s, ok) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cell(s score, ok bool) string {
	switch {
	case !ok:
		return "–"
	case !s.made:
		return fmt.Sprintf("refused, %.0f ms", 1000*s.seconds)
	}
	parts := []string{"clean"}
	if !s.clean {
		parts[0] = "left: " + strings.ReplaceAll(s.left, "|", "/")
	}
	pixels, _, _ := strings.Cut(s.pixels, ":")
	switch {
	case pixels == "identical":
		pixels = "same"
	case s.framesSame():
		pixels = "frames same"
	}
	parts = append(parts, pixels)
	if s.profile == "lost" || s.profile == "changed" {
		parts = append(parts, "profile "+s.profile)
	}
	return fmt.Sprintf("%s, %.0f ms", strings.Join(parts, ", "), 1000*s.seconds)
}

const begin, end = "<!-- peers -->\n", "<!-- end peers -->"

// replace puts a table between the markers of a document.
func replace(path, table string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok1 := bytes.Cut(b, []byte(begin))
	_, tail, ok2 := bytes.Cut(rest, []byte(end))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no peers markers", path)
	}
	return os.WriteFile(path, slices.Concat(head, []byte(begin), []byte(table), []byte(end), tail), 0o644)
}
