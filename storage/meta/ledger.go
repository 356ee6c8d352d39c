package meta

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
)

// Ledger is how far the audit tree has come.
type Ledger struct {
	Now        time.Time // the database's clock
	Recorded   int64     // events, by the counter
	Last       int64     // number of the last event that is there
	Tree       int64     // events in the tree
	Refused    string    // why no checkpoint is signed; empty when all is well
	RefusedAt  time.Time
	Checkpoint CheckpointRow // the latest; zero when there is none
}

// CheckpointRow is a signed checkpoint as it is kept.
type CheckpointRow struct {
	Size int64
	Root audit.Hash
	Note []byte
	At   time.Time
}

// Ledger tells how far the audit tree has come.
func (s *Store) Ledger(ctx context.Context) (Ledger, error) {
	var l Ledger
	var now, refused micros
	err := s.read(ctx, `SELECT {now}, c.seq, coalesce((SELECT max(seq) FROM audit_events), 0), q.size, q.refused, q.refused_at
		FROM audit_counter c, audit_sequencer q WHERE c.one = 1 AND q.one = 1`).Scan(&now, &l.Recorded, &l.Last, &l.Tree, &l.Refused, &refused)
	if err != nil {
		return Ledger{}, s.d.classify(err)
	}
	l.Now, l.RefusedAt = now.time(), refused.time()
	rows, err := s.checkpoints(ctx, "ORDER BY size DESC LIMIT 1")
	if len(rows) == 1 {
		l.Checkpoint = rows[0]
	}
	return l, err
}

// Checkpoints gives checkpoints of more than after events, the smallest first.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) ([]CheckpointRow, error) {
	return s.checkpoints(ctx, "WHERE size > ? ORDER BY size LIMIT ?", after, limit)
}

func (s *Store) checkpoints(ctx context.Context, which string, args ...any) ([]CheckpointRow, error) {
	var out []CheckpointRow
	err := s.all(ctx, func(scan func(...any) error) error {
		var c CheckpointRow
		var root []byte
		var when micros
		if err := scan(&c.Size, &root, &c.Note, &when); err != nil {
			return err
		}
		if len(root) != len(c.Root) {
			return errors.New("the root of a checkpoint has the wrong length")
		}
		copy(c.Root[:], root)
		c.At = when.time()
		out = append(out, c)
		return nil
	}, "SELECT size, root, note, at FROM audit_checkpoints "+which, args...)
	return out, err
}

// StoredEvents gives events as they are kept, without their rows of the tree,
// in their order: those after after, up to and with the event to.
func (s *Store) StoredEvents(ctx context.Context, after, to int64) ([]audit.Stored, error) {
	var out []audit.Stored
	err := s.all(ctx, func(scan func(...any) error) error {
		var e audit.Stored
		err := scan(&e.Seq, &e.Columns, &e.Body)
		out = append(out, e)
		return err
	}, "SELECT seq, "+strings.Join([]string{"at", "id", "type", "actor", "person", "item", "patient", "link"}, " || '"+audit.Between+"' || ")+", body FROM audit_events WHERE seq > ? AND seq <= ? ORDER BY seq", after, to)
	return out, err
}

// TreeRows gives the stored rows of the tree of the events after after, up to
// and with the event to, by the events' numbers.
func (s *Store) TreeRows(ctx context.Context, after, to int64) (map[int64][]byte, error) {
	out := make(map[int64][]byte, max(0, to-after))
	err := s.all(ctx, func(scan func(...any) error) error {
		var seq int64
		var row []byte
		err := scan(&seq, &row)
		out[seq] = row
		return err
	}, "SELECT seq, hashes FROM audit_hashes WHERE seq > ? AND seq <= ?", after, to)
	return out, err
}

