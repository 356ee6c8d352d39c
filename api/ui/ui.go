// Package ui is what people see: templates that render to plain HTML, and the
// built script and style sheet. It calls nothing; package api asks the flows
// and hands it what is to be shown.
//
// Every page works without script, except opening a link, whose secret stands
// in the fragment of its address, which browsers never send. The script and
// the style sheet in dist/ are built from src/ by "make ui".
package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
	"text/template/parse"
	"time"

	"github.com/wardseal/wardseal/internal/words"
)

//go:embed templates/*.html dist/*
var files embed.FS

// Page is what the layout needs to know, and Data what the page itself shows.
type Page struct {
	Title   words.Text
	Person  string // who is signed in, for the header; empty when nobody is
	ID      string // of who is signed in
	Shell   bool   // the page that is kept for when there is no signal
	Nav     []Place
	Problem *Problem
	Notice  words.Text // something that went well
	// What is open as an emergency to who looks, shown on every page.
	Emergencies []Emergency
	Wide        bool // tables and pictures may use the whole width
	IdleSeconds int  // after which the session ends by itself; 0 when nobody is signed in
	Data        any

	Language *Language // English when there is none
	Address  string    // where the page is, to come back to; empty when nothing leads back
}

// Choices are the languages to choose from at the foot of the page.
func (p Page) Choices() []*Language {
	if p.Language == nil || p.Address == "" {
		return nil
	}
	return p.Language.among.Choices()
}

// Lang is what browsers and screen readers call the page's language.
func (p Page) Lang() string {
	if p.Language.english() {
		return "en-GB"
	}
	return p.Language.Tag
}

// Emergency is an emergency access to a patient.
type Emergency struct {
	ID, Patient string
	Until       time.Time
}

// Place is a link of the navigation.
type Place struct {
	Path  string
	Text  words.Text
	Here  bool
	Count int // of what waits there
}

// Problem is what went wrong, and the form field at fault if there is one.
type Problem struct {
	Code  string
	Text  words.Text
	Field string
}

// Err is the message for a form field, or "".
func (p Page) Err(field string) words.Text {
	if p.Problem != nil && p.Problem.Field == field {
		return p.Problem.Text
	}
	return ""
}

// pages are compiled when the first is asked for: this program is started anew
// for every picture that is decoded, and those children show none.
var pages = sync.OnceValue(func() map[string]*template.Template { return compile(nil) })

// compile makes a template per page, each with the layout and the parts, in a
// language.
func compile(l *Language) map[string]*template.Template {
	base := template.Must(template.New("").Funcs(functions(l)).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err) // embedded above
	}
	out := map[string]*template.Template{}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name != "layout" && name != "parts" {
			out[name] = needed(template.Must(template.Must(base.Clone()).ParseFS(files, file)), l)
			if !l.english() {
				translate(out[name], l.Form, func(string, Message) {})
			}
		}
	}
	return out
}

// needed gives what of a page's templates its layout comes to: most pages have
// few of the parts, and there are many pages.
func needed(all *template.Template, l *Language) *template.Template {
	out := template.New("").Funcs(functions(l))
	var take func(name string)
	var walk func(n parse.Node)
	take = func(name string) {
		if t := all.Lookup(name); t != nil && out.Lookup(name) == nil {
			template.Must(out.AddParseTree(name, t.Tree))
			walk(t.Tree.Root)
		}
	}
	branch := func(b parse.BranchNode) {
		walk(b.List)
		if b.ElseList != nil {
			walk(b.ElseList)
		}
	}
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			for _, n := range n.Nodes {
				walk(n)
			}
		case *parse.IfNode:
			branch(n.BranchNode)
		case *parse.RangeNode:
			branch(n.BranchNode)
		case *parse.WithNode:
			branch(n.BranchNode)
		case *parse.TemplateNode:
			take(n.Name)
		}
	}
	take("layout")
	return out
}

// Render writes a page whole, or nothing: a template that fails half way would
// leave half a page.
func Render(w io.Writer, name string, p Page) error {
	of := pages
	if !p.Language.english() {
		of = p.Language.pages
	}
	t, ok := of()[name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", p); err != nil {
		return fmt.Errorf("render the page %s: %w", name, err)
	}
	_, err := b.WriteTo(w)
	return err
}

// Asset is a built file. Its address holds a hash of it, so that browsers may
// keep it for good.
type Asset struct {
	Path, MediaType string
	Body            []byte
	Policy          string // content security policy of its own, for a worker; "" means the pages'
}

// piece is a part of the script, which the script itself asks for by its name:
// the builder has put a hash in it.
var piece = regexp.MustCompile(`-[A-Z0-9]{8}\.js$`)

// scannerPolicy lets the worker that reads wristbands, and nothing else, run
// WebAssembly; it can fetch that from here and do nothing more.
const scannerPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"

var assets = sync.OnceValue(load)

func load() map[string]Asset {
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".wasm": "application/wasm", ".png": "image/png"}
	entries, err := files.ReadDir("dist")
	if err != nil {
		panic(err) // embedded above
	}
	out := map[string]Asset{}
	for _, e := range entries {
		if e.Name() == workerFile {
			continue // it has an address of its own
		}
		body, err := files.ReadFile("dist/" + e.Name())
		if err != nil {
			panic(err)
		}
		if piece.MatchString(e.Name()) {
			out[e.Name()] = Asset{Path: "/assets/" + e.Name(), MediaType: types[".js"], Body: body}
			continue
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		out[e.Name()] = Asset{"/assets/" + strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:8]) + ext, types[ext], body, ""}
	}
	scanner := out["scanner.js"]
	scanner.Policy = scannerPolicy
	out["scanner.js"] = scanner
	return out
}

// Assets lists the built files.
func Assets() []Asset {
	var out []Asset
	for _, a := range assets() {
		out = append(out, a)
	}
	return out
}

// Waiting is the drawing that stands where a thumbnail is not made yet.
func Waiting() Asset { return assets()["waiting.svg"] }
