// Package link is the vocabulary of sharing: a link points at one item, for an
// audience, a purpose and a time. A link is a pointer, not a permission: who
// opens it signs in, and access is decided then and on every request for
// bytes. It holds no I/O and reads no clock.
package link

import (
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// ID identifies a link; it is not its secret.
type ID string

// GrantID identifies a grant.
type GrantID string

// NewID and NewGrantID mint time-ordered identifiers (UUID version 7).
func NewID() ID           { return ID(uuid.Must(uuid.NewV7()).String()) }
func NewGrantID() GrantID { return GrantID(uuid.Must(uuid.NewV7()).String()) }

const (
	// DefaultFor is how long a link lives when its maker does not say.
	DefaultFor = 5 * time.Minute
	// MaxFor is the longest that a link may live.
	MaxFor = 72 * time.Hour
	// MaxUses is the most openings that a link may allow.
	MaxUses = 100
	// GrantFor is how long an opened link shows its item in the session that
	// opened it, unless the link is revoked or expires first.
	GrantFor = 10 * time.Minute
)

// AudienceKind says what an Audience's ID names.
type AudienceKind string

const (
	ToPerson AudienceKind = "person"
	ToTeam   AudienceKind = "team"
	ToRole   AudienceKind = "role"
)

// Audience is whom a link is for: one person, one team, or one role. The zero
// Audience is nobody.
type Audience struct {
	Kind AudienceKind
	ID   string
}

// Includes reports whether p is among the audience.
func (a Audience) Includes(p access.Principal) bool {
	if !p.SignedIn() || a.ID == "" {
		return false
	}
	switch a.Kind {
	case ToPerson:
		return string(p.Person.ID) == a.ID
	case ToTeam:
		return p.In(access.TeamID(a.ID))
	case ToRole:
		return string(p.Person.Role) == a.ID
	}
	return false
}

// Link is one link as its database row holds it.
type Link struct {
	ID         ID
	SecretHash []byte
	Item       media.ItemID
	CreatedBy  access.PersonID
	Audience   Audience
	Purpose    media.Sealed // free text
	Uses       int          // how many openings it allows in all
	UsesLeft   int
	CreatedAt  time.Time
	ExpiresAt  time.Time
	RevokedAt  time.Time // zero while it is not revoked
	OpenedAt   time.Time // last opening; zero when never
}

// Grant is an opened link, bound to the session that opened it.
type Grant struct {
	ID        GrantID
	Link      ID
	Item      media.ItemID
	Person    access.PersonID
	Session   access.SessionID
	ExpiresAt time.Time // never later than the link's
}
