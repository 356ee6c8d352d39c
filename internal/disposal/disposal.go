// Package disposal is how things end: a review of what is due, a proposal by
// one person, the approval of another, a time in which it can be undone,
// destruction that survives a crash at any step, and a certificate that can be
// checked without this system.
package disposal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Store is what disposal needs of the database.
type Store interface {
	transfer.GateStore
	Now(ctx context.Context) (time.Time, error)
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Patient(ctx context.Context, id media.PatientID) (media.Patient, error)
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	Teams(ctx context.Context) ([]meta.Team, error)
	Renditions(ctx context.Context, id media.ItemID) ([]media.RenditionRow, error)
	Schedule(ctx context.Context) (meta.Applied, error)
	HoldsOn(ctx context.Context, id media.ItemID) ([]retention.Hold, error)
	DueItems(ctx context.Context, f meta.DueFilter) ([]meta.Dated, error)
	CountDue(ctx context.Context) (items, underHold int, err error)
	CountWaiting(ctx context.Context, by access.PersonID, most int) (items, proposals int, err error)
	AddReview(ctx context.Context, r meta.Review, ev audit.Event) error
	AddBatch(ctx context.Context, b retention.Batch, items []media.ItemID, coolingOff time.Duration, ev audit.Event) error
	DecideBatch(ctx context.Context, id retention.BatchID, to retention.BatchState, by access.PersonID, words media.Sealed, coolingOff time.Duration, ev audit.Event) error
	UndoBatch(ctx context.Context, id retention.BatchID, words media.Sealed, ev audit.Event) error
	Batch(ctx context.Context, id retention.BatchID) (retention.Batch, error)
	Batches(ctx context.Context, after retention.BatchID, limit int) ([]retention.Batch, error)
	ExpiredBatches(ctx context.Context, backups time.Duration, limit int) ([]retention.Batch, error)
	BatchItems(ctx context.Context, id retention.BatchID, after media.ItemID, limit int) ([]retention.BatchItem, error)
	ClaimBatch(ctx context.Context, lease time.Duration) (retention.Batch, error)
	ExtendBatch(ctx context.Context, id retention.BatchID, lease time.Duration) error
	StartBatch(ctx context.Context, id retention.BatchID, ev audit.Event) error
	DestroyKeys(ctx context.Context, b retention.Batch, item media.ItemID, facts []byte, ev, spared audit.Event) (string, error)
	ForgetItem(ctx context.Context, b retention.BatchID, item media.ItemID, ev audit.Event) error
	FinishBatch(ctx context.Context, id retention.BatchID, certificate []byte, ev audit.Event) error
	FinaliseBatch(ctx context.Context, id retention.BatchID, final []byte, ev audit.Event) error
	RestoreBatch(ctx context.Context, b retention.Batch, items []media.ItemID, ev audit.Event) error
	DestroyAgain(ctx context.Context, item media.ItemID, ev audit.Event) ([]string, error)
	Purge(ctx context.Context) error
}

// Policy is what an organisation decides about disposal.
type Policy struct {
	Organisation string        // as certificates name it
	CoolingOff   time.Duration // between approval and destruction, in which it can be undone
	Backups      time.Duration // how long a backup of the database is kept; unset: nothing is destroyed
	Automatic    bool          // what is due goes to cooling off without a review, where the schedule's code allows it
}

// Desk reviews, proposes, approves, destroys and certifies. It is safe for
// concurrent use, and any number of servers may each run one.
type Desk struct {
	Store   Store
	Records *records.Desk
	Ring    *keyring.Ring
	Objects blob.Store
	StepUp  func(ctx context.Context, who access.Principal) error // refuses who has not just proved who they are
	Clock   func() time.Time
	Policy  Policy
	Lease   time.Duration // how soon a batch that a dead server was at is taken over; 2 minutes when zero
}

func (d *Desk) guard() transfer.Guard { return transfer.Guard{Store: d.Store} }

// MostItems is how many items one batch may have.
const MostItems = 1000

// DueView is an item whose time has come, with why, and what is on it.
type DueView struct {
	meta.Dated
	Why       string
	Class     string // title of the rule that dates it
	Sure      bool   // the rule was compared with the code in force
	BodySite  string
	Captured  time.Time
	Consent   media.Consent
	Format    media.Format
	HeldBy    int // holds
	ThisState string
}

