package ui

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/leonelquinteros/gotext"
	"golang.org/x/text/language"

	"github.com/wardseal/wardseal/internal/words"
)

// The catalogues: words/wardseal.pot is what there is to translate, and is
// written by "make words". words/cy.po and its like are what translators made
// of it.
//
//go:embed words/*.po words/*.pot
var catalogues embed.FS

// names are what the languages call themselves.
var names = map[string]words.Text{"en": words.Data("English"), "cy": words.Data("Cymraeg"), "gd": words.Data("Gàidhlig")}

// enough is the share of the messages that a catalogue must have before its
// language is offered. What it has not is shown in English, and marked so.
const enough = 0.95

// Language is a language in which the pages can be shown. The zero value, and
// none, is English.
type Language struct {
	Tag   string
	po    *gotext.Po
	all   map[string]map[string]*gotext.Translation // by context and English
	pages func() map[string]*template.Template
}

// Languages are English, which comes first, and those whose catalogues have
// enough.
type Languages struct {
	all   []*Language
	match language.Matcher
}

// Offered are the languages of the catalogues in the program.
var Offered = func() *Languages {
	l, err := offered(catalogues)
	if err != nil {
		panic(err) // embedded
	}
	return l
}()

func offered(files fs.FS) (*Languages, error) {
	paths, err := fs.Glob(files, "words/*.po")
	if err != nil {
		return nil, err
	}
	pot, err := fs.ReadFile(files, "words/wardseal.pot")
	if err != nil {
		return nil, err
	}
	l := NewLanguages()
	for _, p := range paths {
		po, err := fs.ReadFile(files, p)
		if err != nil {
			return nil, err
		}
		if share(translated("", po), translated("", pot)) < enough {
			continue
		}
		if l, err = l.With(strings.TrimSuffix(path.Base(p), ".po"), po); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// NewLanguages is English alone.
func NewLanguages() *Languages {
	return &Languages{all: []*Language{{Tag: "en"}}, match: language.NewMatcher([]language.Tag{language.BritishEnglish})}
}

// With is these and one more, however much its catalogue has.
func (l *Languages) With(tag string, po []byte) (*Languages, error) {
	if _, err := language.Parse(tag); err != nil {
		return nil, fmt.Errorf("the catalogue of %s: %w", tag, err)
	}
	more := translated(tag, po)
	more.pages = sync.OnceValue(func() map[string]*template.Template { return compile(more) })
	out := &Languages{all: append(append([]*Language{}, l.all...), more)}
	tags := []language.Tag{language.BritishEnglish}
	for _, x := range out.all[1:] {
		tags = append(tags, language.MustParse(x.Tag))
	}
	out.match = language.NewMatcher(tags)
	return out, nil
}

// Named is the language with a tag, or nil.
func (l *Languages) Named(tag string) *Language {
	for _, x := range l.all {
		if x.Tag == tag {
			return x
		}
	}
	return nil
}

// Wanted is the language that a browser asks for: the first of its list that
// is offered, and otherwise English.
func (l *Languages) Wanted(accept string) *Language {
	wanted, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(wanted) == 0 {
		return l.all[0]
	}
	_, i, sure := l.match.Match(wanted...)
	if sure < language.High { // no Scots Gaelic for somebody who reads Irish
		return l.all[0]
	}
	return l.all[i]
}

// Choices are the languages to choose from on a page; none when there is but
// one.
func (l *Languages) Choices() []*Language {
	if len(l.all) < 2 {
		return nil
	}
	return l.all
}

// Name is what the language calls itself.
func (l *Language) Name() string {
	if name, ok := names[l.Tag]; ok {
		return name.String()
	}
	return l.Tag
}

func translated(tag string, po []byte) *Language {
	l := &Language{Tag: tag, po: gotext.NewPo()}
	l.po.Parse(sureOnly(po))
	l.all = map[string]map[string]*gotext.Translation{"": l.po.GetDomain().GetTranslations()}
	maps.Copy(l.all, l.po.GetDomain().GetCtxTranslations())
	return l
}

var paragraphs = regexp.MustCompile(`\n[ \t]*\n`)

// sureOnly leaves out what a tool guessed, or what the English has changed
// under: it is marked fuzzy until a translator has seen it.
func sureOnly(po []byte) []byte {
	var out []string
	for _, m := range paragraphs.Split(strings.ReplaceAll(string(po), "\r\n", "\n"), -1) {
		if !fuzzy.MatchString(m) || strings.Contains(m, "msgid \"\"\nmsgstr") {
			out = append(out, m)
		}
	}
	return []byte(strings.Join(out, "\n\n"))
}

var fuzzy = regexp.MustCompile(`(?m)^#,.*\bfuzzy\b`)

// share is how much of what there is to translate a language has.
func share(l, template *Language) float64 {
	has, all := 0, 0
	for context, messages := range template.all {
		for id, m := range messages {
			if id == "" {
				continue // the head of the file
			}
			all++
			ok := true
			if m.PluralID == "" {
				_, ok = l.Form(context, id)
			}
			for n := 0; m.PluralID != "" && ok && n <= 100; n++ {
				_, ok = l.Plural(id, m.PluralID, n)
			}
			if ok {
				has++
			}
		}
	}
	return float64(has) / float64(max(all, 1))
}

// Form gives a sentence in the language, unless the catalogue has none or one
// that has not the same gaps and elements.
func (l *Language) Form(context, english string) (string, bool) {
	if l.english() {
		return english, true
	}
	m := l.all[context][english]
	if m == nil || m.Trs[0] == "" {
		return "", false
	}
	return m.Trs[0], fits(english, m.Trs[0])
}

// Plural gives the form for n things.
func (l *Language) Plural(one, many string, n int) (string, bool) {
	if l.english() || !l.po.IsTranslatedN(one, n) {
		return "", false
	}
	s := l.po.GetN(one, many, n)
	// One thing needs no number: "un llun".
	return s, fits(one, s) || fits(strings.ReplaceAll(one, "{n}", ""), s)
}

// english reports whether the pages are shown as they are written.
func (l *Language) english() bool { return l == nil || l.po == nil }
