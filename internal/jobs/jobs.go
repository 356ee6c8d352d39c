// Package jobs runs work that need not be done while somebody waits. Jobs come
// from a queue that leases them, so that one whose worker dies is done by
// another; a handler must therefore be safe to repeat.
package jobs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// Job is one piece of work on an item, or for a person.
type Job struct {
	ID       string
	Kind     string
	Item     media.ItemID
	Person   access.PersonID
	Attempts int // this one included
}

// Queue keeps jobs. Its methods are those of a worker that holds a lease; each
// fails when the lease was lost.
type Queue interface {
	Lease(ctx context.Context, worker string, kinds []string, leaseFor time.Duration) (Job, bool, error)
	Extend(ctx context.Context, id, worker string, leaseFor time.Duration) error
	Finish(ctx context.Context, id, worker string) error
	Retry(ctx context.Context, id, worker, code string, after time.Duration, maxAttempts int) error
}

// Handler does one job. An error has the job tried again later, unless it is
// Permanent. It must stop soon after ctx ends.
type Handler func(ctx context.Context, j Job) error

// permanent is an error that trying again will not mend.
type permanent struct{ code string }

func (e permanent) Error() string { return e.code }

// Permanent makes an error that ends the job at once. The code is kept with
// the job, so it must not tell anything about a patient.
func Permanent(code string) error { return permanent{code} }

// Config says how jobs are run; zero fields get the defaults named.
type Config struct {
	Workers     int           // at the same time; 1
	LeaseFor    time.Duration // how soon the job of a dead worker is taken over; 1 minute
	PollEvery   time.Duration // how often an idle worker looks; 5 seconds
	MaxAttempts int           // then the job is dead; 8
	Backoff     time.Duration // before the second attempt, doubling after; 5 seconds
}

// Runner runs the jobs of a queue.
type Runner struct {
	queue    Queue
	handlers map[string]Handler
	kinds    []string
	cfg      Config
	wake     chan struct{}
}

// New makes a Runner. handlers are by the kind of job.
func New(q Queue, handlers map[string]Handler, cfg Config) *Runner {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.LeaseFor, time.Minute)
	def(&cfg.PollEvery, 5*time.Second)
	def(&cfg.Backoff, 5*time.Second)
	cfg.Workers = max(cfg.Workers, 1)
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = 8
	}
	r := &Runner{queue: q, handlers: handlers, cfg: cfg, wake: make(chan struct{}, cfg.Workers)}
	for kind := range handlers {
		r.kinds = append(r.kinds, kind)
	}
	return r
}

// Wake has idle workers look for jobs at once. It never blocks.
func (r *Runner) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. A job in hand is then given up and done again
// later, here or by another server. It returns nil.
func (r *Runner) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range r.cfg.Workers {
		wg.Go(func() { r.work(ctx, uuid.NewString()) })
	}
	wg.Wait()
	return nil
}

func (r *Runner) work(ctx context.Context, worker string) {
	idle := time.NewTicker(r.cfg.PollEvery)
	defer idle.Stop()
	for ctx.Err() == nil {
		j, ok, err := r.queue.Lease(ctx, worker, r.kinds, r.cfg.LeaseFor)
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "look for a job", "error", err)
		}
		if ok {
			r.do(ctx, worker, j)
			continue
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-idle.C:
		}
	}
}

// do runs one job under a lease that is kept alive.
func (r *Runner) do(ctx context.Context, worker string, j Job) {
	working, stop := context.WithCancelCause(ctx)
	var beat sync.WaitGroup
	beat.Go(func() { r.keep(working, stop, worker, j) })
	err := handle(working, r.handlers[j.Kind], j)
	stop(nil)
	beat.Wait()

	// What was done is noted even when the server is stopping.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	log := slog.With("job", j.ID, "kind", j.Kind, "item", j.Item, "attempt", j.Attempts)
	var never permanent
	switch {
	case err == nil:
		err = r.queue.Finish(ending, j.ID, worker)
	case errors.As(err, &never):
		log.WarnContext(ctx, "a job cannot be done", "code", never.code)
		err = r.queue.Retry(ending, j.ID, worker, never.code, 0, 0)
	case ctx.Err() != nil:
		err = r.queue.Retry(ending, j.ID, worker, "stopped", 0, r.cfg.MaxAttempts+1)
	default:
		log.WarnContext(ctx, "a job failed", "error", err)
		wait := r.cfg.Backoff << min(max(j.Attempts-1, 0), 10)
		err = r.queue.Retry(ending, j.ID, worker, "failed", wait, r.cfg.MaxAttempts)
	}
	if err != nil {
		log.WarnContext(ctx, "note the outcome of a job", "error", err) // its lease will run out
	}
}

// handle turns a panic into an error: one bad picture must not stop the rest.
func handle(ctx context.Context, h Handler, j Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "a job panicked", "job", j.ID, "panic", p)
			err = errors.New("panic")
		}
	}()
	return h(ctx, j)
}

func (r *Runner) keep(ctx context.Context, stop context.CancelCauseFunc, worker string, j Job) {
	t := time.NewTicker(r.cfg.LeaseFor / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := r.queue.Extend(ctx, j.ID, worker, r.cfg.LeaseFor); err != nil && ctx.Err() == nil {
				stop(err) // another worker may have it by now
				return
			}
		}
	}
}
