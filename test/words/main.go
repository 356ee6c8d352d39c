// Command words writes what there is to translate, for translators' tools:
// api/ui/words/wardseal.pot, from the sentences of the templates, the Go code
// and the scripts. It brings the catalogues of the languages up to date too:
// what is new is added, and what is gone is taken out.
//
//	go run ./test/words
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/constant"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// module is ours, and textType the type of what people are told.
const (
	module   = "github.com/wardseal/wardseal"
	textType = module + "/internal/words.Text"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(1)
	}
}

// write writes the files again that have changed.
func write(root string) error {
	files, err := made(root)
	for path, text := range files {
		if old, readErr := os.ReadFile(path); readErr == nil && bytes.Equal(old, text) {
			continue
		}
		err = cmp.Or(err, os.WriteFile(path, text, 0o644)) // #nosec G306 -- part of the source
	}
	return err
}

// made gives the template and the catalogues as they should be.
func made(root string) (map[string][]byte, error) {
	all, err := messages(root)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "api/ui/words")
	out := map[string][]byte{filepath.Join(dir, "wardseal.pot"): catalogue(head, nil, all)}
	paths, err := filepath.Glob(filepath.Join(dir, "*.po"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		old, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		head, has := entries(string(old))
		out[path] = catalogue(head, has, all)
	}
	return out, nil
}

// message is one, with the files that it is in.
type message struct {
	ui.Message
	files []string
}

// messages finds all, in the order in which they are met.
func messages(root string) ([]message, error) {
	var all []message
	at := map[ui.Message]int{}
	add := func(file string, m ui.Message) {
		if !words.Letters(m.English) || strings.ContainsFunc(m.English, func(r rune) bool { return r < ' ' && r != '\n' }) {
			return
		}
		// One English sentence has one translation, counted or not.
		i, ok := at[ui.Message{Context: m.Context, English: m.English}]
		if !ok {
			i = len(all)
			at[ui.Message{Context: m.Context, English: m.English}] = i
			all = append(all, message{Message: m})
		}
		if all[i].Plural == "" {
			all[i].Plural = m.Plural
		}
		if !slices.Contains(all[i].files, file) {
			all[i].files = append(all[i].files, file)
		}
	}
	templates := ui.Messages()
	names := slices.SortedFunc(keys(templates), func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		for _, m := range templates[name] {
			add("api/ui/templates/"+name, m)
		}
	}
	if err := scripts(root, add); err != nil {
		return nil, err
	}
	for _, j := range retention.Jurisdictions() {
		s, err := retention.Shipped(j)
		if err != nil {
			return nil, err
		}
		for _, title := range titles(s) {
			add("internal/retention/schedules/"+string(j)+".yaml", ui.Message{English: title})
		}
	}
	return all, code(root, add)
}

func titles(s retention.Schedule) []string {
	out := []string{s.Title}
	for _, r := range s.Rules {
		out = append(out, r.Title)
	}
	return out
}

// rank puts what is on every page first.
func rank(name string) int {
	if name == "layout.html" || name == "parts.html" {
		return 0
	}
	return 1
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// code finds the constants of the type of what people are told.
func code(root string, add func(file string, m ui.Message)) error {
	pkgs, err := packages.Load(&packages.Config{Dir: root, Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports},
		"./api/...", "./internal/...", "./imaging/...", "./storage/...")
	if err != nil {
		return err
	}
	whole, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	slices.SortFunc(pkgs, func(a, b *packages.Package) int { return cmp.Compare(a.PkgPath, b.PkgPath) })
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return p.Errors[0]
		}
		for _, f := range p.Syntax {
			path, err := filepath.Rel(whole, p.Fset.Position(f.Pos()).Filename)
			if err != nil {
				return err
			}
			inFile(p.TypesInfo, f, func(m ui.Message) { add(filepath.ToSlash(path), m) })
		}
	}
	return nil
}

func inFile(info *types.Info, f *ast.File, add func(ui.Message)) {
	text := func(n ast.Node) (string, bool) {
		e, ok := n.(ast.Expr)
		if !ok {
			return "", false
		}
		v := info.Types[e]
		if v.Value == nil || v.Value.Kind() != constant.String || v.Type.String() != textType {
			return "", false
		}
		return constant.StringVal(v.Value), true
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			// A form for one thing, and after it one for more.
			for i := 0; i+1 < len(call.Args); i++ {
				one, ok1 := text(call.Args[i])
				many, ok2 := text(call.Args[i+1])
				if ok1 && ok2 && strings.Contains(many, "{n}") {
					add(ui.Message{English: one, Plural: many})
				}
			}
		}
		s, ok := text(n)
		if ok && !plurals(n, f, text) {
			add(ui.Message{English: s})
		}
		return !ok
	})
}

