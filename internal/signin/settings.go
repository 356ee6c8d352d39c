package signin

import (
	"context"
	"slices"

	"github.com/wardseal/wardseal/internal/access"
)

// Limits of passwords and of the secrets beside them, that no setting changes.
const (
	MinPassword   = minPassword
	MaxPassword   = maxPassword
	MaxTokenFor   = maxTokenFor
	SecondHalfFor = ceremonyFor // how long a sign-in waits for its second step
)

// Settings are how people sign in here, for the administrators to see. They
// are set where the server is started, and by nobody who signs in.
type Settings struct {
	Config
	Words    []string // that passwords must be more than, besides those of the service
	Breached bool     // passwords are compared with a list of breached ones
	Mailed   bool     // tickets go by mail, to whoever has an address here
	Roles    []RoleSettings
	Places   []PlaceSettings
}

// RoleSettings is what a role needs.
type RoleSettings struct {
	Role   access.Role
	Factor bool // a second factor
}

// PlaceSettings is a provider, and what its groups make of people here.
type PlaceSettings struct {
	Choice
	Issuer, Account string
	Strong          []string // what counts as two factors there: "claim: value"
	Map             []Grant
}

// Settings gives the settings in force.
func (t *Tickets) Settings(ctx context.Context, who access.Principal, p *Providers) (Settings, error) {
	if err := t.Staff.allow(ctx, who, access.ManagePeople); err != nil {
		return Settings{}, err
	}
	out := Settings{Config: p.door.cfg, Breached: t.Passwords.Breached != nil, Mailed: t.Send != nil}
	for _, w := range t.Passwords.Words {
		if w != "" {
			out.Words = append(out.Words, w)
		}
	}
	for _, r := range access.Roles() {
		out.Roles = append(out.Roles, RoleSettings{r, slices.Contains(p.door.cfg.FactorFor, r)})
	}
	for _, x := range p.all {
		place := PlaceSettings{Choice: Choice{x.ID, x.Name}, Issuer: x.Issuer, Account: x.Account, Map: x.Map}
		for claim, values := range x.Factor {
			for _, v := range values {
				place.Strong = append(place.Strong, claim+": "+v)
			}
		}
		slices.Sort(place.Strong)
		out.Places = append(out.Places, place)
	}
	return out, nil
}
