package e2e

import (
	"bytes"
	"database/sql"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wardseal/wardseal/api"
)

// marks is a set with one arrow and a note that says text.
func marks(text string) body {
	return body{"version": 1, "shapes": []body{
		{"kind": "arrow", "points": [][2]float64{{0.1, 0.2}, {0.3, 0.4}}},
		{"kind": "note", "text": text},
	}}
}

// annotated keeps a set over an item and gives it.
func (p *person) annotated(item, text string) api.Annotation {
	p.h.t.Helper()
	var a api.Annotation
	p.must("POST", "/items/"+item+"/annotations", http.StatusCreated, body{"marks": marks(text)}).into(p.h.t, &a)
	return a
}

// annotations are the sets that an address gives.
func (p *person) annotations(path string) []api.Annotation {
	p.h.t.Helper()
	var list struct{ Annotations []api.Annotation }
	p.must("GET", path, http.StatusOK, nil).into(p.h.t, &list)
	return list.Annotations
}

// removesOwn takes away a set of one's own where one can make one, and
// otherwise one of the nurse's.
func removesOwn(f *fixture) answer {
	var made api.Annotation
	if a := f.to("POST", "/items/"+f.item+"/annotations", body{"marks": marks("mine")}); a.status == http.StatusCreated {
		a.into(f.h.t, &made)
	} else {
		made = f.h.session("nurse").annotated(f.item, "not mine")
	}
	return f.to("DELETE", "/annotations/"+string(made.ID), nil)
}

// openedAnnotations asks for the sets through a grant; see opened.
func openedAnnotations(f *fixture) answer {
	var g api.Grant
	if a := f.open(f.secret); a.status == http.StatusOK {
		a.into(f.h.t, &g)
	} else {
		secret, _ := f.h.linkTo(f.item, f.h.ids["consultant"])
		f.h.session("consultant").must("POST", "/links/open", http.StatusOK, body{"secret": secret}).into(f.h.t, &g)
	}
	return f.to("GET", "/grants/"+string(g.ID)+"/annotations", nil)
}

