package records

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
)

// dateAtOnce is how many records are dated in one transaction.
const dateAtOnce = 100

// Refresh works out the dates of every record in which something changed, and
// gives how many it did. Until it has, what was added keeps nothing from being
// reviewed, and keeps it from being destroyed: see storage/meta.
func (d *Desk) Refresh(ctx context.Context) (int, error) {
	applied, err := d.Store.Schedule(ctx)
	if errors.Is(err, meta.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the schedule: %w", err)
	}
	done := 0
	for ctx.Err() == nil {
		stale, err := d.Store.StalePatients(ctx, dateAtOnce)
		if err != nil || len(stale) == 0 {
			return done, err
		}
		n, err := d.date(ctx, applied, stale)
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, ctx.Err()
}

// Redate works out the dates of one record at once, so that whoever changed it
// sees what came of that. What it cannot do the next Refresh does.
func (d *Desk) Redate(ctx context.Context, id media.PatientID) error {
	applied, err := d.Store.Schedule(ctx)
	if errors.Is(err, meta.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the schedule: %w", err)
	}
	_, err = d.date(ctx, applied, []media.PatientID{id})
	return err
}

// date dates some records together, and those of a group in which one changed
// meanwhile each alone; that one waits for the next round.
func (d *Desk) date(ctx context.Context, applied meta.Applied, patients []media.PatientID) (int, error) {
	var all []meta.Dates
	items := 0
	for _, id := range patients {
		dates, err := d.datesOf(ctx, applied.Schedule, id)
		if err != nil {
			return 0, fmt.Errorf("date a record: %w", err)
		}
		all = append(all, dates)
		items += len(dates.Items)
	}
	ev := audit.NewEvent(audit.RecordsDated, access.Principal{}, audit.Subject{}).
		With("records", strconv.Itoa(len(all))).With("items", strconv.Itoa(items)).With("schedule", strconv.FormatInt(applied.Version, 10))
	ok, err := d.Store.SetDates(ctx, all, ev)
	if err != nil || ok {
		return len(all), err
	}
	if len(patients) == 1 {
		return 0, nil
	}
	done := 0
	for _, id := range patients {
		n, err := d.date(ctx, applied, []media.PatientID{id})
		if done += n; err != nil {
			return done, err
		}
	}
	return done, nil
}

// datesOf works out the dates of one record's items under a schedule.
func (d *Desk) datesOf(ctx context.Context, s retention.Schedule, id media.PatientID) (meta.Dates, error) {
	r, err := d.Store.Record(ctx, id)
	if err != nil {
		return meta.Dates{}, err
	}
	out := meta.Dates{Patient: id, Stale: r.Stale, Items: r.Items}
	if len(r.Items) == 0 {
		return out, nil
	}
	p, err := d.finder().Open(r.Patient)
	if err != nil {
		return out, err
	}
	events, err := d.events(r)
	if err != nil {
		return out, err
	}
	facts, err := factsOf(p.PatientDetails, r, events)
	if err != nil {
		return out, err
	}
	for i := range out.Items {
		it := &out.Items[i]
		due, err := s.Due(it.Class(), with(facts, *it))
		if err != nil {
			return out, err
		}
		it.DueOn, it.DueRule = due.Review(), due.Rule.Class
		if it.KeptUntil.After(it.DueOn) && !it.DueOn.IsZero() {
			it.DueOn = it.KeptUntil
		}
	}
	return out, nil
}
