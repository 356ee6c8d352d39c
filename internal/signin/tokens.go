package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/mail"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// maxTokenFor is the longest that an API token may live.
const maxTokenFor = 365 * 24 * time.Hour

// AccountStore is what a person's own account needs of the database.
type AccountStore interface {
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	AddToken(ctx context.Context, s meta.Session, ev audit.Event) error
	SessionsOf(ctx context.Context, id access.PersonID) ([]meta.Session, error)
	EndSession(ctx context.Context, id access.SessionID, ev audit.Event) error
	SetEmail(ctx context.Context, id access.PersonID, email string, ev audit.Event) error
	SetPassword(ctx context.Context, id access.PersonID, hash string, ev audit.Event) error
}

// Account is what people do to their own account.
type Account struct {
	store     AccountStore
	proof     func(ctx context.Context, who access.Principal) error
	passwords Passwords
	hasher    *hasher
}

// NewAccount makes an Account. proof refuses who has not just proved who they
// are; see Door.SteppedUp.
func NewAccount(store AccountStore, proof func(ctx context.Context, who access.Principal) error, passwords Passwords) (*Account, error) {
	h, err := newHasher()
	if err != nil {
		return nil, err
	}
	return &Account{store: store, proof: proof, passwords: passwords, hasher: h}, nil
}

// MintToken makes an API token that for liveFor may do what the scopes name, of
// what its owner may. It is a key, and so needs proof that it is still them who
// makes it. The secret is shown this once.
func (a *Account) MintToken(ctx context.Context, who access.Principal, name string, scopes []access.Scope, liveFor time.Duration) (token.Secret, meta.Session, error) {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return "", meta.Session{}, denied(d)
	}
	if err := a.proof(ctx, who); err != nil {
		return "", meta.Session{}, err
	}
	return a.mint(ctx, who, who.Person.ID, name, scopes, liveFor)
}

// MintFor makes an API token for somebody from the command line, where whoever
// may run it holds the keys anyway. The event has no actor and says so.
func (a *Account) MintFor(ctx context.Context, owner meta.Person, name string, scopes []access.Scope, liveFor time.Duration) (token.Secret, meta.Session, error) {
	if owner.Suspended {
		return "", meta.Session{}, fault.New(fault.Conflict, "suspended", "This account is suspended. Lift the suspension first.")
	}
	for _, d := range access.Scopes() {
		what := d.Actions[len(d.Actions)-1]
		if slices.Contains(scopes, d.Scope) && access.May(access.Principal{Person: owner.Person}, what) != access.Allow {
			return "", meta.Session{}, fault.New(fault.Invalid, "token-scope-useless", words.Say("The scope {scope} does nothing for the role {role}.", string(d.Scope), string(owner.Role))).In("scopes")
		}
	}
	return a.mint(ctx, access.Principal{}, owner.ID, name, scopes, liveFor)
}

func (a *Account) mint(ctx context.Context, who access.Principal, owner access.PersonID, name string, scopes []access.Scope, liveFor time.Duration) (token.Secret, meta.Session, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 100 {
		return "", meta.Session{}, fault.New(fault.Invalid, "token-name", "Give the token a name of 1 to 100 characters, so that you can tell it from others.").In("name")
	}
	if liveFor < time.Minute || liveFor > maxTokenFor {
		return "", meta.Session{}, fault.New(fault.Invalid, "token-time", "A token lives from 1 minute to 365 days.").In("ttl_seconds")
	}
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(s access.Scope) bool { return !s.Valid() }) {
		return "", meta.Session{}, fault.New(fault.Invalid, "token-scope-unknown", "Choose what the token may do, from what is offered, and no more than it needs.").In("scopes")
	}
	secret, hash := token.Mint(token.API)
	s := meta.Session{ID: access.NewSessionID(), Hash: hash, Person: owner, Kind: meta.KindToken, Name: name, Scopes: scopes, For: liveFor}
	ev := audit.NewEvent(audit.TokenMinted, who, audit.Subject{Token: string(s.ID), Person: string(owner)}).With("scopes", access.JoinScopes(scopes))
	if who.Person.ID == "" {
		ev = ev.With("by", "command-line")
	}
	if err := a.store.AddToken(ctx, s, ev); err != nil {
		return "", meta.Session{}, down(fmt.Errorf("add the token: %w", err))
	}
	return secret, s, nil
}

// Tokens lists who's live API tokens.
func (a *Account) Tokens(ctx context.Context, who access.Principal) ([]meta.Session, error) {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return nil, denied(d)
	}
	all, err := a.store.SessionsOf(ctx, who.Person.ID)
	if err != nil {
		return nil, down(fmt.Errorf("list the tokens: %w", err))
	}
	return slices.DeleteFunc(all, func(s meta.Session) bool { return s.Kind != meta.KindToken }), nil
}

