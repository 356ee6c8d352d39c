package retention

import (
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// HandoverID identifies items that go to another organisation together.
type HandoverID string

// NewHandoverID mints a time-ordered identifier (UUID version 7, RFC 9562).
func NewHandoverID() HandoverID { return HandoverID(uuid.Must(uuid.NewV7()).String()) }

// HandoverState is how far a handover is.
type HandoverState string

const (
	HandoverProposed  HandoverState = "proposed"  // one person wants it
	HandoverApproved  HandoverState = "approved"  // a second one does too: its package can be fetched
	HandoverEnded     HandoverState = "ended"     // refused or taken back
	HandoverConfirmed HandoverState = "confirmed" // the receiver has it, and says so
)

// Handover is items that go to another organisation together.
type Handover struct {
	ID           HandoverID
	State        HandoverState
	Receiver     media.Sealed // the organisation
	Recipient    string       // its age recipient
	Reason       media.Sealed
	ProposedBy   access.PersonID
	ProposedAt   time.Time
	DecidedBy    access.PersonID
	DecidedAt    time.Time
	Decision     media.Sealed
	SentBy       access.PersonID
	SentAt       time.Time // when its package was fetched last; zero while it was not
	ConfirmedBy  access.PersonID
	ConfirmedAt  time.Time
	Confirmation media.Sealed // Confirmation as JSON
	Items        int
}

// Confirmation is what the receiver said of a package; at rest it is sealed.
type Confirmation struct {
	By        string `json:"by"` // who there
	On        string `json:"on"` // YYYY-MM-DD
	Reference string `json:"reference"`
}
