package api

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// inputMoment is how a datetime-local field writes a time.
const inputMoment = "2006-01-02T15:04"

// at reads a time of a form, in the readers' zone; zero when there is none.
func formMoment(f url.Values, name string) (time.Time, error) {
	text := f.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{inputMoment, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, ui.Zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "time-form", "Enter a date and a time.").In(name)
}

// newIncidentPage asks about whom an incident is, and when.
func (s *Server) newIncidentPage(c *gin.Context) {
	typed := map[string]string{"from": time.Now().In(ui.Zone).Add(-24 * time.Hour).Format(inputMoment)}
	for _, name := range []string{"incident", "cause", "person", "team", "session", "link", "patient"} {
		if v := c.Query(name); v != "" {
			typed[name] = v
		}
	}
	s.newIncident(c, http.StatusOK, typed, nil)
}

func (s *Server) newIncident(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	if access.Decide(principal(c), access.Investigate, 0) != access.Allow {
		failPage(c, fault.New(fault.Denied, "not-allowed", "Your role does not look into incidents. Use “Report a problem or breach” below."))
		return
	}
	people, teams, err := s.names(c)
	if err != nil {
		failPage(c, err)
		return
	}
	var report *transfer.IncidentView
	if id := typed["incident"]; id != "" {
		all, err := s.Oversight.Incidents(c.Request.Context(), principal(c))
		if err != nil {
			failPage(c, err)
			return
		}
		if i := slices.IndexFunc(all, func(v transfer.IncidentView) bool { return string(v.ID) == id }); i >= 0 {
			report = &all[i]
		}
	}
	people = slices.DeleteFunc(people, func(p Person) bool { return p.ID == principal(c).Person.ID })
	var causes []choice
	for _, k := range oversight.Causes() {
		causes = append(causes, choice{string(k), causeWords[k]})
	}
	render(c, status, "incident-new", ui.Page{Title: "Look into an incident", Problem: problem, Data: map[string]any{
		"Typed": typed, "People": people, "Teams": teams, "Causes": causes, "Report": report, "Narrow": []string{"session", "link", "patient"}}})
}

func (s *Server) newIncidentForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	o := transfer.Opening{Incident: oversight.ID(f.Get("incident")), Cause: oversight.Cause(f.Get("cause")), Text: f.Get("text"), Scope: oversight.Scope{
		Person: access.PersonID(f.Get("person")), Team: access.TeamID(f.Get("team")), Session: access.SessionID(f.Get("session")), Link: link.ID(f.Get("link")), Patient: media.PatientID(f.Get("patient"))}}
	err := times(f, map[string]*time.Time{"from": &o.Scope.Within.From, "to": &o.Scope.Within.To, "aware": &o.AwareAt})
	var id oversight.ID
	if err == nil {
		id, err = s.Desk.Open(c.Request.Context(), principal(c), o)
	}
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/incidents/"+string(id))
	case fault.Is(err, fault.Invalid):
		s.newIncident(c, logged500(c, err), typedIn(f), problemOf(err))
	default:
		failPage(c, err)
	}
}

// times reads the times of a form.
func times(f url.Values, into map[string]*time.Time) error {
	for name, t := range into {
		v, err := formMoment(f, name)
		if err != nil {
			return err
		}
		*t = v
	}
	return nil
}

// The parts of the page of an incident.
type (
	wayRow struct {
		Way      words.Text
		From, To time.Time
		Tally    oversight.Count
		Counted  bool // this row has a count of its own
	}
	sawRow struct {
		event
		Session string
	}
	deskEntry struct {
		At       time.Time
		By       words.Text
		What     words.Text
		Text     string
		Red      bool
		Decision string
	}
	deskView struct {
		C               transfer.Case
		ID              string
		Cause, Who      words.Text
		Role            words.Text
		Person          Person
		Team            words.Text // of the scope
		Clock           words.Text
		Colour          string
		Ways            []wayRow
		Saw             []sawRow
		More            string // where the whole list is
		Entries         []deskEntry
		Last            map[string]words.Text // the last decision of each kind, in words
		Contained       words.Text            // what was ended last
		Open            bool
		OpenedBy        words.Text
		ReportedBy      words.Text
		ClosedBy        words.Text
		Typed           map[string]string
		AwareInput, Now string
	}
)

