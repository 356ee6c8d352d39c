package disposal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

const (
	defaultLease = 2 * time.Minute
	pageSize     = 64 // items between two extensions of a lease
	atOnce       = 8  // items being destroyed
	maxDocument  = 16 << 20
)

func (d *Desk) lease() time.Duration {
	if d.Lease > 0 {
		return d.Lease
	}
	return defaultLease
}

// start is what is written to the object store before the first key of a batch
// is destroyed.
type start struct {
	Batch retention.BatchID `json:"batch"`
	Items []media.ItemID    `json:"items"`
	Salt  media.Sealed      `json:"salt"` // of the references to patients
}

// Run destroys the batches whose time of cooling off has ended, and gives how
// many it finished. What fails is tried again by a later call, here or on
// another server.
func (d *Desk) Run(ctx context.Context) (int, error) {
	done := 0
	for ctx.Err() == nil {
		b, err := d.Store.ClaimBatch(ctx, d.lease())
		if errors.Is(err, meta.ErrNotFound) {
			return done, nil
		}
		if err != nil {
			return done, fmt.Errorf("look for a batch to destroy: %w", err)
		}
		if err := d.destroy(ctx, b); err != nil {
			return done, fmt.Errorf("destroy batch %s: %w", b.ID, err)
		}
		done++
	}
	return done, ctx.Err()
}

// destroy goes through a batch from wherever it was left:
// account outside the database → point of no return → of each item: keys, then
// objects, then what was written about it → let the database let go →
// certificate, outside and inside.
func (d *Desk) destroy(ctx context.Context, b retention.Batch) error {
	if d.Policy.Backups <= 0 {
		return errPolicy
	}
	if b.State == retention.Approved {
		if err := d.begin(ctx, b); err != nil {
			return err
		}
		var err error
		if b, err = d.Store.Batch(ctx, b.ID); err != nil {
			return err
		}
	}
	teams, err := d.teamNames(ctx)
	if err != nil {
		return err
	}
	if err := d.items(ctx, b, teams); err != nil {
		return err
	}
	if err := d.Store.Purge(ctx); err != nil {
		return fmt.Errorf("purge the database: %w", err)
	}
	return d.finish(ctx, b)
}

func (d *Desk) begin(ctx context.Context, b retention.Batch) error {
	s := start{Batch: b.ID, Salt: b.Salt}
	err := d.eachItem(ctx, b.ID, func(i retention.BatchItem) error { s.Items = append(s.Items, i.Item); return nil })
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	signed, err := d.Ring.SignDocument(kindStart, text)
	if err != nil {
		return err
	}
	if _, err := d.keepOutside(ctx, StartKey(b.ID), kindStart, b.ID, signed); err != nil {
		return err
	}
	ev := audit.NewEvent(audit.DisposalStarted, access.Principal{}, audit.Subject{Batch: string(b.ID)}).With("items", strconv.Itoa(len(s.Items)))
	err = d.Store.StartBatch(ctx, b.ID, ev)
	if errors.Is(err, meta.ErrNotFound) { // undone, or another has begun
		return fmt.Errorf("the batch changed meanwhile: %w", err)
	}
	return err
}

// keepOutside writes a document to the object store, once. Of one that is
// there already it gives that, when it is ours.
func (d *Desk) keepOutside(ctx context.Context, key blob.Key, kind string, id retention.BatchID, signed []byte) ([]byte, error) {
	_, err := d.Objects.Create(ctx, key, bytes.NewReader(signed), int64(len(signed)))
	if errors.Is(err, blob.ErrExists) {
		signed, _, err = d.readOutside(ctx, key, kind, id)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the account of a batch outside the database: %w", err)
	}
	return signed, nil
}

// readOutside reads a document of a batch from the object store, and gives it
// signed and opened. One that is of another kind or another batch is refused,
// whoever put it there.
func (d *Desk) readOutside(ctx context.Context, key blob.Key, kind string, id retention.BatchID) (signed, text []byte, err error) {
	r, err := d.Objects.OpenAt(ctx, key, 0, -1)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	if signed, err = io.ReadAll(io.LimitReader(r, maxDocument+1)); err != nil {
		return nil, nil, err
	}
	if len(signed) > maxDocument {
		return nil, nil, errors.New("an account of a disposal is too long")
	}
	text, err = verifyAccount(d.Ring, kind, id, signed)
	return signed, text, err
}

