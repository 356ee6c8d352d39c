package transfer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/invitation"
	"github.com/wardseal/wardseal/internal/mail"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// InvitationStore is what inviting needs of the database, besides the gate.
type InvitationStore interface {
	itemFinder
	AddInvitation(ctx context.Context, v invitation.Invitation, liveFor time.Duration, ev audit.Event) (invitation.Invitation, error)
	Invitation(ctx context.Context, id invitation.ID) (invitation.Invitation, error)
	Invitations(ctx context.Context, f meta.InvitationScope) ([]invitation.Invitation, error)
	InScope(ctx context.Context, id invitation.ID, f meta.InvitationScope) (bool, error)
	RevokeInvitation(ctx context.Context, id invitation.ID, ev audit.Event) error
	RevokeInvitationsTo(ctx context.Context, recipient []byte, f meta.InvitationScope, ev audit.Event) (int, error)
}

// SendMail sends one mail, or says why not.
type SendMail func(ctx context.Context, to, subject, body string) error

// Invitations shows items to people outside the organisation, and takes that
// back.
type Invitations struct {
	Gate  GateStore
	Store InvitationStore
	Ring  *keyring.Ring
	Send  SendMail // nil without a mail server: then nobody can be invited
	Base  string   // address of the server
}

// InvitationOrder is an invitation to make. The zero For is invitation.DefaultFor.
type InvitationOrder struct {
	Items                []media.ItemID
	Name, Email, Purpose string
	For                  time.Duration
}

// InvitationView is an invitation with its fields opened.
type InvitationView struct {
	invitation.Invitation
	Name, Email string
	Purpose     string // empty for those who only oversee
}

var errNoMail = fault.New(fault.Conflict, "mail-missing", "Inviting somebody outside needs a mail server, and this system has none. Ask your administrator to set one up.")

// Invite invites a person outside the organisation and sends them the mail.
// Its secret is in that mail and nowhere else. If the mail cannot be sent the
// invitation ends at once.
func (s *Invitations) Invite(ctx context.Context, who access.Principal, o InvitationOrder) (InvitationView, error) {
	items, err := s.pick(ctx, who, o.Items)
	if err != nil {
		return InvitationView{}, err
	}
	if err := checkInvitation(&o); err != nil {
		return InvitationView{}, err
	}
	if s.Send == nil {
		return InvitationView{}, errNoMail
	}
	secret, hash := token.Mint(token.Invitation)
	v := invitation.Invitation{
		ID: invitation.NewID(), SecretHash: hash, CreatedBy: who.Person.ID, Patient: items[0].Patient, Items: o.Items,
		Recipient: s.Ring.Index("invitation-recipient", []byte(strings.ToLower(o.Email))),
	}
	f := fields{ring: s.Ring, table: "invitations", row: string(v.ID)}
	v.Name, v.Email, v.Purpose = f.seal("name", o.Name), f.seal("email", o.Email), f.seal("purpose", o.Purpose)
	if f.err != nil {
		return InvitationView{}, f.err
	}
	ev := audit.NewEvent(audit.InvitationMade, who, audit.Subject{Invitation: string(v.ID), Patient: string(v.Patient)}).
		With("items", strconv.Itoa(len(items))).With("seconds", strconv.Itoa(int(o.For/time.Second)))
	for i, it := range items {
		ev = ev.With("item-"+strconv.Itoa(i+1), string(it.ID))
	}
	if v, err = s.Store.AddInvitation(ctx, v, o.For, ev); err != nil {
		return InvitationView{}, down(fmt.Errorf("make the invitation: %w", err))
	}
	subject, body := invitation.Letter(o.Name, who.Person.Name, s.Base+"/invited#"+secret.Reveal(), v.ExpiresAt)
	if err := s.Send(ctx, o.Email, subject, body); err != nil {
		return InvitationView{}, errors.Join(unsent(ctx, who.Request, err), s.unmake(ctx, who, v))
	}
	return InvitationView{v, o.Name, o.Email, o.Purpose}, nil
}

// unsent says that a mail did not go out. The server's words may name the
// recipient, so they are not logged.
func unsent(ctx context.Context, request string, err error) error {
	slog.WarnContext(ctx, "a mail to a person outside was not sent", "request", request, "address_refused", errors.Is(err, mail.ErrAddress))
	if errors.Is(err, mail.ErrAddress) {
		return fault.New(fault.Invalid, "email-refused", "The mail server refuses this address. Check it and try again.").In("email")
	}
	return fault.New(fault.Unavailable, "mail-down", "The mail could not be sent just now, so nobody was invited and no code is valid. Try again in a few minutes.").After(time.Minute)
}

// unmake revokes an invitation whose mail did not go out, whoever still waits.
func (s *Invitations) unmake(ctx context.Context, who access.Principal, v invitation.Invitation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	ev := audit.NewEvent(audit.InvitationRevoked, who, audit.Subject{Invitation: string(v.ID), Patient: string(v.Patient)}).With("reason", "not-sent")
	return down(s.Store.RevokeInvitation(ctx, v.ID, ev))
}

