package ui_test

import (
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/words"
)

// Bars are in proportion, inside the drawing, and in words too.
func TestCharts(t *testing.T) {
	var many []ui.Point
	for i := range 53 {
		many = append(many, ui.Point{Label: words.Text(strings.Repeat("week ", 20)), Value: int64(i) * 1e12})
	}
	for name, points := range map[string][]ui.Point{"none": nil, "zeroes": {{Label: "a"}, {Label: "b"}}, "two": {{Label: "a", Value: 10}, {Label: "b", Value: 5, Text: "five"}}, "many": many} {
		for _, c := range []*ui.Chart{ui.Columns("x", "X", points), ui.Rows("x", "X", points)} {
			for _, b := range c.Bars {
				if b.X < 0 || b.Y < 0 || b.W < 0 || b.H < 0 || b.X+b.W > c.Width || b.Y+b.H > c.Height {
					t.Errorf("%s: a bar hangs over: %+v", name, b)
				}
			}
			if len(c.Bars) != len(points) || c.Says == "" {
				t.Errorf("%s: %d bars, says %q", name, len(c.Bars), c.Says)
			}
		}
	}
	c := ui.Rows("x", "X", []ui.Point{{Label: "a", Value: 10}, {Label: "b", Value: 5, Text: "five"}})
	if c.Bars[0].W != 2*c.Bars[1].W || c.Bars[1].Value != "five" || c.Says.String() != "a: 10; b: five." {
		t.Errorf("%+v", c)
	}
	if c := ui.Columns("x", "X", []ui.Point{{Label: "a", Value: 1_000_000}, {Label: "b", Value: 1}}); c.Bars[1].H == 0 {
		t.Error("a little is drawn as nothing")
	}
}
