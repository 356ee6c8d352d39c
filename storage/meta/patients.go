package meta

import (
	"context"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// AddPatient adds a patient; ErrExists when the number is known.
func (s *Store) AddPatient(ctx context.Context, p media.Patient, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("INSERT INTO patients (id, number_index, details, created_at) VALUES (?,?,?,{now})", string(p.ID), p.NumberIndex, blob(p.Details))
		return err
	})
}

// PatientByIndex finds a patient by the keyed hash of the number: of one that
// was merged into another, the other.
func (s *Store) PatientByIndex(ctx context.Context, index []byte) (media.Patient, error) {
	return s.patient(ctx, "id = (SELECT COALESCE(merged_into, id) FROM patients WHERE number_index = ?)", index)
}

// Patient finds a patient; ErrNotFound of one who was forgotten with the last
// of their items.
func (s *Store) Patient(ctx context.Context, id media.PatientID) (media.Patient, error) {
	return s.patient(ctx, "id = ?", string(id))
}

func (s *Store) patient(ctx context.Context, where string, arg any) (media.Patient, error) {
	var p media.Patient
	var made micros
	err := s.read(ctx, "SELECT id, number_index, details, created_at FROM patients WHERE "+where, arg).Scan(&p.ID, &p.NumberIndex, &p.Details, &made)
	p.CreatedAt = made.time()
	if err == nil && len(p.Details) == 0 {
		return p, ErrNotFound
	}
	return p, s.d.classify(err)
}

const caseColumns = "id, patient, team, title, created_by, created_at"

func scanCase(scan func(...any) error) (media.Case, error) {
	var c media.Case
	var made micros
	err := scan(&c.ID, &c.Patient, &c.Team, &c.Title, &c.CreatedBy, &made)
	c.CreatedAt = made.time()
	return c, err
}

// AddCase opens a case; ErrNotFound of a patient who was forgotten, or merged
// into another.
func (s *Store) AddCase(ctx context.Context, c media.Case, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.stirOwn(c.Patient); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO cases ("+caseColumns+") VALUES (?,?,?,?,?,{now})", string(c.ID), string(c.Patient), string(c.Team), blob(c.Title), string(c.CreatedBy))
		return err
	})
}

// Case finds a case.
func (s *Store) Case(ctx context.Context, id media.CaseID) (media.Case, error) {
	c, err := scanCase(s.read(ctx, "SELECT "+caseColumns+" FROM cases WHERE id = ?", string(id)).Scan)
	return c, s.d.classify(err)
}

// CasesOf lists a patient's cases, newest first.
func (s *Store) CasesOf(ctx context.Context, p media.PatientID) ([]media.Case, error) {
	var out []media.Case
	err := s.all(ctx, func(scan func(...any) error) error {
		c, err := scanCase(scan)
		out = append(out, c)
		return err
	}, "SELECT "+caseColumns+" FROM cases WHERE patient = ? ORDER BY id DESC", string(p))
	return out, err
}
