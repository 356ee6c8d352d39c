package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/storage/meta"
)

// userCmd administers staff from the command line: the first administrator
// cannot come in by the door.
type userCmd struct {
	Data         string           `placeholder:"DIR" type:"path" env:"WARDSEAL_DATA" help:"The data folder."`
	Database     config.Database  `embed:"" prefix:"database-"`
	Passwords    config.Passwords `embed:"" prefix:"passwords-"`
	Organisation string           `env:"WARDSEAL_ORGANISATION" help:"The organisation's name: a password has to be more than it."`

	Add     userAddCmd  `cmd:"" help:"Add a member of staff. The password is read from standard input; they choose their own when they first sign in."`
	List    userListCmd `cmd:"" help:"List the members of staff."`
	Unlock  userOneCmd  `cmd:"" help:"Unlock an account."`
	Suspend userOneCmd  `cmd:"" help:"Suspend an account: sessions, tokens and links end at once."`
	Restore userOneCmd  `cmd:"" help:"Lift a suspension."`
	Reset   userOneCmd  `cmd:"" name:"reset-factors" help:"Remove all second steps of an account whose owner lost them; sessions and tokens end."`

	Password userPasswordCmd `cmd:"" name:"reset-password" help:"Print a one-time address at which somebody chooses a password. Whoever has it can; give it to them alone."`
	Token    userTokenCmd    `cmd:"" help:"Make, list and revoke the API tokens of an account that a program uses."`
}

// staff is the administration of people over an open database.
func (u *userCmd) staff(db *meta.Store, firstFor time.Duration) (*signin.Staff, signin.Passwords, error) {
	passwords, err := u.Passwords.Open(u.Organisation)
	return signin.NewStaff(db, db, passwords, firstFor), passwords, err
}

// person finds somebody by what they sign in with.
func person(ctx context.Context, db *meta.Store, username string) (meta.Person, error) {
	p, err := db.PersonByUsername(ctx, strings.ToLower(username))
	if err != nil {
		err = fmt.Errorf("find %s: %w", username, err)
	}
	return p, err
}

// open opens the database alone: no keys are needed to administer people.
func (u *userCmd) open(ctx context.Context) (*meta.Store, error) {
	cfg := config.Default(u.Data)
	cfg.Database = u.Database
	if u.Data == "" && u.Database.Driver == "sqlite" {
		return nil, errors.New("--data is missing: say which data folder")
	}
	return config.OpenDatabase(ctx, cfg)
}

type userAddCmd struct {
	Username string      `arg:"" help:"What the person signs in with."`
	Name     string      `required:"" help:"As colleagues know the person."`
	Role     access.Role `required:"" help:"clinician, consultant, records-officer, auditor or administrator."`
	Team     []string    `help:"Teams to join, by name; a team that does not exist is added."`

	OwnPassword bool          `help:"The person types the password themselves, here and now: it need not be changed."`
	FirstFor    time.Duration `name:"first-password-for" default:"72h" env:"WARDSEAL_FIRST_PASSWORD_FOR" help:"Otherwise it is good this long, and for choosing their own."`
}

func (c *userAddCmd) Run(ctx context.Context, u *userCmd, out io.Writer) error {
	db, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	fmt.Fprintln(out, "Password (at least 12 characters), then Enter:")
	password, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	desk, _, err := u.staff(db, c.FirstFor)
	if err != nil {
		return err
	}
	n := signin.Newcomer{Username: c.Username, Name: c.Name, Role: c.Role, Password: strings.TrimRight(password, "\r\n"), Own: c.OwnPassword}
	for _, name := range c.Team {
		id, err := team(ctx, db, desk, name)
		if err != nil {
			return err
		}
		n.Teams = append(n.Teams, id)
	}
	p, err := desk.AddFirst(ctx, n)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "added %s (%s)\n", p.Username, p.Role)
	return nil
}

func team(ctx context.Context, db *meta.Store, desk *signin.Staff, name string) (access.TeamID, error) {
	teams, err := db.Teams(ctx)
	if err != nil {
		return "", err
	}
	for _, t := range teams {
		if strings.EqualFold(t.Name, name) {
			return t.ID, nil
		}
	}
	t, err := desk.AddFirstTeam(ctx, name)
	return t.ID, err
}

type userListCmd struct{}

func (userListCmd) Run(ctx context.Context, u *userCmd, out io.Writer) error {
	db, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	people, err := db.People(ctx)
	if err != nil {
		return err
	}
	for _, p := range people {
		state := "active"
		switch {
		case p.Suspended:
			state = "suspended"
		case !p.LockedUntil.IsZero():
			state = "locked until " + p.LockedUntil.UTC().Format("15:04:05 MST")
		case !p.FirstUntil.IsZero():
			state = "first password, until " + p.FirstUntil.UTC().Format("2006-01-02 15:04 MST")
		}
		fmt.Fprintf(out, "%-24s %-16s %-10s %s\n", p.Username, p.Role, state, p.Name)
	}
	return nil
}

type userOneCmd struct {
	Username string `arg:"" help:"Whose account."`
}

func (c *userOneCmd) Run(ctx context.Context, u *userCmd, k *kong.Context, out io.Writer) error {
	db, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := person(ctx, db, c.Username)
	if err != nil {
		return err
	}
	event := func(t audit.Type) audit.Event {
		return audit.NewEvent(t, access.Principal{}, audit.Subject{Person: string(p.ID)}).With("by", "command-line")
	}
	switch k.Selected().Name {
	case "unlock":
		err = db.Unlock(ctx, p.ID, event(audit.PersonUnlocked))
	case "suspend":
		err = db.SetSuspended(ctx, p.ID, true, event(audit.PersonSuspended))
	case "restore":
		err = db.SetSuspended(ctx, p.ID, false, event(audit.PersonRestored))
	case "reset-factors":
		err = db.ResetFactors(ctx, p.ID, event(audit.FactorsReset))
	default:
		err = fmt.Errorf("no such command: %s", k.Selected().Name)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: done\n", c.Username)
	return nil
}

type userPasswordCmd struct {
	Username  string        `arg:"" help:"Whose account."`
	PublicURL string        `required:"" env:"WARDSEAL_PUBLIC_URL" help:"How people reach the server; the address starts with it."`
	For       time.Duration `name:"password-ticket-for" default:"24h" env:"WARDSEAL_PASSWORD_TICKET_FOR" help:"How long the address is good."`
}

func (c *userPasswordCmd) Run(ctx context.Context, u *userCmd, k *kong.Context, out io.Writer) error {
	db, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := person(ctx, db, c.Username)
	if err != nil {
		return err
	}
	desk, passwords, err := u.staff(db, 0)
	if err != nil {
		return err
	}
	t := signin.Tickets{Store: db, Staff: desk, Passwords: passwords, For: c.For, Site: func() string { return strings.TrimSuffix(c.PublicURL, "/") }}
	h, err := t.Reset(ctx, p.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(k.Stderr, "For %s alone, once, until %s:\n", p.Username, h.Until.UTC().Format("2 January 2006, 15:04 MST"))
	fmt.Fprintln(out, h.URL)
	return nil
}
