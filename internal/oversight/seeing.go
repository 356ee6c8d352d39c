package oversight

import (
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// SeeingTypes are the audit events by which something of a patient was
// disclosed to somebody.
func SeeingTypes() []audit.Type {
	return []audit.Type{
		audit.PictureShown, audit.AnnotationsShown, audit.ItemDescribed, audit.LinkOpened, audit.LinkVisited, audit.ItemsListed,
		audit.PatientFound, audit.PatientShown, audit.ReferralRead, audit.ReferralsListed,
	}
}

// Seen is one disclosure, with what is known of its item.
type Seen struct {
	audit.Event
	Team    access.TeamID   // of the item; empty when the event names none
	Patient media.PatientID // of the event or of its item
}

// Count is how many items, and of how many patients.
type Count struct {
	Items    int
	Patients int
	Cut      bool // there are more: counting stopped
}

// Saw adds up what somebody did see.
type Saw struct {
	Pictures      Count // shown, in any size
	ThumbnailOnly int   // items of those that were never shown larger
	Described     Count // facts or marks shown, without counting pictures
	All           Count // every item and patient of which anything was disclosed
	Opened        int   // links
	Lists         int   // lists of items or questions; what stood in one is not recorded
	Events        int
	First, Last   time.Time
	Rows          []Seen // the first of them
	Cut           bool   // there are more events than were read

	pictures, large, described, all map[string]bool
	picturesOf, describedOf, allOf  map[string]bool
}

// NewSaw starts with nothing.
func NewSaw() *Saw {
	n := func() map[string]bool { return map[string]bool{} }
	return &Saw{pictures: n(), large: n(), described: n(), all: n(), picturesOf: n(), describedOf: n(), allOf: n()}
}

// In reports whether a disclosure belongs to a scope; grants are those of the
// scope's link. What names no item, such as a list, does not tell which team
// it was of, and counts unless the event says otherwise.
func (s Scope) In(e Seen, grants map[string]bool) bool {
	switch {
	case s.Session != "" && e.Session != s.Session:
		return false
	case s.Team != "" && e.Team != "" && e.Team != s.Team, s.Team != "" && e.Subject.Team != "" && e.Subject.Team != string(s.Team):
		return false
	case s.Patient != "" && e.Patient != s.Patient:
		return false
	case s.Link != "" && e.Subject.Link != string(s.Link) && !grants[e.Subject.Grant]:
		return false
	}
	return true
}

// Add takes in one more disclosure, and keeps it as a row while there are
// fewer than rows.
func (s *Saw) Add(e Seen, rows int) {
	s.Events++
	if s.First.IsZero() {
		s.First = e.At
	}
	s.Last = e.At
	if len(s.Rows) < rows {
		s.Rows = append(s.Rows, e)
	}
	note := func(items, patients map[string]bool) {
		if e.Subject.Item != "" {
			items[e.Subject.Item] = true
		}
		if e.Patient != "" {
			patients[string(e.Patient)] = true
		}
	}
	note(s.all, s.allOf)
	switch e.Type {
	case audit.PictureShown:
		note(s.pictures, s.picturesOf)
		if e.Subject.Rendition != string(media.Thumbnail) {
			s.large[e.Subject.Item] = true
		}
	case audit.ItemDescribed, audit.AnnotationsShown:
		note(s.described, s.describedOf)
	case audit.LinkOpened:
		s.Opened++
	case audit.ItemsListed, audit.ReferralsListed:
		s.Lists++
	}
	s.Pictures.Items, s.Pictures.Patients = len(s.pictures), len(s.picturesOf)
	s.Described.Items, s.Described.Patients = len(s.described), len(s.describedOf)
	s.All.Items, s.All.Patients = len(s.all), len(s.allOf)
	s.ThumbnailOnly = len(s.pictures) - len(s.large)
}
