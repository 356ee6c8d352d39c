package signin

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/mail"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// PeopleStore is what the administration of people needs of the database.
type PeopleStore interface {
	AddPerson(ctx context.Context, p meta.Person, ev audit.Event) error
	People(ctx context.Context) ([]meta.Person, error)
	ChangePerson(ctx context.Context, id access.PersonID, name string, role access.Role, ev audit.Event) error
	SetSuspended(ctx context.Context, id access.PersonID, suspended bool, ev audit.Event) error
	Unlock(ctx context.Context, id access.PersonID, ev audit.Event) error
	ResetFactors(ctx context.Context, id access.PersonID, ev audit.Event) error
}

// TeamStore is what the administration of teams needs of the database.
type TeamStore interface {
	AddTeam(ctx context.Context, t meta.Team, ev audit.Event) error
	Teams(ctx context.Context) ([]meta.Team, error)
	Join(ctx context.Context, t access.TeamID, p access.PersonID, ev audit.Event) error
	Leave(ctx context.Context, t access.TeamID, p access.PersonID, ev audit.Event) error
	AppendEvent(ctx context.Context, ev audit.Event) error
}

// Staff administers people and teams.
type Staff struct {
	people    PeopleStore
	teams     TeamStore
	passwords Passwords
	firstFor  time.Duration
}

// NewStaff makes a Staff. A password that it gives somebody is good for
// firstFor, and for choosing another.
func NewStaff(people PeopleStore, teams TeamStore, passwords Passwords, firstFor time.Duration) *Staff {
	return &Staff{people, teams, passwords, firstFor}
}

// allow decides an action that concerns no item, and records a refusal.
func (s *Staff) allow(ctx context.Context, who access.Principal, a access.Action) error {
	d := access.Decide(who, a, 0)
	if d == access.Allow {
		return nil
	}
	if who.SignedIn() {
		if err := s.teams.AppendEvent(ctx, audit.NewEvent(audit.AccessDenied, who, audit.Subject{}).With("action", string(a))); err != nil {
			return down(fmt.Errorf("record a refusal: %w", err))
		}
	}
	return denied(d)
}

var usernameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{1,99}$`)

// Newcomer is a member of staff to add.
type Newcomer struct {
	Username, Name, Password string
	Own                      bool   // they chose the password themselves
	Email                    string // may be empty
	Role                     access.Role
	Teams                    []access.TeamID
}

// Add adds a member of staff. who must be an administrator; the zero
// Principal is refused like anybody else, so set-up uses AddFirst.
func (s *Staff) Add(ctx context.Context, who access.Principal, n Newcomer) (access.Person, error) {
	if err := s.allow(ctx, who, access.ManagePeople); err != nil {
		return access.Person{}, err
	}
	return s.add(ctx, who, n, true)
}

// AddFirst adds a member of staff from the command line, where whoever may run
// it holds the keys anyway. The event has no actor and says so.
func (s *Staff) AddFirst(ctx context.Context, n Newcomer) (access.Person, error) {
	return s.add(ctx, access.Principal{}, n, true)
}

// add adds a member of staff, with a password or without.
func (s *Staff) add(ctx context.Context, who access.Principal, n Newcomer, password bool) (access.Person, error) {
	n.Email = strings.TrimSpace(n.Email)
	p := access.Person{ID: access.NewPersonID(), Username: strings.ToLower(strings.TrimSpace(n.Username)), Name: words.Plain(n.Name), Role: n.Role}
	switch {
	case !usernameForm.MatchString(p.Username):
		return p, fault.New(fault.Invalid, "username-form", "A username has 2 to 100 letters, digits, dots, hyphens, underscores or @, and starts with a letter or digit.").In("username")
	case p.Name == "" || utf8.RuneCountInString(p.Name) > 200:
		return p, fault.New(fault.Invalid, "name-missing", "Enter the person's name as colleagues know it.").In("name")
	case !p.Role.Valid():
		return p, badRole()
	case n.Email != "" && !mail.Address(n.Email):
		return p, errEmail
	}
	row := meta.Person{Person: p, Email: n.Email}
	if password {
		var err error
		if row.PasswordHash, err = s.passwords.Hash(p, n.Password); err != nil {
			return p, err
		}
		if !n.Own {
			row.FirstFor = s.firstFor
		}
	}
	ev := audit.NewEvent(audit.PersonAdded, who, audit.Subject{Person: string(p.ID)}).With("role", string(p.Role))
	if who.Person.ID == "" {
		ev = ev.With("by", "command-line")
	}
	switch err := s.people.AddPerson(ctx, row, ev); {
	case errors.Is(err, meta.ErrExists):
		return p, fault.New(fault.Conflict, "username-taken", "Somebody already has this username. Choose another.").In("username")
	case err != nil:
		return p, down(fmt.Errorf("add the person: %w", err))
	}
	for _, t := range n.Teams {
		if err := s.join(ctx, who, t, p.ID); err != nil {
			return p, err
		}
	}
	return p, nil
}

func badRole() error {
	return fault.New(fault.Invalid, "role-unknown", "The role must be clinician, consultant, records-officer, auditor or administrator.").In("role")
}

// People lists everybody, for addressing links (names and roles) and for
// administration.
func (s *Staff) People(ctx context.Context, who access.Principal) ([]meta.Person, error) {
	if err := s.allow(ctx, who, access.ListPeople); err != nil {
		return nil, err
	}
	people, err := s.people.People(ctx)
	return people, down(err)
}

// Change gives a person another name or role. A change of role ends their
// sessions and tokens.
func (s *Staff) Change(ctx context.Context, who access.Principal, id access.PersonID, name string, role access.Role) error {
	if err := s.allow(ctx, who, access.ManagePeople); err != nil {
		return err
	}
	if name = words.Plain(name); name == "" || utf8.RuneCountInString(name) > 200 {
		return fault.New(fault.Invalid, "name-missing", "Enter the person's name as colleagues know it.").In("name")
	}
	if !role.Valid() {
		return badRole()
	}
	if id == who.Person.ID && role != who.Person.Role {
		return fault.New(fault.Conflict, "own-role", "You cannot change your own role. Ask another administrator.").In("role")
	}
	ev := audit.NewEvent(audit.PersonChanged, who, audit.Subject{Person: string(id)}).With("role", string(role))
	return unknownPerson(s.people.ChangePerson(ctx, id, name, role, ev))
}

// Suspend shuts a person out, from their next request on: sessions, tokens and
// links die with it. Restoring brings back none of them.
func (s *Staff) Suspend(ctx context.Context, who access.Principal, id access.PersonID, suspended bool) error {
	if err := s.allow(ctx, who, access.ManagePeople); err != nil {
		return err
	}
	if id == who.Person.ID {
		return fault.New(fault.Conflict, "own-account", "You cannot suspend yourself. Ask another administrator.")
	}
	t := audit.PersonSuspended
	if !suspended {
		t = audit.PersonRestored
	}
	return unknownPerson(s.people.SetSuspended(ctx, id, suspended, audit.NewEvent(t, who, audit.Subject{Person: string(id)})))
}

// Unlock lifts the lock of too many failed sign-ins.
func (s *Staff) Unlock(ctx context.Context, who access.Principal, id access.PersonID) error {
	if err := s.allow(ctx, who, access.ManagePeople); err != nil {
		return err
	}
	return unknownPerson(s.people.Unlock(ctx, id, audit.NewEvent(audit.PersonUnlocked, who, audit.Subject{Person: string(id)})))
}

// ResetFactors removes all second factors of a person who has lost them, and
// ends their sessions and tokens. Their password stays.
func (s *Staff) ResetFactors(ctx context.Context, who access.Principal, id access.PersonID) error {
	if err := s.allow(ctx, who, access.ManagePeople); err != nil {
		return err
	}
	if id == who.Person.ID {
		return fault.New(fault.Conflict, "own-account", "You cannot reset your own second step. Ask another administrator.")
	}
	return unknownPerson(s.people.ResetFactors(ctx, id, audit.NewEvent(audit.FactorsReset, who, audit.Subject{Person: string(id)})))
}

// Watch decides whether who may see how the system is.
func (s *Staff) Watch(ctx context.Context, who access.Principal) error {
	return s.allow(ctx, who, access.WatchSystem)
}

func unknownPerson(err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.NotFound, "person-unknown", "There is no such member of staff.").With(err)
	}
	return down(err)
}

// Teams lists the teams.
func (s *Staff) Teams(ctx context.Context, who access.Principal) ([]meta.Team, error) {
	if err := s.allow(ctx, who, access.ListTeams); err != nil {
		return nil, err
	}
	teams, err := s.teams.Teams(ctx)
	return teams, down(err)
}

// AddTeam adds a team.
func (s *Staff) AddTeam(ctx context.Context, who access.Principal, name string) (meta.Team, error) {
	if err := s.allow(ctx, who, access.ManageTeams); err != nil {
		return meta.Team{}, err
	}
	return s.addTeam(ctx, who, name)
}

// AddFirstTeam adds a team from the command line; see AddFirst.
func (s *Staff) AddFirstTeam(ctx context.Context, name string) (meta.Team, error) {
	return s.addTeam(ctx, access.Principal{}, name)
}

func (s *Staff) addTeam(ctx context.Context, who access.Principal, name string) (meta.Team, error) {
	t := meta.Team{ID: access.NewTeamID(), Name: words.Plain(name)}
	if t.Name == "" || utf8.RuneCountInString(t.Name) > 100 {
		return t, fault.New(fault.Invalid, "team-name", "Give the team a name of 1 to 100 characters.").In("name")
	}
	switch err := s.teams.AddTeam(ctx, t, audit.NewEvent(audit.TeamAdded, who, audit.Subject{Team: string(t.ID)})); {
	case errors.Is(err, meta.ErrExists):
		return t, fault.New(fault.Conflict, "team-taken", "There is a team of this name already.").In("name")
	case err != nil:
		return t, down(fmt.Errorf("add the team: %w", err))
	}
	return t, nil
}

// Join adds a person to a team; being in it already is no error.
func (s *Staff) Join(ctx context.Context, who access.Principal, t access.TeamID, p access.PersonID) error {
	if err := s.allow(ctx, who, access.ManageTeams); err != nil {
		return err
	}
	return s.join(ctx, who, t, p)
}

func (s *Staff) join(ctx context.Context, who access.Principal, t access.TeamID, p access.PersonID) error {
	err := s.teams.Join(ctx, t, p, audit.NewEvent(audit.TeamJoined, who, audit.Subject{Team: string(t), Person: string(p)}))
	return unknownMember(err)
}

// Leave takes a person out of a team.
func (s *Staff) Leave(ctx context.Context, who access.Principal, t access.TeamID, p access.PersonID) error {
	if err := s.allow(ctx, who, access.ManageTeams); err != nil {
		return err
	}
	err := s.teams.Leave(ctx, t, p, audit.NewEvent(audit.TeamLeft, who, audit.Subject{Team: string(t), Person: string(p)}))
	return unknownMember(err)
}

func unknownMember(err error) error {
	switch {
	case errors.Is(err, meta.ErrExists):
		return nil
	case errors.Is(err, meta.ErrNotFound):
		return fault.New(fault.NotFound, "team-or-person-unknown", "There is no such team or member of staff.").With(err)
	}
	return down(err)
}
