package api

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/referral"
)

type askView struct {
	Items   []row
	People  []Person
	Teams   []Team
	Typed   map[string]string
	Patient Patient
}

// askPage asks about several items at once.
func (s *Server) askPage(c *gin.Context) {
	s.ask(c, http.StatusOK, c.QueryArray("item"), map[string]string{}, nil)
}

func (s *Server) ask(c *gin.Context, status int, ids []string, typed map[string]string, problem *ui.Problem) {
	who := principal(c)
	if len(ids) == 0 || len(ids) > referral.MaxItems {
		failPage(c, fault.New(fault.Invalid, "items", "Choose the pictures to ask about first: open Pictures, find the patient, and tick them."))
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := askView{People: able(people, who), Teams: teams, Typed: typed}
	for _, id := range ids {
		it, err := s.Items.Describe(c.Request.Context(), who, media.ItemID(id))
		if err != nil {
			failPage(c, err)
			return
		}
		v.Patient = patient(*it.Patient)
		v.Items = append(v.Items, row{
			ID: it.ID, Patient: v.Patient, BodySite: it.BodySite, Team: teamName(teams, it.Team), Video: it.Format.Video(), FiledAt: it.FiledAt,
			Pictured: access.Decide(who, access.ShowItem, it.Relation) == access.Allow,
		})
	}
	render(c, status, "ask", ui.Page{Title: "Ask about pictures", Problem: problem, Data: v})
}

// able are the people who can be shown something.
func able(people []Person, who access.Principal) []Person {
	var out []Person
	for _, p := range people {
		if !p.Suspended && p.ID != who.Person.ID && (p.Role == access.Clinician || p.Role == access.Consultant) {
			out = append(out, p)
		}
	}
	return out
}

func (s *Server) askManyForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	var ids []media.ItemID
	for _, id := range f["item"] {
		ids = append(ids, media.ItemID(id))
	}
	kind, to, _ := strings.Cut(f.Get("to"), ":")
	v, err := s.Referrals.Ask(c.Request.Context(), principal(c), ids, link.Audience{Kind: link.AudienceKind(kind), ID: to}, f.Get("question"))
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/referrals/"+string(v.ID)+"?said=yes#latest")
	case fault.Is(err, fault.Invalid):
		s.ask(c, logged500(c, err), f["item"], map[string]string{"to": f.Get("to"), "question": f.Get("question")}, askProblem(err))
	default:
		failPage(c, err)
	}
}

// askProblem puts the message beside the field as the forms name it.
func askProblem(err error) *ui.Problem {
	p := problemOf(err)
	switch fault.From(err).Field {
	case "audience":
		p.Field = "to"
	case "text":
		p.Field = "question"
	}
	return p
}
