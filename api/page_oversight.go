package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/words"
)

// guided sends whoever has not read the guidance for staff to it first. It is
// a matter of telling people, not of access, so the JSON API does not ask.
func (s *Server) guided(c *gin.Context) {
	switch c.FullPath() {
	case "/guidance", "/sign-out", "/account", "/account/password", "/report":
		return
	}
	if principal(c).NoFactor || principal(c).FirstPassword {
		return // that comes first, and nothing else is open
	}
	read, err := s.Guidance.Read(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	if read || byScript(c) {
		return
	}
	to := url.Values{}
	if c.Request.Method == http.MethodGet {
		to.Set("next", c.Request.URL.RequestURI())
	}
	c.Redirect(http.StatusSeeOther, "/guidance?"+to.Encode())
	c.Abort()
}

func (s *Server) guidancePage(c *gin.Context) { s.guidance(c, http.StatusOK, nil) }

func (s *Server) guidance(c *gin.Context, status int, problem *ui.Problem) {
	read, err := s.Guidance.Read(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	p := ui.Page{Title: "Before you start", Problem: problem, Data: map[string]any{
		"Parts": s.Guidance.Parts(), "Version": s.Guidance.Version(), "Read": read, "Next": local(c.Query("next"))}}
	render(c, status, "guidance", p)
}

func (s *Server) guidanceForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	if err := s.Guidance.Acknowledge(c.Request.Context(), principal(c), f.Get("version")); err != nil {
		if fault.Is(err, fault.Conflict) {
			s.guidance(c, logged500(c, err), problemOf(err))
			return
		}
		failPage(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, local(f.Get("next")))
}

func (s *Server) reportPage(c *gin.Context) {
	s.report(c, http.StatusOK, map[string]string{"page": fromHere(c)}, nil)
}

// fromHere is the page of this site that somebody came from.
func fromHere(c *gin.Context) string {
	u, err := url.Parse(c.GetHeader("Referer"))
	if err != nil || u.Host != c.Request.Host {
		return ""
	}
	return u.Path
}

func (s *Server) report(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	p := ui.Page{Title: "Report a problem or breach", Problem: problem, Data: map[string]any{"Typed": typed, "Done": c.Query("done") != ""}}
	render(c, status, "report", p)
}

func (s *Server) reportForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	_, err := s.Oversight.Report(c.Request.Context(), principal(c), oversight.Kind(f.Get("kind")), f.Get("text"), f.Get("page"))
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/report?done=yes")
	case fault.Is(err, fault.Invalid):
		s.report(c, logged500(c, err), map[string]string{"kind": f.Get("kind"), "text": f.Get("text"), "page": f.Get("page")}, problemOf(err))
	default:
		failPage(c, err)
	}
}

// incidentRow and emergencyRow are lines of the page of what is to be reviewed.
type incidentRow struct {
	ID            oversight.ID
	Breach        bool
	By            words.Text
	Page          string
	Text, Outcome string
	At, NotifyBy  time.Time
	ClosedAt      time.Time
	ClosedBy      words.Text
	Opened        bool // it is looked into at the desk
	Clock         words.Text
	Colour        string // of what is looked into
}

type emergencyRow struct {
	ID              oversight.ID
	Who             words.Text
	Person          access.PersonID
	Patient         media.PatientID
	Reason, Finding string
	At, ExpiresAt   time.Time
	ReviewedAt      time.Time
	ReviewedBy      words.Text
}

func (s *Server) reviewPage(c *gin.Context) { s.review(c, http.StatusOK, nil) }

func (s *Server) review(c *gin.Context, status int, problem *ui.Problem) {
	ctx, who := c.Request.Context(), principal(c)
	incidents, err := s.Oversight.Incidents(ctx, who)
	if err != nil {
		failPage(c, err)
		return
	}
	emergencies, err := s.Oversight.Emergencies(ctx, who)
	if err != nil {
		failPage(c, err)
		return
	}
	people, err := s.colleagues(c)
	if err != nil {
		failPage(c, err)
		return
	}
	opened, err := s.Desk.List(ctx, who)
	if err != nil {
		failPage(c, err)
		return
	}
	cases := map[oversight.ID]oversight.Clock{}
	for _, o := range opened {
		cases[o.Incident] = o.Clock
	}
	var v struct {
		Incidents   []incidentRow
		Emergencies []emergencyRow
		Failed      string // the one that an error message is about
	}
	v.Failed = c.Param("id")
	for _, i := range incidents {
		row := incidentRow{ID: i.ID, Breach: i.Kind == oversight.Breach, By: personName(people, i.ReportedBy), Page: i.Page, Text: i.Text, Outcome: i.Outcome, At: i.At,
			NotifyBy: i.At.Add(oversight.NotifyWithin), ClosedAt: i.ClosedAt, ClosedBy: personName(people, i.ClosedBy)}
		if clock, ok := cases[i.ID]; ok {
			row.Opened = true
			row.Clock, row.Colour = clockWords(clock)
		}
		v.Incidents = append(v.Incidents, row)
	}
	for _, e := range emergencies {
		v.Emergencies = append(v.Emergencies, emergencyRow{e.ID, personName(people, e.Person), e.Person, e.Patient, e.Reason, e.Finding, e.At, e.ExpiresAt, e.ReviewedAt, personName(people, e.ReviewedBy)})
	}
	p := ui.Page{Title: "To review", Wide: true, Problem: problem, Data: v}
	if c.Query("done") != "" {
		p.Notice = "That is recorded."
	}
	render(c, status, "review", p)
}

// reviewed goes on after a review, or shows the page with what was wrong.
func (s *Server) reviewed(c *gin.Context, err error) {
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/review?done=yes")
	case fault.Is(err, fault.Invalid):
		p := problemOf(err)
		p.Field += "-" + c.Param("id")
		s.review(c, logged500(c, err), p)
	default:
		failPage(c, err)
	}
}

func (s *Server) closeForm(c *gin.Context) {
	if f, ok := fields(c); ok {
		s.reviewed(c, s.Oversight.Close(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), f.Get("outcome")))
	}
}

func (s *Server) findingForm(c *gin.Context) {
	if f, ok := fields(c); ok {
		s.reviewed(c, s.Oversight.Review(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), f.Get("finding")))
	}
}

// emergencyForm takes emergency access to a patient that was found.
func (s *Server) emergencyForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	patient := f.Get("patient")
	_, err := s.Oversight.Break(c.Request.Context(), principal(c), media.PatientID(patient), f.Get("reason"))
	to := url.Values{"patient": {patient}}
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/pictures?"+to.Encode())
	case fault.Is(err, fault.Invalid):
		c.Request.URL.RawQuery = to.Encode()
		s.pictures(c, logged500(c, err), map[string]string{"patient_number_kind": "nhs"}, problemOf(err))
	default:
		failPage(c, err)
	}
}

func (s *Server) emergencyEndForm(c *gin.Context) {
	if err := s.Oversight.End(c.Request.Context(), principal(c), oversight.ID(c.Param("id"))); err != nil && !fault.Is(err, fault.NotFound) {
		failPage(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}
