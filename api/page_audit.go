package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

type auditView struct {
	Signed    transfer.Coverage
	Narrow    bool // fields were filled in
	Downloads []ui.Place
	Rows      []event
	Next      string
	Types     []audit.TypeDoc
	People    []Person
	Asked     map[string]string
}

// event is an audit event in the words of a page.
type event struct {
	Seq       int64
	At        time.Time
	What, Who words.Text
	Type      audit.Type
	About     []part // in the order of a glance
	Detail    []part
}

// part is a name and a value; Filter narrows the search to the value.
type part struct {
	Name   words.Text
	Value  string     // an identifier, or a detail
	Who    words.Text // in its place
	Filter string
}

// outside is who visits by an invitation.
const outside words.Text = "somebody outside, by an invitation"

// eventsAtOnce is how many events a page has.
const eventsAtOnce = 50

// auditPage asks the auditor's questions, and searches the audit events.
func (s *Server) auditPage(c *gin.Context) { s.auditWith(c, http.StatusOK, nil) }

func (s *Server) auditWith(c *gin.Context, status int, wrong *ui.Problem) {
	v, f, problem := auditFilter(c)
	if wrong != nil {
		problem = wrong
	} else if problem != nil {
		status = http.StatusUnprocessableEntity
	}
	events, more, err := s.Account.Events(c.Request.Context(), principal(c), f)
	if err == nil {
		v.People, err = s.colleagues(c)
	}
	if err == nil {
		v.Signed, err = s.Account.Coverage(c.Request.Context(), principal(c))
	}
	if err != nil {
		failPage(c, err)
		return
	}
	names, err := s.namesOf(c)
	if err != nil {
		failPage(c, err)
		return
	}
	for _, e := range events {
		v.Rows = append(v.Rows, eventRow(e, names, v.People))
	}
	if more {
		q := c.Request.URL.Query()
		q.Set("after", strconv.FormatInt(events[len(events)-1].Seq, 10))
		v.Next = "/audit?" + q.Encode()
	}
	export := url.Values{}
	for _, value := range v.Asked {
		v.Narrow = v.Narrow || value != ""
	}
	v.Downloads = downloads(export)
	render(c, status, "audit", ui.Page{Title: "Audit", Wide: true, Problem: problem, Data: v})
}

// auditFilter reads the filter from the address; what cannot be read is told
// and passed over.
func auditFilter(c *gin.Context) (auditView, transfer.EventFilter, *ui.Problem) {
	v := auditView{Types: audit.Types(), Asked: map[string]string{}}
	var problem *ui.Problem
	wrong := func(field string, text words.Text) {
		problem = &ui.Problem{Code: "filter-wrong", Text: text, Field: field}
	}
	for _, name := range []string{"type", "person", "item", "patient", "link", "from", "to"} {
		v.Asked[name] = c.Query(name)
	}
	id := func(name string) string {
		if s := v.Asked[name]; s == "" || media.ValidID(s) {
			return s
		}
		wrong(name, "Enter an identifier as it stands in the list below, or leave it out.")
		return ""
	}
	when := func(name string, plus time.Duration) time.Time {
		if v.Asked[name] == "" {
			return time.Time{}
		}
		t, err := time.ParseInLocation(time.DateOnly, v.Asked[name], ui.Zone)
		if err != nil {
			wrong(name, "Enter a date, or leave it out.")
			return time.Time{}
		}
		return t.Add(plus)
	}
	f := transfer.EventFilter{
		Type: audit.Type(v.Asked["type"]), Person: access.PersonID(id("person")), Item: media.ItemID(id("item")), Patient: media.PatientID(id("patient")),
		Link: link.ID(id("link")), From: when("from", 0), To: when("to", 24*time.Hour), Limit: eventsAtOnce,
	}
	if after := c.Query("after"); after != "" {
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil || n < 1 {
			wrong("", "This page does not exist. Start again from the first.")
		}
		f.After = n
	}
	return v, f, problem
}

func eventRow(e audit.Event, names audit.Names, people []Person) event {
	out := event{Seq: e.Seq, At: e.At, Type: e.Type, What: e.Sentence(names), Who: "the system, or nobody signed in"}
	s := e.Subject
	switch {
	case e.Actor == "":
	case s.Invitation == string(e.Actor):
		out.Who = outside
	default:
		out.Who = personName(people, e.Actor)
	}
	for _, p := range []struct {
		name          words.Text
		value, filter string
	}{
		{"item", s.Item, "item"}, {"form", s.Rendition, ""}, {"patient", s.Patient, "patient"}, {"case", s.Case, ""}, {"team", s.Team, ""},
		{"link", s.Link, "link"}, {"grant", s.Grant, ""}, {"token", s.Token, ""}, {"key", s.Key, ""}, {"invitation", s.Invitation, ""},
	} {
		if p.value != "" {
			out.About = append(out.About, part{p.name, p.value, "", p.filter})
		}
	}
	if s.Person != "" && s.Person != string(e.Actor) {
		out.About = append(out.About, part{"person", "", personName(people, access.PersonID(s.Person)), ""})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		out.Detail = append(out.Detail, part{Name: words.Data(name), Value: e.Detail[name]})
	}
	return out
}
