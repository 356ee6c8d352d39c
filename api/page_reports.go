package api

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/api/ui"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
)

// report is one report: a table, which is its CSV too, and charts of it.
type report struct {
	Name        string
	Title, Says words.Text
	Columns     []words.Text
	Rows        [][]words.Text
	Charts      []*ui.Chart
	Count       words.Text // of what needs somebody, for the contents
	Cut         bool
}

// reportWeeks are the periods to choose from.
var reportWeeks = []int{4, 12, 52}

// reportsOf makes every report, in the order of the page. Another one is another
// function here: it has a name, columns, rows and, where that helps, a chart.
func reportsOf(r transfer.Report, n names) []report {
	return []report{
		incidentsReport(r, n),
		unseenReport(r, n),
		overdueReviewsReport(r, n),
		emergenciesReport(r, n),
		signInsByDay(r),
		signInsByAccount(r, n),
		dueReport(r),
		holdsReport(r, n),
		filedByWeek(r),
		filedBy("filed-by-team", "Filed, by team", "Team", r, func(f transfer.WeekFiled) words.Text { return teamName(n.teams, f.Team) }),
		filedBy("filed-by-format", "Filed, by format", "Format", r, func(f transfer.WeekFiled) words.Text { return words.Data(f.Format) }),
	}
}

func counted(n int) words.Text {
	if n == 0 {
		return ""
	}
	return figure(n)
}

func figure[N int | int64](n N) words.Text { return words.Data(fmt.Sprint(n)) }

func incidentsReport(r transfer.Report, n names) report {
	out := report{Name: "incidents", Title: "Open incidents", Says: "Reports of problems and breaches that are not closed. A breach that risks people’s rights must be told to the regulator within 72 hours.",
		Columns: []words.Text{"Kind", "Reported", "By", "72 hours end", "State"}, Cut: r.Cut["incidents"]}
	overdue := 0
	for _, i := range r.Incidents {
		kind, due, state := words.Text("Problem"), words.Text(""), words.Text("Open")
		if i.Kind == oversight.Breach {
			kind, due = "Breach", spoken(i.Clock.Due)
			state, _ = clockWords(i.Clock)
			if i.Clock.Hurry == oversight.Overdue {
				overdue++
			}
		}
		out.Rows = append(out.Rows, []words.Text{kind, spoken(i.At), personName(n.people, i.ReportedBy), due, state})
	}
	if out.Count = counted(len(out.Rows)); overdue > 0 {
		out.Count = words.Say("{count} ({n} overdue)", out.Count, overdue)
	}
	return out
}

func unseenReport(r transfer.Report, n names) report {
	out := report{Name: "referrals", Title: "Questions that nobody has seen", Says: "Open questions that nobody of those asked has opened, oldest first.", Columns: []words.Text{"Asked by team", "For", "Asked", "Waiting for"}, Cut: r.Cut["referrals"]}
	ages := []ui.Point{{Label: "under 4 hours"}, {Label: "4 to 24 hours"}, {Label: "1 to 3 days"}, {Label: "over 3 days"}}
	for _, u := range r.Unseen {
		age := r.Now.Sub(u.AskedAt)
		out.Rows = append(out.Rows, []words.Text{teamName(n.teams, u.Team), audienceName(u.Audience, n.people, n.teams), spoken(u.AskedAt), lasting(age)})
		k := slices.IndexFunc([]time.Duration{4 * time.Hour, 24 * time.Hour, 72 * time.Hour, 1 << 62}, func(d time.Duration) bool { return age < d })
		ages[k].Value++
	}
	out.Count = counted(len(out.Rows))
	out.Charts = []*ui.Chart{ui.Rows("chart-referrals", "How long they have waited", ages)}
	return out
}

