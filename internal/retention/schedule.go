// Package retention is the vocabulary of how long things are kept: classes,
// schedules, the events that start a period, and holds. It holds no I/O and
// reads no clock.
package retention

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Jurisdiction is whose code of practice counts.
type Jurisdiction string

const (
	England  Jurisdiction = "england"
	Scotland Jurisdiction = "scotland"
)

// Jurisdictions lists those whose schedules come with the program.
func Jurisdictions() []Jurisdiction { return []Jurisdiction{England, Scotland} }

// Class is what kind of record a picture is part of: a photograph has no
// period of its own. The zero Class is none: what has no other is adult or
// child, by age.
type Class string

const (
	Adult        Class = "adult"
	Child        Class = "child"
	MentalHealth Class = "mental-health"
	Maternity    Class = "maternity"
	Cancer       Class = "cancer"
	GP           Class = "gp"
	Teaching     Class = "teaching"    // a copy that only its consent keeps
	Publication  Class = "publication" // likewise
)

// Classes lists every class, in the order that pages use.
func Classes() []Class {
	return []Class{Adult, Child, MentalHealth, Maternity, Cancer, GP, Teaching, Publication}
}

// Valid reports whether c is one of Classes.
func (c Class) Valid() bool { return slices.Contains(Classes(), c) }

// Copy reports whether c is no part of a patient's record.
func (c Class) Copy() bool { return c == Teaching || c == Publication }

// Trigger is what a period runs from.
type Trigger string

const (
	LastSeen     Trigger = "last-seen"     // the latest of discharge, transfer and the last entry in the record
	ConsentEnded Trigger = "consent-ended" // the day on which consent was withdrawn
	Death        Trigger = "death"
	Birthday     Trigger = "birthday"
)

// Kind says whether a period is the shortest or the longest.
type Kind string

const (
	Minimum Kind = "minimum"
	Maximum Kind = "maximum"
)

// Rule is one class's period.
type Rule struct {
	Class           Class   `yaml:"class" json:"class"`
	Title           string  `yaml:"title" json:"title"`
	Years           int     `yaml:"years" json:"years,omitempty"`                         // after From
	From            Trigger `yaml:"from" json:"from,omitempty"`                           // LastSeen or ConsentEnded; empty when only birthdays or a death end it
	Birthdays       []AtAge `yaml:"birthdays" json:"birthdays,omitempty"`                 // the last that applies counts
	YearsAfterDeath int     `yaml:"years-after-death" json:"years_after_death,omitempty"` // counts when that is sooner, or when nothing else ends it
	Kind            Kind    `yaml:"kind" json:"kind"`
	Source          string  `yaml:"source" json:"source"`     // where in the schedule's source
	Verified        bool    `yaml:"verified" json:"verified"` // compared with the code in force
}

// AtAge ends a period on a birthday; with IfAged it does so only for a patient
// who had that age when last seen.
type AtAge struct {
	Age    int `yaml:"age" json:"age"`
	IfAged int `yaml:"if-aged" json:"if_aged,omitempty"`
}

// Schedule is one edition of a jurisdiction's rules.
type Schedule struct {
	Jurisdiction Jurisdiction `yaml:"jurisdiction" json:"jurisdiction"`
	Title        string       `yaml:"title" json:"title"`
	Edition      string       `yaml:"edition" json:"edition"` // as its author counts
	Source       string       `yaml:"source" json:"source"`
	Automatic    bool         `yaml:"automatic" json:"automatic"` // the code allows destruction without a review by people
	Rules        []Rule       `yaml:"rules" json:"rules"`
}

//go:embed schedules/*.yaml
var shipped embed.FS

// Shipped gives the schedule of a jurisdiction that comes with the program.
func Shipped(j Jurisdiction) (Schedule, error) {
	if !slices.Contains(Jurisdictions(), j) {
		return Schedule{}, fmt.Errorf("there is no schedule of %q", j)
	}
	b, err := shipped.ReadFile("schedules/" + string(j) + ".yaml")
	if err != nil {
		return Schedule{}, err
	}
	return Parse(b)
}

