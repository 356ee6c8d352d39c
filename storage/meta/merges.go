package meta

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// Merge is two patient numbers that were made one.
type Merge struct {
	ID         string
	From, To   media.PatientID
	Reason     media.Sealed
	By         access.PersonID
	At         time.Time
	UndoneBy   access.PersonID
	UndoneAt   time.Time
	UndoReason media.Sealed
}

// Why a merge cannot be undone.
var (
	ErrMergeUndone    = errors.New("the merge was undone before")
	ErrMergeBelow     = errors.New("a later merge is on top of it")
	ErrMergeForgotten = errors.New("the patient of the merge is forgotten")
	ErrMergeEnding    = errors.New("an item of the merge is about to be destroyed or handed over")
)

// mergedTables hold rows of a patient that go along with a merge, besides items.
// Each has the columns id and patient.
var mergedTables = strings.Fields("cases referrals emergencies invitations patient_events")

// MergePatients gives everything of one patient to another, under whom both
// numbers are found from then on. Holds on the one are on the other too. The
// moves are those of its items, each with an identifier and its reason;
// ErrNotFound when either has been merged.
func (s *Store) MergePatients(ctx context.Context, m Merge, moves []Move, ev audit.Event) error {
	from, to := string(m.From), string(m.To)
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.gate(); err != nil {
			return err
		}
		if err := t.takeHolds(from, to); err != nil {
			return err
		}
		if err := t.must("UPDATE patients SET stale = stale + 1 WHERE id = ? AND merged_into IS NULL", to); err != nil {
			return err
		}
		if err := t.must("UPDATE patients SET merged_into = ? WHERE id = ? AND merged_into IS NULL", to, from); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO merges (id, from_patient, to_patient, reason, merged_by, at, undo_reason) VALUES (?,?,?,?,?,{now},?)",
			m.ID, from, to, blob(m.Reason), string(m.By), []byte{})
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO merged_rows (merge, kind, row_id) SELECT ?, 'patients', id FROM patients WHERE merged_into = ?", m.ID, from); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE patients SET merged_into = ? WHERE merged_into = ?", to, from); err != nil {
			return err
		}
		for _, table := range append([]string{"items"}, mergedTables...) {
			if _, err := t.exec("INSERT INTO merged_rows (merge, kind, row_id) SELECT ?, '"+table+"', id FROM "+table+" WHERE patient = ?", m.ID, from); err != nil {
				return err
			}
		}
		for _, table := range mergedTables {
			if _, err := t.exec("UPDATE "+table+" SET patient = ? WHERE patient = ?", to, from); err != nil {
				return err
			}
		}
		return t.moveAll(moves, "SELECT COUNT(*) FROM items WHERE patient = ?", from)
	})
}

// UndoMerge takes back to the merged patient what the merge moved, where no
// later decision has moved it on; what came since stays. Holds on either are
// on both from then on. The moves are those of MergedItems.
func (s *Store) UndoMerge(ctx context.Context, m Merge, moves []Move, ev audit.Event) error {
	from, to := string(m.From), string(m.To)
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.gate(); err != nil {
			return err
		}
		if err := t.instead(ErrMergeBelow, "UPDATE patients SET stale = stale + 1 WHERE id = ? AND merged_into IS NULL", to); err != nil {
			return err
		}
		if err := t.instead(ErrMergeUndone, "UPDATE merges SET undone_by = ?, undone_at = {now}, undo_reason = ? WHERE id = ? AND undone_at = 0", string(m.UndoneBy), blob(m.UndoReason), m.ID); err != nil {
			return err
		}
		if err := t.instead(ErrMergeForgotten, "UPDATE patients SET merged_into = NULL, stale = stale + 1 WHERE id = ? AND merged_into = ? AND LENGTH(details) > 0", from, to); err != nil {
			return err
		}
		var ending bool
		err := t.row("SELECT EXISTS (SELECT 1 FROM items i WHERE i.patient = ? AND "+claimed+" AND i.id IN ("+rowsOf("items")+"))", to, m.ID).Scan(&ending)
		if err != nil {
			return err
		}
		if ending { // whoever decides there decides about the other person
			return ErrMergeEnding
		}
		if err := errors.Join(t.takeHolds(from, to), t.takeHolds(to, from)); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE patients SET merged_into = ? WHERE merged_into = ? AND id IN ("+rowsOf("patients")+")", from, to, m.ID); err != nil {
			return err
		}
		for _, table := range mergedTables {
			if _, err := t.exec("UPDATE "+table+" SET patient = ? WHERE patient = ? AND id IN ("+rowsOf(table)+")", from, to, m.ID); err != nil {
				return err
			}
		}
		if err := t.moveAll(moves, "SELECT COUNT(*) FROM items WHERE patient = ? AND id IN ("+rowsOf("items")+")", to, m.ID); err != nil {
			return err
		}
		// Nothing stays in a case of the other patient.
		_, err = t.exec("UPDATE items SET case_id = NULL WHERE patient IN (?, ?) AND case_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = items.case_id AND c.patient = items.patient)", from, to)
		return err
	})
}

// rowsOf chooses the rows of a table that a merge moved.
func rowsOf(table string) string {
	return "SELECT row_id FROM merged_rows WHERE merge = ? AND kind = '" + table + "'"
}

// instead is must with an error of its own.
func (t *tx) instead(of error, query string, args ...any) error {
	err := t.must(query, args...)
	if errors.Is(err, ErrNotFound) {
		return of
	}
	return err
}

