package oversight

import (
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
)

// Cause says how an incident came about, as far as the desk can tell.
type Cause string

const (
	WrongMember    Cause = "wrong-member"    // somebody was added to a team by mistake
	LostDevice     Cause = "lost-device"     // a phone or computer is lost or stolen
	WrongRecipient Cause = "wrong-recipient" // somebody was shown or sent something that was not for them
	OtherCause     Cause = "other"
)

// Causes lists every cause, in the order that pages use.
func Causes() []Cause { return []Cause{WrongMember, LostDevice, WrongRecipient, OtherCause} }

// Valid reports whether c is one of Causes.
func (c Cause) Valid() bool {
	for _, known := range Causes() {
		if c == known {
			return true
		}
	}
	return false
}

// Span is a time from From to To, which it does not include. A zero To is
// open.
type Span struct{ From, To time.Time }

// Scope is what an incident is looked into for: one person in one period and,
// where more is known, one team, session, link or patient.
type Scope struct {
	Person  access.PersonID
	Within  Span
	Team    access.TeamID
	Session access.SessionID
	Link    link.ID
	Patient media.PatientID
}

// Investigation is an incident that is being looked into.
type Investigation struct {
	Incident ID
	Cause    Cause
	Scope    Scope
	AwareAt  time.Time // when the organisation became aware: the clock of article 33 runs from here
	OpenedBy access.PersonID
	OpenedAt time.Time
}

// EntryKind says what an entry of an investigation records.
type EntryKind string

const (
	AwareEntry    EntryKind = "aware"     // the time of becoming aware was put right
	ContainEntry  EntryKind = "contained" // access was ended; the value says what
	DecisionEntry EntryKind = "decision"  // to report to the regulator or not
	PeopleEntry   EntryKind = "people"    // to tell the people affected or not: article 34
	DraftEntry    EntryKind = "draft"     // a version of the report
)

// Decision is an answer to whether the regulator, or the people affected, are
// told. It may be revised; every answer is kept.
type Decision string

const (
	Tell    Decision = "tell"     // they will be told
	NotTell Decision = "not-tell" // they need not be
	Told    Decision = "told"     // they have been
)

// Valid reports whether d is a known decision.
func (d Decision) Valid() bool { return d == Tell || d == NotTell || d == Told }

// Entry is one thing done in an investigation. None is ever changed.
type Entry struct {
	ID       ID
	Incident ID
	Kind     EntryKind
	Value    string       // from a closed set: a decision, or what was contained
	Text     media.Sealed // free text: reasons, or the fields of a draft
	When     time.Time    // of becoming aware, or of telling; zero for others
	By       access.PersonID
	At       time.Time
}

// Draft is what a report to the regulator must say: UK GDPR, article 33(3).
type Draft struct {
	Nature       string `json:"nature"`       // (a) what happened
	People       string `json:"people"`       // (a) categories and approximate number of people
	Records      string `json:"records"`      // (a) categories and approximate number of records
	Contact      string `json:"contact"`      // (b) where more can be learnt
	Consequences string `json:"consequences"` // (c)
	Measures     string `json:"measures"`     // (d) taken or proposed
}

// Hurry says how pressing the clock of article 33 is.
type Hurry string

const (
	InTime    Hurry = "in-time" // more than a day is left
	Soon      Hurry = "soon"    // less than a day is left
	Overdue   Hurry = "overdue" //
	Done      Hurry = "told"    // in time
	DoneLate  Hurry = "told-late"
	NotNeeded Hurry = "not-needed" // it was decided not to report
)

// Clock is the 72 hours within which the regulator must be told.
type Clock struct {
	Due    time.Time
	Left   time.Duration // until Due; negative once it has passed
	ToldAt time.Time     // zero while nobody was told
	Hurry  Hurry
}

// soon is when the clock turns pressing.
const soon = 24 * time.Hour

// ClockOf reads the clock of an investigation at now, given its entries in the
// order in which they were made.
func ClockOf(i Investigation, entries []Entry, now time.Time) Clock {
	c := Clock{Due: i.AwareAt.Add(NotifyWithin)}
	c.Left = c.Due.Sub(now)
	var last Decision
	for _, e := range entries {
		if e.Kind != DecisionEntry {
			continue
		}
		if last = Decision(e.Value); last == Told && c.ToldAt.IsZero() {
			c.ToldAt = e.When
		}
	}
	switch {
	case !c.ToldAt.IsZero() && c.ToldAt.After(c.Due):
		c.Hurry = DoneLate
	case !c.ToldAt.IsZero():
		c.Hurry = Done
	case last == NotTell:
		c.Hurry = NotNeeded
	case c.Left <= 0:
		c.Hurry = Overdue
	case c.Left < soon:
		c.Hurry = Soon
	default:
		c.Hurry = InTime
	}
	return c
}
