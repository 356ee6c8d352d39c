package disposal

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
)

func (d *Desk) batch(ctx context.Context, id retention.BatchID) (retention.Batch, error) {
	if !media.ValidID(string(id)) {
		return retention.Batch{}, transfer.Gone(meta.ErrNotFound)
	}
	b, err := d.Store.Batch(ctx, id)
	return b, transfer.Gone(err)
}

func (d *Desk) eachItem(ctx context.Context, id retention.BatchID, each func(retention.BatchItem) error) error {
	for after := media.ItemID(""); ; {
		page, err := d.Store.BatchItems(ctx, id, after, 200)
		if err != nil {
			return transfer.Down(err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, i := range page {
			if err := each(i); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Item
	}
}

// BatchView is a batch with its texts opened.
type BatchView struct {
	retention.Batch
	Reason, Decision string
	Lines            []retention.BatchItem    // only of a single batch
	Backups          time.Time                // from when no backup can hold a key of it; only of a single batch that was destroyed
	Why              map[media.ItemID]DueView // of those that are still there
}

func (d *Desk) view(b retention.Batch) (BatchView, error) {
	f := transfer.FieldsOf(d.Ring, "batches", string(b.ID))
	v := BatchView{Batch: b, Reason: f.Open("reason", b.Reason), Decision: f.Open("decision", b.Decision)}
	return v, f.Err()
}

// List gives a page of the destruction log, newest first: every batch there
// ever was.
func (d *Desk) List(ctx context.Context, who access.Principal, after retention.BatchID) ([]BatchView, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return nil, err
	}
	rows, err := d.Store.Batches(ctx, after, 100)
	if err != nil {
		return nil, transfer.Down(err)
	}
	out := make([]BatchView, 0, len(rows))
	for _, b := range rows {
		v, err := d.view(b)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{}).With("what", "disposals"))
}

// Show gives one batch with its items.
func (d *Desk) Show(ctx context.Context, who access.Principal, id retention.BatchID) (BatchView, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return BatchView{}, err
	}
	b, err := d.batch(ctx, id)
	if err != nil {
		return BatchView{}, err
	}
	v, err := d.view(b)
	if err != nil {
		return v, err
	}
	if len(b.Certificate) > 0 {
		c, err := d.own(b.Certificate)
		if err != nil {
			return v, err
		}
		v.Backups = c.Backups.LastGone
	}
	v.Why = map[media.ItemID]DueView{}
	err = d.eachItem(ctx, id, func(i retention.BatchItem) error {
		v.Lines = append(v.Lines, i)
		if i.State != retention.Waiting {
			return nil
		}
		why, err := d.dueView(ctx, meta.Dated{Item: i.Item})
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		v.Why[i.Item] = why
		return err
	})
	if err != nil {
		return v, err
	}
	return v, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{Batch: string(id)}).With("what", "batch"))
}