func emergencyRows(all []oversight.Emergency, r transfer.Report, n names) [][]words.Text {
	var rows [][]words.Text
	for _, e := range all {
		state := words.Say("Waits for review, for {time}", lasting(r.Now.Sub(e.At)))
		if !e.ReviewedAt.IsZero() {
			state = words.Say("Reviewed by {who}, {when}", personName(n.people, e.ReviewedBy), spoken(e.ReviewedAt))
		}
		rows = append(rows, []words.Text{personName(n.people, e.Person), spoken(e.At), spoken(e.ExpiresAt), state})
	}
	return rows
}

var emergencyColumns = []words.Text{"Person", "Taken", "Until", "State"}

func emergenciesReport(r transfer.Report, n names) report {
	return report{Name: "emergencies", Title: "Emergency accesses", Says: "Access that somebody took to a patient of another team, newest first.", Columns: emergencyColumns, Rows: emergencyRows(r.Emergencies, r, n), Cut: r.Cut["emergencies"]}
}

func overdueReviewsReport(r transfer.Report, n names) report {
	rows := emergencyRows(r.ToReview, r, n)
	return report{Name: "reviews", Title: "Emergency accesses that nobody has reviewed", Says: words.Say("Those of more than {time} ago, oldest first.", lasting(transfer.ReviewWithin)), Columns: emergencyColumns, Rows: rows, Count: counted(len(rows)), Cut: r.Cut["reviews"]}
}

func dueReport(r transfer.Report) report {
	out := report{Name: "due", Title: "Kept, by class and the year in which it comes due", Says: "The class whose rule dates an item, and when it may be reviewed. “No date” is what nothing ends yet.", Columns: []words.Text{"Class", "Year", "Items"}}
	type cell struct{ class, year words.Text }
	cells, years := map[cell]int64{}, map[words.Text]int64{}
	var due int64
	for _, d := range r.Due {
		c := cell{words.Data(string(d.Class)), "No date"}
		if c.class == "" {
			c.class = "not dated yet"
		}
		if !d.On.IsZero() {
			c.year = words.Data(d.On.Format("2006"))
			if !d.On.After(r.Now) {
				due += d.Items
			}
		}
		cells[c] += d.Items
		years[c.year] += d.Items
	}
	for _, c := range slices.SortedFunc(maps.Keys(cells), func(a, b cell) int {
		return strings.Compare(a.class.String()+a.year.String(), b.class.String()+b.year.String())
	}) {
		out.Rows = append(out.Rows, []words.Text{c.class, c.year, figure(cells[c])})
	}
	if len(out.Rows) == 0 {
		return out
	}
	out.Count = counted(int(due))
	var points []ui.Point
	for _, y := range slices.SortedFunc(maps.Keys(years), func(a, b words.Text) int { return strings.Compare(a.String(), b.String()) }) {
		points = append(points, ui.Point{Label: y, Value: years[y]})
	}
	if len(points) > 30 { // as many as can be told apart
		points = points[:30]
	}
	out.Charts = []*ui.Chart{ui.Rows("chart-due", "Items by the year in which they come due", points)}
	return out
}

func holdsReport(r transfer.Report, n names) report {
	out := report{Name: "holds", Title: "Holds", Says: "What keeps items from being destroyed now, newest first. The reasons are on the page of holds.", Columns: []words.Text{"Placed", "By", "For", "Items", "Of these due"}, Cut: r.Cut["holds"]}
	for _, h := range r.Holds {
		out.Rows = append(out.Rows, []words.Text{spoken(h.PlacedAt), personName(n.people, h.PlacedBy), lasting(r.Now.Sub(h.PlacedAt)), figure(h.Items), figure(h.Due)})
	}
	return out
}

