package audit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/words"
)

var names = Names{Person: func(id access.PersonID) words.Text { return words.Data("P-" + string(id)) }, Team: func(id access.TeamID) words.Text { return words.Data("T-" + string(id)) }}

// Every type has a sentence, whatever the event has to say and has not.
func TestEveryTypeHasASentence(t *testing.T) {
	full := Event{Seq: 1, ID: "e", At: time.Unix(1, 0), Actor: "a", Subject: Subject{Item: "0123456789", Rendition: "preview", Patient: "pppppppp", Case: "c", Team: "t", Person: "x", Link: "llllllll"},
		Detail: map[string]string{"reason": "expired", "count": "3", "action": "item.show"}}
	for _, d := range Types() {
		full.Type = d.Type
		for _, e := range []Event{full, {Type: d.Type}} {
			got := e.Sentence(names).String()
			if got == "" || strings.ContainsAny(got, "{}[]|") || strings.Contains(got, "  ") || got[:1] != strings.ToUpper(got[:1]) {
				t.Errorf("%s: %q", d.Type, got)
			}
		}
	}
	for want, e := range map[string]Event{
		"P-a looked at the preview of picture 456789 of patient pppppp through link llllll": {Type: PictureShown, Actor: "a", Subject: full.Subject},
		"P-a looked at picture 456789":                                 {Type: PictureShown, Actor: "a", Subject: Subject{Item: "0123456789"}},
		"A sign-in was refused (unknown-account)":                      {Type: SignInFailed, Detail: map[string]string{"reason": "unknown-account"}},
		"P-a tried a link and was refused (unknown)":                   {Type: LinkRefused, Actor: "a", Detail: map[string]string{"reason": "unknown"}},
		"The system, or nobody signed in: new.type-of-a-later-version": {Type: "new.type-of-a-later-version"},
	} {
		if got := e.Sentence(names).String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A detail cannot speak for what has a place of its own.
func TestADetailCannotPoseAsAnother(t *testing.T) {
	e := Event{Type: SignedIn, Actor: "a", Detail: map[string]string{"who": "Somebody else"}}
	if got := e.Sentence(names).String(); got != "P-a signed in" {
		t.Error(got)
	}
}

func TestCells(t *testing.T) {
	var b bytes.Buffer
	w, err := NewCSVWriter(&b, Names{Person: func(access.PersonID) words.Text { return "=cmd|' /C calc'!A0" }, Team: names.Team})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(Event{Seq: 1, Type: SignedIn, Actor: "a", Detail: map[string]string{"b": "2", "a": "1"}}), w.Flush()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || rows[1][4] != "'=cmd|' /C calc'!A0" || rows[1][15] != "a=1; b=2" || !strings.HasPrefix(rows[1][2], "'=") {
		t.Errorf("%q %v", rows, err)
	}
}

// A Bundle is JSON with none, one and two events in it.
func TestBundles(t *testing.T) {
	for n := range 3 {
		var b bytes.Buffer
		w, err := NewFHIRWriter(&b, names, "https://wardseal.example", time.Unix(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := w.Write(Event{Seq: 1, ID: "e", At: time.Unix(1, 0), Type: SignedIn, Actor: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got struct{ Entry []any }
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got.Entry) != n {
			t.Errorf("%d: %v\n%s", n, err, b.Bytes())
		}
	}
}

// What was refused or did not work says so in FHIR too, and what left for
// another organisation is an export.
func TestFHIROutcomes(t *testing.T) {
	f := &FHIRWriter{names: names}
	for _, d := range Types() {
		got, failed := f.resource(Event{Type: d.Type}), false
		for _, word := range []string{"refused", "failed", "denied", "locked"} {
			failed = failed || strings.HasSuffix(string(d.Type), word)
		}
		switch d.Type {
		case DisposalRefused, PersonUnlocked: // somebody decided it
			failed = false
		}
		if failed != (got.Outcome == "4") {
			t.Errorf("%s has the outcome %s", d.Type, got.Outcome)
		}
	}
	left := f.resource(Event{Type: ItemHandedOver})
	if left.Type.Code != "110106" || left.Action != "R" || left.Agent[0].Type.Coding[0].Display != "Destination Role ID" {
		t.Errorf("handed over: %+v", left)
	}
}

func TestCheckpoints(t *testing.T) {
	private, public, err := note.GenerateKey(nil, "wardseal/audit/x")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(text string) []byte {
		t.Helper()
		signed, err := note.Sign(&note.Note{Text: text}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	c := Checkpoint{"wardseal/audit/x", 7, Leaf([]byte("x"))}
	good := sign(c.Text())
	if got, err := OpenCheckpoint(good, key); err != nil || got != c {
		t.Errorf("%+v %v", got, err)
	}
	hash := strings.Split(c.Text(), "\n")[2]
	for name, text := range map[string]string{
		"another log": "wardseal/audit/y\n7\n" + hash + "\n", "no size": "wardseal/audit/x\n\n" + hash + "\n", "size zero": "wardseal/audit/x\n0\n" + hash + "\n", "plus": "wardseal/audit/x\n+7\n" + hash + "\n",
		"zeros before": "wardseal/audit/x\n07\n" + hash + "\n", "a short hash": "wardseal/audit/x\n7\nAAAA\n", "more": c.Text() + "more\n", "less": "wardseal/audit/x\n7\n",
	} {
		if _, err := OpenCheckpoint(sign(text), key); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for cut := range len(good) - 1 {
		if _, err := OpenCheckpoint(good[:cut], key); err == nil {
			t.Errorf("cut at %d", cut)
		}
	}
	bad := bytes.Replace(good, []byte("\n7\n"), []byte("\n8\n"), 1)
	if _, err := OpenCheckpoint(bad, key); !errors.Is(err, ErrCheckpoint) {
		t.Errorf("changed: %v", err)
	}

	// One after another, in lines, and both, with other things between.
	later := sign(Checkpoint{"wardseal/audit/x", 9, Leaf([]byte("y"))}.Text())
	for name, text := range map[string]string{
		"alone": string(good) + string(later), "apart": string(good) + "\n\n" + string(later) + "\n", "lines": Line(c, good) + "\n<109>1 x y " + Line(c, later) + "\n",
		"both": Line(c, good) + "\n" + string(later), "torn": Line(c, good) + "\n" + Line(c, good)[:150] + "\n" + Line(c, later), "returns": strings.ReplaceAll(Line(c, good)+"\n"+Line(c, later), "\n", "\r\n"),
	} {
		var sizes []int64
		for _, n := range Notes([]byte(text)) {
			if c, err := OpenCheckpoint(n, key); err == nil {
				sizes = append(sizes, c.Size)
			} else if !errors.Is(err, ErrNotNote) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(sizes) != 2 || sizes[0] != 7 || sizes[1] != 9 {
			t.Errorf("%s: %v", name, sizes)
		}
	}
}
