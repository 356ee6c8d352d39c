package meta

import (
	"context"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/oversight"
)

// AddInvestigation opens an investigation and gives it with its time. report
// is added with it, unless it is nil because somebody reported the incident
// before. ErrNotFound when there is no such open incident, and ErrExists when
// it is being looked into.
func (s *Store) AddInvestigation(ctx context.Context, i oversight.Investigation, report *oversight.Incident, evs ...audit.Event) (oversight.Investigation, error) {
	err := s.within(ctx, func(t *tx) error {
		if r := report; r != nil {
			if _, err := t.exec("INSERT INTO incidents (id, kind, reported_by, page, text, at, outcome) VALUES (?,?,?,?,?,{now},?)",
				string(r.ID), string(r.Kind), string(r.ReportedBy), r.Page, blob(r.Text), blob(r.Outcome)); err != nil {
				return err
			}
		}
		var open bool
		if err := t.row("SELECT EXISTS (SELECT 1 FROM incidents WHERE id = ? AND closed_at = 0)", string(i.Incident)).Scan(&open); err != nil || !open {
			return noneUnless(err)
		}
		var aware, opened micros
		c := i.Scope
		err := t.row(`INSERT INTO investigations (incident, cause, person, team, session, link, patient, from_at, to_at, aware_at, opened_by, opened_at)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,{now}) RETURNING aware_at, opened_at`,
			string(i.Incident), string(i.Cause), string(c.Person), string(c.Team), string(c.Session), string(c.Link), string(c.Patient), at(c.Within.From), at(c.Within.To),
			at(i.AwareAt), string(i.OpenedBy)).Scan(&aware, &opened)
		i.AwareAt, i.OpenedAt = aware.time(), opened.time()
		if err != nil {
			return err
		}
		return t.recordAll(evs)
	})
	return i, err
}

// noneUnless is ErrNotFound where there was no other error.
func noneUnless(err error) error {
	if err == nil {
		err = ErrNotFound
	}
	return err
}

func (t *tx) recordAll(evs []audit.Event) error {
	for _, ev := range evs {
		if err := t.record(ev); err != nil {
			return err
		}
	}
	return nil
}

const investigationColumns = "v.incident, v.cause, v.person, v.team, v.session, v.link, v.patient, v.from_at, v.to_at, v.aware_at, v.opened_by, v.opened_at"

func scanInvestigation(scan func(...any) error) (oversight.Investigation, error) {
	var i oversight.Investigation
	var from, to, aware, opened micros
	c := &i.Scope
	err := scan(&i.Incident, &i.Cause, &c.Person, &c.Team, &c.Session, &c.Link, &c.Patient, &from, &to, &aware, &i.OpenedBy, &opened)
	c.Within = oversight.Span{From: from.time(), To: to.time()}
	i.AwareAt, i.OpenedAt = aware.time(), opened.time()
	return i, err
}

// Investigation finds one.
func (s *Store) Investigation(ctx context.Context, id oversight.ID) (oversight.Investigation, error) {
	i, err := scanInvestigation(s.read(ctx, "SELECT "+investigationColumns+" FROM investigations v WHERE v.incident = ?", string(id)).Scan)
	return i, s.d.classify(err)
}

// Investigations lists those of incidents that are open, and then the others,
// newest first.
func (s *Store) Investigations(ctx context.Context, limit int) ([]oversight.Investigation, error) {
	var out []oversight.Investigation
	err := s.all(ctx, func(scan func(...any) error) error {
		i, err := scanInvestigation(scan)
		out = append(out, i)
		return err
	}, "SELECT "+investigationColumns+" FROM investigations v JOIN incidents n ON n.id = v.incident ORDER BY n.closed_at > 0, v.incident DESC LIMIT ?", max(limit, 1))
	return out, err
}

// Incident finds a report.
func (s *Store) Incident(ctx context.Context, id oversight.ID) (oversight.Incident, error) {
	var i oversight.Incident
	var made, closed micros
	err := s.read(ctx, "SELECT id, kind, reported_by, page, text, at, closed_at, closed_by, outcome FROM incidents WHERE id = ?", string(id)).
		Scan(&i.ID, &i.Kind, &i.ReportedBy, &i.Page, &i.Text, &made, &closed, optional[access.PersonID]{&i.ClosedBy}, &i.Outcome)
	i.At, i.ClosedAt = made.time(), closed.time()
	return i, s.d.classify(err)
}

