package transfer

import (
	"context"
	"fmt"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
)

// EventStore is what searching the audit needs of the database.
type EventStore interface {
	Events(ctx context.Context, f meta.EventFilter) ([]audit.Event, error)
}

// Account answers who saw what, when and why.
type Account struct {
	Gate  GateStore
	Store EventStore
}

// Events gives a page of audit events, newest first, and whether there are
// more. Reading the audit is itself an event.
func (s *Account) Events(ctx context.Context, who access.Principal, f meta.EventFilter) ([]audit.Event, bool, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReadAudit); err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 500)
	f.Limit = limit + 1
	events, err := s.Store.Events(ctx, f)
	if err != nil {
		return nil, false, down(fmt.Errorf("search the audit: %w", err))
	}
	more := len(events) > limit
	if more {
		events = events[:limit]
	}
	subject := audit.Subject{Item: string(f.Item), Patient: string(f.Patient), Person: string(f.Person), Link: string(f.Link)}
	return events, more, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.AuditRead, who, subject))
}

// EventFilter chooses the audit events to give.
type EventFilter = meta.EventFilter
