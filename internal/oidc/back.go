package oidc

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Claims are what a provider says of somebody, after it was checked.
type Claims struct {
	Subject, SID string
	AuthTime     time.Time // zero when it was not said
	all          map[string]any
}

// Back takes what the browser brought back from a trip: the query of the
// redirect address, whose state the caller has found to be the trip's.
func (p *Provider) Back(ctx context.Context, t Trip, q url.Values) (Claims, error) {
	f, err := p.look(ctx)
	if err != nil {
		return Claims{}, err
	}
	// RFC 9207: an answer of another provider is not taken for this one's.
	if iss := q.Get("iss"); iss != p.cfg.Issuer && (q.Has("iss") || f.more.Iss) {
		return Claims{}, refused("the answer is of another issuer")
	}
	if q.Get("error") != "" {
		return Claims{}, refused("the provider said %.60q", q.Get("error"))
	}
	if q.Get("code") == "" {
		return Claims{}, refused("no code")
	}
	ctx = oidc.ClientContext(ctx, p.client)
	opts := []oauth2.AuthCodeOption{oauth2.VerifierOption(t.Verifier)}
	if p.cfg.Key != nil {
		assertion, err := p.cfg.Key.assertion(p.cfg.ClientID, f.Endpoint().TokenURL, p.cfg.Clock())
		if err != nil {
			return Claims{}, err
		}
		opts = append(opts, oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"), oauth2.SetAuthURLParam("client_assertion", assertion))
	}
	tok, err := p.oauth(f, t.Back).Exchange(ctx, q.Get("code"), opts...)
	if said := (*oauth2.RetrieveError)(nil); errors.As(err, &said) && said.Response.StatusCode < 500 {
		return Claims{}, refused("the code was not taken: %.60q", said.ErrorCode)
	} else if err != nil {
		return Claims{}, errors.Join(ErrDown, errors.New("exchange the code"), scrub(err))
	}
	raw, ok := tok.Extra("id_token").(string)
	if !ok {
		return Claims{}, refused("no ID token")
	}
	id, err := f.Verifier(p.verifier()).Verify(ctx, raw)
	if err != nil {
		return Claims{}, refused("the ID token: %w", err)
	}
	c, err := p.check(id, t, tok)
	if err == nil && p.cfg.UserInfo {
		err = c.ask(ctx, f, tok)
	}
	return c, err
}

// scrub keeps an error of the token endpoint from repeating its answer.
func scrub(err error) error {
	if said := (*oauth2.RetrieveError)(nil); errors.As(err, &said) {
		return errors.New(said.Response.Status)
	}
	return err
}

func (p *Provider) verifier() *oidc.Config {
	return &oidc.Config{ClientID: p.cfg.ClientID, SupportedSigningAlgs: algorithms, Now: p.cfg.Clock}
}

// check is what go-oidc leaves to its callers.
func (p *Provider) check(id *oidc.IDToken, t Trip, tok *oauth2.Token) (Claims, error) {
	var c Claims
	var more struct {
		AZP      string   `json:"azp"`
		SID      string   `json:"sid"`
		AuthTime *float64 `json:"auth_time"`
	}
	if err := errors.Join(id.Claims(&more), id.Claims(&c.all)); err != nil {
		return c, refused("the claims: %w", err)
	}
	switch now := p.cfg.Clock(); {
	case id.Nonce == "" || id.Nonce != t.Nonce:
		return c, refused("the ID token is for another sign-in")
	case more.AZP != "" && more.AZP != p.cfg.ClientID, len(id.Audience) > 1 && more.AZP == "":
		return c, refused("the ID token was issued to another client")
	case id.Subject == "" || len(id.Subject) > 255:
		return c, refused("the ID token names nobody")
	case id.IssuedAt.After(now.Add(skew)), id.IssuedAt.Before(now.Add(-time.Hour)):
		return c, refused("the ID token is of another time")
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(tok.AccessToken); err != nil {
			return c, refused("the access token: %w", err)
		}
	}
	c.Subject, c.SID = id.Subject, more.SID
	if more.AuthTime != nil {
		c.AuthTime = time.Unix(int64(*more.AuthTime), 0).UTC()
	}
	return c, nil
}

// ask adds the claims of the userinfo endpoint to those of the ID token, which win.
func (c *Claims) ask(ctx context.Context, f *found, tok *oauth2.Token) error {
	info, err := f.UserInfo(ctx, oauth2.StaticTokenSource(tok))
	if err != nil {
		return errors.Join(ErrDown, errors.New("ask for user information"))
	}
	if info.Subject != c.Subject {
		return refused("the user information is of somebody else")
	}
	all := map[string]any{}
	if err := info.Claims(&all); err != nil {
		return refused("the user information: %w", err)
	}
	for name, v := range all {
		if _, known := c.all[name]; !known {
			c.all[name] = v
		}
	}
	return nil
}

// Text gives a claim that is a text, or "".
func (c Claims) Text(name string) string {
	s, _ := c.all[name].(string)
	return s
}

// Groups gives the values of a claim that lists texts. Of one that lists
// objects, each value is their parts, joined by a space.
func (c Claims) Groups(name string, parts []string) []string {
	values, ok := c.all[name].([]any)
	if !ok {
		values = []any{c.all[name]}
	}
	var out []string
	for _, v := range values {
		switch v := v.(type) {
		case string:
			if len(parts) == 0 {
				out = append(out, v)
			}
		case map[string]any:
			if text, whole := join(v, parts); whole {
				out = append(out, text)
			}
		}
	}
	return out
}

func join(v map[string]any, parts []string) (string, bool) {
	out := ""
	for i, name := range parts {
		s, ok := v[name].(string)
		if !ok {
			return "", false
		}
		if i > 0 {
			out += " "
		}
		out += s
	}
	return out, out != ""
}

// Has reports whether a claim named in any has one of the values that are named
// with it: {"amr": {"mfa"}} asks whether two factors were.
func (c Claims) Has(any map[string][]string) bool {
	for name, values := range any {
		for _, v := range c.Groups(name, nil) {
			if slices.Contains(values, v) {
				return true
			}
		}
	}
	return false
}
