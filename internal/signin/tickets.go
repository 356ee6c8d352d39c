package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/storage/meta"
)

// TicketStore is what tickets need of the database.
type TicketStore interface {
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	IdentitiesOf(ctx context.Context, id access.PersonID) ([]meta.Identity, error)
	AddTicket(ctx context.Context, id access.PersonID, hash []byte, liveFor time.Duration, ev audit.Event) (time.Time, error)
	TicketOf(ctx context.Context, hash []byte) (meta.Person, error)
	UseTicket(ctx context.Context, hash []byte, id access.PersonID, password string, ev audit.Event) error
	AppendEvent(ctx context.Context, ev audit.Event) error
}

// Tickets are one-time addresses at which people choose a password: the first,
// or another for one that is forgotten. Nobody else gets to know the password.
type Tickets struct {
	Store     TicketStore
	Staff     *Staff
	Passwords Passwords
	For       time.Duration
	// Proof refuses who has not just proved who they are; see Door.SteppedUp.
	Proof func(ctx context.Context, who access.Principal) error
	Send  func(ctx context.Context, to, subject, body string) error // nil without a mail server
	Site  func() string                                             // how people reach this server
}

// Handed is a ticket that was made. Its address is shown this once, and empty
// when it went to its person by mail.
type Handed struct {
	URL   string
	Until time.Time
}

// TicketPath is the page of tickets; the secret follows the # sign.
const TicketPath = "/password"

// Invite adds a member of staff who is to choose a password, and makes them a
// ticket.
func (t *Tickets) Invite(ctx context.Context, who access.Principal, n Newcomer) (access.Person, Handed, error) {
	if err := t.Staff.allow(ctx, who, access.ManagePeople); err != nil {
		return access.Person{}, Handed{}, err
	}
	p, err := t.Staff.add(ctx, who, n, false)
	if err != nil {
		return p, Handed{}, err
	}
	h, err := t.make(ctx, who, meta.Person{Person: p, Email: n.Email}, false)
	return p, h, err
}

// Make makes a ticket for a person who cannot sign in, or is not to with the
// password that they have. It opens somebody's account to whoever holds it, and
// so needs proof that it is still who who makes it. With show it is shown also
// where it could go by mail, for somebody who does not get at theirs.
func (t *Tickets) Make(ctx context.Context, who access.Principal, id access.PersonID, show bool) (Handed, error) {
	if err := t.Staff.allow(ctx, who, access.ManagePeople); err != nil {
		return Handed{}, err
	}
	if id == who.Person.ID {
		return Handed{}, fault.New(fault.Conflict, "own-account", "Change your own password on your account page, or ask another administrator.")
	}
	if err := t.Proof(ctx, who); err != nil {
		return Handed{}, err
	}
	return t.reset(ctx, who, id, show)
}

// Reset makes a ticket from the command line, where it is shown. The event has
// no actor and says so.
func (t *Tickets) Reset(ctx context.Context, id access.PersonID) (Handed, error) {
	return t.reset(ctx, access.Principal{}, id, true)
}

func (t *Tickets) reset(ctx context.Context, who access.Principal, id access.PersonID, show bool) (Handed, error) {
	p, err := t.Store.Person(ctx, id)
	if err != nil {
		return Handed{}, unknownPerson(err)
	}
	if p.Suspended {
		return Handed{}, fault.New(fault.Conflict, "suspended", "This account is suspended. Lift the suspension first.")
	}
	elsewhere, err := t.Store.IdentitiesOf(ctx, id)
	if err != nil {
		return Handed{}, down(err)
	}
	if p.PasswordHash == "" && len(elsewhere) > 0 {
		return Handed{}, fault.New(fault.Conflict, "signs-in-elsewhere", "This person signs in elsewhere and has no password here. It is reset where they sign in.")
	}
	return t.make(ctx, who, p, show)
}

