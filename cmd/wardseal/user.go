package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

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

	Add     userAddCmd  `cmd:"" help:"Add a member of staff. The password is read from standard input."`
	List    userListCmd `cmd:"" help:"List the members of staff."`
	Unlock  userOneCmd  `cmd:"" help:"Unlock an account."`
	Suspend userOneCmd  `cmd:"" help:"Suspend an account: sessions, tokens and links end at once."`
	Restore userOneCmd  `cmd:"" help:"Lift a suspension."`
	Reset   userOneCmd  `cmd:"" name:"reset-factors" help:"Remove all second steps of an account whose owner lost them; sessions and tokens end."`
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
	passwords, err := u.Passwords.Open(u.Organisation)
	if err != nil {
		return err
	}
	desk := signin.NewStaff(db, db, passwords)
	n := signin.Newcomer{Username: c.Username, Name: c.Name, Role: c.Role, Password: strings.TrimRight(password, "\r\n")}
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
	p, err := db.PersonByUsername(ctx, strings.ToLower(c.Username))
	if err != nil {
		return fmt.Errorf("find %s: %w", c.Username, err)
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
