package meta

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

// DueFilter chooses items whose time has come; zero fields do not narrow.
type DueFilter struct {
	Team  access.TeamID
	Rule  retention.Class // that dated them
	After media.ItemID    // to page: items with a greater identifier
	Limit int
}

// The clock is read once, by a query of its own: PostgreSQL could not use an
// index for it otherwise.
const due = `i.destroyed_at = 0 AND i.due_on > 0 AND i.due_on <= (SELECT {now})
	AND NOT EXISTS (SELECT 1 FROM batch_items bi JOIN batches b ON b.id = bi.batch WHERE bi.item = i.id AND bi.state <> 'spared' AND b.state IN ('proposed', 'approved', 'running'))`

// DueItems lists items whose time has come and that no batch has yet, in the
// order of identifiers.
func (s *Store) DueItems(ctx context.Context, f DueFilter) ([]Dated, error) {
	where, args := []string{due, "i.id > ?"}, []any{string(f.After)}
	if f.Team != "" {
		where, args = append(where, "i.team = ?"), append(args, string(f.Team))
	}
	if f.Rule != "" {
		where, args = append(where, "i.due_rule = ?"), append(args, string(f.Rule))
	}
	return s.dated(ctx, strings.Join(where, " AND ")+" ORDER BY i.id LIMIT ?", append(args, max(f.Limit, 1))...)
}

// CountDue counts the items whose time has come, and those of them that are
// held.
func (s *Store) CountDue(ctx context.Context) (items, underHold int, err error) {
	err = s.read(ctx, "SELECT COUNT(*), COALESCE(SUM(CASE WHEN "+held+" THEN 1 ELSE 0 END), 0) FROM items i WHERE "+due).Scan(&items, &underHold)
	return items, underHold, s.d.classify(err)
}

// CountWaiting counts what waits for somebody to look at it: items whose time
// has come and that no hold is on, and batches that another person proposed. It
// looks at no more than most of each, so that it can be asked often.
func (s *Store) CountWaiting(ctx context.Context, by access.PersonID, most int) (items, proposals int, err error) {
	err = s.read(ctx, "SELECT COALESCE(SUM(free), 0) FROM (SELECT CASE WHEN "+held+" THEN 0 ELSE 1 END AS free FROM items i WHERE "+due+" LIMIT ?) AS counted", most).Scan(&items)
	if err == nil {
		err = s.read(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM batches WHERE state = 'proposed' AND proposed_by <> ? LIMIT ?) AS counted", string(by), most).Scan(&proposals)
	}
	return items, proposals, s.d.classify(err)
}

// Review is a decision to keep an item, or to give it to another organisation.
type Review struct {
	ID       string
	Item     media.ItemID
	Decision string // "keep" or "transfer"
	Until    time.Time
	Reason   media.Sealed
	By       access.PersonID
}

// AddReview records a decision, which moves the item's date.
func (s *Store) AddReview(ctx context.Context, r Review, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		if err := t.must("UPDATE items SET kept_until = ? WHERE id = ? AND destroyed_at = 0", at(r.Until), string(r.Item)); err != nil {
			return err
		}
		if err := t.must("UPDATE patients SET stale = stale + 1 WHERE id = (SELECT patient FROM items WHERE id = ?)", string(r.Item)); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO reviews (id, item, decision, until, reason, decided_by, at) VALUES (?,?,?,?,?,?,{now})",
			r.ID, string(r.Item), r.Decision, at(r.Until), blob(r.Reason), string(r.By))
		return err
	})
}

// ErrNotEligible says that an item of a batch may not be destroyed: it is held,
// not due, in another batch, or gone.
var ErrNotEligible = errors.New("an item may not be destroyed")

// gate lets one through at a time of those who place holds and those who destroy.
func (t *tx) gate() error { return t.must("UPDATE disposal_gate SET turn = turn + 1 WHERE one = 1") }

// eligible is the one gate that destroying goes through: it locks the item's
// record, and gives why the item may not be destroyed, or "".
func (t *tx) eligible(item media.ItemID, g retention.Ground) (string, error) {
	if err := t.must("UPDATE patients SET stale = stale WHERE id = (SELECT patient FROM items WHERE id = ?)", string(item)); err != nil {
		return "", err
	}
	var underHold, isDue bool
	err := t.row("SELECT "+held+", i.due_on > 0 AND i.due_on <= {now} AND p.stale = 0 FROM items i JOIN patients p ON p.id = i.patient WHERE i.id = ? AND i.destroyed_at = 0", string(item)).Scan(&underHold, &isDue)
	switch {
	case errors.Is(t.s.d.classify(err), ErrNotFound):
		return retention.SparedGone, nil
	case err != nil:
		return "", err
	case underHold:
		return retention.SparedHeld, nil
	case g == retention.PeriodEnded && !isDue:
		return retention.SparedNotDue, nil
	}
	return "", nil
}

