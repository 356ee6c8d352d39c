package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// answerView is the page that answers an auditor's question.
type answerView struct {
	Title     words.Text
	Name      string // patient, person or link: what is asked about
	ID        string
	All       bool
	Days      []answerDay
	From, To  string
	Next      string // address of the next page
	Other     string // address of the same question, about more or less
	Downloads []ui.Place
	Patient   bool // the list for the patient can be made
}

type answerDay struct {
	Day  words.Text
	Told []told
}

// told is an event in a sentence, with where to ask further.
type told struct {
	At    time.Time
	Says  words.Text
	Links []ui.Place
}

// days reads two dates from the address; what cannot be read is told.
func days(c *gin.Context) (from, to time.Time, problem *ui.Problem) {
	read := func(name string, plus int) time.Time {
		s := c.Query(name)
		if s == "" {
			return time.Time{}
		}
		t, err := time.ParseInLocation(time.DateOnly, s, ui.Zone)
		if err != nil {
			problem = &ui.Problem{Code: "filter-wrong", Text: "Enter a date, or leave it out.", Field: name}
			return time.Time{}
		}
		return t.AddDate(0, 0, plus)
	}
	return read("from", 0), read("to", 1), problem
}

// answerPage answers who saw a patient, what a person saw, or what went
// through a link.
func (s *Server) answerPage(c *gin.Context) {
	from, to, problem := days(c)
	q := transfer.Question{Patient: media.PatientID(c.Query("patient")), Person: access.PersonID(c.Query("person")), Link: link.ID(c.Query("link")),
		All: c.Query("all") == "yes", From: from, To: to, Limit: eventsAtOnce}
	if after, err := strconv.ParseInt(c.Query("after"), 10, 64); err == nil && after > 0 {
		q.After = after
	}
	events, more, err := s.Account.Answer(c.Request.Context(), principal(c), q)
	if err != nil {
		failPage(c, err)
		return
	}
	names, err := s.namesOf(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := answerView{All: q.All, From: c.Query("from"), To: c.Query("to"), Patient: q.Patient != ""}
	switch {
	case q.Patient != "":
		v.Name, v.ID, v.Title = "patient", string(q.Patient), words.Say("Who saw patient {patient}", audit.Brief(string(q.Patient)))
	case q.Person != "":
		v.Name, v.ID, v.Title = "person", string(q.Person), words.Say("What {who} saw", names.Person(q.Person))
	default:
		v.Name, v.ID, v.Title = "link", string(q.Link), words.Say("What went through link {link}", audit.Brief(string(q.Link)))
	}
	v.Days = inDays(events, names, v.Name)
	ask := url.Values{v.Name: {v.ID}}
	for name, value := range map[string]string{"from": v.From, "to": v.To} {
		if value != "" {
			ask.Set(name, value)
		}
	}
	v.addresses(ask, q, more, events)
	status := http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
	}
	render(c, status, "answer", ui.Page{Title: v.Title, Problem: problem, Data: v})
}