func (s *Server) incidentPage(c *gin.Context) { s.incident(c, http.StatusOK, nil, nil) }

func (s *Server) incident(c *gin.Context, status int, typed map[string]string, problem *ui.Problem) {
	i, n, err := s.caseOf(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := s.deskView(i, n)
	if v.Typed = typed; typed == nil {
		v.Typed = map[string]string{}
	}
	p := ui.Page{Title: words.Say("Incident: {who}", v.Who), Wide: true, Problem: problem, Data: v}
	p.Notice = map[string]words.Text{"contained": v.Contained, "decided": "The decision is recorded.", "aware": "The clock is put right.", "draft": "The report is kept.", "closed": "The incident is closed."}[c.Query("done")]
	render(c, status, "incident", p)
}

func (s *Server) caseOf(c *gin.Context) (transfer.Case, names, error) {
	i, err := s.Desk.Show(c.Request.Context(), principal(c), oversight.ID(c.Param("id")))
	if err != nil {
		return i, names{}, err
	}
	people, teams, err := s.names(c)
	return i, names{people, teams}, err
}

func (s *Server) deskView(i transfer.Case, n names) deskView {
	f, scope := i.Facts, i.Scope
	v := deskView{
		C: i, ID: string(i.Incident), Cause: causeWords[i.Cause], Who: personName(n.people, scope.Person), Open: i.Report.ClosedAt.IsZero(),
		OpenedBy: personName(n.people, i.OpenedBy), ReportedBy: personName(n.people, i.Report.ReportedBy), ClosedBy: personName(n.people, i.Report.ClosedBy),
		Last: map[string]words.Text{}, AwareInput: i.AwareAt.In(ui.Zone).Format(inputMoment), Now: i.Now.In(ui.Zone).Format(inputMoment),
	}
	if k := slices.IndexFunc(n.people, func(p Person) bool { return p.ID == scope.Person }); k >= 0 {
		v.Person, v.Role = n.people[k], roleName(n.people[k].Role)
	}
	if scope.Team != "" {
		v.Team = teamName(n.teams, scope.Team)
	}
	v.Clock, v.Colour = clockWords(i.Clock)
	v.Ways = waysOf(f, n)
	for _, e := range f.Saw.Rows {
		row := sawRow{eventRow(e.Event, n.said(), n.people), string(e.Session)}
		if text, ok := sawWords[e.Type]; ok {
			row.What = text
		}
		if e.Subject.Patient == "" && e.Patient != "" {
			row.About = append(row.About, part{"patient", string(e.Patient), "", "patient"})
		}
		v.Saw = append(v.Saw, row)
	}
	q := url.Values{"person": {string(scope.Person)}, "from": {f.Within.From.In(ui.Zone).Format(time.DateOnly)}, "to": {f.Within.To.In(ui.Zone).Format(time.DateOnly)}}
	v.More = "/audit?" + q.Encode()
	for _, e := range i.Entries {
		row := deskEntry{At: e.At, By: personName(n.people, e.By), What: entryWords(e.Entry, n), Text: e.Text, Red: e.Kind == oversight.ContainEntry}
		if e.Kind == oversight.DecisionEntry || e.Kind == oversight.PeopleEntry {
			v.Last[string(e.Kind)] = row.What
		}
		if e.Kind == oversight.ContainEntry {
			v.Contained = words.Say("Done. {what}.", containedWords(e.Value, n))
		}
		v.Entries = append(v.Entries, row)
	}
	return v
}

// waysOf lists how pictures were open: each time in a team, and the counts of
// the other ways.
func waysOf(f transfer.Facts, n names) []wayRow {
	var out []wayRow
	counted := map[access.TeamID]bool{}
	for k := len(f.Standings) - 1; k >= 0; k-- { // a team's count is at its last time, which takes in the earlier
		st := f.Standings[k]
		id := access.TeamID(st.As.ID)
		tally, ok := f.Could.Teams[id]
		if st.As.Kind != link.ToTeam || !ok {
			continue
		}
		out = append(out, wayRow{words.Say("In the team {team}", teamName(n.teams, id)), st.From, st.To, tally, !counted[id]})
		counted[id] = true
	}
	slices.Reverse(out)
	for _, w := range []struct {
		text words.Text
		n    oversight.Count
	}{
		{"Filed by the person", f.Could.Own}, {"Asked about, by a question to the person, a team or the role", f.Could.Asked},
		{"By a link to the person, a team or the role, once opened", f.Could.Linked}, {"By emergency access", f.Could.Emergencies},
	} {
		if w.n.Items > 0 {
			out = append(out, wayRow{Way: w.text, From: f.Within.From, To: f.Within.To, Tally: w.n, Counted: true})
		}
	}
	return out
}

// containPage is what is about to be ended, to confirm.
func (s *Server) containPage(c *gin.Context) { s.containing(c, http.StatusOK, nil, nil) }

func (s *Server) containing(c *gin.Context, status int, typed url.Values, problem *ui.Problem) {
	i, n, err := s.caseOf(c)
	if err != nil {
		failPage(c, err)
		return
	}
	v := s.deskView(i, n)
	type team struct {
		ID     string
		Name   words.Text
		Ticked bool
	}
	var teams []team
	for _, id := range i.Facts.TeamsNow {
		wrong := i.Cause == oversight.WrongMember && (i.Scope.Team == id || i.Scope.Team == "" && len(i.Facts.TeamsNow) == 1)
		teams = append(teams, team{string(id), teamName(n.teams, id), wrong})
	}
	ticked := map[string]bool{ // what usually helps; nothing else is ended
		"links": true, "sessions": true, "suspend": i.Cause == oversight.OtherCause && !i.Facts.Suspended,
	}
	if typed != nil {
		for name := range ticked {
			ticked[name] = typed.Get(name) != ""
		}
	}
	render(c, status, "contain", ui.Page{Title: "End their access", Problem: problem, Data: map[string]any{"V": v, "Teams": teams, "Ticked": ticked, "Reason": typed.Get("contain_reason")}})
}

func (s *Server) containForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	e := transfer.Ending{Links: f.Get("links") != "", Sessions: f.Get("sessions") != "", Suspend: f.Get("suspend") != "", Reason: f.Get("contain_reason")}
	for _, t := range f["team"] {
		e.Teams = append(e.Teams, access.TeamID(t))
	}
	_, err := s.Desk.Contain(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), e)
	switch {
	case err == nil:
		s.toIncident(c, "contained")
	case fault.Is(err, fault.Invalid):
		s.containing(c, logged500(c, err), f, problemOf(err))
	default:
		failPage(c, err)
	}
}

