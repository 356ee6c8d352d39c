// Package papers holds what is written in README.md and docs/ to the code: a
// claim that names code, a test or a heading is a link, and a link leads
// somewhere.
//
// One notation for all of them: [what it is](../path/file#Name). In a Go file
// Name is a declaration (a function, a type, a constant, or Type.Method), in a
// page a heading as GitHub spells its anchor, in a Makefile a target, and
// elsewhere a word that stands in the file.
package papers

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	fenced   = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	coded    = regexp.MustCompile("`[^`\n]*`")
	linked   = regexp.MustCompile(`\[([^\[\]]*)\]\(([^()\s]+)\)`)
	pictured = regexp.MustCompile(`<img [^>]*src="([^"]+)"`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *#* *$`)
	outside  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	codePath = regexp.MustCompile("^`[\\w.-]+(?:/[\\w.-]+)+\\.(?:go|ts|mjs|sql|scss)`$")
	rowID    = regexp.MustCompile(`^[A-Z]{1,2}[0-9]+(?:[.-][0-9]+)*$`)
)

// checker remembers what files were read.
type checker struct {
	tree  fs.FS
	names map[string]map[string]bool // of a file: its anchors
	found []string
}

// check reads README.md and every page under docs, and returns what is wrong, a
// line each.
func check(tree fs.FS) ([]string, error) {
	pages, err := fs.Glob(tree, "*.md")
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(tree, "docs", func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && path.Ext(p) == ".md" {
			pages = append(pages, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &checker{tree: tree, names: map[string]map[string]bool{}}
	for _, p := range pages {
		text, err := fs.ReadFile(tree, p)
		if err != nil {
			return nil, err
		}
		c.page(p, string(text))
	}
	return c.found, nil
}

func (c *checker) wrong(page, format string, args ...any) {
	c.found = append(c.found, page+": "+fmt.Sprintf(format, args...))
}

func (c *checker) page(page, text string) {
	text = fenced.ReplaceAllString(text, "")
	for _, m := range linked.FindAllStringSubmatch(text, -1) {
		label, to := strings.Trim(m[1], "`"), m[2]
		if label != "" && testName.FindString(label) == label && !strings.HasSuffix(to, "_test.go#"+label) {
			c.wrong(page, "the link %q leads to %s, which is not that test", label, to)
		}
	}
	prose := linked.ReplaceAllString(text, "")
	if name := testName.FindString(coded.ReplaceAllString(prose, "")); name != "" {
		c.wrong(page, "%s is named without a link", name)
	}
	for _, span := range coded.FindAllString(prose, -1) {
		word := strings.Trim(span, "`")
		if codePath.MatchString(span) || word != "" && testName.FindString(span) == word {
			c.wrong(page, "%s is named without a link", span)
		}
	}
	plain := coded.ReplaceAllString(text, "")
	for _, m := range linked.FindAllStringSubmatch(plain, -1) {
		c.link(page, m[2])
	}
	for _, m := range pictured.FindAllStringSubmatch(plain, -1) {
		c.link(page, m[1])
	}
	seen := map[string]bool{}
	bars := 0 // of the table that the line before belongs to
	for line := range strings.Lines(text) {
		n := 0
		if strings.HasPrefix(line, "|") {
			n = strings.Count(strings.ReplaceAll(coded.ReplaceAllString(line, ""), `\|`, ""), "|")
		}
		if bars > 0 && n > 0 && n != bars {
			c.wrong(page, "a row has %d cells in a table of %d: %.60s", n-1, bars-1, line)
		}
		bars = n
		id := firstCell(line)
		if seen[id] {
			c.wrong(page, "%s stands there twice", id)
		}
		seen[id] = id != ""
	}
}

// firstCell is the identifier that a table's row begins with, or "".
func firstCell(line string) string {
	if !strings.HasPrefix(line, "|") {
		return ""
	}
	id, _, _ := strings.Cut(line[1:], "|")
	if id = strings.TrimSpace(id); rowID.MatchString(id) {
		return id
	}
	return ""
}

func (c *checker) link(page, to string) {
	if outside.MatchString(to) {
		return
	}
	file, anchor, anchored := strings.Cut(to, "#")
	at := page
	if file != "" {
		at = path.Join(path.Dir(page), file)
	}
	if !fs.ValidPath(at) {
		c.wrong(page, "%s leads out of the project", to)
		return
	}
	if _, err := fs.Stat(c.tree, at); err != nil {
		c.wrong(page, "%s is not there", to)
		return
	}
	if !anchored {
		return
	}
	if has, err := c.has(at, anchor); err != nil {
		c.wrong(page, "%s: %v", to, err)
	} else if !has {
		c.wrong(page, "%s has no %s", at, anchor)
	}
}

func (c *checker) has(file, anchor string) (bool, error) {
	if anchor == "" {
		return false, nil
	}
	text, err := fs.ReadFile(c.tree, file)
	if err != nil {
		return false, err
	}
	switch {
	case path.Ext(file) == ".go" || path.Ext(file) == ".md":
		if c.names[file] == nil {
			if c.names[file], err = anchors(file, text); err != nil {
				return false, err
			}
		}
		return c.names[file][anchor], nil
	case path.Base(file) == "Makefile":
		return regexp.MatchString(`(?m)^`+regexp.QuoteMeta(anchor)+`:`, string(text))
	}
	return regexp.MatchString(`(?:^|\W)`+regexp.QuoteMeta(anchor)+`(?:\W|$)`, string(text))
}

func anchors(file string, text []byte) (map[string]bool, error) {
	if path.Ext(file) == ".md" {
		return headings(string(text)), nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			names[receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = true
					}
				}
			}
		}
	}
	return names, nil
}

// receiver is "Type." of a method, and "" of a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}

// headings are a page's anchors as GitHub makes them: lower case, without
// marks, spaces as hyphens, and a number after one that was there before.
func headings(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		h := linked.ReplaceAllString(m[1], "$1")
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, h)
		name := slug
		for n := 1; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", slug, n)
		}
		names[name] = true
	}
	return names
}

// row is a line of a table that begins with an identifier.
type row struct {
	ID    string
	Cells []string // after the identifier
}

// rows are the rows of a page's tables that begin with an identifier.
func rows(text string) []row {
	var out []row
	for line := range strings.Lines(text) {
		if id := firstCell(line); id != "" {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			out = append(out, row{ID: id, Cells: slices.Clone(cells[1:])})
		}
	}
	return out
}
