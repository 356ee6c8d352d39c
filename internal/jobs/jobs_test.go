package jobs_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardseal/wardseal/internal/jobs"
)

// queue is a queue in memory, to see what a runner does with its jobs; the
// real one is tested in storage/meta.
type queue struct {
	mu       sync.Mutex
	jobs     []jobs.Job
	due      map[string]time.Time
	said     []string
	extended int
	lost     bool
}

func (q *queue) Lease(context.Context, string, []string, time.Duration) (jobs.Job, bool, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, j := range q.jobs {
		if !time.Now().Before(q.due[j.ID]) {
			q.jobs = append(q.jobs[:i:i], q.jobs[i+1:]...)
			j.Attempts++
			return j, true, nil
		}
	}
	return jobs.Job{}, false, nil
}

func (q *queue) Extend(context.Context, string, string, time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.extended++
	if q.lost {
		return errors.New("lost")
	}
	return nil
}

func (q *queue) Finish(_ context.Context, id, _ string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.said = append(q.said, id+" done")
	return nil
}

func (q *queue) Retry(_ context.Context, id, _, code string, after time.Duration, most int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.said = append(q.said, id+" "+code)
	if most > 1 && len(q.said) < most {
		q.jobs = append(q.jobs, jobs.Job{ID: id, Kind: "k", Attempts: len(q.said)})
		q.due[id] = time.Now().Add(after)
	}
	return nil
}

func run(t *testing.T, q *queue, h jobs.Handler, d time.Duration) {
	t.Helper()
	q.due = map[string]time.Time{}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := jobs.New(q, map[string]jobs.Handler{"k": h}, jobs.Config{MaxAttempts: 4}).Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, q *queue, want ...string) {
	t.Helper()
	if len(q.said) != len(want) {
		t.Fatalf("%q, want %q", q.said, want)
	}
	for i := range want {
		if q.said[i] != want[i] {
			t.Fatalf("%q, want %q", q.said, want)
		}
	}
}

func TestRetriesUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{jobs: []jobs.Job{{ID: "a", Kind: "k"}}}
		run(t, q, func(_ context.Context, j jobs.Job) error {
			switch j.Attempts {
			case 1:
				return errors.New("once")
			case 2:
				panic("twice")
			}
			return nil
		}, time.Minute)
		is(t, q, "a failed", "a failed", "a done")
	})
}

func TestPermanentEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{jobs: []jobs.Job{{ID: "a", Kind: "k"}, {ID: "b", Kind: "k"}}}
		run(t, q, func(_ context.Context, j jobs.Job) error {
			if j.ID == "a" {
				return jobs.Permanent("bomb")
			}
			return nil
		}, time.Minute)
		is(t, q, "a bomb", "b done")
	})
}

func TestLongWorkKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{jobs: []jobs.Job{{ID: "a", Kind: "k"}}}
		run(t, q, func(context.Context, jobs.Job) error { time.Sleep(5 * time.Minute); return nil }, 10*time.Minute)
		is(t, q, "a done")
		if q.extended < 10 {
			t.Errorf("extended %d times", q.extended)
		}
	})
}

func TestALostLeaseStopsTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{jobs: []jobs.Job{{ID: "a", Kind: "k"}}, lost: true}
		stopped := false
		run(t, q, func(ctx context.Context, j jobs.Job) error {
			if j.Attempts > 1 {
				return nil
			}
			<-ctx.Done()
			stopped = true
			return ctx.Err()
		}, 10*time.Minute)
		if !stopped {
			t.Error("went on without a lease")
		}
	})
}

func TestStoppingGivesTheJobBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &queue{jobs: []jobs.Job{{ID: "a", Kind: "k"}}}
		run(t, q, func(ctx context.Context, _ jobs.Job) error { <-ctx.Done(); return ctx.Err() }, time.Second)
		is(t, q, "a stopped")
	})
}
