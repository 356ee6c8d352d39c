package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// FactorKind says what a second factor is.
type FactorKind string

const (
	KindTOTP    FactorKind = "totp"    // codes of an app (RFC 6238)
	KindPasskey FactorKind = "passkey" // WebAuthn
)

// Factor is something that a person has besides their password.
type Factor struct {
	ID         string
	Person     access.PersonID
	Kind       FactorKind
	Name       string       // its owner's word for it
	Secret     media.Sealed // the seed, or the credential
	Credential []byte       // of a passkey: the hash of its identifier; nil for others
	LastStep   int64        // of codes: the period of the last one used
	CreatedAt  time.Time
	UsedAt     time.Time // zero when never
}

// Factors lists a person's second factors, oldest first.
func (s *Store) Factors(ctx context.Context, p access.PersonID) ([]Factor, error) {
	var out []Factor
	err := s.all(ctx, func(scan func(...any) error) error {
		var f Factor
		var made, used micros
		err := scan(&f.ID, &f.Person, &f.Kind, &f.Name, &f.Secret, &f.Credential, &f.LastStep, &made, &used)
		f.CreatedAt, f.UsedAt = made.time(), used.time()
		out = append(out, f)
		return err
	}, "SELECT id, person, kind, name, secret, credential, last_step, created_at, used_at FROM factors WHERE person = ? ORDER BY id", string(p))
	return out, err
}

// AddFactor adds a factor that the ceremony set up, which it ends, and sets the
// person's recovery codes unless codes is nil. ErrNotFound when the ceremony is
// over; ErrExists when the credential is somebody's already.
func (s *Store) AddFactor(ctx context.Context, f Factor, ceremony string, codes [][]byte, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("DELETE FROM ceremonies WHERE id = ? AND person = ? AND expires_at > {now}", ceremony, string(f.Person)); err != nil {
			return err
		}
		var credential any
		if f.Credential != nil {
			credential = f.Credential
		}
		if _, err := t.exec("INSERT INTO factors (id, person, kind, name, secret, credential, last_step, created_at) VALUES (?,?,?,?,?,?,?,{now})",
			f.ID, string(f.Person), string(f.Kind), f.Name, blob(f.Secret), credential, f.LastStep); err != nil || codes == nil {
			return err
		}
		return t.setCodes(f.Person, codes)
	})
}

func (t *tx) setCodes(p access.PersonID, codes [][]byte) error {
	if _, err := t.exec("DELETE FROM recovery_codes WHERE person = ?", string(p)); err != nil {
		return err
	}
	for _, hash := range codes {
		if _, err := t.exec("INSERT INTO recovery_codes (hash, person) VALUES (?,?)", hash, string(p)); err != nil {
			return err
		}
	}
	return nil
}

// SetCodes replaces a person's recovery codes by the hashes of new ones.
func (s *Store) SetCodes(ctx context.Context, p access.PersonID, codes [][]byte, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error { return t.setCodes(p, codes) })
}

// CodesLeft counts a person's recovery codes that were not used.
func (s *Store) CodesLeft(ctx context.Context, p access.PersonID) (int, error) {
	var n int
	err := s.read(ctx, "SELECT COUNT(*) FROM recovery_codes WHERE person = ? AND used_at = 0", string(p)).Scan(&n)
	return n, s.d.classify(err)
}

// RemoveFactor removes one of a person's factors; with the last one their
// recovery codes go too. keep leaves at least one: ErrExists says that this is
// the last. ErrNotFound when there is no such factor.
func (s *Store) RemoveFactor(ctx context.Context, p access.PersonID, id string, keep bool, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("DELETE FROM factors WHERE id = ? AND person = ?", id, string(p)); err != nil {
			return err
		}
		var left int
		if err := t.row("SELECT COUNT(*) FROM factors WHERE person = ?", string(p)).Scan(&left); err != nil || left > 0 {
			return err
		}
		if keep {
			return ErrExists
		}
		return t.setCodes(p, nil)
	})
}