// pick finds the items of an invitation and decides access to each.
func (s *Invitations) pick(ctx context.Context, who access.Principal, ids []media.ItemID) ([]media.Item, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.InviteOutside); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > invitation.MaxItems {
		return nil, fault.New(fault.Invalid, "items", words.Say("Choose from 1 to {n} pictures.", invitation.MaxItems)).In("items")
	}
	var items []media.Item
	seen := map[media.ItemID]bool{}
	for _, id := range ids {
		it, err := findItem(ctx, s.Store, gate{s.Gate}, who, access.InviteOutside, id)
		if err != nil {
			return nil, err
		}
		if seen[it.ID] || len(items) > 0 && it.Patient != items[0].Patient {
			return nil, fault.New(fault.Invalid, "items-of-one-patient", "An invitation is to pictures of one patient, each once.").In("items")
		}
		seen[it.ID] = true
		items = append(items, it)
	}
	return items, nil
}

// checkInvitation completes an order and refuses what is wrong with it.
func checkInvitation(o *InvitationOrder) error {
	if o.For == 0 {
		o.For = invitation.DefaultFor
	}
	o.Name, o.Email, o.Purpose = strings.TrimSpace(o.Name), strings.TrimSpace(o.Email), strings.TrimSpace(o.Purpose)
	switch {
	case o.Name == "" || utf8.RuneCountInString(o.Name) > 100 || strings.ContainsFunc(o.Name, unicode.IsControl):
		return fault.New(fault.Invalid, "name-missing", "Enter the name of the one person whom you invite, in at most 100 characters.").In("name")
	case !mail.Address(o.Email):
		return fault.New(fault.Invalid, "email-form", "Enter their own e-mail address, for example name@example.org: one address, without a name.").In("email")
	case o.Purpose == "" || utf8.RuneCountInString(o.Purpose) > 500:
		return fault.New(fault.Invalid, "invitation-purpose", "Say in a few words (at most 500 characters) what you want them to look at and why.").In("purpose")
	case o.For < time.Second || o.For > invitation.MaxFor:
		return fault.New(fault.Invalid, "invitation-time", "An invitation can last from 1 second to 72 hours. Choose a time in between.").In("ttl_seconds")
	}
	return nil
}

// scope is whose invitations who may see and revoke.
func scope(who access.Principal) meta.InvitationScope {
	return meta.InvitationScope{All: access.Decide(who, access.RevokeInvitation, 0) == access.Allow, Person: who.Person.ID, Teams: who.Teams}
}

// List lists the invitations that stand and that who may revoke, newest first.
func (s *Invitations) List(ctx context.Context, who access.Principal) ([]InvitationView, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ListInvitations); err != nil {
		return nil, err
	}
	all := scope(who)
	rows, err := s.Store.Invitations(ctx, all)
	if err != nil {
		return nil, down(fmt.Errorf("list the invitations: %w", err))
	}
	out := make([]InvitationView, 0, len(rows))
	for _, v := range rows {
		f := fields{ring: s.Ring, table: "invitations", row: string(v.ID)}
		view := InvitationView{Invitation: v, Name: f.open("name", v.Name), Email: f.open("email", v.Email)}
		if !all.All {
			view.Purpose = f.open("purpose", v.Purpose)
		}
		if f.err != nil {
			return nil, f.err
		}
		out = append(out, view)
	}
	if !all.All {
		return out, nil
	}
	ev := audit.NewEvent(audit.OversightRead, who, audit.Subject{}).With("what", "invitations").With("count", strconv.Itoa(len(out)))
	return out, (gate{s.Gate}).record(ctx, ev)
}

// Revoke ends an invitation and its visits at once.
func (s *Invitations) Revoke(ctx context.Context, who access.Principal, id invitation.ID) error {
	v, err := s.mine(ctx, who, id)
	if err != nil {
		return err
	}
	return down(s.Store.RevokeInvitation(ctx, id, audit.NewEvent(audit.InvitationRevoked, who, audit.Subject{Invitation: string(id), Patient: string(v.Patient)})))
}

// RevokeAll ends every invitation to the person that one is for, as far as who
// may revoke them, and says how many.
func (s *Invitations) RevokeAll(ctx context.Context, who access.Principal, id invitation.ID) (int, error) {
	v, err := s.mine(ctx, who, id)
	if err != nil {
		return 0, err
	}
	ev := audit.NewEvent(audit.InvitationRevoked, who, audit.Subject{Invitation: string(id)}).With("all", "recipient")
	n, err := s.Store.RevokeInvitationsTo(ctx, v.Recipient, scope(who), ev)
	return n, down(err)
}

// mine finds an invitation that who may revoke. What is not theirs looks as if
// it did not exist.
func (s *Invitations) mine(ctx context.Context, who access.Principal, id invitation.ID) (invitation.Invitation, error) {
	g := gate{s.Gate}
	if err := g.role(ctx, who, access.RevokeInvitation); err != nil {
		return invitation.Invitation{}, err
	}
	if !media.ValidID(string(id)) {
		return invitation.Invitation{}, errNoItem
	}
	v, err := s.Store.Invitation(ctx, id)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return v, errNoItem
	case err != nil && !errors.Is(err, meta.ErrExpired) && !errors.Is(err, meta.ErrRevoked):
		return v, down(fmt.Errorf("find the invitation: %w", err))
	}
	in, err := s.Store.InScope(ctx, id, scope(who))
	if err != nil {
		return v, down(fmt.Errorf("find the invitation: %w", err))
	}
	var rel access.Relation
	if in {
		rel = access.Uploader | access.SameTeam
	}
	return v, g.refuse(ctx, who, access.RevokeInvitation, access.Decide(who, access.RevokeInvitation, rel), audit.Subject{Invitation: string(id)})
}
