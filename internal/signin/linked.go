package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/oidc"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// Linked is a provider, and whether somebody signs in there.
type Linked struct {
	Choice
	Yes bool
}

// Linked lists the providers, and at which who signs in.
func (p *Providers) Linked(ctx context.Context, who access.Principal) ([]Linked, error) {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return nil, denied(d)
	}
	var out []Linked
	for _, x := range p.all {
		yes, err := p.linked(ctx, who.Person.ID, x)
		if err != nil {
			return nil, err
		}
		out = append(out, Linked{Choice{x.ID, x.Name}, yes})
	}
	return out, nil
}

func (p *Providers) linked(ctx context.Context, id access.PersonID, x Provider) (bool, error) {
	all, err := p.store.IdentitiesOf(ctx, id)
	if err != nil {
		return false, down(fmt.Errorf("look where somebody signs in: %w", err))
	}
	return slices.ContainsFunc(all, func(i meta.Identity) bool { return i.Issuer == x.Issuer }), nil
}

func errLinked(x Provider) error {
	return fault.New(fault.Conflict, "identity-linked", words.Say("An account at {provider} is linked to yours already. Unlink it first.", x.Name))
}

// BeginLink has who sign in at a provider, to link who they are there to their
// account here. It opens the account to whoever signs in there, and so needs
// proof that it is still them.
func (p *Providers) BeginLink(ctx context.Context, who access.Principal, provider string) (Going, error) {
	x, err := p.find(provider)
	if err != nil {
		return Going{}, err
	}
	if err := p.door.SteppedUp(ctx, who); err != nil {
		return Going{}, err
	}
	yes, err := p.linked(ctx, who.Person.ID, x)
	if err != nil {
		return Going{}, err
	}
	if yes {
		return Going{}, errLinked(x)
	}
	return p.depart(ctx, provider, trip{Next: "/account?done=linked", Session: who.Session, Person: who.Person.ID, Link: true})
}

// link links whom a provider names to the person who went there, unless they
// are somebody here already. That person must have signed in there anew, and
// their session here must still stand and be stepped up.
func (p *Providers) link(ctx context.Context, x Provider, at meta.Identity, said oidc.Claims, d meta.Departure, t trip, nobody access.Principal) (Arrived, error) {
	out := Arrived{Next: t.Next}
	refuse := func(reason string, refusal error) (Arrived, error) {
		return out, p.refuse(ctx, x, nobody, t.Person, reason, refusal)
	}
	if !anew(said, d) {
		return out, p.notAnew(ctx, x, t, nobody)
	}
	switch still, err := p.door.people.SteppedUp(ctx, t.Session); {
	case err != nil:
		return out, down(fmt.Errorf("look whether the session is stepped up: %w", err))
	case !still:
		return refuse("not-stepped-up", fault.New(fault.Gone, "link-over", "Linking took longer than your proof here is good for, or you signed out meanwhile. Start again on your account page."))
	}
	if role, _ := x.grants(said.Groups(x.Groups, x.GroupParts)); role == "" {
		return refuse("no-role", fault.New(fault.Denied, "no-role", words.Say("None of your groups at {provider} gives you a role in Wardseal, so you could not sign in there. Nothing was linked; ask your administrator to add you to one.", x.Name)))
	}
	switch yes, err := p.linked(ctx, t.Person, x); {
	case err != nil:
		return out, err
	case yes:
		return out, errLinked(x)
	}
	who := access.Principal{Person: access.Person{ID: t.Person}, Session: t.Session, Request: nobody.Request}
	ev := audit.NewEvent(audit.IdentityLinked, who, audit.Subject{Person: string(t.Person)}).With("provider", x.ID)
	err := p.store.AddIdentity(ctx, t.Person, at, ev)
	if errors.Is(err, meta.ErrExists) {
		return refuse("another-person", fault.New(fault.Conflict, "identity-taken", words.Say("This account at {provider} is somebody's here already, so it was not linked. If both are yours, ask your administrator.", x.Name)))
	}
	return out, down(err)
}

// Unlink ends that who signs in at a provider. They must have a password here,
// or there would be no way in.
func (p *Providers) Unlink(ctx context.Context, who access.Principal, provider string) error {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return denied(d)
	}
	x, err := p.find(provider)
	if err != nil {
		return err
	}
	if err := p.door.SteppedUp(ctx, who); err != nil {
		return err
	}
	person, err := p.store.Person(ctx, who.Person.ID)
	if err != nil {
		return down(fmt.Errorf("find the account: %w", err))
	}
	if person.PasswordHash == "" {
		return fault.New(fault.Conflict, "no-password", "You have no password here, so there would be no way in. Ask your administrator.")
	}
	ev := audit.NewEvent(audit.IdentityUnlinked, who, audit.Subject{Person: string(who.Person.ID)}).With("provider", x.ID)
	err = p.store.RemoveIdentity(ctx, who.Person.ID, x.Issuer, ev)
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.NotFound, "identity-unknown", words.Say("You do not sign in at {provider}.", x.Name)).With(err)
	}
	return down(err)
}
