package disposal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Replay destroys again what an old backup of the database brought back, and
// enters it into the log. Call it before serving. It gives how many items it
// destroyed.
func (d *Desk) Replay(ctx context.Context) (int, error) {
	var began []retention.BatchID
	err := d.Objects.List(ctx, Accounts, func(i blob.Info) error {
		if id, ok := AccountOf(i.Key); ok && i.Key == StartKey(id) {
			began = append(began, id)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("list the accounts of disposals: %w", err)
	}
	again := 0
	for _, id := range began {
		b, err := d.Store.Batch(ctx, id)
		if err != nil && !errors.Is(err, meta.ErrNotFound) {
			return again, err
		}
		if b.State == retention.Destroyed || b.State == retention.Running {
			continue // this database knows; what runs goes on by itself
		}
		n, err := d.replay(ctx, id)
		if again += n; err != nil {
			return again, fmt.Errorf("replay batch %s: %w", id, err)
		}
	}
	if again == 0 {
		return 0, nil
	}
	slog.WarnContext(ctx, "items that had been destroyed were in this database, and were destroyed again: was an old backup restored?", "items", again)
	return again, d.Store.Purge(ctx)
}

func (d *Desk) replay(ctx context.Context, id retention.BatchID) (int, error) {
	signed, text, err := d.readOutside(ctx, CertificateKey(id), kindCertificate, id)
	if errors.Is(err, blob.ErrNotFound) {
		return d.replayStart(ctx, id)
	}
	if err != nil {
		return 0, err
	}
	c, err := parseCertificate(text)
	if err != nil {
		return 0, err
	}
	var gone []media.ItemID
	for _, l := range c.Destroyed {
		gone = append(gone, l.Item)
	}
	n, err := d.destroyAgain(ctx, id, gone)
	if err != nil {
		return n, err
	}
	began, err := d.started(ctx, id)
	if err != nil {
		return n, err
	}
	b := retention.Batch{ID: id, Salt: began.Salt, Ground: c.Ground, ProposedAt: c.Proposed.At, RunAt: c.UndoUntil, StartedAt: c.StartedAt, FinishedAt: c.FinishedAt, Certificate: signed}
	ev := audit.NewEvent(audit.DisposalCertified, access.Principal{}, audit.Subject{Batch: string(id)}).With("restored", "true")
	return n, d.Store.RestoreBatch(ctx, b, gone, ev)
}

// replayStart is for a batch that was cut short before its certificate: what
// has lost its objects goes, and the rest is as if the batch had not begun.
func (d *Desk) replayStart(ctx context.Context, id retention.BatchID) (int, error) {
	s, err := d.started(ctx, id)
	if err != nil {
		return 0, err
	}
	var gone []media.ItemID
	for _, item := range s.Items {
		lost, err := d.lostObjects(ctx, item)
		if err != nil {
			return 0, err
		}
		if lost {
			gone = append(gone, item)
		}
	}
	return d.destroyAgain(ctx, id, gone)
}

// started is the account of a batch from before its first key was destroyed.
func (d *Desk) started(ctx context.Context, id retention.BatchID) (s start, err error) {
	_, text, err := d.readOutside(ctx, StartKey(id), kindStart, id)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

func (d *Desk) destroyAgain(ctx context.Context, id retention.BatchID, gone []media.ItemID) (int, error) {
	again := 0
	for _, item := range gone {
		ev := audit.NewEvent(audit.DisposalRepeated, access.Principal{}, audit.Subject{Item: string(item), Batch: string(id)})
		objects, err := d.Store.DestroyAgain(ctx, item, ev)
		if err != nil {
			return again, err
		}
		if objects != nil {
			again++
		}
		for _, key := range objects { // what a crash leaves of them here is swept
			if err := d.Objects.Delete(ctx, blob.Key(key)); err != nil {
				return again, err
			}
		}
	}
	return again, nil
}

// lostObjects reports whether an item has rows of objects, and none of these.
func (d *Desk) lostObjects(ctx context.Context, item media.ItemID) (bool, error) {
	rows, err := d.Store.Renditions(ctx, item)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		_, err := d.Objects.Stat(ctx, blob.Key(r.ObjectKey))
		if err == nil {
			return false, nil
		}
		if !errors.Is(err, blob.ErrNotFound) {
			return false, err
		}
	}
	return len(rows) > 0, nil
}