func (s *Server) toIncident(c *gin.Context, done string) {
	c.Redirect(http.StatusSeeOther, "/incidents/"+url.PathEscape(c.Param("id"))+"?done="+done)
}

// onIncident goes on after a change, or shows the page with what was wrong.
func (s *Server) onIncident(c *gin.Context, f url.Values, done string, err error) {
	switch {
	case err == nil:
		s.toIncident(c, done)
	case fault.Is(err, fault.Invalid), fault.Is(err, fault.Conflict):
		s.incident(c, logged500(c, err), typedIn(f), problemOf(err))
	default:
		failPage(c, err)
	}
}

func (s *Server) awareForm(c *gin.Context) {
	f, ok := fields(c)
	if !ok {
		return
	}
	t, err := formMoment(f, "aware")
	if err == nil {
		err = s.Desk.Aware(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), t, f.Get("aware_reason"))
	}
	s.onIncident(c, f, "aware", err)
}

// decideForm is of the two questions, who is told: the regulator, the people.
func (s *Server) decideForm(kind oversight.EntryKind) gin.HandlerFunc {
	return func(c *gin.Context) {
		f, ok := fields(c)
		if !ok {
			return
		}
		name := string(kind)
		t, err := formMoment(f, name+"_at")
		if err == nil {
			err = s.Desk.Decide(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), kind, oversight.Decision(f.Get(name)), t, f.Get(name+"_reason"))
		}
		s.onIncident(c, f, "decided", err)
	}
}

func (s *Server) lessonsForm(c *gin.Context) {
	if f, ok := fields(c); ok {
		s.onIncident(c, f, "closed", s.Desk.Close(c.Request.Context(), principal(c), oversight.ID(c.Param("id")), f.Get("lessons")))
	}
}
