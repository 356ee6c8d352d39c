package media

import (
	"time"

	"github.com/wardseal/wardseal/internal/access"
)

// Consent is the level of use that the patient (or who decides for them) agreed to. Each level
// includes the ones before it. The zero Consent is none, and nothing is filed
// without one.
type Consent string

const (
	ConsentRecord      Consent = "A" // for the patient's record and care
	ConsentTeaching    Consent = "B" // and for teaching
	ConsentPublication Consent = "C" // and for publication
)

// Valid reports whether c is a known level.
func (c Consent) Valid() bool {
	return c == ConsentRecord || c == ConsentTeaching || c == ConsentPublication
}

// Sealed is text encrypted under the keyring: opaque to everything that
// stores it.
type Sealed []byte

// Item is one photo or video as its database row holds it.
type Item struct {
	ID          ItemID
	Patient     PatientID
	Case        CaseID
	Team        access.TeamID
	Uploader    access.PersonID
	Format      Format
	Consent     Consent
	BodySite    Sealed // free text
	Note        Sealed // free text; empty when there is none
	CapturedAt  time.Time
	FiledAt     time.Time // set by the database when filed
	Bytes       int64     // length of the original-clean rendition
	Fingerprint []byte    // keyed hash of the bytes as uploaded, per patient: finds the same file sent twice
	Receipt     Sealed    // Receipt as JSON: its hashes could confirm a picture that a thief holds
	Manifest    Sealed    // signed account of the item; see crypto/keyring
	Quality     *Quality  // of a picture that was measured; nil before that
	Site        []byte    // keyed hash of the part of the body; nil when it is not one of Sites
	DestroyedAt time.Time // zero while the item is there

	CapturedWith    CapturedWith
	ConsentGivenBy  ConsentGiver
	ConsentCapacity ConsentCapacity
	ConsentDetail   Sealed // free text: who decided for the patient; empty when there is none
}

// RenditionRow is where one rendition of an item is, and what it is.
type RenditionRow struct {
	Item        ItemID
	Rendition   Rendition
	Format      Format
	ObjectKey   string // key in the object store
	Bytes       int64  // plaintext length
	ObjectBytes int64  // length of the age file in the store
	Width       int    // pixels, as displayed; 0 when not known
	Height      int
}

// WrappedKey is the age identity of one rendition, encrypted under the
// key-encryption key KEK. Destroying every copy of it destroys the rendition.
type WrappedKey struct {
	Item      ItemID
	Rendition Rendition
	KEK       string
	Wrapped   []byte
}

// SealedKey is a key of the keyring as the database holds it: an age file to
// the root and escrow recipients.
type SealedKey struct {
	ID        string
	Purpose   string // "kek", "index", "field", "manifest" or "intake"; see crypto/keyring
	Period    string // for a kek: the month it was made for, such as "2026-11"; otherwise ""
	Sealed    []byte
	Public    []byte // the public half, for a signing key and for the intake
	CreatedAt time.Time
}

// Patient is a patient as the database row holds one.
type Patient struct {
	ID          PatientID
	NumberIndex []byte // keyed hash of the number's kind and digits
	Details     Sealed // PatientDetails as JSON
	CreatedAt   time.Time
}

// PatientDetails is what identifies a patient. It exists in memory only; at
// rest it is sealed.
type PatientDetails struct {
	Kind        NumberKind `json:"kind"`
	Number      string     `json:"number"` // digits only
	Name        string     `json:"name"`
	DateOfBirth string     `json:"date_of_birth"` // YYYY-MM-DD
	Sex         Sex        `json:"sex,omitempty"`
}

// Case is a patient's problem over time.
type Case struct {
	ID        CaseID
	Patient   PatientID
	Team      access.TeamID
	Title     Sealed
	CreatedBy access.PersonID
	CreatedAt time.Time
}
