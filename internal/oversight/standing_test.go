package oversight_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/oversight"
)

func hour(n int) time.Time { return time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC) }

func ev(n int, t audit.Type, detail ...string) audit.Event {
	e := audit.Event{At: hour(n), Type: t}
	switch t {
	case audit.TeamJoined, audit.TeamLeft:
		e.Subject.Team = detail[0]
	default:
		if len(detail) > 0 {
			e.Detail = map[string]string{"role": detail[0]}
		}
	}
	return e
}

// words writes standings as "kind id from-to", in hours.
func words(s []oversight.Standing) string {
	var out []string
	for _, a := range s {
		out = append(out, fmt.Sprintf("%s %s %d-%d", a.As.Kind, a.As.ID, a.From.Hour(), a.To.Hour()))
	}
	return strings.Join(out, ", ")
}

// What was open to somebody is what the events say, within the period.
func TestStandings(t *testing.T) {
	within := oversight.Span{From: hour(5), To: hour(20)}
	added := ev(1, audit.PersonAdded, "clinician")
	for name, c := range map[string]struct {
		events []audit.Event
		want   string
	}{
		"nobody known, so open in person":  {nil, "person p 5-20"},
		"never in a team":                  {[]audit.Event{added}, "person p 5-20, role clinician 5-20"},
		"in a team all the time":           {[]audit.Event{added, ev(2, audit.TeamJoined, "a")}, "person p 5-20, role clinician 5-20, team a 5-20"},
		"in and out":                       {[]audit.Event{added, ev(6, audit.TeamJoined, "a"), ev(8, audit.TeamLeft, "a")}, "person p 5-20, role clinician 5-20, team a 6-8"},
		"twice in":                         {[]audit.Event{added, ev(2, audit.TeamJoined, "a"), ev(6, audit.TeamLeft, "a"), ev(9, audit.TeamJoined, "a")}, "person p 5-20, role clinician 5-20, team a 5-6, team a 9-20"},
		"left before the period":           {[]audit.Event{added, ev(2, audit.TeamJoined, "a"), ev(3, audit.TeamLeft, "a")}, "person p 5-20, role clinician 5-20"},
		"joined after the period":          {[]audit.Event{added, ev(21, audit.TeamJoined, "a")}, "person p 5-20, role clinician 5-20"},
		"suspended for a while":            {[]audit.Event{added, ev(2, audit.TeamJoined, "a"), ev(7, audit.PersonSuspended), ev(9, audit.PersonRestored)}, "person p 5-7, role clinician 5-7, team a 5-7, person p 9-20, role clinician 9-20, team a 9-20"},
		"an auditor sees no picture":       {[]audit.Event{ev(1, audit.PersonAdded, "auditor"), ev(2, audit.TeamJoined, "a")}, ""},
		"another role":                     {[]audit.Event{added, ev(6, audit.PersonChanged, "consultant"), ev(8, audit.PersonChanged, "administrator")}, "person p 5-8, role clinician 5-6, role consultant 6-8"},
		"a change that is not of the role": {[]audit.Event{added, ev(6, audit.PersonChanged)}, "person p 5-20, role clinician 5-20"},
		"added in the period":              {[]audit.Event{ev(7, audit.PersonAdded, "consultant")}, "person p 7-20, role consultant 7-20"},
		"older than the events":            {[]audit.Event{ev(6, audit.TeamJoined, "a")}, "person p 5-20, team a 6-20"},
	} {
		if got := words(oversight.Standings("p", c.events, within)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// The clock says how pressing it is, at each edge.
func TestClock(t *testing.T) {
	i := oversight.Investigation{AwareAt: hour(0)}
	due := i.AwareAt.Add(72 * time.Hour)
	decided := func(d oversight.Decision, when time.Time) oversight.Entry {
		return oversight.Entry{Kind: oversight.DecisionEntry, Value: string(d), When: when}
	}
	for name, c := range map[string]struct {
		now     time.Time
		entries []oversight.Entry
		want    oversight.Hurry
	}{
		"fresh":                     {hour(0), nil, oversight.InTime},
		"a day left":                {due.Add(-24 * time.Hour), nil, oversight.InTime},
		"less than a day":           {due.Add(-24*time.Hour + time.Second), nil, oversight.Soon},
		"the last second":           {due.Add(-time.Second), nil, oversight.Soon},
		"over":                      {due, nil, oversight.Overdue},
		"to be told, and over":      {due, []oversight.Entry{decided(oversight.Tell, time.Time{})}, oversight.Overdue},
		"need not be told":          {due, []oversight.Entry{decided(oversight.NotTell, time.Time{})}, oversight.NotNeeded},
		"after all to be told":      {due, []oversight.Entry{decided(oversight.NotTell, time.Time{}), decided(oversight.Tell, time.Time{})}, oversight.Overdue},
		"told in time":              {due.Add(time.Hour), []oversight.Entry{decided(oversight.Told, due)}, oversight.Done},
		"told late":                 {due.Add(time.Hour), []oversight.Entry{decided(oversight.Told, due.Add(time.Second))}, oversight.DoneLate},
		"the people told, not them": {due, []oversight.Entry{{Kind: oversight.PeopleEntry, Value: string(oversight.Told), When: hour(1)}}, oversight.Overdue},
	} {
		if got := oversight.ClockOf(i, c.entries, c.now).Hurry; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
