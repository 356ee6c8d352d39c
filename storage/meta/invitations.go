package meta

import (
	"context"
	"errors"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/invitation"
	"github.com/wardseal/wardseal/internal/media"
)

// ErrTooSoon means that something was done a moment ago and may be done again
// in another.
var ErrTooSoon = errors.New("too soon after the last time")

const invitationColumns = `v.id, v.created_by, v.patient, v.recipient, v.name, v.email, v.purpose, v.created_at, v.expires_at, v.revoked_at, v.opened_at, v.visits`

func scanInvitation(scan func(...any) error, more ...any) (invitation.Invitation, error) {
	var v invitation.Invitation
	var made, ends, revoked, opened micros
	err := scan(append([]any{&v.ID, &v.CreatedBy, &v.Patient, &v.Recipient, &v.Name, &v.Email, &v.Purpose, &made, &ends, &revoked, &opened, &v.Visits}, more...)...)
	v.CreatedAt, v.ExpiresAt, v.RevokedAt, v.OpenedAt = made.time(), ends.time(), revoked.time(), opened.time()
	return v, err
}

// AddInvitation adds an invitation that lives for liveFor and gives it with
// its times.
func (s *Store) AddInvitation(ctx context.Context, v invitation.Invitation, liveFor time.Duration, ev audit.Event) (invitation.Invitation, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		var made, ends micros
		err := t.row(`INSERT INTO invitations (id, secret_hash, created_by, patient, recipient, name, email, purpose, created_at, expires_at, code_hash)
			VALUES (?,?,?,?,?,?,?,?,{now},{now} + ?,?) RETURNING created_at, expires_at`,
			string(v.ID), v.SecretHash, string(v.CreatedBy), string(v.Patient), v.Recipient, blob(v.Name), blob(v.Email), blob(v.Purpose),
			liveFor.Microseconds(), []byte{}).Scan(&made, &ends)
		if err != nil {
			return err
		}
		v.CreatedAt, v.ExpiresAt = made.time(), ends.time()
		for i, item := range v.Items {
			if _, err := t.exec("INSERT INTO invitation_items (invitation, item, position) VALUES (?,?,?)", string(v.ID), string(item), i); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

// stands is the condition under which an invitation v by the person p stands:
// it ends with its time, when it is revoked, and when who made it is suspended
// or no longer somebody who may invite.
const stands = "v.revoked_at = 0 AND v.expires_at > {now} AND NOT p.suspended AND p.role IN ('clinician', 'consultant')"

// InvitationBySecret finds an invitation by the hash of its secret. It is
// ErrRevoked or ErrExpired when it no longer stands, and filled even so.
func (s *Store) InvitationBySecret(ctx context.Context, hash []byte) (invitation.Invitation, error) {
	return s.invitation(ctx, "v.secret_hash = ?", hash)
}

// Invitation finds an invitation as InvitationBySecret does.
func (s *Store) Invitation(ctx context.Context, id invitation.ID) (invitation.Invitation, error) {
	return s.invitation(ctx, "v.id = ?", string(id))
}

func (s *Store) invitation(ctx context.Context, cond string, arg any) (invitation.Invitation, error) {
	var standing, expired bool
	v, err := scanInvitation(s.read(ctx, "SELECT "+invitationColumns+", "+stands+", v.expires_at <= {now} FROM invitations v JOIN people p ON p.id = v.created_by WHERE "+cond, arg).Scan, &standing, &expired)
	if err != nil {
		return v, s.d.classify(err)
	}
	if v.Items, err = s.itemsOfInvitation(ctx, v.ID); err != nil {
		return v, err
	}
	switch {
	case standing:
		return v, nil
	case v.RevokedAt.IsZero() && expired:
		return v, ErrExpired
	}
	return v, ErrRevoked
}

func (s *Store) itemsOfInvitation(ctx context.Context, id invitation.ID) ([]media.ItemID, error) {
	return column[media.ItemID](ctx, s, "SELECT item FROM invitation_items WHERE invitation = ? ORDER BY position", string(id))
}

// InvitationScope is whose invitations: those that the person made or that are
// to items of the teams, or all.
type InvitationScope struct {
	All    bool
	Person access.PersonID
	Teams  []access.TeamID
}

func (f InvitationScope) where() (string, []any) {
	if f.All {
		return "1 = 1", nil
	}
	teams, args := list(f.Teams)
	return "(v.created_by = ? OR EXISTS (SELECT 1 FROM invitation_items vi JOIN items i ON i.id = vi.item WHERE vi.invitation = v.id AND i.team IN " + teams + "))",
		append([]any{string(f.Person)}, args...)
}

// Invitations lists the invitations that stand, newest first.
func (s *Store) Invitations(ctx context.Context, f InvitationScope) ([]invitation.Invitation, error) {
	where, args := f.where()
	var out []invitation.Invitation
	err := s.all(ctx, func(scan func(...any) error) error {
		v, err := scanInvitation(scan)
		out = append(out, v)
		return err
	}, "SELECT "+invitationColumns+" FROM invitations v JOIN people p ON p.id = v.created_by WHERE "+stands+" AND "+where+" ORDER BY v.id DESC", args...)
	for i := range out {
		if err == nil {
			out[i].Items, err = s.itemsOfInvitation(ctx, out[i].ID)
		}
	}
	return out, err
}

// InScope reports whether an invitation is in the scope, live or not.
func (s *Store) InScope(ctx context.Context, id invitation.ID, f InvitationScope) (bool, error) {
	where, args := f.where()
	var yes bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM invitations v WHERE v.id = ? AND "+where+")", append([]any{string(id)}, args...)...).Scan(&yes)
	return yes, s.d.classify(err)
}

// RevokeInvitation revokes an invitation, and so its visits. Revoking twice
// changes and records nothing.
func (s *Store) RevokeInvitation(ctx context.Context, id invitation.ID, ev audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE invitations SET revoked_at = {now}, code_hash = ?, code_tries = 0 WHERE id = ? AND revoked_at = 0", []byte{}, string(id))
		if err != nil {
			return err
		}
		if n > 0 {
			return t.record(ev)
		}
		return t.row("SELECT id FROM invitations WHERE id = ?", string(id)).Scan(&id)
	})
}

