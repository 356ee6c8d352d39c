// Package pseudo is a language that nobody speaks: English with every letter
// marked, so that a letter without a mark on a page is one that no catalogue was
// asked about.
package pseudo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api/ui"
)

// Tag is the language's, a private one that no browser asks for.
const Tag = "qps"

// Mark gives every English letter of a sentence another one. What stands
// within it, such as {name} and <a>, stays.
func Mark(s string) string {
	const plain, other = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "àƀçđéƒĝħíĵķłɱñóþʠŕšţúṽŵẋýžÀƁÇÐÉƑĜĦÍĴĶŁṀÑÓÞɊŔŠŢÚṼŴẊÝŽ"
	letters, marks := map[rune]rune{}, []rune(other)
	for i, r := range plain {
		letters[r] = marks[i]
	}
	var b strings.Builder
	within := rune(0)
	for _, r := range s {
		switch {
		case within != 0:
			if r == within {
				within = 0
			}
		case r == '{':
			within = '}'
		case r == '<':
			within = '>'
		case letters[r] != 0:
			r = letters[r]
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Languages are English and the pseudo-language, whose catalogue is made of what
// there is to translate. root is where the source is.
func Languages(t *testing.T, root string) *ui.Languages {
	t.Helper()
	pot, err := os.ReadFile(filepath.Join(root, "api/ui/words/wardseal.pot"))
	if err != nil {
		t.Fatal(err)
	}
	quoted := func(line string) string {
		_, s, _ := strings.Cut(line, `"`)
		return Mark(strings.TrimSuffix(s, `"`))
	}
	var po strings.Builder
	po.WriteString("msgid \"\"\nmsgstr \"\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n\"Plural-Forms: nplurals=2; plural=(n != 1);\\n\"\n")
	_, rest, _ := strings.Cut(string(pot), "\n\n")
	one := ""
	for line := range strings.Lines(rest) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "msgid "):
			one = quoted(line)
			fmt.Fprintln(&po, line)
		case strings.HasPrefix(line, "msgid_plural "):
			fmt.Fprintf(&po, "%s\nmsgstr[0] \"%s\"\nmsgstr[1] \"%s\"\n", line, one, quoted(line))
		case line == `msgstr ""`:
			fmt.Fprintf(&po, "msgstr \"%s\"\n", one)
		case !strings.HasPrefix(line, "msgstr["):
			fmt.Fprintln(&po, line)
		}
	}
	l, err := ui.NewLanguages().With(Tag, []byte(po.String()))
	if err != nil {
		t.Fatal(err)
	}
	return l
}
