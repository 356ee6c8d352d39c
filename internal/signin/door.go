// Package signin is how people come in: local accounts, sessions and API
// tokens, and the administration of people and teams. Passwords are kept as
// argon2id hashes (RFC 9106), session and token secrets only as hashes.
package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// Config is how sign-in behaves.
type Config struct {
	SessionFor time.Duration // a session ends this long after sign-in
	IdleFor    time.Duration // and this long after its last request
	LockAfter  int           // failed sign-ins in a row that lock an account
	LockFor    time.Duration // for this long
	FirstFor   time.Duration // a password that somebody else chose is good this long
	TicketFor  time.Duration // and a ticket to choose one's own
	// FactorFor are the roles that need a second factor.
	FactorFor []access.Role
}

// DefaultConfig is 8 hours, 15 minutes idle, a lock of 15 minutes after 10
// failures, 3 days for a first password and a day for a ticket.
func DefaultConfig() Config {
	return Config{SessionFor: 8 * time.Hour, IdleFor: 15 * time.Minute, LockAfter: 10, LockFor: 15 * time.Minute, FirstFor: 72 * time.Hour, TicketFor: 24 * time.Hour}
}

// Validate reports a setting that would leave the door open or shut for good.
func (c Config) Validate() error {
	switch {
	case c.SessionFor < time.Minute || c.SessionFor > 24*time.Hour:
		return errors.New("a session must last between 1 minute and 24 hours")
	case c.IdleFor < time.Minute || c.IdleFor > c.SessionFor:
		return errors.New("the idle limit must be between 1 minute and the length of a session")
	case c.LockAfter < 3 || c.LockAfter > 100:
		return errors.New("an account must lock after 3 to 100 failed sign-ins")
	case c.LockFor < time.Minute:
		return errors.New("a lock must last a minute or more")
	case c.FirstFor < time.Minute || c.FirstFor > 30*24*time.Hour:
		return errors.New("a first password must be good for between 1 minute and 30 days")
	case c.TicketFor < time.Minute || c.TicketFor > 7*24*time.Hour:
		return errors.New("an address to choose a password must be good for between 1 minute and 7 days")
	}
	for _, r := range c.FactorFor {
		if !r.Valid() {
			return errors.New("a second factor is needed for an unknown role; the roles are clinician, consultant, records-officer, auditor and administrator")
		}
	}
	return nil
}

// DoorStore is what signing in and out needs of the database.
type DoorStore interface {
	PersonByUsername(ctx context.Context, username string) (meta.Person, error)
	SignInFailed(ctx context.Context, id access.PersonID, lockAfter int, lockFor time.Duration, failed, locked audit.Event) (int, time.Time, error)
	SignInProved(ctx context.Context, s meta.Session, sp meta.Spend, ev audit.Event) error
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	StepUp(ctx context.Context, id access.SessionID, p access.PersonID, lasts time.Duration, sp meta.Spend, ev audit.Event) (time.Time, error)
	SteppedUp(ctx context.Context, id access.SessionID) (bool, error)
	Now(ctx context.Context) (time.Time, error)
	AppendEvent(ctx context.Context, ev audit.Event) error
}

// SessionStore is what recognising a session needs of the database.
type SessionStore interface {
	Principal(ctx context.Context, hash []byte) (access.Principal, meta.Session, error)
	Touch(ctx context.Context, id access.SessionID) error
	EndSession(ctx context.Context, id access.SessionID, ev audit.Event) error
}

// Door signs people in and recognises them. It is safe for concurrent use.
type Door struct {
	cfg      Config
	people   DoorStore
	sessions SessionStore
	factors  *Factors
	wait     func(ctx context.Context, d time.Duration) error
	hasher   *hasher
}

// NewDoor makes a Door. The configuration must be valid.
func NewDoor(cfg Config, people DoorStore, sessions SessionStore, factors *Factors) (*Door, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sign-in settings: %w", err)
	}
	h, err := newHasher()
	if err != nil {
		return nil, err
	}
	return &Door{cfg: cfg, people: people, sessions: sessions, factors: factors, wait: sleep, hasher: h}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errWrong = fault.New(fault.Unauthenticated, "sign-in-wrong", "The username or password is not right. Check both and try again.")

