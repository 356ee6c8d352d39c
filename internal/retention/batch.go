package retention

import (
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// BatchID identifies a batch of items to be destroyed together.
type BatchID string

// NewBatchID mints a time-ordered identifier (UUID version 7, RFC 9562).
func NewBatchID() BatchID { return BatchID(uuid.Must(uuid.NewV7()).String()) }

// Ground is why a batch may be destroyed.
type Ground string

const (
	PeriodEnded      Ground = "retention" // the retention period has ended
	ConsentWithdrawn Ground = "consent"   // the patient no longer agrees to the picture at all
	Erasure          Ground = "erasure"   // asked for under Article 17 of the UK GDPR
)

// Valid reports whether g is known.
func (g Ground) Valid() bool { return g == PeriodEnded || g == ConsentWithdrawn || g == Erasure }

// BatchState is how far a batch is.
type BatchState string

const (
	Proposed  BatchState = "proposed"  // one person wants it destroyed
	Refused   BatchState = "refused"   // a second one does not
	Approved  BatchState = "approved"  // a second one does; it can still be undone
	Undone    BatchState = "undone"    // in time
	Running   BatchState = "running"   // being destroyed: there is no way back
	Destroyed BatchState = "destroyed" // certified
)

// Live reports whether a batch in this state still has a claim on its items.
func (s BatchState) Live() bool { return s == Proposed || s == Approved || s == Running }

// Batch is items that are to be destroyed together.
type Batch struct {
	ID           BatchID
	Ground       Ground
	State        BatchState
	Reason       media.Sealed
	Salt         media.Sealed
	ProposedBy   access.PersonID // empty: by the system, where policy says so
	ProposedAt   time.Time
	DecidedBy    access.PersonID
	DecidedAt    time.Time
	Decision     media.Sealed
	RunAt        time.Time
	StartedAt    time.Time
	FinishedAt   time.Time
	Certificate  []byte
	Final        []byte
	Items        int // in it
	Gone, Spared int // of these
}

// ItemState is how far one item of a batch is.
type ItemState string

const (
	Waiting ItemState = "waiting"
	Keyless ItemState = "keyless" // its keys are destroyed, its objects not all deleted yet
	Erased  ItemState = "destroyed"
	Spared  ItemState = "spared"
)

// BatchItem is one item of a batch.
type BatchItem struct {
	Item        media.ItemID
	State       ItemState
	Why         string // a code: why it was spared
	Facts       []byte
	DestroyedAt time.Time
}

// Why an item of a batch was spared.
const (
	SparedHeld   = "held"    // a hold is on it
	SparedNotDue = "not-due" // its record came back into use, or its date moved
	SparedGone   = "gone"    // it was destroyed before
)
