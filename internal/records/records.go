// Package records is what the records team does with what is kept: what
// happened to patients, which class a record has, until when each item is kept
// and why, schedules, corrections, and holds. What destroys is not here; see
// internal/disposal.
package records

import (
	"context"
	"errors"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
)

// Store is what the records team's flows need of the database.
type Store interface {
	transfer.GateStore
	transfer.PatientStore
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	ItemIDsOf(ctx context.Context, p media.PatientID) ([]media.ItemID, error)
	Record(ctx context.Context, id media.PatientID) (meta.Record, error)
	RecordOfItem(ctx context.Context, id media.PatientID, item media.ItemID) (meta.Record, error)
	AddPatientEvent(ctx context.Context, e retention.Event, ev audit.Event) error
	CancelPatientEvent(ctx context.Context, p media.PatientID, id retention.EventID, by access.PersonID, ev audit.Event) error
	ClassifyRecord(ctx context.Context, p media.PatientID, c retention.Class, ev audit.Event) error
	ClassifyTeam(ctx context.Context, team access.TeamID, c retention.Class, ev audit.Event) error
	ClassifyItem(ctx context.Context, id media.ItemID, c retention.Class, ev audit.Event) error
	TeamClasses(ctx context.Context) (map[access.TeamID]retention.Class, error)
	MoveItem(ctx context.Context, m meta.Move, ev audit.Event) error
	MergePatients(ctx context.Context, m meta.Merge, moves []meta.Move, ev audit.Event) error
	UndoMerge(ctx context.Context, m meta.Merge, moves []meta.Move, ev audit.Event) error
	Merge(ctx context.Context, id string) (meta.Merge, error)
	MergesOf(ctx context.Context, p media.PatientID) ([]meta.Merge, error)
	MergedItems(ctx context.Context, m meta.Merge) ([]media.ItemID, error)
	SinceMerge(ctx context.Context, m meta.Merge) (meta.SinceMerge, error)
	EndConsent(ctx context.Context, id media.ItemID, level media.Consent, on time.Time, ev audit.Event) error
	StalePatients(ctx context.Context, limit int) ([]media.PatientID, error)
	PatientsAfter(ctx context.Context, after media.PatientID, limit int) ([]media.PatientID, error)
	SetDates(ctx context.Context, all []meta.Dates, ev audit.Event) (bool, error)
	Schedule(ctx context.Context) (meta.Applied, error)
	ApplySchedule(ctx context.Context, after int64, s retention.Schedule, by access.PersonID, ev audit.Event) error
	Confirmations(ctx context.Context) (map[string]meta.Confirmation, error)
	Confirm(ctx context.Context, c meta.Confirmation, ev audit.Event) error
	PlaceHold(ctx context.Context, h retention.Hold, ev audit.Event) error
	ReleaseHold(ctx context.Context, id retention.HoldID, by access.PersonID, reason media.Sealed, ev audit.Event) error
	Holds(ctx context.Context, limit int) ([]retention.Hold, error)
	HoldsOn(ctx context.Context, id media.ItemID) ([]retention.Hold, error)
	CountMatching(ctx context.Context, c retention.Criteria) (items, due int, err error)
}

// Desk is the records team's desk. It is safe for concurrent use.
type Desk struct {
	Store   Store
	Ring    *keyring.Ring
	Clock   func() time.Time
	Offered retention.Schedule // of this deployment, from its file or the program; the zero Schedule offers none
}

func (d *Desk) guard() transfer.Guard { return transfer.Guard{Store: d.Store} }

func (d *Desk) finder() transfer.PatientFinder {
	return transfer.PatientFinder{Store: d.Store, Ring: d.Ring}
}

// RecordView is a patient's record with what its dates depend on.
type RecordView struct {
	Patient   transfer.Patient
	Class     retention.Class // given to it; empty when none was
	ByAge     retention.Class // which counts then
	LastEntry time.Time
	Events    []EventView
	Items     []ItemDue
	Merges    []MergeView   // newest first
	Schedule  *meta.Applied // nil when none was applied: then nothing has a date
}

// ItemDue is an item with until when it is kept, and why.
type ItemDue struct {
	meta.Dated
	Due       retention.Due
	Confirmed bool // its rule was compared with the code in force

	// Of a whole record only.
	BodySite string
	Consent  media.Consent
	Format   media.Format
}

