package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/retention"
)

// Schedule is the retention schedule that counts.
type Schedule struct {
	Version      int64                  `json:"version"`
	Jurisdiction retention.Jurisdiction `json:"jurisdiction,omitempty"`
	Edition      string                 `json:"edition,omitempty"`
	Source       string                 `json:"source,omitempty"`
	AppliedAt    *time.Time             `json:"applied_at,omitempty"`
	Rules        []Rule                 `json:"rules"`
	Offered      string                 `json:"offered_edition,omitempty"`
}

// Rule is one class's period.
type Rule struct {
	retention.Rule
	Hash        string     `json:"rule"`
	ConfirmedAt *time.Time `json:"confirmed_at,omitempty"`
}

func (s *Server) showSchedule(c *gin.Context) {
	v, err := s.Records.Schedule(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	a := v.Applied
	out := Schedule{Version: a.Version, Jurisdiction: a.Schedule.Jurisdiction, Edition: a.Schedule.Edition, Source: a.Schedule.Source, AppliedAt: at(a.AppliedAt), Rules: []Rule{}}
	for _, r := range v.Rules {
		rule := Rule{Rule: r.Rule, Hash: r.Hash()}
		if r.Confirmed != nil {
			rule.ConfirmedAt = &r.Confirmed.At
		}
		out.Rules = append(out.Rules, rule)
	}
	if v.Offered != nil {
		out.Offered = v.Offered.Edition
	}
	c.JSON(http.StatusOK, out)
}

func (s *Server) confirmRule(c *gin.Context) {
	var in struct {
		Class retention.Class `json:"class"`
		Rule  string          `json:"rule"`
	}
	if s.read(c, &in) {
		done(c, s.Records.Confirm(c.Request.Context(), principal(c), in.Class, in.Rule))
	}
}

func (s *Server) simulateSchedule(c *gin.Context) {
	v, err := s.Records.Simulate(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, v)
}

func (s *Server) applySchedule(c *gin.Context) {
	var in struct {
		Version int64 `json:"version"`
	}
	if s.read(c, &in) {
		done(c, s.Records.Apply(c.Request.Context(), principal(c), in.Version))
	}
}
