package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
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
	among *Languages
	po    *gotext.Po
	all   map[string]map[string]*gotext.Translation // by context and English
	pages func() map[string]*template.Template

	rule   string // see ruleOf
	script Asset  // what the pages' script says, as a script that runs before it
}

// Languages are English, which comes first, and those whose catalogues have
// enough.
type Languages struct {
	all   []*Language
	match language.Matcher
}

// Offered are the languages of the catalogues in the program.
var Offered = sync.OnceValue(func() *Languages {
	l, err := offered(catalogues)
	if err != nil {
		panic(err) // embedded
	}
	return l
})

// begun finds a translation in what follows the head of a catalogue. One that
// nobody has begun need not be read.
var begun = regexp.MustCompile(`(?m)^(?:msgstr(?:\[\d\])? )?"[^"]`)

// pot is what there is to translate. It is read when a language is made, and not
// kept.
func pot() *Language {
	pot, err := catalogues.ReadFile("words/wardseal.pot")
	if err != nil {
		panic(err) // embedded
	}
	return translated("", pot)
}

func offered(files fs.FS) (*Languages, error) {
	paths, err := fs.Glob(files, "words/*.po")
	if err != nil {
		return nil, err
	}
	l := NewLanguages()
	for _, p := range paths {
		po, err := fs.ReadFile(files, p)
		if err != nil {
			return nil, err
		}
		if _, rest, _ := strings.Cut(string(po), "\n\n"); !begun.MatchString(rest) || share(translated("", po)) < enough {
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
	l := &Languages{match: language.NewMatcher([]language.Tag{language.BritishEnglish})}
	l.all = []*Language{{Tag: "en", among: l}}
	return l
}

// With is these and one more, however much its catalogue has.
func (l *Languages) With(tag string, po []byte) (*Languages, error) {
	if _, err := language.Parse(tag); err != nil {
		return nil, fmt.Errorf("the catalogue of %s: %w", tag, err)
	}
	more := translated(tag, po)
	more.pages = sync.OnceValue(func() map[string]*template.Template { return compile(more) })
	if more.rule = ruleOf(more.po); len(more.rule) != pluralsTo {
		return nil, fmt.Errorf("the catalogue of %s has no rule for plurals that can be used", tag)
	}
	more.script = scriptOf(more)
	out, tags := NewLanguages(), []language.Tag{language.BritishEnglish}
	for _, x := range append(slices.Clone(l.all[1:]), more) {
		own := *x
		own.among = out
		out.all, tags = append(out.all, &own), append(tags, language.MustParse(x.Tag))
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
func share(l *Language) float64 {
	has, all := 0, 0
	for context, messages := range pot().all {
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
	if l.english() || english == "" {
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
	if l.english() {
		if n == 1 {
			return one, true
		}
		return many, true
	}
	if !l.po.IsTranslatedN(one, n) {
		return "", false
	}
	s := l.po.GetN(one, many, n)
	// One thing needs no number: "un llun".
	return s, fits(many, s) || fits(strings.ReplaceAll(many, "{n}", ""), s)
}

// scriptOf makes the script that gives the pages' script its messages in a
// language. In English there is none: the script says what stands in it.
func scriptOf(l *Language) Asset {
	said := map[string]any{}
	for id, m := range pot().all[""] {
		if !slices.ContainsFunc(m.Refs, func(ref string) bool { return strings.HasPrefix(ref, "api/ui/src/") }) {
			continue
		}
		if form, ok := l.Form("", id); ok && m.PluralID == "" {
			said[id] = form
		}
		var forms []string
		for n := 0; m.PluralID != "" && n < pluralsTo; n++ {
			form, ok := l.Plural(id, m.PluralID, n)
			if !ok {
				forms = nil
				break
			}
			if k := int(l.rule[n] - '0'); k >= len(forms) {
				forms = append(forms, make([]string, k+1-len(forms))...)
			}
			forms[l.rule[n]-'0'] = form
		}
		if forms != nil {
			said[id] = forms
		}
	}
	b, err := json.Marshal(map[string]any{"rule": l.rule, "said": said})
	if err != nil {
		panic(err) // strings
	}
	body := append([]byte("globalThis.wardsealWords="), b...)
	sum := sha256.Sum256(body)
	return Asset{"/assets/words-" + l.Tag + "-" + hex.EncodeToString(sum[:8]) + ".js", "text/javascript; charset=utf-8", body, ""}
}

// pluralsTo is how far plurals are looked up by number: no language looks
// further than the last two figures of a larger one.
const pluralsTo = 200

// ruleOf says for the numbers up to pluralsTo which form a catalogue has for
// them, a figure for each.
func ruleOf(po *gotext.Po) string {
	probe := gotext.NewPo()
	probe.Parse([]byte("msgid \"\"\nmsgstr \"\"\n\"Plural-Forms: " + po.GetDomain().Headers.Get("Plural-Forms") + "\\n\"\n\nmsgid \"one\"\nmsgid_plural \"many\"\n" +
		"msgstr[0] \"0\"\nmsgstr[1] \"1\"\nmsgstr[2] \"2\"\nmsgstr[3] \"3\"\nmsgstr[4] \"4\"\nmsgstr[5] \"5\"\n"))
	var rule strings.Builder
	for n := range pluralsTo {
		rule.WriteString(probe.GetN("one", "many", n))
	}
	return rule.String()
}

// Assets are the scripts of the languages.
func (l *Languages) Assets() []Asset {
	var out []Asset
	for _, x := range l.all[1:] {
		out = append(out, x.script)
	}
	return out
}

// Script is the address of the language's script, and empty for English.
func (l *Language) Script() string {
	if l.english() {
		return ""
	}
	return l.script.Path
}

// english reports whether the pages are shown as they are written.
func (l *Language) english() bool { return l == nil || l.po == nil }