func signInsByDay(r transfer.Report) report {
	out := report{Name: "sign-ins", Title: "Failed sign-ins, by day", Says: "Wrong passwords and codes, unknown names, and tries on locked accounts.", Columns: []words.Text{"Day", "Failed"}, Cut: r.Cut["sign-ins"]}
	days := map[string]int64{}
	for _, f := range r.SignIns {
		days[f.Hour.In(ui.Zone).Format(time.DateOnly)] += int64(f.Count)
	}
	if len(days) == 0 {
		return out
	}
	var points []ui.Point
	last := r.Now.In(ui.Zone)
	first := r.Since.In(ui.Zone)
	if chart := last.AddDate(0, 0, -27); chart.After(first) {
		first = chart // four weeks are as much as can be told apart
	}
	for d := first; d.Format(time.DateOnly) <= last.Format(time.DateOnly); d = d.AddDate(0, 0, 1) {
		points = append(points, ui.Point{Label: shortDay(d), Value: days[d.Format(time.DateOnly)]})
	}
	for _, day := range slices.Backward(slices.Sorted(maps.Keys(days))) {
		out.Rows = append(out.Rows, []words.Text{words.Data(day), figure(days[day])})
	}
	out.Charts = []*ui.Chart{ui.Columns("chart-sign-ins", "Failed sign-ins a day, the last four weeks", points)}
	return out
}

