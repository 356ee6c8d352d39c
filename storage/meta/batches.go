package meta

import (
	"context"
	"slices"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
)

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
			if err := t.claim(id, b.Ground); err != nil {
				return err
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
