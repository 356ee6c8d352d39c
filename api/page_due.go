package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// dueAtOnce is how many items a page of the review queue has.
const dueAtOnce = 50

// dueRow is an item whose time has come.
type dueRow struct {
	ID       media.ItemID
	Patient  media.PatientID
	BodySite string
	Video    bool
	Why      words.Text
	Class    words.Text
	Sure     bool
	Team     words.Text
	FiledAt  time.Time
	ReviewOn time.Time
	Holds    int
	Ticked   bool
	Pictured bool // its thumbnail may be shown to who asks

	HandedOver *disposal.HandedOver
}

type dueView struct {
	Rows    []dueRow
	Free    int // that can be ticked
	Next    string
	First   string
	Teams   []Team
	Team    string
	Classes []choice
	Class   string
	Narrow  bool
	Decides bool
	Typed   map[string]string
	Here    string // the filter and the page, for the form to come back to
}

func (s *Server) duePage(c *gin.Context) {
	s.due(c, http.StatusOK, c.Request.URL.Query(), url.Values{}, nil)
}

// due shows a page of the review queue: what the filter in q chooses, and what
// was typed and ticked.
func (s *Server) due(c *gin.Context, status int, q, typed url.Values, problem *ui.Problem) {
	who := principal(c)
	f := disposal.DueFilter{Team: access.TeamID(q.Get("team")), Rule: retention.Class(q.Get("class")), After: media.ItemID(q.Get("after")), Limit: dueAtOnce}
	for _, id := range []string{string(f.Team), string(f.After)} {
		if id != "" && !media.ValidID(id) {
			failPage(c, fault.New(fault.Invalid, "filter-wrong", "This filter is not right. Choose from the list."))
			return
		}
	}
	rows, more, err := s.Disposal.Due(c.Request.Context(), who, f)
	if err != nil {
		failPage(c, err)
		return
	}
	_, teams, err := s.teams(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := dueView{Teams: teams, Team: string(f.Team), Classes: classesOf(true), Class: string(f.Rule), Narrow: f.Team != "" || f.Rule != "", Decides: may(c, access.ProposeDisposal), Typed: typedIn(typed)}
	ticked := map[string]bool{}
	for _, id := range typed["item"] {
		ticked[id] = true
	}
	for _, r := range rows {
		v.Rows = append(v.Rows, dueRow{r.Item, r.Patient, r.BodySite, r.Format.Video(), r.Why, words.Text(r.Class), r.Sure, teamName(teams, r.Team), r.FiledAt, r.DueOn, r.HeldBy, ticked[string(r.Item)],
			access.Decide(who, access.ShowItem, 0) == access.Allow, r.HandedOver})
		if r.HeldBy == 0 {
			v.Free++
		}
	}
	filter := url.Values{}
	for _, name := range []string{"team", "class"} {
		if q.Get(name) != "" {
			filter.Set(name, q.Get(name))
		}
	}
	v.First = "/due?" + filter.Encode()
	if more && len(rows) > 0 {
		next := url.Values{"after": {string(rows[len(rows)-1].Item)}}
		for name := range filter {
			next.Set(name, filter.Get(name))
		}
		v.Next = "/due?" + next.Encode()
	}
	if f.After == "" {
		v.First = ""
	} else {
		filter.Set("after", string(f.After))
	}
	v.Here = filter.Encode()
	render(c, status, "due", ui.Page{Title: "Due for review", Wide: true, Problem: problem, Notice: doneWords[q.Get("done")], Data: v})
}

// decideDueForm decides about the ticked items.
func (s *Server) decideDueForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	ctx, who, decision := c.Request.Context(), principal(c), f.Get("decision")
	var items []media.ItemID
	for _, id := range f["item"] {
		items = append(items, media.ItemID(id))
	}
	q, err := url.ParseQuery(f.Get("here"))
	if err != nil {
		q = url.Values{}
	}
	to := url.Values{"done": {decision}}
	for _, name := range []string{"team", "class"} {
		if q.Get(name) != "" {
			to.Set(name, q.Get(name))
		}
	}
	next := "/due?" + to.Encode()
	if decision == "hand-over" { // to whom is asked on a page of its own
		s.newHandover(c, http.StatusOK, f, nil)
		return
	}
	if decision == "destroy" {
		var id retention.BatchID
		id, err = s.Disposal.Propose(ctx, who, retention.PeriodEnded, items, f.Get("reason"))
		next = "/disposals/" + string(id) + "?done=proposed"
	} else {
		err = s.Disposal.Keep(ctx, who, items, decision, dayIn(typedIn(f), "until"), f.Get("reason"))
	}
	went(c, err, next, func(status int, p *ui.Problem) { s.due(c, status, q, f, p) })
}
