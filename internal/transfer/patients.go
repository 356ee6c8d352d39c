package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// PatientStore is what patients and cases need of the database.
type PatientStore interface {
	AddPatient(ctx context.Context, p media.Patient, ev audit.Event) error
	PatientByIndex(ctx context.Context, index []byte) (media.Patient, error)
	Patient(ctx context.Context, id media.PatientID) (media.Patient, error)
	AddCase(ctx context.Context, c media.Case, ev audit.Event) error
	Case(ctx context.Context, id media.CaseID) (media.Case, error)
	CasesOf(ctx context.Context, p media.PatientID) ([]media.Case, error)
}

// PatientFinder finds patients by number; the number itself is never stored
// or looked up in plain form.
type PatientFinder struct {
	Store PatientStore
	Ring  *keyring.Ring
}

// Patient is a patient with the details opened.
type Patient struct {
	ID media.PatientID
	media.PatientDetails
}

func (f PatientFinder) index(kind media.NumberKind, digits string) []byte {
	return f.Ring.Index("patient-number", []byte(string(kind)+":"+digits))
}

// find checks the number, the date of birth and the sex as typed, against
// themselves and against the registered patient. Its errors say exactly which
// is wrong, and never what the right value would be.
func (f PatientFinder) find(ctx context.Context, kind, number, born, sex string) (Patient, error) {
	k := media.NumberKind(strings.ToLower(kind))
	digits, err := media.ParseNumber(k, number)
	if err != nil {
		return Patient{}, err
	}
	if err := media.CheckDetails(k, digits, born, media.Sex(sex)); err != nil {
		return Patient{}, err
	}
	row, err := f.Store.PatientByIndex(ctx, f.index(k, digits))
	if errors.Is(err, meta.ErrNotFound) {
		return Patient{}, fault.New(fault.Invalid, "patient-unknown", "This patient number is not registered here. Check it against the wristband, or register the patient first.").In("patient_number")
	}
	if err != nil {
		return Patient{}, fmt.Errorf("find the patient: %w", err)
	}
	p, err := f.open(row)
	if err != nil {
		return Patient{}, err
	}
	switch {
	case p.DateOfBirth != born:
		return Patient{}, fault.New(fault.Invalid, "date-of-birth-mismatch", "The date of birth does not match this patient number. Check both against the wristband: this may be another patient.").In("date_of_birth")
	case sex != "" && p.Sex != "" && string(p.Sex) != sex:
		return Patient{}, fault.New(fault.Invalid, "sex-mismatch", "The sex does not match this patient number. Check it against the wristband: this may be another patient.").In("sex")
	}
	return p, nil
}

func (f PatientFinder) open(row media.Patient) (Patient, error) {
	text, err := f.Ring.OpenField("patients", "details", string(row.ID), row.Details)
	if err != nil {
		return Patient{}, fmt.Errorf("open the patient's details: %w", err)
	}
	p := Patient{ID: row.ID}
	if err := json.Unmarshal(text, &p.PatientDetails); err != nil {
		return Patient{}, fmt.Errorf("read the patient's details: %w", err)
	}
	return p, nil
}

// Patients registers and finds patients and their cases.
type Patients struct {
	Gate  GateStore
	Store PatientStore
	Ring  *keyring.Ring
	Clock func() time.Time
}

func (p *Patients) finder() PatientFinder { return PatientFinder{p.Store, p.Ring} }

