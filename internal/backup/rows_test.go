package backup

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/wardseal/wardseal/storage/meta"
)

var table = meta.Table{Name: "t", Key: []string{"id"}, Columns: []meta.Column{{Name: "id", Kind: meta.Text}, {Name: "n", Kind: meta.Integer}, {Name: "b", Kind: meta.Bytes}, {Name: "o", Kind: meta.Boolean}}}

func TestRowsComeBack(t *testing.T) {
	rows := [][]any{
		{"a", int64(-1 << 63), []byte{}, true},
		{"quo\"te\n <&>\u2028 ü", int64(1<<63 - 1), []byte{0, 255, '\n'}, false},
		{"", int64(0), nil, nil},
	}
	var b []byte
	for _, row := range rows {
		var err error
		if b, err = appendRow(b, table, row); err != nil {
			t.Fatal(err)
		}
	}
	var got [][]any
	if err := eachRow(b, table, func(row []any) error { got = append(got, row); return nil }); err != nil || !reflect.DeepEqual(got, rows) {
		t.Errorf("%v: %#v", err, got)
	}
	if _, err := appendRow(nil, table, []any{"\xff", int64(1), nil, nil}); err == nil {
		t.Error("text that is not UTF-8 was changed silently")
	}
	for name, line := range map[string]string{
		"cut": string(b[:20]), "too few": "[1]\n", "no number": `["a","1","",true]` + "\n", "no base64": `["a",1,"*",true]` + "\n",
		"a fraction": `["a",1.5,"",true]` + "\n", "too large": `["a",9223372036854775808,"",true]` + "\n", "an object": `["a",1,{},true]` + "\n",
	} {
		if err := eachRow([]byte(line), table, func([]any) error { return nil }); err == nil {
			t.Errorf("%s: was read", name)
		}
	}
}

// A row that comes or goes changes the part that it is in, and no other: parts
// are cut by keys, not by count.
func TestPartsAreCutByKeys(t *testing.T) {
	cut := func(skip int) (parts [][]byte) {
		var b []byte
		rows := 0
		for i := range 100_000 {
			if i == skip {
				continue
			}
			key := fmt.Appendf(nil, "01990000-0000-7000-8000-%012x", i)
			b = append(b, key...)
			if rows++; rows >= leastRows && cuts(key) {
				parts, b, rows = append(parts, b), nil, 0
			}
		}
		return append(parts, b)
	}
	whole, less := cut(-1), cut(50_000)
	if n := 100_000 / len(whole); n < cutEvery/3 || n > 3*cutEvery {
		t.Errorf("a part has %d rows", n)
	}
	changed := 0
	for _, p := range less {
		same := false
		for _, q := range whole {
			same = same || bytes.Equal(p, q)
		}
		if !same {
			changed++
		}
	}
	if changed > 2 {
		t.Errorf("%d of %d parts changed for one row", changed, len(whole))
	}
}
