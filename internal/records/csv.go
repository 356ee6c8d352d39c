package records

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// CSVHeader is the first line of a file of patient events.
func CSVHeader() []string {
	return []string{"patient_number_kind", "patient_number", "date_of_birth", "event", "on", "note"}
}

// CSVHeaderText is the same as a line.
func CSVHeaderText() string { return strings.Join(CSVHeader(), ",") }

// IsCSVHeader reports whether a first line is CSVHeader, with or without the
// mark that spreadsheets put before it.
func IsCSVHeader(row []string) bool {
	if len(row) == 0 {
		return false
	}
	row = slices.Clone(row)
	row[0] = strings.TrimPrefix(row[0], "\ufeff")
	return slices.Equal(row, CSVHeader())
}

// Imported is what came of a file of patient events. What was refused can be
// put right and sent again by itself.
type Imported struct {
	Recorded int           `json:"recorded"`
	Refused  []RefusedLine `json:"refused"`
}

// RefusedLine is a line of which nothing was recorded.
type RefusedLine struct {
	Line    int        `json:"line"`
	Code    string     `json:"code"`
	Message words.Text `json:"message"`
}

// Import records events line by line. next gives the fields of a line, in
// CSVHeader's order, and its number, and io.EOF at the end; a *fault.Error of
// its own refuses one line.
func (d *Desk) Import(ctx context.Context, who access.Principal, next func() ([]string, int, error)) (Imported, error) {
	out := Imported{Refused: []RefusedLine{}}
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return out, err
	}
	for {
		row, line, err := next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err == nil {
			err = d.importLine(ctx, who, row)
		}
		var refused *fault.Error
		switch {
		case err == nil:
			out.Recorded++
		case errors.As(err, &refused) && refused.Kind == fault.Invalid:
			out.Refused = append(out.Refused, RefusedLine{line, refused.Code, refused.Message})
		default:
			return out, err
		}
	}
}

func (d *Desk) importLine(ctx context.Context, who access.Principal, row []string) error {
	if len(row) != len(CSVHeader()) {
		return fault.New(fault.Invalid, "csv-line", "This line has not the six fields of the header.")
	}
	p, err := d.finder().Find(ctx, row[0], row[1], row[2])
	if err != nil {
		return transfer.Down(err)
	}
	return d.addEvent(ctx, who, p, NewEvent{Kind: retention.EventKind(row[3]), On: row[4], Note: row[5], Source: "csv"})
}
