package media

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// AnnotationID identifies one version of a set of marks over a picture.
type AnnotationID string

// NewAnnotationID mints a time-ordered identifier (UUID version 7, RFC 9562).
func NewAnnotationID() AnnotationID { return AnnotationID(uuid.Must(uuid.NewV7()).String()) }

// Annotation is one version of a set of marks as its database row holds it.
// The picture itself knows nothing of it.
type Annotation struct {
	ID        AnnotationID
	Item      ItemID
	Series    AnnotationID // ID of the set's first version
	Version   int
	Author    access.PersonID
	Marks     Sealed // Marks as JSON
	CreatedAt time.Time
	RemovedAt time.Time // zero unless it was taken away
}

// Bounds of one set of marks.
const (
	MaxMarks     = 50
	MaxPoints    = 400  // of one mark
	MaxAllPoints = 1500 // of all marks of a set
	MaxMarkText  = 500  // characters
	maxMoment    = 24 * 60 * 60 * 1000
)

// Marks is what somebody drew and wrote over a picture: a closed form, checked
// by ParseMarks, so that what is kept can be shown by any page.
type Marks struct {
	Version int    `json:"version"` // of this form: 1
	Shapes  []Mark `json:"shapes"`
	Scale   *Scale `json:"scale,omitempty"` // what distances and areas are measured by
}

// Mark is one shape or note.
type Mark struct {
	Kind   MarkKind `json:"kind"`
	Points []Point  `json:"points,omitempty"`
	Text   string   `json:"text,omitempty"`
	At     *int     `json:"at_ms,omitempty"` // the moment of a video
}

// Point is a place in the upright picture, as fractions of its width and
// height.
type Point [2]float64

// UnmarshalJSON takes two numbers, no fewer and no more.
func (p *Point) UnmarshalJSON(text []byte) error {
	var n []float64
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	if len(n) != 2 {
		return errors.New("a point has two numbers")
	}
	*p = Point(n)
	return nil
}

// Scale says how far apart two points are in life, by a ruler in the picture.
type Scale struct {
	From Point   `json:"from"`
	To   Point   `json:"to"`
	MM   float64 `json:"mm"`
}

// MarkKind is what a mark is. The set is closed.
type MarkKind string

const (
	Arrow    MarkKind = "arrow"    // to its second point
	Outline  MarkKind = "outline"  // closed by itself
	Text     MarkKind = "text"     // at a point
	Note     MarkKind = "note"     // of the whole picture
	Distance MarkKind = "distance" // between two points, by the scale
	Area     MarkKind = "area"     // inside an outline, by the scale
)

// markForms says how many points each kind has, and whether it needs a text
// or a scale.
var markForms = map[MarkKind]struct {
	low, high   int
	text, scale bool
}{
	Arrow: {2, 2, false, false}, Outline: {3, MaxPoints, false, false}, Text: {1, 1, true, false}, Note: {0, 0, true, false},
	Distance: {2, 2, false, true}, Area: {3, MaxPoints, false, true},
}

// errMarks is for what no page of this site sends.
var errMarks = fault.New(fault.Invalid, "marks-wrong", "These marks are not in the form that is kept here. Nothing was saved; draw them again.").In("marks")

func marksError(code string, message words.Text) error {
	return fault.New(fault.Invalid, code, message).In("marks")
}

// ParseMarks reads marks from outside and refuses whatever is not exactly of
// their form, or beyond its bounds.
func ParseMarks(text []byte) (Marks, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var m Marks
	if err := d.Decode(&m); err != nil {
		return Marks{}, errMarks.With(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Marks{}, errMarks.With(errors.New("more than one value"))
	}
	return m, m.check()
}

func (m Marks) check() error {
	if m.Version != 1 {
		return errMarks
	}
	if len(m.Shapes) == 0 {
		return marksError("marks-none", "There is nothing to save yet. Draw or write something first.")
	}
	if m.Scale != nil && !m.Scale.valid() {
		return marksError("marks-scale", "Choose two points of the ruler that lie apart, and say how many millimetres there are between them: from 0.1 to 2,000.")
	}
	all := 0
	for _, s := range m.Shapes {
		all += len(s.Points)
	}
	if len(m.Shapes) > MaxMarks || all > MaxAllPoints {
		return marksError("marks-many", "This is more than one set can hold. Save what there is, and start another.")
	}
	for _, s := range m.Shapes {
		if err := s.check(m.Scale != nil); err != nil {
			return err
		}
	}
	return nil
}

func (s Mark) check(scaled bool) error {
	form, ok := markForms[s.Kind]
	switch {
	case !ok, len(s.Points) < form.low, len(s.Points) > form.high, form.scale && !scaled, s.At != nil && (*s.At < 0 || *s.At > maxMoment),
		slices.ContainsFunc(s.Points, func(p Point) bool { return !p.valid() }):
		return errMarks
	case form.text && strings.TrimSpace(s.Text) == "":
		return marksError("marks-text-missing", "Write what the note says, or leave the note out.")
	case utf8.RuneCountInString(s.Text) > MaxMarkText:
		return marksError("marks-text-long", "A note holds 500 characters. Shorten it, or write two.")
	case strings.ContainsFunc(s.Text, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) }):
		return errMarks // characters that show nothing, or turn others round
	}
	return nil
}

func (p Point) valid() bool { return p[0] >= 0 && p[0] <= 1 && p[1] >= 0 && p[1] <= 1 }

func (s Scale) valid() bool {
	return s.From.valid() && s.To.valid() && s.From != s.To && s.MM >= 0.1 && s.MM <= 2000
}
