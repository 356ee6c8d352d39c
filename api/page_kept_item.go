package api

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// keptItemView is the page on which one item of a record is put right.
type keptItemView struct {
	Patient Patient
	Item    keptItem
	Classes []choice
	Levels  []choice // that allow less than now
	Grounds []choice
	Typed   map[string]string
}

func (s *Server) keptItemPage(c *gin.Context) { s.keptItemOf(c, http.StatusOK, nil, nil) }

func (s *Server) keptItemOf(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	if !may(c, access.KeepRecords) {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role sees records and does not change them."))
		return
	}
	r, err := s.Records.Record(c.Request.Context(), principal(c), media.PatientID(c.Param("id")))
	if err != nil {
		failPage(c, err)
		return
	}
	at := slices.IndexFunc(r.Items, func(i records.ItemDue) bool { return string(i.Item) == c.Param("item") })
	if at < 0 {
		failPage(c, fault.New(fault.NotFound, "not-found", "This patient’s record has no such picture. It may have been moved or destroyed."))
		return
	}
	_, teams, err := s.teams(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := keptItemView{Patient: patient(r.Patient), Item: s.keptItem(r.Items[at], teams), Typed: typed,
		Grounds: []choice{{string(retention.ConsentWithdrawn), groundWords[retention.ConsentWithdrawn]}, {string(retention.Erasure), groundWords[retention.Erasure]}}}
	if v.Typed == nil {
		v.Typed = map[string]string{"patient_number_kind": "nhs"}
	}
	v.Classes = classesOf(v.Item.Consent != media.ConsentRecord)
	for _, l := range []media.Consent{media.ConsentRecord, media.ConsentTeaching} {
		if l < v.Item.Consent {
			v.Levels = append(v.Levels, choice{string(l), consentWords[l]})
		}
	}
	render(c, status, "kept", ui.Page{Title: words.Data(v.Item.BodySite), Problem: problem, Notice: doneWords[c.Query("done")], Data: v})
}

// keptForm is a form of an item's page in its record.
func (s *Server) keptForm(done string, do func(c *gin.Context, item media.ItemID, typed map[string]string) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		f, ok := fields(c)
		if !ok {
			return
		}
		id, typed := media.PatientID(c.Param("id")), typedIn(f)
		err := do(c, media.ItemID(c.Param("item")), typed)
		if err == nil {
			s.redate(c, id)
		}
		went(c, err, "/records/"+string(id)+"?done="+done, func(status int, p *ui.Problem) { s.keptItemOf(c, status, typed, p) })
	}
}

func (s *Server) itemClassForm(c *gin.Context, item media.ItemID, typed map[string]string) error {
	return s.Records.Classify(c.Request.Context(), principal(c), records.Target{Item: item}, retention.Class(typed["class"]))
}

func (s *Server) endConsentForm(c *gin.Context, item media.ItemID, typed map[string]string) error {
	return s.Records.EndConsent(c.Request.Context(), principal(c), item, media.Consent(typed["consent"]))
}

// moveForm gives the item to the right patient, and goes on with that one.
func (s *Server) moveForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	ctx, who, typed := c.Request.Context(), principal(c), typedIn(f)
	err := s.Records.Move(ctx, who, media.ItemID(c.Param("item")), typed["patient_number_kind"], typed["patient_number"], dateOfBirth(typed), typed["reason"])
	to := media.PatientID(c.Param("id"))
	if err == nil {
		s.redate(c, to)
		if to, err = s.Records.Find(ctx, who, typed["patient_number_kind"], typed["patient_number"], dateOfBirth(typed)); err == nil {
			s.redate(c, to)
		}
	}
	went(c, err, "/records/"+string(to)+"?done=move", func(status int, p *ui.Problem) { s.keptItemOf(c, status, typed, p) })
}

// endForm proposes the item for destruction before its time.
func (s *Server) endForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := typedIn(f)
	ground := retention.Ground(f.Get("ground"))
	var id retention.BatchID
	err := error(fault.New(fault.Invalid, "ground-unknown", "Choose why it may be destroyed.").In("ground"))
	if ground == retention.ConsentWithdrawn || ground == retention.Erasure {
		id, err = s.Disposal.Propose(c.Request.Context(), principal(c), ground, []media.ItemID{media.ItemID(c.Param("item"))}, f.Get("end_reason"))
	}
	if e := fault.From(err); err != nil && e.Field == "reason" {
		err = e.In("end_reason") // "reason" is another form's on this page
	}
	went(c, err, "/disposals/"+string(id)+"?done=proposed", func(status int, p *ui.Problem) { s.keptItemOf(c, status, typed, p) })
}
