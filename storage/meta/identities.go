package meta

import (
	"context"
	"slices"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// Identity is who somebody is at a provider.
type Identity struct{ Issuer, Subject string }

// PersonByIdentity finds the member of staff who signs in as this at a provider.
func (s *Store) PersonByIdentity(ctx context.Context, at Identity) (Person, error) {
	p, err := scanPerson(s.read(ctx, "SELECT "+personColumns+" FROM people WHERE id = (SELECT person FROM identities WHERE issuer = ? AND subject = ?)", at.Issuer, at.Subject).Scan)
	return p, s.d.classify(err)
}

// IdentitiesOf lists where somebody signs in besides here.
func (s *Store) IdentitiesOf(ctx context.Context, id access.PersonID) ([]Identity, error) {
	var out []Identity
	err := s.all(ctx, func(scan func(...any) error) error {
		var i Identity
		err := scan(&i.Issuer, &i.Subject)
		out = append(out, i)
		return err
	}, "SELECT issuer, subject FROM identities WHERE person = ? ORDER BY issuer, subject", string(id))
	return out, err
}

// AddIdentity lets a member of staff sign in as this at a provider; ErrExists
// when somebody does already.
func (s *Store) AddIdentity(ctx context.Context, id access.PersonID, at Identity, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error { return t.addIdentity(id, at) })
}

// RemoveIdentity ends that a member of staff signs in at a provider: sessions
// that came from there, and those on their way, end with it. Their role and
// teams stay, and are the administrators' from then on. ErrNotFound when they
// do not sign in there.
func (s *Store) RemoveIdentity(ctx context.Context, id access.PersonID, issuer string, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		for _, do := range []struct {
			query string
			args  []any
		}{
			{"DELETE FROM identity_teams WHERE issuer = ? AND subject IN (SELECT subject FROM identities WHERE issuer = ? AND person = ?)", []any{issuer, issuer, string(id)}},
			{"UPDATE sessions SET ended_at = {now} WHERE person = ? AND issuer = ? AND ended_at = 0", []any{string(id), issuer}},
			{"DELETE FROM ceremonies WHERE person = ?", []any{string(id)}},
		} {
			if _, err := t.exec(do.query, do.args...); err != nil {
				return err
			}
		}
		return t.must("DELETE FROM identities WHERE issuer = ? AND person = ?", issuer, string(id))
	})
}

func (t *tx) addIdentity(id access.PersonID, at Identity) error {
	_, err := t.exec("INSERT INTO identities (issuer, subject, person, created_at, seen_at) VALUES (?,?,?,{now},{now})", at.Issuer, at.Subject, string(id))
	return err
}

// Arrival is what a provider says of somebody who signs in there. With Fresh
// they are new, and Person is added; else the person of the identity becomes
// what Person says. Teams are those of their groups now, and Named all that
// groups decide about.
type Arrival struct {
	Identity
	Person access.Person
	Fresh  bool
	Teams  []access.TeamID
	Named  []access.TeamID
}

// Changed is what an arrival changed.
type Changed struct {
	Role         access.Role // the one before; empty when it is the same
	Name         bool
	Joined, Left []access.TeamID
}

// Arrive brings a person to what the provider says of them, and commits what
// tell makes of the changes. Another role ends their sessions and tokens.
// ErrExists when the identity or the username was taken meanwhile; ErrNotFound
// when the person is suspended.
func (s *Store) Arrive(ctx context.Context, a Arrival, tell func(Changed) []audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		var c Changed
		if a.Fresh {
			if _, err := t.exec("INSERT INTO people (id, username, name, role, suspended, password, created_at) VALUES (?,?,?,?,?,'',{now})",
				string(a.Person.ID), a.Person.Username, a.Person.Name, string(a.Person.Role), false); err != nil {
				return err
			}
			if err := t.addIdentity(a.Person.ID, a.Identity); err != nil {
				return err
			}
		} else if err := t.become(a, &c); err != nil {
			return err
		}
		if err := t.regroup(a, &c); err != nil {
			return err
		}
		return t.recordAll(tell(c))
	})
}

// become gives a known person the name and role that the provider says.
func (t *tx) become(a Arrival, c *Changed) error {
	if err := t.must("UPDATE identities SET seen_at = {now} WHERE issuer = ? AND subject = ? AND person = ?", a.Issuer, a.Subject, string(a.Person.ID)); err != nil {
		return err
	}
	var role access.Role
	var name string
	if err := t.row("SELECT role, name FROM people WHERE id = ? AND suspended = ?", string(a.Person.ID), false).Scan(&role, &name); err != nil {
		return t.s.d.classify(err)
	}
	c.Name = name != a.Person.Name
	if role != a.Person.Role {
		c.Role = role
		if err := t.endSessions(a.Person.ID); err != nil {
			return err
		}
	}
	return t.must("UPDATE people SET role = ?, name = ? WHERE id = ?", string(a.Person.Role), a.Person.Name, string(a.Person.ID))
}