func signInsByAccount(r transfer.Report, n names) report {
	out := report{Name: "sign-in-accounts", Title: "Failed sign-ins, by account", Says: "The accounts with the most, and those that are locked now.", Columns: []words.Text{"Account", "Failed", "Now"}, Cut: r.Cut["sign-ins"]}
	failed := map[access.PersonID]int{}
	for _, f := range r.SignIns {
		failed[f.Person] += f.Count
	}
	locked := map[access.PersonID]words.Text{}
	for _, p := range r.Locked {
		locked[p.ID] = words.Say("Locked until {when}", spoken(p.LockedUntil))
		failed[p.ID] += 0
	}
	ids := slices.SortedFunc(maps.Keys(failed), func(a, b access.PersonID) int {
		if d := failed[b] - failed[a]; d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
	var points []ui.Point
	for _, id := range ids[:min(len(ids), 100)] {
		name := words.Text("names that no account has")
		if id != "" {
			name = personName(n.people, id)
		}
		out.Rows = append(out.Rows, []words.Text{name, figure(failed[id]), locked[id]})
		if len(points) < 8 {
			points = append(points, ui.Point{Label: name, Value: int64(failed[id])})
		}
	}
	if out.Count = ""; len(locked) > 0 {
		out.Count = words.Say("{n} locked", len(locked))
	}
	out.Charts = []*ui.Chart{ui.Rows("chart-accounts", "The most", points)}
	return out
}

func filedByWeek(r transfer.Report) report {
	out := report{Name: "filed", Title: "Filed, by week", Says: "Photos and videos, and what they take up, encrypted, with their previews. Weeks begin on Monday.", Columns: []words.Text{"Week from", "Items", "Added", "Added since the first week"}}
	if len(r.Filed) == 0 {
		return out
	}
	items, stored := map[int64]int64{}, map[int64]int64{}
	for _, f := range r.Filed {
		items[f.Week.Unix()] += int64(f.Items)
		stored[f.Week.Unix()] += f.Stored
	}
	var counts, growth []ui.Point
	var sum int64
	for w := r.Since; !w.After(r.Now); w = w.AddDate(0, 0, 7) {
		k, label := w.Unix(), shortDay(w)
		sum += stored[k]
		counts = append(counts, ui.Point{Label: label, Value: items[k]})
		growth = append(growth, ui.Point{Label: label, Value: sum, Text: ui.Size(sum)})
		out.Rows = append(out.Rows, []words.Text{words.Data(w.Format(time.DateOnly)), figure(items[k]), ui.Size(stored[k]), ui.Size(sum)})
	}
	slices.Reverse(out.Rows)
	out.Charts = []*ui.Chart{ui.Columns("chart-filed", "Items filed a week", counts), ui.Columns("chart-growth", "Storage added since the first week", growth)}
	return out
}

// shortDay is a day with little room: 24 Nov.
func shortDay(t time.Time) words.Text {
	return words.Say("{day} {month}", t.Day(), shortMonths[t.Month()-1])
}

var shortMonths = []words.Text{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// filedBy adds up what was filed by a word for it.
func filedBy(name string, title, column words.Text, r transfer.Report, word func(transfer.WeekFiled) words.Text) report {
	out := report{Name: name, Title: title, Says: "In these weeks.", Columns: []words.Text{column, "Items", "Added"}}
	items, stored := map[words.Text]int64{}, map[words.Text]int64{}
	for _, f := range r.Filed {
		w := word(f)
		items[w] += int64(f.Items)
		stored[w] += f.Stored
	}
	all := slices.SortedFunc(maps.Keys(items), func(a, b words.Text) int {
		if d := items[b] - items[a]; d != 0 {
			return int(max(min(d, 1), -1))
		}
		return strings.Compare(a.String(), b.String())
	})
	var points []ui.Point
	for _, w := range all {
		out.Rows = append(out.Rows, []words.Text{w, figure(items[w]), ui.Size(stored[w])})
		if len(points) < 10 {
			points = append(points, ui.Point{Label: w, Value: items[w]})
		}
	}
	out.Charts = []*ui.Chart{ui.Rows("chart-"+name, "Items", points)}
	return out
}

func (s *Server) readReports(c *gin.Context) (all []report, r transfer.Report, weeks int, err error) {
	weeks = 12
	if q := c.Query("weeks"); q != "" {
		if n, err := strconv.Atoi(q); err == nil && n >= 1 && n <= 53 {
			weeks = n
		}
	}
	if r, err = s.Reports.Read(c.Request.Context(), principal(c), weeks); err != nil {
		return nil, r, weeks, err
	}
	people, teams, err := s.names(c)
	if err != nil {
		return nil, r, weeks, err
	}
	return reportsOf(r, names{people, teams}), r, weeks, nil
}

func (s *Server) reportsPage(c *gin.Context) {
	all, r, weeks, err := s.readReports(c)
	if err != nil {
		failPage(c, err)
		return
	}
	render(c, http.StatusOK, "reports", ui.Page{Title: "Reports", Wide: true, Data: map[string]any{"Reports": all, "Now": r.Now, "Weeks": weeks, "Choices": reportWeeks}})
}

func (s *Server) listReports(c *gin.Context) {
	all, r, weeks, err := s.readReports(c)
	if err != nil {
		fail(c, err)
		return
	}
	type table struct {
		Name    string         `json:"name"`
		Title   words.Text     `json:"title"`
		Columns []words.Text   `json:"columns"`
		Rows    [][]words.Text `json:"rows"`
		Cut     bool           `json:"cut,omitempty"`
	}
	out := []table{}
	for _, t := range all {
		out = append(out, table{t.Name, t.Title, t.Columns, append([][]words.Text{}, t.Rows...), t.Cut})
	}
	c.JSON(http.StatusOK, gin.H{"at": r.Now, "since": r.Since, "weeks": weeks, "reports": out})
}

func (s *Server) reportCSV(c *gin.Context) { s.csv(c, c.Param("name"), fail) }
func (s *Server) reportCSVPage(c *gin.Context) {
	s.csv(c, strings.TrimSuffix(c.Param("name"), ".csv"), failPage)
}

// csv answers with one report as CSV (RFC 4180).
func (s *Server) csv(c *gin.Context, name string, fails func(*gin.Context, error)) {
	all, _, _, err := s.readReports(c)
	if err != nil {
		fails(c, err)
		return
	}
	i := slices.IndexFunc(all, func(r report) bool { return r.Name == name })
	if i < 0 {
		fails(c, fault.New(fault.NotFound, "report-unknown", "There is no such report."))
		return
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	_ = w.Write(inert(all[i].Columns)) // a Builder never fails
	for _, row := range all[i].Rows {
		_ = w.Write(inert(row))
	}
	w.Flush()
	c.Header("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	c.Data(http.StatusOK, "text/csv; charset=utf-8", []byte(b.String()))
}

// inert keeps a spreadsheet from taking a name for a formula.
func inert(row []words.Text) []string {
	out := make([]string, len(row))
	for i, t := range row {
		v := t.String()
		out[i] = v
		if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
			out[i] = "'" + v
		}
	}
	return out
}
