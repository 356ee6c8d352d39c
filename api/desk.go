package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/transfer"
)

// Investigation is an incident that is looked into. Facts, entries and draft
// are only in a single one.
type Investigation struct {
	Incident oversight.ID     `json:"incident"`
	Cause    oversight.Cause  `json:"cause"`
	Person   access.PersonID  `json:"person"`
	Team     access.TeamID    `json:"team,omitempty"`
	Session  access.SessionID `json:"session,omitempty"`
	Link     link.ID          `json:"link,omitempty"`
	Patient  media.PatientID  `json:"patient,omitempty"`
	From     time.Time        `json:"from"`
	To       *time.Time       `json:"to,omitempty"`
	AwareAt  time.Time        `json:"aware_at"`
	OpenedBy access.PersonID  `json:"opened_by"`
	OpenedAt time.Time        `json:"opened_at"`
	Clock    Clock            `json:"clock"`
	Text     string           `json:"text,omitempty"`
	Outcome  string           `json:"outcome,omitempty"`
	ClosedAt *time.Time       `json:"closed_at,omitempty"`
	Facts    *Facts           `json:"facts,omitempty"`
	Entries  []DeskEntry      `json:"entries,omitempty"`
	Draft    *oversight.Draft `json:"draft,omitempty"`
}

// Clock is the 72 hours of article 33.
type Clock struct {
	NotifyBy time.Time       `json:"notify_by"`
	Hurry    oversight.Hurry `json:"hurry"`
	ToldAt   *time.Time      `json:"told_at,omitempty"`
}

// Tally is how many items, of how many patients; cut means that there are more.
type Tally struct {
	Items    int  `json:"items"`
	Patients int  `json:"patients"`
	Cut      bool `json:"cut,omitempty"`
}

// TeamTally is what was open in a team.
type TeamTally struct {
	Team access.TeamID `json:"team"`
	Tally
}

// Stand is a time in which pictures were open to the person: by a team, by
// role, or in person.
type Stand struct {
	Kind link.AudienceKind `json:"kind"`
	ID   string            `json:"id"`
	From time.Time         `json:"from"`
	To   time.Time         `json:"to"`
}

// Could is what the person could see.
type Could struct {
	All         Tally       `json:"all"`
	Teams       []TeamTally `json:"teams"`
	Own         Tally       `json:"own"`
	Linked      Tally       `json:"linked"`
	Asked       Tally       `json:"asked"`
	Emergencies Tally       `json:"emergencies"`
}

// Saw is what the person did see.
type Saw struct {
	Pictures      Tally      `json:"pictures"`
	ThumbnailOnly int        `json:"thumbnail_only"`
	Described     Tally      `json:"described"`
	All           Tally      `json:"all"`
	LinksOpened   int        `json:"links_opened"`
	Lists         int        `json:"lists"`
	Events        int        `json:"events"`
	Cut           bool       `json:"cut,omitempty"`
	First         *time.Time `json:"first,omitempty"`
	Last          *time.Time `json:"last,omitempty"`
	Rows          []SawRow   `json:"rows"`
}

// SawRow is one disclosure.
type SawRow struct {
	Seq       int64            `json:"seq"`
	At        time.Time        `json:"at"`
	Type      audit.Type       `json:"type"`
	Item      string           `json:"item,omitempty"`
	Rendition string           `json:"rendition,omitempty"`
	Patient   media.PatientID  `json:"patient,omitempty"`
	Team      access.TeamID    `json:"team,omitempty"`
	Session   access.SessionID `json:"session,omitempty"`
}

// PastSession is a session or token of the period.
type PastSession struct {
	ID         access.SessionID `json:"id"`
	Kind       string           `json:"kind"`
	Name       string           `json:"name,omitempty"`
	Device     string           `json:"device,omitempty"`
	CreatedAt  time.Time        `json:"created_at"`
	LastSeenAt time.Time        `json:"last_seen_at"`
	EndedAt    *time.Time       `json:"ended_at,omitempty"`
	Live       bool             `json:"live"`
}