// Due lists items whose time has come, a page at a time, and whether there
// are more.
func (d *Desk) Due(ctx context.Context, who access.Principal, f meta.DueFilter) ([]DueView, bool, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return nil, false, err
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
	return v, f.Err()
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

// Keep decides that items whose time has come are kept longer, or go to
// another organisation ("transfer"), until the day on which they come back.
func (d *Desk) Keep(ctx context.Context, who access.Principal, items []media.ItemID, decision, until, reason string) error {
	if err := d.guard().Role(ctx, who, access.ProposeDisposal); err != nil {
		return err
	}
	if err := someItems(items); err != nil {
		return err
	}
	if decision != "keep" && decision != "transfer" {
		return fault.New(fault.Invalid, "decision-unknown", "Choose whether to keep these, to transfer them or to propose them for destruction.").In("decision")
	}
	day, err := time.Parse(time.DateOnly, until)
	if err != nil || !day.After(d.Clock()) {
		return fault.New(fault.Invalid, "until-form", "Enter the day on which these come back for review, after today, for example 2031-03-27.").In("until")
	}
	if reason, err = transfer.Written(reason, "reason", true); err != nil {
		return err
	}
	for _, id := range items {
		r := meta.Review{ID: string(retention.NewEventID()), Item: id, Decision: decision, Until: day, By: who.Person.ID}
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

func someItems(items []media.ItemID) error {
	if len(items) == 0 {
		return fault.New(fault.Invalid, "items-missing", "Tick at least one picture.").In("item")
	}
	if len(items) > MostItems {
		return fault.New(fault.Invalid, "items-many", fmt.Sprintf("A batch has at most %d pictures. Split it.", MostItems)).In("item")
	}
	for _, id := range items {
		if !media.ValidID(string(id)) {
			return transfer.Gone(meta.ErrNotFound)
		}
	}
	return nil
}

// Propose puts items up for destruction: because their time has come, because
// the patient no longer agrees to them, or because their erasure was asked
// for.
func (d *Desk) Propose(ctx context.Context, who access.Principal, ground retention.Ground, items []media.ItemID, reason string) (retention.BatchID, error) {
	if err := d.guard().Role(ctx, who, access.ProposeDisposal); err != nil {
		return "", err
	}
	if !ground.Valid() {
		return "", fault.New(fault.Invalid, "ground-unknown", "Choose why these may be destroyed.").In("ground")
	}
	if err := someItems(items); err != nil {
		return "", err
	}
	reason, err := transfer.Written(reason, "reason", true)
	if err != nil {
		return "", err
	}
	return d.propose(ctx, who, retention.Batch{ID: retention.NewBatchID(), Ground: ground, State: retention.Proposed, ProposedBy: who.Person.ID}, items, reason)
}

var errPolicy = fault.New(fault.Conflict, "policy-unset", "This system has not been told how long backups of its database are kept, so it could not say when the last copy of a key is gone. Your administrator sets it (--backups-kept-for); until then nothing is destroyed.")

func (d *Desk) propose(ctx context.Context, who access.Principal, b retention.Batch, items []media.ItemID, reason string) (retention.BatchID, error) {
	if d.Policy.Backups <= 0 {
		return "", errPolicy
	}
	f := transfer.FieldsOf(d.Ring, "batches", string(b.ID))
	b.Reason, b.Salt = f.Seal("reason", reason), f.Seal("salt", newSalt())
	if f.Err() != nil {
		return "", f.Err()
	}
	kind := audit.DisposalProposed
	if b.State == retention.Approved {
		kind = audit.DisposalApproved
	}
	ev := audit.NewEvent(kind, who, audit.Subject{Batch: string(b.ID)}).With("ground", string(b.Ground)).With("items", strconv.Itoa(len(items)))
	err := d.Store.AddBatch(ctx, b, items, d.Policy.CoolingOff, ev)
	if errors.Is(err, meta.ErrNotEligible) {
		return "", fault.New(fault.Conflict, "not-eligible", "At least one of these may not be destroyed: it is under a hold, its time has not come, or another batch has it. Nothing was proposed; open the list again.").With(err)
	}
	return b.ID, transfer.Gone(err)
}

// Approve is the second person's yes, after they have proved once more who
// they are. It can be undone until the time of cooling off ends.
func (d *Desk) Approve(ctx context.Context, who access.Principal, id retention.BatchID, words string) error {
	return d.decide(ctx, who, id, retention.Approved, audit.DisposalApproved, words, false)
}

// Refuse is the second person's no.
func (d *Desk) Refuse(ctx context.Context, who access.Principal, id retention.BatchID, words string) error {
	return d.decide(ctx, who, id, retention.Refused, audit.DisposalRefused, words, true)
}

func (d *Desk) decide(ctx context.Context, who access.Principal, id retention.BatchID, to retention.BatchState, kind audit.Type, words string, needed bool) error {
	if err := d.guard().Role(ctx, who, access.ApproveDisposal); err != nil {
		return err
	}
	b, err := d.batch(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case b.State != retention.Proposed:
		return fault.New(fault.Conflict, "batch-decided", "This proposal has been decided already.")
	case b.ProposedBy == who.Person.ID:
		return fault.New(fault.Denied, "second-person", "You proposed this yourself. A different person must decide it.")
	}
	if to == retention.Approved {
		if err := d.StepUp(ctx, who); err != nil {
			return err
		}
		if err := d.spareHeld(ctx, b); err != nil {
			return err
		}
	}
	sealed, err := d.words(id, words, needed)
	if err != nil {
		return err
	}
	ev := audit.NewEvent(kind, who, audit.Subject{Batch: string(id)})
	err = d.Store.DecideBatch(ctx, id, to, who.Person.ID, sealed, d.Policy.CoolingOff, ev)
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.Conflict, "batch-decided", "This proposal has been decided already.").With(err)
	}
	return transfer.Down(err)
}

// spareHeld refuses to approve what a hold is on. A hold that comes later
// spares its items when the batch runs.
func (d *Desk) spareHeld(ctx context.Context, b retention.Batch) error {
	return d.eachItem(ctx, b.ID, func(i retention.BatchItem) error {
		holds, err := d.Store.HoldsOn(ctx, i.Item)
		if err != nil {
			return transfer.Down(err)
		}
		if len(holds) > 0 {
			return fault.New(fault.Conflict, "batch-held", "A hold has been placed on part of this batch since it was proposed. Refuse it, and have what is not held proposed again.")
		}
		return nil
	})
}

func (d *Desk) words(id retention.BatchID, words string, needed bool) (media.Sealed, error) {
	words, err := transfer.Written(words, "reason", needed)
	if err != nil {
		return nil, err
	}
	f := transfer.FieldsOf(d.Ring, "batches", string(id))
	sealed := f.Seal("decision", words)
	return sealed, f.Err()
}

// Undo takes a proposal back, or undoes an approved batch before it runs.
func (d *Desk) Undo(ctx context.Context, who access.Principal, id retention.BatchID, words string) error {
	if err := d.guard().Role(ctx, who, access.ApproveDisposal); err != nil {
		return err
	}
	sealed, err := d.words(id, words, true)
	if err != nil {
		return err
	}
	err = d.Store.UndoBatch(ctx, id, sealed, audit.NewEvent(audit.DisposalUndone, who, audit.Subject{Batch: string(id)}))
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.Conflict, "too-late", "It is too late to undo this: its destruction has begun, or it was decided otherwise.").With(err)
	}
	return transfer.Down(err)
}

