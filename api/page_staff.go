package api

import (
	"net/http"
	"net/url"
	"strings"

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
	Mails  bool
}

// staffDone says what was done; the address carries only its name.
var staffDone = map[string]words.Text{
	"person": "The person is added and can sign in. They choose a password of their own first.", "invited": "The person is added, and a mail to choose a password is on its way to them.", "ticket": "A mail to choose a new password is on its way to them. Their present one is good until they do.",
	"suspend": "The person is suspended. Sessions, tokens and links ended with it.",
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
		Data: staffView{people, teams, access.Roles(), typed, who.Person.ID, s.cfg.Mails}})
}

// changed goes on after a change, or shows the page with what was wrong.
func (s *Server) changed(c *gin.Context, f url.Values, done string, err error) {
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/staff?done="+done)
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Conflict), fault.From(err).Code == "mail-down":
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
	n := signin.Newcomer{Username: f.Get("username"), Name: f.Get("name"), Role: access.Role(f.Get("role")), Email: strings.TrimSpace(f.Get("email")), Password: f.Get("password")}
	for _, t := range f["teams"] {
		n.Teams = append(n.Teams, access.TeamID(t))
	}
	if n.Password != "" {
		_, err := s.Staff.Add(c.Request.Context(), principal(c), n)
		s.changed(c, f, "person", err)
		return
	}
	p, h, err := s.Tickets.Invite(c.Request.Context(), principal(c), n)
	s.handed(c, f, words.Data(p.Name), "invited", h, err)
}

func (s *Server) makeTicketForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	ctx, who, id := c.Request.Context(), principal(c), access.PersonID(c.Param("id"))
	h, err := s.Tickets.Make(ctx, who, id, f.Get("do") == "show")
	if err != nil {
		s.changed(c, f, "", err)
		return
	}
	people, _, err := s.names(c)
	s.handed(c, f, personName(people, id), "ticket", h, err)
}

// handed shows a ticket this once, unless it was mailed.
func (s *Server) handed(c *gin.Context, f url.Values, name words.Text, done string, h signin.Handed, err error) {
	if err != nil || h.URL == "" {
		s.changed(c, f, done, err)
		return
	}
	render(c, http.StatusOK, "ticket", ui.Page{Title: "An address to hand over", Data: map[string]any{"Name": name, "URL": h.URL, "Until": h.Until}})
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
