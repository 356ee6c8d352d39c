package meta

import (
	"context"
	"errors"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/media"
)

// The states of a job.
const (
	JobReady = "ready" // to be done, or being done under a lease
	JobDone  = "done"
	JobDead  = "dead" // tried often enough
)

// Job is work to do on an item, or the telling of a person. Jobs are leased: one whose worker died is
// given to another when its lease runs out.
type Job struct {
	ID         string
	Kind       string
	Item       media.ItemID
	Person     access.PersonID
	State      string
	Attempts   int
	LastError  string // a code, without detail
	Progress   int    // in thousandths
	LeaseUntil time.Time
	RunAt      time.Time
	CreatedAt  time.Time
}

const jobColumns = "id, kind, item, person, state, attempts, last_error, progress, lease_until, run_at, created_at"

func scanJob(scan func(...any) error) (Job, error) {
	var j Job
	var lease, run, made micros
	err := scan(&j.ID, &j.Kind, optional[media.ItemID]{&j.Item}, optional[access.PersonID]{&j.Person}, &j.State, &j.Attempts, &j.LastError, &j.Progress, &lease, &run, &made)
	j.LeaseUntil, j.RunAt, j.CreatedAt = lease.time(), run.time(), made.time()
	return j, err
}

// LeaseJob gives a due job of one of the kinds to worker for leaseFor and
// counts the attempt; ErrNotFound when none is due.
func (s *Store) LeaseJob(ctx context.Context, worker string, kinds []string, leaseFor time.Duration) (Job, error) {
	in, args := list(kinds)
	return s.lease(ctx, worker, leaseFor, "attempts = attempts + 1", "state = 'ready' AND run_at <= {now} AND lease_until <= {now} AND kind IN "+in, args)
}

// LeaseAgain gives a job of one of the kinds that an older version of the code
// than this gave up, with one of the errors, as if it were new; ErrNotFound when
// there is none.
func (s *Store) LeaseAgain(ctx context.Context, worker string, kinds, errs []string, version int, leaseFor time.Duration) (Job, error) {
	in, args := list(kinds)
	of, more := list(errs)
	args = append(append([]any{version}, args...), more...)
	return s.lease(ctx, worker, leaseFor, "state = 'ready', attempts = 1, progress = 0", "state = 'dead' AND tried_by < ? AND kind IN "+in+" AND last_error IN "+of, args)
}

// lease gives the first job that is due to worker, and changes it.
func (s *Store) lease(ctx context.Context, worker string, leaseFor time.Duration, change, due string, args []any) (Job, error) {
	var waiting bool
	if err := s.read(ctx, "SELECT EXISTS (SELECT 1 FROM jobs WHERE "+due+")", args...).Scan(&waiting); err != nil {
		return Job{}, s.d.classify(err)
	}
	if !waiting {
		return Job{}, ErrNotFound
	}
	var j Job
	err := s.within(ctx, func(t *tx) (err error) {
		j, err = scanJob(t.row("UPDATE jobs SET worker = ?, lease_until = {now} + ?, "+change+" WHERE id = (SELECT id FROM jobs WHERE "+
			due+" ORDER BY run_at, id LIMIT 1 {skip}) RETURNING "+jobColumns, append([]any{worker, leaseFor.Microseconds()}, args...)...).Scan)
		return err
	})
	return j, err
}

func (t *tx) addJob(j Job, item media.ItemID) error {
	_, err := t.exec("INSERT INTO jobs (id, kind, item, state, run_at, created_at) VALUES (?,?,?,'ready',{now},{now})", j.ID, j.Kind, string(item))
	return err
}

// AddJob adds a job, due at once; ErrExists when there is one of that ID.
func (s *Store) AddJob(ctx context.Context, j Job) error {
	return s.within(ctx, func(t *tx) error { return t.addJob(j, j.Item) })
}

// SetProgress notes how far a job is that is not done yet, in thousandths.
func (s *Store) SetProgress(ctx context.Context, id string, thousandths int) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE jobs SET progress = ? WHERE id = ? AND state = 'ready'", min(max(thousandths, 0), 1000), id)
	})
}

