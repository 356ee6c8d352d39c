// Package invitation is the vocabulary of showing pictures to one named person
// outside the organisation. An invitation points at items of one patient, for
// a purpose and a time. Its secret goes out by mail and opens nothing by
// itself: who holds it asks for a one-time code, which goes to the same
// address, and with both gets a visit that shows those items and nothing else.
// It holds no I/O and reads no clock.
package invitation

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// ID identifies an invitation; it is not its secret.
type ID string

// NewID mints a time-ordered identifier (UUID version 7).
func NewID() ID { return ID(uuid.Must(uuid.NewV7()).String()) }

const (
	// DefaultFor is how long an invitation lives when nobody says.
	DefaultFor = 24 * time.Hour
	// MaxFor is the longest that an invitation may live.
	MaxFor = 72 * time.Hour
	// MaxItems is the most items that an invitation may show.
	MaxItems = 20
	// VisitFor is how long a visit lasts, unless the invitation ends first.
	VisitFor = 30 * time.Minute
	// CodeFor is how long a code can be entered.
	CodeFor = 10 * time.Minute
	// CodeTries is how often a code may be entered, the right time included.
	CodeTries = 5
	// CodeEvery is the least time between two codes of an invitation.
	CodeEvery = 30 * time.Second
	// MaxCodes is the most codes that an invitation ever sends. With CodeTries
	// it bounds guessing: 50 tries in a million.
	MaxCodes = 10
	// CodeDigits is how long a code is.
	CodeDigits = 6
)

// Invitation is one invitation as its database rows hold it.
type Invitation struct {
	ID         ID
	SecretHash []byte
	CreatedBy  access.PersonID
	Patient    media.PatientID
	Recipient  []byte       // keyed hash of the address: what goes to one person is found by it
	Name       media.Sealed // of whom it is for
	Email      media.Sealed
	Purpose    media.Sealed // free text
	Items      []media.ItemID
	CreatedAt  time.Time
	ExpiresAt  time.Time
	RevokedAt  time.Time // zero while it is not revoked
	OpenedAt   time.Time // last visit; zero when none
	Visits     int
}

// Visit is an opened invitation in one browser.
type Visit struct {
	ID         access.SessionID
	Invitation ID
	ExpiresAt  time.Time // never later than the invitation's
}

// Guest is who visits: nobody's colleague, known by the invitation alone.
func Guest(id ID, name string, visit access.SessionID) access.Principal {
	return access.Principal{Person: access.Person{ID: access.PersonID(id), Name: name, Role: access.External}, Session: visit}
}

// NewCode makes a one-time code.
func NewCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand documents that it never fails
	}
	return fmt.Sprintf("%0*d", CodeDigits, n)
}

// Code reads a code as people type it, with spaces or hyphens, and reports
// whether it has the form of one.
func Code(typed string) (string, bool) {
	code := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(typed)
	return code, len(code) == CodeDigits && strings.Trim(code, "0123456789") == ""
}

// Letter is the mail that invites: who, and where to. It says nothing of a
// patient.
func Letter(name, from, url string, until time.Time) (subject, body string) {
	return "Wardseal: you are invited to look at clinical pictures",
		"Dear " + name + ",\r\n\r\n" + from + " invites you to look at clinical pictures, until " + until.UTC().Format("2 January 2006, 15:04 MST") + ".\r\n\r\n" +
			"Open this page, and have a code sent to this address:\r\n\r\n" + url + "\r\n\r\n" +
			"The invitation is for you alone: please do not pass it on. Every opening is recorded with your name. If you do not know who this is from, do not open it; tell them or delete it.\r\n\r\n" +
			"This message says nothing about a patient, on purpose. Please do not answer it.\r\n"
}

// CodeLetter is the mail with a code.
func CodeLetter(code string) (subject, body string) {
	return "Wardseal: your code",
		"Your code is " + code[:3] + " " + code[3:] + ".\r\n\r\nIt works once, for 10 minutes, on the page that asked for it. Nobody will ever ask you for it by telephone or mail. " +
			"If you did not ask for a code, somebody else may have your invitation: please tell whoever invited you.\r\n"
}
