package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// ruleRow is a rule of a schedule.
type ruleRow struct {
	Class         retention.Class
	Hash          string
	Title, Period words.Text
	Source        string
	Longest       bool
	Verified      bool
	ConfirmedBy   words.Text
	ConfirmedAt   time.Time
}

// classCount is how many items of a class move.
type classCount struct {
	Class words.Text
	Items int
}

type scheduleView struct {
	Version   int64
	Title     words.Text
	Edition   string
	Source    string
	Automatic bool
	AppliedBy words.Text
	AppliedAt time.Time
	Rules     []ruleRow
	Unsure    int
	Offered   *retention.Schedule
	Fresh     []ruleRow // of the offered one
	Applies   bool
	Change    *records.Change
	Moves     int
	ByClass   []classCount
}

func (s *Server) schedulePage(c *gin.Context) { s.schedule(c, http.StatusOK, nil, nil) }

func (s *Server) schedule(c *gin.Context, status int, change *records.Change, problem *ui.Problem) {
	r, err := s.Records.Schedule(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	people, err := s.colleagues(c)
	if err != nil {
		failPage(c, err)
		return
	}
	a := r.Applied
	v := scheduleView{Version: a.Version, Title: words.Text(a.Schedule.Title), Edition: a.Schedule.Edition, Source: a.Schedule.Source, Automatic: a.Schedule.Automatic, AppliedBy: "the system, at its first start", AppliedAt: a.AppliedAt,
		Offered: r.Offered, Applies: may(c, access.ApplySchedule), Change: change}
	if a.AppliedBy != "" {
		v.AppliedBy = personName(people, a.AppliedBy)
	}
	for _, rule := range r.Rules {
		row := rowOf(rule.Rule)
		if rule.Confirmed != nil {
			row.ConfirmedBy, row.ConfirmedAt = personName(people, rule.Confirmed.By), rule.Confirmed.At
		}
		if !rule.Sure() {
			v.Unsure++
		}
		v.Rules = append(v.Rules, row)
	}
	if change != nil && r.Offered != nil {
		for _, class := range retention.Classes() {
			if n := change.ByClass[class]; n > 0 {
				v.ByClass = append(v.ByClass, classCount{classWords[class], n})
				v.Moves += n
			}
		}
		for _, rule := range r.Offered.Rules {
			v.Fresh = append(v.Fresh, rowOf(rule))
		}
	}
	render(c, status, "schedule", ui.Page{Title: "Retention schedule", Wide: true, Problem: problem, Notice: doneWords[c.Query("done")], Data: v})
}

func rowOf(r retention.Rule) ruleRow {
	return ruleRow{Class: r.Class, Hash: r.Hash(), Title: words.Text(r.Title), Period: r.Period(), Source: r.Source, Longest: r.Kind == retention.Maximum, Verified: r.Verified}
}

func (s *Server) scheduleProblem(c *gin.Context) func(int, *ui.Problem) {
	return func(status int, p *ui.Problem) { s.schedule(c, status, nil, p) }
}

func (s *Server) confirmRuleForm(c *gin.Context) {
	if f, ok := fields(c); ok {
		err := s.Records.Confirm(c.Request.Context(), principal(c), retention.Class(f.Get("class")), f.Get("rule"))
		went(c, err, "/schedule?done=confirm", s.scheduleProblem(c))
	}
}

// simulateForm shows what the offered schedule would change, and changes
// nothing.
func (s *Server) simulateForm(c *gin.Context) {
	change, err := s.Records.Simulate(c.Request.Context(), principal(c))
	switch {
	case err == nil:
		s.schedule(c, http.StatusOK, &change, nil)
	case correctable(err):
		s.schedule(c, logged500(c, err), nil, problemOf(err))
	default:
		failPage(c, err)
	}
}

func (s *Server) applyScheduleForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	version, err := strconv.ParseInt(f.Get("version"), 10, 64)
	if err != nil {
		version = -1 // no version is that one, so the flow refuses it
	}
	went(c, s.Records.Apply(c.Request.Context(), principal(c), version), "/schedule?done=apply", s.scheduleProblem(c))
}
