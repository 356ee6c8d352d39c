package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// Record is a patient's record with what its dates depend on.
type Record struct {
	Patient     media.PatientID  `json:"patient"`
	Name        string           `json:"name"`
	NumberKind  media.NumberKind `json:"patient_number_kind"`
	Number      string           `json:"patient_number"`
	DateOfBirth string           `json:"date_of_birth"`
	Class       retention.Class  `json:"class,omitempty"`
	ByAge       retention.Class  `json:"class_by_age"`
	LastEntry   *time.Time       `json:"last_entry,omitempty"`
	Schedule    int64            `json:"schedule_version"`
	Events      []PatientEvent   `json:"events"`
	Items       []ItemDue        `json:"items"`
	Merges      []Merge          `json:"merges"`
}

// Merge is two patient numbers that were made one.
type Merge struct {
	ID         string          `json:"id"`
	From       media.PatientID `json:"from"`
	To         media.PatientID `json:"to"`
	Reason     string          `json:"reason"`
	By         access.PersonID `json:"by"`
	At         time.Time       `json:"at"`
	UndoneBy   access.PersonID `json:"undone_by,omitempty"`
	UndoneAt   *time.Time      `json:"undone_at,omitempty"`
	UndoReason string          `json:"undo_reason,omitempty"`
	Stays      Stays           `json:"stays"`
}

// Stays is what came to the surviving number after a merge, and stays there
// when it is undone.
type Stays struct {
	Items       []media.ItemID `json:"items"`
	Cases       int            `json:"cases"`
	Referrals   int            `json:"referrals"`
	Mixed       int            `json:"mixed_referrals"`
	Events      int            `json:"events"`
	Invitations int            `json:"invitations"`
}

func mergeOf(m records.MergeView) Merge {
	n := m.Since
	return Merge{m.ID, m.From, m.To, m.Reason, m.By, m.At, m.UndoneBy, at(m.UndoneAt), m.UndoReason,
		Stays{append([]media.ItemID{}, n.Items...), n.Cases, n.Referrals, n.Mixed, n.Events, n.Invitations}}
}

// PatientEvent is something that happened to a patient.
type PatientEvent struct {
	ID          retention.EventID   `json:"id"`
	Kind        retention.EventKind `json:"kind"`
	On          string              `json:"on"`
	Note        string              `json:"note,omitempty"`
	Source      string              `json:"source"`
	By          access.PersonID     `json:"by"`
	At          time.Time           `json:"at"`
	CancelledAt *time.Time          `json:"cancelled_at,omitempty"`
}

// ItemDue is until when an item is kept, and why.
type ItemDue struct {
	Item     media.ItemID    `json:"item"`
	Class    retention.Class `json:"class"`
	Until    string          `json:"kept_until,omitempty"`
	ReviewOn string          `json:"review_on,omitempty"`
	Why      words.Text      `json:"why"`
	Verified bool            `json:"rule_verified"`
	Held     bool            `json:"held"`
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

func itemDue(i records.ItemDue) ItemDue {
	return ItemDue{i.Item, i.Due.Rule.Class, dayOf(i.Due.Until), dayOf(i.DueOn), i.Due.Why, i.Confirmed, i.Held}
}

func (s *Server) findRecord(c *gin.Context) {
	var in struct {
		Kind   string `json:"patient_number_kind"`
		Number string `json:"patient_number"`
		Born   string `json:"date_of_birth"`
	}
	if !s.read(c, &in) {
		return
	}
	id, err := s.Records.Find(c.Request.Context(), principal(c), in.Kind, in.Number, in.Born)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"patient": id})
}

