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

// Refusal says why nothing is signed.
type Refusal struct{ Why string }

// Error gives why.
func (r *Refusal) Error() string { return "no checkpoint is signed: " + r.Why }

func refusal(format string, a ...any) error { return &Refusal{fmt.Sprintf(format, a...)} }

// refuse makes a refusal known; other errors pass through.
func (s *Sequencer) refuse(ctx context.Context, err error) error {
	var r *Refusal
	if !errors.As(err, &r) {
		return err
	}
	if s.told != r.Why {
		s.told = r.Why
		slog.ErrorContext(ctx, "no audit checkpoint is signed any more: see docs/checkpoints.md", "why", r.Why)
	}
	return errors.Join(err, s.Store.RefuseLedger(ctx, s.worker, r.Why))
}

// checked makes sure that the database goes on from everything that is known
// to have been signed: its own last checkpoint, what this process has seen, and
// the newest copy in each sink. It gives the sinks that did not answer: they
// are asked again before anything is published to them.
func (s *Sequencer) checked(ctx context.Context, l meta.Ledger) (silent map[string]bool, err error) {
	switch {
	case l.Last < l.Tree || l.Last < l.Recorded:
		return nil, refusal("event %d is missing, which was recorded", l.Last+1)
	case l.Last > l.Recorded:
		return nil, refusal("there are %d events, and %d were recorded", l.Last, l.Recorded)
	case l.Tree < l.Checkpoint.Size:
		return nil, refusal("the tree has %d events, and a checkpoint of %d was signed", l.Tree, l.Checkpoint.Size)
	}
	_, public, err := s.Key()
	if err != nil {
		return nil, err
	}
	if s.signed.Size > 0 {
		if err := s.fits(ctx, l, s.signed, "this server's memory"); err != nil {
			return nil, err
		}
	}
	if l.Checkpoint.Size > 0 {
		c, err := audit.OpenCheckpoint(l.Checkpoint.Note, public)
		if err != nil || c.Size != l.Checkpoint.Size || c.Root != l.Checkpoint.Root {
			return nil, refusal("the checkpoint of %d events in the database was not signed by this deployment's key", l.Checkpoint.Size)
		}
		if err := s.fits(ctx, l, c, "the database"); err != nil {
			return nil, err
		}
		s.signed = c
	}
	silent = map[string]bool{}
	for _, k := range s.Sinks {
		r, ok := k.(sink.Reader)
		if !ok {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, sinkFor)
		newest, err := r.Newest(asking)
		cancel()
		if err != nil {
			silent[k.Name()] = true
			if err := s.failing(ctx, k, err); err != nil {
				return nil, err
			}
			continue
		}
		if err := s.agrees(ctx, l, k, newest, public); err != nil {
			return nil, err
		}
	}
	return silent, nil
}

// agrees compares the newest copy in a sink, if there is one.
func (s *Sequencer) agrees(ctx context.Context, l meta.Ledger, k sink.Sink, newest []byte, public note.Verifier) error {
	if newest == nil {
		return nil
	}
	c, err := audit.OpenCheckpoint(newest, public)
	if err != nil {
		return refusal("the newest checkpoint in the %s was not signed by this deployment's key", k.Name())
	}
	return s.fits(ctx, l, c, "the "+k.Name())
}

// fits makes sure that the database's tree goes on from a checkpoint.
func (s *Sequencer) fits(ctx context.Context, l meta.Ledger, c audit.Checkpoint, kept string) error {
	if c.Size > l.Checkpoint.Size {
		return refusal("the database was rolled back: %s has a checkpoint of %d events, and the database's own last is of %d", kept, c.Size, l.Checkpoint.Size)
	}
	root, err := tlog.TreeHash(c.Size, s.reader(ctx))
	if err != nil {
		return unreadable(err)
	}
	if root != c.Root {
		return refusal("the log was rewritten: its first %d events are not those of the checkpoint in %s", c.Size, kept)
	}
	return nil
}

// unreadable tells a tree that lacks hashes from a database that does not answer.
func unreadable(err error) error {
	if errors.Is(err, audit.ErrRow) {
		return refusal("%v", err)
	}
	return fmt.Errorf("read the audit tree: %w", err)
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

// publish brings a sink up to date. What fails is tried again in a later round
// and is no reason to stop: the database keeps every checkpoint.
func (s *Sequencer) publish(ctx context.Context, k sink.Sink, after int64) {
	done, err := s.send(ctx, k, after)
	if done > after {
		err = errors.Join(err, s.Store.SetPublished(ctx, k.Name(), done))
	}
	if err != nil && ctx.Err() == nil {
		if err := s.failing(ctx, k, err); err != nil {
			slog.WarnContext(ctx, "note that a sink fails", "error", err)
		}
	}
}

// send publishes what a sink lacks and gives how far it has come.
func (s *Sequencer) send(ctx context.Context, k sink.Sink, after int64) (int64, error) {
	rows, err := s.Store.Checkpoints(ctx, after, publishes)
	if err != nil {
		return after, err
	}
	for _, row := range rows {
		c := audit.Checkpoint{Origin: s.signed.Origin, Size: row.Size, Root: row.Root}
		sending, cancel := context.WithTimeout(ctx, sinkFor)
		err := k.Publish(sending, c, row.Note)
		cancel()
		if err != nil {
			return after, err
		}
		after = row.Size
	}
	return after, nil
}

// failing notes that a sink does not take, or give, checkpoints.
func (s *Sequencer) failing(ctx context.Context, k sink.Sink, err error) error {
	slog.WarnContext(ctx, "an audit sink fails", "sink", k.Name(), "error", err)
	return s.Store.SetSinkFailed(ctx, k.Name(), "it does not answer, or does not take checkpoints: the log says why")
}
