package meta

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/notice"
	"github.com/wardseal/wardseal/internal/oversight"
)

// Acknowledge records that a person has read a version of the guidance.
func (s *Store) Acknowledge(ctx context.Context, p access.PersonID, version string, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("INSERT INTO acknowledgements (person, version, at) VALUES (?,?,{now}) ON CONFLICT DO NOTHING", string(p), version)
		return err
	})
}

// Acknowledged reports whether a person has read a version of the guidance.
func (s *Store) Acknowledged(ctx context.Context, p access.PersonID, version string) (bool, error) {
	var yes bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM acknowledgements WHERE person = ? AND version = ?)", string(p), version).Scan(&yes)
	return yes, s.d.classify(err)
}

// AddIncident adds a report and gives it with its time.
func (s *Store) AddIncident(ctx context.Context, i oversight.Incident, ev audit.Event) (oversight.Incident, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		var when micros
		err := t.row("INSERT INTO incidents (id, kind, reported_by, page, text, at, outcome) VALUES (?,?,?,?,?,{now},?) RETURNING at",
			string(i.ID), string(i.Kind), string(i.ReportedBy), i.Page, blob(i.Text), blob(i.Outcome)).Scan(&when)
		i.At = when.time()
		if err != nil || i.Kind != oversight.Breach {
			return err
		}
		return t.notify(forAuditors(i.ReportedBy))
	})
	return i, err
}

// Incidents lists the open reports, oldest first, and then those closed,
// newest first.
func (s *Store) Incidents(ctx context.Context, limit int) ([]oversight.Incident, error) {
	var out []oversight.Incident
	err := s.all(ctx, func(scan func(...any) error) error {
		var i oversight.Incident
		var made, closed micros
		err := scan(&i.ID, &i.Kind, &i.ReportedBy, &i.Page, &i.Text, &made, &closed, optional[access.PersonID]{&i.ClosedBy}, &i.Outcome)
		i.At, i.ClosedAt = made.time(), closed.time()
		out = append(out, i)
		return err
	}, `SELECT id, kind, reported_by, page, text, at, closed_at, closed_by, outcome FROM incidents
		ORDER BY closed_at > 0, CASE WHEN closed_at = 0 THEN at END, closed_at DESC LIMIT ?`, max(limit, 1))
	return out, err
}

// CloseIncident closes an open report; ErrNotFound when there is none.
func (s *Store) CloseIncident(ctx context.Context, id oversight.ID, by access.PersonID, outcome media.Sealed, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE incidents SET closed_at = {now}, closed_by = ?, outcome = ? WHERE id = ? AND closed_at = 0", string(by), blob(outcome), string(id))
	})
}

// AddEmergency adds an emergency access that lasts for a while, and gives it
// with its times.
func (s *Store) AddEmergency(ctx context.Context, e oversight.Emergency, lasts time.Duration, ev audit.Event) (oversight.Emergency, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		if err := t.stirOwn(e.Patient); err != nil {
			return err
		}
		var made, ends micros
		err := t.row("INSERT INTO emergencies (id, person, patient, reason, at, expires_at, finding) VALUES (?,?,?,?,{now},{now} + ?,?) RETURNING at, expires_at",
			string(e.ID), string(e.Person), string(e.Patient), blob(e.Reason), lasts.Microseconds(), blob(e.Finding)).Scan(&made, &ends)
		e.At, e.ExpiresAt = made.time(), ends.time()
		if err != nil {
			return err
		}
		return t.notify(forAuditors(e.Person))
	})
	return e, err
}

func forAuditors(but access.PersonID) Notify {
	return Notify{notice.Review, link.Audience{Kind: link.ToRole, ID: string(access.Auditor)}, but}
}

const emergencyColumns = "e.id, e.person, e.patient, e.reason, e.at, e.expires_at, e.reviewed_at, e.reviewed_by, e.finding"

func scanEmergency(scan func(...any) error) (oversight.Emergency, error) {
	var e oversight.Emergency
	var made, ends, reviewed micros
	err := scan(&e.ID, &e.Person, &e.Patient, &e.Reason, &made, &ends, &reviewed, optional[access.PersonID]{&e.ReviewedBy}, &e.Finding)
	e.At, e.ExpiresAt, e.ReviewedAt = made.time(), ends.time(), reviewed.time()
	return e, err
}

func (s *Store) emergencies(ctx context.Context, rest string, args ...any) ([]oversight.Emergency, error) {
	var out []oversight.Emergency
	err := s.all(ctx, func(scan func(...any) error) error {
		e, err := scanEmergency(scan)
		out = append(out, e)
		return err
	}, "SELECT "+emergencyColumns+" FROM emergencies e "+rest, args...)
	return out, err
}

// Emergencies lists those that nobody has reviewed, oldest first, and then
// those reviewed, newest first.
func (s *Store) Emergencies(ctx context.Context, limit int) ([]oversight.Emergency, error) {
	return s.emergencies(ctx, "ORDER BY e.reviewed_at > 0, CASE WHEN e.reviewed_at = 0 THEN e.at END, e.reviewed_at DESC LIMIT ?", max(limit, 1))
}

// LiveEmergencies lists a person's that have not ended.
func (s *Store) LiveEmergencies(ctx context.Context, p access.PersonID) ([]oversight.Emergency, error) {
	return s.emergencies(ctx, "WHERE e.person = ? AND e.expires_at > {now} ORDER BY e.id", string(p))
}

// EmergencyFor reports whether a person has emergency access to a patient now.
func (s *Store) EmergencyFor(ctx context.Context, patient media.PatientID, p access.PersonID) (bool, error) {
	var yes bool
	err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM emergencies e WHERE e.patient = ? AND e.person = ? AND e.expires_at > {now})", string(patient), string(p)).Scan(&yes)
	return yes, s.d.classify(err)
}

// EndEmergency ends a person's emergency access now; ErrNotFound when they
// have none of that identifier.
func (s *Store) EndEmergency(ctx context.Context, id oversight.ID, p access.PersonID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE emergencies SET expires_at = {now} WHERE id = ? AND person = ? AND expires_at > {now}", string(id), string(p))
	})
}

// ReviewEmergency records what a review found; ErrNotFound when it was
// reviewed before, does not exist, or is the reviewer's own.
func (s *Store) ReviewEmergency(ctx context.Context, id oversight.ID, by access.PersonID, finding media.Sealed, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE emergencies SET reviewed_at = {now}, reviewed_by = ?, finding = ? WHERE id = ? AND reviewed_at = 0 AND person <> ?",
			string(by), blob(finding), string(id), string(by))
	})
}

// CountToReview counts the open incidents and the emergencies that nobody has
// reviewed.
func (s *Store) CountToReview(ctx context.Context) (int, error) {
	var n int
	err := s.read(ctx, "SELECT (SELECT COUNT(*) FROM incidents WHERE closed_at = 0) + (SELECT COUNT(*) FROM emergencies WHERE reviewed_at = 0)").Scan(&n)
	return n, s.d.classify(err)
}
