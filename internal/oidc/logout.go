package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Logout says that somebody's session at the provider has ended (OpenID Connect
// Back-Channel Logout 1.0).
type Logout struct {
	Subject, SID string // one of them may be empty
	ID           string // of the token: it counts once
	Until        time.Time
}

// logoutFor is the longest that a logout token may be good for.
const logoutFor = 10 * time.Minute

// Logout checks a logout token.
func (p *Provider) Logout(ctx context.Context, token string) (Logout, error) {
	f, err := p.look(ctx)
	if err != nil {
		return Logout{}, err
	}
	if len(token) > maxResponse {
		return Logout{}, refused("the logout token is too long")
	}
	ctx = oidc.ClientContext(ctx, p.client)
	t, err := f.Verifier(p.verifier()).VerifyLogout(ctx, token)
	if err != nil {
		return Logout{}, refused("the logout token: %w", err)
	}
	var claims struct {
		Events map[string]json.RawMessage `json:"events"`
	}
	if err := t.Claims(&claims); err != nil {
		return Logout{}, refused("the logout token: %w", err)
	}
	// An object, as the standard has it, and not merely something.
	event := bytes.TrimSpace(claims.Events["http://schemas.openid.net/event/backchannel-logout"])
	switch now := p.cfg.Clock(); {
	case len(event) == 0 || event[0] != '{':
		return Logout{}, refused("the logout token says nothing of a logout")
	case t.IssuedAt.IsZero(), t.IssuedAt.After(now.Add(skew)), t.IssuedAt.Before(now.Add(-logoutFor)), t.Expiry.After(now.Add(24 * time.Hour)):
		return Logout{}, refused("the logout token is of another time")
	case len(t.TokenID) > 255 || len(t.Subject) > 255 || len(t.SessionID) > 255:
		return Logout{}, refused("the logout token is too long")
	}
	return Logout{t.Subject, t.SessionID, t.TokenID, t.Expiry}, nil
}