// ExtendJob lengthens worker's lease; ErrNotFound when it has lost it.
func (s *Store) ExtendJob(ctx context.Context, id, worker string, leaseFor time.Duration) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE jobs SET lease_until = {now} + ? WHERE id = ? AND worker = ? AND state = 'ready'", leaseFor.Microseconds(), id, worker)
	})
}

// FinishJob marks a job done; ErrNotFound when worker has lost its lease.
func (s *Store) FinishJob(ctx context.Context, id, worker string) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE jobs SET state = 'done', lease_until = 0, last_error = '' WHERE id = ? AND worker = ? AND state = 'ready'", id, worker)
	})
}

// RetryJob gives a job back to be tried after a while, or for good when it was
// tried maxAttempts times, the last time by this version of the code; ErrNotFound
// when worker has lost its lease.
func (s *Store) RetryJob(ctx context.Context, id, worker, code string, after time.Duration, maxAttempts, version int) error {
	return s.within(ctx, func(t *tx) error {
		return t.must(`UPDATE jobs SET lease_until = 0, last_error = ?, run_at = {now} + ?, tried_by = ?,
			state = CASE WHEN attempts >= ? THEN 'dead' ELSE 'ready' END WHERE id = ? AND worker = ? AND state = 'ready'`,
			code, after.Microseconds(), version, maxAttempts, id, worker)
	})
}

// JobsOf lists an item's jobs, oldest first.
func (s *Store) JobsOf(ctx context.Context, item media.ItemID) ([]Job, error) {
	var out []Job
	err := s.all(ctx, func(scan func(...any) error) error {
		j, err := scanJob(scan)
		out = append(out, j)
		return err
	}, "SELECT "+jobColumns+" FROM jobs WHERE item = ? ORDER BY created_at, id", string(item))
	return out, err
}

// JobsFor lists the jobs that tell a person, oldest first.
func (s *Store) JobsFor(ctx context.Context, p access.PersonID) ([]Job, error) {
	var out []Job
	err := s.all(ctx, func(scan func(...any) error) error {
		j, err := scanJob(scan)
		out = append(out, j)
		return err
	}, "SELECT "+jobColumns+" FROM jobs WHERE person = ? ORDER BY created_at, id", string(p))
	return out, err
}

// Backlog is the work in the background that is not done.
type Backlog struct {
	Ready, Dead int64
	Oldest      time.Duration // since the oldest that is ready was due; negative when none is yet
}

// JobBacklog measures the work that is not done, whatever is.
func (s *Store) JobBacklog(ctx context.Context) (Backlog, error) {
	var b Backlog
	var oldest int64
	err := s.read(ctx, `SELECT (SELECT count(*) FROM jobs WHERE state = 'ready'), (SELECT count(*) FROM jobs WHERE state = 'dead'),
		COALESCE({now} - (SELECT min(run_at) FROM jobs WHERE state = 'ready'), 0)`).Scan(&b.Ready, &b.Dead, &oldest)
	b.Oldest = time.Duration(oldest) * time.Microsecond
	return b, s.d.classify(err)
}

// Writable reports whether the database takes changes now, the numbering of
// audit events among them: it makes one and takes it back.
func (s *Store) Writable(ctx context.Context) error {
	back := errors.New("take it back")
	err := s.within(ctx, func(t *tx) error {
		if err := t.must("UPDATE audit_counter SET seq = seq WHERE one = 1"); err != nil {
			return err
		}
		return back
	})
	if errors.Is(err, back) {
		return nil
	}
	return err
}

// JobCounts counts the jobs in each state.
func (s *Store) JobCounts(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{JobReady: 0, JobDone: 0, JobDead: 0}
	err := s.all(ctx, func(scan func(...any) error) error {
		var state string
		var n int64
		err := scan(&state, &n)
		out[state] = n
		return err
	}, "SELECT state, count(*) FROM jobs GROUP BY state")
	return out, err
}
