package api

import (
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"strings"
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
func readCSV(text string) (func() ([]string, int, error), error) {
	if !words.Legible(text) {
		return nil, fault.New(fault.Invalid, "csv-encoding", "This file is not in UTF-8, and names in it would come out wrong. In a spreadsheet, save it as CSV UTF-8.").In("file")
	}
	in := csv.NewReader(strings.NewReader(text))
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
	next, err := readCSV(string(text))
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