func (s *Server) showRecord(c *gin.Context) {
	v, err := s.Records.Record(c.Request.Context(), principal(c), media.PatientID(c.Param("id")))
	if err != nil {
		fail(c, err)
		return
	}
	p := v.Patient
	out := Record{Patient: p.ID, Name: p.Name, NumberKind: p.Kind, Number: p.Number, DateOfBirth: p.DateOfBirth, Class: v.Class, ByAge: v.ByAge, LastEntry: at(v.LastEntry), Events: []PatientEvent{}, Items: []ItemDue{}, Merges: []Merge{}}
	if v.Schedule != nil {
		out.Schedule = v.Schedule.Version
	}
	for _, e := range v.Events {
		out.Events = append(out.Events, PatientEvent{e.ID, e.Kind, dayOf(e.On), e.Note, e.Source, e.By, e.At, at(e.CancelledAt)})
	}
	for _, i := range v.Items {
		out.Items = append(out.Items, itemDue(i))
	}
	for _, m := range v.Merges {
		out.Merges = append(out.Merges, mergeOf(m))
	}
	c.JSON(http.StatusOK, out)
}

func (s *Server) addPatientEvent(c *gin.Context) {
	var in struct {
		Event retention.EventKind `json:"event"`
		On    string              `json:"on"`
		Note  string              `json:"note"`
	}
	if !s.read(c, &in) {
		return
	}
	done(c, s.Records.AddEvent(c.Request.Context(), principal(c), media.PatientID(c.Param("id")), records.NewEvent{Kind: in.Event, On: in.On, Note: in.Note, Source: "api"}))
}

func (s *Server) cancelPatientEvent(c *gin.Context) {
	done(c, s.Records.CancelEvent(c.Request.Context(), principal(c), media.PatientID(c.Param("id")), retention.EventID(c.Param("event"))))
}

// done answers a change that gives nothing back.
func done(c *gin.Context, err error) {
	if err != nil {
		fail(c, err)
		return
	}
	c.Status(http.StatusNoContent)
}

// maxCSV bounds a file of patient events: some 10,000 lines.
const maxCSV = 1 << 20

// readCSV takes a file of patient events to its lines, each with its number.
func readCSV(r io.Reader) (func() ([]string, int, error), error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(records.CSVHeader())
	in.TrimLeadingSpace = true
	head, err := in.Read()
	if err != nil || !records.IsCSVHeader(head) {
		return nil, fault.New(fault.Invalid, "csv-header", words.Say("The first line must be: {header}", records.CSVHeaderText())).In("file").With(err)
	}
	return func() ([]string, int, error) {
		row, err := in.Read()
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			return nil, parse.StartLine, fault.New(fault.Invalid, "csv-line", "This line has not the six fields of the header, or a quotation mark too few.")
		}
		if err != nil {
			return nil, 0, err
		}
		line, _ := in.FieldPos(0)
		return row, line, nil
	}, nil
}

func (s *Server) importEvents(c *gin.Context) {
	// Read first: a file that is too long, or cut off, records nothing.
	text, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxCSV))
	if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
		fail(c, fault.New(fault.TooLarge, "file-too-large", "This file is larger than 1 MB. Split it, with the first line in each part.").With(err))
		return
	}
	if err != nil {
		fail(c, fault.New(fault.Invalid, "file-cut-off", "This file did not arrive whole, and nothing was recorded. Send it again.").With(err))
		return
	}
	next, err := readCSV(bytes.NewReader(text))
	if err != nil {
		fail(c, err)
		return
	}
	out, err := s.Records.Import(c.Request.Context(), principal(c), next)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, out)
}

func (s *Server) classify(c *gin.Context) {
	var in struct {
		Patient media.PatientID `json:"patient"`
		Team    access.TeamID   `json:"team"`
		Item    media.ItemID    `json:"item"`
		Class   retention.Class `json:"class"`
	}
	if s.read(c, &in) {
		done(c, s.Records.Classify(c.Request.Context(), principal(c), records.Target{Patient: in.Patient, Team: in.Team, Item: in.Item}, in.Class))
	}
}

// named is a patient as forms name one, and why.
type named struct {
	Kind   string `json:"patient_number_kind"`
	Number string `json:"patient_number"`
	Born   string `json:"date_of_birth"`
	Reason string `json:"reason"`
}

func (s *Server) moveItem(c *gin.Context) {
	var in named
	if s.read(c, &in) {
		done(c, s.Records.Move(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), in.Kind, in.Number, in.Born, in.Reason))
	}
}

