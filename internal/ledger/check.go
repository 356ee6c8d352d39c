package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/storage/sink"
)

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