func (d *Desk) items(ctx context.Context, b retention.Batch, teams map[access.TeamID]string) error {
	for after := media.ItemID(""); ; {
		if err := d.Store.ExtendBatch(ctx, b.ID, d.lease()); err != nil {
			return fmt.Errorf("keep the claim: %w", err)
		}
		page, err := d.Store.BatchItems(ctx, b.ID, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(atOnce)
		for _, i := range page {
			g.Go(func() error { return d.item(gctx, b, i, teams) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		after = page[len(page)-1].Item
	}
}

// item destroys one item, from wherever it was left.
func (d *Desk) item(ctx context.Context, b retention.Batch, i retention.BatchItem, teams map[access.TeamID]string) error {
	subject := audit.Subject{Item: string(i.Item), Batch: string(b.ID)}
	if i.State == retention.Waiting {
		it, err := d.Store.Item(ctx, i.Item)
		if err != nil {
			return fmt.Errorf("find an item: %w", err)
		}
		var facts []byte
		if it.DestroyedAt.IsZero() { // else DestroyKeys says that it is gone
			facts, err = d.facts(ctx, b, it, teams)
		}
		if err != nil {
			return fmt.Errorf("gather the facts of an item: %w", err)
		}
		why, err := d.Store.DestroyKeys(ctx, b, i.Item, facts, audit.NewEvent(audit.KeyDestroyed, access.Principal{}, subject), audit.NewEvent(audit.DisposalSpared, access.Principal{}, subject))
		if err != nil {
			return fmt.Errorf("destroy the keys of an item: %w", err)
		}
		if why != "" {
			return nil
		}
	} else if i.State != retention.Keyless {
		return nil
	}
	rows, err := d.Store.Renditions(ctx, i.Item)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := d.Objects.Delete(ctx, blob.Key(r.ObjectKey)); err != nil {
			return fmt.Errorf("delete the objects of an item: %w", err)
		}
	}
	return d.Store.ForgetItem(ctx, b.ID, i.Item, audit.NewEvent(audit.ItemDestroyed, access.Principal{}, subject))
}

func (d *Desk) teamNames(ctx context.Context) (map[access.TeamID]string, error) {
	teams, err := d.Store.Teams(ctx)
	out := map[access.TeamID]string{}
	for _, t := range teams {
		out[t.ID] = t.Name
	}
	return out, err
}

func (d *Desk) finish(ctx context.Context, b retention.Batch) error {
	now, err := d.Store.Now(ctx)
	if err != nil {
		return err
	}
	signed, err := d.certify(ctx, b, now)
	if err != nil {
		return fmt.Errorf("certify: %w", err)
	}
	if signed, err = d.keepOutside(ctx, CertificateKey(b.ID), kindCertificate, b.ID, signed); err != nil {
		return err
	}
	return d.Store.FinishBatch(ctx, b.ID, signed, audit.NewEvent(audit.DisposalCertified, access.Principal{}, audit.Subject{Batch: string(b.ID)}))
}

// Finalise signs the final certificates of batches whose keys no backup can
// hold any more.
func (d *Desk) Finalise(ctx context.Context) error {
	if d.Policy.Backups <= 0 {
		return nil
	}
	now, err := d.Store.Now(ctx)
	if err != nil {
		return err
	}
	expired, err := d.Store.ExpiredBatches(ctx, d.Policy.Backups, 100)
	if err != nil {
		return fmt.Errorf("look for certificates to finalise: %w", err)
	}
	for _, b := range expired {
		c, err := d.own(b.Certificate)
		if err != nil {
			return fmt.Errorf("batch %s: %w", b.ID, err)
		}
		if now.Before(c.Backups.LastGone) {
			continue // backups were kept longer when it was signed
		}
		c.Final = true
		signed, err := d.sign(c)
		if err != nil {
			return err
		}
		ev := audit.NewEvent(audit.DisposalCertified, access.Principal{}, audit.Subject{Batch: string(b.ID)}).With("final", "true")
		if err := d.Store.FinaliseBatch(ctx, b.ID, signed, ev); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return fmt.Errorf("keep a final certificate: %w", err)
		}
	}
	return nil
}

// Automatic puts what is due to cooling off without a review, where both the
// schedule's code and the organisation's policy allow it. What is held stays.
func (d *Desk) Automatic(ctx context.Context) error {
	if !d.Policy.Automatic || d.Policy.Backups <= 0 {
		return nil
	}
	s, err := d.Store.Schedule(ctx)
	if errors.Is(err, meta.ErrNotFound) || err == nil && !s.Schedule.Automatic {
		return nil
	}
	if err != nil {
		return err
	}
	var items []media.ItemID
	for f := (meta.DueFilter{Limit: MostItems}); len(items) == 0; { // a page of which all is held is passed over
		rows, err := d.Store.DueItems(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !r.Held {
				items = append(items, r.Item)
			}
		}
		if len(rows) < f.Limit {
			break
		}
		f.After = rows[len(rows)-1].Item
	}
	if len(items) == 0 {
		return nil
	}
	b := retention.Batch{ID: retention.NewBatchID(), Ground: retention.PeriodEnded, State: retention.Approved}
	_, err = d.propose(ctx, access.Principal{}, b, items, "The period that the schedule gives has ended, and the organisation's policy is automatic disposal.")
	return err
}
