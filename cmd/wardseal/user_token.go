package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/storage/meta"
)

// userTokenCmd looks after the API tokens of programs, which have no screen to
// make one at.
type userTokenCmd struct {
	Make   tokenMakeCmd   `cmd:"" help:"Make a token. It is printed this once, and alone, on standard output."`
	List   tokenListCmd   `cmd:"" help:"List the tokens of an account that are live."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token: it ends at once."`
}

type tokenMakeCmd struct {
	Username string         `arg:"" help:"Whose account. The token does never more than this person may."`
	Name     string         `required:"" help:"What it is for, to tell it from others."`
	Scope    []access.Scope `required:"" help:"What it may do: items.read, items.send, referrals, records, audit.read, status.read."`
	For      time.Duration  `default:"720h" help:"How long it lives, at most 8760h (365 days; default 30 days)."`
}

func (c *tokenMakeCmd) Run(ctx context.Context, u *userCmd, k *kong.Context, out io.Writer) error {
	db, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := person(ctx, db, c.Username)
	if err != nil {
		return err
	}
	own, err := signin.NewAccount(db, nil, signin.Passwords{}) // nothing here asks for proof or sets a password
	if err != nil {
		return err
	}
	secret, t, err := own.MintFor(ctx, p, c.Name, c.Scope, c.For)
	if err != nil {
		return err
	}
	fmt.Fprintf(k.Stderr, "token %s of %s (%s), for %s; it is not shown again:\n", t.ID, p.Username, access.JoinScopes(t.Scopes), c.For)
	_, err = fmt.Fprintln(out, secret.Reveal())
	return err
}

// tokens are the live tokens of an account.
func tokens(ctx context.Context, db *meta.Store, p meta.Person) ([]meta.Session, error) {
	all, err := db.SessionsOf(ctx, p.ID)
	return slices.DeleteFunc(all, func(s meta.Session) bool { return s.Kind != meta.KindToken }), err
}

type tokenListCmd struct {
	Username string `arg:"" help:"Whose account."`
}

func (c *tokenListCmd) Run(ctx context.Context, u *userCmd, out io.Writer) error {
	db, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := person(ctx, db, c.Username)
	if err != nil {
		return err
	}
	all, err := tokens(ctx, db, p)
	if err != nil {
		return err
	}
	for _, t := range all {
		fmt.Fprintf(out, "%s  until %s  last used %s  %-24s %s\n", t.ID, t.ExpiresAt.UTC().Format("2006-01-02"), t.LastSeenAt.UTC().Format("2006-01-02"), strings.Join(strings.Fields(t.Name), " "), access.JoinScopes(t.Scopes))
	}
	return nil
}

type tokenRevokeCmd struct {
	Username string           `arg:"" help:"Whose account."`
	Token    access.SessionID `arg:"" help:"Which token: its identifier, as list prints it. The token itself is not needed."`
}

func (c *tokenRevokeCmd) Run(ctx context.Context, u *userCmd, out io.Writer) error {
	db, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := person(ctx, db, c.Username)
	if err != nil {
		return err
	}
	all, err := tokens(ctx, db, p)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(t meta.Session) bool { return t.ID == c.Token }) {
		return fmt.Errorf("%s has no live token of this identifier", p.Username)
	}
	ev := audit.NewEvent(audit.TokenRevoked, access.Principal{}, audit.Subject{Token: string(c.Token), Person: string(p.ID)}).With("by", "command-line")
	if err := db.EndSession(ctx, c.Token, ev); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: done\n", c.Token)
	return nil
}
