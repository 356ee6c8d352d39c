package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
)

const linkColumns = `l.id, l.secret_hash, l.item, l.created_by, l.audience_kind, l.audience, l.purpose, l.uses, l.uses_left,
	l.created_at, l.expires_at, l.revoked_at, l.opened_at`

func scanLink(scan func(...any) error, more ...any) (link.Link, error) {
	var l link.Link
	var made, ends, revoked, opened micros
	err := scan(append([]any{&l.ID, &l.SecretHash, &l.Item, &l.CreatedBy, &l.Audience.Kind, &l.Audience.ID, &l.Purpose, &l.Uses, &l.UsesLeft,
		&made, &ends, &revoked, &opened}, more...)...)
	l.CreatedAt, l.ExpiresAt, l.RevokedAt, l.OpenedAt = made.time(), ends.time(), revoked.time(), opened.time()
	return l, err
}

// AddLink adds a link that lives for liveFor and gives it with its times.
func (s *Store) AddLink(ctx context.Context, l link.Link, liveFor time.Duration, ev audit.Event) (link.Link, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		var made, ends micros
		err := t.row(`INSERT INTO links (id, secret_hash, item, created_by, audience_kind, audience, purpose, uses, uses_left, created_at, expires_at)
			VALUES (?,?,?,?,?,?,?,?,?,{now},{now} + ?) RETURNING created_at, expires_at`,
			string(l.ID), l.SecretHash, string(l.Item), string(l.CreatedBy), string(l.Audience.Kind), l.Audience.ID, blob(l.Purpose), l.Uses, l.UsesLeft,
			liveFor.Microseconds()).Scan(&made, &ends)
		l.CreatedAt, l.ExpiresAt = made.time(), ends.time()
		return err
	})
	return l, err
}

// LinkBySecret finds a link by the hash of its secret, live or not.
func (s *Store) LinkBySecret(ctx context.Context, hash []byte) (link.Link, error) {
	l, err := scanLink(s.read(ctx, "SELECT "+linkColumns+" FROM links l WHERE l.secret_hash = ?", hash).Scan)
	return l, s.d.classify(err)
}

// Link finds a link, live or not.
func (s *Store) Link(ctx context.Context, id link.ID) (link.Link, error) {
	l, err := scanLink(s.read(ctx, "SELECT "+linkColumns+" FROM links l WHERE l.id = ?", string(id)).Scan)
	return l, s.d.classify(err)
}

// LinksMadeBy lists a person's live links, newest first; a used-up link lives
// on while a grant of it may.
func (s *Store) LinksMadeBy(ctx context.Context, p access.PersonID) ([]link.Link, error) {
	var out []link.Link
	err := s.all(ctx, func(scan func(...any) error) error {
		l, err := scanLink(scan)
		out = append(out, l)
		return err
	}, "SELECT "+linkColumns+" FROM links l WHERE l.created_by = ? AND l.revoked_at = 0 AND l.expires_at > {now} ORDER BY l.id DESC", string(p))
	return out, err
}

// LinksTo reports whether a live link to the item is addressed to p.
func (s *Store) LinksTo(ctx context.Context, item media.ItemID, p access.Principal) (bool, error) {
	cond, args := Visibility{Person: p.Person.ID, Teams: p.Teams, Role: p.Person.Role}.audience()
	var yes bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM links l WHERE l.item = ? AND "+cond+")", append([]any{string(item)}, args...)...).Scan(&yes)
	return yes, s.d.classify(err)
}

// Redeem uses a link once and adds the grant, which lives for grantFor but no
// longer than the link. It is decided in one transaction, on the database's
// clock: ErrExpired, ErrRevoked, ErrSpent or ErrNotFound otherwise.
func (s *Store) Redeem(ctx context.Context, id link.ID, g link.Grant, grantFor time.Duration, ev audit.Event) (link.Grant, error) {
	// A look first keeps a crowd of losers from queueing to write.
	if err := s.standing(s.read(ctx, standingQuery, string(id)).Scan); err != nil {
		return g, err
	}
	err := s.change(ctx, ev, func(t *tx) error {
		n, err := t.exec(`UPDATE links SET uses_left = uses_left - 1, opened_at = {now}
			WHERE id = ? AND uses_left > 0 AND revoked_at = 0 AND expires_at > {now}`, string(id))
		if err != nil {
			return err
		}
		if n == 0 {
			if err := s.standing(t.row(standingQuery, string(id)).Scan); err != nil {
				return err
			}
			return ErrSpent
		}
		var ends micros
		err = t.row(`INSERT INTO grants (id, link, item, person, session, created_at, expires_at)
			SELECT ?, l.id, l.item, ?, ?, {now}, CASE WHEN l.expires_at < {now} + ? THEN l.expires_at ELSE {now} + ? END
			FROM links l WHERE l.id = ? RETURNING expires_at`,
			string(g.ID), string(g.Person), string(g.Session), grantFor.Microseconds(), grantFor.Microseconds(), string(id)).Scan(&ends)
		g.ExpiresAt = ends.time()
		return err
	})
	return g, err
}

const standingQuery = "SELECT uses_left, revoked_at, expires_at <= {now} FROM links WHERE id = ?"

// standing says why a link cannot be opened, or nil.
func (s *Store) standing(scan func(...any) error) error {
	var left, revoked int64
	var expired bool
	if err := scan(&left, &revoked, &expired); err != nil {
		return s.d.classify(err)
	}
	switch {
	case revoked != 0:
		return ErrRevoked
	case expired:
		return ErrExpired
	case left == 0:
		return ErrSpent
	}
	return nil
}

// Grant finds a grant and its link. It is ErrRevoked when the link was revoked
// and ErrExpired when the grant has ended; both are filled even so.
func (s *Store) Grant(ctx context.Context, id link.GrantID) (link.Grant, link.Link, error) {
	g := link.Grant{ID: id}
	var ends micros
	var expired bool
	l, err := scanLink(s.read(ctx, "SELECT "+linkColumns+`, g.item, g.person, g.session, g.expires_at, g.expires_at <= {now}
		FROM grants g JOIN links l ON l.id = g.link WHERE g.id = ?`, string(id)).Scan, &g.Item, &g.Person, &g.Session, &ends, &expired)
	g.Link, g.ExpiresAt = l.ID, ends.time()
	switch {
	case err != nil:
		return g, l, s.d.classify(err)
	case !l.RevokedAt.IsZero():
		return g, l, ErrRevoked
	case expired:
		return g, l, ErrExpired
	}
	return g, l, nil
}

// RevokeLink revokes a link, and so its grants. Revoking twice changes and
// records nothing.
func (s *Store) RevokeLink(ctx context.Context, id link.ID, ev audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE links SET revoked_at = {now} WHERE id = ? AND revoked_at = 0", string(id))
		if err != nil {
			return err
		}
		if n > 0 {
			return t.record(ev)
		}
		return t.row("SELECT id FROM links WHERE id = ?", string(id)).Scan(&id)
	})
}

// RevokeLinksTo revokes every live link addressed to a person, made by one
// person or, when by is empty, by anybody. It says how many.
func (s *Store) RevokeLinksTo(ctx context.Context, by, to access.PersonID, ev audit.Event) (int, error) {
	var n int64
	err := s.change(ctx, ev, func(t *tx) (err error) {
		n, err = t.exec(`UPDATE links SET revoked_at = {now} WHERE audience_kind = 'person' AND audience = ? AND revoked_at = 0 AND expires_at > {now}
			AND (? = '' OR created_by = ?)`, string(to), string(by), string(by))
		return err
	})
	return int(n), err
}
