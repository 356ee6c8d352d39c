package audit

import (
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CSVWriter writes events as comma-separated values (RFC 4180), a line each.
type CSVWriter struct {
	w     *csv.Writer
	names Names
}

// NewCSVWriter writes the line of headings.
func NewCSVWriter(w io.Writer, n Names) (*CSVWriter, error) {
	c := &CSVWriter{csv.NewWriter(w), n}
	return c, c.w.Write([]string{"number", "time", "what happened", "type", "who", "who (id)", "patient (id)", "item (id)", "form", "link (id)", "grant (id)", "team (id)", "person (id)", "session", "request", "details", "event (id)"})
}

// Write adds an event.
func (c *CSVWriter) Write(e Event) error {
	who := ""
	if e.Actor != "" {
		who = c.names.Person(e.Actor).String()
	}
	var details []string
	for _, k := range slices.Sorted(maps.Keys(e.Detail)) {
		details = append(details, k+"="+e.Detail[k])
	}
	s := e.Subject
	row := []string{strconv.FormatInt(e.Seq, 10), e.At.UTC().Format(time.RFC3339Nano), e.Sentence(c.names).String(), string(e.Type), who, string(e.Actor), s.Patient, s.Item, s.Rendition, s.Link, s.Grant,
		s.Team, s.Person, string(e.Session), e.Request, strings.Join(details, "; "), e.ID}
	for i := range row {
		row[i] = Cell(row[i])
	}
	return c.w.Write(row)
}

// Flush writes what is still held back.
func (c *CSVWriter) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// Cell keeps a spreadsheet from taking a text for a formula.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
