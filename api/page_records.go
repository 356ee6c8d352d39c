package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// teamClass is a team and the class of what it files.
type teamClass struct {
	ID    access.TeamID
	Name  string
	Class string
}

// recordsView is the page on which a record is looked for.
type recordsView struct {
	Typed   map[string]string
	Keeps   bool // may change what is kept
	Teams   []teamClass
	Classes []choice
	Header  string
	Lines   string // typed, or what was refused and can be put right
	File    template.URL
	Out     *records.Imported
}

func (s *Server) recordsPage(c *gin.Context) {
	s.records(c, http.StatusOK, recordsView{}, nil)
}

func (s *Server) records(c *gin.Context, status int, v recordsView, problem *ui.Problem) {
	who := principal(c)
	given, err := s.Records.TeamClasses(c.Request.Context(), who)
	if err != nil {
		failPage(c, err)
		return
	}
	_, teams, err := s.teams(c)
	if err != nil {
		failPage(c, err)
		return
	}
	for _, t := range teams {
		v.Teams = append(v.Teams, teamClass{t.ID, t.Name, string(given[t.ID])})
	}
	if v.Typed == nil {
		v.Typed = map[string]string{"patient_number_kind": "nhs"}
	}
	v.Keeps, v.Classes, v.Header = may(c, access.KeepRecords), classesOf(false), records.CSVHeaderText()
	render(c, status, "records", ui.Page{Title: "Records", Wide: true, Problem: problem, Notice: doneWords[c.Query("done")], Data: v})
}

// findRecordForm leads to a patient's record. The number stays out of the
// address.
func (s *Server) findRecordForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := typedIn(f)
	id, err := s.Records.Find(c.Request.Context(), principal(c), typed["patient_number_kind"], typed["patient_number"], dateOfBirth(typed))
	went(c, err, "/records/"+string(id), func(status int, p *ui.Problem) { s.records(c, status, recordsView{Typed: typed}, p) })
}

func (s *Server) teamClassForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	err := s.Records.Classify(c.Request.Context(), principal(c), records.Target{Team: access.TeamID(f.Get("team"))}, retention.Class(f.Get("class")))
	went(c, err, "/records?done=team", func(status int, p *ui.Problem) { s.records(c, status, recordsView{}, p) })
}

// importForm records a file of patient events, or what was pasted, and shows
// what was refused, to be put right and sent again.
func (s *Server) importForm(c *gin.Context) {
	text, ok := csvIn(c)
	if !ok {
		return
	}
	again := func(err error) {
		if !correctable(err) {
			failPage(c, err)
			return
		}
		s.records(c, logged500(c, err), recordsView{Lines: text}, problemOf(err))
	}
	next, err := readCSV(text)
	if err != nil {
		again(err)
		return
	}
	rows := map[int][]string{}
	out, err := s.Records.Import(c.Request.Context(), principal(c), func() ([]string, int, error) {
		row, line, err := next()
		rows[line] = row
		return row, line, err
	})
	if err != nil {
		again(err)
		return
	}
	v := recordsView{Out: &out}
	if len(out.Refused) > 0 {
		v.Lines = refusedLines(text, rows, out.Refused)
		v.File = template.URL("data:text/csv;charset=utf-8," + url.PathEscape(v.Lines)) // #nosec G203 -- a download of what was sent, escaped
	}
	s.records(c, http.StatusOK, v, nil)
}

// csvIn reads the file of a form, or else its text. Nothing of it touches a
// disk: it names patients.
func csvIn(c *gin.Context) (string, bool) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxCSV+maxForm)
	if err := c.Request.ParseMultipartForm(maxCSV + maxForm); err != nil {
		code, kind, text := "form-wrong", fault.Invalid, words.Text("This form did not arrive whole. Go back and send it again.")
		if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
			code, kind, text = "form-too-large", fault.TooLarge, "This file is larger than 1 MB. Split it, with the first line in each part."
		}
		failPage(c, fault.New(kind, code, text).With(err))
		return "", false
	}
	if f, _, err := c.Request.FormFile("file"); err == nil {
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			failPage(c, fault.New(fault.Invalid, "form-wrong", "This form did not arrive whole. Go back and send it again.").With(err))
			return "", false
		}
		if len(b) > 0 {
			return string(b), true
		}
	}
	return c.Request.FormValue("lines"), true
}

// refusedLines gives the lines that were refused, as a file of their own.
func refusedLines(text string, rows map[int][]string, refused []records.RefusedLine) string {
	raw := strings.Split(text, "\n")
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(records.CSVHeader())
	for _, r := range refused {
		if row := rows[r.Line]; row != nil {
			_ = w.Write(row)
			continue
		}
		w.Flush()
		if r.Line >= 1 && r.Line <= len(raw) { // it could not be read as fields
			b.WriteString(strings.TrimSuffix(raw[r.Line-1], "\r") + "\n")
		}
	}
	w.Flush()
	return b.String()
}