// Register makes a patient known here. A number that is known already is a
// conflict, which says nothing about the patient who has it.
func (p *Patients) Register(ctx context.Context, who access.Principal, d media.PatientDetails) (Patient, error) {
	if err := (gate{p.Gate}).role(ctx, who, access.RegisterPatient); err != nil {
		return Patient{}, err
	}
	d.Kind = media.NumberKind(strings.ToLower(string(d.Kind)))
	digits, err := media.ParseNumber(d.Kind, d.Number)
	if err != nil {
		return Patient{}, err
	}
	d.Number, d.Name = digits, words.Plain(d.Name)
	if d.Name == "" || utf8.RuneCountInString(d.Name) > 200 {
		return Patient{}, fault.New(fault.Invalid, "patient-name", "Enter the patient's name as on the wristband.").In("name")
	}
	if err := media.CheckDetails(d.Kind, digits, d.DateOfBirth, d.Sex); err != nil {
		return Patient{}, err
	}
	if err := p.alive(d.DateOfBirth); err != nil {
		return Patient{}, err
	}
	id := media.NewPatientID()
	text, err := json.Marshal(d)
	if err != nil {
		return Patient{}, fmt.Errorf("write the patient's details: %w", err)
	}
	f := fields{ring: p.Ring, table: "patients", row: string(id)}
	row := media.Patient{ID: id, NumberIndex: p.finder().index(d.Kind, digits), Details: f.seal("details", string(text))}
	if f.err != nil {
		return Patient{}, f.err
	}
	err = p.Store.AddPatient(ctx, row, audit.NewEvent(audit.PatientAdded, who, audit.Subject{Patient: string(id)}))
	if errors.Is(err, meta.ErrExists) {
		return Patient{}, fault.New(fault.Conflict, "patient-known", "A patient with this number is registered already. Find them by number and date of birth.").In("patient_number")
	}
	if err != nil {
		return Patient{}, down(fmt.Errorf("register the patient: %w", err))
	}
	return Patient{ID: id, PatientDetails: d}, nil
}

// oldest is more than the age, in years, that anybody has reached.
const oldest = 130

// alive refuses a date of birth that nobody has who can be photographed: until
// when a record is kept depends on it.
func (p *Patients) alive(born string) error {
	day, err := time.Parse(time.DateOnly, born)
	if err != nil {
		return fmt.Errorf("read a date of birth: %w", err) // it was checked
	}
	now := p.Clock().UTC()
	switch {
	case day.After(now.AddDate(0, 0, 1)):
		return fault.New(fault.Invalid, "date-of-birth-future", "This date of birth has not come yet. Check it against the wristband.").In("date_of_birth")
	case day.Before(now.AddDate(-oldest, 0, 0)):
		return fault.New(fault.Invalid, "date-of-birth-long-ago", words.Say("This date of birth is more than {n} years ago. Check it against the wristband.", oldest)).In("date_of_birth")
	}
	return nil
}

// Find finds a patient by number and date of birth, both of which must match.
func (p *Patients) Find(ctx context.Context, who access.Principal, kind, number, born string) (Patient, error) {
	if err := (gate{p.Gate}).role(ctx, who, access.FindPatient); err != nil {
		return Patient{}, err
	}
	found, err := p.finder().find(ctx, kind, number, born, "")
	if err != nil {
		if fault.Is(err, fault.Invalid) { // guessing must leave a trace
			ev := audit.NewEvent(audit.PatientFound, who, audit.Subject{}).With("outcome", fault.From(err).Code)
			return Patient{}, errors.Join(err, (gate{p.Gate}).record(ctx, ev))
		}
		return Patient{}, down(err)
	}
	ev := audit.NewEvent(audit.PatientFound, who, audit.Subject{Patient: string(found.ID)}).With("outcome", "found")
	return found, (gate{p.Gate}).record(ctx, ev)
}

// Merged is Down for something new of a patient who was merged into another.
func Merged(err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.Conflict, "patient-merged", "This record was merged into another, so nothing new belongs in it. Find the patient by number once more, and do it there.").With(err)
	}
	return down(err)
}

// CaseView is a case with its title opened.
type CaseView struct {
	media.Case
	Title string
}

