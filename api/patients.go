package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Patient is a patient as staff see one. Numbers travel in bodies only, never
// in an address.
type Patient struct {
	ID          media.PatientID  `json:"id"`
	Kind        media.NumberKind `json:"patient_number_kind"`
	Number      string           `json:"patient_number"`
	Name        string           `json:"name"`
	DateOfBirth string           `json:"date_of_birth"`
	Sex         media.Sex        `json:"sex,omitempty"`
}

func patient(p transfer.Patient) Patient {
	return Patient{p.ID, p.Kind, p.Number, p.Name, p.DateOfBirth, p.Sex}
}

func (s *Server) registerPatient(c *gin.Context) {
	var in struct {
		Kind        media.NumberKind `json:"patient_number_kind"`
		Number      string           `json:"patient_number"`
		Name        string           `json:"name"`
		DateOfBirth string           `json:"date_of_birth"`
		Sex         media.Sex        `json:"sex"`
	}
	if !s.read(c, &in) {
		return
	}
	p, err := s.Patients.Register(c.Request.Context(), principal(c), media.PatientDetails{Kind: in.Kind, Number: in.Number, Name: in.Name, DateOfBirth: in.DateOfBirth, Sex: in.Sex})
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, patient(p))
}

// findPatient answers with the patient that a flow finds by number and date of
// birth: each has its own rules of who may, and its own event.
func (s *Server) findPatient(find func(ctx context.Context, who access.Principal, kind, number, born string) (transfer.Patient, error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		var in struct {
			Kind        string `json:"patient_number_kind"`
			Number      string `json:"patient_number"`
			DateOfBirth string `json:"date_of_birth"`
		}
		if !s.read(c, &in) {
			return
		}
		p, err := find(c.Request.Context(), principal(c), in.Kind, in.Number, in.DateOfBirth)
		if err != nil {
			fail(c, err)
			return
		}
		c.JSON(http.StatusOK, patient(p))
	}
}

// Case is a patient's problem over time.
type Case struct {
	ID        media.CaseID    `json:"id"`
	Patient   media.PatientID `json:"patient"`
	Team      access.TeamID   `json:"team"`
	Title     string          `json:"title"`
	CreatedAt *time.Time      `json:"created_at,omitempty"`
}

func (s *Server) listCases(c *gin.Context) {
	cases, err := s.Patients.Cases(c.Request.Context(), principal(c), media.PatientID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Case, 0, len(cases))
	for _, v := range cases {
		out = append(out, Case{v.ID, v.Patient, v.Team, v.Title, at(v.CreatedAt)})
	}
	c.JSON(http.StatusOK, gin.H{"cases": out})
}

func (s *Server) openCase(c *gin.Context) {
	var in struct {
		Team  access.TeamID `json:"team"`
		Title string        `json:"title"`
	}
	if !s.read(c, &in) {
		return
	}
	v, err := s.Patients.OpenCase(c.Request.Context(), principal(c), media.PatientID(c.Param("id")), in.Team, in.Title)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, Case{v.ID, v.Patient, v.Team, v.Title, at(v.CreatedAt)})
}
