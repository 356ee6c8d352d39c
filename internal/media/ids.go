// Package media is the vocabulary of what is kept: items, renditions,
// patients, cases, consent and receipts. It holds no I/O and reads no clock.
package media

import "github.com/google/uuid"

// ItemID identifies one photo or video.
type ItemID string

// PatientID identifies a patient here. It is not the NHS or CHI number, and
// says nothing about the person.
type PatientID string

// CaseID identifies a patient's problem over time, in which items are compared.
type CaseID string

// NewItemID, NewPatientID and NewCaseID mint time-ordered identifiers (UUID
// version 7, RFC 9562).
func NewItemID() ItemID       { return ItemID(uuid.Must(uuid.NewV7()).String()) }
func NewPatientID() PatientID { return PatientID(uuid.Must(uuid.NewV7()).String()) }
func NewCaseID() CaseID       { return CaseID(uuid.Must(uuid.NewV7()).String()) }

// ValidID reports whether s has the form of an identifier minted here: a
// lower-case hyphenated UUID. Use it on identifiers that come from outside.
func ValidID(s string) bool {
	u, err := uuid.Parse(s)
	return err == nil && u.String() == s
}