// Credentials are what somebody signs in with.
type Credentials struct {
	Username, Password string
	Code               string // of the second factor, if they have one at hand
	Device             string // browser and system, in words
}

// SignIn checks a username and password, and a code if the account has a second
// factor, and opens a session. It returns the session's secret, which exists
// nowhere else. Each failure makes the next attempt slower, and enough of them
// lock the account for a while; the error says so. Where a code is needed and
// was not given, the error is a *SecondStep. request identifies the request in
// the audit events.
func (d *Door) SignIn(ctx context.Context, c Credentials, request string) (token.Secret, access.Principal, error) {
	none := func(err error) (token.Secret, access.Principal, error) { return "", access.Principal{}, err }
	nobody := access.Principal{Request: request}
	p, err := d.people.PersonByUsername(ctx, strings.ToLower(strings.TrimSpace(c.Username)))
	if errors.Is(err, meta.ErrNotFound) {
		d.hasher.waste(ctx, c.Password) // take as long as for a real account
		ev := audit.NewEvent(audit.SignInFailed, nobody, audit.Subject{}).With("reason", "unknown-account")
		if err := d.people.AppendEvent(ctx, ev); err != nil {
			return none(down(fmt.Errorf("record a failed sign-in: %w", err)))
		}
		return none(errWrong)
	}
	if err != nil {
		return none(down(fmt.Errorf("find the account: %w", err)))
	}
	if err := d.password(ctx, p, nobody, c.Password); err != nil {
		return none(err)
	}
	if p.Suspended {
		return none(d.failed(ctx, p, nobody, "suspended"))
	}
	if err := d.refuseOver(ctx, p, nobody); err != nil {
		return none(err)
	}
	has, err := d.factors.of(ctx, p.ID)
	if err != nil {
		return none(err)
	}
	if len(has) > 0 && c.Code == "" {
		return none(d.factors.askSecond(ctx, p.ID, origin{}, nobody))
	}
	var sp spending
	if len(has) > 0 {
		if sp, err = d.factors.code(ctx, p.ID, has, c.Code); err != nil {
			return none(d.notProved(ctx, p, nobody, "wrong-code", err))
		}
	}
	return d.in(ctx, p, c.Device, origin{}, sp, nobody)
}

// password checks a password, unless the account is locked, and counts a wrong one.
func (d *Door) password(ctx context.Context, p meta.Person, nobody access.Principal, password string) error {
	if err := d.refuseLocked(ctx, p, nobody); err != nil {
		return err
	}
	if err := d.wait(ctx, delay(p.FailedSignIns)); err != nil {
		return err
	}
	match, err := d.hasher.matches(ctx, password, p.PasswordHash)
	if err != nil {
		return fmt.Errorf("check the password: %w", err)
	}
	if !match {
		return d.failed(ctx, p, nobody, "wrong-password")
	}
	return nil
}

// in opens a session and uses up the proof that it was opened with.
func (d *Door) in(ctx context.Context, p meta.Person, device string, o origin, sp spending, nobody access.Principal) (token.Secret, access.Principal, error) {
	secret, hash := token.Mint(token.Session)
	who := access.Principal{Person: p.Person, Session: access.NewSessionID(), Request: nobody.Request}
	s := meta.Session{ID: who.Session, Hash: hash, Person: p.ID, Kind: meta.KindSession, Device: device, For: d.cfg.SessionFor, IdleFor: d.cfg.IdleFor,
		From: meta.Identity{Issuer: o.Issuer, Subject: o.Subject}, SID: o.SID, Strong: o.Strong}
	ev := audit.NewEvent(audit.SignedIn, who, audit.Subject{Person: string(p.ID)})
	if o.Provider != "" {
		ev = ev.With("provider", o.Provider)
	}
	if sp.by != "" {
		ev = ev.With("second", sp.by)
	}
	err := d.people.SignInProved(ctx, s, sp.Spend, ev)
	if errors.Is(err, meta.ErrSpent) {
		return "", access.Principal{}, d.notProved(ctx, p, nobody, "code-used", sp.refused())
	}
	if err != nil {
		return "", access.Principal{}, down(fmt.Errorf("open the session: %w", err))
	}
	return secret, who, nil
}

