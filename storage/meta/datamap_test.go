package meta_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wardseal/wardseal/storage/meta"
)

// Every column of the schema is described, once, and nothing else is.
func TestDataMapIsTheSchema(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new.db")
	s, err := meta.Open(meta.Config{Driver: "sqlite", DSN: file})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var schema, described []string
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			t.Fatal(err)
		}
		schema = append(schema, column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	tables, err := meta.DataMap()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		for _, c := range table.Columns {
			name := table.Name + "." + c.Name
			if slices.Contains(described, name) {
				t.Errorf("%s is described twice", name)
			}
			if described = append(described, name); !slices.Contains(schema, name) {
				t.Errorf("datamap.yaml describes %s, which the schema does not have", name)
			}
		}
	}
	for _, name := range schema {
		if !slices.Contains(described, name) {
			t.Errorf("datamap.yaml does not describe %s", name)
		}
	}
}
