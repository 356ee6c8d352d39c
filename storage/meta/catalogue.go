package meta

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// What a database says of its own schema, in the same form for both.
const (
	sqliteColumns = `SELECT m.name, p.name, upper(p.type), p.pk FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version' ORDER BY m.name, p.cid`
	sqliteReferences = `SELECT m.name, f."from", f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`

	postgresColumns = `SELECT c.table_name::text, c.column_name::text, upper(c.data_type::text), coalesce((
			SELECT array_position(i.indkey::int2[], a.attnum) + 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
			WHERE i.indisprimary AND i.indrelid = t.oid AND a.attname = c.column_name AND a.attnum = ANY (i.indkey::int2[])), 0)
		FROM information_schema.columns c JOIN pg_class t ON t.relname = c.table_name AND t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace
		WHERE c.table_schema = current_schema() AND c.table_name <> 'goose_db_version' ORDER BY c.table_name, c.ordinal_position`
	postgresReferences = `SELECT f.relname::text, a.attname::text, t.relname::text FROM pg_constraint c JOIN pg_class f ON f.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid
		JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace`

	// Keys of objects are compared byte by byte, whatever the language of the
	// database, so that they come in the order in which a store lists them.
	postgresSettle = `DO $$ BEGIN
		IF EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = 'renditions' AND column_name = 'object_key' AND coalesce(collation_name, '') <> 'C') THEN
			ALTER TABLE renditions ALTER COLUMN object_key TYPE TEXT COLLATE "C";
		END IF;
		IF EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = 'upload_parts' AND column_name = 'object_key' AND coalesce(collation_name, '') <> 'C') THEN
			ALTER TABLE upload_parts ALTER COLUMN object_key TYPE TEXT COLLATE "C";
		END IF;
	END $$`
)

// Kind is what a column holds, on either database.
type Kind string

// The kinds there are.
const (
	Text    Kind = "text"
	Integer Kind = "integer"
	Bytes   Kind = "bytes"
	Boolean Kind = "boolean"
)

var kinds = map[string]Kind{"TEXT": Text, "BIGINT": Integer, "INTEGER": Integer, "BYTEA": Bytes, "BOOLEAN": Boolean}

// Table is a table of the schema, in a form that both databases share.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	Key     []string `json:"key"`            // columns of the primary key
	Self    string   `json:"self,omitempty"` // a column that refers to the table itself
}

// Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// seeded are the tables that a new schema has a row in already.
var seeded = []string{"audit_counter", "audit_sequencer", "disposal_gate", "scrub"}

// catalogue lists the tables so that what a row refers to comes before it.
func (s *Store) catalogue(ctx context.Context, from querier) ([]Table, error) {
	tables, place := map[string]*Table{}, map[string]map[int]string{}
	err := s.list(ctx, from, s.d.columns, func(scan func(...any) error) error {
		var table, column, kind string
		var key int
		if err := scan(&table, &column, &kind, &key); err != nil {
			return err
		}
		k, ok := kinds[kind]
		if !ok {
			return fmt.Errorf("column %s.%s is of the unknown kind %s", table, column, kind)
		}
		t := tables[table]
		if t == nil {
			t = &Table{Name: table}
			tables[table], place[table] = t, map[int]string{}
		}
		t.Columns = append(t.Columns, Column{column, k})
		if key > 0 {
			place[table][key] = column
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name, t := range tables {
		for i := 1; i <= len(place[name]); i++ {
			t.Key = append(t.Key, place[name][i])
		}
		if len(t.Key) == 0 {
			return nil, fmt.Errorf("table %s has no primary key", name)
		}
	}
	needs := map[string][]string{}
	err = s.list(ctx, from, s.d.references, func(scan func(...any) error) error {
		var table, column, to string
		if err := scan(&table, &column, &to); err != nil {
			return err
		}
		if t := tables[table]; table == to && t != nil {
			if t.Self != "" && t.Self != column || len(t.Key) != 1 {
				return fmt.Errorf("table %s refers to itself in more than one way", table)
			}
			t.Self = column
		} else if !slices.Contains(needs[table], to) {
			needs[table] = append(needs[table], to)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return inOrder(tables, needs)
}

func inOrder(tables map[string]*Table, needs map[string][]string) ([]Table, error) {
	var names []string
	for name := range tables {
		names = append(names, name)
	}
	sort.Strings(names)
	var out []Table
	done := map[string]bool{}
	for len(out) < len(tables) {
		before := len(out)
		for _, name := range names {
			if done[name] || slices.ContainsFunc(needs[name], func(n string) bool { return !done[n] }) {
				continue
			}
			done[name] = true
			out = append(out, *tables[name])
		}
		if len(out) == before {
			return nil, errors.New("tables refer to each other in a circle")
		}
	}
	return out, nil
}

// list runs a query on a database or in a transaction.
func (s *Store) list(ctx context.Context, from querier, query string, each func(scan func(...any) error) error, args ...any) error {
	rows, err := from.QueryContext(ctx, s.text(query), args...)
	if err != nil {
		return s.d.classify(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return s.d.classify(rows.Err())
}
