package meta

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// stir says that the dates of a patient's items are to be worked out again;
// ErrNotFound of one who was forgotten.
func (t *tx) stir(p media.PatientID) error {
	return t.must("UPDATE patients SET stale = stale + 1 WHERE id = ? AND LENGTH(details) > 0", string(p))
}

// stirOwn is stir for something new of a patient; ErrNotFound also of one who
// was merged into another, under whom nobody would find it.
func (t *tx) stirOwn(p media.PatientID) error {
	return t.must("UPDATE patients SET stale = stale + 1 WHERE id = ? AND LENGTH(details) > 0 AND merged_into IS NULL", string(p))
}

// stirOf is stir for the patient of an item.
func (t *tx) stirOf(item media.ItemID) error {
	return t.must("UPDATE patients SET stale = stale + 1 WHERE id = (SELECT patient FROM items WHERE id = ?)", string(item))
}

// Record is what the dates of a patient's items depend on.
type Record struct {
	Patient   media.Patient
	Class     retention.Class // given to the record; empty when none was
	MergedTo  media.PatientID
	Stale     int64
	LastEntry time.Time // the last thing filed or written; zero when there is none
	Events    []retention.Event
	Items     []Dated
}

// Dated is an item with its date and what it depends on.
type Dated struct {
	Item         media.ItemID
	Patient      media.PatientID
	Team         access.TeamID
	Own          retention.Class // given to the item
	Record       retention.Class // given to the patient's record
	TeamClass    retention.Class // given to the team
	ConsentEnded time.Time
	FiledAt      time.Time
	DueOn        time.Time
	DueRule      retention.Class
	KeptUntil    time.Time
	Held         bool
}

// Class is the class that counts for the item; empty for one by age.
func (d Dated) Class() retention.Class {
	for _, c := range []retention.Class{d.Own, d.Record, d.TeamClass} {
		if c != "" {
			return c
		}
	}
	return ""
}

// Record gives a patient's record with all of its items.
func (s *Store) Record(ctx context.Context, id media.PatientID) (Record, error) {
	r, err := s.recordOf(ctx, id)
	if err != nil {
		return r, err
	}
	r.Items, err = s.dated(ctx, "i.patient = ? AND i.destroyed_at = 0 ORDER BY i.id DESC", string(id))
	return r, err
}

// RecordOfItem gives a patient's record with one of its items alone; ErrNotFound
// when that is not there.
func (s *Store) RecordOfItem(ctx context.Context, id media.PatientID, item media.ItemID) (Record, error) {
	r, err := s.recordOf(ctx, id)
	if err != nil {
		return r, err
	}
	r.Items, err = s.dated(ctx, "i.id = ? AND i.patient = ? AND i.destroyed_at = 0", string(item), string(id))
	if err == nil && len(r.Items) == 0 {
		err = ErrNotFound
	}
	return r, err
}

func (s *Store) recordOf(ctx context.Context, id media.PatientID) (Record, error) {
	var r Record
	var made, last micros
	err := s.read(ctx, `SELECT p.id, p.number_index, p.details, p.created_at, p.class, p.merged_into, p.stale, COALESCE((SELECT MAX(last) FROM (
			SELECT MAX(filed_at) AS last FROM items WHERE patient = p.id UNION ALL SELECT MAX(changed_at) FROM referrals WHERE patient = p.id) AS entries), 0)
		FROM patients p WHERE p.id = ?`, string(id)).
		Scan(&r.Patient.ID, &r.Patient.NumberIndex, &r.Patient.Details, &made, &r.Class, optional[media.PatientID]{&r.MergedTo}, &r.Stale, &last)
	if err != nil {
		return r, s.d.classify(err)
	}
	if len(r.Patient.Details) == 0 {
		return r, ErrNotFound // forgotten
	}
	r.Patient.CreatedAt, r.LastEntry = made.time(), last.time()
	r.Events, err = s.patientEvents(ctx, id)
	return r, err
}

