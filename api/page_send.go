package api

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
)

// accepted is the accept attribute of the file field. Some phones know their
// own formats by ending only.
var accepted = func() string {
	var all []string
	for _, f := range media.Formats() {
		all = append(all, f.MediaType(), f.Ext())
	}
	return strings.Join(append(all, "image/apng", ".jpeg", ".heif", "image/heif", ".tiff", ".m4v", "video/x-matroska", ".3g2", "video/3gpp2"), ",")
}()

// sendView is the form to send a picture, with what was typed into it.
type sendView struct {
	Typed    map[string]string
	Patient  *Patient // found by what was typed
	Unknown  bool     // not registered here: offer to
	Cases    []Case
	Teams    []Team // one's own
	Latest   []row
	Accept   string
	MaxBytes int64
}

func (s *Server) sendPage(c *gin.Context) {
	s.sendAgain(c, http.StatusOK, map[string]string{"patient_number_kind": "nhs"}, nil, nil)
}

// sendAgain shows the form with what was typed and what was wrong with it.
func (s *Server) sendAgain(c *gin.Context, status int, typed map[string]string, patient *Patient, problem *ui.Problem) {
	who := principal(c)
	if access.May(who, access.UploadItem) != access.Allow {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role does not send pictures."))
		return
	}
	mine, _, err := s.teams(c)
	if err != nil {
		failPage(c, err)
		return
	}
	if typed["idempotency_key"] == "" { // sending the same form twice files one item
		typed["idempotency_key"] = uuid.NewString()
	}
	if len(mine) == 1 {
		typed["team"] = string(mine[0].ID)
	}
	v := sendView{Typed: typed, Patient: patient, Teams: mine, Accept: accepted, MaxBytes: s.cfg.MaxBytes}
	v.Unknown = patient == nil && problem != nil && (problem.Code == "patient-unknown" || typed["name"] != "")
	if patient != nil {
		if v.Cases, err = s.casesOf(c, patient.ID); err != nil {
			failPage(c, err)
			return
		}
	}
	if v.Latest, _, err = s.rows(c, transfer.ItemFilter{Limit: 4, Uploader: who.Person.ID}); err != nil {
		failPage(c, err)
		return
	}
	render(c, status, "send", ui.Page{Title: "Send a picture", Wide: true, Problem: problem, Data: v})
}

func (s *Server) casesOf(c *gin.Context, id media.PatientID) ([]Case, error) {
	views, err := s.Patients.Cases(c.Request.Context(), principal(c), id)
	var out []Case
	for _, v := range views {
		out = append(out, Case{v.ID, v.Patient, v.Team, v.Title, at(v.CreatedAt)})
	}
	return out, err
}

// sendForm receives the form with its file, as a stream.
func (s *Server) sendForm(c *gin.Context) {
	typed := map[string]string{}
	filed, err := s.sent(c, typed)
	answerable(c)
	switch {
	case err == nil:
	case byScript(c):
		e, p := *fault.From(err), problemOf(err)
		e.Message, e.Field = p.Text, p.Field
		fail(c, &e)
		return
	case fault.Is(err, fault.Denied):
		failPage(c, err)
		return
	default:
		status, problem := logged500(c, err), problemOf(err)
		found, _ := s.find(c, typed) // so that what was found stays shown; what is wrong is said already
		s.sendAgain(c, status, typed, found, problem)
		return
	}
	where := "/pictures/" + string(filed.Item.ID) + "?filed=new"
	if filed.Repeated {
		where = "/pictures/" + string(filed.Item.ID) + "?filed=before"
	}
	if byScript(c) {
		c.JSON(http.StatusOK, gin.H{"location": where})
		return
	}
	c.Redirect(http.StatusSeeOther, where)
}

func (s *Server) sent(c *gin.Context, typed map[string]string) (transfer.Filed, error) {
	if c.Request.ContentLength > s.cfg.MaxBytes+formRoom {
		c.Header("Connection", "close") // the rest of the body is not wanted
		return transfer.Filed{}, s.Uploads.RefuseTooLarge(c.Request.Context(), principal(c))
	}
	kind, params, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return transfer.Filed{}, fault.New(fault.Unsupported, "not-a-form", "This form did not arrive whole. Send it again.")
	}
	body := &unhurried{ReadCloser: http.MaxBytesReader(c.Writer, c.Request.Body, s.cfg.MaxBytes+formRoom), c: http.NewResponseController(c.Writer), idle: s.cfg.ReadIdleFor}
	f := &typedForm{form: form{parts: multipart.NewReader(transfer.Bounded(body), params["boundary"]), tooLarge: s.Uploads.TooLarge()}, typed: typed}
	return s.Uploads.Upload(c.Request.Context(), principal(c), f)
}

// typedForm gives a page's form to the flow: it joins the date's three fields,
// passes over what is for other buttons, and remembers what was typed.
type typedForm struct {
	form
	typed map[string]string
	dated bool
}

// passedOn are the fields that go to the flow as they are.
var passedOn = map[string]bool{
	"patient_number_kind": true, "patient_number": true, "sex": true, "team": true, "case": true, "consent": true,
	"body_site": true, "note": true, "captured_at": true, "sound": true, "idempotency_key": true,
	"captured_with": true, "consent_given_by": true, "consent_capacity": true, "consent_detail": true,
}

// Next implements transfer.Form.
func (f *typedForm) Next() (string, io.Reader, error) {
	if f.dated { // behind its last boundary a form is not asked again
		return "", nil, io.EOF
	}
	for {
		p, err := f.parts.NextRawPart()
		if err == io.EOF {
			f.dated = true
			return "date_of_birth", strings.NewReader(dateOfBirth(f.typed)), nil
		}
		if err != nil {
			return "", nil, f.explain(err)
		}
		name := p.FormName()
		if name == "file" {
			if p.FileName() != "" { // a browser sends a nameless file when none was chosen
				return name, reading{p, &f.form}, nil
			}
			continue
		}
		text, err := io.ReadAll(io.LimitReader(reading{p, &f.form}, 8<<10+1)) // the flow refuses what is as long as that
		if err != nil {
			return "", nil, err
		}
		if len(f.typed) < 32 {
			f.typed[name] = string(text)
		}
		if !passedOn[name] {
			continue
		}
		if name == "captured_at" {
			text = []byte(captured(string(text)))
		}
		return name, strings.NewReader(string(text)), nil
	}
}

// dateOfBirth joins the three fields to YYYY-MM-DD. What is no date stays
// none: the flow says so.
func dateOfBirth(typed map[string]string) string {
	d, m, y := strings.TrimSpace(typed["dob_day"]), strings.TrimSpace(typed["dob_month"]), strings.TrimSpace(typed["dob_year"])
	pad := func(s string) string {
		if len(s) == 1 {
			return "0" + s
		}
		return s
	}
	return y + "-" + pad(m) + "-" + pad(d)
}

// captured turns a date-and-time field, which is on the wall's clock, into
// RFC 3339. What cannot be read stays as it is: the flow refuses it.
func captured(typed string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, strings.TrimSpace(typed), ui.Zone); err == nil {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return typed
}