// make makes a ticket, and mails it to whom it is for where that can be done.
func (t *Tickets) make(ctx context.Context, who access.Principal, p meta.Person, show bool) (Handed, error) {
	secret, hash := token.Mint(token.Ticket)
	url := t.Site() + TicketPath + "#" + secret.Reveal()
	mailed := t.Send != nil && p.Email != "" && !show
	ev := audit.NewEvent(audit.TicketMade, who, audit.Subject{Person: string(p.ID)}).With("handed", map[bool]string{true: "mail", false: "shown"}[mailed])
	if who.Person.ID == "" {
		ev = ev.With("by", "command-line")
	}
	until, err := t.Store.AddTicket(ctx, p.ID, hash, t.For, ev)
	if err != nil {
		return Handed{}, unknownPerson(err)
	}
	if !mailed {
		return Handed{url, until}, nil
	}
	subject, body := ticketLetter(p, url, until)
	if err := t.Send(ctx, p.Email, subject, body); err != nil {
		slog.WarnContext(ctx, "a mail with a ticket was not sent", "request", who.Request) // the server's words may name the recipient
		return Handed{}, fault.New(fault.Unavailable, "mail-down", "The person is there, but the mail to them could not be sent. Let them choose a password again in a few minutes, or have the address shown.").After(time.Minute)
	}
	return Handed{Until: until}, nil
}

// ticketLetter is the mail with a ticket.
func ticketLetter(p meta.Person, url string, until time.Time) (subject, body string) {
	return "Wardseal: choose your password",
		"Dear " + p.Name + ",\r\n\r\nyour administrator asks you to choose a password for Wardseal. Your username is " + p.Username + ". Open this page, until " +
			until.UTC().Format("2 January 2006, 15:04 MST") + ":\r\n\r\n" + url + "\r\n\r\n" +
			"It works once, and whoever has it can choose your password: please do not pass it on. If you did not expect it, do not open it; tell your administrator. " +
			"Nothing changes until it is used.\r\n\r\nPlease do not answer this message.\r\n"
}

var (
	errTicket        = fault.New(fault.Gone, "ticket-over", "The time of this address is over. Ask your administrator for a new one.")
	errTicketUnknown = fault.New(fault.NotFound, "ticket-unknown", "This address is not complete, was used already, or there is a newer one. Open it again, whole, as it was given to you, or ask your administrator for another.")
)

// Use has whoever holds a ticket choose the password of its person. Only that
// uses it up: not a look at the page, and not a password that is refused. Their
// sessions and tokens end, and their second factors stay.
func (t *Tickets) Use(ctx context.Context, secret, password, request string) error {
	nobody := access.Principal{Request: request}
	hash, err := token.Hash(strings.TrimSpace(secret), token.Ticket)
	if err != nil {
		return errTicketUnknown.With(err)
	}
	p, err := t.Store.TicketOf(ctx, hash)
	switch {
	case errors.Is(err, meta.ErrNotFound): // used, replaced, or never made
		return t.refuse(ctx, nobody, "", "unknown", errTicketUnknown)
	case errors.Is(err, meta.ErrExpired):
		return t.refuse(ctx, nobody, p.ID, "expired", errTicket)
	case err != nil:
		return down(fmt.Errorf("find a ticket: %w", err))
	case p.Suspended:
		return t.refuse(ctx, nobody, p.ID, "suspended", errTicket)
	}
	chosen, err := t.Passwords.Hash(p.Person, password)
	if err != nil {
		return err
	}
	err = t.Store.UseTicket(ctx, hash, p.ID, chosen, audit.NewEvent(audit.PasswordChanged, nobody, audit.Subject{Person: string(p.ID)}).With("by", "ticket"))
	if errors.Is(err, meta.ErrNotFound) { // a moment ago by somebody else
		return t.refuse(ctx, nobody, p.ID, "used", errTicketUnknown)
	}
	return down(err)
}

func (t *Tickets) refuse(ctx context.Context, nobody access.Principal, p access.PersonID, reason string, refusal error) error {
	if err := t.Store.AppendEvent(ctx, audit.NewEvent(audit.TicketRefused, nobody, audit.Subject{Person: string(p)}).With("reason", reason)); err != nil {
		return down(fmt.Errorf("record a refusal: %w", err))
	}
	return refusal
}
