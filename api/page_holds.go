package api

import (
	"net/http"
	"net/url"
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

// holdRow is a hold as a page shows it.
type holdRow struct {
	ID                retention.HoldID
	Reason, Authority string
	From, To          time.Time // To is the last day
	Teams             []words.Text
	Patients          []media.PatientID
	Site              words.Text
	All               bool
	PlacedBy          words.Text
	PlacedAt          time.Time
	ReleasedBy        words.Text
	ReleaseWords      string
	ReleasedAt        time.Time
	Items, Due        int
}

type holdsView struct {
	Live, Released []holdRow
	Places         bool
}

func (s *Server) holdsPage(c *gin.Context) { s.holds(c, http.StatusOK, nil) }

func (s *Server) holds(c *gin.Context, status int, problem *ui.Problem) {
	all, err := s.Records.Holds(c.Request.Context(), principal(c))
	if err != nil {
		failPage(c, err)
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := holdsView{Places: may(c, access.PlaceHold)}
	for _, h := range all {
		row := holdRow{ID: h.ID, Reason: h.Reason, Authority: h.Authority, From: h.From, Patients: h.Patients, Site: words.Text(h.SiteName), All: h.All(),
			PlacedBy: personName(people, h.PlacedBy), PlacedAt: h.PlacedAt, ReleaseWords: h.ReleaseReason, ReleasedAt: h.ReleasedAt, Items: h.Items, Due: h.Due}
		if !h.To.IsZero() {
			row.To = h.To.AddDate(0, 0, -1)
		}
		for _, t := range h.Teams {
			row.Teams = append(row.Teams, teamName(teams, t))
		}
		if h.ReleasedAt.IsZero() {
			v.Live = append(v.Live, row)
			continue
		}
		row.ReleasedBy = personName(people, h.ReleasedBy)
		v.Released = append(v.Released, row)
	}
	render(c, status, "holds", ui.Page{Title: "Holds", Wide: true, Problem: problem, Notice: doneWords[c.Query("done")], Data: v})
}

// newHoldView is the form of a hold, and with Looked what it would be on.
type newHoldView struct {
	Typed  map[string]string
	Teams  []Team
	Chosen map[string]bool // teams
	Sites  []choice
	For    *Patient // chosen before, by the address or the form
	Looked *holdRow
}

// newHoldPage shows the form; the address may name a patient that it is for.
func (s *Server) newHoldPage(c *gin.Context) {
	if !may(c, access.PlaceHold) {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role sees holds and does not place them."))
		return
	}
	s.newHold(c, http.StatusOK, url.Values{"patient_number_kind": {"nhs"}, "patient": {c.Query("patient")}}, nil, nil)
}

func (s *Server) newHold(c *gin.Context, status int, f url.Values, looked *holdRow, problem *ui.Problem) {
	_, teams, err := s.teams(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := newHoldView{Typed: typedIn(f), Teams: teams, Chosen: map[string]bool{}, Looked: looked}
	for _, site := range media.Sites() {
		v.Sites = append(v.Sites, choice{string(site), site})
	}
	for _, t := range f["teams"] {
		v.Chosen[t] = true
		if looked != nil {
			looked.Teams = append(looked.Teams, teamName(teams, access.TeamID(t)))
		}
	}
	if id := media.PatientID(f.Get("patient")); id != "" {
		r, err := s.Records.Record(c.Request.Context(), principal(c), id)
		if err != nil {
			failPage(c, err)
			return
		}
		p := patient(r.Patient)
		v.For = &p
	}
	title := words.Text("Place a hold")
	if looked != nil {
		title = "Check the hold"
	}
	render(c, status, "hold", ui.Page{Title: title, Problem: problem, Data: v})
}

// holdIn reads the form of a hold. A patient that is named by number is found
// first, and stands in the form as its identifier from then on.
func (s *Server) holdIn(c *gin.Context, f url.Values) (records.NewHold, error) {
	typed := typedIn(f)
	if typed["patient_number"] != "" && f.Get("patient") == "" {
		id, err := s.Records.Find(c.Request.Context(), principal(c), typed["patient_number_kind"], typed["patient_number"], dateOfBirth(typed))
		if err != nil {
			return records.NewHold{}, err
		}
		f.Set("patient", string(id))
	}
	n := records.NewHold{Reason: f.Get("reason"), Authority: f.Get("authority"), From: dayIn(typed, "from"), To: dayIn(typed, "until"), Site: f.Get("body_site"), Everything: f.Get("everything") == "yes"}
	for _, t := range f["teams"] {
		n.Teams = append(n.Teams, access.TeamID(t))
	}
	if p := f.Get("patient"); p != "" {
		n.Patients = []media.PatientID{media.PatientID(p)}
	}
	return n, nil
}

// lookHoldForm shows what a hold would be on, before it is placed.
func (s *Server) lookHoldForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	if f.Get("do") == "change" {
		s.newHold(c, http.StatusOK, f, nil, nil)
		return
	}
	n, err := s.holdIn(c, f)
	row := holdRow{Reason: n.Reason, Authority: n.Authority, Site: words.Text(n.Site), All: n.Everything, Patients: n.Patients}
	if err == nil {
		row.Items, row.Due, err = s.Records.Match(c.Request.Context(), principal(c), n)
	}
	for _, field := range []string{"reason", "authority"} {
		if err == nil && f.Get(field) == "" {
			err = fault.New(fault.Invalid, field+"-missing", "Write a few words.").In(field)
		}
	}
	switch {
	case err == nil:
		row.From, _ = time.Parse(time.DateOnly, n.From) // the flow has read them
		row.To, _ = time.Parse(time.DateOnly, n.To)
		s.newHold(c, http.StatusOK, f, &row, nil)
	case correctable(err):
		s.newHold(c, logged500(c, err), f, nil, problemOf(err))
	default:
		failPage(c, err)
	}
}

func (s *Server) placeHoldForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	n, err := s.holdIn(c, f)
	if err == nil {
		_, err = s.Records.Place(c.Request.Context(), principal(c), n)
	}
	went(c, err, "/holds?done=placed", func(status int, p *ui.Problem) { s.newHold(c, status, f, nil, p) })
}

func (s *Server) releaseHoldForm(c *gin.Context) {
	if f, ok := fields(c); ok {
		err := s.Records.Release(c.Request.Context(), principal(c), retention.HoldID(c.Param("id")), f.Get("reason"))
		went(c, err, "/holds?done=released", func(status int, p *ui.Problem) {
			p.Field += "-" + c.Param("id")
			s.holds(c, status, p)
		})
	}
}
