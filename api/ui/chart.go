package ui

import (
	"fmt"
	"unicode/utf8"

	"github.com/wardseal/wardseal/internal/words"
)

// Point is one bar of a chart.
type Point struct {
	Label words.Text
	Value int64
	Text  words.Text // the value as people read it; the number itself when empty
}

// Chart is a bar chart as SVG, drawn on the server. What it shows stands in a
// table beside it too, so that nobody depends on seeing it.
type Chart struct {
	ID            string
	Title, Says   words.Text // Says is the description for screen readers
	Width, Height int
	Bars          []Bar
	Lines         []Line
	Across        bool // bars lie, each with its label to the left
}

// Bar is one drawn bar.
type Bar struct {
	X, Y, W, H     int
	Label, Value   words.Text
	LabelX, LabelY int // of the label
	ValueX, ValueY int // of the value
	Named          bool
}

// Line is a line of the grid with its value.
type Line struct {
	Y    int
	Text words.Text
}

const (
	chartWidth = 480
	barHeight  = 20
	barStep    = 44
)

// Columns draws standing bars, for what runs over time.
func Columns(id string, title words.Text, points []Point) *Chart {
	const height, top, bottom, left = 240, 24, 210, 8
	c := &Chart{ID: id, Title: title, Says: says(points), Width: chartWidth, Height: height}
	most := highest(points)
	for _, share := range []int64{0, 1, 2} {
		y := bottom - int(share)*(bottom-top)/2
		c.Lines = append(c.Lines, Line{Y: y})
	}
	if len(points) == 0 {
		return c
	}
	c.Lines[2].Text = points[0].text() // of the highest, to read the others by
	for _, p := range points {
		if p.Value == most {
			c.Lines[2].Text = p.text()
		}
	}
	step := (chartWidth - 2*left) / len(points)
	every := max(1, (64+step-1)/max(step, 1)) // labels are about 64 wide
	for i, p := range points {
		h := int(p.Value * int64(bottom-top) / most)
		if p.Value > 0 {
			h = max(h, 2)
		}
		x, w := left+i*step, max(step-max(step/5, 1), 1)
		b := Bar{X: x, Y: bottom - h, W: w, H: h, Label: p.Label, LabelX: x + w/2, LabelY: bottom + 20, ValueX: x + w/2, ValueY: bottom - h - 6}
		b.Named = (len(points)-1-i)%every == 0 && b.LabelX > 24
		if step >= 28 && p.Value > 0 {
			b.Value = p.text()
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// Rows draws lying bars, for things with names.
func Rows(id string, title words.Text, points []Point) *Chart {
	c := &Chart{ID: id, Title: title, Says: says(points), Width: chartWidth, Height: max(len(points), 1)*barStep + 4, Across: true}
	most := highest(points)
	for i, p := range points {
		w := int(p.Value * (chartWidth - 110) / most)
		if p.Value > 0 {
			w = max(w, 2)
		}
		y := i*barStep + barHeight
		c.Bars = append(c.Bars, Bar{X: 0, Y: y, W: w, H: barHeight, Label: short(p.Label, 52), Value: p.text(), Named: true, LabelX: 0, LabelY: y - 5, ValueX: w + 8, ValueY: y + 15})
	}
	return c
}

func (p Point) text() words.Text {
	if p.Text != "" {
		return p.Text
	}
	return words.Data(fmt.Sprint(p.Value))
}

func highest(points []Point) int64 {
	most := int64(1)
	for _, p := range points {
		most = max(most, p.Value)
	}
	return most
}

// says puts a chart in a sentence.
func says(points []Point) words.Text {
	if len(points) == 0 {
		return "Nothing."
	}
	var parts []words.Text
	for _, p := range points {
		parts = append(parts, words.Say("{label}: {value}", p.Label, p.text()))
	}
	if len(parts) > 24 {
		parts = append(parts[:24], "and more, in the table")
	}
	return words.Say("{all}.", words.Join(parts, "; "))
}

// short cuts a long name off.
func short(t words.Text, n int) words.Text {
	s := t.String()
	if utf8.RuneCountInString(s) <= n {
		return t
	}
	return words.Data(string([]rune(s)[:n-1]) + "…")
}
