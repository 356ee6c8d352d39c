package disposal

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// DueView is an item whose time has come, with why, and what is on it.
type DueView struct {
	meta.Dated
	Why      words.Text
	Class    string // title of the rule that dates it
	Sure     bool   // the rule was compared with the code in force
	BodySite string
	Captured time.Time
	Consent  media.Consent
	Format   media.Format
	HeldBy   int // holds

	HandedOver *HandedOver // it went to another organisation, which has confirmed it; nil otherwise
}

// Due lists items whose time has come, a page at a time, and whether there
// are more.
func (d *Desk) Due(ctx context.Context, who access.Principal, f meta.DueFilter) ([]DueView, bool, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return nil, false, err
	}
	if f.Team != "" && !media.ValidID(string(f.Team)) {
		return nil, false, fault.New(fault.Invalid, "filter-wrong", "This filter takes an identifier that this server gave out.").In("team")
	}
	limit := min(max(f.Limit, 1), 200)
	f.Limit = limit + 1
	rows, err := d.Store.DueItems(ctx, f)
	if err != nil {
		return nil, false, transfer.Down(err)
	}
	more := len(rows) > limit
	if more {
		rows = rows[:limit]
	}
	out := make([]DueView, 0, len(rows))
	for _, r := range rows {
		v, err := d.dueView(ctx, r)
		if fault.Is(err, fault.NotFound) {
			continue // destroyed meanwhile
		}
		if err != nil {
			return nil, false, err
		}
		out = append(out, v)
	}
	ev := audit.NewEvent(audit.RecordsRead, who, audit.Subject{Team: string(f.Team)}).With("what", "due").With("count", strconv.Itoa(len(out)))
	return out, more, d.guard().Record(ctx, ev)
}

func (d *Desk) dueView(ctx context.Context, r meta.Dated) (DueView, error) {
	it, err := d.Store.Item(ctx, r.Item)
	if err != nil {
		return DueView{}, transfer.Gone(err)
	}
	why, err := d.Records.Why(ctx, r.Item, it.Patient)
	if err != nil {
		return DueView{}, err
	}
	holds, err := d.Store.HoldsOn(ctx, r.Item)
	if err != nil {
		return DueView{}, transfer.Down(err)
	}
	r.Team, r.FiledAt, r.Patient = it.Team, it.FiledAt, it.Patient // of a batch only the item is known so far
	f := transfer.FieldsOf(d.Ring, "items", string(it.ID))
	v := DueView{Dated: r, Why: why.Due.Why, Class: why.Due.Rule.Title, Sure: why.Confirmed, BodySite: f.Open("body_site", it.BodySite), Captured: it.CapturedAt, Consent: it.Consent, Format: it.Format, HeldBy: len(holds)}
	if f.Err() != nil {
		return v, f.Err()
	}
	v.HandedOver, err = d.handedOver(ctx, r.Item)
	return v, err
}

// Count counts what is due, and how much of it is under a hold. It discloses
// nothing and records nothing.
func (d *Desk) Count(ctx context.Context, who access.Principal) (items, underHold int, err error) {
	if access.May(who, access.ReadRecords) != access.Allow {
		return 0, 0, nil
	}
	items, underHold, err = d.Store.CountDue(ctx)
	return items, underHold, transfer.Down(err)
}

// waitingMost is how far what waits is counted.
const waitingMost = 1000

// Waiting counts what waits for somebody who decides about disposals: items to
// review, and what another person proposed; both up to 1,000. It discloses
// nothing and records nothing.
func (d *Desk) Waiting(ctx context.Context, who access.Principal) (review, approve int, err error) {
	if access.May(who, access.ApproveDisposal) != access.Allow {
		return 0, 0, nil
	}
	review, approve, err = d.Store.CountWaiting(ctx, who.Person.ID, waitingMost)
	return review, approve, transfer.Down(err)
}

// Keep decides that items whose time has come are kept longer, until the day
// on which they come back.
func (d *Desk) Keep(ctx context.Context, who access.Principal, items []media.ItemID, decision, until, reason string) error {
	if err := d.guard().Role(ctx, who, access.ProposeDisposal); err != nil {
		return err
	}
	if err := transfer.Chosen(items, MostItems, manyItems); err != nil {
		return err
	}
	if decision != "keep" {
		return fault.New(fault.Invalid, "decision-unknown", "Choose whether to keep these, to hand them over or to propose them for destruction.").In("decision")
	}
	day, err := time.Parse(time.DateOnly, until)
	if err != nil || !day.After(d.Clock()) {
		return fault.New(fault.Invalid, "until-form", "Enter the day on which these come back for review, after today, for example 2031-03-27.").In("until")
	}
	if reason, err = transfer.Written(reason, "reason", true); err != nil {
		return err
	}
	for _, id := range items {
		r := meta.Review{ID: string(retention.NewEventID()), Item: id, Until: day, By: who.Person.ID}
		f := transfer.FieldsOf(d.Ring, "reviews", r.ID)
		r.Reason = f.Seal("reason", reason)
		if f.Err() != nil {
			return f.Err()
		}
		ev := audit.NewEvent(audit.DisposalKept, who, audit.Subject{Item: string(id)}).With("decision", decision).With("until", until)
		if err := d.Store.AddReview(ctx, r, ev); err != nil {
			return transfer.Gone(err)
		}
	}
	if err := d.redate(ctx, items); err != nil { // the decision stands, and the dates follow within a minute
		slog.WarnContext(ctx, "dates are worked out later", "error", err)
	}
	return nil
}

// redate has what was decided seen at once: what waits for new dates can
// neither leave the queue nor be proposed.
func (d *Desk) redate(ctx context.Context, items []media.ItemID) error {
	done := map[media.PatientID]bool{}
	for _, id := range items {
		it, err := d.Store.Item(ctx, id)
		if err != nil {
			return err
		}
		if done[it.Patient] {
			continue
		}
		done[it.Patient] = true
		if err := d.Records.Redate(ctx, it.Patient); err != nil {
			return err
		}
	}
	return nil
}

// DueFilter chooses items whose time has come.
type DueFilter = meta.DueFilter