// regroup brings the teams of a person to those of their groups. Teams that no
// group decides about stay as an administrator has them.
func (t *tx) regroup(a Arrival, c *Changed) error {
	given, err := t.teams("SELECT team FROM identity_teams WHERE issuer = ? AND subject = ?", a.Issuer, a.Subject)
	if err != nil {
		return err
	}
	in, err := t.teams("SELECT team FROM members WHERE person = ?", string(a.Person.ID))
	if err != nil {
		return err
	}
	for _, team := range in {
		if slices.Contains(a.Teams, team) || !slices.Contains(a.Named, team) && !slices.Contains(given, team) {
			continue
		}
		if _, err := t.exec("DELETE FROM members WHERE person = ? AND team = ?", string(a.Person.ID), string(team)); err != nil {
			return err
		}
		c.Left = append(c.Left, team)
	}
	if _, err := t.exec("DELETE FROM identity_teams WHERE issuer = ? AND subject = ?", a.Issuer, a.Subject); err != nil {
		return err
	}
	for _, team := range a.Teams {
		if _, err := t.exec("INSERT INTO identity_teams (issuer, subject, team) VALUES (?,?,?)", a.Issuer, a.Subject, string(team)); err != nil {
			return err
		}
		if slices.Contains(in, team) {
			continue
		}
		if _, err := t.exec("INSERT INTO members (team, person) VALUES (?,?)", string(team), string(a.Person.ID)); err != nil {
			return err
		}
		c.Joined = append(c.Joined, team)
	}
	return nil
}

func (t *tx) teams(query string, args ...any) ([]access.TeamID, error) {
	rows, err := t.QueryContext(t.ctx, t.s.text(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []access.TeamID
	for rows.Next() {
		var id access.TeamID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// Forsake ends everything that a person has whom their provider no longer
// gives a role: sessions, tokens, and the teams of their groups.
func (s *Store) Forsake(ctx context.Context, id access.PersonID, at Identity, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if _, err := t.exec("DELETE FROM members WHERE person = ? AND team IN (SELECT team FROM identity_teams WHERE issuer = ? AND subject = ?)",
			string(id), at.Issuer, at.Subject); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM identity_teams WHERE issuer = ? AND subject = ?", at.Issuer, at.Subject); err != nil {
			return err
		}
		return t.endSessions(id)
	})
}

// Departure is a sign-in that went to a provider.
type Departure struct {
	ID             string
	State, Browser []byte
	Provider       string
	Data           media.Sealed
	StartedAt      time.Time // read only
}

// Depart keeps a departure for so long, and clears away those that are over.
func (s *Store) Depart(ctx context.Context, d Departure, waits time.Duration) error {
	return s.within(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM departures WHERE expires_at <= {now}"); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO departures (id, state, browser, provider, data, started_at, expires_at) VALUES (?,?,?,?,?,{now},{now} + ?)",
			d.ID, d.State, d.Browser, d.Provider, blob(d.Data), waits.Microseconds())
		return err
	})
}

// Return finds a departure that is not over, and ends it: it is given once.
func (s *Store) Return(ctx context.Context, provider string, state, browser []byte) (Departure, error) {
	d := Departure{State: state, Browser: browser, Provider: provider}
	err := s.within(ctx, func(t *tx) error {
		var started micros
		err := t.row("DELETE FROM departures WHERE state = ? AND browser = ? AND provider = ? AND expires_at > {now} RETURNING id, data, started_at", state, browser, provider).
			Scan(&d.ID, &d.Data, &started)
		d.StartedAt = started.time()
		return err
	})
	return d, err
}

// LoggedOut ends the sessions that a provider says have ended there: those of
// its session sid if it names one, else those of the subject. jti is the hash
// of the token that says so, which counts once and until it expires: ErrExists
// when it came before. It gives how many ended, each with an event of its own.
func (s *Store) LoggedOut(ctx context.Context, at Identity, sid string, jti []byte, lasts time.Duration, tell func(access.PersonID, access.SessionID) audit.Event) (int, error) {
	ended := 0
	err := s.within(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM logout_tokens WHERE expires_at <= {now}"); err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO logout_tokens (issuer, jti, expires_at) VALUES (?,?,{now} + ?)", at.Issuer, jti, lasts.Microseconds()); err != nil {
			return err
		}
		rows, err := t.QueryContext(t.ctx, t.s.text(`UPDATE sessions SET ended_at = {now} WHERE issuer = ? AND kind = 'session' AND ended_at = 0
			AND (? = '' OR sid = ?) AND (? = '' OR subject = ?) RETURNING person, id`), at.Issuer, sid, sid, at.Subject, at.Subject)
		if err != nil {
			return err
		}
		defer rows.Close()
		var evs []audit.Event
		for rows.Next() {
			var p access.PersonID
			var id access.SessionID
			if err := rows.Scan(&p, &id); err != nil {
				return err
			}
			evs = append(evs, tell(p, id))
		}
		if err := rows.Err(); err != nil {
			return err
		}
		ended = len(evs)
		return t.recordAll(evs)
	})
	return ended, err
}

// Origin says where somebody signed in to a session; the zero Identity means here.
func (s *Store) Origin(ctx context.Context, id access.SessionID) (Identity, error) {
	var i Identity
	err := s.read(ctx, "SELECT issuer, subject FROM sessions WHERE id = ?", string(id)).Scan(&i.Issuer, &i.Subject)
	return i, s.d.classify(err)
}
