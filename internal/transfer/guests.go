package transfer

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/invitation"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// GuestStore is what a visit from outside needs of the database, besides the
// gate.
type GuestStore interface {
	InvitationBySecret(ctx context.Context, hash []byte) (invitation.Invitation, error)
	NewCode(ctx context.Context, id invitation.ID, hash []byte, every time.Duration, ev audit.Event) error
	TryCode(ctx context.Context, id invitation.ID, liveFor time.Duration) ([]byte, error)
	OpenInvitation(ctx context.Context, v invitation.Visit, code, secret []byte, ev audit.Event) (invitation.Visit, error)
	Visit(ctx context.Context, hash []byte) (invitation.Visit, invitation.Invitation, error)
	EndVisit(ctx context.Context, id access.SessionID, ev audit.Event) error
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Renditions(ctx context.Context, id media.ItemID) ([]media.RenditionRow, error)
}

// Guests lets in people outside the organisation who were invited: with the
// secret from one mail and the code from another.
type Guests struct {
	Gate  GateStore
	Store GuestStore
	Ring  *keyring.Ring
	Send  SendMail // nil without a mail server: then nobody gets a code

	CodeFor   time.Duration // how long a code can be entered
	CodeEvery time.Duration // least time between two codes of an invitation
}

// Visit is who visits, by what.
type Visit struct {
	access.Principal
	Invitation invitation.Invitation
	EndsAt     time.Time
}

// SendCode makes a one-time code and mails it to whom the invitation is for.
// An earlier code ends. request identifies the request in the audit events.
func (s *Guests) SendCode(ctx context.Context, secret, request string) error {
	v, nobody, err := s.known(ctx, secret, request)
	if err != nil {
		return err
	}
	if s.Send == nil {
		return errNoMail
	}
	f := fields{ring: s.Ring, table: "invitations", row: string(v.ID)}
	to := f.open("email", v.Email)
	if f.err != nil {
		return f.err
	}
	code := invitation.NewCode()
	ev := audit.NewEvent(audit.InvitationCoded, nobody, audit.Subject{Invitation: string(v.ID)})
	switch err := s.Store.NewCode(ctx, v.ID, s.codeHash(v.ID, code), s.CodeEvery, ev); {
	case errors.Is(err, meta.ErrTooSoon):
		return fault.New(fault.TooMany, "code-just-sent", "A code was sent a moment ago. Look in your mail, and in its spam folder; if it is not there in half a minute, ask for another.").After(s.CodeEvery)
	case errors.Is(err, meta.ErrSpent):
		return errors.Join(fault.New(fault.Gone, "codes-used-up", "No more codes are sent for this invitation. Ask whoever invited you for a new one."),
			s.refused(ctx, nobody, v.ID, "codes-used-up"))
	case err != nil:
		return down(fmt.Errorf("keep a code: %w", err))
	}
	subject, body := invitation.CodeLetter(code)
	if err := s.Send(ctx, to, subject, body); err != nil {
		return unsent(ctx, request, err)
	}
	return nil
}

// Open opens an invitation with its secret and the code, which it uses up. It
// returns the visit's secret, which exists nowhere else. A code has few tries,
// and each is gone before anything is compared.
func (s *Guests) Open(ctx context.Context, secret, typed, request string) (token.Secret, invitation.Visit, error) {
	v, nobody, err := s.known(ctx, secret, request)
	if err != nil {
		return "", invitation.Visit{}, err
	}
	code, ok := invitation.Code(typed)
	if !ok {
		return "", invitation.Visit{}, fault.New(fault.Invalid, "code-form", "Enter the 6 figures of the code in the mail.").In("code")
	}
	ended := fault.New(fault.Gone, "code-ended", "This code has ended, or was entered wrong too often. Have another sent.").In("code")
	want, err := s.Store.TryCode(ctx, v.ID, s.CodeFor)
	if errors.Is(err, meta.ErrSpent) {
		return "", invitation.Visit{}, errors.Join(ended, s.refused(ctx, nobody, v.ID, "code-ended"))
	}
	if err != nil {
		return "", invitation.Visit{}, down(fmt.Errorf("try a code: %w", err))
	}
	got := s.codeHash(v.ID, code)
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return "", invitation.Visit{}, errors.Join(fault.New(fault.Denied, "code-wrong", "This is not the code. Check it against the newest mail; after 5 tries you need another.").In("code"),
			s.refused(ctx, nobody, v.ID, "wrong-code"))
	}
	key, hash := token.Mint(token.Visit)
	guest := invitation.Guest(v.ID, "", access.NewSessionID())
	guest.Request = request
	visit, err := s.Store.OpenInvitation(ctx, invitation.Visit{ID: guest.Session, Invitation: v.ID}, got, hash,
		audit.NewEvent(audit.InvitationOpened, guest, audit.Subject{Invitation: string(v.ID), Patient: string(v.Patient)}))
	if errors.Is(err, meta.ErrSpent) {
		return "", invitation.Visit{}, ended
	}
	return key, visit, down(err)
}

// codeHash is keyed, since a hash of six figures alone would hide nothing.
func (s *Guests) codeHash(id invitation.ID, code string) []byte {
	return s.Ring.Index("invitation-code", []byte(string(id)+" "+code))
}