// Record shows a patient's record.
func (d *Desk) Record(ctx context.Context, who access.Principal, id media.PatientID) (RecordView, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return RecordView{}, err
	}
	if !media.ValidID(string(id)) {
		return RecordView{}, transfer.Gone(meta.ErrNotFound)
	}
	r, err := d.Store.Record(ctx, id)
	if err != nil {
		return RecordView{}, transfer.Gone(err)
	}
	v, err := d.view(ctx, r)
	if err != nil {
		return v, err
	}
	if err := d.facts(ctx, v.Items); err != nil {
		return v, err
	}
	if v.Merges, err = d.merges(ctx, id); err != nil {
		return v, err
	}
	return v, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{Patient: string(id)}).With("what", "record"))
}

// facts adds what items show, which their dates do not depend on.
func (d *Desk) facts(ctx context.Context, items []ItemDue) error {
	for i := range items {
		it, err := d.Store.Item(ctx, items[i].Item)
		if err != nil {
			return transfer.Gone(err)
		}
		f := transfer.FieldsOf(d.Ring, "items", string(it.ID))
		items[i].BodySite, items[i].Consent, items[i].Format = f.Open("body_site", it.BodySite), it.Consent, it.Format
		if f.Err() != nil {
			return f.Err()
		}
	}
	return nil
}

// Find finds a patient's record by number and date of birth.
func (d *Desk) Find(ctx context.Context, who access.Principal, kind, number, born string) (media.PatientID, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return "", err
	}
	p, err := d.finder().Find(ctx, kind, number, born)
	if err != nil {
		return "", transfer.Down(err)
	}
	return p.ID, d.guard().Record(ctx, audit.NewEvent(audit.PatientFound, who, audit.Subject{Patient: string(p.ID)}).With("outcome", "found"))
}

func (d *Desk) view(ctx context.Context, r meta.Record) (RecordView, error) {
	v := RecordView{Class: r.Class, LastEntry: r.LastEntry}
	var err error
	if v.Patient, err = d.finder().Open(r.Patient); err != nil {
		return v, err
	}
	if v.Events, err = d.events(r); err != nil {
		return v, err
	}
	facts, err := factsOf(v.Patient.PatientDetails, r, v.Events)
	if err != nil {
		return v, err
	}
	v.ByAge = retention.Default(facts)
	applied, err := d.Store.Schedule(ctx)
	if errors.Is(err, meta.ErrNotFound) {
		for _, i := range r.Items {
			v.Items = append(v.Items, ItemDue{Dated: i, Due: retention.Due{Why: "Kept, because no retention schedule has been set up here."}})
		}
		return v, nil
	}
	if err != nil {
		return v, transfer.Down(err)
	}
	v.Schedule = &applied
	confirmed, err := d.Store.Confirmations(ctx)
	if err != nil {
		return v, transfer.Down(err)
	}
	for _, i := range r.Items {
		due, err := applied.Schedule.Due(i.Class(), with(facts, i))
		if err != nil {
			return v, err
		}
		_, sure := confirmed[due.Rule.Hash()]
		v.Items = append(v.Items, ItemDue{Dated: i, Due: due, Confirmed: sure || due.Rule.Verified})
	}
	return v, nil
}

// with adds to a record's facts what is of one item alone.
func with(f retention.Facts, i meta.Dated) retention.Facts {
	f.ConsentEnded = retention.Day(i.ConsentEnded)
	return f
}

func factsOf(p media.PatientDetails, r meta.Record, events []EventView) (retention.Facts, error) {
	born, err := time.Parse(time.DateOnly, p.DateOfBirth)
	if err != nil {
		return retention.Facts{}, errors.New("a patient has no date of birth that can be read")
	}
	f := retention.Facts{Born: born, LastEntry: retention.Day(r.LastEntry)}
	if f.LastEntry.IsZero() {
		f.LastEntry = retention.Day(r.Patient.CreatedAt)
	}
	var happened []retention.Happened
	for _, e := range events {
		if e.CancelledAt.IsZero() {
			happened = append(happened, retention.Happened{Kind: e.Kind, On: e.On})
		}
	}
	return retention.Collect(f, happened), nil
}

// Why tells until when one item is kept, and which holds are on it. The caller
// has decided that the item may be described.
func (d *Desk) Why(ctx context.Context, id media.ItemID, p media.PatientID) (ItemDue, error) {
	r, err := d.Store.RecordOfItem(ctx, p, id)
	if err != nil {
		return ItemDue{}, transfer.Gone(err)
	}
	v, err := d.view(ctx, r)
	if err != nil {
		return ItemDue{}, err
	}
	return v.Items[0], nil
}