// addresses sets where the page leads to.
func (v *answerView) addresses(ask url.Values, q transfer.Question, more bool, events []audit.Event) {
	all := url.Values{"all": {"yes"}}
	for k := range ask {
		all[k] = ask[k]
	}
	here, other := ask, all
	if q.All {
		here, other = all, ask
	}
	if q.Link == "" {
		v.Other = "/audit/seen?" + other.Encode()
	}
	if more {
		here.Set("after", strconv.FormatInt(events[len(events)-1].Seq, 10))
		v.Next = "/audit/seen?" + here.Encode()
	}
	export := url.Values{v.Name: {v.ID}}
	if q.All {
		export.Set("all", "true")
	}
	for name, t := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !t.IsZero() {
			export.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
	v.Downloads = downloads(export)
}

// downloads are the forms in which a search can be taken away.
func downloads(q url.Values) []ui.Place {
	var out []ui.Place
	for _, f := range []struct {
		format string
		text   words.Text
	}{{"csv", "CSV"}, {"jsonl", "JSON Lines"}, {"fhir", "FHIR"}} {
		q.Set("format", f.format)
		out = append(out, ui.Place{Path: "/audit/export?" + q.Encode(), Text: f.text})
	}
	return out
}

// inDays puts events, newest first, under their days.
func inDays(events []audit.Event, names audit.Names, asked string) []answerDay {
	var out []answerDay
	for _, e := range events {
		day := words.Weekday(e.At.In(ui.Zone))
		if len(out) == 0 || out[len(out)-1].Day != day {
			out = append(out, answerDay{Day: day})
		}
		t := told{At: e.At, Says: e.Sentence(names)}
		for _, x := range []struct {
			name, id string
			text     words.Text
		}{
			{"patient", e.Subject.Patient, "Who saw this patient"}, {"link", e.Subject.Link, "What went through this link"}, {"person", string(e.Actor), "What this person saw"},
		} {
			if x.id != "" && x.name != asked {
				t.Links = append(t.Links, ui.Place{Path: "/audit/seen?" + url.Values{x.name: {x.id}}.Encode(), Text: x.text})
			}
		}
		out[len(out)-1].Told = append(out[len(out)-1].Told, t)
	}
	return out
}

// linkAuditForm finds what went through a link: by its address, which stays
// out of this site's addresses, or by its identifier.
func (s *Server) linkAuditForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := strings.TrimSpace(f.Get("link"))
	id := link.ID(typed)
	if !media.ValidID(typed) {
		if _, secret, ok := strings.Cut(typed, "#"); ok {
			typed = secret
		}
		var err error
		if id, err = s.Account.FindLink(c.Request.Context(), principal(c), typed); err != nil {
			if !fault.Is(err, fault.Invalid) {
				failPage(c, err)
				return
			}
			s.auditWith(c, logged500(c, err), problemOf(err))
			return
		}
	}
	c.Redirect(http.StatusSeeOther, "/audit/seen?"+url.Values{"link": {string(id)}}.Encode())
}

func (s *Server) tellPage(c *gin.Context) {
	s.tell(c, http.StatusOK, map[string]string{"patient_number_kind": "nhs"}, nil)
}

func (s *Server) tell(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	if access.Decide(principal(c), access.TellPatient, 0) != access.Allow {
		// The flow refuses, and records that it did.
		_, err := s.Looks.Find(c.Request.Context(), principal(c), "", "", "")
		failPage(c, err)
		return
	}
	render(c, status, "tell", ui.Page{Title: "Who looked at a patient’s pictures", Problem: problem, Data: typed})
}

func (s *Server) tellForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := typedIn(f)
	p, err := s.Looks.Find(c.Request.Context(), principal(c), typed["patient_number_kind"], typed["patient_number"], dateOfBirth(typed))
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/audit/patients/"+string(p.ID))
	case fault.Is(err, fault.Invalid):
		s.tell(c, logged500(c, err), typed, problemOf(err))
	default:
		failPage(c, err)
	}
}

// looksView is the list that a patient can be given.
type looksView struct {
	transfer.Looked
	Patient  Patient
	By       string
	At       time.Time
	From, To string
	CSV      string
	Events   bool // who looks may ask about single events too
}

// looksPage lists who looked at a patient's pictures, in words for the patient.
func (s *Server) looksPage(c *gin.Context) {
	from, to, problem := days(c)
	who := principal(c)
	found, err := s.Looks.Of(c.Request.Context(), who, media.PatientID(c.Param("id")), from, to)
	if err != nil {
		failPage(c, err)
		return
	}
	q := url.Values{"format": {"csv"}}
	for name, t := range map[string]time.Time{"from": from, "to": to} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
	v := looksView{Looked: found, Patient: patient(found.Patient), By: who.Person.Name, At: time.Now(), From: c.Query("from"), To: c.Query("to"),
		CSV: "/api/v1/audit/patients/" + string(found.Patient.ID) + "/looks?" + q.Encode(), Events: access.May(who, access.ReadAudit) == access.Allow}
	status := http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
	}
	render(c, status, "looks", ui.Page{Title: "Who looked at your pictures", Wide: true, Problem: problem, Data: v})
}