// AddEntry adds an entry to the investigation of an open incident, ErrNotFound
// otherwise. One of becoming aware moves the clock.
func (s *Store) AddEntry(ctx context.Context, e oversight.Entry, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.addEntry(e); err != nil || e.Kind != oversight.AwareEntry {
			return err
		}
		return t.must("UPDATE investigations SET aware_at = ? WHERE incident = ?", at(e.When), string(e.Incident))
	})
}

func (t *tx) addEntry(e oversight.Entry) error {
	var open bool
	err := t.row("SELECT EXISTS (SELECT 1 FROM investigations v JOIN incidents n ON n.id = v.incident WHERE v.incident = ? AND n.closed_at = 0)", string(e.Incident)).Scan(&open)
	if err != nil || !open {
		return noneUnless(err)
	}
	_, err = t.exec("INSERT INTO investigation_entries (id, incident, kind, value, text, when_at, by, at) VALUES (?,?,?,?,?,?,?,{now})",
		string(e.ID), string(e.Incident), string(e.Kind), e.Value, blob(e.Text), at(e.When), string(e.By))
	return err
}

// Entries lists what was done in an investigation, oldest first.
func (s *Store) Entries(ctx context.Context, id oversight.ID, limit int) ([]oversight.Entry, error) {
	var out []oversight.Entry
	err := s.all(ctx, func(scan func(...any) error) error {
		var e oversight.Entry
		var when, made micros
		err := scan(&e.ID, &e.Incident, &e.Kind, &e.Value, &e.Text, &when, &e.By, &made)
		e.When, e.At = when.time(), made.time()
		out = append(out, e)
		return err
	}, "SELECT id, incident, kind, value, text, when_at, by, at FROM investigation_entries WHERE incident = ? ORDER BY id LIMIT ?", string(id), max(limit, 1))
	return out, err
}

// Containment says which access of a person to end.
type Containment struct {
	Person  access.PersonID
	Links   bool            // those made by them and those addressed to them, and their emergency accesses
	Session bool            // sessions and API tokens
	Suspend bool            // the account
	Teams   []access.TeamID // to take them out of
}

// Contained is what a containment ended.
type Contained struct {
	Links, Emergencies, Sessions, Tokens int
	Suspended                            bool // false as well where it was so before
	Left                                 []access.TeamID
}

// Contain ends a person's access in one transaction, with an event for each
// thing ended. entry and ev are made from what was ended.
func (s *Store) Contain(ctx context.Context, c Containment, event func(audit.Type, audit.Subject) audit.Event, entry func(Contained) (oversight.Entry, audit.Event)) (Contained, error) {
	var did Contained
	err := s.within(ctx, func(t *tx) error {
		did = Contained{}
		var evs []audit.Event
		note := func(typ audit.Type, sub audit.Subject) {
			sub.Person = string(c.Person)
			evs = append(evs, event(typ, sub))
		}
		for _, step := range []struct {
			wanted bool
			do     func() error
		}{
			{c.Links, func() error { return t.endLinks(c.Person, &did, note) }},
			{c.Session || c.Suspend, func() error { return t.endAllSessions(c.Person, &did, note) }},
			{len(c.Teams) > 0, func() error { return t.leaveTeams(c, &did, note) }},
			{c.Suspend, func() error {
				n, err := t.exec("UPDATE people SET suspended = ? WHERE id = ? AND suspended = ?", true, string(c.Person), false)
				if did.Suspended = n > 0; did.Suspended {
					note(audit.PersonSuspended, audit.Subject{})
				}
				if err != nil {
					return err
				}
				return t.leaves(c.Person)
			}},
		} {
			if !step.wanted {
				continue
			}
			if err := step.do(); err != nil {
				return err
			}
		}
		e, ev := entry(did)
		if err := t.addEntry(e); err != nil {
			return err
		}
		return t.recordAll(append(evs, ev))
	})
	return did, err
}

// ended runs a change that returns what it ended, by identifier and kind.
func (t *tx) ended(each func(id, kind string), query string, args ...any) error {
	rows, err := t.QueryContext(t.ctx, t.s.text(query), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, kind string
		if err := rows.Scan(&id, &kind); err != nil {
			return err
		}
		each(id, kind)
	}
	return rows.Err()
}

