package records

import (
	"context"
	"errors"
	"strconv"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// MergeView is a merge with its texts opened.
type MergeView struct {
	meta.Merge
	Reason, UndoReason string
	Other              transfer.Patient // of the two, who is not looked at; without details once forgotten
	Since              meta.SinceMerge  // came to the patient that both numbers find: undoing leaves it there
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
	moves, err := d.moves(ctx, who, items, to.ID, reason)
	if err != nil {
		return "", err
	}
	m := meta.Merge{ID: string(retention.NewEventID()), From: from, To: to.ID, By: who.Person.ID}
	f := transfer.FieldsOf(d.Ring, "merges", m.ID)
	if m.Reason = f.Seal("reason", reason); f.Err() != nil {
		return "", f.Err()
	}
	ev := audit.NewEvent(audit.PatientsMerged, who, audit.Subject{Patient: string(to.ID)}).With("from", string(from)).With("items", strconv.Itoa(len(items)))
	return to.ID, transfer.Gone(d.Store.MergePatients(ctx, m, moves, ev))
}

func (d *Desk) moves(ctx context.Context, who access.Principal, items []media.ItemID, to media.PatientID, reason string) ([]meta.Move, error) {
	moves := make([]meta.Move, 0, len(items))
	for _, id := range items {
		it, err := d.Store.Item(ctx, id)
		if err != nil {
			return nil, transfer.Gone(err)
		}
		m, err := d.move(who, it, to, reason)
		if err != nil {
			return nil, err
		}
		moves = append(moves, m)
	}
	return moves, nil
}

// UndoMerge takes two numbers that were made one apart again: what the merge
// moved goes back, and what came since stays. It gives the merge, as the
// patient who keeps what came since has it.
func (d *Desk) UndoMerge(ctx context.Context, who access.Principal, id, reason string) (MergeView, error) {
	if err := d.guard().Role(ctx, who, access.KeepRecords); err != nil {
		return MergeView{}, err
	}
	reason, err := transfer.Written(reason, "reason", true)
	if err != nil {
		return MergeView{}, err
	}
	m, err := d.Store.Merge(ctx, id)
	if err != nil {
		return MergeView{}, transfer.Gone(err)
	}
	items, err := d.Store.MergedItems(ctx, m)
	if err != nil {
		return MergeView{}, transfer.Down(err)
	}
	moves, err := d.moves(ctx, who, items, m.From, reason)
	if err != nil {
		return MergeView{}, err
	}
	m.UndoneBy = who.Person.ID
	f := transfer.FieldsOf(d.Ring, "merges", m.ID)
	if m.UndoReason = f.Seal("undo_reason", reason); f.Err() != nil {
		return MergeView{}, f.Err()
	}
	ev := audit.NewEvent(audit.MergeUndone, who, audit.Subject{Patient: string(m.To)}).With("from", string(m.From)).With("items", strconv.Itoa(len(items)))
	err = d.Store.UndoMerge(ctx, m, moves, ev)
	for _, refused := range []struct {
		err  error
		code string
		says words.Text
	}{
		{meta.ErrMergeUndone, "merge-undone", "This merge was undone before."},
		{meta.ErrMergeBelow, "merge-below", "This patient was merged into another afterwards. Undo that merge first."},
		{meta.ErrMergeForgotten, "merge-forgotten", "Everything of this patient was destroyed since, so there is nobody to take out again."},
		{meta.ErrMergeEnding, "merge-ending", "Pictures that would go back are in a proposal for destruction or in a handover. Refuse or undo that first."},
	} {
		if errors.Is(err, refused.err) {
			return MergeView{}, fault.New(fault.Conflict, refused.code, refused.says).With(err)
		}
	}
	if err != nil {
		return MergeView{}, transfer.Gone(err)
	}
	if m, err = d.Store.Merge(ctx, id); err != nil {
		return MergeView{}, transfer.Down(err)
	}
	return d.openMerge(ctx, m, m.To)
}

// unmerged refuses a patient who was merged into another: what is decided about
// them would count for nobody.
func (d *Desk) unmerged(ctx context.Context, id media.PatientID) error {
	r, err := d.Store.Record(ctx, id)
	if err == nil && r.MergedTo != "" {
		return transfer.Merged(meta.ErrNotFound)
	}
	return transfer.Gone(err)
}

// merges opens the merges of a patient.
func (d *Desk) merges(ctx context.Context, id media.PatientID) ([]MergeView, error) {
	rows, err := d.Store.MergesOf(ctx, id)
	if err != nil {
		return nil, transfer.Down(err)
	}
	out := make([]MergeView, 0, len(rows))
	for _, m := range rows {
		v, err := d.openMerge(ctx, m, id)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// openMerge opens a merge as one of its patients has it.
func (d *Desk) openMerge(ctx context.Context, m meta.Merge, of media.PatientID) (MergeView, error) {
	f := transfer.FieldsOf(d.Ring, "merges", m.ID)
	v := MergeView{Merge: m, Reason: f.Open("reason", m.Reason), UndoReason: f.Open("undo_reason", m.UndoReason), Other: transfer.Patient{ID: m.From}}
	if f.Err() != nil {
		return v, f.Err()
	}
	if of == m.From {
		v.Other.ID = m.To
	}
	other, err := d.Store.Patient(ctx, v.Other.ID)
	if err == nil {
		v.Other, err = d.finder().Open(other)
	}
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return v, transfer.Down(err)
	}
	v.Since, err = d.Store.SinceMerge(ctx, m)
	return v, transfer.Down(err)
}
