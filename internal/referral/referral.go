// Package referral is the vocabulary of the conversation about pictures: a
// question to a person, a team or a role, with items of one patient, and the
// thread of answers that follows. While a referral is not closed, whom it asks
// may see its items. It holds no I/O and reads no clock.
package referral

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
)

// ID identifies a referral.
type ID string

// NewID mints a time-ordered identifier (UUID version 7, RFC 9562).
func NewID() ID { return ID(uuid.Must(uuid.NewV7()).String()) }

const (
	// MaxItems is the most items that one referral may have.
	MaxItems = 50
	// MaxText is the longest question or answer, in characters.
	MaxText = 4000
)

// State says whose turn it is.
type State string

const (
	Waiting  State = "waiting"  // for whom it asks
	More     State = "more"     // for who asked: another picture is wanted
	Answered State = "answered" // for nobody; either may go on or close it
	Closed   State = "closed"   // the pictures are no longer open to whom it asked
)

// Valid reports whether s is a known state.
func (s State) Valid() bool { return s == Waiting || s == More || s == Answered || s == Closed }

// Order is how a list of referrals is sorted.
type Order string

const (
	Latest    Order = "latest"   // the latest message first
	Oldest    Order = "oldest"   // what waits first, and of that what has waited longest
	Unopened  Order = "unopened" // what waits and nobody whom it asks has opened first, and of that what has waited longest
	ByPatient Order = "patient"  // those of one patient together, the latest message first
)

// Orders lists every order, as pages offer them.
func Orders() []Order { return []Order{Latest, Oldest, Unopened, ByPatient} }

// Valid reports whether o is one of Orders.
func (o Order) Valid() bool { return slices.Contains(Orders(), o) }

// Kind is what a message of the thread does.
type Kind string

const (
	Answer  Kind = "answer" // by whom it asks
	AskMore Kind = "more"   // by whom it asks: another picture, please
	Note    Kind = "note"   // by who asked
	Items   Kind = "items"  // by who asked: pictures were added
	Close   Kind = "close"  // by either
	Reopen  Kind = "reopen" // by who asked
)

// Side is where a person stands in a referral.
type Side uint8

const (
	Asking Side = 1 << iota // who asked, or their team
	Asked                   // whom it asks
)

// Next is the state after a message of kind k in state s by somebody of the
// given sides, and whether that may be at all. Whoever stands on both sides may
// do what either may.
func Next(s State, k Kind, side Side) (State, bool) {
	asking, asked := side&Asking != 0, side&Asked != 0
	if s == Closed {
		return Waiting, k == Reopen && asking
	}
	switch k {
	case Answer:
		return Answered, asked
	case AskMore:
		return More, asked
	case Note, Items:
		return Waiting, asking
	case Close:
		return Closed, asking || asked
	}
	return s, false
}

// Referral is one referral as its database row holds it.
type Referral struct {
	ID        ID
	Patient   media.PatientID
	Team      access.TeamID // that asks; its items belong to it
	AskedBy   access.PersonID
	Audience  link.Audience
	Question  media.Sealed // free text
	State     State
	AskedAt   time.Time
	ChangedAt time.Time // of the last message
	ReadAt    time.Time // when the person who looks read it last; zero when never
	SeenAt    time.Time // when anybody whom it asks read it last; zero when nobody did
}

// Message is one message of a thread.
type Message struct {
	ID     string
	Person access.PersonID
	Kind   Kind
	Text   media.Sealed // free text; empty for some kinds
	At     time.Time
}
