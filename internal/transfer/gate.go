// Package transfer is the spine: how a picture comes in, how it goes out, and
// how it is shared. Each flow is one file that reads like a list of its steps,
// and names the few methods that it needs of the layers below.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// GateStore is what deciding access needs of the database.
type GateStore interface {
	LinksTo(ctx context.Context, item media.ItemID, p access.Principal) (bool, error)
	AsksAbout(ctx context.Context, item media.ItemID, p access.Principal) (bool, error)
	EmergencyFor(ctx context.Context, patient media.PatientID, p access.PersonID) (bool, error)
	InvitedTo(ctx context.Context, item media.ItemID, visit access.SessionID) (bool, error)
	AppendEvent(ctx context.Context, ev audit.Event) error
}

// gate decides access and records every refusal. Where a refusal cannot be
// recorded the request fails all the same.
type gate struct{ store GateStore }

// role refuses a principal whose role may never do a.
func (g gate) role(ctx context.Context, who access.Principal, a access.Action) error {
	return g.refuse(ctx, who, a, access.May(who, a), audit.Subject{})
}

// team decides an action on something of team t.
func (g gate) team(ctx context.Context, who access.Principal, a access.Action, t access.TeamID) error {
	var rel access.Relation
	if who.In(t) {
		rel = access.SameTeam
	}
	var subject audit.Subject
	if media.ValidID(string(t)) { // anything else is text that somebody typed, which no event repeats
		subject.Team = string(t)
	}
	return g.refuse(ctx, who, a, access.Decide(who, a, rel), subject)
}

// item decides an action on an item, by the relations that hold now.
func (g gate) item(ctx context.Context, who access.Principal, a access.Action, it media.Item) error {
	rel, err := g.relation(ctx, who, it)
	if err != nil {
		return err
	}
	return g.refuse(ctx, who, a, access.Decide(who, a, rel), audit.Subject{Item: string(it.ID), Patient: string(it.Patient)})
}

func (g gate) relation(ctx context.Context, who access.Principal, it media.Item) (access.Relation, error) {
	var rel access.Relation
	if !who.SignedIn() {
		return rel, nil
	}
	if who.Person.Role == access.External { // somebody outside stands in no other relation
		invited, err := g.store.InvitedTo(ctx, it.ID, who.Session)
		if err != nil {
			return 0, fmt.Errorf("look for an invitation: %w", err)
		}
		if invited {
			rel = access.Invited
		}
		return rel, nil
	}
	if it.Uploader == who.Person.ID {
		rel |= access.Uploader
	}
	if who.In(it.Team) {
		rel |= access.SameTeam
	}
	if rel != 0 {
		return rel, nil // neither a link nor a referral could add what an owner lacks
	}
	linked, err := g.store.LinksTo(ctx, it.ID, who)
	if err != nil {
		return 0, fmt.Errorf("look for a link: %w", err)
	}
	if linked {
		rel |= access.Referred
	}
	asked, err := g.store.AsksAbout(ctx, it.ID, who)
	if err != nil {
		return 0, fmt.Errorf("look for a referral: %w", err)
	}
	if asked {
		rel |= access.Asked
	}
	emergency, err := g.store.EmergencyFor(ctx, it.Patient, who.Person.ID)
	if err != nil {
		return 0, fmt.Errorf("look for emergency access: %w", err)
	}
	if emergency {
		rel |= access.Emergency
	}
	return rel, nil
}

func (g gate) refuse(ctx context.Context, who access.Principal, a access.Action, d access.Decision, subject audit.Subject) error {
	if d == access.Allow {
		return nil
	}
	if d == access.DenyNobody {
		return fault.New(fault.Unauthenticated, "not-signed-in", "You are not signed in, or your session has ended. Sign in and try again.")
	}
	if err := g.record(ctx, audit.NewEvent(audit.AccessDenied, who, subject).With("action", string(a))); err != nil {
		return err
	}
	if d == access.DenyFactor {
		return fault.New(fault.Denied, "second-factor-missing", "Your role needs a second step at sign-in. Set it up on your account page; then everything is open to you.")
	}
	if d == access.DenyPassword {
		return fault.New(fault.Denied, "password-first", "Somebody else chose your password. Choose your own first; then everything is open to you.")
	}
	if d == access.DenyScope {
		return fault.New(fault.Denied, "token-scope", "This token may not do this: its scopes do not name it. Make one with the right scope, or sign in.")
	}
	if d == access.DenyRelation {
		return errNoItem // whether it exists is not theirs to know
	}
	return fault.New(fault.Denied, "not-allowed", "Your role does not allow this. If you need it for your work, ask your administrator.")
}

// record commits an event even when the client has gone away meanwhile.
func (g gate) record(ctx context.Context, ev audit.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := g.store.AppendEvent(ctx, ev); err != nil {
		return down(fmt.Errorf("record %s: %w", ev.Type, err))
	}
	return nil
}

var errNoItem = fault.New(fault.NotFound, "not-found", "There is nothing here that you may see. It may belong to another team, or the link to it may have ended.")

// down turns a failure of storage into what the caller may be told.
func down(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, blob.ErrFull), errors.Is(err, meta.ErrFull):
		return fault.New(fault.Full, "storage-full", "There is no space left to store this. Nothing was filed; keep the picture and tell your administrator.").With(err)
	case errors.Is(err, blob.ErrUnavailable), errors.Is(err, meta.ErrUnavailable):
		return fault.New(fault.Unavailable, "storage-down", "Storage cannot be reached just now. Nothing was filed or shown; try again in a moment.").After(10 * time.Second).With(err)
	}
	return err
}
