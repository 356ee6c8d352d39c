// Package oversight is the vocabulary of what auditors look after: incidents
// that staff report, and emergency access to patients of other teams. It holds
// no I/O and reads no clock.
package oversight

import (
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// ID identifies an incident or an emergency access.
type ID string

// NewID mints a time-ordered identifier (UUID version 7, RFC 9562).
func NewID() ID { return ID(uuid.Must(uuid.NewV7()).String()) }

const (
	// MaxText is the longest report, reason or finding, in bytes.
	MaxText = 4000
	// NotifyWithin is how soon a breach that risks people's rights must be told
	// to the regulator: UK GDPR, article 33(1).
	NotifyWithin = 72 * time.Hour
)

// Kind says what a report is about.
type Kind string

const (
	Problem Kind = "problem" // something does not work
	Breach  Kind = "breach"  // something may have been seen by, or sent to, the wrong person
)

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool { return k == Problem || k == Breach }

// Incident is a report of a problem or a breach.
type Incident struct {
	ID         ID
	Kind       Kind
	ReportedBy access.PersonID
	Page       string       // where it was reported from: a path, without its query
	Text       media.Sealed // free text
	At         time.Time
	ClosedAt   time.Time // zero while it is open
	ClosedBy   access.PersonID
	Outcome    media.Sealed // free text
}

// Emergency is access to a patient of other teams, taken with a reason, for a
// while, and reviewed afterwards.
type Emergency struct {
	ID         ID
	Person     access.PersonID
	Patient    media.PatientID
	Reason     media.Sealed // free text
	At         time.Time
	ExpiresAt  time.Time
	ReviewedAt time.Time // zero while nobody has
	ReviewedBy access.PersonID
	Finding    media.Sealed // free text
}
