package main

import (
	"bytes"
	"os"
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
	want := "# By a translator.\nmsgid \"\"\nmsgstr \"\"\n\"Plural-Forms: nplurals=2; plural=n!=1;\\n\"\n\n# Said twice.\n#, fuzzy\n#: a.html\n#: b.html\nmsgctxt \"button\"\nmsgid \"Send\"\nmsgstr \"dneS\"\n\n#: c.html\nmsgid \"Send\"\nmsgstr \"\"\n\n#: d.html\nmsgid \"{n} link\"\nmsgid_plural \"{n} links\"\nmsgstr[0] \"a\"\nmsgstr[1] \"b\"\n"
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
