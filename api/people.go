package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/signin"
)

func (s *Server) listPeople(c *gin.Context) {
	who := principal(c)
	people, err := s.Staff.People(c.Request.Context(), who)
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Person, 0, len(people))
	manages := access.Decide(who, access.ManagePeople, 0) == access.Allow
	for _, p := range people {
		v := Person{ID: p.ID, Name: p.Name, Role: p.Role, Suspended: p.Suspended}
		if manages {
			v.Username = p.Username
		} else if p.Suspended {
			continue
		}
		out = append(out, v)
	}
	c.JSON(http.StatusOK, gin.H{"people": out})
}

func (s *Server) addPerson(c *gin.Context) {
	var in struct {
		Username string          `json:"username"`
		Name     string          `json:"name"`
		Role     access.Role     `json:"role"`
		Email    string          `json:"email"`
		Password *string         `json:"password"` // absent: they choose one with a ticket
		Teams    []access.TeamID `json:"teams"`
	}
	if !s.read(c, &in) {
		return
	}
	n := signin.Newcomer{Username: in.Username, Name: in.Name, Role: in.Role, Email: in.Email, Teams: in.Teams}
	var p access.Person
	var t *Ticket
	var err error
	if in.Password != nil {
		n.Password = *in.Password
		p, err = s.Staff.Add(c.Request.Context(), principal(c), n)
	} else {
		var h signin.Handed
		p, h, err = s.Tickets.Invite(c.Request.Context(), principal(c), n)
		t = ticketOf(h)
	}
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, struct {
		Person
		Ticket *Ticket `json:"ticket,omitempty"`
	}{Person{ID: p.ID, Username: p.Username, Name: p.Name, Role: p.Role}, t})
}

// Ticket is a one-time address at which somebody chooses a password. URL is
// absent when it went to them by mail.
type Ticket struct {
	URL       string     `json:"url,omitempty"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func ticketOf(h signin.Handed) *Ticket { return &Ticket{h.URL, at(h.Until)} }

func (s *Server) makeTicket(c *gin.Context) {
	h, err := s.Tickets.Make(c.Request.Context(), principal(c), access.PersonID(c.Param("id")), c.Query("show") == "yes")
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, ticketOf(h))
}

func (s *Server) useTicket(c *gin.Context) {
	var in struct {
		Secret   string `json:"secret"`
		Password string `json:"password"`
	}
	if !s.read(c, &in) {
		return
	}
	s.done(c, s.Tickets.Use(c.Request.Context(), in.Secret, in.Password, requestID(c)))
}

func (s *Server) changePerson(c *gin.Context) {
	var in struct {
		Name string      `json:"name"`
		Role access.Role `json:"role"`
	}
	if !s.read(c, &in) {
		return
	}
	s.done(c, s.Staff.Change(c.Request.Context(), principal(c), access.PersonID(c.Param("id")), in.Name, in.Role))
}

func (s *Server) suspend(suspended bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		s.done(c, s.Staff.Suspend(c.Request.Context(), principal(c), access.PersonID(c.Param("id")), suspended))
	}
}

func (s *Server) unlock(c *gin.Context) {
	s.done(c, s.Staff.Unlock(c.Request.Context(), principal(c), access.PersonID(c.Param("id"))))
}

// done answers a change that has nothing to tell but that it was made.
func (s *Server) done(c *gin.Context, err error) {
	if err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// Team is one team.
type Team struct {
	ID   access.TeamID `json:"id"`
	Name string        `json:"name"`
	Mine bool          `json:"mine"` // whether who asks is in it
}

func (s *Server) listTeams(c *gin.Context) {
	who := principal(c)
	teams, err := s.Staff.Teams(c.Request.Context(), who)
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Team, 0, len(teams))
	for _, t := range teams {
		out = append(out, Team{t.ID, t.Name, who.In(t.ID)})
	}
	c.JSON(http.StatusOK, gin.H{"teams": out})
}

func (s *Server) addTeam(c *gin.Context) {
	var in struct {
		Name string `json:"name"`
	}
	if !s.read(c, &in) {
		return
	}
	t, err := s.Staff.AddTeam(c.Request.Context(), principal(c), in.Name)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, Team{ID: t.ID, Name: t.Name})
}

func (s *Server) joinTeam(c *gin.Context) {
	s.done(c, s.Staff.Join(c.Request.Context(), principal(c), access.TeamID(c.Param("id")), access.PersonID(c.Param("person"))))
}

func (s *Server) leaveTeam(c *gin.Context) {
	s.done(c, s.Staff.Leave(c.Request.Context(), principal(c), access.TeamID(c.Param("id")), access.PersonID(c.Param("person"))))
}