// Second is the second half of a sign-in: a code, or what a passkey answered. It
// gives no secret when the first half was to step up a session that there is.
func (d *Door) Second(ctx context.Context, half string, proof SecondProof, device, request string) (token.Secret, access.Principal, error) {
	none := func(err error) (token.Secret, access.Principal, error) { return "", access.Principal{}, err }
	nobody := access.Principal{Request: request}
	c, err := d.factors.ceremony(ctx, half, forSignIn)
	if err != nil {
		return none(err)
	}
	p, err := d.people.Person(ctx, c.Person)
	if err != nil {
		return none(down(fmt.Errorf("find the account: %w", err)))
	}
	sp, err := d.second(ctx, p, nobody, proof)
	if err != nil {
		return none(err)
	}
	sp.Ceremony = c.ID
	o, err := d.factors.origin(c)
	if err != nil {
		return none(err)
	}
	if o.StepUp != "" {
		return none(d.steppedUp(ctx, access.Principal{Person: p.Person, Session: o.StepUp, Request: request}, p, sp))
	}
	return d.in(ctx, p, device, o, sp, nobody)
}

// second checks a second factor, unless the account is locked, and counts a
// wrong one.
func (d *Door) second(ctx context.Context, p meta.Person, nobody access.Principal, proof SecondProof) (spending, error) {
	if strings.TrimSpace(proof.Code) == "" && len(proof.Answer) == 0 {
		return spending{}, errCodeMissing
	}
	if err := d.refuseLocked(ctx, p, nobody); err != nil {
		return spending{}, err
	}
	if p.Suspended {
		return spending{}, d.failed(ctx, p, nobody, "suspended")
	}
	if err := d.wait(ctx, delay(p.FailedSignIns)); err != nil {
		return spending{}, err
	}
	sp, err := d.factors.check(ctx, p.ID, proof)
	if err != nil && fault.Is(err, fault.Denied) {
		return sp, d.notProved(ctx, p, nobody, "wrong-code", err)
	}
	return sp, err
}

// refuseLocked refuses an account that is locked now, on the database's clock.
func (d *Door) refuseLocked(ctx context.Context, p meta.Person, nobody access.Principal) error {
	if p.LockedUntil.IsZero() {
		return nil
	}
	now, err := d.people.Now(ctx)
	if err != nil {
		return down(fmt.Errorf("read the database's clock: %w", err))
	}
	if !now.Before(p.LockedUntil) {
		return nil
	}
	ev := audit.NewEvent(audit.SignInFailed, nobody, audit.Subject{Person: string(p.ID)}).With("reason", "locked")
	if err := d.people.AppendEvent(ctx, ev); err != nil {
		return down(fmt.Errorf("record a failed sign-in: %w", err))
	}
	return locked(p.LockedUntil.Sub(now))
}

// refuseOver refuses a password that somebody else chose and that was not
// changed in time.
func (d *Door) refuseOver(ctx context.Context, p meta.Person, nobody access.Principal) error {
	if p.FirstUntil.IsZero() {
		return nil
	}
	now, err := d.people.Now(ctx)
	if err != nil {
		return down(fmt.Errorf("read the database's clock: %w", err))
	}
	if now.Before(p.FirstUntil) {
		return nil
	}
	ev := audit.NewEvent(audit.SignInFailed, nobody, audit.Subject{Person: string(p.ID)}).With("reason", "first-password-over")
	if err := d.people.AppendEvent(ctx, ev); err != nil {
		return down(fmt.Errorf("record a failed sign-in: %w", err))
	}
	return fault.New(fault.Unauthenticated, "first-password-over", "The time to use this first password is over. Ask your administrator to let you choose a new one.")
}