// Live is what a containment would end now, or did end.
type Live struct {
	Links       int             `json:"links"`
	Emergencies int             `json:"emergencies"`
	Sessions    int             `json:"sessions"`
	Tokens      int             `json:"tokens"`
	Suspended   bool            `json:"suspended"`
	LeftTeams   []access.TeamID `json:"left_teams"`
}

// Facts are what the records say.
type Facts struct {
	From      time.Time     `json:"from"`
	To        time.Time     `json:"to"`
	Standings []Stand       `json:"standings"`
	Could     Could         `json:"could"`
	Saw       Saw           `json:"saw"`
	Sessions  []PastSession `json:"sessions"`
	Live      Live          `json:"live"`
	Suspended bool          `json:"suspended"`
	Cut       bool          `json:"cut,omitempty"`
}

// DeskEntry is one thing done.
type DeskEntry struct {
	Kind  oversight.EntryKind `json:"kind"`
	Value string              `json:"value,omitempty"`
	Text  string              `json:"text,omitempty"`
	When  *time.Time          `json:"when,omitempty"`
	By    access.PersonID     `json:"by"`
	At    time.Time           `json:"at"`
}

func tally(c oversight.Count) Tally { return Tally{c.Items, c.Patients, c.Cut} }

func live(c transfer.Contained) Live {
	return Live{c.Links, c.Emergencies, c.Sessions, c.Tokens, c.Suspended, append([]access.TeamID{}, c.Left...)}
}

func investigation(i transfer.Case) Investigation {
	c := i.Scope
	return Investigation{
		Incident: i.Incident, Cause: i.Cause, Person: c.Person, Team: c.Team, Session: c.Session, Link: c.Link, Patient: c.Patient, From: c.Within.From, To: at(c.Within.To),
		AwareAt: i.AwareAt, OpenedBy: i.OpenedBy, OpenedAt: i.OpenedAt, Clock: Clock{i.Clock.Due, i.Clock.Hurry, at(i.Clock.ToldAt)},
		Text: i.Report.Text, Outcome: i.Report.Outcome, ClosedAt: at(i.Report.ClosedAt),
	}
}

func facts(f transfer.Facts) *Facts {
	w := f.Saw
	out := &Facts{
		From: f.Within.From, To: f.Within.To, Standings: []Stand{}, Sessions: []PastSession{}, Live: live(f.Live), Suspended: f.Suspended, Cut: f.Cut,
		Could: Could{All: tally(f.Could.All), Teams: []TeamTally{}, Own: tally(f.Could.Own), Linked: tally(f.Could.Linked), Asked: tally(f.Could.Asked), Emergencies: tally(f.Could.Emergencies)},
		Saw: Saw{Pictures: tally(w.Pictures), ThumbnailOnly: w.ThumbnailOnly, Described: tally(w.Described), All: tally(w.All), LinksOpened: w.Opened, Lists: w.Lists,
			Events: w.Events, Cut: w.Cut, First: at(w.First), Last: at(w.Last), Rows: []SawRow{}},
	}
	for _, s := range f.Standings {
		out.Standings = append(out.Standings, Stand{s.As.Kind, s.As.ID, s.From, s.To})
		id := access.TeamID(s.As.ID)
		if n, ok := f.Could.Teams[id]; ok && s.As.Kind == link.ToTeam && !slices.ContainsFunc(out.Could.Teams, func(t TeamTally) bool { return t.Team == id }) {
			out.Could.Teams = append(out.Could.Teams, TeamTally{id, tally(n)})
		}
	}
	for _, e := range w.Rows {
		out.Saw.Rows = append(out.Saw.Rows, SawRow{e.Seq, e.At, e.Type, e.Subject.Item, e.Subject.Rendition, e.Patient, e.Team, e.Session})
	}
	for _, s := range f.Sessions {
		out.Sessions = append(out.Sessions, PastSession{s.ID, string(s.Kind), s.Name, s.Device, s.CreatedAt, s.LastSeenAt, at(s.EndedAt), s.Live})
	}
	return out
}

