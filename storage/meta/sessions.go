package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
)

// SessionKind tells a browser's session from a program's token.
type SessionKind string

const (
	KindSession SessionKind = "session"
	KindToken   SessionKind = "token"
)

// Session is a session or an API token. For is how long it lives and is only
// read when it is added; the times are the database's.
type Session struct {
	ID         access.SessionID
	Hash       []byte // of the secret
	Person     access.PersonID
	Kind       SessionKind
	Name       string         // of a token
	Device     string         // browser and system of a session, in words
	From       Identity       // of a session: where its person signed in, if not here
	SID        string         // what the provider calls its own session
	Strong     bool           // the provider had asked for a second factor
	Scopes     []access.Scope // of a token
	For        time.Duration  // how long a new one lives
	IdleFor    time.Duration  // 0 means no idle limit
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
}

func (t *tx) addSession(n Session) error {
	_, err := t.exec(`INSERT INTO sessions (id, hash, person, kind, name, device, idle_for, issuer, subject, sid, strong, scopes, created_at, last_seen_at, expires_at)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,{now},{now},{now} + ?)`,
		string(n.ID), n.Hash, string(n.Person), string(n.Kind), n.Name, n.Device, n.IdleFor.Microseconds(), n.From.Issuer, n.From.Subject, n.SID, n.Strong,
		access.JoinScopes(n.Scopes), n.For.Microseconds())
	return err
}

// AddToken adds an API token.
func (s *Store) AddToken(ctx context.Context, n Session, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error { return t.addSession(n) })
}

// alive is the condition under which a session stands.
const alive = "s.ended_at = 0 AND s.expires_at > {now} AND (s.idle_for = 0 OR s.last_seen_at + s.idle_for > {now})"

const sessionColumns = "s.id, s.person, s.kind, s.name, s.idle_for, s.created_at, s.last_seen_at, s.expires_at, s.device, s.issuer, s.subject, s.sid, s.strong, s.scopes"

func scanSession(scan func(...any) error, more ...any) (Session, error) {
	var n Session
	var idle, made, seen, ends micros
	var scopes string
	err := scan(append([]any{&n.ID, &n.Person, &n.Kind, &n.Name, &idle, &made, &seen, &ends, &n.Device, &n.From.Issuer, &n.From.Subject, &n.SID, &n.Strong, &scopes}, more...)...)
	n.Scopes = access.SplitScopes(scopes)
	n.IdleFor = time.Duration(idle) * time.Microsecond
	n.CreatedAt, n.LastSeenAt, n.ExpiresAt = made.time(), seen.time(), ends.time()
	return n, err
}

// Principal finds who a session or token stands for, as they are now. NoFactor
// says that they have no second factor, whether they need one or not, and that
// none was asked for where they signed in. It is
// ErrNotFound when the secret is not known, the session has ended, expired or
// been idle too long, or the person is suspended.
func (s *Store) Principal(ctx context.Context, hash []byte) (access.Principal, Session, error) {
	var p access.Person
	var factors, first bool
	n, err := scanSession(s.read(ctx, "SELECT "+sessionColumns+`, p.id, p.username, p.name, p.role, EXISTS (SELECT 1 FROM factors f WHERE f.person = p.id),
			p.first_until > 0 AND s.kind = 'session' AND s.issuer = ''
		FROM sessions s JOIN people p ON p.id = s.person WHERE s.hash = ? AND p.suspended = ? AND `+alive, hash, false).Scan,
		&p.ID, &p.Username, &p.Name, &p.Role, &factors, &first)
	if err != nil {
		return access.Principal{}, Session{}, s.d.classify(err)
	}
	teams, err := s.teamsOf(ctx, p.ID)
	return access.Principal{Person: p, Teams: teams, Session: n.ID, NoFactor: !factors && !n.Strong, FirstPassword: first, Token: n.Kind == KindToken, Scopes: n.Scopes}, n, err
}

// touchEvery keeps a busy session from writing at each request.
const touchEvery = 30 * time.Second

// Touch notes that a session is in use. It is not a change worth an event.
func (s *Store) Touch(ctx context.Context, id access.SessionID) error {
	var stale bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ? AND last_seen_at < {now} - ?)", string(id), touchEvery.Microseconds()).Scan(&stale)
	if err != nil || !stale {
		return s.d.classify(err)
	}
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE sessions SET last_seen_at = {now} WHERE id = ? AND last_seen_at < {now} - ?", string(id), touchEvery.Microseconds())
		return err
	})
}

// EndSession ends a session or token, and with it its grants; ErrNotFound when
// it has ended.
func (s *Store) EndSession(ctx context.Context, id access.SessionID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE sessions SET ended_at = {now} WHERE id = ? AND ended_at = 0", string(id))
	})
}

// StepUp marks a live session, for a while, as one whose person has proved once
// more who they are, uses up the proof, and forgets their failures; ErrSpent
// when the proof was used before, ErrNotFound when there is no such session. A
// token is never stepped up.
func (s *Store) StepUp(ctx context.Context, id access.SessionID, p access.PersonID, lasts time.Duration, sp Spend, ev audit.Event) (time.Time, error) {
	var until micros
	err := s.change(ctx, ev, func(t *tx) error {
		if err := t.spend(p, sp); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE people SET failed_sign_ins = 0, locked_until = 0 WHERE id = ?", string(p)); err != nil {
			return err
		}
		return t.row(`UPDATE sessions SET stepped_until = {now} + ? WHERE id = ? AND person = ? AND kind = 'session' AND ended_at = 0 AND expires_at > {now}
			RETURNING stepped_until`, lasts.Microseconds(), string(id), string(p)).Scan(&until)
	})
	return until.time(), err
}

// SteppedUp reports whether a session is stepped up now.
func (s *Store) SteppedUp(ctx context.Context, id access.SessionID) (bool, error) {
	var yes bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM sessions s WHERE s.id = ? AND s.stepped_until > {now} AND "+alive+")", string(id)).Scan(&yes)
	return yes, s.d.classify(err)
}

// SessionsOf lists a person's live sessions and tokens, newest first.
func (s *Store) SessionsOf(ctx context.Context, id access.PersonID) ([]Session, error) {
	var out []Session
	err := s.all(ctx, func(scan func(...any) error) error {
		n, err := scanSession(scan)
		out = append(out, n)
		return err
	}, "SELECT "+sessionColumns+" FROM sessions s WHERE s.person = ? AND "+alive+" ORDER BY s.id DESC", string(id))
	return out, err
}
