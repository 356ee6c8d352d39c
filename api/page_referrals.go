package api

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/referral"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// questionRow is a referral in a list.
type questionRow struct {
	ID                        referral.ID
	Patient                   Patient
	Question                  string
	From, To                  words.Text
	State                     words.Text
	Unread, Unopened, Overdue bool
	At                        time.Time
}

type inboxView struct {
	Box    transfer.Box
	State  referral.State
	Order  referral.Order
	Orders []choice
	Rows   []questionRow
	Next   string
	Sends  bool
	Boxes  []ui.Place
}

var stateWords = map[referral.State]words.Text{
	referral.Waiting: "Waiting for an answer", referral.More: "Another picture wanted", referral.Answered: "Answered", referral.Closed: "Closed",
}

// orderWords say how a list of questions is sorted.
var orderWords = map[referral.Order]words.Text{
	referral.Latest: "Newest first", referral.Oldest: "Waiting longest first", referral.Unopened: "Not opened first", referral.ByPatient: "By patient",
}

// inboxPage lists questions: those for who looks, those they asked, those their teams asked.
func (s *Server) inboxPage(c *gin.Context) {
	who := principal(c)
	o := transfer.ReferralOrder{Box: transfer.Box(c.Query("box")), State: referral.State(c.Query("state")), Sort: referral.Order(c.Query("order")), After: referral.ID(c.Query("after")), Limit: pageRows}
	if o.Box == "" {
		o.Box = transfer.ToMe
		if who.Person.Role == access.Clinician {
			o.Box = transfer.Mine
		}
	}
	views, more, err := s.Referrals.List(c.Request.Context(), who, o)
	if err != nil {
		failPage(c, err)
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := inboxView{Box: o.Box, State: o.State, Order: o.Sort, Rows: questionRows(views, people, teams), Sends: access.May(who, access.UploadItem) == access.Allow}
	for _, b := range []struct {
		box  transfer.Box
		text words.Text
	}{{transfer.ToMe, "For me"}, {transfer.Mine, "Asked by me"}, {transfer.Team, "Asked by my teams"}} {
		q := url.Values{"box": {string(b.box)}}
		if o.Sort != "" {
			q.Set("order", string(o.Sort))
		}
		v.Boxes = append(v.Boxes, ui.Place{Path: "/inbox?" + q.Encode(), Text: b.text, Here: b.box == o.Box})
	}
	for _, order := range referral.Orders() {
		v.Orders = append(v.Orders, choice{string(order), orderWords[order]})
	}
	if more {
		q := url.Values{"box": {string(o.Box)}, "after": {string(views[len(views)-1].ID)}}
		for name, value := range map[string]string{"state": string(o.State), "order": string(o.Sort)} {
			if value != "" {
				q.Set(name, value)
			}
		}
		v.Next = "/inbox?" + q.Encode()
	}
	render(c, http.StatusOK, "inbox", ui.Page{Title: "Questions", Wide: true, Data: v})
}

func questionRows(views []transfer.ReferralView, people []Person, teams []Team) []questionRow {
	var out []questionRow
	for _, v := range views {
		out = append(out, questionRow{
			ID: v.ID, Patient: patient(*v.Patient), Question: v.Question, From: personName(people, v.AskedBy), To: audienceName(v.Audience, people, teams),
			State: stateWords[v.State], Unread: v.Unread, Unopened: v.Unopened, Overdue: v.Overdue, At: v.ChangedAt,
		})
	}
	return out
}

// messageRow is one message of a thread as its page shows it.
type messageRow struct {
	Who, Did words.Text
	Text     string
	At       time.Time
	Mine     bool
}

var didWords = map[referral.Kind]words.Text{
	referral.Answer: "answered", referral.AskMore: "asked for another picture", referral.Note: "wrote", referral.Items: "added pictures",
	referral.Close: "closed the question", referral.Reopen: "opened the question again",
}

type referralView struct {
	questionRow
	AskedAt  time.Time
	Mine     bool
	SeenAt   time.Time
	Messages []messageRow
	Items    []row
	Closed   bool
	Asking   bool            // who looks is on the side that asks
	May      map[string]bool // what may be written, by kind
	Ready    []words.Text
	Text     string
}

// readyAnswers save a busy consultant typing.
var readyAnswers = []words.Text{
	"Thank you. I have seen this, and nothing needs to change for now.",
	"Please send a sharper picture in better light.",
	"Please send a picture from the side too, with a ruler beside it.",
	"I need to see the patient. I will arrange it.",
}

func (s *Server) referralPage(c *gin.Context) { s.referral(c, http.StatusOK, "", nil) }

func (s *Server) referral(c *gin.Context, status int, typed string, problem *ui.Problem) {
	who := principal(c)
	v, err := s.Referrals.Read(c.Request.Context(), who, referral.ID(c.Param("id")))
	if err != nil {
		failPage(c, err)
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	out := referralView{
		questionRow: questionRows([]transfer.ReferralView{v}, people, teams)[0], AskedAt: v.AskedAt, Mine: v.AskedBy == who.Person.ID, SeenAt: v.SeenAt,
		Closed: v.State == referral.Closed, Asking: v.Side&referral.Asking != 0, May: map[string]bool{}, Ready: readyAnswers, Text: typed,
	}
	for _, m := range v.Messages {
		out.Messages = append(out.Messages, messageRow{personName(people, m.Person), didWords[m.Kind], m.Text, m.At, m.Person == who.Person.ID})
	}
	for _, it := range v.Items {
		if !it.DestroyedAt.IsZero() {
			it.BodySite = "Destroyed on " + it.DestroyedAt.Format("2 January 2006")
		}
		out.Items = append(out.Items, row{
			ID: it.ID, Patient: out.Patient, BodySite: it.BodySite, Team: teamName(teams, it.Team), Video: it.Format.Video(), FiledAt: it.FiledAt,
			Pictured: it.DestroyedAt.IsZero() && access.Decide(who, access.ShowItem, it.Relation) == access.Allow,
		})
	}
	for _, k := range []referral.Kind{referral.Answer, referral.AskMore, referral.Note, referral.Close, referral.Reopen} {
		_, out.May[string(k)] = referral.Next(v.State, k, v.Side)
	}
	p := ui.Page{Title: words.Say("Question about {patient}", out.Patient.Name), Wide: true, Problem: problem, Data: out}
	if c.Query("said") != "" && problem == nil {
		p.Notice = "That is in the thread now, and on record."
	}
	render(c, status, "referral", p)
}

// writeForm adds to a thread.
func (s *Server) writeForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	text := strings.TrimSpace(f.Get("text"))
	if text == "" {
		text = f.Get("ready")
	}
	id := c.Param("id")
	err := s.Referrals.Write(c.Request.Context(), principal(c), referral.ID(id), referral.Kind(f.Get("kind")), text, nil)
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/referrals/"+id+"?said=yes#latest")
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Conflict):
		s.referral(c, logged500(c, err), text, problemOf(err))
	default:
		failPage(c, err)
	}
}

