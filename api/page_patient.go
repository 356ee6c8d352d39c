package api

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
)

// typedIn is what a form without its file holds.
func typedIn(f url.Values) map[string]string {
	out := map[string]string{}
	for name := range f {
		if name != "file" { // only its name would be in here, and that is nobody's business
			out[name] = f.Get(name)
		}
	}
	return out
}

// find finds the patient that was typed in.
func (s *Server) find(c *gin.Context, typed map[string]string) (*Patient, error) {
	found, err := s.Patients.Find(c.Request.Context(), principal(c), typed["patient_number_kind"], typed["patient_number"], dateOfBirth(typed))
	if err != nil {
		return nil, err
	}
	p := patient(found)
	return &p, nil
}

// patientForm shows who the patient is before a picture is sent, with their
// cases; the rest of the form stays as it was.
func (s *Server) patientForm(c *gin.Context) {
	s.aside(c, func(typed map[string]string) (*Patient, error) { return s.find(c, typed) })
}

// registerForm registers the patient that was typed in.
func (s *Server) registerForm(c *gin.Context) {
	s.aside(c, func(typed map[string]string) (*Patient, error) {
		made, err := s.Patients.Register(c.Request.Context(), principal(c), media.PatientDetails{
			Kind: media.NumberKind(typed["patient_number_kind"]), Number: typed["patient_number"], Name: typed["name"],
			DateOfBirth: dateOfBirth(typed), Sex: media.Sex(typed["sex"]),
		})
		if err != nil {
			return nil, err
		}
		p := patient(made)
		return &p, nil
	})
}

// caseForm opens a case for the patient and chooses it.
func (s *Server) caseForm(c *gin.Context) {
	s.aside(c, func(typed map[string]string) (*Patient, error) {
		p, err := s.find(c, typed)
		if err != nil {
			return nil, err
		}
		opened, err := s.Patients.OpenCase(c.Request.Context(), principal(c), p.ID, access.TeamID(typed["team"]), typed["title"])
		if fault.Is(err, fault.NotFound) {
			err = fault.New(fault.Invalid, "team-missing", "Choose one of your teams before you open a case.").In("team")
		}
		if err == nil {
			typed["case"], typed["title"] = string(opened.ID), ""
		}
		return p, err
	})
}

// aside does something for the form to send a picture and shows it again.
func (s *Server) aside(c *gin.Context, do func(typed map[string]string) (*Patient, error)) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := typedIn(f)
	p, err := do(typed)
	if fault.Is(err, fault.Unauthenticated) || fault.Is(err, fault.Denied) {
		failPage(c, err)
		return
	}
	var problem *ui.Problem
	status := http.StatusOK
	if err != nil {
		status, problem = logged500(c, err), problemOf(err)
	}
	s.sendAgain(c, status, typed, p, problem)
}

// findForm narrows the list to a patient. The number stays out of the address.
func (s *Server) findForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := typedIn(f)
	p, err := s.find(c, typed)
	if fault.Is(err, fault.Denied) {
		failPage(c, err)
		return
	}
	if err != nil {
		s.pictures(c, logged500(c, err), typed, problemOf(err))
		return
	}
	c.Redirect(http.StatusSeeOther, "/pictures?"+url.Values{"patient": {string(p.ID)}}.Encode())
}
