package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/storage/meta"
)

// factStore is where the facts of an incident come from.
type factStore interface {
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	EventsAbout(ctx context.Context, p access.PersonID, types []audit.Type, limit int) ([]audit.Event, error)
	CouldSee(ctx context.Context, c oversight.Scope, standings []oversight.Standing, most int) (meta.Could, error)
	Seen(ctx context.Context, p access.PersonID, within oversight.Span, limit int, each func(oversight.Seen)) (bool, error)
	SessionsWithin(ctx context.Context, p access.PersonID, within oversight.Span, limit int) ([]meta.PastSession, error)
	GrantsOf(ctx context.Context, id link.ID) (map[string]bool, error)
	Standing(ctx context.Context, p access.PersonID) (meta.Contained, error)
}

// What the facts of an incident are bounded by. What is cut says so.
const (
	standingEvents = 2000    // changes of the person's teams, role and suspension
	standingMost   = 100     // times in a team, a role or in person
	countMost      = 100_000 // items that were open
	seenEvents     = 50_000  // disclosures
	seenRows       = 200     // that are listed
	sessionRows    = 100
)

// Facts are what the records say of an investigation's person and period.
type Facts struct {
	Within    oversight.Span // where the period is open, To is now, or when the incident was closed
	Standings []oversight.Standing
	Could     meta.Could
	Saw       *oversight.Saw
	Sessions  []meta.PastSession
	Live      meta.Contained // what containing would end now
	Suspended bool           // now
	TeamsNow  []access.TeamID
	Cut       bool // the standings are not all there
}

// Case is an investigation with everything that its page shows.
type Case struct {
	oversight.Investigation
	Report  IncidentView
	Facts   Facts
	Clock   oversight.Clock
	Now     time.Time
	Entries []EntryView
	Draft   oversight.Draft // the last version; zero while there is none
	Drafted bool
}

// Show gives an investigation with its facts as they are now. That is recorded.
func (s *Desk) Show(ctx context.Context, who access.Principal, id oversight.ID) (Case, error) {
	i, err := s.find(ctx, who, id)
	if err != nil {
		return Case{}, err
	}
	c := Case{Investigation: i}
	if c.Now, err = s.Store.Now(ctx); err != nil {
		return c, down(err)
	}
	row, err := s.Store.Incident(ctx, id)
	if err != nil {
		return c, gone(err)
	}
	f := fields{ring: s.Ring, table: "incidents", row: string(id)}
	c.Report = IncidentView{row, f.open("text", row.Text), f.open("outcome", row.Outcome)}
	if f.err != nil {
		return c, f.err
	}
	if err := s.entries(ctx, &c); err != nil {
		return c, err
	}
	until := c.Now
	if closed := row.ClosedAt; !closed.IsZero() {
		until = closed // what was so when it was closed stays so
	}
	if c.Facts, err = s.facts(ctx, i.Scope, until); err != nil {
		return c, err
	}
	return c, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.IncidentShown, who, caseSubject(i)))
}

func (s *Desk) entries(ctx context.Context, c *Case) error {
	rows, err := s.Store.Entries(ctx, c.Incident, entriesMost)
	if err != nil {
		return down(fmt.Errorf("list what was done: %w", err))
	}
	c.Clock = oversight.ClockOf(c.Investigation, rows, c.Now)
	for _, e := range rows {
		f := fields{ring: s.Ring, table: "investigation_entries", row: string(e.ID)}
		v := EntryView{e, f.open("text", e.Text)}
		if f.err != nil {
			return f.err
		}
		if e.Kind == oversight.DraftEntry {
			if err := json.Unmarshal([]byte(v.Text), &c.Draft); err != nil {
				return fmt.Errorf("read a draft: %w", err)
			}
			v.Text, c.Drafted = "", true
		}
		c.Entries = append(c.Entries, v)
	}
	return nil
}

// facts asks the records. The membership of teams comes from the audit, so
// that it is what was, and not what is.
func (s *Desk) facts(ctx context.Context, c oversight.Scope, until time.Time) (Facts, error) {
	out := Facts{Within: c.Within, Saw: oversight.NewSaw()}
	if out.Within.To.IsZero() || out.Within.To.After(until) {
		out.Within.To = until
	}
	bad := func(what string, err error) (Facts, error) { return out, down(fmt.Errorf("%s: %w", what, err)) }
	p, err := s.Store.Person(ctx, c.Person)
	if err != nil {
		return bad("find the person", err)
	}
	out.Suspended = p.Suspended
	events, err := s.Store.EventsAbout(ctx, c.Person, oversight.StandingTypes(), standingEvents)
	if err != nil {
		return bad("look up the teams of the person", err)
	}
	out.Standings = oversight.Standings(c.Person, events, out.Within)
	out.Cut = len(events) == standingEvents || len(out.Standings) > standingMost
	out.Standings = out.Standings[:min(len(out.Standings), standingMost)]
	if out.Could, err = s.Store.CouldSee(ctx, c, out.Standings, countMost); err != nil {
		return bad("count what was open", err)
	}
	grants, err := s.grantsOf(ctx, c.Link)
	if err != nil {
		return out, err
	}
	out.Saw.Cut, err = s.Store.Seen(ctx, c.Person, out.Within, seenEvents, func(e oversight.Seen) {
		if c.In(e, grants) {
			out.Saw.Add(e, seenRows)
		}
	})
	if err != nil {
		return bad("add up what was seen", err)
	}
	if out.Sessions, err = s.Store.SessionsWithin(ctx, c.Person, out.Within, sessionRows); err != nil {
		return bad("list the sessions", err)
	}
	if out.Live, err = s.Store.Standing(ctx, c.Person); err != nil {
		return bad("count what is live", err)
	}
	out.TeamsNow = teamsAfter(events)
	return out, nil
}

// teamsAfter are the teams that somebody is in after some events.
func teamsAfter(events []audit.Event) []access.TeamID {
	var out []access.TeamID
	for _, e := range events {
		team := access.TeamID(e.Subject.Team)
		switch i := slices.Index(out, team); {
		case e.Type == audit.TeamJoined && i < 0:
			out = append(out, team)
		case e.Type == audit.TeamLeft && i >= 0:
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

// List lists the investigations with their clocks, those of open incidents
// first.
func (s *Desk) List(ctx context.Context, who access.Principal) ([]Case, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.Investigate); err != nil {
		return nil, err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return nil, down(err)
	}
	rows, err := s.Store.Investigations(ctx, reviewLimit)
	if err != nil {
		return nil, down(fmt.Errorf("list the investigations: %w", err))
	}
	out := make([]Case, 0, len(rows))
	for _, i := range rows {
		if i.Scope.Person == who.Person.ID {
			continue // another auditor's
		}
		c := Case{Investigation: i, Now: now}
		entries, err := s.Store.Entries(ctx, i.Incident, entriesMost)
		if err != nil {
			return nil, down(fmt.Errorf("list what was done: %w", err))
		}
		c.Clock = oversight.ClockOf(i, entries, now)
		out = append(out, c)
	}
	return out, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.OversightRead, who, audit.Subject{}).With("what", "investigations"))
}
