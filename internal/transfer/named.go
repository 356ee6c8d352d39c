package transfer

import (
	"context"
	"fmt"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// Named is List with the patients' details, for people who must tell one
// patient from another. It records whose details were shown.
func (s *Items) Named(ctx context.Context, who access.Principal, f ItemFilter) ([]ItemView, bool, error) {
	views, more, err := s.List(ctx, who, f)
	if err != nil {
		return nil, false, err
	}
	known := map[media.PatientID]*Patient{}
	for i := range views {
		id := views[i].Item.Patient
		if known[id] == nil {
			row, err := s.Store.Patient(ctx, id)
			if err != nil {
				return nil, false, down(fmt.Errorf("find the patient: %w", err))
			}
			p, err := PatientFinder{nil, s.Ring}.open(row)
			if err != nil {
				return nil, false, err
			}
			ev := audit.NewEvent(audit.PatientShown, who, audit.Subject{Patient: string(id)}).With("what", "list")
			if err := (gate{s.Gate}).record(ctx, ev); err != nil {
				return nil, false, err
			}
			known[id] = &p
		}
		views[i].Patient = known[id]
	}
	return views, more, nil
}