func (s *Store) dated(ctx context.Context, where string, args ...any) ([]Dated, error) {
	var out []Dated
	err := s.all(ctx, func(scan func(...any) error) error {
		var d Dated
		var filed, due, kept, ended micros
		err := scan(&d.Item, &d.Patient, &d.Team, &d.Own, &d.Record, &d.TeamClass, &ended, &filed, &due, &d.DueRule, &kept, &d.Held)
		d.ConsentEnded, d.FiledAt, d.DueOn, d.KeptUntil = ended.time(), filed.time(), due.time(), kept.time()
		out = append(out, d)
		return err
	}, `SELECT i.id, i.patient, i.team, i.class, p.class, t.class, i.consent_ended_at, i.filed_at, i.due_on, i.due_rule, i.kept_until, `+held+`
		FROM items i JOIN patients p ON p.id = i.patient JOIN teams t ON t.id = i.team WHERE `+where, args...)
	return out, err
}

func (s *Store) patientEvents(ctx context.Context, id media.PatientID) ([]retention.Event, error) {
	var out []retention.Event
	err := s.all(ctx, func(scan func(...any) error) error {
		var e retention.Event
		var when, cancelled micros
		err := scan(&e.ID, &e.Patient, &e.Kind, &e.Detail, &e.Source, &e.By, &when, optional[access.PersonID]{&e.CancelledBy}, &cancelled)
		e.At, e.CancelledAt = when.time(), cancelled.time()
		out = append(out, e)
		return err
	}, "SELECT id, patient, kind, detail, source, recorded_by, at, cancelled_by, cancelled_at FROM patient_events WHERE patient = ? ORDER BY id DESC", string(id))
	return out, err
}

// AddPatientEvent records what happened to a patient; ErrNotFound of one who was
// forgotten, or merged into another.
func (s *Store) AddPatientEvent(ctx context.Context, e retention.Event, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.stirOwn(e.Patient); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO patient_events (id, patient, kind, detail, source, recorded_by, at) VALUES (?,?,?,?,?,?,{now})",
			string(e.ID), string(e.Patient), string(e.Kind), blob(e.Detail), e.Source, string(e.By))
		return err
	})
}

// CancelPatientEvent marks an event as recorded in error; ErrNotFound when there is
// none that counts.
func (s *Store) CancelPatientEvent(ctx context.Context, p media.PatientID, id retention.EventID, by access.PersonID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE patient_events SET cancelled_by = ?, cancelled_at = {now} WHERE id = ? AND patient = ? AND cancelled_at = 0", string(by), string(id), string(p)); err != nil {
			return err
		}
		return t.stir(p)
	})
}

// StalePatients lists some of the patients whose items are to be dated.
func (s *Store) StalePatients(ctx context.Context, limit int) ([]media.PatientID, error) {
	return s.patientIDs(ctx, "SELECT id FROM patients WHERE stale > 0 AND LENGTH(details) > 0 ORDER BY id LIMIT ?", limit)
}

// PatientsAfter pages through every patient, in the order of identifiers.
func (s *Store) PatientsAfter(ctx context.Context, after media.PatientID, limit int) ([]media.PatientID, error) {
	return s.patientIDs(ctx, "SELECT id FROM patients WHERE id > ? AND LENGTH(details) > 0 ORDER BY id LIMIT ?", string(after), limit)
}

func (s *Store) patientIDs(ctx context.Context, query string, args ...any) ([]media.PatientID, error) {
	var out []media.PatientID
	err := s.all(ctx, func(scan func(...any) error) error {
		var id media.PatientID
		err := scan(&id)
		out = append(out, id)
		return err
	}, query, args...)
	return out, err
}

// Dates are the new dates of one record's items.
type Dates struct {
	Patient media.PatientID
	Stale   int64 // as it was when they were worked out
	Items   []Dated
}

// errStale rolls back dates that something overtook.
var errStale = errors.New("the record changed meanwhile")

// SetDates keeps the dates of some records together with ev. A record that
// changed meanwhile has all of them tried again: then it reports false.
func (s *Store) SetDates(ctx context.Context, all []Dates, ev audit.Event) (bool, error) {
	err := s.change(ctx, ev, func(t *tx) error {
		for _, d := range all {
			n, err := t.exec("UPDATE patients SET stale = 0 WHERE id = ? AND stale = ?", string(d.Patient), d.Stale)
			if err != nil {
				return err
			}
			if n == 0 {
				return errStale
			}
			for _, i := range d.Items {
				if _, err := t.exec("UPDATE items SET due_on = ?, due_rule = ? WHERE id = ? AND patient = ?", at(i.DueOn), string(i.DueRule), string(i.Item), string(d.Patient)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if errors.Is(err, errStale) {
		return false, nil
	}
	return err == nil, err
}

// ClassifyRecord gives a patient's record a class, or takes it away.
func (s *Store) ClassifyRecord(ctx context.Context, p media.PatientID, c retention.Class, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE patients SET class = ?, stale = stale + 1 WHERE id = ? AND merged_into IS NULL", string(c), string(p))
	})
}

// ClassifyTeam gives the records of a team a class, or takes it away.
func (s *Store) ClassifyTeam(ctx context.Context, team access.TeamID, c retention.Class, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE teams SET class = ? WHERE id = ?", string(c), string(team)); err != nil {
			return err
		}
		_, err := t.exec("UPDATE patients SET stale = stale + 1 WHERE id IN (SELECT patient FROM items WHERE team = ?)", string(team))
		return err
	})
}

