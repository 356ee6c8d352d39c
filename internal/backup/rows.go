package backup

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"unicode/utf8"

	"github.com/wardseal/wardseal/storage/meta"
)

// A row is a line: a JSON array of its values in the order of the table's
// columns; bytes in base64. So a part can be read without this program.

// appendRow adds a row to b.
func appendRow(b []byte, t meta.Table, row []any) ([]byte, error) {
	b = append(b, '[')
	for i, v := range row {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := v.(type) {
		case []byte:
			b = append(b, '"')
			b = base64.StdEncoding.AppendEncode(b, v)
			b = append(b, '"')
		case string:
			if !utf8.ValidString(v) {
				return nil, fmt.Errorf("%s.%s holds text that is not UTF-8", t.Name, t.Columns[i].Name)
			}
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			b = append(b, text...)
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			b = append(b, text...)
		}
	}
	return append(b, ']', '\n'), nil
}

// maxRow bounds one line.
const maxRow = 32 << 20

// eachRow reads rows back.
func eachRow(plain []byte, t meta.Table, each func(row []any) error) error {
	in := bufio.NewReaderSize(bytes.NewReader(plain), 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil || len(line) > maxRow {
			return errors.New("a row is cut short, or too long")
		}
		row, err := parseRow(line, t)
		if err != nil {
			return fmt.Errorf("a row of %s: %w", t.Name, err)
		}
		if err := each(row); err != nil {
			return err
		}
	}
}

func parseRow(line []byte, t meta.Table) ([]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var row []any
	if err := d.Decode(&row); err != nil {
		return nil, err
	}
	if len(row) != len(t.Columns) {
		return nil, fmt.Errorf("%d values where there are %d columns", len(row), len(t.Columns))
	}
	for i, c := range t.Columns {
		ok := row[i] == nil
		switch v := row[i].(type) {
		case string:
			switch c.Kind {
			case meta.Text:
				ok = true
			case meta.Bytes:
				b, err := base64.StdEncoding.DecodeString(v)
				if err != nil {
					return nil, err
				}
				row[i], ok = b, true
			}
		case json.Number:
			n, err := v.Int64()
			row[i], ok = n, err == nil && c.Kind == meta.Integer
		case bool:
			ok = c.Kind == meta.Boolean
		}
		if !ok {
			return nil, fmt.Errorf("column %s holds something else", c.Name)
		}
	}
	return row, nil
}

const (
	partBytes = 4 << 20 // a part ends here at the latest
	cutEvery  = 1 << 11 // and where the key of a row says so: at one row of so many
	leastRows = 256     // but not before so many
)

// cuts reports whether a part ends after a row. It depends on the row's key
// alone, so that rows which come, change or go elsewhere leave the other parts
// of a table as they were.
func cuts(key []byte) bool {
	h := fnv.New64a()
	_, _ = h.Write(key)
	sum := h.Sum64()
	sum ^= sum >> 29 // the low bits of FNV follow the last byte closely
	return sum*0x9e3779b97f4a7c15>>40%cutEvery == 0
}
