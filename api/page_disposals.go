package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/words"
)

// How far a batch is.
var batchWords = map[retention.BatchState]stage{
	retention.Proposed:  {"Waits for a second person", "yellow", "Nothing is destroyed until a different person approves it."},
	retention.Refused:   {"Refused", "grey", "Everything in it stays, and comes back for review."},
	retention.Approved:  {"Approved, can be undone", "orange", "It can be undone until the time below. Then it is destroyed."},
	retention.Undone:    {"Undone", "grey", "Everything in it stays, and comes back for review."},
	retention.Running:   {"Being destroyed", "red", "There is no way back. If the server stops, it goes on from where it was."},
	retention.Destroyed: {"Destroyed", "green", ""},
}

var sparedWords = map[string]words.Text{
	retention.SparedHeld: "a hold was on it", retention.SparedNotDue: "its record came back into use, or its date moved", retention.SparedGone: "it had been destroyed before",
}

// batchRow is a batch in the destruction log.
type batchRow struct {
	ID                   retention.BatchID
	State                retention.BatchState
	Says, Next, Ground   words.Text
	Colour               string
	Reason, Decision     string
	Items, Gone, Spared  int
	ProposedBy           words.Text
	ProposedAt           time.Time
	DecidedBy            words.Text
	DecidedAt            time.Time
	UndoUntil            time.Time
	StartedAt, Finished  time.Time
	Certified, Final     bool
	ByMe, Undoes, Decide bool
}

func batchOf(c *gin.Context, v disposal.BatchView, people []Person) batchRow {
	w := batchWords[v.State]
	r := batchRow{ID: v.ID, State: v.State, Says: w.Text, Colour: w.Colour, Next: w.Next, Ground: groundWords[v.Ground], Reason: v.Reason, Decision: v.Decision, Items: v.Items, Gone: v.Gone, Spared: v.Spared,
		ProposedBy: "the system, under the organisation’s policy", ProposedAt: v.ProposedAt, DecidedBy: nameOf(people, v.DecidedBy), DecidedAt: v.DecidedAt, UndoUntil: v.RunAt, StartedAt: v.StartedAt, Finished: v.FinishedAt,
		Certified: len(v.Certificate) > 0, Final: len(v.Final) > 0}
	if v.ProposedBy != "" {
		r.ProposedBy = personName(people, v.ProposedBy)
	}
	decides := may(c, access.ApproveDisposal)
	r.ByMe = v.ProposedBy == principal(c).Person.ID
	r.Decide = decides && v.State == retention.Proposed
	r.Undoes = decides && (v.State == retention.Approved && time.Now().Before(v.RunAt) || v.State == retention.Proposed && r.ByMe)
	return r
}

type disposalsView struct {
	Rows    []batchRow
	Waiting int // for who looks to decide
	Next    string
	First   bool
}

// batchesAtOnce is how many batches the flow gives at once.
const batchesAtOnce = 100

