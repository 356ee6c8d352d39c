// Package records is what the records team does with what is kept: what
// happened to patients, which class a record has, until when each item is kept
// and why, schedules, corrections, and holds. What destroys is not here; see
// internal/disposal.
package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
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
	MergePatients(ctx context.Context, from, to media.PatientID, moves []meta.Move, ev audit.Event) error
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
	Schedule  *meta.Applied // nil when none was applied: then nothing has a date
}

// EventView is a patient event with its detail opened.
type EventView struct {
	retention.Event
	On   time.Time
	Note string
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

func (d *Desk) events(r meta.Record) ([]EventView, error) {
	out := make([]EventView, 0, len(r.Events))
	for _, e := range r.Events {
		f := transfer.FieldsOf(d.Ring, "patient_events", string(e.ID))
		text := f.Open("detail", e.Detail)
		if f.Err() != nil {
			return nil, f.Err()
		}
		var detail retention.EventDetail
		if err := json.Unmarshal([]byte(text), &detail); err != nil {
			return nil, fmt.Errorf("read a patient event: %w", err)
		}
		on, err := time.Parse(time.DateOnly, detail.On)
		if err != nil {
			return nil, fmt.Errorf("read a patient event: %w", err)
		}
		out = append(out, EventView{e, on, detail.Note})
	}
	return out, nil
}

// NewEvent is a patient event to record.
type NewEvent struct {
	Kind   retention.EventKind
	On     string // YYYY-MM-DD
	Note   string
	Source string // "page", "csv" or "api"
}

// AddEvent records something that happened to a patient.
func (d *Desk) AddEvent(ctx context.Context, who access.Principal, id media.PatientID, n NewEvent) error {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return err
	}
	r, err := d.Store.Record(ctx, id)
	if err != nil {
		return transfer.Gone(err)
	}
	p, err := d.finder().Open(r.Patient)
	if err != nil {
		return err
	}
	return d.addEvent(ctx, who, p, n)
}

func (d *Desk) addEvent(ctx context.Context, who access.Principal, p transfer.Patient, n NewEvent) error {
	if !n.Kind.Valid() {
		return fault.New(fault.Invalid, "event-unknown", "Choose what happened: discharged, transferred, in-use or died.").In("event")
	}
	on, err := time.Parse(time.DateOnly, n.On)
	switch {
	case err != nil:
		return fault.New(fault.Invalid, "day-form", "Enter the day as YYYY-MM-DD, for example 2026-03-27.").In("on")
	case n.On < p.DateOfBirth:
		return fault.New(fault.Invalid, "day-before-birth", "This day is before the patient was born. Check it.").In("on")
	case on.After(d.Clock().UTC().AddDate(0, 0, 1)):
		return fault.New(fault.Invalid, "day-future", "This day has not come yet. Record it when it has.").In("on")
	}
	note, err := transfer.Written(n.Note, "note", false)
	if err != nil {
		return err
	}
	e := retention.Event{ID: retention.NewEventID(), Patient: p.ID, Kind: n.Kind, Source: n.Source, By: who.Person.ID}
	text, err := json.Marshal(retention.EventDetail{On: n.On, Note: note})
	if err != nil {
		return err
	}
	f := transfer.FieldsOf(d.Ring, "patient_events", string(e.ID))
	e.Detail = f.Seal("detail", string(text))
	if f.Err() != nil {
		return f.Err()
	}
	ev := audit.NewEvent(audit.PatientEvent, who, audit.Subject{Patient: string(p.ID)}).With("kind", string(n.Kind)).With("source", n.Source).With("event", string(e.ID))
	return transfer.Down(d.Store.AddPatientEvent(ctx, e, ev))
}

// CancelEvent marks an event as recorded in error.
func (d *Desk) CancelEvent(ctx context.Context, who access.Principal, p media.PatientID, id retention.EventID) error {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return err
	}
	ev := audit.NewEvent(audit.PatientEventEnded, who, audit.Subject{Patient: string(p)}).With("event", string(id))
	return transfer.Gone(d.Store.CancelPatientEvent(ctx, p, id, who.Person.ID, ev))
}

// Target is what is given a class: one of its fields is set.
type Target struct {
	Patient media.PatientID
	Team    access.TeamID
	Item    media.ItemID
}

