// Package ledger keeps the audit tree: it integrates new events, signs
// checkpoints of the tree, and has them published where whoever may write to
// the database cannot rewrite them. One server of a deployment does so at a
// time; where nobody does, events are recorded all the same and wait.
//
// It never signs a tree that does not go on from what it signed before: a
// database that was rolled back, or rewritten, is refused loudly.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/storage/sink"
)

// Store is what the sequencer needs of the database.
type Store interface {
	Ledger(ctx context.Context) (meta.Ledger, error)
	LeaseLedger(ctx context.Context, worker string, leaseFor time.Duration) (bool, error)
	StoredEvents(ctx context.Context, after, to int64) ([]audit.Stored, error)
	TreeHashes(ctx context.Context, places []int64) ([]audit.Hash, error)
	AppendHashes(ctx context.Context, worker string, from int64, rows [][]byte) error
	AddCheckpoint(ctx context.Context, worker string, c audit.Checkpoint, note []byte) error
	RefuseLedger(ctx context.Context, worker, why string) error
	Checkpoints(ctx context.Context, after int64, limit int) ([]meta.CheckpointRow, error)
	Sinks(ctx context.Context) ([]meta.Sink, error)
	AddSink(ctx context.Context, name string) error
	SetPublished(ctx context.Context, sink string, size int64) error
	SetSinkFailed(ctx context.Context, sink, why string) error
}

const (
	// SignEvery is how long an event waits for a checkpoint at most.
	SignEvery = time.Minute
	// SignAfter is how many events a checkpoint covers at most that the one
	// before did not.
	SignAfter = 1000

	lookEvery = 2 * time.Second
	leaseFor  = 2 * time.Minute
	sinkFor   = 20 * time.Second // one call of a sink
	publishes = 100              // checkpoints to one sink in one round
	tryAgain  = 30 * time.Second
)

// Sequencer integrates, signs and publishes. One value serves one goroutine.
type Sequencer struct {
	Store Store
	Key   func() (note.Signer, note.Verifier, error)
	Sinks []sink.Sink

	after  int64 // stands for SignAfter in tests; 0 otherwise
	worker string
	signed audit.Checkpoint // the last one that this process saw in the database
	told   string           // what was last said of a refusal, so as not to repeat it
}