// AddBatch proposes a batch, or with state Approved starts its time of
// cooling off. It is ErrNotEligible when an item may not be destroyed.
func (s *Store) AddBatch(ctx context.Context, b retention.Batch, items []media.ItemID, coolingOff time.Duration, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec(`INSERT INTO batches (id, ground, state, reason, salt, proposed_by, proposed_at, decision, run_at, certificate, final)
			VALUES (?,?,?,?,?,?,{now},?,CASE WHEN ? = 'approved' THEN {now} + ? ELSE 0 END,?,?)`,
			string(b.ID), string(b.Ground), string(b.State), blob(b.Reason), blob(b.Salt), optional[access.PersonID]{&b.ProposedBy}, []byte{}, string(b.State), coolingOff.Microseconds(), []byte{}, []byte{})
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(slices.Values(items)) { // in one order, so that two of these do not wait for each other
			why, err := t.eligible(id, b.Ground)
			if err != nil {
				return err
			}
			var claimed bool
			err = t.row(`SELECT EXISTS (SELECT 1 FROM batch_items bi JOIN batches b ON b.id = bi.batch WHERE bi.item = ? AND bi.state <> 'spared' AND b.state IN ('proposed', 'approved', 'running'))`, string(id)).Scan(&claimed)
			if err != nil {
				return err
			}
			if why != "" || claimed {
				return fmt.Errorf("%w: %s", ErrNotEligible, why)
			}
			if _, err := t.exec("INSERT INTO batch_items (batch, item, state, facts) VALUES (?,?,'waiting',?)", string(b.ID), string(id), []byte{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// DecideBatch takes a proposal to its next state by a second person; ErrNotFound
// when it is not a proposal any more, or was theirs. An approved one runs
// after coolingOff; the event's detail says when.
func (s *Store) DecideBatch(ctx context.Context, id retention.BatchID, to retention.BatchState, by access.PersonID, words media.Sealed, coolingOff time.Duration, ev audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		var run micros
		err := t.row(`UPDATE batches SET state = ?, decided_by = ?, decided_at = {now}, decision = ?, run_at = CASE WHEN ? = 'approved' THEN {now} + ? ELSE 0 END
			WHERE id = ? AND state = 'proposed' AND proposed_by <> ? RETURNING run_at`,
			string(to), string(by), blob(words), string(to), coolingOff.Microseconds(), string(id), string(by)).Scan(&run)
		if err != nil {
			return err
		}
		if run != 0 {
			ev = ev.With("until", run.time().Format(time.RFC3339))
		}
		return t.record(ev)
	})
}

// UndoBatch undoes an approved batch, or takes a proposal back; ErrNotFound
// when it is too late.
func (s *Store) UndoBatch(ctx context.Context, id retention.BatchID, words media.Sealed, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE batches SET state = 'undone', decision = ? WHERE id = ? AND (state = 'proposed' OR state = 'approved')", blob(words), string(id))
	})
}

const batchColumns = `b.id, b.ground, b.state, b.reason, b.salt, b.proposed_by, b.proposed_at, b.decided_by, b.decided_at, b.decision, b.run_at, b.started_at, b.finished_at, b.certificate, b.final,
	(SELECT COUNT(*) FROM batch_items bi WHERE bi.batch = b.id), (SELECT COUNT(*) FROM batch_items bi WHERE bi.batch = b.id AND bi.state = 'destroyed'),
	(SELECT COUNT(*) FROM batch_items bi WHERE bi.batch = b.id AND bi.state = 'spared')`

func scanBatch(scan func(...any) error) (retention.Batch, error) {
	var b retention.Batch
	var proposed, decided, run, started, finished micros
	err := scan(&b.ID, &b.Ground, &b.State, &b.Reason, &b.Salt, optional[access.PersonID]{&b.ProposedBy}, &proposed, optional[access.PersonID]{&b.DecidedBy}, &decided, &b.Decision,
		&run, &started, &finished, &b.Certificate, &b.Final, &b.Items, &b.Gone, &b.Spared)
	b.ProposedAt, b.DecidedAt, b.RunAt, b.StartedAt, b.FinishedAt = proposed.time(), decided.time(), run.time(), started.time(), finished.time()
	return b, err
}

