package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/handover"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/storage/blob"
)

// offered is the schedule that this deployment's settings name.
func (r Records) offered() (retention.Schedule, error) {
	if r.Jurisdiction == "" {
		return retention.Schedule{}, nil
	}
	j := retention.Jurisdiction(r.Jurisdiction)
	if r.Schedule == "" {
		return retention.Shipped(j)
	}
	text, err := os.ReadFile(r.Schedule)
	if err != nil {
		return retention.Schedule{}, fmt.Errorf("read the retention schedule: %w", err)
	}
	s, err := retention.Parse(text)
	if err == nil && s.Jurisdiction != j {
		err = fmt.Errorf("it is of %s, and --jurisdiction is %s", s.Jurisdiction, j)
	}
	if err != nil {
		return s, fmt.Errorf("the retention schedule in %s: %w", r.Schedule, err)
	}
	return s, nil
}

// desks makes what the records team works with.
func (s *System) desks(door *signin.Door) error {
	r := s.Config.Records
	offered, err := r.offered()
	if err != nil {
		return err
	}
	s.records = &records.Desk{Store: s.Store, Ring: s.Ring, Clock: time.Now, Offered: offered}
	s.disposal = &disposal.Desk{
		Store: s.Store, Records: s.records, Ring: s.Ring, Objects: s.Objects, StepUp: door.SteppedUp, Clock: time.Now,
		Policy: disposal.Policy{Organisation: r.Organisation, CoolingOff: r.CoolingOff, Backups: r.Backups, Automatic: r.Automatic},
	}
	s.handover = &handover.Desk{Store: s.Store, Ring: s.Ring, Objects: s.Objects, StepUp: door.SteppedUp, Clock: time.Now, Organisation: r.Organisation}
	return nil
}

// locking finds out whether the object store can lock, where it should.
func (s *System) locking(ctx context.Context) error {
	if !s.Config.Objects.Lock {
		return nil
	}
	store, ok := s.Objects.(blob.Locker)
	if !ok {
		return errors.New("this object store cannot lock objects")
	}
	s.locks = &records.Locks{Store: s.Store, Objects: store}
	return store.CanLock(ctx)
}

// recordsEvery is how often dates are worked out again and disposals looked
// after.
const recordsEvery = 30 * time.Second

// keepRecords looks after dates and disposals until ctx ends.
func (s *System) keepRecords(ctx context.Context) error {
	t := time.NewTicker(recordsEvery)
	defer t.Stop()
	for {
		if err := s.KeepRecords(ctx); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "keep the records", "error", err) // the next round may do better
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// KeepRecords does at once what goes on in the background: dates, what policy
// says is automatic, destruction whose time has come, final certificates.
func (s *System) KeepRecords(ctx context.Context) error {
	_, err := s.records.Refresh(ctx)
	if s.locks != nil {
		err = errors.Join(err, s.locks.Keep(ctx))
	}
	errs := []error{err, s.disposal.Automatic(ctx)}
	_, err = s.disposal.Run(ctx)
	return errors.Join(append(errs, err, s.disposal.Finalise(ctx))...)
}
