// Package access says who may do what: people, roles, teams, and one decision
// table with default deny. It holds no I/O and reads no clock.
package access

import (
	"slices"

	"github.com/google/uuid"
)

// PersonID identifies a member of staff.
type PersonID string

// TeamID identifies a team, the unit that divides one organisation's items.
type TeamID string

// SessionID identifies a signed-in session or an API token; it is not the
// secret that proves it.
type SessionID string

// NewPersonID, NewTeamID and NewSessionID mint time-ordered identifiers (UUID
// version 7, RFC 9562).
func NewPersonID() PersonID   { return PersonID(uuid.Must(uuid.NewV7()).String()) }
func NewTeamID() TeamID       { return TeamID(uuid.Must(uuid.NewV7()).String()) }
func NewSessionID() SessionID { return SessionID(uuid.Must(uuid.NewV7()).String()) }

// Role is what a person is here for. A person has exactly one. The zero Role
// may do nothing.
type Role string

const (
	Clinician      Role = "clinician"
	Consultant     Role = "consultant"
	RecordsOfficer Role = "records-officer"
	Auditor        Role = "auditor"
	Administrator  Role = "administrator"

	// External is a person outside the organisation, for as long as a visit to
	// what they were invited to see. No member of staff has it.
	External Role = "external"
)

// Roles lists every role of staff, in the order that documents use.
func Roles() []Role {
	return []Role{Clinician, Consultant, RecordsOfficer, Auditor, Administrator}
}

// Known lists every role there is: those of staff, and External.
func Known() []Role { return append(Roles(), External) }

// Valid reports whether r is one of Roles, which a member of staff can have.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Person is a member of staff as the rest of the system sees one.
type Person struct {
	ID        PersonID
	Username  string // lower case; unique
	Name      string // as shown to colleagues
	Role      Role
	Suspended bool
}

// Principal is who is asking, for one request: resolved from a session or a
// token at the start of that request and never cached beyond it. The zero
// Principal is nobody and may do nothing.
type Principal struct {
	Person  Person
	Teams   []TeamID
	Session SessionID // the session or token that the request came with
	Request string    // identifies the request in logs and audit events
	// NoFactor says that they need a second factor and have none: until they set
	// one up, all they may do is that.
	NoFactor bool
	// FirstPassword says that they came in with a password that somebody else
	// chose: until they choose their own, that is all they may do.
	FirstPassword bool
	// Token says that a program asks, with a token: of what the person may do,
	// it may what its scopes name.
	Token  bool
	Scopes []Scope
}

// SignedIn reports whether there is somebody, and they are not suspended.
func (p Principal) SignedIn() bool {
	return p.Person.ID != "" && !p.Person.Suspended && slices.Contains(Known(), p.Person.Role)
}

// In reports whether the principal is a member of team t.
func (p Principal) In(t TeamID) bool { return t != "" && slices.Contains(p.Teams, t) }
