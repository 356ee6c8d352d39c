package ledger

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/sink"
)

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
