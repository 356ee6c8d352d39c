package api

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/transfer"
)

// reportDraft is the report as it was kept last, or filled in from the facts.
func reportDraft(i transfer.Case, n names) oversight.Draft {
	if i.Drafted {
		return i.Draft
	}
	return prefill(i, n)
}

func (s *Server) incidentReportPage(c *gin.Context) {
	i, n, err := s.caseOf(c)
	if err != nil {
		failPage(c, err)
		return
	}
	s.incidentReport(c, http.StatusOK, i, n, reportDraft(i, n), nil)
}

func (s *Server) incidentReport(c *gin.Context, status int, i transfer.Case, n names, d oversight.Draft, problem *ui.Problem) {
	p := ui.Page{Title: "Report of an incident", Problem: problem, Data: map[string]any{"V": s.deskView(i, n), "Fields": draftFields(d), "Fresh": draftFields(prefill(i, n))}}
	if c.Query("done") != "" {
		p.Notice = "The report is kept."
	}
	render(c, status, "incident-report", p)
}

func (s *Server) draftForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	d := oversight.Draft{Nature: f.Get("nature"), People: f.Get("people"), Records: f.Get("records"), Contact: f.Get("contact"), Consequences: f.Get("consequences"), Measures: f.Get("measures")}
	err := s.Desk.KeepDraft(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), d)
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/incidents/"+url.PathEscape(c.Param("id"))+"/report?done=yes")
	case fault.Is(err, fault.Invalid):
		i, n, shown := s.caseOf(c)
		if shown != nil {
			failPage(c, shown)
			return
		}
		s.incidentReport(c, logged500(c, err), i, n, d, problemOf(err))
	default:
		failPage(c, err)
	}
}

// plainReport is the report as text, to send on.
func (s *Server) plainReport(c *gin.Context) {
	i, n, err := s.caseOf(c)
	if err != nil {
		fail(c, err)
		return
	}
	s.sendReport(c, i, n, fail)
}

func (s *Server) plainReportPage(c *gin.Context) {
	i, n, err := s.caseOf(c)
	if err != nil {
		failPage(c, err)
		return
	}
	s.sendReport(c, i, n, failPage)
}

// sendReport sends it to who has just proved who they are: it leaves the house.
func (s *Server) sendReport(c *gin.Context, i transfer.Case, n names, fail func(*gin.Context, error)) {
	if err := s.Door.SteppedUp(c.Request.Context(), principal(c)); err != nil {
		fail(c, err)
		return
	}
	c.Header("Content-Disposition", `attachment; filename="incident-report.txt"`)
	c.Data(http.StatusOK, "text/plain; charset=utf-8", []byte(reportText(i, reportDraft(i, n))))
}