// takeHolds has the holds on one patient be on another too.
func (t *tx) takeHolds(from, to string) error {
	if _, err := t.exec("UPDATE holds SET placed_below = FALSE WHERE id IN (SELECT hold FROM hold_patients WHERE patient = ? OR patient = ?)", from, to); err != nil {
		return err
	}
	_, err := t.exec("INSERT INTO hold_patients (hold, patient) SELECT hold, ? FROM hold_patients WHERE patient = ? ON CONFLICT DO NOTHING", to, from)
	return err
}

// moveAll moves items, and gives ErrNotFound when one is not where its move
// says, or when the query still counts any that came meanwhile.
func (t *tx) moveAll(moves []Move, left string, args ...any) error {
	for _, m := range moves {
		if err := t.must("UPDATE items SET patient = ? WHERE id = ? AND patient = ?", string(m.To), string(m.Item), string(m.From)); err != nil {
			return err
		}
		if err := t.moved(m); err != nil {
			return err
		}
	}
	var n int
	if err := t.row(left, args...).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return ErrNotFound
	}
	return nil
}

const mergeColumns = "m.id, m.from_patient, m.to_patient, m.reason, m.merged_by, m.at, m.undone_by, m.undone_at, m.undo_reason"

func scanMerge(scan func(...any) error) (Merge, error) {
	var m Merge
	var made, undone micros
	err := scan(&m.ID, &m.From, &m.To, &m.Reason, &m.By, &made, optional[access.PersonID]{&m.UndoneBy}, &undone, &m.UndoReason)
	m.At, m.UndoneAt = made.time(), undone.time()
	return m, err
}

// Merge finds a merge.
func (s *Store) Merge(ctx context.Context, id string) (Merge, error) {
	m, err := scanMerge(s.read(ctx, "SELECT "+mergeColumns+" FROM merges m WHERE m.id = ?", id).Scan)
	return m, s.d.classify(err)
}

// MergesOf lists the merges of a patient, into it or of it, newest first.
func (s *Store) MergesOf(ctx context.Context, p media.PatientID) ([]Merge, error) {
	var out []Merge
	err := s.all(ctx, func(scan func(...any) error) error {
		m, err := scanMerge(scan)
		out = append(out, m)
		return err
	}, "SELECT "+mergeColumns+" FROM merges m WHERE m.to_patient = ? OR m.from_patient = ? ORDER BY m.id DESC", string(p), string(p))
	return out, err
}

// MergedItems lists the items that undoing a merge would move back.
func (s *Store) MergedItems(ctx context.Context, m Merge) ([]media.ItemID, error) {
	return s.itemIDs(ctx, "SELECT id FROM items WHERE patient = ? AND id IN ("+rowsOf("items")+") ORDER BY id", string(m.To), m.ID)
}

// SinceMerge is what came to the patient that both numbers find after a merge,
// and before it was undone: undoing it leaves it there.
type SinceMerge struct {
	Items       []media.ItemID
	Cases       int
	Referrals   int
	Mixed       int // referrals of either with items of both, since the merge was undone
	Events      int
	Invitations int
}

// SinceMerge lists what came since a merge.
func (s *Store) SinceMerge(ctx context.Context, m Merge) (SinceMerge, error) {
	var out SinceMerge
	until := at(m.UndoneAt)
	if until == 0 {
		until = 1<<63 - 1
	}
	since := func(table, column string) (string, []any) {
		return "FROM " + table + " WHERE patient = ? AND " + column + " >= ? AND " + column + " < ? AND id NOT IN (" + rowsOf(table) + ")", []any{string(m.To), at(m.At), until, m.ID}
	}
	from, args := since("items", "filed_at")
	var err error
	if out.Items, err = s.itemIDs(ctx, "SELECT id "+from+" AND destroyed_at = 0 ORDER BY id", args...); err != nil {
		return out, err
	}
	for _, c := range []struct {
		n             *int
		table, column string
	}{{&out.Cases, "cases", "created_at"}, {&out.Referrals, "referrals", "asked_at"}, {&out.Events, "patient_events", "at"}, {&out.Invitations, "invitations", "created_at"}} {
		from, args := since(c.table, c.column)
		if err := s.read(ctx, "SELECT COUNT(*) "+from, args...).Scan(c.n); err != nil {
			return out, s.d.classify(err)
		}
	}
	if m.UndoneAt.IsZero() {
		return out, nil
	}
	err = s.read(ctx, `SELECT COUNT(*) FROM referrals r WHERE r.patient IN (?, ?) AND EXISTS (SELECT 1 FROM referral_items ri JOIN items i ON i.id = ri.item
		WHERE ri.referral = r.id AND i.patient <> r.patient AND i.patient IN (?, ?))`, string(m.From), string(m.To), string(m.From), string(m.To)).Scan(&out.Mixed)
	return out, s.d.classify(err)
}

// ItemIDsOf lists every item of a patient, destroyed ones too.
func (s *Store) ItemIDsOf(ctx context.Context, p media.PatientID) ([]media.ItemID, error) {
	return s.itemIDs(ctx, "SELECT id FROM items WHERE patient = ? ORDER BY id", string(p))
}

func (s *Store) itemIDs(ctx context.Context, query string, args ...any) ([]media.ItemID, error) {
	var out []media.ItemID
	err := s.all(ctx, func(scan func(...any) error) error {
		var id media.ItemID
		err := scan(&id)
		out = append(out, id)
		return err
	}, query, args...)
	return out, err
}
