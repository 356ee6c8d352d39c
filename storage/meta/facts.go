package meta

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/oversight"
)

// EventsAbout gives the events of some types whose subject is a person, oldest
// first.
func (s *Store) EventsAbout(ctx context.Context, p access.PersonID, types []audit.Type, limit int) ([]audit.Event, error) {
	in, args := list(types)
	var out []audit.Event
	err := s.all(ctx, func(scan func(...any) error) error {
		var body []byte
		var ev audit.Event
		if err := scan(&body); err != nil {
			return err
		}
		if err := json.Unmarshal(body, &ev); err != nil {
			return fmt.Errorf("read an audit event: %w", err)
		}
		out = append(out, ev)
		return nil
	}, "SELECT body FROM audit_events WHERE person = ? AND type IN "+in+" ORDER BY seq LIMIT ?", slices.Concat([]any{string(p)}, args, []any{max(limit, 1)})...)
	return out, err
}

// Seen gives each, oldest first, what was disclosed to a person in a period,
// and reports whether there was more than limit.
func (s *Store) Seen(ctx context.Context, p access.PersonID, within oversight.Span, limit int, each func(oversight.Seen)) (cut bool, err error) {
	from, err := s.firstSeq(ctx, within.From)
	if err != nil {
		return false, err
	}
	to, err := s.firstSeq(ctx, within.To)
	if err != nil {
		return false, err
	}
	in, types := list(oversight.SeeingTypes())
	n := 0
	err = s.all(ctx, func(scan func(...any) error) error {
		var body []byte
		var e oversight.Seen
		if err := scan(&body, &e.Team, &e.Patient); err != nil {
			return err
		}
		if n++; n > limit {
			return nil
		}
		if err := json.Unmarshal(body, &e.Event); err != nil {
			return fmt.Errorf("read an audit event: %w", err)
		}
		each(e)
		return nil
	}, `SELECT a.body, COALESCE(i.team, ''), CASE WHEN a.patient <> '' THEN a.patient ELSE COALESCE(i.patient, '') END
		FROM audit_events a LEFT JOIN items i ON i.id = a.item
		WHERE a.actor = ? AND a.seq >= ? AND a.seq < ? AND a.type IN `+in+" ORDER BY a.seq LIMIT ?",
		slices.Concat([]any{string(p), from, to}, types, []any{limit + 1})...)
	return n > limit, err
}

// Could is what was open to somebody in a period, by the way in which it was.
type Could struct {
	All         oversight.Count
	Teams       map[access.TeamID]oversight.Count // of the scope
	Own         oversight.Count                   // what they filed themselves
	Linked      oversight.Count
	Asked       oversight.Count
	Emergencies oversight.Count
}

// way is one query of items that were open, as (id, patient).
type way struct {
	query string
	args  []any
}

// CouldSee counts the items that were open to a person, who stood as given,
// within a scope. It counts to most and no further.
func (s *Store) CouldSee(ctx context.Context, c oversight.Scope, standings []oversight.Standing, most int) (Could, error) {
	out := Could{Teams: map[access.TeamID]oversight.Count{}}
	narrow, narrowed := "", []any{}
	if c.Team != "" {
		narrow, narrowed = narrow+" AND i.team = ?", append(narrowed, string(c.Team))
	}
	if c.Patient != "" {
		narrow, narrowed = narrow+" AND i.patient = ?", append(narrowed, string(c.Patient))
	}
	add := func(to *[]way, query string, args ...any) {
		*to = append(*to, way{"SELECT i.id, i.patient FROM " + query + narrow, slices.Concat(args, narrowed)})
	}
	var all, own, linked, asked, emergencies []way
	until := map[access.TeamID]time.Time{}
	for _, st := range standings {
		from, to, kind := at(st.From), at(st.To), string(st.As.Kind)
		live := "links l JOIN items i ON i.id = l.item WHERE l.audience = ? AND l.audience_kind = ? AND l.created_at < ? AND l.expires_at > ? AND (l.revoked_at = 0 OR l.revoked_at > ?)"
		if c.Link != "" {
			add(&linked, live+" AND l.id = ?", st.As.ID, kind, to, from, from, string(c.Link))
			continue
		}
		add(&linked, live, st.As.ID, kind, to, from, from)
		add(&asked, askedWithin, st.As.ID, kind, to, to, from, from, to, from)
		switch st.As.Kind {
		case link.ToTeam:
			until[access.TeamID(st.As.ID)] = st.To // they come in order
		case link.ToPerson:
			add(&own, "items i WHERE i.uploader = ? AND i.filed_at < ?", st.As.ID, to)
			add(&emergencies, `emergencies e JOIN items i ON i.patient = e.patient
				WHERE e.person = ? AND e.at < ? AND e.expires_at > ? AND i.filed_at < e.expires_at AND i.filed_at < ?`, st.As.ID, to, from, to)
		}
	}
	for id, to := range until {
		if c.Team != "" && c.Team != id {
			continue // none of its items belong to the scope
		}
		var ways []way
		add(&ways, "items i WHERE i.team = ? AND i.filed_at < ?", string(id), at(to))
		n, err := s.countWays(ctx, ways, most)
		if err != nil {
			return out, err
		}
		out.Teams[id], all = n, append(all, ways...)
	}
	for _, w := range []struct {
		ways []way
		to   *oversight.Count
	}{{own, &out.Own}, {linked, &out.Linked}, {asked, &out.Asked}, {emergencies, &out.Emergencies}, {slices.Concat(all, own, linked, asked, emergencies), &out.All}} {
		n, err := s.countWays(ctx, w.ways, most)
		if err != nil {
			return out, err
		}
		*w.to = n
	}
	return out, nil
}

// askedWithin are the items of referrals to an audience that were open at some
// moment of a span: asked in it, reopened in it, or not closed before it.
const askedWithin = `referrals r JOIN referral_items ri ON ri.referral = r.id JOIN items i ON i.id = ri.item
	WHERE r.audience = ? AND r.audience_kind = ? AND r.asked_at < ? AND ri.added_at < ?
	AND (r.asked_at >= ? OR EXISTS (SELECT 1 FROM referral_messages m WHERE m.referral = r.id AND m.kind = 'reopen' AND m.at >= ? AND m.at < ?)
		OR COALESCE((SELECT m.kind FROM referral_messages m WHERE m.referral = r.id AND m.kind IN ('close', 'reopen') AND m.at < ? ORDER BY m.id DESC LIMIT 1), '') <> 'close')`

// countWays counts what several queries give together, each thing once.
func (s *Store) countWays(ctx context.Context, ways []way, most int) (oversight.Count, error) {
	var n oversight.Count
	if len(ways) == 0 {
		return n, nil
	}
	var parts []string
	var args []any
	for i, w := range ways {
		parts = append(parts, fmt.Sprintf("SELECT * FROM (SELECT DISTINCT * FROM (%s) d%d LIMIT ?) w%d", w.query, i, i))
		args = append(append(args, w.args...), most+1)
	}
	err := s.read(ctx, "SELECT COUNT(*), COUNT(DISTINCT patient) FROM ("+strings.Join(parts, " UNION ")+") u", args...).Scan(&n.Items, &n.Patients)
	if n.Cut = n.Items > most; n.Cut {
		n.Items = most
	}
	return n, s.d.classify(err)
}