// Batch finds a batch.
func (s *Store) Batch(ctx context.Context, id retention.BatchID) (retention.Batch, error) {
	b, err := scanBatch(s.read(ctx, "SELECT "+batchColumns+" FROM batches b WHERE b.id = ?", string(id)).Scan)
	return b, s.d.classify(err)
}

// Batches lists batches, newest first, older than after.
func (s *Store) Batches(ctx context.Context, after retention.BatchID, limit int) ([]retention.Batch, error) {
	return s.batches(ctx, "(? = '' OR b.id < ?) ORDER BY b.id DESC LIMIT ?", string(after), string(after), max(limit, 1))
}

// ExpiredBatches lists destroyed batches without a final certificate whose
// keys no backup can hold any more, given how long backups are kept.
func (s *Store) ExpiredBatches(ctx context.Context, backups time.Duration, limit int) ([]retention.Batch, error) {
	return s.batches(ctx, "b.state = 'destroyed' AND b.final = ? AND b.finished_at <= {now} - ? ORDER BY b.id LIMIT ?", []byte{}, backups.Microseconds(), max(limit, 1))
}

func (s *Store) batches(ctx context.Context, where string, args ...any) ([]retention.Batch, error) {
	var out []retention.Batch
	err := s.all(ctx, func(scan func(...any) error) error {
		b, err := scanBatch(scan)
		out = append(out, b)
		return err
	}, "SELECT "+batchColumns+" FROM batches b WHERE "+where, args...)
	return out, err
}

// BatchItems pages through the items of a batch, in the order of identifiers.
func (s *Store) BatchItems(ctx context.Context, id retention.BatchID, after media.ItemID, limit int) ([]retention.BatchItem, error) {
	var out []retention.BatchItem
	err := s.all(ctx, func(scan func(...any) error) error {
		var i retention.BatchItem
		var gone micros
		err := scan(&i.Item, &i.State, &i.Why, &i.Facts, &gone)
		i.DestroyedAt = gone.time()
		out = append(out, i)
		return err
	}, "SELECT item, state, why, facts, destroyed_at FROM batch_items WHERE batch = ? AND item > ? ORDER BY item LIMIT ?", string(id), string(after), max(limit, 1))
	return out, err
}

// ClaimBatch takes a batch whose time has come, or one that whoever was at it
// let go of, for as long as the lease; ErrNotFound when there is none.
func (s *Store) ClaimBatch(ctx context.Context, lease time.Duration) (retention.Batch, error) {
	var id retention.BatchID
	err := s.within(ctx, func(t *tx) error {
		return t.row(`UPDATE batches SET lease_until = {now} + ? WHERE id = (SELECT id FROM batches
				WHERE ((state = 'approved' AND run_at <= {now}) OR state = 'running') AND lease_until <= {now} ORDER BY run_at, id LIMIT 1 `+s.d.skipLocked+`)
			RETURNING id`, lease.Microseconds()).Scan(&id)
	})
	if err != nil {
		return retention.Batch{}, err
	}
	return s.Batch(ctx, id)
}

// ExtendBatch keeps a claim alive; ErrNotFound when it was lost.
func (s *Store) ExtendBatch(ctx context.Context, id retention.BatchID, lease time.Duration) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE batches SET lease_until = {now} + ? WHERE id = ? AND state IN ('approved', 'running')", lease.Microseconds(), string(id))
	})
}

// StartBatch passes the point of no return; ErrNotFound when it was undone.
func (s *Store) StartBatch(ctx context.Context, id retention.BatchID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE batches SET state = 'running', started_at = {now} WHERE id = ? AND state = 'approved' AND run_at <= {now}", string(id))
	})
}

// DestroyKeys destroys the keys of an item of a running batch, and with them
// everything that shows or finds it: from its commit on nothing can. It gives
// why the item was spared instead, or "". Doing it again changes nothing.
func (s *Store) DestroyKeys(ctx context.Context, b retention.Batch, item media.ItemID, facts []byte, ev, spared audit.Event) (why string, err error) {
	err = s.within(ctx, func(t *tx) error {
		if err := t.gate(); err != nil {
			return err
		}
		var state retention.ItemState
		err := t.row("SELECT bi.state, bi.why FROM batch_items bi JOIN batches b ON b.id = bi.batch WHERE bi.batch = ? AND bi.item = ? AND b.state = 'running'", string(b.ID), string(item)).Scan(&state, &why)
		if err != nil || state != retention.Waiting {
			return err
		}
		if why, err = t.eligible(item, b.Ground); err != nil {
			return err
		}
		if why != "" {
			if err := t.must("UPDATE batch_items SET state = 'spared', why = ? WHERE batch = ? AND item = ?", why, string(b.ID), string(item)); err != nil {
				return err
			}
			return t.record(spared.With("why", why))
		}
		if err := t.destroyKeys(item); err != nil {
			return err
		}
		if err := t.must("UPDATE batch_items SET state = 'keyless', facts = ?, destroyed_at = {now} WHERE batch = ? AND item = ?", blob(facts), string(b.ID), string(item)); err != nil {
			return err
		}
		return t.record(ev)
	})
	return why, err
}