// TreeHashes gives stored hashes by their places, which are as
// audit.Row has them.
func (s *Store) TreeHashes(ctx context.Context, places []int64) ([]audit.Hash, error) {
	seqs, ats, args := make([]int64, len(places)), make([]int, len(places)), make([]any, len(places))
	for i, p := range places {
		seqs[i], ats[i] = audit.Row(p)
		args[i] = seqs[i]
	}
	if len(places) == 0 {
		return nil, nil
	}
	rows := map[int64][]byte{}
	err := s.all(ctx, func(scan func(...any) error) error {
		var seq int64
		var row []byte
		err := scan(&seq, &row)
		rows[seq] = row
		return err
	}, "SELECT seq, hashes FROM audit_hashes WHERE seq IN ("+strings.TrimSuffix(strings.Repeat("?,", len(places)), ",")+")", args...)
	if err != nil {
		return nil, err
	}
	out := make([]audit.Hash, len(places))
	for i := range places {
		if out[i], err = audit.TakeRow(rows[seqs[i]], ats[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", seqs[i], err)
		}
	}
	return out, nil
}

// LeaseLedger makes worker the one that integrates events, for a while, or
// lengthens its lease; it reports whether it did. Another has it otherwise.
func (s *Store) LeaseLedger(ctx context.Context, worker string, leaseFor time.Duration) (bool, error) {
	var n int64
	err := s.within(ctx, func(t *tx) (err error) {
		n, err = t.exec("UPDATE audit_sequencer SET worker = ?, lease_until = {now} + ? WHERE one = 1 AND (worker = ? OR lease_until <= {now})",
			worker, leaseFor.Microseconds(), worker)
		return err
	})
	return n == 1, err
}

// rowsAtOnce is how many rows one statement inserts.
const rowsAtOnce = 250

// AppendHashes adds the rows of the events after from to the tree; ErrNotFound
// when worker has lost its lease or the tree has another size.
func (s *Store) AppendHashes(ctx context.Context, worker string, from int64, rows [][]byte) error {
	return s.within(ctx, func(t *tx) error {
		to := from + int64(len(rows))
		if err := t.must("UPDATE audit_sequencer SET size = ? WHERE one = 1 AND worker = ? AND lease_until > {now} AND size = ?", to, worker, from); err != nil {
			return err
		}
		for seq := from + 1; len(rows) > 0; {
			n := min(len(rows), rowsAtOnce)
			args := make([]any, 0, 2*n)
			for _, row := range rows[:n] {
				args = append(args, seq, row)
				seq++
			}
			if _, err := t.exec("INSERT INTO audit_hashes (seq, hashes) VALUES "+strings.TrimSuffix(strings.Repeat("(?,?),", n), ","), args...); err != nil {
				return err
			}
			rows = rows[n:]
		}
		return nil
	})
}

// AddCheckpoint keeps a signed checkpoint of the whole tree. ErrNotFound when
// worker has lost its lease or the tree has another size, ErrExists when there
// is a checkpoint of this size. It is no change of what the events describe and
// therefore no event: it would need a checkpoint itself.
func (s *Store) AddCheckpoint(ctx context.Context, worker string, c audit.Checkpoint, note []byte) error {
	return s.within(ctx, func(t *tx) error {
		if err := t.must("UPDATE audit_sequencer SET refused = '', refused_at = 0 WHERE one = 1 AND worker = ? AND lease_until > {now} AND size = ?", worker, c.Size); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO audit_checkpoints (size, root, note, at) VALUES (?,?,?,{now})", c.Size, c.Root[:], note)
		return err
	})
}

// RefuseLedger notes why no checkpoint is signed, for every server to tell; an
// empty why says that all is well again.
func (s *Store) RefuseLedger(ctx context.Context, worker, why string) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE audit_sequencer SET refused = ?, refused_at = CASE WHEN ? = '' THEN 0 ELSE {now} END WHERE one = 1 AND worker = ?", why, why, worker)
	})
}

// Sink is how far a place to publish checkpoints to has come.
type Sink struct {
	Name        string
	Size        int64 // of the last checkpoint that is there
	PublishedAt time.Time
	Failure     string // empty when the last attempt succeeded
	FailedAt    time.Time
	Waiting     int64 // checkpoints that are not there yet
}

// Sinks lists the places that checkpoints were ever to be published to.
func (s *Store) Sinks(ctx context.Context) ([]Sink, error) {
	var out []Sink
	err := s.all(ctx, func(scan func(...any) error) error {
		var k Sink
		var published, failed micros
		err := scan(&k.Name, &k.Size, &published, &k.Failure, &failed, &k.Waiting)
		k.PublishedAt, k.FailedAt = published.time(), failed.time()
		out = append(out, k)
		return err
	}, `SELECT name, size, published_at, failure, failed_at, (SELECT count(*) FROM audit_checkpoints c WHERE c.size > audit_sinks.size) FROM audit_sinks ORDER BY name`)
	return out, err
}

// AddSink makes a sink known to which nothing was published yet; one that is
// known stays as it is.
func (s *Store) AddSink(ctx context.Context, name string) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO audit_sinks (name, size, published_at, failure, failed_at) VALUES (?, 0, 0, '', 0) ON CONFLICT (name) DO NOTHING", name)
		return err
	})
}

// SetPublished notes that a sink has every checkpoint up to one.
func (s *Store) SetPublished(ctx context.Context, sink string, size int64) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO audit_sinks (name, size, published_at, failure, failed_at) VALUES (?, ?, {now}, '', 0)
			ON CONFLICT (name) DO UPDATE SET size = excluded.size, published_at = excluded.published_at, failure = '', failed_at = 0`, sink, size)
		return err
	})
}

// SetSinkFailed notes that nothing can be published to a sink just now; why is
// a short phrase for an administrator.
func (s *Store) SetSinkFailed(ctx context.Context, sink, why string) error {
	return s.within(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO audit_sinks (name, size, published_at, failure, failed_at) VALUES (?, 0, 0, ?, {now})
			ON CONFLICT (name) DO UPDATE SET failure = excluded.failure, failed_at = excluded.failed_at`, sink, why)
		return err
	})
}
