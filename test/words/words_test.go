package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api/ui"
)

// What translators work on is what the pages say.
func TestCataloguesAreUpToDate(t *testing.T) {
	files, err := made("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 3 {
		t.Fatalf("only %d catalogues", len(files))
	}
	for path, want := range files {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date: run make words", path)
		}
	}
}

// A translator's work outlives changes of what is around it, and what has gone
// from the pages goes from it.
func TestTranslationsAreKept(t *testing.T) {
	old := "# By a translator.\nmsgid \"\"\nmsgstr \"\"\n\"Plural-Forms: nplurals=2; plural=n!=1;\\n\"\n\n# Said twice.\n#, fuzzy\n#: gone.html\nmsgctxt \"button\"\nmsgid \"\"\n\"Se\"\n\"nd\"\nmsgstr \"dneS\"\n\nmsgid \"Gone\"\nmsgstr \"enoG\"\n\nmsgid \"{n} link\"\nmsgid_plural \"{n} links\"\nmsgstr[0] \"a\"\nmsgstr[1] \"b\"\n"
	head, has := entries(old)
	got := string(catalogue(head, has, []message{
		{ui.Message{Context: "button", English: "Send"}, []string{"a.html", "b.html"}}, {ui.Message{English: "Send"}, []string{"c.html"}}, {ui.Message{English: "{n} link", Plural: "{n} links"}, []string{"d.html"}},
	}))
	want := "# By a translator.\nmsgid \"\"\nmsgstr \"\"\n\"Plural-Forms: nplurals=2; plural=n!=1;\\n\"\n\n# Said twice.\n#, fuzzy\n#: a.html b.html\nmsgctxt \"button\"\nmsgid \"Send\"\nmsgstr \"dneS\"\n\n#: c.html\nmsgid \"Send\"\nmsgstr \"\"\n\n#: d.html\nmsgid \"{n} link\"\nmsgid_plural \"{n} links\"\nmsgstr[0] \"a\"\nmsgstr[1] \"b\"\n"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestScripts(t *testing.T) {
	got := inScript(`say(tr("It is \"sent\".")); x.split("no"); tr(
  "Over lines", {a: 1}); trn(list.length, "{n} picture", "{n} pictures")`)
	want := []ui.Message{{English: `It is "sent".`}, {English: "Over lines"}, {English: "{n} picture", Plural: "{n} pictures"}}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// unsaid are strings of the scripts that look like sentences and are none: names
// of keys, headers, codes and parts of browsers.
var unsaid = map[string]bool{
	"Enter": true, "Backspace": true, "Escape": true, "Retry-After": true, "Location": true, "Europe/London": true, "MediaRecorder": true, "PublicKeyCredential": true, "PushManager": true,
	"BroadcastChannel": true, "QRCode": true, "DataMatrix": true, "Code128": true, "Plain": true, "Front": true, "Back": true,
}

var (
	literal = regexp.MustCompile("\"((?:[^\"\\\\\\n]|\\\\.)*)\"|`([^`]*)`")
	prose   = regexp.MustCompile(`^[A-ZÀ-Ž“≈◂]\S*[a-zß-ž]|[a-z]+[,.;:]? [a-z]+[,.;:]? [a-z]+[,.;:]? |\s\S*[a-z]{2,}[.!?…]$`)
	remark  = regexp.MustCompile(`(?m)^\s*(//|/\*|\*).*$|\s// .*$|^import .*$`)
	aside   = regexp.MustCompile(`(?s)/\*.*?\*/`)
	command = regexp.MustCompile(`^[A-Z][A-Za-z]+(-[A-Z][A-Za-z]+)+$|^[a-z-]+( [a-z0-9_-]+)*$|[<>=;]|^[.#/]`)
)

// Whatever the scripts say passes through the catalogue.
func TestScriptsSayNothingElse(t *testing.T) {
	paths, err := filepath.Glob("../../api/ui/src/*.ts")
	if err != nil || len(paths) < 30 {
		t.Fatal(paths, err)
	}
	found := 0
	for _, path := range paths {
		if strings.HasSuffix(path, ".test.ts") || strings.HasSuffix(path, "worker.ts") {
			continue // a worker cannot read the page's messages, and says nothing but what docs/languages.md lists
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := remark.ReplaceAllString(aside.ReplaceAllString(string(b), ""), "")
		said := map[string]bool{}
		for _, m := range inScript(text) {
			said[m.English], said[m.Plural] = true, true
			found++
		}
		for _, m := range literal.FindAllStringSubmatch(text, -1) {
			s := m[1] + m[2]
			if plain, err := strconv.Unquote(`"` + s + `"`); err == nil {
				s = plain
			}
			if prose.MatchString(s) && !said[s] && !unsaid[s] && !command.MatchString(s) {
				t.Errorf("%s says %q, which is in no catalogue", filepath.Base(path), s)
			}
		}
	}
	if found < 150 {
		t.Errorf("only %d messages were found", found)
	}
}
