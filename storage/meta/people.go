package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
)

// Person is a member of staff as the database row holds one.
type Person struct {
	access.Person
	Email         string        // where they are told that something waits; may be empty
	PasswordHash  string        // empty while there is none
	FirstFor      time.Duration // of a new person: how long a password that somebody else chose is good; 0 for their own
	FirstUntil    time.Time     // until when it is; zero for their own. Read only
	FailedSignIns int
	LockedUntil   time.Time
	CreatedAt     time.Time
}

const personColumns = "id, username, name, role, suspended, password, failed_sign_ins, locked_until, created_at, email, first_until"

func scanPerson(scan func(...any) error) (Person, error) {
	var p Person
	var locked, made, first micros
	err := scan(&p.ID, &p.Username, &p.Name, &p.Role, &p.Suspended, &p.PasswordHash, &p.FailedSignIns, &locked, &made, &p.Email, &first)
	p.LockedUntil, p.CreatedAt, p.FirstUntil = locked.time(), made.time(), first.time()
	return p, err
}

// AddPerson adds a member of staff; ErrExists when the username is taken.
func (s *Store) AddPerson(ctx context.Context, p Person, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("INSERT INTO people (id, username, name, role, suspended, password, email, created_at) VALUES (?,?,?,?,?,?,?,{now})",
			string(p.ID), p.Username, p.Name, string(p.Role), p.Suspended, p.PasswordHash, p.Email)
		if err != nil || p.FirstFor == 0 {
			return err
		}
		return t.must("UPDATE people SET first_until = {now} + ? WHERE id = ?", p.FirstFor.Microseconds(), string(p.ID))
	})
}

// Person finds a member of staff.
func (s *Store) Person(ctx context.Context, id access.PersonID) (Person, error) {
	p, err := scanPerson(s.read(ctx, "SELECT "+personColumns+" FROM people WHERE id = ?", string(id)).Scan)
	return p, s.d.classify(err)
}

// PersonByUsername finds a member of staff by username, which is lower case.
func (s *Store) PersonByUsername(ctx context.Context, username string) (Person, error) {
	p, err := scanPerson(s.read(ctx, "SELECT "+personColumns+" FROM people WHERE username = ?", username).Scan)
	return p, s.d.classify(err)
}

// People lists all members of staff by username.
func (s *Store) People(ctx context.Context) ([]Person, error) {
	var out []Person
	err := s.all(ctx, func(scan func(...any) error) error {
		p, err := scanPerson(scan)
		out = append(out, p)
		return err
	}, "SELECT "+personColumns+" FROM people ORDER BY username")
	return out, err
}

// ChangePerson sets a name and a role. Another role ends the person's sessions
// and tokens.
func (s *Store) ChangePerson(ctx context.Context, id access.PersonID, name string, role access.Role, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		n, err := t.exec("UPDATE people SET role = ? WHERE id = ? AND role <> ?", string(role), string(id), string(role))
		if err != nil {
			return err
		}
		if n > 0 {
			if err := t.endSessions(id); err != nil {
				return err
			}
		}
		return t.must("UPDATE people SET name = ? WHERE id = ?", name, string(id))
	})
}

// SetPassword sets a password that its owner chose, and ends the person's
// sessions and tokens.
func (s *Store) SetPassword(ctx context.Context, id access.PersonID, hash string, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error { return t.setPassword(id, hash) })
}