// Sessions lists who's live sessions and tokens, newest first.
func (a *Account) Sessions(ctx context.Context, who access.Principal) ([]meta.Session, error) {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return nil, denied(d)
	}
	all, err := a.store.SessionsOf(ctx, who.Person.ID)
	return all, down(err)
}

// End ends one of who's own sessions or tokens.
func (a *Account) End(ctx context.Context, who access.Principal, id access.SessionID) error {
	mine, err := a.Sessions(ctx, who)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(mine, func(s meta.Session) bool { return s.ID == id })
	if i < 0 {
		return fault.New(fault.NotFound, "session-unknown", "You have no such session.")
	}
	t := audit.SessionEnded
	if mine[i].Kind == meta.KindToken {
		t = audit.TokenRevoked
	}
	ev := audit.NewEvent(t, who, audit.Subject{Token: string(id), Person: string(who.Person.ID)})
	if err := a.store.EndSession(ctx, id, ev); err != nil && !errors.Is(err, meta.ErrNotFound) {
		return down(fmt.Errorf("end a session: %w", err))
	}
	return nil
}

// RevokeToken ends one of who's own tokens.
func (a *Account) RevokeToken(ctx context.Context, who access.Principal, id access.SessionID) error {
	mine, err := a.Tokens(ctx, who)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(mine, func(s meta.Session) bool { return s.ID == id }) {
		return fault.New(fault.NotFound, "token-unknown", "You have no such token.")
	}
	ev := audit.NewEvent(audit.TokenRevoked, who, audit.Subject{Token: string(id), Person: string(who.Person.ID)})
	if err := a.store.EndSession(ctx, id, ev); err != nil && !errors.Is(err, meta.ErrNotFound) {
		return down(fmt.Errorf("revoke the token: %w", err))
	}
	return nil
}

// ChangePassword sets a new password for who, given the present one, and ends
// every session and token of the account.
func (a *Account) ChangePassword(ctx context.Context, who access.Principal, present, next string) error {
	if d := access.Decide(who, access.ChoosePassword, 0); d != access.Allow {
		return denied(d)
	}
	p, err := a.store.Person(ctx, who.Person.ID)
	if err != nil {
		return down(fmt.Errorf("find the account: %w", err))
	}
	ok, err := a.hasher.matches(ctx, present, p.PasswordHash)
	if err != nil {
		return fmt.Errorf("check the password: %w", err)
	}
	if !ok {
		return fault.New(fault.Denied, "password-wrong", "The present password is not right.").In("present_password")
	}
	if who.FirstPassword && next == present {
		return fault.New(fault.Invalid, "password-same", "Somebody else knows this password. Choose another, of your own.").In("password")
	}
	hash, err := a.passwords.Hash(p.Person, next)
	if err != nil {
		return err
	}
	ev := audit.NewEvent(audit.PasswordChanged, who, audit.Subject{Person: string(who.Person.ID)})
	if err := a.store.SetPassword(ctx, who.Person.ID, hash, ev); err != nil {
		return down(fmt.Errorf("set the password: %w", err))
	}
	return nil
}

var errFirst = fault.New(fault.Denied, "password-first", "Somebody else chose your password. Choose your own first; then everything is open to you.")

// denied is the refusal of the decision table.
func denied(d access.Decision) error {
	if d == access.DenyNobody {
		return fault.New(fault.Unauthenticated, "not-signed-in", "You are not signed in, or your session has ended. Sign in and try again.")
	}
	if d == access.DenyFactor {
		return errNoFactor
	}
	if d == access.DenyPassword {
		return errFirst
	}
	if d == access.DenyScope {
		return fault.New(fault.Denied, "token-scope", "This token may not do this: its scopes do not name it. Make one with the right scope, or sign in.")
	}
	return fault.New(fault.Denied, "not-allowed", "Your role does not allow this. If you need it for your work, ask your administrator.")
}

var errEmail = fault.New(fault.Invalid, "email-form", "Enter one e-mail address, such as name@example.org, or leave it empty.").In("email")

// Email gives the address at which who is told that something waits; it may be
// empty.
func (a *Account) Email(ctx context.Context, who access.Principal) (string, error) {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return "", denied(d)
	}
	p, err := a.store.Person(ctx, who.Person.ID)
	return p.Email, down(err)
}

// SetEmail sets that address, or none.
func (a *Account) SetEmail(ctx context.Context, who access.Principal, email string) error {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return denied(d)
	}
	email = strings.TrimSpace(email)
	if email != "" && !mail.Address(email) {
		return errEmail
	}
	return down(a.store.SetEmail(ctx, who.Person.ID, email, audit.NewEvent(audit.PersonChanged, who, audit.Subject{Person: string(who.Person.ID)}).With("what", "email")))
}
