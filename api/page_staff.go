package api

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/internal/words"
)

type staffView struct {
	People []Person
	Teams  []Team
	Roles  []access.Role
	Typed  map[string]string
	Self   access.PersonID
}

// staffDone says what was done; the address carries only its name.
var staffDone = map[string]words.Text{
	"person": "The person is added and can sign in.", "suspend": "The person is suspended. Sessions, tokens and links ended with it.",
	"restore": "The suspension is lifted.", "unlock": "The account is unlocked.", "reset": "The second steps are removed. Sessions and tokens ended with them; the password stays.", "team": "The team is added.",
	"join": "The person is in the team now.", "leave": "The person is out of the team now.",
}

func (s *Server) staffPage(c *gin.Context) { s.staff(c, http.StatusOK, map[string]string{}, nil) }

func (s *Server) staff(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	who := principal(c)
	if access.Decide(who, access.ManagePeople, 0) != access.Allow {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role does not manage people and teams."))
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	delete(typed, "password")
	render(c, status, "staff", ui.Page{Title: "People and teams", Wide: true, Problem: problem, Notice: staffDone[c.Query("done")],
		Data: staffView{people, teams, access.Roles(), typed, who.Person.ID}})
}

// changed goes on after a change, or shows the page with what was wrong.
func (s *Server) changed(c *gin.Context, f url.Values, done string, err error) {
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/staff?done="+done)
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Conflict):
		s.staff(c, logged500(c, err), typedIn(f), problemOf(err))
	default:
		failPage(c, err)
	}
}

func (s *Server) addPersonForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	n := signin.Newcomer{Username: f.Get("username"), Name: f.Get("name"), Role: access.Role(f.Get("role")), Password: f.Get("password")}
	for _, t := range f["teams"] {
		n.Teams = append(n.Teams, access.TeamID(t))
	}
	_, err := s.Staff.Add(c.Request.Context(), principal(c), n)
	s.changed(c, f, "person", err)
}

func (s *Server) changePersonForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	ctx, who, id := c.Request.Context(), principal(c), access.PersonID(c.Param("id"))
	do := f.Get("do")
	var err error
	switch do {
	case "suspend", "restore":
		err = s.Staff.Suspend(ctx, who, id, do == "suspend")
	case "unlock":
		err = s.Staff.Unlock(ctx, who, id)
	case "reset":
		err = s.Staff.ResetFactors(ctx, who, id)
	default:
		err = fault.New(fault.Invalid, "form-wrong", "This form did not arrive whole. Try again.")
	}
	s.changed(c, f, do, err)
}

func (s *Server) addTeamForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	_, err := s.Staff.AddTeam(c.Request.Context(), principal(c), f.Get("team_name"))
	if e := fault.From(err); err != nil && e.Field == "name" {
		err = e.In("title") // "name" is a person's on this page
	}
	s.changed(c, f, "team", err)
}

func (s *Server) memberForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	ctx, who, team, person := c.Request.Context(), principal(c), access.TeamID(f.Get("team")), access.PersonID(f.Get("person"))
	var err error
	switch f.Get("do") {
	case "join":
		err = s.Staff.Join(ctx, who, team, person)
	case "leave":
		err = s.Staff.Leave(ctx, who, team, person)
	default:
		err = fault.New(fault.Invalid, "form-wrong", "This form did not arrive whole. Try again.")
	}
	s.changed(c, f, f.Get("do"), err)
}