// destroyKeys is the only thing that removes a wrapped key. See eligible.
func (t *tx) destroyKeys(item media.ItemID) error {
	for _, do := range []string{
		// First, so that whoever is adding a rendition is waited for, and who comes
		// later is refused.
		"UPDATE items SET destroyed_at = {now}, sole = NULL, due_on = 0 WHERE id = ?",
		"DELETE FROM wrapped_keys WHERE item = ?",
		"UPDATE links SET revoked_at = {now} WHERE item = ? AND revoked_at = 0",
		"UPDATE grants SET expires_at = {now} WHERE item = ? AND expires_at > {now}",
		"DELETE FROM jobs WHERE item = ?",
		"DELETE FROM annotations WHERE item = ?",
		"DELETE FROM requests WHERE item = ?",
	} {
		if _, err := t.exec(do, string(item)); err != nil {
			return err
		}
	}
	return nil
}

// ForgetItem removes what is left of an item whose objects are deleted: where
// they were, and everything that was written about it. A referral, a case and
// a patient of which nothing else is left lose their texts too.
func (s *Store) ForgetItem(ctx context.Context, b retention.BatchID, item media.ItemID, ev audit.Event) error {
	return s.within(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE batch_items SET state = 'destroyed' WHERE batch = ? AND item = ? AND state = 'keyless'", string(b), string(item))
		if err != nil || n == 0 {
			return err // another has done it
		}
		if err := t.forget(item); err != nil {
			return err
		}
		return t.record(ev)
	})
}

func (t *tx) forget(item media.ItemID) error {
	empty := []byte{}
	for _, do := range []struct {
		sql  string
		args []any
	}{
		{"DELETE FROM renditions WHERE item = ?", []any{string(item)}},
		{"DELETE FROM viewings WHERE item = ?", []any{string(item)}},
		{"UPDATE links SET purpose = ? WHERE item = ?", []any{empty, string(item)}},
		{"UPDATE moves SET reason = ? WHERE item = ?", []any{empty, string(item)}},
		{"UPDATE items SET body_site = ?, note = ?, receipt = ?, manifest = ?, consent_detail = ?, fingerprint = ?, site = NULL, quality = '' WHERE id = ?",
			[]any{empty, empty, empty, empty, empty, empty, string(item)}},
		{`UPDATE referral_messages SET text = ? WHERE referral IN (` + emptied("referral_items", "referral") + `)`, []any{empty, string(item)}},
		{`UPDATE referrals SET question = ?, state = 'closed' WHERE id IN (` + emptied("referral_items", "referral") + `)`, []any{empty, string(item)}},
		{`UPDATE cases SET title = ? WHERE id = (SELECT case_id FROM items WHERE id = ?) AND NOT EXISTS (SELECT 1 FROM items i WHERE i.case_id = cases.id AND i.destroyed_at = 0)`, []any{empty, string(item)}},
	} {
		if _, err := t.exec(do.sql, do.args...); err != nil {
			return err
		}
	}
	return t.forgetPatient(item)
}

// emptied chooses the groups of an item in which nothing is left.
func emptied(table, group string) string {
	return "SELECT g." + group + " FROM " + table + " g WHERE g.item = ? AND NOT EXISTS (SELECT 1 FROM " + table + " o JOIN items i ON i.id = o.item WHERE o." + group + " = g." + group + " AND i.destroyed_at = 0)"
}

