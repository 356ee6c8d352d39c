package papers

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Every link of README.md and docs/ leads to a file, a declaration or a heading
// that is there.
func TestPapers(t *testing.T) {
	wrong, err := check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

// The check finds each thing that it is for, and takes what is right.
func TestCheckFinds(t *testing.T) {
	const code = "package a\n\ntype Door struct{}\n\nfunc (d *Door) Open() {}\n\nfunc TestDoor() {}\n\nconst limit = 3\n"
	for name, c := range map[string]struct{ page, want string }{
		"right": {"# A page\n\n## What *it* does: `x`\n[TestDoor](../a/a_test.go#TestDoor) [a](../a/a_test.go#Door.Open) [b](../a/a_test.go#limit) [c](#what-it-does-x)\n" +
			"[d](../Makefile#lint) [e](https://example.org/x#y) [f](../a/b.ts#seal) ![g](p.png)\n```\n[x](gone.md) TestNothing\n```\n| V1 | a |\n| V2 | b |\n", ""},
		"missing file":       {"[a](gone.md)", "gone.md is not there"},
		"missing picture":    {`<img src="gone.png" width="3">`, "gone.png is not there"},
		"outside":            {"[a](../../x)", "leads out"},
		"missing test":       {"[TestGone](../a/a_test.go#TestGone)", "has no TestGone"},
		"missing method":     {"[a](../a/a_test.go#Open)", "has no Open"},
		"another test":       {"[TestGate](../a/a_test.go#TestDoor)", "is not that test"},
		"test without file":  {"[TestDoor](../a)", "is not that test"},
		"missing heading":    {"# A\n[a](#b)", "has no b"},
		"heading in a fence": {"```\n# B\n```\n[a](#b)", "has no b"},
		"missing target":     {"[a](../Makefile#vuln)", "has no vuln"},
		"missing word":       {"[a](../a/b.ts#sea)", "has no sea"},
		"empty anchor":       {"[a](../a/b.ts#)", "has no"},
		"bare test":          {"see TestDoor", "TestDoor is named without a link"},
		"bare test as code":  {"see `TestDoor`", "is named without a link"},
		"bare file":          {"see `a/a_test.go`", "is named without a link"},
		"a cell too many":    {"| a | b |\n|---|---|\n| c | d | e |\n", "has 3 cells in a table of 2"},
		"twice":              {"| V1.2 | a |\n| V1.2 | b |\n", "V1.2 stands there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for p, text := range map[string]string{
				"docs/page.md": c.page, "docs/p.png": "", "a/a_test.go": code, "a/b.ts": "export function seal() {}\n", "Makefile": ".PHONY: lint\nlint: x\n\ttrue\n",
			} {
				tree[p] = &fstest.MapFile{Data: []byte(text)}
			}
			got, err := check(tree)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case c.want == "" && len(got) > 0:
				t.Errorf("wrong about a right page: %q", got)
			case c.want != "" && !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, c.want) }):
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