// happened is a patient event as a page shows it.
type happened struct {
	ID        retention.EventID
	What      words.Text
	On        time.Time
	Note      string
	By        words.Text
	Source    words.Text
	At        time.Time
	Cancelled time.Time
}

// keptItem is an item of a record as a page shows it.
type keptItem struct {
	ID       media.ItemID
	BodySite string
	Video    bool
	FiledAt  time.Time
	Team     words.Text
	Class    words.Text
	Why      words.Text
	Sure     bool
	Held     bool
	Due      bool      // may be reviewed
	ReviewOn time.Time // zero: never by itself
	Kept     time.Time // a review decided to keep it until then
	Consent  media.Consent
	Own      string // class of its own
}

// recordView is a patient's record.
type recordView struct {
	Patient  Patient
	Class    string
	ByAge    words.Text // adult or child
	Classes  []choice
	Entry    time.Time
	Schedule bool
	Events   []happened
	Kinds    []choice
	Items    []keptItem
	Merges   []mergeRow
	Typed    map[string]string
	Keeps    bool
	Holds    bool
	Sees     bool // the page of an item
}

func (s *Server) recordPage(c *gin.Context) { s.recordOf(c, http.StatusOK, nil, nil) }

func (s *Server) recordOf(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	r, err := s.Records.Record(c.Request.Context(), principal(c), media.PatientID(c.Param("id")))
	if err != nil {
		failPage(c, err)
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := recordView{Patient: patient(r.Patient), Class: string(r.Class), ByAge: byAgeWords[r.ByAge], Classes: classesOf(false), Entry: r.LastEntry, Schedule: r.Schedule != nil,
		Typed: typed, Keeps: may(c, access.KeepRecords), Holds: may(c, access.PlaceHold), Sees: may(c, access.DescribeItem)}
	if v.Typed == nil {
		v.Typed = map[string]string{"patient_number_kind": "nhs"}
	}
	for _, k := range retention.EventKinds() {
		v.Kinds = append(v.Kinds, choice{string(k), happenedWords[k]})
	}
	for _, e := range r.Events {
		v.Events = append(v.Events, happened{e.ID, happenedWords[e.Kind], e.On, e.Note, personName(people, e.By), sourceWords[e.Source], e.At, e.CancelledAt})
	}
	for _, i := range r.Items {
		v.Items = append(v.Items, s.keptItem(i, teams))
	}
	for _, m := range r.Merges {
		v.Merges = append(v.Merges, mergeRow{m, patient(m.Other), m.To == r.Patient.ID, personName(people, m.By), personName(people, m.UndoneBy), items(m.Since.Items, v.Items)})
	}
	render(c, status, "record", ui.Page{Title: words.Data(v.Patient.Name), Wide: true, Problem: problem, Notice: doneWords[c.Query("done")], Data: v})
}

func (s *Server) keptItem(i records.ItemDue, teams []Team) keptItem {
	k := keptItem{ID: i.Item, BodySite: i.BodySite, Video: i.Format.Video(), FiledAt: i.FiledAt, Team: teamName(teams, i.Team), Class: words.Text(i.Due.Rule.Title), Why: i.Due.Why,
		Sure: i.Confirmed, Held: i.Held, ReviewOn: i.Due.Review(), Consent: i.Consent, Own: string(i.Own)}
	if i.KeptUntil.After(k.ReviewOn) && !k.ReviewOn.IsZero() {
		k.Kept, k.ReviewOn = i.KeptUntil, i.KeptUntil
	}
	k.Due = !k.ReviewOn.IsZero() && !k.ReviewOn.After(time.Now())
	return k
}

// recordForm is a form of a record's page; do changes the record and gives the
// name of what it did.
func (s *Server) recordForm(done string, do func(c *gin.Context, id media.PatientID, typed map[string]string) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		f, ok := fields(c)
		if !ok {
			return
		}
		id, typed := media.PatientID(c.Param("id")), typedIn(f)
		err := do(c, id, typed)
		if err == nil {
			s.redate(c, id)
		}
		went(c, err, "/records/"+string(id)+"?done="+done, func(status int, p *ui.Problem) { s.recordOf(c, status, typed, p) })
	}
}

func (s *Server) eventForm(c *gin.Context, id media.PatientID, typed map[string]string) error {
	return s.Records.AddEvent(c.Request.Context(), principal(c), id, records.NewEvent{Kind: retention.EventKind(typed["event"]), On: dayIn(typed, "on"), Note: typed["note"], Source: "page"})
}

func (s *Server) cancelEventForm(c *gin.Context, id media.PatientID, _ map[string]string) error {
	return s.Records.CancelEvent(c.Request.Context(), principal(c), id, retention.EventID(c.Param("event")))
}

func (s *Server) classForm(c *gin.Context, id media.PatientID, typed map[string]string) error {
	return s.Records.Classify(c.Request.Context(), principal(c), records.Target{Patient: id}, retention.Class(typed["class"]))
}
