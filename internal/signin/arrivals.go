package signin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/oidc"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// origin says where somebody began to sign in, when not here; it waits with the
// second half.
type origin struct {
	Provider, Issuer, Subject, SID string
	Strong                         bool             // a second factor was asked for there
	StepUp                         access.SessionID // to step up this one, and not to open another
}

// origin reads what waits with the second half of a sign-in.
func (f *Factors) origin(c meta.Ceremony) (o origin, err error) {
	data, err := f.ring.OpenField("ceremonies", "data", c.ID, c.Data)
	if err == nil && len(data) > 0 {
		err = json.Unmarshal(data, &o)
	}
	if err != nil {
		return o, fmt.Errorf("open the half of a sign-in: %w", err)
	}
	return o, nil
}

// arrive signs in whom a provider names. They are found by who they are there
// and by nothing else: not by e-mail, which providers let people change, nor
// by username. Their role and teams become those of their groups.
func (p *Providers) arrive(ctx context.Context, x Provider, at meta.Identity, o origin, said oidc.Claims, c Coming, t trip) (Arrived, error) {
	nobody := access.Principal{Request: c.Request}
	known, err := p.store.PersonByIdentity(ctx, at)
	fresh := errors.Is(err, meta.ErrNotFound)
	if err != nil && !fresh {
		return Arrived{}, down(fmt.Errorf("find the account: %w", err))
	}
	if known.Suspended {
		return Arrived{}, p.refuse(ctx, x, nobody, known.ID, "suspended", fault.New(fault.Denied, "suspended", "Your account here is suspended. Ask your administrator."))
	}
	role, names := x.grants(said.Groups(x.Groups, x.GroupParts))
	if role == "" {
		return Arrived{}, p.noRole(ctx, x, at, known, nobody)
	}
	a := meta.Arrival{Identity: at, Person: known.Person, Fresh: fresh}
	if a.Teams, err = p.teams(ctx, names, true); err == nil {
		a.Named, err = p.teams(ctx, x.named(), false)
	}
	if err != nil {
		return Arrived{}, err
	}
	a.Person.Role = role
	if name := cutName(said.Text(x.NameClaim)); name != "" {
		a.Person.Name = name
	}
	if fresh {
		a.Person.ID = access.NewPersonID()
		a.Person.Username = username(x, said, at, true)
	}
	if a.Person.Name == "" {
		a.Person.Name = a.Person.Username
	}
	err = p.keep(ctx, x, a, nobody)
	if errors.Is(err, meta.ErrExists) && fresh { // somebody has the username
		a.Person.Username = username(x, said, at, false)
		err = p.keep(ctx, x, a, nobody)
	}
	if err != nil {
		return Arrived{}, down(fmt.Errorf("take in somebody from elsewhere: %w", err))
	}
	has, err := p.door.factors.of(ctx, a.Person.ID)
	if err != nil {
		return Arrived{}, err
	}
	if len(has) > 0 && !o.Strong {
		return p.second(ctx, a.Person.ID, o, t.Next, nobody)
	}
	sp := spending{}
	if o.Strong {
		sp.by = "provider"
	}
	secret, _, err := p.door.in(ctx, meta.Person{Person: a.Person}, c.Device, o, sp, nobody)
	return Arrived{Secret: secret, Next: t.Next}, err
}

// noRole refuses somebody whose groups give no role. Whoever had one before has
// left, and all that they have here ends.
func (p *Providers) noRole(ctx context.Context, x Provider, at meta.Identity, known meta.Person, nobody access.Principal) error {
	refusal := fault.New(fault.Denied, "no-role", words.Say("You are signed in at {provider}, but none of your groups there gives you a role in Wardseal. Ask your administrator to add you to one.", x.Name))
	if known.ID == "" {
		return p.refuse(ctx, x, nobody, "", "no-role", refusal)
	}
	ev := audit.NewEvent(audit.SignInFailed, nobody, audit.Subject{Person: string(known.ID)}).With("reason", "no-role").With("provider", x.ID)
	if err := p.store.Forsake(ctx, known.ID, at, ev); err != nil {
		return down(fmt.Errorf("end what somebody had: %w", err))
	}
	return refusal
}

// keep keeps what a provider says of somebody, with an event for each change.
func (p *Providers) keep(ctx context.Context, x Provider, a meta.Arrival, nobody access.Principal) error {
	subject := audit.Subject{Person: string(a.Person.ID)}
	event := func(t audit.Type, s audit.Subject) audit.Event {
		return audit.NewEvent(t, nobody, s).With("by", "provider").With("provider", x.ID)
	}
	return p.store.Arrive(ctx, a, func(c meta.Changed) []audit.Event {
		var evs []audit.Event
		if a.Fresh {
			evs = append(evs, event(audit.PersonAdded, subject).With("role", string(a.Person.Role)))
		}
		if c.Role != "" {
			evs = append(evs, event(audit.PersonChanged, subject).With("what", "role").With("from", string(c.Role)).With("role", string(a.Person.Role)))
		}
		if c.Name {
			evs = append(evs, event(audit.PersonChanged, subject).With("what", "name"))
		}
		for _, t := range c.Joined {
			evs = append(evs, event(audit.TeamJoined, audit.Subject{Team: string(t), Person: subject.Person}))
		}
		for _, t := range c.Left {
			evs = append(evs, event(audit.TeamLeft, audit.Subject{Team: string(t), Person: subject.Person}))
		}
		return evs
	})
}

// teams finds teams by name, each once. With add, one that the settings name
// and that is not there is added.
func (p *Providers) teams(ctx context.Context, names []string, add bool) ([]access.TeamID, error) {
	if len(names) == 0 {
		return nil, nil
	}
	all, err := p.store.Teams(ctx)
	if err != nil {
		return nil, down(fmt.Errorf("find the teams: %w", err))
	}
	var out []access.TeamID
	for _, name := range names {
		i := slices.IndexFunc(all, func(t meta.Team) bool { return strings.EqualFold(t.Name, name) })
		if i < 0 {
			if !add {
				continue
			}
			t, err := p.staff.AddFirstTeam(ctx, name)
			if err != nil {
				return nil, err
			}
			all, i = append(all, t), len(all)
		}
		if !slices.Contains(out, all[i].ID) {
			out = append(out, all[i].ID)
		}
	}
	return out, nil
}

// username is what somebody new is called: what the provider calls them, or
// a name of our own where that does not fit or is taken.
func username(x Provider, said oidc.Claims, at meta.Identity, first bool) string {
	if u := strings.ToLower(said.Text(x.Username)); first && usernameForm.MatchString(u) {
		return u
	}
	sum := sha256.Sum256([]byte(at.Issuer + "\x00" + at.Subject))
	return x.ID + "-" + hex.EncodeToString(sum[:8])
}