// plurals reports whether an expression is the second of a pair of forms.
func plurals(n ast.Node, f *ast.File, text func(ast.Node) (string, bool)) bool {
	found := false
	ast.Inspect(f, func(m ast.Node) bool {
		call, ok := m.(*ast.CallExpr)
		if !ok || m.Pos() > n.Pos() || m.End() < n.End() {
			return m == nil || m.Pos() <= n.Pos() && m.End() >= n.End()
		}
		for i := 1; i < len(call.Args); i++ {
			if call.Args[i] != n {
				continue
			}
			if _, ok := text(call.Args[i-1]); ok {
				s, _ := text(n)
				found = strings.Contains(s, "{n}")
			}
		}
		return true
	})
	return found
}

var (
	told    = regexp.MustCompile(`\btr\(\s*("(?:[^"\\]|\\.)*")`)
	counted = regexp.MustCompile(`\btrn\([^"]*?,\s*("(?:[^"\\]|\\.)*"),\s*("(?:[^"\\]|\\.)*")`)
)

// The rows of the map of the body: each names a place, and what is finer.
var (
	places = regexp.MustCompile(`(?m)^  \["[a-z ]+", \d.*$`)
	quoted = regexp.MustCompile(`"([A-Za-z ]+)"`)
)

// scripts finds what the scripts say.
func scripts(root string, add func(file string, m ui.Message)) error {
	paths, err := filepath.Glob(filepath.Join(root, "api/ui/src/*.ts"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".test.ts") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range inScript(string(b)) {
			add("api/ui/src/"+filepath.Base(path), m)
		}
	}
	return nil
}

func inScript(s string) []ui.Message {
	var out []ui.Message
	unquote := func(q string) string {
		text, err := strconv.Unquote(q)
		if err != nil {
			panic(fmt.Errorf("%s: %w", q, err)) // a string that Go does not know
		}
		return text
	}
	for _, m := range told.FindAllStringSubmatch(s, -1) {
		out = append(out, ui.Message{English: unquote(m[1])})
	}
	for _, row := range places.FindAllString(s, -1) {
		for _, m := range quoted.FindAllStringSubmatch(row, -1) {
			out = append(out, ui.Message{English: m[1]})
		}
	}
	for _, m := range counted.FindAllStringSubmatch(s, -1) {
		out = append(out, ui.Message{English: unquote(m[1]), Plural: unquote(m[2])})
	}
	return out
}

const head = `# What there is to translate in Wardseal's pages. Written by "make words".
#
# {name} and <a>…</a> stand for what the pages put there: a translation has each
# of them, in any order. [ of {name}] is left out when {name} has nothing to say;
# [{name}|something] says what follows the bar instead. The context "button" is
# for what stands on a button.
msgid ""
msgstr ""
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Content-Transfer-Encoding: 8bit\n"`

// catalogue writes messages, each as it stands in has if it does.
func catalogue(head string, has map[string]string, all []message) []byte {
	var b strings.Builder
	b.WriteString(head + "\n")
	for _, m := range all {
		b.WriteString("\n")
		key := entry(m.Message)
		// What a translator wrote stays as it is, with where the message is now.
		kept, ok := has[key]
		if ok {
			for _, line := range strings.SplitAfter(kept, "\n") {
				if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "#:") {
					b.WriteString(line)
				}
			}
		}
		b.WriteString("#: " + strings.Join(m.files, " ") + "\n")
		b.WriteString(key)
		switch {
		case ok:
			b.WriteString(kept[strings.Index(kept, "\nmsgstr")+1:])
		case m.Plural != "":
			b.WriteString("msgstr[0] \"\"\nmsgstr[1] \"\"\n")
		default:
			b.WriteString("msgstr \"\"\n")
		}
	}
	return []byte(b.String())
}

// entry writes a message up to its translation.
func entry(m ui.Message) string {
	var b strings.Builder
	if m.Context != "" {
		fmt.Fprintf(&b, "msgctxt %s\n", quote(m.Context))
	}
	fmt.Fprintf(&b, "msgid %s\n", quote(m.English))
	if m.Plural != "" {
		fmt.Fprintf(&b, "msgid_plural %s\n", quote(m.Plural))
	}
	return b.String()
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

var (
	blank = regexp.MustCompile(`\n[ \t]*\n`)
	lines = regexp.MustCompile(`"\n"`) // a string over several lines
)

// entries takes a catalogue apart: its head, and what it has for each message.
func entries(po string) (head string, has map[string]string) {
	has = map[string]string{}
	for i, p := range blank.Split(strings.TrimSpace(strings.ReplaceAll(po, "\r\n", "\n")), -1) {
		if i == 0 {
			head = p
			continue
		}
		var key strings.Builder
		text, rest, _ := strings.Cut(p, "\nmsgstr")
		for _, line := range strings.SplitAfter(lines.ReplaceAllString(text, "")+"\n", "\n") {
			if !strings.HasPrefix(line, "#") {
				key.WriteString(line)
			}
		}
		if key.Len() > 1 {
			has[key.String()] = p[:len(p)-len(rest)-len("\nmsgstr")] + "\nmsgstr" + rest + "\n"
		}
	}
	return head, has
}
