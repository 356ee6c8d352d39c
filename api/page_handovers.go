package api

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/handover"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// How far a handover is.
var handoverWords = map[retention.HandoverState]stage{
	retention.HandoverProposed:  {"Waits for a second person", "yellow", "Nothing leaves this system until a different person approves it."},
	retention.HandoverApproved:  {"Approved", "orange", "Fetch the package, send it, and record it here once the receiver has confirmed it."},
	retention.HandoverEnded:     {"Ended", "grey", "What is in it stays, and comes back for review."},
	retention.HandoverConfirmed: {"Confirmed by the receiver", "green", "What is in it can be proposed for destruction under Due for review."},
}

// handoverRow is a handover as pages show it.
type handoverRow struct {
	handover.View
	Says, Next                                 words.Text
	Colour                                     string
	ProposedBy, DecidedBy, SentBy, ConfirmedBy words.Text
	ByMe, Decide, Ends, Sends, Confirms        bool
	Typed                                      map[string]string
}

func handoverRowOf(c *gin.Context, v handover.View, people []Person) handoverRow {
	w, proposes := handoverWords[v.State], may(c, access.ProposeHandover)
	approved := v.State == retention.HandoverApproved
	r := handoverRow{View: v, Says: w.Text, Colour: w.Colour, Next: w.Next, ProposedBy: personName(people, v.ProposedBy), ByMe: v.ProposedBy == principal(c).Person.ID,
		Decide: may(c, access.ApproveHandover) && v.State == retention.HandoverProposed, Ends: proposes && (approved || v.State == retention.HandoverProposed),
		Sends: proposes && approved, Confirms: proposes && approved && !v.SentAt.IsZero(),
		DecidedBy: nameOf(people, v.DecidedBy), SentBy: nameOf(people, v.SentBy), ConfirmedBy: nameOf(people, v.ConfirmedBy)}
	return r
}

func (s *Server) handoversPage(c *gin.Context) {
	all, err := s.Handover.List(c.Request.Context(), principal(c), retention.HandoverID(c.Query("after")))
	if err != nil {
		failPage(c, err)
		return
	}
	people, err := s.colleagues(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := struct {
		Rows  []handoverRow
		Next  string
		First bool
	}{First: c.Query("after") == ""}
	for _, h := range all {
		v.Rows = append(v.Rows, handoverRowOf(c, h, people))
	}
	if len(all) == handover.AtOnce {
		v.Next = "/handovers?after=" + string(all[len(all)-1].ID)
	}
	render(c, http.StatusOK, "handovers", ui.Page{Title: "Handovers", Wide: true, Data: v})
}

// newHandover asks to whom the ticked items go.
func (s *Server) newHandover(c *gin.Context, status int, typed url.Values, problem *ui.Problem) {
	if !may(c, access.ProposeHandover) {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role sees records and does not decide about them."))
		return
	}
	if len(typed["item"]) == 0 {
		s.due(c, http.StatusUnprocessableEntity, url.Values{}, typed, &ui.Problem{Field: "item", Text: "Tick at least one picture."})
		return
	}
	render(c, status, "handover-new", ui.Page{Title: "Hand over", Problem: problem, Data: map[string]any{"Items": typed["item"], "Typed": typedIn(typed)}})
}

func (s *Server) proposeHandoverForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	n := handover.New{Receiver: f.Get("receiver"), Recipient: f.Get("recipient"), Reason: f.Get("reason")}
	for _, id := range f["item"] {
		n.Items = append(n.Items, media.ItemID(id))
	}
	id, err := s.Handover.Propose(c.Request.Context(), principal(c), n)
	went(c, err, "/handovers/"+string(id)+"?done=handed", func(status int, p *ui.Problem) { s.newHandover(c, status, f, p) })
}

func (s *Server) handoverPage(c *gin.Context) { s.handover(c, http.StatusOK, nil, nil) }

func (s *Server) handover(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	v, err := s.Handover.Show(c.Request.Context(), principal(c), retention.HandoverID(c.Param("id")))
	if err != nil {
		failPage(c, err)
		return
	}
	people, err := s.colleagues(c)
	if err != nil {
		failPage(c, err)
		return
	}
	r := handoverRowOf(c, v, people)
	if r.Typed = typed; typed == nil {
		r.Typed = map[string]string{}
	}
	render(c, status, "handover", ui.Page{Title: "Handover", Wide: true, Problem: problem, Notice: doneWords[c.Query("done")], Data: r})
}

// handoverForm is a form of a handover's page that takes a few words.
func (s *Server) handoverForm(done, field string, decide decidesHandover) gin.HandlerFunc {
	return func(c *gin.Context) {
		f, ok := fields(c)
		if !ok {
			return
		}
		err := decide(c.Request.Context(), principal(c), retention.HandoverID(c.Param("id")), f.Get(field))
		s.handoverWent(c, done, field, typedIn(f), err)
	}
}

func (s *Server) confirmHandoverForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	typed := typedIn(f)
	err := s.Handover.Confirm(c.Request.Context(), principal(c), retention.HandoverID(c.Param("id")), retention.Confirmation{By: typed["confirmed_by"], On: dayIn(typed, "on"), Reference: typed["reference"]})
	s.handoverWent(c, "confirmed", "", typed, err)
}

func (s *Server) handoverWent(c *gin.Context, done, field string, typed map[string]string, err error) {
	decisionWent(c, err, "/handovers/"+c.Param("id"), "handover-"+done, field, func(status int, p *ui.Problem) { s.handover(c, status, typed, p) })
}