// Run works until ctx ends. It returns nil.
func (s *Sequencer) Run(ctx context.Context) error {
	for {
		wait := lookEvery
		if err := s.Round(ctx, false); err != nil && ctx.Err() == nil {
			var r *Refusal
			if wait = tryAgain; !errors.As(err, &r) {
				slog.WarnContext(ctx, "keep the audit tree", "error", err) // the next round may do better
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Round does what is due, or everything that can be done when now is set. That
// another server has the lease is no error; that nothing is signed because the
// log does not fit what was signed before is a *Refusal.
func (s *Sequencer) Round(ctx context.Context, now bool) error {
	l, err := s.Store.Ledger(ctx)
	if err != nil {
		return fmt.Errorf("look at the audit tree: %w", err)
	}
	behind, err := s.behind(ctx, l, now)
	if err != nil {
		return err
	}
	due := s.due(l, now)
	if !due && len(behind) == 0 {
		return nil
	}
	if ok, err := s.Store.LeaseLedger(ctx, s.worker, leaseFor); err != nil || !ok {
		return err
	}
	if l, err = s.Store.Ledger(ctx); err != nil { // as it is now that nobody else changes it
		return fmt.Errorf("look at the audit tree: %w", err)
	}
	silent, err := s.checked(ctx, l)
	if err == nil && due {
		err = s.integrate(ctx, now)
	}
	if err != nil {
		return s.refuse(ctx, err)
	}
	s.told = ""
	if l.Refused != "" {
		if err := s.Store.RefuseLedger(ctx, s.worker, ""); err != nil {
			return err
		}
	}
	if due { // there may be a new one to publish
		if behind, err = s.behind(ctx, l, now); err != nil {
			return err
		}
	}
	for _, k := range s.Sinks {
		if after, ok := behind[k.Name()]; ok && !silent[k.Name()] {
			s.publish(ctx, k, after)
		}
	}
	return nil
}

// behind gives the sinks that lack checkpoints, and how far each has come. One
// that failed just now is left in peace for a while.
func (s *Sequencer) behind(ctx context.Context, l meta.Ledger, now bool) (map[string]int64, error) {
	if s.worker == "" {
		for _, k := range s.Sinks {
			if err := s.Store.AddSink(ctx, k.Name()); err != nil {
				return nil, fmt.Errorf("make a sink known: %w", err)
			}
		}
		s.worker = uuid.NewString()
	}
	if len(s.Sinks) == 0 {
		return nil, nil
	}
	rows, err := s.Store.Sinks(ctx)
	if err != nil {
		return nil, fmt.Errorf("look what is published: %w", err)
	}
	out := map[string]int64{}
	for _, row := range rows {
		ours := slices.ContainsFunc(s.Sinks, func(k sink.Sink) bool { return k.Name() == row.Name })
		if ours && row.Waiting > 0 && (now || l.Now.Sub(row.FailedAt) >= tryAgain) {
			out[row.Name] = row.Size
		}
	}
	return out, nil
}

// signAfter is how many events fill a checkpoint.
func (s *Sequencer) signAfter() int64 {
	if s.after > 0 {
		return s.after
	}
	return SignAfter
}

// due reports whether events have waited long enough, or are many enough.
func (s *Sequencer) due(l meta.Ledger, now bool) bool {
	waiting := l.Last - l.Checkpoint.Size
	return waiting < 0 || l.Last < l.Recorded || waiting >= s.signAfter() || waiting > 0 && (now || l.Now.Sub(l.Checkpoint.At) >= SignEvery)
}

func (s *Sequencer) reader(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(places []int64) ([]tlog.Hash, error) { return s.Store.TreeHashes(ctx, places) })
}

// integrate adds the events that wait to the tree, and signs: whenever there
// are enough for a checkpoint, and at the end when they have waited enough.
func (s *Sequencer) integrate(ctx context.Context, now bool) error {
	l, err := s.Store.Ledger(ctx)
	if err != nil {
		return fmt.Errorf("look at the audit tree: %w", err)
	}
	peaks, err := s.Store.TreeHashes(ctx, audit.Peaks(l.Tree))
	if err != nil {
		return unreadable(err)
	}
	edge, err := audit.NewEdge(l.Tree, peaks)
	if err != nil {
		return err
	}
	ripe := now || l.Now.Sub(l.Checkpoint.At) >= SignEvery
	for {
		n := 0
		if room := s.signAfter() - (edge.Size() - s.signed.Size); room > 0 {
			if n, err = s.batch(ctx, edge, min(edge.Size()+room, l.Last)); err != nil {
				return err
			}
		}
		full := edge.Size()-s.signed.Size >= s.signAfter()
		switch {
		case n > 0 && !full:
			continue // there may be more
		case edge.Size() == s.signed.Size, !full && !ripe:
			return nil
		}
		if err := s.sign(ctx, edge); err != nil {
			return err
		}
		ripe = now
		if ok, err := s.Store.LeaseLedger(ctx, s.worker, leaseFor); err != nil || !ok {
			return err
		}
	}
}

// batch adds the events up to one to the tree and gives how many there were.
func (s *Sequencer) batch(ctx context.Context, edge *audit.Edge, to int64) (int, error) {
	from := edge.Size()
	if from >= to {
		return 0, nil
	}
	events, err := s.Store.StoredEvents(ctx, from, to)
	if err != nil {
		return 0, fmt.Errorf("read the events to integrate: %w", err)
	}
	leaves, err := audit.Leaves(from, events)
	if err == nil && from+int64(len(leaves)) < to {
		err = &audit.Fault{From: from + int64(len(leaves)) + 1, Says: "it is missing"}
	}
	if err != nil {
		return 0, refusal("an event is not as it was recorded: %v", err)
	}
	rows := make([][]byte, len(leaves))
	var row []audit.Hash
	for i, leaf := range leaves {
		row = edge.Add(leaf, row[:0])
		rows[i] = audit.PutRow(row)
	}
	if err := s.Store.AppendHashes(ctx, s.worker, from, rows); err != nil {
		return 0, fmt.Errorf("integrate events: %w", err)
	}
	return len(rows), nil
}

// sign signs a checkpoint of the tree, which must go on from the last one.
func (s *Sequencer) sign(ctx context.Context, edge *audit.Edge) error {
	signer, _, err := s.Key()
	if err != nil {
		return err
	}
	root, _ := edge.Root()
	c := audit.Checkpoint{Origin: signer.Name(), Size: edge.Size(), Root: root}
	if s.signed.Size > 0 {
		proof, err := tlog.ProveTree(c.Size, s.signed.Size, s.reader(ctx))
		if err != nil {
			return unreadable(err)
		}
		if tlog.CheckTree(proof, c.Size, c.Root, s.signed.Size, s.signed.Root) != nil {
			return refusal("the tree of %d events does not go on from the checkpoint of %d", c.Size, s.signed.Size)
		}
	}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		return fmt.Errorf("sign a checkpoint: %w", err)
	}
	if err := s.Store.AddCheckpoint(ctx, s.worker, c, signed); err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	s.signed = c
	return nil
}