// RevokeInvitationsTo revokes every live invitation to a recipient in the
// scope. It says how many.
func (s *Store) RevokeInvitationsTo(ctx context.Context, recipient []byte, f InvitationScope, ev audit.Event) (int, error) {
	where, args := f.where()
	var n int64
	err := s.change(ctx, ev, func(t *tx) (err error) {
		n, err = t.exec("UPDATE invitations AS v SET revoked_at = {now}, code_hash = ?, code_tries = 0 WHERE v.recipient = ? AND v.revoked_at = 0 AND v.expires_at > {now} AND "+where,
			append([]any{[]byte{}, recipient}, args...)...)
		return err
	})
	return int(n), err
}

// NewCode replaces an invitation's code. It is ErrTooSoon less than every after
// the last one, and ErrSpent when the invitation has had its fill of codes.
func (s *Store) NewCode(ctx context.Context, id invitation.ID, hash []byte, every time.Duration, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		n, err := t.exec(`UPDATE invitations SET code_hash = ?, code_tries = ?, code_at = {now}, codes = codes + 1
			WHERE id = ? AND codes < ? AND code_at <= {now} - ? AND revoked_at = 0 AND expires_at > {now}`,
			hash, invitation.CodeTries, string(id), invitation.MaxCodes, every.Microseconds())
		if err != nil || n > 0 {
			return err
		}
		var spent bool
		if err := t.row("SELECT codes >= ? FROM invitations WHERE id = ?", invitation.MaxCodes, string(id)).Scan(&spent); err != nil {
			return err
		}
		if spent {
			return ErrSpent
		}
		return ErrTooSoon
	})
}

