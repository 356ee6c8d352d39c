package retention

import (
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// HoldID identifies a hold.
type HoldID string

// NewHoldID mints a time-ordered identifier (UUID version 7, RFC 9562).
func NewHoldID() HoldID { return HoldID(uuid.Must(uuid.NewV7()).String()) }

// Hold keeps everything that meets its criteria from being destroyed, what is
// filed later too, until it is released. What cannot be told counts as meeting
// them.
type Hold struct {
	ID        HoldID
	Reason    media.Sealed
	Authority media.Sealed // who asks for it, such as an inquiry with its reference
	Criteria
	PlacedBy      access.PersonID
	PlacedAt      time.Time
	ReleasedBy    access.PersonID
	ReleasedAt    time.Time
	ReleaseReason media.Sealed
}

// Criteria choose what a hold is on: an item must meet all that are given, and
// without any it is on everything.
type Criteria struct {
	From, To time.Time // captured or filed in this time; From included, To not
	Teams    []access.TeamID
	Patients []media.PatientID
	Site     []byte // keyed hash of a part of the body; nil when not given
}

// All reports whether the criteria choose everything there is.
func (c Criteria) All() bool {
	return c.From.IsZero() && c.To.IsZero() && len(c.Teams) == 0 && len(c.Patients) == 0 && c.Site == nil
}
