package transfer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// SeenStore is what telling who saw an item needs of the database, besides the
// gate.
type SeenStore interface {
	itemFinder
	Events(ctx context.Context, f meta.EventFilter) ([]audit.Event, error)
}

// Seen tells who has seen an item.
type Seen struct {
	Gate  GateStore
	Store SeenStore
}

// Sighting is one person who has seen an item.
type Sighting struct {
	Person      access.PersonID
	Outside     bool // not a member of staff: Person is the invitation that they visited by
	First, Last time.Time
}

// seenPage is how many events are read at once, and seenMost how many at most.
const (
	seenPage = 500
	seenMost = 10_000
)

// By lists who has seen the picture itself (a thumbnail in a list is no
// seeing), in the order of their first look, without who filed it. It comes
// from the audit, so it is exactly what an auditor would find.
func (s *Seen) By(ctx context.Context, who access.Principal, id media.ItemID) ([]Sighting, error) {
	it, err := findItem(ctx, s.Store, gate{s.Gate}, who, access.DescribeItem, id)
	if err != nil {
		return nil, err
	}
	return s.by(ctx, it)
}

func (s *Seen) by(ctx context.Context, it media.Item) ([]Sighting, error) {
	var out []Sighting
	f := meta.EventFilter{Item: it.ID, Type: audit.PictureShown, Limit: seenPage}
	for n := 0; n < seenMost; {
		events, err := s.Store.Events(ctx, f) // newest first
		if err != nil {
			return nil, down(fmt.Errorf("look who has seen it: %w", err))
		}
		for _, ev := range events {
			if ev.Actor == it.Uploader || ev.Subject.Rendition == string(media.Thumbnail) {
				continue
			}
			i := slices.IndexFunc(out, func(s Sighting) bool { return s.Person == ev.Actor })
			if i < 0 {
				i, out = len(out), append(out, Sighting{Person: ev.Actor, Outside: ev.Subject.Invitation != "", Last: ev.At})
			}
			out[i].First = ev.At
		}
		if len(events) < seenPage {
			break
		}
		n, f.After = n+len(events), events[len(events)-1].Seq
	}
	slices.SortFunc(out, func(a, b Sighting) int { return a.First.Compare(b.First) })
	return out, nil
}
