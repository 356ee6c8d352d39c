package retention

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// EventKind is what happened to a patient that dates depend on.
type EventKind string

const (
	Discharged  EventKind = "discharged"
	Transferred EventKind = "transferred" // to another organisation's care
	InUse       EventKind = "in-use"      // the record came back into use
	Died        EventKind = "died"
)

// EventKinds lists every kind, in the order that pages use.
func EventKinds() []EventKind { return []EventKind{Discharged, Transferred, InUse, Died} }

// Valid reports whether k is one of EventKinds.
func (k EventKind) Valid() bool { return slices.Contains(EventKinds(), k) }

// EventID identifies a patient event.
type EventID string

// NewEventID mints a time-ordered identifier (UUID version 7, RFC 9562).
func NewEventID() EventID { return EventID(uuid.Must(uuid.NewV7()).String()) }

// Event is something that happened to a patient. One that was recorded in
// error is cancelled, never removed.
type Event struct {
	ID          EventID
	Patient     media.PatientID
	Kind        EventKind
	Detail      media.Sealed // EventDetail as JSON
	Source      string       // "page", "csv" or "api"
	By          access.PersonID
	At          time.Time // when it was recorded
	CancelledBy access.PersonID
	CancelledAt time.Time
}

// EventDetail is what an event says of the patient; at rest it is sealed.
type EventDetail struct {
	On   string `json:"on"` // YYYY-MM-DD
	Note string `json:"note,omitempty"`
}

// Happened is an event that counts, opened.
type Happened struct {
	Kind EventKind
	On   time.Time
}

// Collect turns what happened into facts, over what is known besides.
func Collect(f Facts, events []Happened) Facts {
	later := func(into *time.Time, t time.Time) {
		if t.After(*into) {
			*into = t
		}
	}
	for _, e := range events {
		switch e.Kind {
		case Discharged, Transferred:
			later(&f.Discharged, e.On)
		case InUse:
			later(&f.LastEntry, e.On)
		case Died:
			later(&f.Died, e.On)
		}
	}
	return f
}