// ResetFactors removes all of a person's factors and recovery codes, and ends
// their sessions and tokens.
func (s *Store) ResetFactors(ctx context.Context, p access.PersonID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE people SET failed_sign_ins = 0, locked_until = 0 WHERE id = ?", string(p)); err != nil {
			return err
		}
		for _, query := range []string{"DELETE FROM factors WHERE person = ?", "DELETE FROM ceremonies WHERE person = ?"} {
			if _, err := t.exec(query, string(p)); err != nil {
				return err
			}
		}
		if err := t.setCodes(p, nil); err != nil {
			return err
		}
		return t.endSessions(p)
	})
}

// Ceremony is something begun that waits for its second half, found by the
// hash of a secret that the browser holds.
type Ceremony struct {
	ID      string
	Hash    []byte
	Person  access.PersonID
	Purpose string
	Data    media.Sealed
}

// AddCeremony begins a ceremony that waits for so long, commits evs with it, and
// clears away those that are over. A person has one of a purpose: a new one
// ends the one before, unless others is set.
func (s *Store) AddCeremony(ctx context.Context, c Ceremony, waits time.Duration, others bool, evs ...audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM ceremonies WHERE expires_at <= {now}"); err != nil {
			return err
		}
		if !others {
			if _, err := t.exec("DELETE FROM ceremonies WHERE person = ? AND purpose = ?", string(c.Person), c.Purpose); err != nil {
				return err
			}
		}
		if _, err := t.exec("INSERT INTO ceremonies (id, hash, person, purpose, data, expires_at) VALUES (?,?,?,?,?,{now} + ?)",
			c.ID, c.Hash, string(c.Person), c.Purpose, blob(c.Data), waits.Microseconds()); err != nil {
			return err
		}
		return t.recordAll(evs)
	})
}

// Ceremony finds one that is not over.
func (s *Store) Ceremony(ctx context.Context, hash []byte, purpose string) (Ceremony, error) {
	c := Ceremony{Hash: hash}
	err := s.read(ctx, "SELECT id, person, purpose, data FROM ceremonies WHERE hash = ? AND purpose = ? AND expires_at > {now}", hash, purpose).
		Scan(&c.ID, &c.Person, &c.Purpose, &c.Data)
	return c, s.d.classify(err)
}

// Spend is a proof being used up: a code of a period, a recovery code, or a
// passkey, whose counter moves. The zero Spend is none.
type Spend struct {
	Ceremony string // a half sign-in that ends with it
	Question string // that a passkey answered; ends with it too
	Factor   string
	Step     int64        // of codes
	Secret   media.Sealed // of a passkey: the credential as it is now
	Recovery []byte       // the hash of a recovery code
}

// spend uses up a proof; ErrSpent when it was used before.
func (t *tx) spend(p access.PersonID, sp Spend) error {
	for _, id := range []string{sp.Ceremony, sp.Question} {
		if id == "" {
			continue
		}
		if n, err := t.exec("DELETE FROM ceremonies WHERE id = ? AND person = ? AND expires_at > {now}", id, string(p)); err != nil || n == 0 {
			return spent(n, err)
		}
	}
	switch {
	case sp.Recovery != nil:
		return spent(t.exec("UPDATE recovery_codes SET used_at = {now} WHERE hash = ? AND person = ? AND used_at = 0", sp.Recovery, string(p)))
	case sp.Secret != nil:
		return spent(t.exec("UPDATE factors SET secret = ?, used_at = {now} WHERE id = ? AND person = ? AND kind = 'passkey'", blob(sp.Secret), sp.Factor, string(p)))
	case sp.Factor != "":
		return spent(t.exec("UPDATE factors SET last_step = ?, used_at = {now} WHERE id = ? AND person = ? AND kind = 'totp' AND last_step < ?", sp.Step, sp.Factor, string(p), sp.Step))
	}
	return nil
}

func spent(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrSpent
	}
	return err
}

// SignInProved uses up a proof, forgets the failures and opens a session, all
// or nothing; ErrSpent when the proof was used before.
func (s *Store) SignInProved(ctx context.Context, session Session, sp Spend, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.spend(session.Person, sp); err != nil {
			return err
		}
		if err := t.must("UPDATE people SET failed_sign_ins = 0, locked_until = 0 WHERE id = ? AND suspended = ?", string(session.Person), false); err != nil {
			return err
		}
		return t.addSession(session)
	})
}
