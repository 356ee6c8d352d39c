package api

import (
	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/words"
)

// teams gives one's own teams, and all of them.
func (s *Server) teams(c *gin.Context) (mine, all []Team, err error) {
	who := principal(c)
	teams, err := s.Staff.Teams(c.Request.Context(), who)
	for _, t := range teams {
		v := Team{t.ID, t.Name, who.In(t.ID)}
		all = append(all, v)
		if v.Mine {
			mine = append(mine, v)
		}
	}
	return mine, all, err
}

func teamName(all []Team, id access.TeamID) words.Text {
	for _, t := range all {
		if t.ID == id {
			return words.Data(t.Name)
		}
	}
	return "a former team"
}

// colleagues lists the staff, suspended or not.
func (s *Server) colleagues(c *gin.Context) ([]Person, error) {
	people, err := s.Staff.People(c.Request.Context(), principal(c))
	var out []Person
	for _, p := range people {
		out = append(out, Person{ID: p.ID, Username: p.Username, Name: p.Name, Role: p.Role, Suspended: p.Suspended})
	}
	return out, err
}

// names gives the people and the teams that a page names.
func (s *Server) names(c *gin.Context) ([]Person, []Team, error) {
	people, err := s.colleagues(c)
	if err != nil {
		return nil, nil, err
	}
	_, teams, err := s.teams(c)
	return people, teams, err
}

func personName(all []Person, id access.PersonID) words.Text {
	for _, p := range all {
		if p.ID == id {
			return words.Data(p.Name)
		}
	}
	return "somebody who has left"
}

// nameOf is the name of somebody, or nothing where nobody is meant.
func nameOf(all []Person, id access.PersonID) words.Text {
	if id == "" {
		return ""
	}
	return personName(all, id)
}

func roleName(r access.Role) words.Text { return ui.Role(string(r)) }
