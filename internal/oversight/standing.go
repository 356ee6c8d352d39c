package oversight

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
)

// Standing is a way in which pictures were open to a person for a while: in
// person, as a member of a team, or by role.
type Standing struct {
	As link.Audience
	Span
}

// StandingTypes are the audit events that make and end standings. All name the
// person as their subject.
func StandingTypes() []audit.Type {
	return []audit.Type{audit.PersonAdded, audit.PersonChanged, audit.PersonSuspended, audit.PersonRestored, audit.TeamJoined, audit.TeamLeft}
}

// history is what a walk through the events knows of a person at a moment.
type history struct {
	here, suspended bool
	role            access.Role // "" while no event has told
	teams           map[string]bool
}

// open gives the audiences to which the person belongs and in which a picture
// could be shown to them. A role that no event has told may be any.
func (h history) open(id access.PersonID) map[link.Audience]bool {
	out := map[link.Audience]bool{}
	if !h.here || h.suspended || h.role != "" && h.role != access.Clinician && h.role != access.Consultant {
		return out
	}
	out[link.Audience{Kind: link.ToPerson, ID: string(id)}] = true
	if h.role != "" {
		out[link.Audience{Kind: link.ToRole, ID: string(h.role)}] = true
	}
	for t := range h.teams {
		out[link.Audience{Kind: link.ToTeam, ID: t}] = true
	}
	return out
}

func (h *history) apply(e audit.Event) {
	switch e.Type {
	case audit.PersonAdded:
		h.here = true
	case audit.PersonSuspended:
		h.suspended = true
	case audit.PersonRestored:
		h.suspended = false
	case audit.TeamJoined:
		h.teams[e.Subject.Team] = true
	case audit.TeamLeft:
		delete(h.teams, e.Subject.Team)
	}
	if role := e.Detail["role"]; role != "" && (e.Type == audit.PersonAdded || e.Type == audit.PersonChanged) {
		h.role = access.Role(role)
	}
}

// Standings works out from the audit events about a person, oldest first, how
// pictures were open to them within a period. Its To must be set. They come in
// order of their beginning.
func Standings(id access.PersonID, events []audit.Event, within Span) []Standing {
	h := history{teams: map[string]bool{}}
	h.here = len(events) == 0 || events[0].Type != audit.PersonAdded // an account older than the events
	since := map[link.Audience]time.Time{}
	for a := range h.open(id) {
		since[a] = time.Time{}
	}
	var out []Standing
	end := func(a link.Audience, at time.Time) {
		s := Span{From: since[a], To: at}
		if s.From.Before(within.From) {
			s.From = within.From
		}
		if s.To.After(within.To) {
			s.To = within.To
		}
		if s.From.Before(s.To) {
			out = append(out, Standing{a, s})
		}
		delete(since, a)
	}
	for _, e := range events {
		h.apply(e)
		now := h.open(id)
		for a := range maps.Clone(since) {
			if !now[a] {
				end(a, e.At)
			}
		}
		for a := range now {
			if _, had := since[a]; !had {
				since[a] = e.At
			}
		}
	}
	for a := range maps.Clone(since) {
		end(a, within.To)
	}
	slices.SortFunc(out, func(a, b Standing) int {
		if d := a.From.Compare(b.From); d != 0 {
			return d
		}
		return strings.Compare(string(a.As.Kind)+a.As.ID, string(b.As.Kind)+b.As.ID)
	})
	return out
}
