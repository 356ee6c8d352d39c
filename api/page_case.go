package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// watermark is what stands over every picture that is looked at: who looks,
// and when.
type watermark struct {
	ID  string // of this one among those of the page
	Who string
	At  time.Time
}

// watermarkName is how much of a name a watermark has room for.
const watermarkName = 40

func watermarkFor(c *gin.Context, id string) watermark {
	name := []rune(principal(c).Person.Name)
	return watermark{id, string(name[:min(len(name), watermarkName)]), time.Now()}
}

// timelineRows is how many pictures a timeline shows.
const timelineRows = 200

// timelineView is a case or a patient over time.
type timelineView struct {
	Title   string // of the case; empty for all of a patient
	Patient *Patient
	Case    media.CaseID
	For     media.PatientID
	Team    words.Text
	Rows    []row // newest first
	More    bool  // there are older ones
	Chosen  map[media.ItemID]bool
	Pairs   bool // there are two pictures that could be compared
	Sends   bool
}

func (s *Server) casePage(c *gin.Context) { s.caseOver(c, media.CaseID(c.Param("id")), nil) }

func (s *Server) caseOver(c *gin.Context, id media.CaseID, problem *ui.Problem) {
	v, err := s.Patients.Case(c.Request.Context(), principal(c), id)
	if err != nil {
		failPage(c, err)
		return
	}
	_, teams, err := s.teams(c)
	if err != nil {
		failPage(c, err)
		return
	}
	s.timeline(c, timelineView{Title: v.Title, Case: v.ID, For: v.Patient, Team: teamName(teams, v.Team)}, transfer.ItemFilter{Case: v.ID, Limit: timelineRows}, problem)
}

func (s *Server) patientPage(c *gin.Context) {
	s.patientOver(c, media.PatientID(c.Param("id")), nil)
}

// patientOver shows what of a patient's pictures who asks may see. Where that
// is nothing, it does not say whether there is such a patient.
func (s *Server) patientOver(c *gin.Context, id media.PatientID, problem *ui.Problem) {
	if !media.ValidID(string(id)) {
		failPage(c, fault.New(fault.NotFound, "not-found", "There is nothing here that you may see."))
		return
	}
	s.timeline(c, timelineView{For: id}, transfer.ItemFilter{Patient: id, Limit: timelineRows}, problem)
}

func (s *Server) timeline(c *gin.Context, v timelineView, f transfer.ItemFilter, problem *ui.Problem) {
	rows, more, err := s.rows(c, f)
	if err != nil {
		failPage(c, err)
		return
	}
	slices.SortStableFunc(rows, func(a, b row) int { return b.when().Compare(a.when()) })
	v.Rows, v.More = rows, more
	v.Chosen = map[media.ItemID]bool{}
	for _, id := range c.QueryArray("item") {
		v.Chosen[media.ItemID(id)] = true
	}
	comparable := 0
	for _, r := range rows {
		if r.Pictured {
			comparable++
		}
	}
	v.Pairs = comparable > 1
	who := principal(c)
	v.Sends = access.May(who, access.UploadItem) == access.Allow && len(who.Teams) > 0
	if len(rows) > 0 {
		v.Patient = &rows[0].Patient
	}
	title, status := words.Data(v.Title), http.StatusOK
	if title == "" {
		title = "One patient over time"
	}
	if problem != nil {
		status = http.StatusUnprocessableEntity
	}
	render(c, status, "timeline", ui.Page{Title: title, Problem: problem, Data: v})
}

// when orders a timeline: by when a picture was taken or, where that is not
// known, filed.
func (r row) when() time.Time {
	if r.TakenAt.IsZero() {
		return r.FiledAt
	}
	return r.TakenAt
}

// compareView is two pictures of one patient, the older first. A video is
// compared by one of its frames.
type compareView struct {
	Patient Patient
	Case    media.CaseID // of both, or empty
	Sides   []side
	Film    bool // one of them is a video, or both are
}

// side is one of the two pictures.
type side struct {
	ID       media.ItemID
	BodySite string
	Taken    bool // When is when it was taken, and not when it was filed
	When     time.Time
	Viewer   *viewer
}

// errTwo asks for what there is to compare.
var errTwo = fault.New(fault.Invalid, "compare-two", "Choose two pictures to compare.").In("item")

// comparePage lays two pictures of one patient beside each other.
func (s *Server) comparePage(c *gin.Context) {
	ids := c.QueryArray("item")
	if len(ids) != 2 || ids[0] == ids[1] {
		switch {
		case media.ValidID(c.Query("case")):
			s.caseOver(c, media.CaseID(c.Query("case")), problemOf(errTwo))
		case media.ValidID(c.Query("patient")):
			s.patientOver(c, media.PatientID(c.Query("patient")), problemOf(errTwo))
		default:
			failPage(c, errTwo)
		}
		return
	}
	var v compareView
	for _, id := range ids {
		d, sd, err := s.sideOf(c, media.ItemID(id))
		if err != nil {
			failPage(c, err)
			return
		}
		if len(v.Sides) == 1 && v.Patient.ID != d.Patient.ID {
			failPage(c, fault.New(fault.Invalid, "compare-one-patient", "These pictures are of two patients. Pictures of one patient can be compared."))
			return
		}
		switch {
		case len(v.Sides) == 0:
			v.Case = d.Case
		case d.Case != v.Case:
			v.Case = ""
		}
		v.Patient, v.Sides, v.Film = d.Patient, append(v.Sides, sd), v.Film || sd.Viewer.Video
	}
	slices.SortStableFunc(v.Sides, func(a, b side) int { return a.When.Compare(b.When) })
	for i, name := range []string{"older", "newer"} {
		v.Sides[i].Viewer.Mark = watermarkFor(c, name)
	}
	render(c, http.StatusOK, "compare", ui.Page{Title: "Compare two pictures", Wide: true, Data: v})
}

// sideOf describes a picture that who asks may see. Its bytes are asked for,
// decided about and recorded when the page shows it.
func (s *Server) sideOf(c *gin.Context, id media.ItemID) (itemView, side, error) {
	v, d, err := s.described(c, id)
	if err != nil {
		return d, side{}, err
	}
	who := principal(c)
	w := viewerOf(v, "/api/v1/items/"+string(v.ID)+"/renditions/")
	switch {
	case access.Decide(who, access.ShowItem, v.Relation) != access.Allow:
		return d, side{}, fault.New(fault.NotFound, "not-found", "There is nothing here that you may see. It may belong to another team, or the link to it may have ended.")
	case w.Src == "":
		return d, side{}, fault.New(fault.Invalid, "compare-waiting", "A form of this picture that browsers can show is still being made, or cannot be made. Try again in a moment.")
	}
	sd := side{ID: v.ID, BodySite: d.BodySite, Taken: !d.TakenAt.IsZero(), When: d.TakenAt, Viewer: w}
	if !sd.Taken {
		sd.When = d.FiledAt
	}
	return d, sd, nil
}