// TryCode uses up one try of a code that lives for liveFor, and gives the hash of the code to compare with:
// ErrSpent when there is no code, or none that can still be tried. The try is
// gone before anything is compared, whatever comes of it.
func (s *Store) TryCode(ctx context.Context, id invitation.ID, liveFor time.Duration) ([]byte, error) {
	var hash []byte
	err := s.within(ctx, func(t *tx) error {
		return t.row(`UPDATE invitations SET code_tries = code_tries - 1 WHERE id = ? AND code_tries > 0 AND code_at > {now} - ?
			AND revoked_at = 0 AND expires_at > {now} RETURNING code_hash`, string(id), liveFor.Microseconds()).Scan(&hash)
	})
	if errors.Is(err, ErrNotFound) {
		return nil, ErrSpent
	}
	return hash, err
}

// OpenInvitation turns a code, by its hash, into a visit: once. Of several at
// a time, one gets it and the others ErrSpent.
func (s *Store) OpenInvitation(ctx context.Context, v invitation.Visit, code, secret []byte, ev audit.Event) (invitation.Visit, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		n, err := t.exec(`UPDATE invitations SET code_hash = ?, code_tries = 0, opened_at = {now}, visits = visits + 1
			WHERE id = ? AND code_hash = ? AND revoked_at = 0 AND expires_at > {now}`, []byte{}, string(v.Invitation), code)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrSpent
		}
		var ends micros
		limit := invitation.VisitFor.Microseconds()
		err = t.row(`INSERT INTO visits (id, hash, invitation, created_at, expires_at)
			SELECT ?, ?, i.id, {now}, CASE WHEN i.expires_at < {now} + ? THEN i.expires_at ELSE {now} + ? END FROM invitations i WHERE i.id = ? RETURNING expires_at`,
			string(v.ID), secret, limit, limit, string(v.Invitation)).Scan(&ends)
		v.ExpiresAt = ends.time()
		return err
	})
	return v, err
}

// visiting is the condition under which a visit w stands; its invitation must
// stand too.
const visiting = "w.ended_at = 0 AND w.expires_at > {now} AND " + stands

// Visit finds a visit that stands, and its invitation, by the hash of its
// secret.
func (s *Store) Visit(ctx context.Context, hash []byte) (invitation.Visit, invitation.Invitation, error) {
	var w invitation.Visit
	var ends micros
	v, err := scanInvitation(s.read(ctx, "SELECT "+invitationColumns+`, w.id, w.expires_at
		FROM visits w JOIN invitations v ON v.id = w.invitation JOIN people p ON p.id = v.created_by WHERE w.hash = ? AND `+visiting, hash).Scan, &w.ID, &ends)
	if err != nil {
		return w, v, s.d.classify(err)
	}
	w.Invitation, w.ExpiresAt = v.ID, ends.time()
	v.Items, err = s.itemsOfInvitation(ctx, v.ID)
	return w, v, err
}

// InvitedTo reports whether a visit that stands now is to the item.
func (s *Store) InvitedTo(ctx context.Context, item media.ItemID, visit access.SessionID) (bool, error) {
	var yes bool
	err := s.read(ctx, `SELECT EXISTS (SELECT 1 FROM visits w JOIN invitations v ON v.id = w.invitation JOIN people p ON p.id = v.created_by
		JOIN invitation_items vi ON vi.invitation = v.id WHERE w.id = ? AND vi.item = ? AND `+visiting+")", string(visit), string(item)).Scan(&yes)
	return yes, s.d.classify(err)
}

// EndVisit ends a visit; ErrNotFound when it has ended.
func (s *Store) EndVisit(ctx context.Context, id access.SessionID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE visits SET ended_at = {now} WHERE id = ? AND ended_at = 0", string(id))
	})
}
