package fsck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// ScrubStore is what scrubbing needs of the database beside what checking does.
type ScrubStore interface {
	Store
	LeaseScrub(ctx context.Context, worker string, leaseFor time.Duration) (meta.Scrub, error)
	BeginScrub(ctx context.Context, worker string, total int64) error
	AdvanceScrub(ctx context.Context, worker, place string, checked, damaged int64) error
	EndScrub(ctx context.Context, worker string) error
}

const (
	scrubLease = 10 * time.Minute
	mostSlice  = 500         // objects in one slice
	sliceEvery = time.Minute // between two slices
)

// Scrubber reads the whole store again and again, a slice at a time, so that
// what rots is found while a backup still has it. Of several servers one is at
// it at a time. It repairs nothing.
type Scrubber struct {
	Store   ScrubStore
	Checker *Checker      // over the same store
	Every   time.Duration // how long a round takes; 0 scrubs nothing
	worker  string
}

// Run scrubs until ctx ends. It returns nil.
func (s *Scrubber) Run(ctx context.Context) error {
	if s.Every <= 0 {
		return nil
	}
	t := time.NewTicker(sliceEvery)
	defer t.Stop()
	for {
		n, err := s.Slice(ctx)
		if err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "scrub", "error", err) // the next slice may do better
		}
		if n == mostSlice && ctx.Err() == nil {
			continue // it is behind
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Slice reads as many objects as are due by now, and gives how many it read. A
// slice that is cut short is read again.
func (s *Scrubber) Slice(ctx context.Context) (int, error) {
	if s.worker == "" {
		s.worker = uuid.NewString()
	}
	at, err := s.Store.LeaseScrub(ctx, s.worker, scrubLease)
	if errors.Is(err, meta.ErrNotFound) {
		return 0, nil // another is at it
	}
	if err != nil {
		return 0, fmt.Errorf("take a turn: %w", err)
	}
	if at.BeganAt.IsZero() || at.EndedAt.After(at.BeganAt) {
		if at.Now.Sub(at.BeganAt) < s.Every && !at.BeganAt.IsZero() {
			return 0, nil
		}
		total, err := s.Store.CountRenditions(ctx)
		if err != nil {
			return 0, err
		}
		if err := s.Store.BeginScrub(ctx, s.worker, total); err != nil {
			return 0, err
		}
		at = meta.Scrub{Now: at.Now, BeganAt: at.Now, Total: total}
	}
	due := int64(float64(at.Total)*min(1, float64(at.Now.Sub(at.BeganAt)+sliceEvery)/float64(s.Every))) + 1 - at.Checked
	page, err := s.Store.KeptAfter(ctx, at.Place, int(min(max(due, 1), mostSlice)))
	if err != nil {
		return 0, err
	}
	if len(page) == 0 {
		return 0, s.end(ctx, at)
	}
	if due < 1 {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, scrubLease-time.Minute)
	defer cancel()
	damaged, err := s.read(ctx, page)
	if err != nil {
		return 0, err
	}
	return len(page), s.Store.AdvanceScrub(ctx, s.worker, page[len(page)-1].ObjectKey, int64(len(page)), damaged)
}

func (s *Scrubber) read(ctx context.Context, page []meta.Kept) (int64, error) {
	var damaged int64
	for _, k := range page {
		o, err := s.look(ctx, blob.Key(k.ObjectKey))
		if err != nil {
			return damaged, err
		}
		wrong := false
		for _, f := range s.Checker.check(ctx, k, o) {
			if ctx.Err() != nil {
				return damaged, ctx.Err()
			}
			if f.Kind == Unchecked {
				return damaged, errors.New(f.Says)
			}
			if !f.Kind.Wrong() {
				continue
			}
			wrong = true
			slog.ErrorContext(ctx, "something in the store is not as it should be", "kind", f.Kind, "object", f.Object, "says", f.Says)
			ev := audit.NewEvent(audit.StoreDamaged, access.Principal{}, audit.Subject{Item: string(f.Item), Rendition: string(f.Rendition)}).With("kind", string(f.Kind))
			if err := s.Store.AppendEvent(ctx, ev); err != nil {
				return damaged, fmt.Errorf("record a finding: %w", err)
			}
		}
		if wrong {
			damaged++
		}
	}
	return damaged, nil
}

// look is what the store has under one key.
func (s *Scrubber) look(ctx context.Context, key blob.Key) (object, error) {
	o := object{key: key}
	c := s.Checker
	if c.versions, _ = c.Objects.(blob.Versioner); c.versions == nil {
		info, err := c.Objects.Stat(ctx, key)
		if errors.Is(err, blob.ErrNotFound) {
			return o, nil
		}
		o.there, o.current = err == nil, info
		return o, err
	}
	err := c.versions.ListVersions(ctx, string(key), func(v blob.Version) error {
		if v.Key != key {
			return nil
		}
		if v.Latest && !v.Marker {
			o.there, o.current = true, v.Info
		} else {
			o.rest = append(o.rest, v)
		}
		return nil
	})
	return o, err
}

// end ends a round, and records it.
func (s *Scrubber) end(ctx context.Context, at meta.Scrub) error {
	if err := s.Store.EndScrub(ctx, s.worker); err != nil {
		return err
	}
	ev := audit.NewEvent(audit.StoreChecked, access.Principal{}, audit.Subject{}).With("by", "scrub").With("how", "read").
		With("objects", strconv.FormatInt(at.Checked, 10)).With("wrong", strconv.FormatInt(at.Damaged, 10))
	return s.Store.AppendEvent(ctx, ev)
}