// OpenCase opens a case for a patient in one of who's teams.
func (p *Patients) OpenCase(ctx context.Context, who access.Principal, patient media.PatientID, team access.TeamID, title string) (CaseView, error) {
	if err := (gate{p.Gate}).team(ctx, who, access.OpenCase, team); err != nil {
		return CaseView{}, err
	}
	if title = words.Plain(title); title == "" || utf8.RuneCountInString(title) > 200 {
		return CaseView{}, fault.New(fault.Invalid, "case-title", "Give the case a title of 1 to 200 characters, for example: left heel ulcer.").In("title")
	}
	if _, err := p.Store.Patient(ctx, patient); errors.Is(err, meta.ErrNotFound) {
		return CaseView{}, fault.New(fault.Invalid, "patient-unknown", "There is no such patient here. Find or register the patient first.").In("patient")
	} else if err != nil {
		return CaseView{}, down(fmt.Errorf("find the patient: %w", err))
	}
	c := media.Case{ID: media.NewCaseID(), Patient: patient, Team: team, CreatedBy: who.Person.ID}
	f := fields{ring: p.Ring, table: "cases", row: string(c.ID)}
	c.Title = f.seal("title", title)
	if f.err != nil {
		return CaseView{}, f.err
	}
	ev := audit.NewEvent(audit.CaseOpened, who, audit.Subject{Case: string(c.ID), Patient: string(patient), Team: string(team)})
	if err := p.Store.AddCase(ctx, c, ev); err != nil {
		return CaseView{}, Merged(fmt.Errorf("open the case: %w", err))
	}
	return CaseView{Case: c, Title: title}, nil
}

// Cases lists a patient's cases: those of who's teams, or all of them for a
// records officer.
func (p *Patients) Cases(ctx context.Context, who access.Principal, patient media.PatientID) ([]CaseView, error) {
	if err := (gate{p.Gate}).role(ctx, who, access.ListCases); err != nil {
		return nil, err
	}
	if !media.ValidID(string(patient)) {
		return nil, errNoItem
	}
	rows, err := p.Store.CasesOf(ctx, patient)
	if err != nil {
		return nil, down(fmt.Errorf("list the cases: %w", err))
	}
	var out []CaseView
	for _, c := range rows {
		if !who.In(c.Team) && who.Person.Role != access.RecordsOfficer {
			continue
		}
		f := fields{ring: p.Ring, table: "cases", row: string(c.ID)}
		v := CaseView{Case: c, Title: f.open("title", c.Title)}
		if f.err != nil {
			return nil, f.err
		}
		out = append(out, v)
	}
	ev := audit.NewEvent(audit.PatientShown, who, audit.Subject{Patient: string(patient)}).With("what", "cases")
	return out, (gate{p.Gate}).record(ctx, ev)
}

// Case gives one case of who's teams, or any for a records officer.
func (p *Patients) Case(ctx context.Context, who access.Principal, id media.CaseID) (CaseView, error) {
	g := gate{p.Gate}
	if err := g.role(ctx, who, access.ListCases); err != nil {
		return CaseView{}, err
	}
	if !media.ValidID(string(id)) {
		return CaseView{}, errNoItem
	}
	c, err := p.Store.Case(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return CaseView{}, errNoItem
	}
	if err != nil {
		return CaseView{}, down(fmt.Errorf("find the case: %w", err))
	}
	subject := audit.Subject{Case: string(id), Patient: string(c.Patient)}
	if !who.In(c.Team) && who.Person.Role != access.RecordsOfficer {
		return CaseView{}, errors.Join(errNoItem, g.record(ctx, audit.NewEvent(audit.AccessDenied, who, subject).With("action", string(access.ListCases))))
	}
	f := fields{ring: p.Ring, table: "cases", row: string(c.ID)}
	v := CaseView{Case: c, Title: f.open("title", c.Title)}
	if f.err != nil {
		return CaseView{}, f.err
	}
	return v, g.record(ctx, audit.NewEvent(audit.PatientShown, who, subject).With("what", "case"))
}
