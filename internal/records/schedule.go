package records

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
)

// ScheduleView is the schedule that counts, and whether another is offered.
type ScheduleView struct {
	Applied meta.Applied // Version 0: none was applied
	Rules   []RuleView
	Offered *retention.Schedule // differs from the applied one; nil when there is nothing new
}

// RuleView is a rule and who confirmed it.
type RuleView struct {
	retention.Rule
	Confirmed *meta.Confirmation
}

// Sure reports whether the rule was compared with the code in force.
func (r RuleView) Sure() bool { return r.Verified || r.Confirmed != nil }

// Begin applies the offered schedule to a deployment that has none yet.
func (d *Desk) Begin(ctx context.Context) error {
	if d.Offered.Jurisdiction == "" {
		return nil
	}
	_, err := d.Store.Schedule(ctx)
	if !errors.Is(err, meta.ErrNotFound) {
		return err
	}
	ev := audit.NewEvent(audit.ScheduleApplied, access.Principal{}, audit.Subject{}).With("version", "1").With("jurisdiction", string(d.Offered.Jurisdiction))
	if err := d.Store.ApplySchedule(ctx, 0, d.Offered, "", ev); err != nil && !errors.Is(err, meta.ErrExists) {
		return fmt.Errorf("apply the first schedule: %w", err)
	}
	return nil
}

// Schedule shows the schedule that counts.
func (d *Desk) Schedule(ctx context.Context, who access.Principal) (ScheduleView, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return ScheduleView{}, err
	}
	return d.schedule(ctx)
}

func (d *Desk) schedule(ctx context.Context) (ScheduleView, error) {
	var v ScheduleView
	var err error
	if v.Applied, err = d.Store.Schedule(ctx); err != nil && !errors.Is(err, meta.ErrNotFound) {
		return v, transfer.Down(err)
	}
	confirmed, err := d.Store.Confirmations(ctx)
	if err != nil {
		return v, transfer.Down(err)
	}
	for _, r := range v.Applied.Schedule.Rules {
		view := RuleView{Rule: r}
		if c, ok := confirmed[r.Hash()]; ok {
			view.Confirmed = &c
		}
		v.Rules = append(v.Rules, view)
	}
	if d.Offered.Jurisdiction != "" && !same(d.Offered, v.Applied.Schedule) {
		v.Offered = &d.Offered
	}
	return v, nil
}

// same reports whether two schedules say the same.
func same(a, b retention.Schedule) bool {
	if a.Jurisdiction != b.Jurisdiction || a.Edition != b.Edition || a.Automatic != b.Automatic || len(a.Rules) != len(b.Rules) {
		return false
	}
	for i := range a.Rules {
		if a.Rules[i].Hash() != b.Rules[i].Hash() || a.Rules[i].Verified != b.Rules[i].Verified {
			return false
		}
	}
	return true
}

// Confirm records that a rule's figures are those of the code in force here.
func (d *Desk) Confirm(ctx context.Context, who access.Principal, c retention.Class, rule string) error {
	if err := d.guard().Role(ctx, who, access.ApplySchedule); err != nil {
		return err
	}
	applied, err := d.Store.Schedule(ctx)
	if err != nil {
		return transfer.Gone(err)
	}
	r, ok := applied.Schedule.Rule(c)
	if !ok || r.Hash() != rule {
		return fault.New(fault.Conflict, "rule-changed", "This rule has changed since the page was opened. Look at it again.")
	}
	ev := audit.NewEvent(audit.RuleConfirmed, who, audit.Subject{}).With("class", string(c)).With("rule", rule)
	err = d.Store.Confirm(ctx, meta.Confirmation{Rule: rule, Class: c, By: who.Person.ID}, ev)
	if errors.Is(err, meta.ErrExists) {
		return nil
	}
	return transfer.Down(err)
}