func (d *Door) failed(ctx context.Context, p meta.Person, nobody access.Principal, reason string) error {
	subject := audit.Subject{Person: string(p.ID)}
	n, until, err := d.people.SignInFailed(ctx, p.ID, d.cfg.LockAfter, d.cfg.LockFor,
		audit.NewEvent(audit.SignInFailed, nobody, subject).With("reason", reason),
		audit.NewEvent(audit.SignInLocked, nobody, subject))
	if err != nil {
		return down(fmt.Errorf("record a failed sign-in: %w", err))
	}
	if !until.IsZero() {
		return locked(d.cfg.LockFor)
	}
	if left := d.cfg.LockAfter - n; left <= 3 {
		e := *errWrong
		e.Message = words.Say("The username or password is not right. After {n} more wrong attempts this account locks for {minutes}.", left, minutes(d.cfg.LockFor))
		return &e
	}
	return errWrong
}

func locked(d time.Duration) error {
	return fault.New(fault.TooMany, "sign-in-locked",
		words.Say("This account is locked after too many wrong passwords. Try again in {minutes}, or ask an administrator to unlock it.", minutes(d))).After(d)
}

// minutes rounds a duration up to whole minutes for people.
func minutes(d time.Duration) words.Text {
	return words.Count(int((d+time.Minute-1)/time.Minute), "{n} minute", "{n} minutes")
}

// delay slows down guessing: nothing for the first two failures, then doubling
// from a quarter of a second to four.
func delay(failures int) time.Duration {
	if failures < 3 {
		return 0
	}
	return min(250*time.Millisecond<<min(failures-3, 5), 4*time.Second)
}

// Recognise gives the principal whose session or API token has this secret. An
// error of kind Unauthenticated means there is none any more.
func (d *Door) Recognise(ctx context.Context, secret, request string) (access.Principal, meta.SessionKind, error) {
	gone := fault.New(fault.Unauthenticated, "not-signed-in", "You are not signed in, or your session has ended. Sign in and try again.")
	hash, err := token.Hash(secret, token.Session, token.API)
	if err != nil {
		return access.Principal{}, "", gone.With(err)
	}
	who, s, err := d.sessions.Principal(ctx, hash)
	if errors.Is(err, meta.ErrNotFound) {
		return access.Principal{}, "", gone
	}
	if err != nil {
		return access.Principal{}, "", down(fmt.Errorf("recognise the session: %w", err))
	}
	if err := d.sessions.Touch(ctx, s.ID); err != nil {
		return access.Principal{}, "", down(fmt.Errorf("keep the session alive: %w", err))
	}
	who.Request = request
	who.NoFactor = who.NoFactor && slices.Contains(d.cfg.FactorFor, who.Person.Role)
	return who, s.Kind, nil
}

// down turns a failure of the database into what the caller may be told.
func down(err error) error {
	switch {
	case errors.Is(err, meta.ErrFull):
		return fault.New(fault.Full, "storage-full", "There is no space left to record this, so nothing was done. Tell your administrator.").With(err)
	case errors.Is(err, meta.ErrUnavailable):
		return fault.New(fault.Unavailable, "storage-down", "The database cannot be reached just now, and nothing was done. Try again in a moment.").After(10 * time.Second).With(err)
	}
	return err
}

// Supersede ends the session that a browser had, of which secret is what it
// kept, when somebody has just signed in there: on a shared computer it is the
// last person's. One that is over, or a token, is left as it is.
func (d *Door) Supersede(ctx context.Context, secret, request string) error {
	who, kind, err := d.Recognise(ctx, secret, request)
	if fault.Is(err, fault.Unauthenticated) || err == nil && kind != meta.KindSession {
		return nil
	}
	if err == nil {
		err = d.SignOut(ctx, who)
	}
	if errors.Is(err, meta.ErrNotFound) { // it ended meanwhile
		return nil
	}
	return err
}

// SignOut ends the session or token that who came with.
func (d *Door) SignOut(ctx context.Context, who access.Principal) error {
	ev := audit.NewEvent(audit.SignedOut, who, audit.Subject{Person: string(who.Person.ID)})
	if err := d.sessions.EndSession(ctx, who.Session, ev); err != nil {
		return down(fmt.Errorf("end the session: %w", err))
	}
	return nil
}