func (d *Desk) batch(ctx context.Context, id retention.BatchID) (retention.Batch, error) {
	if !media.ValidID(string(id)) {
		return retention.Batch{}, transfer.Gone(meta.ErrNotFound)
	}
	b, err := d.Store.Batch(ctx, id)
	return b, transfer.Gone(err)
}

func (d *Desk) eachItem(ctx context.Context, id retention.BatchID, each func(retention.BatchItem) error) error {
	for after := media.ItemID(""); ; {
		page, err := d.Store.BatchItems(ctx, id, after, 200)
		if err != nil {
			return transfer.Down(err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, i := range page {
			if err := each(i); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Item
	}
}

// BatchView is a batch with its texts opened.
type BatchView struct {
	retention.Batch
	Reason, Decision string
	Lines            []retention.BatchItem    // only of a single batch
	Backups          time.Time                // from when no backup can hold a key of it; only of a single batch that was destroyed
	Why              map[media.ItemID]DueView // of those that are still there
}

func (d *Desk) view(b retention.Batch) (BatchView, error) {
	f := transfer.FieldsOf(d.Ring, "batches", string(b.ID))
	v := BatchView{Batch: b, Reason: f.Open("reason", b.Reason), Decision: f.Open("decision", b.Decision)}
	return v, f.Err()
}

// List gives a page of the destruction log, newest first: every batch there
// ever was.
func (d *Desk) List(ctx context.Context, who access.Principal, after retention.BatchID) ([]BatchView, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return nil, err
	}
	rows, err := d.Store.Batches(ctx, after, 100)
	if err != nil {
		return nil, transfer.Down(err)
	}
	out := make([]BatchView, 0, len(rows))
	for _, b := range rows {
		v, err := d.view(b)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{}).With("what", "disposals"))
}

// Show gives one batch with its items.
func (d *Desk) Show(ctx context.Context, who access.Principal, id retention.BatchID) (BatchView, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return BatchView{}, err
	}
	b, err := d.batch(ctx, id)
	if err != nil {
		return BatchView{}, err
	}
	v, err := d.view(b)
	if err != nil {
		return v, err
	}
	if len(b.Certificate) > 0 {
		c, err := d.own(b.Certificate)
		if err != nil {
			return v, err
		}
		v.Backups = c.Backups.LastGone
	}
	v.Why = map[media.ItemID]DueView{}
	err = d.eachItem(ctx, id, func(i retention.BatchItem) error {
		v.Lines = append(v.Lines, i)
		if i.State != retention.Waiting {
			return nil
		}
		why, err := d.dueView(ctx, meta.Dated{Item: i.Item})
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		v.Why[i.Item] = why
		return err
	})
	if err != nil {
		return v, err
	}
	return v, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{Batch: string(id)}).With("what", "batch"))
}

// DueFilter chooses items whose time has come.
type DueFilter = meta.DueFilter
