package records

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
)

// EventView is a patient event with its detail opened.
type EventView struct {
	retention.Event
	On   time.Time
	Note string
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
	return transfer.Merged(d.Store.AddPatientEvent(ctx, e, ev))
}

// CancelEvent marks an event as recorded in error.
func (d *Desk) CancelEvent(ctx context.Context, who access.Principal, p media.PatientID, id retention.EventID) error {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return err
	}
	ev := audit.NewEvent(audit.PatientEventEnded, who, audit.Subject{Patient: string(p)}).With("event", string(id))
	return transfer.Gone(d.Store.CancelPatientEvent(ctx, p, id, who.Person.ID, ev))
}