// maxSchedule bounds the text of a schedule.
const maxSchedule = 256 << 10

// Parse reads a schedule as YAML, and refuses one that leaves anything open.
func Parse(text []byte) (Schedule, error) {
	var s Schedule
	if len(text) > maxSchedule {
		return s, errors.New("the schedule is too long")
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("read the schedule: %w", err)
	}
	if err := d.Decode(new(Schedule)); !errors.Is(err, io.EOF) {
		return s, errors.New("the schedule has more than one document")
	}
	return s, s.check()
}

func (s Schedule) check() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !slices.Contains(Jurisdictions(), s.Jurisdiction) {
		bad("the jurisdiction must be one of %v", Jurisdictions())
	}
	if s.Title == "" || s.Edition == "" || s.Source == "" {
		bad("a schedule has a title, an edition and a source")
	}
	if s.Automatic && s.Jurisdiction == England {
		bad("England's code of practice allows no destruction without a review by people")
	}
	seen := map[Class]bool{}
	for _, r := range s.Rules {
		if !r.Class.Valid() || seen[r.Class] {
			bad("class %q is unknown or comes twice", r.Class)
		}
		seen[r.Class] = true
		if err := r.check(); err != nil {
			bad("class %s: %w", r.Class, err)
		}
	}
	for _, c := range Classes() {
		if !seen[c] {
			bad("class %s has no rule", c)
		}
	}
	return errors.Join(errs...)
}

func (r Rule) check() error {
	const longest = 150
	switch {
	case r.Title == "" || r.Source == "":
		return errors.New("a rule has a title and a source")
	case r.Kind != Minimum && r.Kind != Maximum:
		return errors.New("a rule is a minimum or a maximum")
	case r.Years < 0 || r.Years > longest || r.YearsAfterDeath < 0 || r.YearsAfterDeath > longest:
		return errors.New("a number of years is out of range")
	case r.Class.Copy() != (r.From == ConsentEnded):
		return errors.New("copies end with consent, and nothing else does")
	case r.From != "" && r.From != LastSeen && r.From != ConsentEnded:
		return fmt.Errorf("a period cannot run from %q", r.From)
	case (r.Years > 0) != (r.From == LastSeen):
		return errors.New("years run from when the patient was last seen, and that needs years")
	case r.From == "" && len(r.Birthdays) == 0 && r.YearsAfterDeath == 0:
		return errors.New("nothing ends this period")
	case r.From != "" && len(r.Birthdays) > 0:
		return errors.New("a period ends with years or with a birthday, not both")
	}
	for i, b := range r.Birthdays {
		if b.Age < 1 || b.Age > longest || b.IfAged < 0 || b.IfAged >= b.Age || (i == 0) != (b.IfAged == 0) {
			return errors.New("the first birthday is everybody's, and the others say for whom they are")
		}
	}
	return nil
}

// Rule gives the rule of a class.
func (s Schedule) Rule(c Class) (Rule, bool) {
	i := slices.IndexFunc(s.Rules, func(r Rule) bool { return r.Class == c })
	if i < 0 {
		return Rule{}, false
	}
	return s.Rules[i], true
}

// Hash identifies a rule's figures: a confirmation of it is void once they
// change. What it says of being verified is no part of it.
func (r Rule) Hash() string {
	r.Verified = false
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Words says the period as people do, such as "20 years after last seen, or 10
// years after death if that is sooner".
func (r Rule) Words() string {
	var parts []string
	switch {
	case r.From == LastSeen:
		parts = append(parts, years(r.Years).String()+" after last seen")
	case r.From == ConsentEnded:
		parts = append(parts, "until consent ends")
	}
	for i, b := range r.Birthdays {
		text := "until the " + ordinal(b.Age).String() + " birthday"
		if i > 0 {
			text = fmt.Sprintf("the %s if aged %d when last seen", ordinal(b.Age), b.IfAged)
		}
		parts = append(parts, text)
	}
	if r.YearsAfterDeath > 0 {
		text := years(r.YearsAfterDeath).String() + " after death"
		if len(parts) > 0 {
			text += " if that is sooner"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", or ")
}
