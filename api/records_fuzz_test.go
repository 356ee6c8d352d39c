package api

import (
	"errors"
	"io"
	"testing"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/records"
)

// FuzzReadCSV: whatever is sent as a file of events ends, and each line of it
// is either six fields or refused by its number.
func FuzzReadCSV(f *testing.F) {
	head := records.CSVHeaderText() + "\n"
	for _, seed := range []string{"", head, head + "nhs,9990000018,1950-01-31,died,2026-02-03,x\n", head + "\"", head + "a,b\n\"x\"y,\n", "\ufeff" + head + ",,,,,\n", head + "\"\n\n\",1,2,3,4,5\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		next, err := readCSV(text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		for range len(text) + 2 {
			row, line, err := next()
			switch {
			case errors.Is(err, io.EOF):
				return
			case err == nil && len(row) == len(records.CSVHeader()) && line > 0:
			case fault.Is(err, fault.Invalid) && line > 0:
			default:
				t.Fatalf("%q: %v, line %d: %v", text, row, line, err)
			}
		}
		t.Errorf("%q does not end", text)
	})
}