// known finds an invitation that stands by its secret.
func (s *Guests) known(ctx context.Context, secret, request string) (invitation.Invitation, access.Principal, error) {
	nobody := access.Principal{Request: request}
	unknown := fault.New(fault.NotFound, "invitation-unknown", "This is not an invitation that is known here. Open the link in the mail again, whole.")
	hash, err := token.Hash(secret, token.Invitation)
	if err != nil {
		return invitation.Invitation{}, nobody, unknown.With(err)
	}
	v, err := s.Store.InvitationBySecret(ctx, hash)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return v, nobody, unknown // not recorded: anybody at all could fill the audit with it
	case errors.Is(err, meta.ErrExpired):
		return v, nobody, errors.Join(fault.New(fault.Gone, "invitation-expired", "This invitation has ended. Ask whoever sent it for a new one."), s.refused(ctx, nobody, v.ID, "expired"))
	case errors.Is(err, meta.ErrRevoked):
		return v, nobody, errors.Join(fault.New(fault.Gone, "invitation-revoked", "This invitation was taken back. Ask whoever sent it if you still need to see the pictures."), s.refused(ctx, nobody, v.ID, "revoked"))
	case err != nil:
		return v, nobody, down(fmt.Errorf("find the invitation: %w", err))
	}
	return v, nobody, nil
}

func (s *Guests) refused(ctx context.Context, who access.Principal, id invitation.ID, why string) error {
	return (gate{s.Gate}).record(ctx, audit.NewEvent(audit.InvitationRefused, who, audit.Subject{Invitation: string(id)}).With("reason", why))
}

// Recognise gives the visit that has this secret. An error of kind
// Unauthenticated means that there is none any more: it ended, or what it
// stands on did.
func (s *Guests) Recognise(ctx context.Context, secret, request string) (Visit, error) {
	gone := fault.New(fault.Unauthenticated, "visit-ended", "Your visit has ended. If the invitation still lasts, open the link in the mail again.")
	hash, err := token.Hash(secret, token.Visit)
	if err != nil {
		return Visit{}, gone.With(err)
	}
	w, v, err := s.Store.Visit(ctx, hash)
	if errors.Is(err, meta.ErrNotFound) {
		return Visit{}, gone
	}
	if err != nil {
		return Visit{}, down(fmt.Errorf("recognise the visit: %w", err))
	}
	f := fields{ring: s.Ring, table: "invitations", row: string(v.ID)}
	who := invitation.Guest(v.ID, f.open("name", v.Name), w.ID)
	who.Request = request
	return Visit{who, v, w.ExpiresAt}, f.err
}

// Invited is what a visitor is shown of their invitation.
type Invited struct {
	Name, From, Purpose string
	Items               []InvitedItem
	EndsAt              time.Time // of the visit
	ExpiresAt           time.Time // of the invitation
}

// InvitedItem is one item of an invitation: that it is there, and its forms to
// look at, not what the record says of it.
type InvitedItem struct {
	ID    media.ItemID
	Video bool
	Forms []media.RenditionRow
}

// Look gives what an invitation is for and its items, without their pictures.
func (s *Guests) Look(ctx context.Context, w Visit) (Invited, error) {
	v := w.Invitation
	f := fields{ring: s.Ring, table: "invitations", row: string(v.ID)}
	out := Invited{Name: w.Person.Name, Purpose: f.open("purpose", v.Purpose), EndsAt: w.EndsAt, ExpiresAt: v.ExpiresAt}
	if f.err != nil {
		return out, f.err
	}
	from, err := s.Store.Person(ctx, v.CreatedBy)
	if err != nil {
		return out, down(fmt.Errorf("find who invited: %w", err))
	}
	out.From = from.Name
	for _, id := range v.Items {
		it, err := findItem(ctx, s.Store, gate{s.Gate}, w.Principal, access.SeeInvited, id)
		if fault.Is(err, fault.Gone) {
			continue // it was destroyed; the others stay
		}
		if err != nil {
			return out, err
		}
		forms, err := s.Store.Renditions(ctx, id)
		if err != nil {
			return out, down(fmt.Errorf("list the renditions: %w", err))
		}
		item := InvitedItem{ID: id, Video: it.Format.Video()}
		for _, r := range forms {
			if ToLookAt(r.Rendition) {
				item.Forms = append(item.Forms, r)
			}
		}
		out.Items = append(out.Items, item)
	}
	return out, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.InvitationShown, w.Principal, audit.Subject{Invitation: string(v.ID), Patient: string(v.Patient)}))
}

// ToLookAt reports whether a rendition is one to look at, made here, and not
// the picture as it was taken: the ones that somebody outside may see.
func ToLookAt(r media.Rendition) bool {
	return r == media.Preview || r == media.Poster || r == media.Playable
}

// Leave ends a visit.
func (s *Guests) Leave(ctx context.Context, w Visit) error {
	err := s.Store.EndVisit(ctx, w.Session, audit.NewEvent(audit.InvitationLeft, w.Principal, audit.Subject{Invitation: string(w.Invitation.ID)}))
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	return down(err)
}

// Invited opens a rendition to look at during a visit. Visit, invitation,
// inviter and item are checked anew each time.
func (v *Views) Invited(ctx context.Context, w Visit, id media.ItemID, r media.Rendition, wanted Span, shown bool) (*Content, error) {
	it, err := findItem(ctx, v.Store, gate{v.Gate}, w.Principal, access.SeeInvited, id)
	if err != nil {
		return nil, err
	}
	if !ToLookAt(r) {
		return nil, errors.Join(errNoItem, (gate{v.Gate}).record(ctx, audit.NewEvent(audit.AccessDenied, w.Principal, audit.Subject{Item: string(id), Rendition: string(r), Invitation: string(w.Invitation.ID)}).With("action", string(access.SeeInvited))))
	}
	return v.show(ctx, w.Principal, it, r, link.Grant{}, wanted, shown)
}
