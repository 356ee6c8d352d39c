package ui

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// catalogue makes a catalogue in which every message is translated but those
// that skip names.
func filled(t *testing.T, skip func(n int) bool) []byte {
	t.Helper()
	pot, err := catalogues.ReadFile("words/wardseal.pot")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	_, rest, _ := strings.Cut(string(pot), "\n\n")
	one := regexp.MustCompile(`(?m)^msgid (".*")\n(msgid_plural (".*")\n)?msgstr.*\n(msgstr.*\n)?`)
	body := one.ReplaceAllStringFunc(rest+"\n", func(s string) string {
		m := one.FindStringSubmatch(s)
		if n++; skip(n) {
			return s
		}
		if m[3] != "" {
			return "msgid " + m[1] + "\n" + m[2] + "msgstr[0] " + m[1] + "\nmsgstr[1] " + m[3] + "\n"
		}
		return "msgid " + m[1] + "\nmsgstr " + m[1] + "\n"
	})
	return []byte("msgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n\"Plural-Forms: nplurals=2; plural=n!=1;\\n\"\n\n" + body)
}

// A language is offered when its catalogue has enough, and not before: those
// that ship have nothing yet.
func TestLanguagesAreOfferedWhenTheyHaveEnough(t *testing.T) {
	if c := Offered().Choices(); c != nil {
		t.Errorf("offered now: %v", c)
	}
	for name, c := range map[string]struct {
		po   []byte
		want int
	}{
		"all":              {filled(t, func(int) bool { return false }), 2},
		"most":             {filled(t, func(n int) bool { return n%50 == 0 }), 2},
		"nine out of ten":  {filled(t, func(n int) bool { return n%10 == 0 }), 0},
		"guesses":          {bytes.ReplaceAll(filled(t, func(int) bool { return false }), []byte("\nmsgid "), []byte("\n#, fuzzy\nmsgid ")), 0},
		"half an element":  {bytes.ReplaceAll(filled(t, func(int) bool { return false }), []byte(`msgstr "`), []byte(`msgstr "<b>`)), 0},
		"nothing":          {filled(t, func(int) bool { return true }), 0},
		"a gap is missing": {regexp.MustCompile(`(msgstr ".*?)\{\w+\}`).ReplaceAll(filled(t, func(int) bool { return false }), []byte("$1")), 0},
	} {
		l, err := offered(fstest.MapFS{"words/cy.po": {Data: c.po}})
		if err != nil || len(l.Choices()) != c.want {
			t.Errorf("%s: %v, %v", name, l.Choices(), err)
		}
	}
}

// What a translator writes is text: it brings no element, attribute or action of
// its own, and what stands within a sentence may change places.
func TestATranslationIsText(t *testing.T) {
	po := func(english, form string) []byte {
		return []byte("msgid \"\"\nmsgstr \"\"\n\"Plural-Forms: nplurals=2; plural=n!=1;\\n\"\n\nmsgid \"" + english + "\"\nmsgstr \"" + form + "\"\n")
	}
	const english = "You came from another site. <a>Go on to Wardseal</a>"
	for form, want := range map[string]string{
		`<a>Ymlaen</a>, & < {{ <!-- \"`:    `<p><a href="/x">Ymlaen</a>, &amp; &lt; {{ &lt;!-- &#34;</p>`,
		`<i onclick=\"x\">Ymlaen <a>x</a>`: `<p>&lt;i onclick=&#34;x&#34;&gt;Ymlaen <a href="/x">x</a></p>`,
		`<a>Ymlaen</a> <script>x</script>`: `<p><span lang="en">You came from another site. <a href="/x">Go on to Wardseal</a></span></p>`,
		`Ymlaen </a><a>`:                   `<p><span lang="en">You came from another site. <a href="/x">Go on to Wardseal</a></span></p>`,
		``:                                 `<p><span lang="en">You came from another site. <a href="/x">Go on to Wardseal</a></span></p>`,
		`<a>Ymlaen i {name}</a>`:           `<p><span lang="en">You came from another site. <a href="/x">Go on to Wardseal</a></span></p>`,
		`<a>Ymlaen</a> {{.Title}}`:         `<p><span lang="en">You came from another site. <a href="/x">Go on to Wardseal</a></span></p>`,
	} {
		l, err := NewLanguages().With("cy", po(english, form))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := Render(&b, "again", Page{Title: "One moment", Data: "/x", Language: l.Named("cy")}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) || !strings.Contains(b.String(), `<html lang="cy">`) {
			t.Errorf("%s: %s", form, b.String())
		}
	}
}
