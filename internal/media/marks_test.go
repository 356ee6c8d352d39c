package media_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
)

const fullMarks = `{"version":1,"shapes":[` +
	`{"kind":"arrow","points":[[0,0],[1,1]]},{"kind":"outline","points":[[0.1,0.1],[0.2,0.1],[0.2,0.2]],"text":"edge"},` +
	`{"kind":"text","points":[[0.5,0.5]],"text":"slough\nhere"},{"kind":"note","text":"better than last week","at_ms":1500},` +
	`{"kind":"distance","points":[[0,0],[0.5,0]]},{"kind":"area","points":[[0,0],[0.5,0],[0.5,0.5]]}],` +
	`"scale":{"from":[0,0],"to":[0.25,0],"mm":50}}`

func TestMarksComeBackAsTheyWent(t *testing.T) {
	m, err := media.ParseMarks([]byte(fullMarks))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(m)
	if err != nil || string(b) != fullMarks {
		t.Fatalf("%s %v", b, err)
	}
	again, err := media.ParseMarks(b)
	if err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("%+v %v", again, err)
	}
}

func TestMarksOutOfFormAreRefused(t *testing.T) {
	one := func(shape string) string { return `{"version":1,"shapes":[` + shape + `]}` }
	scaled := func(scale string) string {
		return `{"version":1,"shapes":[{"kind":"distance","points":[[0,0],[1,1]]}],"scale":` + scale + `}`
	}
	points := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat("[0.5,0.5],", n), ",") + "]" }
	outline := func(n int) string { return fmt.Sprintf(`{"kind":"outline","points":%s}`, points(n)) }
	for text, code := range map[string]string{
		``:                                     "marks-wrong",
		`null`:                                 "marks-wrong",
		`[]`:                                   "marks-wrong",
		fullMarks + `{}`:                       "marks-wrong",
		`{"version":2,"shapes":[]}`:            "marks-wrong",
		`{"version":1,"shapes":[],"colour":1}`: "marks-wrong",
		`{"version":1,"shapes":[]}`:            "marks-none",
		one(`{"kind":"circle","points":[[0,0]]}`):                                   "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0],[1,1]],"href":"javascript:alert(1)"}`): "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0]]}`):                                    "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0],[1,1.01]]}`):                           "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0],[-0.1,1]]}`):                           "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0],[1]]}`):                                "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0],[1,1,1]]}`):                            "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0],["1","1"]]}`):                          "marks-wrong",
		one(`{"kind":"note","points":[[0,0]],"text":"x"}`):                          "marks-wrong",
		one(`{"kind":"note","text":" \n "}`):                                        "marks-text-missing",
		one(`{"kind":"text","points":[[0,0]]}`):                                     "marks-text-missing",
		one(`{"kind":"note","text":"` + strings.Repeat("é", 501) + `"}`):            "marks-text-long",
		one(`{"kind":"note","text":"a\u0000b"}`):                                    "marks-wrong",
		one(`{"kind":"note","text":"a\u202eb"}`):                                    "marks-wrong",
		one(`{"kind":"note","text":"x","at_ms":-1}`):                                "marks-wrong",
		one(`{"kind":"note","text":"x","at_ms":86400001}`):                          "marks-wrong",
		one(`{"kind":"note","text":"x","at_ms":1.5}`):                               "marks-wrong",
		one(`{"kind":"distance","points":[[0,0],[1,1]]}`):                           "marks-wrong", // by which scale?
		one(outline(401)): "marks-wrong",
		one(outline(400) + "," + outline(400) + "," + outline(400) + "," + outline(301)):         "marks-many",
		one(strings.TrimSuffix(strings.Repeat(`{"kind":"note","text":"x"},`, 51), ",")):          "marks-many",
		scaled(`{"from":[0,0],"to":[0,0],"mm":5}`):                                               "marks-scale",
		scaled(`{"from":[0,0],"to":[1,0],"mm":0}`):                                               "marks-scale",
		scaled(`{"from":[0,0],"to":[1,0],"mm":2001}`):                                            "marks-scale",
		scaled(`{"from":[0,0],"to":[2,0],"mm":50}`):                                              "marks-scale",
		scaled(`{"from":[0,0],"to":[1,0],"mm":50,"unit":"inch"}`):                                "marks-wrong",
		one(`{"kind":"arrow","points":[[0,0],[1e999,1]]}`):                                       "marks-wrong",
		`{"version":1,"shapes":[null]}`:                                                          "marks-wrong",
		one(`{"kind":"outline","points":[[0,0],[0.1,0],null]}`):                                  "marks-wrong",
		`{"version":1,"shapes":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`: "marks-wrong",
	} {
		_, err := media.ParseMarks([]byte(text))
		if got := fault.From(err); got == nil || got.Code != code {
			t.Errorf("%.120s: %v, want %s", text, err, code)
		}
	}
	for _, text := range []string{one(outline(400)), one(`{"kind":"note","text":"` + strings.Repeat("é", 500) + `"}`)} {
		if _, err := media.ParseMarks([]byte(text)); err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// FuzzParseMarks: what is drawn over a picture is refused as such, or within
// all bounds, without what shows nothing, and the same when it is kept and read
// again.
func FuzzParseMarks(f *testing.F) {
	for _, seed := range []string{"", "null", "[]", fullMarks, fullMarks + "{}", `{"version":1,"shapes":[null]}`, `{"version":1,"shapes":[{"kind":"note","text":"x","at_ms":0}]}`,
		`{"VERSION":1,"shapes":[{"kind":"note","text":"x"}],"shapes":[{"points":[[0,0]],"kind":"text"}]}`, `{"version":1,"shapes":[{"kind":"note","text":"\ud800\u202e"}]}`,
		`{"version":1,"shapes":[{"kind":"arrow","points":[[1e-999,-0],[1e999,1]]}],"scale":{"from":[0,0],"to":[1,1],"mm":1e-1}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := media.ParseMarks(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		points := 0
		for _, s := range m.Shapes {
			points += len(s.Points)
			for _, p := range s.Points {
				if !(p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1) {
					t.Errorf("%q: a point at %v", text, p)
				}
			}
			if utf8.RuneCountInString(s.Text) > media.MaxMarkText || strings.ContainsAny(s.Text, "\x00\t\r\x7f\u202e\u2066") {
				t.Errorf("%q: %q", text, s.Text)
			}
		}
		if len(m.Shapes) == 0 || len(m.Shapes) > media.MaxMarks || points > media.MaxAllPoints {
			t.Errorf("%q: %d marks of %d points", text, len(m.Shapes), points)
		}
		kept, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		again, err := media.ParseMarks(kept)
		if second, _ := json.Marshal(again); err != nil || !bytes.Equal(second, kept) {
			t.Errorf("%q is kept as %s and read as %s: %v", text, kept, second, err)
		}
	})
}