func (s *Server) listInvestigations(c *gin.Context) {
	all, err := s.Desk.List(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Investigation, 0, len(all))
	for _, i := range all {
		out = append(out, investigation(i))
	}
	c.JSON(http.StatusOK, gin.H{"investigations": out})
}

func (s *Server) openInvestigation(c *gin.Context) {
	var in struct {
		Incident oversight.ID     `json:"incident"`
		Cause    oversight.Cause  `json:"cause"`
		Person   access.PersonID  `json:"person"`
		Team     access.TeamID    `json:"team"`
		Session  access.SessionID `json:"session"`
		Link     link.ID          `json:"link"`
		Patient  media.PatientID  `json:"patient"`
		From     time.Time        `json:"from"`
		To       time.Time        `json:"to"`
		AwareAt  time.Time        `json:"aware_at"`
		Text     string           `json:"text"`
	}
	if !s.read(c, &in) {
		return
	}
	id, err := s.Desk.Open(c.Request.Context(), principal(c), transfer.Opening{
		Incident: in.Incident, Cause: in.Cause, AwareAt: in.AwareAt, Text: in.Text,
		Scope: oversight.Scope{Person: in.Person, Within: oversight.Span{From: in.From, To: in.To}, Team: in.Team, Session: in.Session, Link: in.Link, Patient: in.Patient},
	})
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, gin.H{"incident": id})
}

func (s *Server) showInvestigation(c *gin.Context) {
	i, err := s.Desk.Show(c.Request.Context(), principal(c), oversight.ID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	out := investigation(i)
	out.Facts = facts(i.Facts)
	for _, e := range i.Entries {
		out.Entries = append(out.Entries, DeskEntry{e.Kind, e.Value, e.Text, at(e.When), e.By, e.At})
	}
	if i.Drafted {
		out.Draft = &i.Draft
	}
	c.JSON(http.StatusOK, out)
}

func (s *Server) setAware(c *gin.Context) {
	var in struct {
		AwareAt time.Time `json:"aware_at"`
		Reason  string    `json:"reason"`
	}
	if s.read(c, &in) {
		noContent(c, s.Desk.Aware(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), in.AwareAt, in.Reason))
	}
}

func (s *Server) contain(c *gin.Context) {
	var in struct {
		Links    bool            `json:"links"`
		Sessions bool            `json:"sessions"`
		Suspend  bool            `json:"suspend"`
		Teams    []access.TeamID `json:"teams"`
		Reason   string          `json:"reason"`
	}
	if !s.read(c, &in) {
		return
	}
	did, err := s.Desk.Contain(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), transfer.Ending{Links: in.Links, Sessions: in.Sessions, Suspend: in.Suspend, Teams: in.Teams, Reason: in.Reason})
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, live(did))
}

func (s *Server) decide(c *gin.Context) {
	var in struct {
		About    string             `json:"about"`
		Decision oversight.Decision `json:"decision"`
		At       time.Time          `json:"at"`
		Reason   string             `json:"reason"`
	}
	if !s.read(c, &in) {
		return
	}
	kind, ok := map[string]oversight.EntryKind{"regulator": oversight.DecisionEntry, "people": oversight.PeopleEntry}[in.About]
	if !ok {
		fail(c, fault.New(fault.Invalid, "about-unknown", "Say whether this is about the regulator or the people.").In("about"))
		return
	}
	noContent(c, s.Desk.Decide(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), kind, in.Decision, in.At, in.Reason))
}

func (s *Server) keepDraft(c *gin.Context) {
	var in oversight.Draft
	if s.read(c, &in) {
		noContent(c, s.Desk.KeepDraft(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), in))
	}
}

func (s *Server) closeInvestigation(c *gin.Context) {
	var in struct {
		Lessons string `json:"lessons"`
	}
	if s.read(c, &in) {
		noContent(c, s.Desk.Close(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), in.Lessons))
	}
}

// noContent answers that it is done, or why not.
func noContent(c *gin.Context, err error) {
	if err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}
