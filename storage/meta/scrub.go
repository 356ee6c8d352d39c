package meta

import (
	"context"
	"time"
)

// Scrub is how far the continuous reading of the store has come.
type Scrub struct {
	Now         time.Time // the database's clock
	Place       string    // the object that was read last
	BeganAt     time.Time // of this round; zero before the first
	Total       int64     // objects there were when it began
	Checked     int64
	Damaged     int64
	EndedAt     time.Time // of the round before; zero while there is none
	LastDamaged int64     // found in that round
}

const scrubColumns = "{now}, place, began_at, total, checked, damaged, ended_at, last_damaged"

func scanScrub(scan func(...any) error) (Scrub, error) {
	var s Scrub
	var now, began, ended micros
	err := scan(&now, &s.Place, &began, &s.Total, &s.Checked, &s.Damaged, &ended, &s.LastDamaged)
	s.Now, s.BeganAt, s.EndedAt = now.time(), began.time(), ended.time()
	return s, err
}

// Scrub tells how far it has come.
func (s *Store) Scrub(ctx context.Context) (Scrub, error) {
	out, err := scanScrub(s.read(ctx, "SELECT "+scrubColumns+" FROM scrub WHERE one = 1").Scan)
	return out, s.d.classify(err)
}

// LeaseScrub makes worker the one that reads, for a while, or lengthens its
// lease, and gives where to go on; ErrNotFound when another has it.
func (s *Store) LeaseScrub(ctx context.Context, worker string, leaseFor time.Duration) (Scrub, error) {
	var out Scrub
	err := s.within(ctx, func(t *tx) (err error) {
		out, err = scanScrub(t.row("UPDATE scrub SET worker = ?, lease_until = {now} + ? WHERE one = 1 AND (worker = ? OR lease_until <= {now}) RETURNING "+scrubColumns,
			worker, leaseFor.Microseconds(), worker).Scan)
		return err
	})
	return out, err
}

// BeginScrub begins a round over total objects; ErrNotFound when worker has
// lost its lease.
func (s *Store) BeginScrub(ctx context.Context, worker string, total int64) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE scrub SET place = '', began_at = {now}, total = ?, checked = 0, damaged = 0 WHERE one = 1 AND worker = ? AND lease_until > {now}", total, worker)
	})
}

// AdvanceScrub notes that everything up to an object was read, and lets go of
// the lease; ErrNotFound when worker has lost it.
func (s *Store) AdvanceScrub(ctx context.Context, worker, place string, checked, damaged int64) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE scrub SET place = ?, checked = checked + ?, damaged = damaged + ?, lease_until = 0 WHERE one = 1 AND worker = ? AND lease_until > {now}", place, checked, damaged, worker)
	})
}

// EndScrub ends a round, and lets go of the lease; ErrNotFound when worker has
// lost it. The next may begin once the time that a round takes has passed since
// this one began.
func (s *Store) EndScrub(ctx context.Context, worker string) error {
	return s.within(ctx, func(t *tx) error {
		return t.must("UPDATE scrub SET place = '', ended_at = {now}, last_damaged = damaged, lease_until = 0 WHERE one = 1 AND worker = ? AND lease_until > {now}", worker)
	})
}