func (s *Server) disposalsPage(c *gin.Context) {
	all, err := s.Disposal.List(c.Request.Context(), principal(c), retention.BatchID(c.Query("after")))
	if err != nil {
		failPage(c, err)
		return
	}
	people, err := s.colleagues(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := disposalsView{First: c.Query("after") == ""}
	for _, b := range all {
		r := batchOf(c, b, people)
		if r.Decide && !r.ByMe {
			v.Waiting++
		}
		v.Rows = append(v.Rows, r)
	}
	if len(all) == batchesAtOnce {
		v.Next = "/disposals?after=" + string(all[len(all)-1].ID)
	}
	render(c, http.StatusOK, "disposals", ui.Page{Title: "Disposals", Wide: true, Data: v})
}

// batchLine is one item of a batch.
type batchLine struct {
	ID       media.ItemID
	State    words.Text
	BodySite string
	Team     words.Text
	Class    words.Text
	Why      words.Text
	Was      words.Text // what is gone, as the certificate says
	Sure     bool
	Held     int
	There    bool // its record can be looked at

	HandedOver *disposal.HandedOver
}

type batchView struct {
	batchRow
	Lines   []batchLine
	Left    words.Text // how long it can still be undone
	Again   int        // seconds after which the page looks again; 0 for not
	Backups time.Time  // from when no backup holds a key
	KeptFor int        // days that backups are kept
	Done    int        // per cent, while it runs
	Typed   map[string]string
	Matched bool // a number was compared with the certificate
	Matches int
	Sees    bool
}

// notMatched is of a page that compared no number with its certificate.
const notMatched = -1

func (s *Server) disposalPage(c *gin.Context) { s.disposal(c, http.StatusOK, nil, notMatched, nil) }

func (s *Server) disposal(c *gin.Context, status int, typed map[string]string, matched int, problem *ui.Problem) {
	b, err := s.Disposal.Show(c.Request.Context(), principal(c), retention.BatchID(c.Param("id")))
	if err != nil {
		failPage(c, err)
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := batchView{batchRow: batchOf(c, b, people), Backups: b.Backups, KeptFor: int(s.Disposal.Policy.Backups / (24 * time.Hour)), Typed: typed, Matched: matched >= 0, Matches: matched, Sees: may(c, access.DescribeItem)}
	if v.Typed == nil {
		v.Typed = map[string]string{"patient_number_kind": "nhs"}
	}
	left := time.Until(b.RunAt)
	if b.State == retention.Approved {
		v.Left = leftWords(left)
	}
	v.Again = lookAgain(b.State, left)
	if b.Items > 0 {
		v.Done = 100 * (b.Gone + b.Spared) / b.Items
	}
	for _, l := range b.Lines {
		v.Lines = append(v.Lines, lineOf(l, b, teams))
	}
	render(c, status, "disposal", ui.Page{Title: "Disposal", Wide: true, Problem: problem, Notice: doneWords[c.Query("done")], Data: v})
}

func lineOf(l retention.BatchItem, b disposal.BatchView, teams []Team) batchLine {
	out := batchLine{ID: l.Item}
	switch l.State {
	case retention.Erased:
		out.State = "Destroyed"
	case retention.Keyless:
		out.State = "Keys destroyed; its objects follow"
	case retention.Spared:
		out.State = words.Say("Stays: {why}", sparedWords[l.Why])
	}
	if d, ok := b.Why[l.Item]; ok {
		out.BodySite, out.Team, out.Class, out.Why, out.Sure, out.Held, out.There = d.BodySite, teamName(teams, d.Team), words.Text(d.Class), d.Why, d.Sure, d.HeldBy, true
		out.HandedOver = d.HandedOver
		return out
	}
	var line disposal.Line
	if len(l.Facts) > 0 && json.Unmarshal(l.Facts, &line) == nil {
		out.Team, out.Class, out.Was = words.Data(line.Team), words.Text(line.Class), words.Say("{format}, filed {day}", line.Format, ui.DayOf(line.FiledAt))
		out.HandedOver = line.HandedOver
	}
	return out
}

// lookAgain is after how many seconds a page looks again by itself: soon while
// a batch is being destroyed, or is about to be.
func lookAgain(state retention.BatchState, left time.Duration) int {
	const soon = 5
	switch {
	case state == retention.Running, state == retention.Approved && left <= 0:
		return soon
	case state == retention.Approved && left < 10*time.Minute:
		return int(left/time.Second) + soon
	}
	return 0
}

// leftWords says how long something can still be undone.
func leftWords(left time.Duration) words.Text {
	switch {
	case left <= 0:
		return "no time is left"
	case left < time.Minute:
		return "less than a minute is left"
	case left < 2*time.Hour:
		return words.Count(int(left.Minutes())+1, "{n} minute is left", "{n} minutes are left")
	case left < 48*time.Hour:
		return words.Count(int(left.Hours()), "{n} hour is left", "{n} hours are left")
	}
	return words.Count(int(left.Hours()/24), "{n} day is left", "{n} days are left")
}

// batchForm is a form of a batch's page.
func (s *Server) batchForm(done string, do func(c *gin.Context, id retention.BatchID, reason string) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		f, ok := fields(c)
		if !ok {
			return
		}
		err := do(c, retention.BatchID(c.Param("id")), f.Get(done+"_reason"))
		decisionWent(c, err, "/disposals/"+c.Param("id"), done, done+"_reason", func(status int, p *ui.Problem) { s.disposal(c, status, typedIn(f), notMatched, p) })
	}
}

// matchForm tells whether a certificate is about a patient.
func (s *Server) matchForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	n, err := s.Disposal.Match(c.Request.Context(), principal(c), retention.BatchID(c.Param("id")), f.Get("patient_number_kind"), f.Get("patient_number"))
	switch {
	case err == nil:
		s.disposal(c, http.StatusOK, typedIn(f), n, nil)
	case correctable(err):
		s.disposal(c, logged500(c, err), typedIn(f), notMatched, problemOf(err))
	default:
		failPage(c, err)
	}
}
