package records

import (
	"bytes"
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
)

// NewHold is a hold to place. A hold on everything must say so.
type NewHold struct {
	Reason, Authority string
	From, To          string // YYYY-MM-DD; the last day is included
	Teams             []access.TeamID
	Patients          []media.PatientID
	Site              string // one of media.Sites
	Everything        bool
}

// HoldView is a hold with its texts opened.
type HoldView struct {
	retention.Hold
	Reason, Authority, SiteName, ReleaseReason string
	Items, Due                                 int // it is on now; of a live hold
}

func (n NewHold) days() (from, to time.Time, err error) {
	day := func(text, field string) (time.Time, error) {
		if text == "" {
			return time.Time{}, nil
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return t, fault.New(fault.Invalid, "day-form", "Enter the day as YYYY-MM-DD, for example 2026-03-27.").In(field)
		}
		return t, nil
	}
	if from, err = day(n.From, "from"); err != nil {
		return from, to, err
	}
	if to, err = day(n.To, "until"); err != nil || to.IsZero() {
		return from, to, err
	}
	if to = to.AddDate(0, 0, 1); !from.Before(to) {
		return from, to, fault.New(fault.Invalid, "days-turned", "The last day is before the first. Check both.").In("until")
	}
	return from, to, nil
}

// criteria checks what a hold is to be on.
func (d *Desk) criteria(ctx context.Context, n NewHold) (c retention.Criteria, err error) {
	if c.From, c.To, err = n.days(); err != nil {
		return c, err
	}
	if n.Site != "" {
		site, ok := media.SiteOf(n.Site)
		if !ok {
			return c, fault.New(fault.Invalid, "site-unknown", "Choose the part of the body from the list.").In("body_site")
		}
		c.Site = transfer.SiteIndex(d.Ring, string(site))
	}
	for _, p := range n.Patients {
		if !media.ValidID(string(p)) {
			return c, transfer.Gone(meta.ErrNotFound)
		}
		if _, err := d.Store.Patient(ctx, p); err != nil {
			return c, transfer.Gone(err)
		}
		if err := d.unmerged(ctx, p); err != nil { // it would be on nothing
			return c, err
		}
	}
	c.Teams, c.Patients = n.Teams, n.Patients
	if c.All() != n.Everything {
		return c, fault.New(fault.Invalid, "criteria-missing", "Say what the hold is on: days, teams, patients or a part of the body; or that it is on everything.").In("criteria")
	}
	return c, nil
}

// Match counts what a hold would be on, before it is placed.
func (d *Desk) Match(ctx context.Context, who access.Principal, n NewHold) (items, due int, err error) {
	if err := d.guard().Role(ctx, who, access.PlaceHold); err != nil {
		return 0, 0, err
	}
	c, err := d.criteria(ctx, n)
	if err != nil {
		return 0, 0, err
	}
	items, due, err = d.Store.CountMatching(ctx, c)
	return items, due, transfer.Down(err)
}

// Place places a hold, on what is there and on what is filed later.
func (d *Desk) Place(ctx context.Context, who access.Principal, n NewHold) (retention.HoldID, error) {
	if err := d.guard().Role(ctx, who, access.PlaceHold); err != nil {
		return "", err
	}
	reason, err := transfer.Written(n.Reason, "reason", true)
	if err != nil {
		return "", err
	}
	authority, err := transfer.Written(n.Authority, "authority", true)
	if err != nil {
		return "", err
	}
	c, err := d.criteria(ctx, n)
	if err != nil {
		return "", err
	}
	h := retention.Hold{ID: retention.NewHoldID(), Criteria: c, PlacedBy: who.Person.ID}
	f := transfer.FieldsOf(d.Ring, "holds", string(h.ID))
	h.Reason, h.Authority = f.Seal("reason", reason), f.Seal("authority", authority)
	if f.Err() != nil {
		return "", f.Err()
	}
	return h.ID, transfer.Gone(d.Store.PlaceHold(ctx, h, audit.NewEvent(audit.HoldPlaced, who, audit.Subject{Hold: string(h.ID)})))
}

// Release ends a hold, with a reason.
func (d *Desk) Release(ctx context.Context, who access.Principal, id retention.HoldID, reason string) error {
	if err := d.guard().Role(ctx, who, access.PlaceHold); err != nil {
		return err
	}
	reason, err := transfer.Written(reason, "reason", true)
	if err != nil {
		return err
	}
	f := transfer.FieldsOf(d.Ring, "holds", string(id))
	sealed := f.Seal("release_reason", reason)
	if f.Err() != nil {
		return f.Err()
	}
	return transfer.Gone(d.Store.ReleaseHold(ctx, id, who.Person.ID, sealed, audit.NewEvent(audit.HoldReleased, who, audit.Subject{Hold: string(id)})))
}

// holdsAtOnce is how many holds are listed.
const holdsAtOnce = 500

// Holds lists the holds, the live ones first, with how much each is on.
func (d *Desk) Holds(ctx context.Context, who access.Principal) ([]HoldView, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return nil, err
	}
	rows, err := d.Store.Holds(ctx, holdsAtOnce)
	if err != nil {
		return nil, transfer.Down(err)
	}
	out := make([]HoldView, 0, len(rows))
	for _, h := range rows {
		v, err := d.openHold(h)
		if err != nil {
			return nil, err
		}
		if h.ReleasedAt.IsZero() {
			if v.Items, v.Due, err = d.Store.CountMatching(ctx, h.Criteria); err != nil {
				return nil, transfer.Down(err)
			}
		}
		out = append(out, v)
	}
	return out, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{}).With("what", "holds"))
}

func (d *Desk) openHold(h retention.Hold) (HoldView, error) {
	f := transfer.FieldsOf(d.Ring, "holds", string(h.ID))
	v := HoldView{Hold: h, Reason: f.Open("reason", h.Reason), Authority: f.Open("authority", h.Authority), ReleaseReason: f.Open("release_reason", h.ReleaseReason)}
	for _, site := range media.Sites() {
		if h.Site != nil && bytes.Equal(h.Site, transfer.SiteIndex(d.Ring, string(site))) {
			v.SiteName = string(site)
		}
	}
	return v, f.Err()
}
