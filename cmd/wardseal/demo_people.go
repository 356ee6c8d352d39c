package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/config"
	"github.com/wardseal/wardseal/internal/signin"
)

// staff are the demo's people, plainly fictitious.
var staff = []struct {
	username, name string
	role           access.Role
	team           bool
}{
	{"nurse", "Nadia Example (nurse)", access.Clinician, true},
	{"consultant", "Colin Sample (consultant)", access.Consultant, false},
	{"outsider", "Olive Specimen (nurse of another team)", access.Clinician, false},
	{"records", "Rory Placeholder (records officer)", access.RecordsOfficer, false},
	{"records2", "Rosa Dummy (second records officer)", access.RecordsOfficer, false},
	{"auditor", "Audrey Template (auditor)", access.Auditor, false},
	{"admin", "Adam Dummy (administrator)", access.Administrator, false},
}

// demoPassword is the same for everybody: it protects nothing but the demo.
const demoPassword = "three plain words"

// people adds the demo's staff, unless an earlier run in the same folder did.
func (s *show) people(ctx context.Context) error {
	desk := s.srv.system.Staff
	var taken bool
	t, err := desk.AddFirstTeam(ctx, "Tissue viability")
	if err != nil {
		taken = true
	}
	for _, p := range staff {
		n := signin.Newcomer{Username: p.username, Name: p.name, Role: p.role, Password: demoPassword, Own: true}
		if p.team && !taken {
			n.Teams = []access.TeamID{t.ID}
		}
		if _, err := desk.AddFirst(ctx, n); err != nil && !taken {
			return err
		}
	}
	s.nurse, s.consultant = &client{base: s.srv.url}, &client{base: s.srv.url}
	s.outsider, s.auditor = &client{base: s.srv.url}, &client{base: s.srv.url}
	for c, name := range map[*client]string{s.nurse: "nurse", s.consultant: "consultant", s.outsider: "outsider", s.auditor: "auditor"} {
		if err := c.signIn(ctx, name, demoPassword); err != nil {
			return err
		}
	}
	var people struct{ People []struct{ ID, Name string } }
	if err := s.nurse.json(ctx, http.MethodGet, "/api/v1/people", nil, &people, http.StatusOK); err != nil {
		return err
	}
	s.ids = map[string]access.PersonID{}
	for _, p := range people.People {
		for _, q := range staff {
			if q.name == p.Name {
				s.ids[q.username] = access.PersonID(p.ID)
			}
		}
	}
	var me struct{ Teams []access.TeamID }
	if err := s.nurse.json(ctx, http.MethodGet, "/api/v1/session", nil, &me, http.StatusOK); err != nil {
		return err
	}
	if len(me.Teams) == 0 {
		return errors.New("the nurse is in no team")
	}
	s.team = me.Teams[0]
	s.say("Keys, database and store are in %s; staff of every role can sign in.", s.data)
	return nil
}

func (s *show) signIns(cfg config.Config) {
	fmt.Fprintf(s.out, "\nOpen %s and sign in (the password of all of them is: %s)\n", s.srv.url, demoPassword)
	for _, p := range staff {
		fmt.Fprintf(s.out, "  %-11s %s\n", p.username, p.name)
	}
	fmt.Fprintf(s.out, "Metrics and health: http://%s/metrics /healthz /readyz\n", s.srv.operations)
}
