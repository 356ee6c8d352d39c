// Package layers fails the build when the house's layering is broken: imports
// run downwards only, and each outside library has one importer.
package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wardseal/wardseal/"

// layer gives a folder's layer and, for a mechanism, its root.
func layer(dir string) (n int, root string) {
	top, rest, _ := strings.Cut(dir, "/")
	switch top {
	case "imaging", "crypto", "storage":
		return 1, top
	case "api":
		return 3, ""
	case "cmd":
		return 4, ""
	case "test":
		return 5, ""
	}
	switch name, _, _ := strings.Cut(rest, "/"); name {
	case "fault", "media", "access", "link", "audit", "retention", "referral", "oversight", "notice", "invitation", "words":
		return 0, ""
	case "jobs":
		return 1, "jobs"
	case "mail":
		return 1, "mail"
	case "push":
		return 1, "push"
	case "breached":
		return 1, "breached"
	case "oidc":
		return 1, "oidc"
	case "transfer", "records", "disposal", "handover", "signin", "ledger", "custody", "fsck", "backup":
		return 2, ""
	case "config":
		return 4, ""
	}
	return -1, ""
}

// owners says which folders alone may import an outside library.
var owners = map[string][]string{
	"filippo.io/age":                    {"crypto"},
	"github.com/minio/minio-go":         {"storage/blob/s3"},
	"github.com/gin-gonic":              {"api"},
	"github.com/jackc/pgx":              {"storage/meta"},
	"modernc.org/sqlite":                {"storage/meta"},
	"github.com/pressly/goose":          {"storage/meta"},
	"database/sql":                      {"storage/meta"},
	"github.com/disintegration/imaging": {"imaging"},
	"github.com/rwcarlsen/goexif":       {"imaging"},
	"golang.org/x/image":                {"imaging", "internal/disposal/paper"}, // paper: for its fonts
	"os/exec":                           {"imaging/derive"},
	"github.com/wneessen/go-mail":       {"internal/mail"},
	"github.com/SherClockHolmes":        {"internal/push"},
	"github.com/cloudflare/circl":       {"crypto/keyring"},
	"github.com/coreos/go-oidc":         {"internal/oidc"},
	"golang.org/x/oauth2":               {"internal/oidc"},
	"github.com/go-jose":                {"internal/oidc"},
	"codeberg.org/go-pdf/fpdf":          {"internal/disposal/paper"},
	"github.com/trustelem/zxcvbn":       {"internal/signin"},
	"github.com/leonelquinteros/gotext": {"api/ui"},
	"golang.org/x/text":                 {"api/ui"},
	"golang.org/x/mod":                  {"internal/audit", "internal/ledger", "internal/transfer", "crypto/keyring", "cmd/wardseal"},
}

func files(t *testing.T, each func(dir, path string, f *ast.File)) {
	t.Helper()
	n := 0
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "node_modules" || e.Name() == "testdata" || e.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("../..", filepath.Dir(path))
		if err != nil {
			return err
		}
		n++
		each(filepath.ToSlash(rel), path, f)
		return nil
	})
	if err != nil || n < 50 {
		t.Fatalf("read %d files: %v", n, err)
	}
}

func within(dir string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return dir == f || strings.HasPrefix(dir, f+"/") })
}

func TestImportsRunDownwards(t *testing.T) {
	files(t, func(dir, path string, f *ast.File) {
		from, fromRoot := layer(dir)
		if from < 0 {
			t.Errorf("%s is in no layer", dir)
			return
		}
		for _, spec := range f.Imports {
			name := strings.Trim(spec.Path.Value, `"`)
			for library, folders := range owners {
				if (name == library || strings.HasPrefix(name, library+"/")) && from < 5 && !within(dir, folders) {
					t.Errorf("%s imports %s, which belongs to %v", path, name, folders)
				}
			}
			to, ours := strings.CutPrefix(name, module)
			if !ours {
				continue
			}
			n, root := layer(to)
			switch {
			case n > from, n < 0:
				t.Errorf("%s imports upwards: %s", path, to)
			case n == 1 && from == 1 && root != fromRoot:
				t.Errorf("%s imports another mechanism: %s", path, to)
			case n == 1 && from == 3 && root != "":
				t.Errorf("%s: the edge imports a mechanism: %s", path, to)
			}
		}
	})
}

// TestOnlySanitiseCertifies keeps clean.Media what its name says.
func TestOnlySanitiseCertifies(t *testing.T) {
	found := false
	files(t, func(dir, path string, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Certify" {
				if dir != "imaging/sanitise" {
					t.Errorf("%s calls Certify", path)
				}
				found = true
			}
			return true
		})
	})
	if !found {
		t.Error("nothing certifies: has Certify been renamed?")
	}
}

// TestVerifierIsIndependent: the second opinion shares nothing with the first.
func TestVerifierIsIndependent(t *testing.T) {
	files(t, func(dir, path string, f *ast.File) {
		if dir != "imaging/verify" {
			return
		}
		for _, spec := range f.Imports {
			name, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if ours && !strings.HasPrefix(name, "internal/") {
				t.Errorf("%s imports %s", path, name)
			}
		}
	})
}
