package config

import (
	"context"
	"errors"
	"time"

	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/storage/meta"
)

// queue lets the job runner lease its jobs from the database.
type queue struct {
	db      *meta.Store
	version int      // of the code that does the jobs
	again   []string // the errors with which a job is tried again by a newer version
}

func (q queue) Lease(ctx context.Context, worker string, kinds []string, leaseFor time.Duration) (jobs.Job, bool, error) {
	j, err := q.db.LeaseJob(ctx, worker, kinds, leaseFor)
	if errors.Is(err, meta.ErrNotFound) && len(q.again) > 0 { // nobody waits for what was given up
		j, err = q.db.LeaseAgain(ctx, worker, kinds, q.again, q.version, leaseFor)
	}
	if errors.Is(err, meta.ErrNotFound) {
		return jobs.Job{}, false, nil
	}
	return jobs.Job{ID: j.ID, Kind: j.Kind, Item: j.Item, Person: j.Person, Attempts: j.Attempts}, err == nil, err
}

func (q queue) Extend(ctx context.Context, id, worker string, leaseFor time.Duration) error {
	return q.db.ExtendJob(ctx, id, worker, leaseFor)
}

func (q queue) Finish(ctx context.Context, id, worker string) error {
	return q.db.FinishJob(ctx, id, worker)
}

func (q queue) Retry(ctx context.Context, id, worker, code string, after time.Duration, maxAttempts int) error {
	return q.db.RetryJob(ctx, id, worker, code, after, maxAttempts, q.version)
}