// seenRow is somebody who has seen an item.
type seenRow struct {
	Name words.Text
	At   time.Time
}

// conversing adds who has seen the item, and what asking about it needs.
func (s *Server) conversing(c *gin.Context, out *itemView, v transfer.ItemView) error {
	who, ctx := principal(c), c.Request.Context()
	people, teams, err := s.names(c)
	if err != nil {
		return err
	}
	seen, err := s.Seen.By(ctx, who, v.ID)
	if err != nil {
		return err
	}
	for _, x := range seen {
		name := personName(people, x.Person)
		if x.Outside {
			name = outside
		}
		out.SeenBy = append(out.SeenBy, seenRow{name, x.First})
	}
	if out.Asks = access.Decide(who, access.MakeReferral, v.Relation) == access.Allow; !out.Asks {
		return nil
	}
	if out.Asking == nil {
		out.Asking = map[string]string{}
	}
	for _, box := range []transfer.Box{transfer.Mine, transfer.Team} {
		views, _, err := s.Referrals.List(ctx, who, transfer.ReferralOrder{Box: box, Patient: v.Item.Patient, Live: true, Limit: pageRows})
		if err != nil {
			return err
		}
		for _, q := range views {
			if q.Team == v.Team && (box == transfer.Mine || q.AskedBy != who.Person.ID) {
				out.Questions = append(out.Questions, questionRows([]transfer.ReferralView{q}, people, teams)...)
			}
		}
	}
	return nil
}

// askForm asks about an item, or adds it to what was asked before.
func (s *Server) askForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	who, ctx, items := principal(c), c.Request.Context(), []media.ItemID{media.ItemID(c.Param("id"))}
	id := referral.ID(f.Get("referral"))
	var err error
	if id != "" {
		err = s.Referrals.Write(ctx, who, id, referral.Items, f.Get("question"), items)
	} else {
		kind, to, _ := strings.Cut(f.Get("to"), ":")
		var v transfer.ReferralView
		v, err = s.Referrals.Ask(ctx, who, items, link.Audience{Kind: link.AudienceKind(kind), ID: to}, f.Get("question"))
		id = v.ID
	}
	if err == nil {
		c.Redirect(http.StatusSeeOther, "/referrals/"+string(id)+"?said=yes#latest")
		return
	}
	if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict) {
		failPage(c, err)
		return
	}
	s.item(c, logged500(c, err), said{asking: map[string]string{"to": f.Get("to"), "question": f.Get("question"), "referral": f.Get("referral")}}, askProblem(err))
}