// forgetPatient removes who a patient was of whom nothing is left. The number
// can be registered again: then it is a new patient here.
func (t *tx) forgetPatient(item media.ItemID) error {
	other := make([]byte, 32)
	if _, err := rand.Read(other); err != nil {
		return err
	}
	var patient media.PatientID
	err := t.row(`SELECT p.id FROM patients p WHERE p.id = (SELECT patient FROM items WHERE id = ?)
		AND NOT EXISTS (SELECT 1 FROM items i WHERE i.patient = p.id AND i.destroyed_at = 0)
		AND NOT EXISTS (SELECT 1 FROM hold_patients hp JOIN holds h ON h.id = hp.hold WHERE hp.patient = p.id AND h.released_at = 0)`, string(item)).Scan(&patient)
	if errors.Is(t.s.d.classify(err), ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := t.exec("UPDATE patients SET details = ?, number_index = ?, stale = 0 WHERE id = ?", []byte{}, other, string(patient)); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM patient_events WHERE patient = ?", string(patient)); err != nil {
		return err
	}
	if _, err := t.exec("UPDATE cases SET title = ? WHERE patient = ?", []byte{}, string(patient)); err != nil {
		return err
	}
	rows, err := t.QueryContext(t.ctx, t.s.text("SELECT id FROM patients WHERE merged_into = ?"), string(patient))
	if err != nil {
		return err
	}
	var merged []media.PatientID
	for rows.Next() {
		var id media.PatientID
		if err := rows.Scan(&id); err != nil {
			return errors.Join(err, rows.Close())
		}
		merged = append(merged, id)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for i, id := range merged {
		index := append([]byte{byte(i)}, other...)
		if _, err := t.exec("UPDATE patients SET details = ?, number_index = ?, stale = 0 WHERE id = ?", []byte{}, index, string(id)); err != nil {
			return err
		}
	}
	return nil
}

// FinishBatch keeps the certificate of a batch of which every item is
// destroyed or spared; ErrNotFound when that is not so.
func (s *Store) FinishBatch(ctx context.Context, id retention.BatchID, certificate []byte, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must(`UPDATE batches SET state = 'destroyed', finished_at = {now}, certificate = ? WHERE id = ? AND state = 'running'
			AND NOT EXISTS (SELECT 1 FROM batch_items bi WHERE bi.batch = batches.id AND bi.state IN ('waiting', 'keyless'))`, blob(certificate), string(id))
	})
}

// FinaliseBatch keeps the final certificate of a destroyed batch.
func (s *Store) FinaliseBatch(ctx context.Context, id retention.BatchID, final []byte, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		return t.must("UPDATE batches SET final = ? WHERE id = ? AND state = 'destroyed' AND final = ?", blob(final), string(id), []byte{})
	})
}

// DestroyAgain destroys an item that a certificate says is destroyed, but that
// an old backup brought back. It reports whether there was anything to do.
// Holds do not count: what it undoes is the restore, not the destruction.
func (s *Store) DestroyAgain(ctx context.Context, item media.ItemID, ev audit.Event) (objects []string, err error) {
	rows, err := s.Renditions(ctx, item)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		objects = append(objects, r.ObjectKey)
	}
	err = s.within(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE items SET destroyed_at = {now} WHERE id = ? AND (destroyed_at = 0 OR receipt <> ?)", string(item), []byte{})
		if err != nil || n == 0 {
			objects = nil
			return err
		}
		if err := t.destroyKeys(item); err != nil {
			return err
		}
		if err := t.forget(item); err != nil {
			return err
		}
		return t.record(ev)
	})
	return objects, err
}

// RestoreBatch enters a batch that was destroyed, and its certificate, into a
// database that an old backup brought back.
func (s *Store) RestoreBatch(ctx context.Context, b retention.Batch, items []media.ItemID, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		empty := []byte{}
		_, err := t.exec(`INSERT INTO batches (id, ground, state, reason, salt, proposed_at, decision, run_at, started_at, finished_at, certificate, final)
			VALUES (?,?,'destroyed',?,?,?,?,?,?,?,?,?)
			ON CONFLICT (id) DO UPDATE SET state = 'destroyed', run_at = excluded.run_at, started_at = excluded.started_at, finished_at = excluded.finished_at, certificate = excluded.certificate`,
			string(b.ID), string(b.Ground), empty, blob(b.Salt), at(b.ProposedAt), empty, at(b.RunAt), at(b.StartedAt), at(b.FinishedAt), blob(b.Certificate), empty)
		if err != nil {
			return err
		}
		for _, id := range items {
			// Of an item that is newer than the backup there is no row to name.
			_, err := t.exec(`INSERT INTO batch_items (batch, item, state, facts, destroyed_at) SELECT ?, id, 'destroyed', ?, ? FROM items WHERE id = ?
				ON CONFLICT (batch, item) DO UPDATE SET state = 'destroyed', destroyed_at = excluded.destroyed_at`, string(b.ID), empty, at(b.FinishedAt), string(id))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Purge has the database let go of what was deleted: copies that it keeps for
// itself in free pages and dead rows.
func (s *Store) Purge(ctx context.Context) error {
	_, err := s.w.ExecContext(ctx, s.d.purge)
	return s.d.classify(err)
}