// SetSuspended suspends or restores a person. Suspending ends their sessions,
// tokens, grants and emergency accesses, forgets the browsers that are told, and revokes the links made by and for them and the
// invitations that they made.
func (s *Store) SetSuspended(ctx context.Context, id access.PersonID, suspended bool, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE people SET suspended = ? WHERE id = ?", suspended, string(id)); err != nil || !suspended {
			return err
		}
		if err := t.endSessions(id); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE links SET revoked_at = {now} WHERE revoked_at = 0
			AND (created_by = ? OR (audience_kind = 'person' AND audience = ?))`, string(id), string(id))
		if err != nil {
			return err
		}
		if _, err = t.exec("UPDATE invitations SET revoked_at = {now} WHERE revoked_at = 0 AND created_by = ?", string(id)); err != nil {
			return err
		}
		return t.leaves(id)
	})
}

// leaves takes away what would wait for a person who was suspended: browsers
// that are told, halves of sign-ins, a ticket, emergency accesses.
func (t *tx) leaves(id access.PersonID) error {
	for _, query := range []string{
		"DELETE FROM push_subscriptions WHERE person = ?", "DELETE FROM ceremonies WHERE person = ?", "DELETE FROM password_tickets WHERE person = ?",
		"UPDATE emergencies SET expires_at = {now} WHERE person = ? AND expires_at > {now}",
	} {
		if _, err := t.exec(query, string(id)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) endSessions(id access.PersonID) error {
	_, err := t.exec("UPDATE sessions SET ended_at = {now} WHERE person = ? AND ended_at = 0", string(id))
	return err
}

// SignInFailed counts a failure and commits failed. The lockAfter-th in a row
// locks the account for lockFor and commits locked as well. A failure after a
// lock has run out counts from one again. It gives the count and, when this
// failure locked the account, until when.
func (s *Store) SignInFailed(ctx context.Context, id access.PersonID, lockAfter int, lockFor time.Duration, failed, locked audit.Event) (int, time.Time, error) {
	var n int
	var until micros
	err := s.within(ctx, func(t *tx) error {
		err := t.row(`UPDATE people SET
				failed_sign_ins = CASE WHEN locked_until > 0 AND locked_until <= {now} THEN 1 ELSE failed_sign_ins + 1 END,
				locked_until = CASE WHEN locked_until <= {now} THEN 0 ELSE locked_until END
			WHERE id = ? RETURNING failed_sign_ins`, string(id)).Scan(&n)
		if err != nil {
			return err
		}
		if n >= lockAfter {
			err := t.row("UPDATE people SET locked_until = {now} + ? WHERE id = ? RETURNING locked_until", lockFor.Microseconds(), string(id)).Scan(&until)
			if err != nil {
				return err
			}
		}
		if err := t.record(failed); err != nil || until == 0 {
			return err
		}
		return t.record(locked)
	})
	return n, until.time(), err
}

// SignInSucceeded forgets the failures and opens a session.
func (s *Store) SignInSucceeded(ctx context.Context, id access.PersonID, session Session, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE people SET failed_sign_ins = 0, locked_until = 0 WHERE id = ? AND suspended = ?", string(id), false); err != nil {
			return err
		}
		return t.addSession(session)
	})
}

// Unlock forgets the failures and the lock.
func (s *Store) Unlock(ctx context.Context, id access.PersonID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE people SET failed_sign_ins = 0, locked_until = 0 WHERE id = ?", string(id))
	})
}

// Team is a team as the database row holds one.
type Team struct {
	ID        access.TeamID
	Name      string
	CreatedAt time.Time
}

// AddTeam adds a team; ErrExists when the name is taken.
func (s *Store) AddTeam(ctx context.Context, team Team, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("INSERT INTO teams (id, name, created_at) VALUES (?,?,{now})", string(team.ID), team.Name)
		return err
	})
}

// Teams lists all teams by name.
func (s *Store) Teams(ctx context.Context) ([]Team, error) {
	var out []Team
	err := s.all(ctx, func(scan func(...any) error) error {
		team, err := scanTeam(scan)
		out = append(out, team)
		return err
	}, "SELECT id, name, created_at FROM teams ORDER BY name")
	return out, err
}

// Team finds a team.
func (s *Store) Team(ctx context.Context, id access.TeamID) (Team, error) {
	team, err := scanTeam(s.read(ctx, "SELECT id, name, created_at FROM teams WHERE id = ?", string(id)).Scan)
	return team, s.d.classify(err)
}

func scanTeam(scan func(...any) error) (Team, error) {
	var team Team
	var made micros
	err := scan(&team.ID, &team.Name, &made)
	team.CreatedAt = made.time()
	return team, err
}

// Join adds a person to a team; ErrExists when they are in it, ErrNotFound
// when there is no such team or person.
func (s *Store) Join(ctx context.Context, team access.TeamID, person access.PersonID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("INSERT INTO members (team, person) VALUES (?,?)", string(team), string(person))
		return err
	})
}

// Leave takes a person out of a team; ErrNotFound when they are not in it.
func (s *Store) Leave(ctx context.Context, team access.TeamID, person access.PersonID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("DELETE FROM members WHERE team = ? AND person = ?", string(team), string(person))
	})
}

// Members lists who is in a team.
func (s *Store) Members(ctx context.Context, team access.TeamID) ([]access.PersonID, error) {
	return column[access.PersonID](ctx, s, "SELECT person FROM members WHERE team = ? ORDER BY person", string(team))
}

// teamsOf lists the teams that a person is in.
func (s *Store) teamsOf(ctx context.Context, person access.PersonID) ([]access.TeamID, error) {
	return column[access.TeamID](ctx, s, "SELECT team FROM members WHERE person = ? ORDER BY team", string(person))
}

func column[T ~string](ctx context.Context, s *Store, query string, args ...any) ([]T, error) {
	var out []T
	err := s.all(ctx, func(scan func(...any) error) error {
		var v T
		err := scan(&v)
		out = append(out, v)
		return err
	}, query, args...)
	return out, err
}
