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
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// row is an item in a list.
type row struct {
	ID             media.ItemID
	Patient        Patient
	BodySite, Note string
	Team           words.Text
	Format         string
	Video          bool
	Asks           bool // it can be chosen, to ask about it
	Pictured       bool // its thumbnail may be shown to who asks
	TakenAt        time.Time
	FiledAt        time.Time
}

// pageRows is how many items a page of the list has.
const pageRows = 20

type picturesView struct {
	Rows    []row
	Next    string // address of the next page
	First   string // address of the first page, when this is another
	Typed   map[string]string
	Teams   []Team
	Team    access.TeamID
	Mine    bool
	For     media.PatientID // the list is narrowed to this patient
	Patient *Patient
	Case    media.CaseID
	Cases   []Case
	Narrow  bool
	Sends   bool
	Asks    bool // some can be asked about together
	Breaks  bool // may take emergency access
}

func (s *Server) picturesPage(c *gin.Context) {
	s.pictures(c, http.StatusOK, map[string]string{"patient_number_kind": "nhs"}, nil)
}

func (s *Server) pictures(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	who := principal(c)
	f := transfer.ItemFilter{
		Patient: media.PatientID(c.Query("patient")), Case: media.CaseID(c.Query("case")), Team: access.TeamID(c.Query("team")),
		After: media.ItemID(c.Query("after")), Limit: pageRows,
	}
	v := picturesView{Typed: typed, Team: f.Team, For: f.Patient, Case: f.Case, Mine: c.Query("mine") == "yes", Sends: access.May(who, access.UploadItem) == access.Allow && len(who.Teams) > 0}
	if v.Mine {
		f.Uploader = who.Person.ID
	}
	for _, id := range []string{string(f.Patient), string(f.Case), string(f.Team), string(f.After)} {
		if id != "" && !media.ValidID(id) {
			failPage(c, fault.New(fault.Invalid, "filter-wrong", "This filter is not right. Choose from the list."))
			return
		}
	}
	v.Breaks = access.May(who, access.BreakGlass) == access.Allow && !slices.ContainsFunc(emergencies(c), func(e oversight.Emergency) bool { return e.Patient == f.Patient })
	v.Narrow = f.Patient != "" || f.Case != "" || f.Team != "" || v.Mine
	rows, more, err := s.rows(c, f)
	if err == nil && f.Patient != "" {
		v.Cases, err = s.casesOf(c, f.Patient)
	}
	if err == nil {
		_, v.Teams, err = s.teams(c)
	}
	if err != nil {
		failPage(c, err)
		return
	}
	v.Rows = rows
	v.Asks = slices.ContainsFunc(rows, func(r row) bool { return r.Asks })
	if f.Patient != "" && len(rows) > 0 {
		v.Patient = &rows[0].Patient
	}
	q := c.Request.URL.Query()
	if q.Has("after") {
		q.Del("after")
		v.First = "/pictures?" + q.Encode()
	}
	if more {
		q.Set("after", string(rows[len(rows)-1].ID))
		v.Next = "/pictures?" + q.Encode()
	}
	render(c, status, "pictures", ui.Page{Title: "Pictures", Wide: true, Problem: problem, Data: v})
}

// rows lists items with what a list shows of them.
func (s *Server) rows(c *gin.Context, f transfer.ItemFilter) ([]row, bool, error) {
	who := principal(c)
	views, more, err := s.Items.Named(c.Request.Context(), who, f)
	if err != nil {
		return nil, false, err
	}
	_, all, err := s.teams(c)
	if err != nil {
		return nil, false, err
	}
	var out []row
	for _, v := range views {
		r := row{ID: v.ID, Patient: patient(*v.Patient), BodySite: v.BodySite, Note: v.Note, Team: teamName(all, v.Team), Format: v.Format.String(), Video: v.Format.Video(), TakenAt: v.CapturedAt, FiledAt: v.FiledAt}
		r.Pictured = access.Decide(who, access.ShowItem, v.Relation) == access.Allow
		r.Asks = f.Patient != "" && access.Decide(who, access.MakeReferral, v.Relation) == access.Allow // several of one patient together
		out = append(out, r)
	}
	return out, more, nil
}

// thumbnail shows a thumbnail, or a drawing where there is none yet.
func (s *Server) thumbnail(c *gin.Context) {
	content, err := s.Views.Item(c.Request.Context(), principal(c), media.ItemID(c.Param("id")), media.Thumbnail, transfer.Span{}, true)
	switch {
	case err == nil:
		serve(c, content)
	case fault.From(err).Code == "rendition-missing":
		w := ui.Waiting()
		c.Data(http.StatusOK, w.MediaType, w.Body)
	default:
		fail(c, err)
	}
}
