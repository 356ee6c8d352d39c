package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
)

// ReportStore is what the reports need of the database, besides the gate.
type ReportStore interface {
	Now(ctx context.Context) (time.Time, error)
	UnseenReferrals(ctx context.Context, limit int) ([]meta.Unseen, error)
	SignInsFailed(ctx context.Context, since time.Time, limit int) ([]meta.FailedSignIns, error)
	Locked(ctx context.Context) ([]meta.Person, error)
	EmergenciesSince(ctx context.Context, since time.Time, limit int) ([]oversight.Emergency, error)
	EmergenciesToReview(ctx context.Context, before time.Time, limit int) ([]oversight.Emergency, error)
	Incidents(ctx context.Context, limit int) ([]oversight.Incident, error)
	Investigation(ctx context.Context, id oversight.ID) (oversight.Investigation, error)
	Entries(ctx context.Context, id oversight.ID, limit int) ([]oversight.Entry, error)
	FiledSince(ctx context.Context, since time.Time) ([]meta.Filed, error)
	DueByClass(ctx context.Context) ([]meta.DueCount, error)
	Holds(ctx context.Context, limit int) ([]retention.Hold, error)
	CountMatching(ctx context.Context, c retention.Criteria) (items, due int, err error)
}

// Reports tell records officers and auditors how things go. They hold nothing
// about a patient, not even an identifier.
type Reports struct {
	Gate  GateStore
	Store ReportStore
}

const (
	// ReviewWithin is how soon an emergency access should be reviewed.
	ReviewWithin = 3 * 24 * time.Hour
	// ReportRows is the most rows that a list of a report has.
	ReportRows = 500
	signInRows = 20_000 // hours and accounts
	maxWeeks   = 53
)

// OpenIncident is an incident as the reports have it, without its text.
type OpenIncident struct {
	oversight.Incident
	Clock oversight.Clock // zero for a problem
}

// WeekFiled is what was filed in a week, in a team and format.
type WeekFiled = meta.Filed

// DueCount is how many items of a class may be reviewed from a day.
type DueCount = meta.DueCount

// LiveHold is a hold as the reports have it, without its texts.
type LiveHold struct {
	retention.Hold
	Items, Due int // it is on
}

// Report is everything that the reports say.
type Report struct {
	Now, Since  time.Time
	Unseen      []meta.Unseen
	SignIns     []meta.FailedSignIns
	Locked      []meta.Person
	Emergencies []oversight.Emergency
	ToReview    []oversight.Emergency // overdue
	Incidents   []OpenIncident        // open
	Filed       []WeekFiled
	Due         []DueCount
	Holds       []LiveHold
	Cut         map[string]bool // by name of the list: there is more
}

// Read gives the reports over some weeks. Reading them is recorded.
func (s *Reports) Read(ctx context.Context, who access.Principal, weeks int) (Report, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReadReports); err != nil {
		return Report{}, err
	}
	r := Report{Cut: map[string]bool{}}
	var err error
	if r.Now, err = s.Store.Now(ctx); err != nil {
		return r, down(err)
	}
	weeks = min(max(weeks, 1), maxWeeks)
	r.Since = monday(r.Now).AddDate(0, 0, -7*(weeks-1))
	if err := s.fill(ctx, &r); err != nil {
		return r, down(err)
	}
	return r, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.OversightRead, who, audit.Subject{}).With("what", "reports"))
}

// monday is when the week of t began, UTC.
func monday(t time.Time) time.Time {
	t = t.UTC().Truncate(24 * time.Hour)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
}

func (s *Reports) fill(ctx context.Context, r *Report) (err error) {
	note := func(what string, n, most int, e error) error {
		r.Cut[what] = n >= most
		if e != nil {
			return fmt.Errorf("report on %s: %w", what, e)
		}
		return nil
	}
	r.Unseen, err = s.Store.UnseenReferrals(ctx, ReportRows)
	if err := note("referrals", len(r.Unseen), ReportRows, err); err != nil {
		return err
	}
	r.SignIns, err = s.Store.SignInsFailed(ctx, r.Since, signInRows)
	if err := note("sign-ins", len(r.SignIns), signInRows, err); err != nil {
		return err
	}
	r.Locked, err = s.Store.Locked(ctx)
	if err := note("locked", 0, 1, err); err != nil {
		return err
	}
	r.Emergencies, err = s.Store.EmergenciesSince(ctx, r.Since, ReportRows)
	if err := note("emergencies", len(r.Emergencies), ReportRows, err); err != nil {
		return err
	}
	r.ToReview, err = s.Store.EmergenciesToReview(ctx, r.Now.Add(-ReviewWithin), ReportRows)
	if err := note("reviews", len(r.ToReview), ReportRows, err); err != nil {
		return err
	}
	r.Filed, err = s.Store.FiledSince(ctx, r.Since)
	if err := note("filed", 0, 1, err); err != nil {
		return err
	}
	r.Due, err = s.Store.DueByClass(ctx)
	if err := note("due", 0, 1, err); err != nil {
		return err
	}
	if err := s.holds(ctx, r); err != nil {
		return err
	}
	return s.incidents(ctx, r)
}

// holds lists the live ones, with what each is on.
func (s *Reports) holds(ctx context.Context, r *Report) error {
	all, err := s.Store.Holds(ctx, ReportRows)
	if err != nil {
		return fmt.Errorf("report on holds: %w", err)
	}
	r.Cut["holds"] = len(all) >= ReportRows
	for _, h := range all {
		if !h.ReleasedAt.IsZero() {
			continue
		}
		l := LiveHold{Hold: h}
		if l.Items, l.Due, err = s.Store.CountMatching(ctx, h.Criteria); err != nil {
			return fmt.Errorf("report on holds: %w", err)
		}
		r.Holds = append(r.Holds, l)
	}
	return nil
}

// incidents lists the open ones, each breach with its clock.
func (s *Reports) incidents(ctx context.Context, r *Report) error {
	all, err := s.Store.Incidents(ctx, ReportRows)
	if err != nil {
		return fmt.Errorf("report on incidents: %w", err)
	}
	for _, i := range all { // the open ones come first
		if !i.ClosedAt.IsZero() {
			break
		}
		o := OpenIncident{Incident: i}
		if i.Kind == oversight.Breach {
			inv, err := s.Store.Investigation(ctx, i.ID)
			if errors.Is(err, meta.ErrNotFound) { // nobody looks into it yet
				inv, err = oversight.Investigation{AwareAt: i.At}, nil
			}
			if err != nil {
				return fmt.Errorf("report on incidents: %w", err)
			}
			entries, err := s.Store.Entries(ctx, i.ID, entriesMost)
			if err != nil {
				return fmt.Errorf("report on incidents: %w", err)
			}
			o.Clock = oversight.ClockOf(inv, entries, r.Now)
		}
		r.Incidents = append(r.Incidents, o)
	}
	r.Cut["incidents"] = len(r.Incidents) == ReportRows
	return nil
}