// Change is what applying the offered schedule would do.
type Change struct {
	Version     int64                   `json:"version"` // of the schedule that counts now; Apply wants it back
	Items       int                     `json:"items"`   // looked at
	Later       int                     `json:"later"`
	Sooner      int                     `json:"sooner"`
	DueNow      int                     `json:"due_now"`       // under the present schedule
	DueThen     int                     `json:"due_then"`      // under the offered one
	WouldEnd    int                     `json:"would_end"`     // have a date only then
	WouldNotEnd int                     `json:"would_not_end"` // have one no longer
	ByClass     map[retention.Class]int `json:"by_class"`      // items whose date moves, by the class that dates them then
}

// Simulate works out what applying the offered schedule would do, and changes
// nothing. It reads every record once.
func (d *Desk) Simulate(ctx context.Context, who access.Principal) (Change, error) {
	if err := d.guard().Role(ctx, who, access.ApplySchedule); err != nil {
		return Change{}, err
	}
	v, err := d.schedule(ctx)
	if err != nil {
		return Change{}, err
	}
	c := Change{Version: v.Applied.Version, ByClass: map[retention.Class]int{}}
	if v.Offered == nil {
		return c, fault.New(fault.Conflict, "no-new-schedule", "There is no other schedule to apply.")
	}
	today := retention.Day(d.Clock())
	for after := media.PatientID(""); ; {
		page, err := d.Store.PatientsAfter(ctx, after, 500)
		if err != nil {
			return c, transfer.Down(err)
		}
		if len(page) == 0 {
			break
		}
		for _, id := range page {
			if err := d.compare(ctx, v.Applied.Schedule, *v.Offered, id, today, &c); err != nil {
				return c, err
			}
		}
		after = page[len(page)-1]
	}
	ev := audit.NewEvent(audit.RecordsRead, who, audit.Subject{}).With("what", "simulation").With("items", strconv.Itoa(c.Items))
	return c, d.guard().Record(ctx, ev)
}

func (d *Desk) compare(ctx context.Context, now, then retention.Schedule, id media.PatientID, today time.Time, c *Change) error {
	var old meta.Dates
	var err error
	if now.Jurisdiction != "" {
		if old, err = d.datesOf(ctx, now, id); err != nil {
			return transfer.Down(err)
		}
	}
	fresh, err := d.datesOf(ctx, then, id)
	if err != nil {
		return transfer.Down(err)
	}
	for i, f := range fresh.Items {
		var was time.Time
		if i < len(old.Items) && old.Items[i].Item == f.Item {
			was = old.Items[i].DueOn
		}
		c.Items++
		due := func(t time.Time) bool { return !t.IsZero() && !t.After(today) }
		if due(was) {
			c.DueNow++
		}
		if due(f.DueOn) {
			c.DueThen++
		}
		if was.Equal(f.DueOn) {
			continue
		}
		c.ByClass[f.DueRule]++
		switch {
		case was.IsZero():
			c.WouldEnd++
		case f.DueOn.IsZero():
			c.WouldNotEnd++
		case f.DueOn.After(was):
			c.Later++
		default:
			c.Sooner++
		}
	}
	return nil
}

// Apply makes the offered schedule count, after the version whose change was
// simulated.
func (d *Desk) Apply(ctx context.Context, who access.Principal, after int64) error {
	if err := d.guard().Role(ctx, who, access.ApplySchedule); err != nil {
		return err
	}
	v, err := d.schedule(ctx)
	if err != nil {
		return err
	}
	if v.Offered == nil || v.Applied.Version != after {
		return fault.New(fault.Conflict, "schedule-changed", "The schedule has changed since the page was opened. Look at what would change again.")
	}
	ev := audit.NewEvent(audit.ScheduleApplied, who, audit.Subject{}).With("version", strconv.FormatInt(after+1, 10)).With("jurisdiction", string(v.Offered.Jurisdiction))
	return transfer.Down(d.Store.ApplySchedule(ctx, after, *v.Offered, who.Person.ID, ev))
}