func (s *Server) mergePatient(c *gin.Context) {
	var in named
	if !s.read(c, &in) {
		return
	}
	to, err := s.Records.Merge(c.Request.Context(), principal(c), media.PatientID(c.Param("id")), in.Kind, in.Number, in.Born, in.Reason)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"patient": to})
}

func (s *Server) undoMerge(c *gin.Context) {
	var in struct {
		Reason string `json:"reason"`
	}
	if !s.read(c, &in) {
		return
	}
	m, err := s.Records.UndoMerge(c.Request.Context(), principal(c), c.Param("id"), in.Reason)
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, mergeOf(m))
}

func (s *Server) endConsent(c *gin.Context) {
	var in struct {
		Consent media.Consent `json:"consent"`
	}
	if s.read(c, &in) {
		done(c, s.Records.EndConsent(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), in.Consent))
	}
}

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

// Hold keeps what meets its criteria from being destroyed.
type Hold struct {
	ID         retention.HoldID  `json:"id"`
	Reason     string            `json:"reason"`
	Authority  string            `json:"authority"`
	From       string            `json:"from,omitempty"`
	Until      string            `json:"until,omitempty"`
	Teams      []access.TeamID   `json:"teams"`
	Patients   []media.PatientID `json:"patients"`
	BodySite   string            `json:"body_site,omitempty"`
	PlacedBy   access.PersonID   `json:"placed_by"`
	PlacedAt   time.Time         `json:"placed_at"`
	ReleasedAt *time.Time        `json:"released_at,omitempty"`
	Items      int               `json:"items"`
}

func (s *Server) listHolds(c *gin.Context) {
	all, err := s.Records.Holds(c.Request.Context(), principal(c))
	if err != nil {
		fail(c, err)
		return
	}
	out := make([]Hold, 0, len(all))
	for _, h := range all {
		v := Hold{ID: h.ID, Reason: h.Reason, Authority: h.Authority, From: dayOf(h.From), Teams: append([]access.TeamID{}, h.Teams...), Patients: append([]media.PatientID{}, h.Patients...), BodySite: h.SiteName, PlacedBy: h.PlacedBy, PlacedAt: h.PlacedAt, ReleasedAt: at(h.ReleasedAt), Items: h.Items}
		if !h.To.IsZero() {
			v.Until = dayOf(h.To.AddDate(0, 0, -1))
		}
		out = append(out, v)
	}
	c.JSON(http.StatusOK, gin.H{"holds": out})
}

// newHold is a hold as it is asked for.
type newHold struct {
	Reason     string            `json:"reason"`
	Authority  string            `json:"authority"`
	From       string            `json:"from"`
	Until      string            `json:"until"`
	Teams      []access.TeamID   `json:"teams"`
	Patients   []media.PatientID `json:"patients"`
	BodySite   string            `json:"body_site"`
	Everything bool              `json:"everything"`
}

func (n newHold) hold() records.NewHold {
	return records.NewHold{Reason: n.Reason, Authority: n.Authority, From: n.From, To: n.Until, Teams: n.Teams, Patients: n.Patients, Site: n.BodySite, Everything: n.Everything}
}

func (s *Server) placeHold(c *gin.Context) {
	var in newHold
	if !s.read(c, &in) {
		return
	}
	id, err := s.Records.Place(c.Request.Context(), principal(c), in.hold())
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusCreated, gin.H{"id": id})
}

func (s *Server) matchHold(c *gin.Context) {
	var in newHold
	if !s.read(c, &in) {
		return
	}
	items, due, err := s.Records.Match(c.Request.Context(), principal(c), in.hold())
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, gin.H{"items": items, "due": due})
}

func (s *Server) releaseHold(c *gin.Context) {
	var in struct {
		Reason string `json:"reason"`
	}
	if s.read(c, &in) {
		done(c, s.Records.Release(c.Request.Context(), principal(c), retention.HoldID(c.Param("id")), in.Reason))
	}
}