// Marks are kept beside the picture in versions, seen by who sees the picture,
// changed and removed by who made them, and never lost to the record.
func TestAnnotations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, h *house) {
		item := h.filed()
		nurse, colleague := h.as("nurse"), h.as("colleague")
		before := nurse.send("GET", "/api/v1/items/"+item+"/renditions/original-clean", nil).body
		first := nurse.annotated(item, "first thoughts")
		if first.Version != 1 || first.Series != first.ID || !first.Mine || first.AuthorName != "Example nurse" || first.CreatedAt == nil {
			t.Errorf("%+v", first)
		}
		theirs := colleague.annotated(item, "seen too")

		// A change is a new version; the one before it cannot be changed again.
		change := func(p *person, id, text string) answer {
			return p.ask("POST", "/items/"+item+"/annotations", body{"replaces": id, "marks": marks(text)})
		}
		var second api.Annotation
		a := change(nurse, string(first.ID), "second thoughts")
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		a.into(t, &second)
		if second.Version != 2 || second.Series != first.ID || second.ID == first.ID {
			t.Errorf("%+v", second)
		}
		if a := change(nurse, string(first.ID), "late"); a.code() != "annotation-changed" {
			t.Errorf("a version changed twice: %d %s", a.status, a.body)
		}
		if a := change(colleague, string(second.ID), "not mine"); a.code() != "annotation-not-yours" || a.status != http.StatusForbidden {
			t.Errorf("somebody else's set changed: %d %s", a.status, a.body)
		}
		if a := colleague.ask("DELETE", "/annotations/"+string(second.ID), nil); a.code() != "annotation-not-yours" {
			t.Errorf("somebody else's set removed: %d %s", a.status, a.body)
		}
		got := colleague.annotations("/items/" + item + "/annotations")
		if len(got) != 2 || got[0].ID != second.ID || got[0].Mine || got[0].Marks.Shapes[1].Text != "second thoughts" || got[1].ID != theirs.ID || !got[1].Mine {
			t.Errorf("%+v", got)
		}

		// Of two changes at once, one is the next version.
		var wg sync.WaitGroup
		won := make(chan string, 8)
		for range 8 {
			wg.Go(func() {
				if a := change(nurse, string(second.ID), "race"); a.status == http.StatusCreated {
					won <- "x"
				} else if a.code() != "annotation-changed" {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Errorf("%d changes of one version", len(won))
		}

		// Through an opened link they are seen, and no more.
		secret, _ := h.link(item, body{"uses": 3})
		consultant := h.as("consultant")
		var g api.Grant
		consultant.must("POST", "/links/open", http.StatusOK, body{"secret": secret}).into(t, &g)
		if got := consultant.annotations("/grants/" + string(g.ID) + "/annotations"); len(got) != 2 || got[0].Mine {
			t.Errorf("%+v", got)
		}
		for _, a := range []answer{
			consultant.ask("GET", "/items/"+item+"/annotations", nil),
			consultant.ask("POST", "/items/"+item+"/annotations", body{"marks": marks("x")}),
			consultant.ask("DELETE", "/annotations/"+string(theirs.ID), nil),
			h.as("colleague").ask("GET", "/grants/"+string(g.ID)+"/annotations", nil),
			change(h.as("outsider"), string(second.ID), "x"),
		} {
			if a.status != http.StatusNotFound {
				t.Errorf("%d %s", a.status, a.body)
			}
		}

		// Removed is marked, and the history keeps it.
		for range 2 {
			nurse.must("DELETE", "/annotations/"+string(first.ID), http.StatusNoContent, nil)
		}
		if got := nurse.annotations("/items/" + item + "/annotations"); len(got) != 1 || got[0].ID != theirs.ID {
			t.Errorf("%+v", got)
		}
		if a := change(nurse, string(second.ID), "after all"); a.code() != "annotation-changed" {
			t.Errorf("a removed set changed: %d %s", a.status, a.body)
		}
		if got := nurse.annotations("/items/" + item + "/annotations?history=true"); len(got) != 4 || got[0].RemovedAt == nil || got[0].Marks.Shapes[1].Text != "first thoughts" || got[3].RemovedAt != nil {
			t.Errorf("%+v", got)
		}
		if n, m := h.events("item.annotated"), h.events("item.annotation-removed"); n != 4 || m != 1 {
			t.Errorf("%d and %d events", n, m)
		}
		if n := h.events("item.annotations-shown"); n != 4 {
			t.Errorf("%d showings are recorded", n)
		}
		if after := nurse.send("GET", "/api/v1/items/"+item+"/renditions/original-clean", nil).body; !bytes.Equal(before, after) {
			t.Error("the picture changed")
		}
	})
}

// What is not exactly of the form is refused, and nothing is kept of it.
func TestAnnotationsOutOfForm(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item, other := h.filed(), h.filed()
	nurse := h.as("nurse")
	made := nurse.annotated(other, "of another picture")
	for want, in := range map[string]any{
		"422 marks-wrong":        body{"marks": body{"version": 1, "shapes": []body{{"kind": "script", "text": "x"}}}},
		"422 marks-none":         body{"marks": body{"version": 1, "shapes": []body{}}},
		"422 marks-text-long":    body{"marks": marks(strings.Repeat("x", 501))},
		"422 json-wrong":         body{"marks": marks("x"), "author": "somebody else"},
		"413 json-too-large":     body{"marks": marks(strings.Repeat("x", 70<<10))},
		"409 annotation-changed": body{"marks": marks("x"), "replaces": made.ID},
		"404 not-found":          body{"marks": marks("x"), "replaces": "0190a5e6-0000-7000-8000-000000000000"},
	} {
		a := nurse.ask("POST", "/items/"+item+"/annotations", in)
		if got := fmt.Sprint(a.status, " ", a.code()); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if a := nurse.ask("POST", "/items/"+item+"/annotations", body{}); a.code() != "marks-wrong" {
		t.Errorf("nothing at all: %d %s", a.status, a.body)
	}
	if got := nurse.annotations("/items/" + item + "/annotations"); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// What is written over a picture is sealed at rest, and so are its coordinates.
func TestAnnotationsAreSealed(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	item := h.filed()
	h.as("nurse").annotated(item, "ANNOTATION-MARKER")
	db, err := sql.Open("sqlite", filepath.Join(h.data, "wardseal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var kept []byte
	if err := db.QueryRowContext(t.Context(), "SELECT marks FROM annotations").Scan(&kept); err != nil || len(kept) < 100 {
		t.Fatalf("%d bytes, %v", len(kept), err)
	}
	err = filepath.WalkDir(h.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && (bytes.Contains(b, []byte("ANNOTATION-MARKER")) || bytes.Contains(b, []byte(`"shapes"`))) {
			t.Errorf("marks can be read in %s", filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