// Classify gives a record, a team or an item a class; the empty class takes it
// away. Only an item can be a copy for teaching or publication.
func (d *Desk) Classify(ctx context.Context, who access.Principal, t Target, c retention.Class) error {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return err
	}
	if c != "" && !c.Valid() || c.Copy() && t.Item == "" {
		return fault.New(fault.Invalid, "class-unknown", "Choose a class from the list.").In("class")
	}
	event := func(s audit.Subject) audit.Event {
		return audit.NewEvent(audit.RecordClassified, who, s).With("class", string(c))
	}
	switch {
	case t.Patient != "":
		return transfer.Gone(d.Store.ClassifyRecord(ctx, t.Patient, c, event(audit.Subject{Patient: string(t.Patient)})))
	case t.Team != "":
		return transfer.Gone(d.Store.ClassifyTeam(ctx, t.Team, c, event(audit.Subject{Team: string(t.Team)})))
	}
	it, err := d.Store.Item(ctx, t.Item)
	if err != nil {
		return transfer.Gone(err)
	}
	if c.Copy() && it.Consent == media.ConsentRecord {
		return fault.New(fault.Invalid, "class-without-consent", "This picture was not agreed to for teaching or publication, so it can be no copy for that.").In("class")
	}
	return transfer.Gone(d.Store.ClassifyItem(ctx, t.Item, c, event(audit.Subject{Item: string(t.Item), Patient: string(it.Patient)})))
}

// TeamClasses gives the classes of teams that have one.
func (d *Desk) TeamClasses(ctx context.Context, who access.Principal) (map[access.TeamID]retention.Class, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return nil, err
	}
	out, err := d.Store.TeamClasses(ctx)
	return out, transfer.Down(err)
}

// EndConsent lowers the use that an item's patient agrees to: from publication
// or teaching to what is left. Withdrawing a picture from the record itself is
// a disposal.
func (d *Desk) EndConsent(ctx context.Context, who access.Principal, id media.ItemID, level media.Consent) error {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return err
	}
	it, err := d.Store.Item(ctx, id)
	if err != nil {
		return transfer.Gone(err)
	}
	if !level.Valid() || level >= it.Consent {
		return fault.New(fault.Invalid, "consent-not-less", "Choose a level that allows less than now: A for the record alone, B for teaching too.").In("consent")
	}
	ev := audit.NewEvent(audit.ConsentEnded, who, audit.Subject{Item: string(id), Patient: string(it.Patient)}).With("from", string(it.Consent)).With("to", string(level))
	return transfer.Gone(d.Store.EndConsent(ctx, id, level, retention.Day(d.Clock()), ev))
}

// Move gives an item that was filed to the wrong patient to the right one,
// found by number and date of birth. Moving it back undoes it.
func (d *Desk) Move(ctx context.Context, who access.Principal, id media.ItemID, kind, number, born, reason string) error {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return err
	}
	to, err := d.finder().Find(ctx, kind, number, born)
	if err != nil {
		return transfer.Down(err)
	}
	it, err := d.Store.Item(ctx, id)
	if err != nil {
		return transfer.Gone(err)
	}
	if it.Patient == to.ID {
		return fault.New(fault.Invalid, "same-patient", "This picture is this patient's already.").In("patient_number")
	}
	m, err := d.move(who, id, it.Patient, to.ID, reason)
	if err != nil {
		return err
	}
	ev := audit.NewEvent(audit.ItemMoved, who, audit.Subject{Item: string(id), Patient: string(to.ID)}).With("from", string(it.Patient))
	err = d.Store.MoveItem(ctx, m, ev)
	if errors.Is(err, meta.ErrHeld) {
		return fault.New(fault.Conflict, "item-held", "A hold is on this picture that would not be on it there. Place one that is on both patients first.").With(err)
	}
	return transfer.Gone(err)
}

func (d *Desk) move(who access.Principal, id media.ItemID, from, to media.PatientID, reason string) (meta.Move, error) {
	reason, err := transfer.Written(reason, "reason", true)
	if err != nil {
		return meta.Move{}, err
	}
	m := meta.Move{ID: string(retention.NewEventID()), Item: id, From: from, To: to, By: who.Person.ID}
	f := transfer.FieldsOf(d.Ring, "moves", m.ID)
	m.Reason = f.Seal("reason", reason)
	return m, f.Err()
}

// Merge gives everything of one patient to another who is the same person
// under another number; both numbers find them from then on.
func (d *Desk) Merge(ctx context.Context, who access.Principal, from media.PatientID, kind, number, born, reason string) (media.PatientID, error) {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return "", err
	}
	to, err := d.finder().Find(ctx, kind, number, born)
	if err != nil {
		return "", transfer.Down(err)
	}
	if to.ID == from {
		return "", fault.New(fault.Invalid, "same-patient", "Both numbers are this patient's already.").In("patient_number")
	}
	if reason, err = transfer.Written(reason, "reason", true); err != nil {
		return "", err
	}
	items, err := d.Store.ItemIDsOf(ctx, from)
	if err != nil {
		return "", transfer.Down(err)
	}
	moves := make([]meta.Move, 0, len(items))
	for _, id := range items {
		m, err := d.move(who, id, from, to.ID, reason)
		if err != nil {
			return "", err
		}
		moves = append(moves, m)
	}
	ev := audit.NewEvent(audit.PatientsMerged, who, audit.Subject{Patient: string(to.ID)}).With("from", string(from)).With("items", fmt.Sprint(len(items)))
	return to.ID, transfer.Gone(d.Store.MergePatients(ctx, from, to.ID, moves, ev))
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
