package layers

import (
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Everything that deletes a picture goes through one gate, which no hold lets
// pass: (*tx).eligible in storage/meta, asked by DestroyKeys under a lock. These
// are all the places from which anything could be deleted; a new one belongs
// here only with the reason why it is no way around the gate.
var (
	// deletesObjects are the callers of the object store's Delete.
	deletesObjects = map[string]string{
		"internal/transfer/sweep.go":      "objects that no row names: no item, so nothing to hold",
		"internal/transfer/intake_end.go": "parts of an upload, before there is an item",
		"internal/disposal/run.go":        "after DestroyKeys has passed the gate",
		"internal/disposal/replay.go":     "what passed the gate before a backup brought it back",
		"internal/fsck/repair.go":         "a version beside the one that is there, when its bytes are the same, and delete markers",
		"internal/backup/copy.go":         "in the place of backups: a copy of the wrong length, which is made again",
		"internal/backup/prune.go":        "in the place of backups: what has been kept as long as it may be",
	}
	// deletesRows are the functions of storage/meta with a statement that
	// removes a key, a rendition or an item, or marks one destroyed.
	deletesRows = map[string]string{
		"destroyKeys":    "called by DestroyKeys, after eligible, and by DestroyAgain",
		"DropDerivative": "a form that will be made again from the original, never an original itself: nothing of the record goes",
		"forget":         "called by ForgetItem, of what DestroyKeys made keyless, and by DestroyAgain",
		"DestroyAgain":   "what passed the gate before a backup brought it back",
	}
	// callers are who may call those that do not ask the gate themselves.
	callers = map[string][]string{
		"destroyKeys":  {"DestroyKeys", "DestroyAgain"},
		"forget":       {"ForgetItem", "DestroyAgain"},
		"DestroyAgain": {"destroyAgain"},
		"DestroyKeys":  {"item"},
	}
)

var removes = regexp.MustCompile(`(?is)(DELETE\s+FROM\s+(wrapped_keys|renditions|items)\b|UPDATE\s+items\s+SET\s[^=]*destroyed_at\s*=\s*\{now\}|TRUNCATE\s+TABLE|DROP\s+TABLE)`)

func TestOneGateBeforeEveryDeletion(t *testing.T) {
	found := map[string]bool{}
	files(t, func(dir, path string, f *ast.File) {
		rel := strings.TrimPrefix(path, "../../")
		if strings.HasPrefix(rel, "test/") || strings.HasPrefix(rel, "storage/blob/blobtest") {
			return
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					s, ok := n.Fun.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					name := s.Sel.Name
					if (name == "Delete" && len(n.Args) == 2 || name == "DeleteVersion") && !strings.HasPrefix(dir, "storage/blob") {
						if deletesObjects[rel] == "" {
							t.Errorf("%s: %s deletes an object: is it a way around the gate?", rel, fn.Name.Name)
						}
						found[rel] = true
					}
					if may, watched := callers[name]; watched && (dir == "storage/meta" || dir == "internal/disposal") {
						found[name] = true
						if !slices.Contains(may, fn.Name.Name) && fn.Name.Name != name {
							t.Errorf("%s: %s calls %s, which only %v may", rel, fn.Name.Name, name, may)
						}
					}
				case *ast.BasicLit:
					if removes.MatchString(n.Value) {
						if dir != "storage/meta" || deletesRows[fn.Name.Name] == "" {
							t.Errorf("%s: %s removes what only the gate may: %s", rel, fn.Name.Name, n.Value)
						}
						found[fn.Name.Name] = true
					}
				}
				return true
			})
		}
	})
	for name := range deletesObjects {
		if !found[name] {
			t.Errorf("%s deletes nothing: take it off the list", name)
		}
	}
	for name := range deletesRows {
		if !found[name] {
			t.Errorf("%s removes nothing: has it been renamed?", name)
		}
	}
	for name := range callers {
		if !found[name] {
			t.Errorf("nobody calls %s: has it been renamed?", name)
		}
	}
	// The gate itself asks about holds, in the transaction that destroys.
	text, err := os.ReadFile("../../storage/meta/disposal.go")
	if err != nil {
		t.Fatal(err)
	}
	body := string(text)
	gate := body[strings.Index(body, "func (t *tx) eligible"):]
	gate = gate[:strings.Index(gate, "\n}")]
	keys := body[strings.Index(body, "func (s *Store) DestroyKeys"):]
	keys = keys[:strings.Index(keys, "\n}")]
	if !strings.Contains(gate, "+held+") || !strings.Contains(keys, "t.eligible(") || strings.Index(keys, "t.eligible(") > strings.Index(keys, "t.destroyKeys(") {
		t.Error("the gate does not ask about holds before it destroys")
	}
}
