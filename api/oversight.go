package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/oversight"
)

// Incident is a report of a problem or a breach.
type Incident struct {
	ID         oversight.ID    `json:"id"`
	Kind       oversight.Kind  `json:"kind"`
	ReportedBy access.PersonID `json:"reported_by"`
	Page       string          `json:"page,omitempty"`
	Text       string          `json:"text"`
	At         time.Time       `json:"at"`
	NotifyBy   time.Time       `json:"notify_by"`
	ClosedAt   *time.Time      `json:"closed_at,omitempty"`
	ClosedBy   access.PersonID `json:"closed_by,omitempty"`
	Outcome    string          `json:"outcome,omitempty"`
}

func (s *Server) reportIncident(c *gin.Context) {
	var in struct {
		Kind oversight.Kind `json:"kind"`
		Text string         `json:"text"`
		Page string         `json:"page"`
	}
	if !s.read(c, &in) {
		return
	}
	id, err := s.Oversight.Report(c.Request.Context(), principal(c), in.Kind, in.Text, in.Page)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, gin.H{"id": id})
}

func (s *Server) listIncidents(c *gin.Context) {
	all, err := s.Oversight.Incidents(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Incident, 0, len(all))
	for _, i := range all {
		out = append(out, Incident{i.ID, i.Kind, i.ReportedBy, i.Page, i.Text, i.At, i.At.Add(oversight.NotifyWithin), at(i.ClosedAt), i.ClosedBy, i.Outcome})
	}
	c.JSON(http.StatusOK, gin.H{"incidents": out})
}

func (s *Server) closeIncident(c *gin.Context) {
	var in struct {
		Outcome string `json:"outcome"`
	}
	if !s.read(c, &in) {
		return
	}
	if err := s.Oversight.Close(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), in.Outcome); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// Emergency is an emergency access to a patient of other teams.
type Emergency struct {
	ID         oversight.ID    `json:"id"`
	Person     access.PersonID `json:"person"`
	Patient    media.PatientID `json:"patient"`
	Reason     string          `json:"reason"`
	At         time.Time       `json:"at"`
	ExpiresAt  time.Time       `json:"expires_at"`
	ReviewedAt *time.Time      `json:"reviewed_at,omitempty"`
	ReviewedBy access.PersonID `json:"reviewed_by,omitempty"`
	Finding    string          `json:"finding,omitempty"`
}

func (s *Server) breakGlass(c *gin.Context) {
	var in struct {
		Patient media.PatientID `json:"patient"`
		Reason  string          `json:"reason"`
	}
	if !s.read(c, &in) {
		return
	}
	e, err := s.Oversight.Break(c.Request.Context(), principal(c), in.Patient, in.Reason)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, Emergency{ID: e.ID, Person: e.Person, Patient: e.Patient, Reason: e.Reason, At: e.At, ExpiresAt: e.ExpiresAt})
}

func (s *Server) endEmergency(c *gin.Context) {
	if err := s.Oversight.End(c.Request.Context(), principal(c), oversight.ID(c.Param("id"))); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

func (s *Server) listEmergencies(c *gin.Context) {
	all, err := s.Oversight.Emergencies(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Emergency, 0, len(all))
	for _, e := range all {
		out = append(out, Emergency{e.ID, e.Person, e.Patient, e.Reason, e.At, e.ExpiresAt, at(e.ReviewedAt), e.ReviewedBy, e.Finding})
	}
	c.JSON(http.StatusOK, gin.H{"emergencies": out})
}

func (s *Server) reviewEmergency(c *gin.Context) {
	var in struct {
		Finding string `json:"finding"`
	}
	if !s.read(c, &in) {
		return
	}
	if err := s.Oversight.Review(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), in.Finding); err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}
