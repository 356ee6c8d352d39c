package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
)

// AddTicket gives a person a ticket, by the hash of its secret, which replaces
// the one before and lives for liveFor. It gives until when; ErrNotFound when
// there is no such person.
func (s *Store) AddTicket(ctx context.Context, id access.PersonID, hash []byte, liveFor time.Duration, ev audit.Event) (time.Time, error) {
	var until micros
	err := s.change(ctx, ev, func(t *tx) error {
		return t.row(`INSERT INTO password_tickets (person, hash, expires_at) VALUES (?,?,{now} + ?)
			ON CONFLICT (person) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at RETURNING expires_at`,
			string(id), hash, liveFor.Microseconds()).Scan(&until)
	})
	return until.time(), err
}

// TicketOf finds whose ticket this is, while it is good. It is ErrExpired when
// its time is over, and filled even so.
func (s *Store) TicketOf(ctx context.Context, hash []byte) (Person, error) {
	var live bool
	var id access.PersonID
	err := s.read(ctx, "SELECT person, expires_at > {now} FROM password_tickets WHERE hash = ?", hash).Scan(&id, &live)
	if err != nil {
		return Person{}, s.d.classify(err)
	}
	p, err := s.Person(ctx, id)
	if err == nil && !live {
		err = ErrExpired
	}
	return p, err
}

// UseTicket uses a ticket up for a password of its person's own choice, forgets
// their failures, and ends their sessions, tokens and halves of sign-ins. Their
// second factors stay. ErrNotFound when the ticket is over or used, or the
// person is suspended.
func (s *Store) UseTicket(ctx context.Context, hash []byte, id access.PersonID, password string, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("DELETE FROM password_tickets WHERE hash = ? AND person = ? AND expires_at > {now}", hash, string(id)); err != nil {
			return err
		}
		if err := t.must("UPDATE people SET failed_sign_ins = 0, locked_until = 0 WHERE id = ? AND suspended = ?", string(id), false); err != nil {
			return err
		}
		return t.setPassword(id, password)
	})
}

// setPassword sets a password that its owner chose, and ends what the one
// before had opened or was about to.
func (t *tx) setPassword(id access.PersonID, hash string) error {
	if err := t.must("UPDATE people SET password = ?, first_until = 0 WHERE id = ?", hash, string(id)); err != nil {
		return err
	}
	for _, query := range []string{"DELETE FROM password_tickets WHERE person = ?", "DELETE FROM ceremonies WHERE person = ?"} {
		if _, err := t.exec(query, string(id)); err != nil {
			return err
		}
	}
	return t.endSessions(id)
}
