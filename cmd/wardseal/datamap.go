package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/wardseal/wardseal/storage/meta"
)

// dataMapCmd prints docs/data-map.md from what the schema's columns are said to
// hold.
type dataMapCmd struct{}

// Run prints the page.
func (dataMapCmd) Run(out io.Writer) error {
	tables, err := meta.DataMap()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# What is kept, column by column\n\nGenerated (`wardseal data-map`) from [the table that describes every column](../storage/meta/datamap.yaml); " +
		"[TestDataMapIsTheSchema](../storage/meta/datamap_test.go#TestDataMapIsTheSchema) fails when\na column of the migrated schema is not described, or one that is described does not exist.\n\n" +
		"This is the database. Pictures are in the object store, each a file that is encrypted to a key of its own, with no name or number in\nits name; logs and metrics hold nothing about patients.\n\n" +
		"- **identifier**: random, or ordered by time; means nothing outside. Whoever has the database can connect rows by it.\n" +
		"- **plain**: readable to whoever has the database. **sealed**: encrypted, and bound to its table, column and row.\n" +
		"- **keyed hash**: useless without the key, which is not in the database. **hash**: of a long random secret. **password hash**: argon2id.\n" +
		"- **wrapped**: a key under a key whose root is not in the database. **signed**: readable, and cannot be changed unnoticed.\n" +
		"- *Read* is who can read it through the program; see [who may do what](access.md). *Outside* are the people whom staff invite.\n\n")
	n := map[string]int{}
	columns := 0
	for _, t := range tables {
		for _, c := range t.Columns {
			n[c.Form]++
			columns++
		}
	}
	fmt.Fprintf(&b, "%d tables, %d columns:", len(tables), columns)
	for i, form := range meta.DataForms {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " %d %s", n[form], form)
	}
	b.WriteString(".\n")
	for _, t := range tables {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n| column | form | what | whose | kept | read |\n|---|---|---|---|---|---|\n", t.Name, strings.ToUpper(t.Is[:1])+t.Is[1:])
		for _, c := range t.Columns {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", c.Name, c.Form, c.Is, c.Of, c.Kept, c.Read)
		}
	}
	_, err = io.WriteString(out, b.String())
	return err
}
