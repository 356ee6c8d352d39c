package meta

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// DataTable says what a table of the database is for.
type DataTable struct {
	Name, Is string
	Columns  []DataColumn
}

// DataColumn says what a column holds, whose data that is, until when it is
// kept and who can read it through the program.
type DataColumn struct {
	Name, Form, Is, Of, Kept, Read string
}

// DataForms are the forms in which data stands in a column.
var DataForms = []string{"identifier", "plain", "sealed", "keyed hash", "hash", "password hash", "wrapped", "signed"}

// dataSubjects are those whose data a column can hold.
var dataSubjects = []string{"patients", "staff", "outside", "nobody"}

//go:embed datamap.yaml
var dataMap []byte

// DataMap says what every column of the schema holds. A test compares it with
// the schema.
func DataMap() ([]DataTable, error) {
	var top yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(dataMap)).Decode(&top); err != nil {
		return nil, fmt.Errorf("read the data map: %w", err)
	}
	var out []DataTable
	err := eachEntry(top.Content[0], func(name string, n *yaml.Node) error {
		t, err := dataTable(name, n)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the data map: %w", err)
	}
	return out, nil
}

// eachEntry goes through a mapping as it is written; yaml.v3 gives maps without
// their order.
func eachEntry(n *yaml.Node, each func(name string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: a mapping is wanted", n.Line)
	}
	for pair := range slices.Chunk(n.Content, 2) {
		if err := each(pair[0].Value, pair[1]); err != nil {
			return fmt.Errorf("%s: %w", pair[0].Value, err)
		}
	}
	return nil
}

func dataTable(name string, n *yaml.Node) (DataTable, error) {
	var all struct {
		Is, Of, Kept, Read string
		Columns            yaml.Node
	}
	if err := n.Decode(&all); err != nil {
		return DataTable{}, err
	}
	if all.Is == "" || all.Of == "" || all.Kept == "" || all.Read == "" {
		return DataTable{}, errors.New("is, of, kept and read are wanted")
	}
	t := DataTable{Name: name, Is: all.Is}
	err := eachEntry(&all.Columns, func(name string, n *yaml.Node) error {
		var words []string
		if err := n.Decode(&words); err != nil {
			return err
		}
		if len(words) < 2 || len(words) > 5 || words[1] == "" || !slices.Contains(DataForms, words[0]) {
			return errors.New("a known form, what it is, and at most of, kept and read are wanted")
		}
		c := DataColumn{Name: name, Form: words[0], Is: words[1], Of: all.Of, Kept: all.Kept, Read: all.Read}
		for i, own := range []*string{&c.Of, &c.Kept, &c.Read} {
			if len(words) > i+2 && words[i+2] != "" {
				*own = words[i+2]
			}
		}
		for who := range strings.SplitSeq(c.Of, ", ") {
			if !slices.Contains(dataSubjects, who) {
				return fmt.Errorf("%q is nobody known; is a comma without quotes around it?", who)
			}
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
	return t, err
}
