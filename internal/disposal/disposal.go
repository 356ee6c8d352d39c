// Package disposal is how things end: a review of what is due, a proposal by
// one person, the approval of another, a time in which it can be undone,
// destruction that survives a crash at any step, and a certificate that can be
// checked without this system.
package disposal

import (
	"context"
	"errors"
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
	"github.com/wardseal/wardseal/internal/words"
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
	HandedOver(ctx context.Context, item media.ItemID) (retention.Handover, error)
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

var manyItems = words.Say("A batch has at most {n} pictures. Split it.", MostItems)

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
	if err := transfer.Chosen(items, MostItems, manyItems); err != nil {
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
		return "", fault.New(fault.Conflict, "not-eligible", "At least one of these may not be destroyed: it is under a hold, its time has not come, or another batch or a handover has it. Nothing was proposed; open the list again.").With(err)
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
	if b.State != retention.Proposed {
		return fault.New(fault.Conflict, "batch-decided", "This proposal has been decided already.")
	}
	if err := transfer.Second(who, b.ProposedBy); err != nil {
		return err
	}
	if to == retention.Approved {
		if err := d.StepUp(ctx, who); err != nil {
			return err
		}
		if err := d.spareHeld(ctx, b); err != nil {
			return err
		}
	}
	sealed, err := transfer.Decision(d.Ring, "batches", string(id), words, needed)
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

// Undo takes a proposal back, or undoes an approved batch before it runs.
func (d *Desk) Undo(ctx context.Context, who access.Principal, id retention.BatchID, words string) error {
	if err := d.guard().Role(ctx, who, access.ApproveDisposal); err != nil {
		return err
	}
	sealed, err := transfer.Decision(d.Ring, "batches", string(id), words, true)
	if err != nil {
		return err
	}
	err = d.Store.UndoBatch(ctx, id, sealed, audit.NewEvent(audit.DisposalUndone, who, audit.Subject{Batch: string(id)}))
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.Conflict, "too-late", "It is too late to undo this: its destruction has begun, or it was decided otherwise.").With(err)
	}
	return transfer.Down(err)
}