func (t *tx) endLinks(p access.PersonID, did *Contained, note func(audit.Type, audit.Subject)) error {
	err := t.ended(func(id, item string) {
		did.Links++
		note(audit.LinkRevoked, audit.Subject{Link: id, Item: item})
	}, `UPDATE links SET revoked_at = {now} WHERE revoked_at = 0 AND expires_at > {now}
		AND (created_by = ? OR (audience_kind = 'person' AND audience = ?)) RETURNING id, item`, string(p), string(p))
	if err != nil {
		return err
	}
	return t.ended(func(id, patient string) {
		did.Emergencies++
		note(audit.EmergencyEnded, audit.Subject{Emergency: id, Patient: patient})
	}, "UPDATE emergencies SET expires_at = {now} WHERE person = ? AND expires_at > {now} RETURNING id, patient", string(p))
}

func (t *tx) leaveTeams(c Containment, did *Contained, note func(audit.Type, audit.Subject)) error {
	for _, team := range c.Teams {
		n, err := t.exec("DELETE FROM members WHERE team = ? AND person = ?", string(team), string(c.Person))
		if err != nil {
			return err
		}
		if n > 0 {
			did.Left = append(did.Left, team)
			note(audit.TeamLeft, audit.Subject{Team: string(team)})
		}
	}
	return nil
}

func (t *tx) endAllSessions(p access.PersonID, did *Contained, note func(audit.Type, audit.Subject)) error {
	return t.ended(func(id, kind string) {
		if SessionKind(kind) == KindToken {
			did.Tokens++
			note(audit.TokenRevoked, audit.Subject{Token: id})
			return
		}
		did.Sessions++
		note(audit.SessionEnded, audit.Subject{Token: id})
	}, `UPDATE sessions SET ended_at = {now} WHERE person = ? AND ended_at = 0 AND expires_at > {now}
		AND (idle_for = 0 OR last_seen_at + idle_for > {now}) RETURNING id, kind`, string(p))
}

// Standing counts what a containment would end now.
func (s *Store) Standing(ctx context.Context, p access.PersonID) (Contained, error) {
	var c Contained
	err := s.read(ctx, `SELECT
		(SELECT COUNT(*) FROM links WHERE revoked_at = 0 AND expires_at > {now} AND (created_by = ? OR (audience_kind = 'person' AND audience = ?))),
		(SELECT COUNT(*) FROM emergencies WHERE person = ? AND expires_at > {now}),
		(SELECT COUNT(*) FROM sessions s WHERE s.person = ? AND s.kind = 'session' AND `+alive+`),
		(SELECT COUNT(*) FROM sessions s WHERE s.person = ? AND s.kind = 'token' AND `+alive+`)`,
		string(p), string(p), string(p), string(p), string(p)).Scan(&c.Links, &c.Emergencies, &c.Sessions, &c.Tokens)
	return c, s.d.classify(err)
}

// PastSession is a session or token and how it ended, if it did.
type PastSession struct {
	Session
	EndedAt time.Time // zero while it was not ended by anybody
	Live    bool
}

// SessionsWithin lists a person's sessions and tokens that stood in a period,
// newest first.
func (s *Store) SessionsWithin(ctx context.Context, p access.PersonID, within oversight.Span, limit int) ([]PastSession, error) {
	var out []PastSession
	err := s.all(ctx, func(scan func(...any) error) error {
		var n PastSession
		var ended micros
		var err error
		n.Session, err = scanSession(scan, &ended, &n.Live)
		n.EndedAt = ended.time()
		out = append(out, n)
		return err
	}, "SELECT "+sessionColumns+`, s.ended_at, (`+alive+`) FROM sessions s
		WHERE s.person = ? AND s.created_at < ? AND s.expires_at > ? AND (s.ended_at = 0 OR s.ended_at > ?) ORDER BY s.id DESC LIMIT ?`,
		string(p), at(within.To), at(within.From), at(within.From), max(limit, 1))
	return out, err
}

// GrantsOf lists the grants of a link.
func (s *Store) GrantsOf(ctx context.Context, id link.ID) (map[string]bool, error) {
	ids, err := column[link.GrantID](ctx, s, "SELECT id FROM grants WHERE link = ?", string(id))
	out := map[string]bool{}
	for _, g := range ids {
		out[string(g)] = true
	}
	return out, err
}

// firstSeq is the number of the first event at or after a time. Events are in
// the order of their times.
func (s *Store) firstSeq(ctx context.Context, t time.Time) (int64, error) {
	var seq int64
	err := s.read(ctx, `SELECT COALESCE((SELECT seq FROM audit_events WHERE at >= ? ORDER BY at, seq LIMIT 1), (SELECT seq + 1 FROM audit_counter WHERE one = 1))`, at(t)).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("find the first event of a period: %w", s.d.classify(err))
	}
	return seq, nil
}
