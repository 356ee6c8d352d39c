package records

import (
	"context"
	"errors"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
)

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
		if err := d.unmerged(ctx, t.Patient); err != nil {
			return err
		}
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
	m, err := d.move(who, it, to.ID, reason)
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

func (d *Desk) move(who access.Principal, it media.Item, to media.PatientID, reason string) (meta.Move, error) {
	reason, err := transfer.Written(reason, "reason", true)
	if err != nil {
		return meta.Move{}, err
	}
	m := meta.Move{ID: string(retention.NewEventID()), Item: it.ID, From: it.Patient, To: to, By: who.Person.ID}
	if m.Fingerprint, err = transfer.FingerprintFor(d.Ring, it, to); err != nil {
		return m, err
	}
	f := transfer.FieldsOf(d.Ring, "moves", m.ID)
	m.Reason = f.Seal("reason", reason)
	return m, f.Err()
}