// ClassifyItem gives one item a class of its own, or takes it away.
func (s *Store) ClassifyItem(ctx context.Context, id media.ItemID, c retention.Class, ev audit.Event) error {
	return s.ofItem(ctx, id, "class = ?", []any{string(c)}, ev)
}

// EndConsent records the day on which consent to an item was withdrawn, and
// what level of it is left.
func (s *Store) EndConsent(ctx context.Context, id media.ItemID, level media.Consent, on time.Time, ev audit.Event) error {
	return s.ofItem(ctx, id, "consent = ?, consent_ended_at = ?", []any{string(level), at(on)}, ev)
}

// ofItem changes an item that is still there.
func (s *Store) ofItem(ctx context.Context, id media.ItemID, set string, args []any, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE items SET "+set+" WHERE id = ? AND destroyed_at = 0", append(args, string(id))...); err != nil {
			return err
		}
		return t.stirOf(id)
	})
}

// TeamClasses gives the classes of teams that have one.
func (s *Store) TeamClasses(ctx context.Context) (map[access.TeamID]retention.Class, error) {
	out := map[access.TeamID]retention.Class{}
	err := s.all(ctx, func(scan func(...any) error) error {
		var id access.TeamID
		var c retention.Class
		err := scan(&id, &c)
		out[id] = c
		return err
	}, "SELECT id, class FROM teams WHERE class <> ''")
	return out, err
}

// Move is an item going to another patient.
type Move struct {
	ID       string
	Item     media.ItemID
	From, To media.PatientID
	Reason   media.Sealed
	By       access.PersonID

	Fingerprint []byte // under which the file is found for the other patient; empty when there is nothing left of it
}

// ErrHeld says that a hold would no longer be on what it is on.
var ErrHeld = errors.New("a hold would no longer be on it")

// MoveItem gives an item to another patient; its case stays behind.
// ErrNotFound when the item is not where the move says, ErrHeld when it would
// leave a hold behind too.
func (s *Store) MoveItem(ctx context.Context, m Move, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.gate(); err != nil {
			return err
		}
		before, err := t.holdsOn(m.Item)
		if err != nil {
			return err
		}
		if err := t.must("UPDATE items SET patient = ?, case_id = NULL WHERE id = ? AND patient = ? AND destroyed_at = 0", string(m.To), string(m.Item), string(m.From)); err != nil {
			return err
		}
		after, err := t.holdsOn(m.Item)
		if err != nil {
			return err
		}
		for _, h := range before {
			if !slices.Contains(after, h) {
				return ErrHeld
			}
		}
		if err := t.lookBelow(m.Item); err != nil {
			return err
		}
		// What somebody decided about the one picture counts: undoing a merge
		// moves it no more.
		if _, err := t.exec("DELETE FROM merged_rows WHERE kind = 'items' AND row_id = ?", string(m.Item)); err != nil {
			return err
		}
		return t.moved(m)
	})
}

// moved writes a move down. The same file is a new one for the patient whom it
// leaves.
func (t *tx) moved(m Move) error {
	_, err := t.exec("UPDATE items SET fingerprint = ?, sole = NULL WHERE id = ? AND destroyed_at = 0", blob(m.Fingerprint), string(m.Item))
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO moves (id, item, from_patient, to_patient, reason, moved_by, at) VALUES (?,?,?,?,?,?,{now})",
		m.ID, string(m.Item), string(m.From), string(m.To), blob(m.Reason), string(m.By))
	if err != nil {
		return err
	}
	if err := t.stir(m.From); err != nil {
		return err
	}
	return t.stir(m.To)
}
