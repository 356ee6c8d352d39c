package transfer

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/storage/meta"
)

// OversightStore is what reports and emergency access need of the database,
// besides the gate.
type OversightStore interface {
	AddIncident(ctx context.Context, i oversight.Incident, ev audit.Event) (oversight.Incident, error)
	Incidents(ctx context.Context, limit int) ([]oversight.Incident, error)
	CloseIncident(ctx context.Context, id oversight.ID, by access.PersonID, outcome media.Sealed, ev audit.Event) error
	AddEmergency(ctx context.Context, e oversight.Emergency, lasts time.Duration, ev audit.Event) (oversight.Emergency, error)
	Emergencies(ctx context.Context, limit int) ([]oversight.Emergency, error)
	LiveEmergencies(ctx context.Context, p access.PersonID) ([]oversight.Emergency, error)
	EndEmergency(ctx context.Context, id oversight.ID, p access.PersonID, ev audit.Event) error
	ReviewEmergency(ctx context.Context, id oversight.ID, by access.PersonID, finding media.Sealed, ev audit.Event) error
	CountToReview(ctx context.Context) (int, error)
	Patient(ctx context.Context, id media.PatientID) (media.Patient, error)
	Investigation(ctx context.Context, id oversight.ID) (oversight.Investigation, error)
}

// Oversight takes reports of problems and breaches, gives emergency access, and
// has auditors look after both.
type Oversight struct {
	Gate  GateStore
	Store OversightStore
	Ring  *keyring.Ring
	Lasts time.Duration // an emergency access
}

// reviewLimit is how many incidents or emergencies are listed.
const reviewLimit = 500

// IncidentView is an incident with its text opened.
type IncidentView struct {
	oversight.Incident
	Text, Outcome string
}

// Report files a report of a problem or a breach. Everybody may, and needs to
// say no more than what happened.
func (s *Oversight) Report(ctx context.Context, who access.Principal, kind oversight.Kind, text, page string) (oversight.ID, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReportIncident); err != nil {
		return "", err
	}
	if !kind.Valid() {
		return "", fault.New(fault.Invalid, "kind-missing", "Choose whether something does not work, or something may have been seen by the wrong person.").In("kind")
	}
	text, err := written(text, "text", true)
	if err != nil {
		return "", err
	}
	i := oversight.Incident{ID: oversight.NewID(), Kind: kind, ReportedBy: who.Person.ID, Page: placeOf(page)}
	f := fields{ring: s.Ring, table: "incidents", row: string(i.ID)}
	i.Text, i.Outcome = f.seal("text", text), f.seal("outcome", "")
	if f.err != nil {
		return "", f.err
	}
	ev := audit.NewEvent(audit.IncidentReported, who, audit.Subject{Incident: string(i.ID)}).With("kind", string(kind))
	if i, err = s.Store.AddIncident(ctx, i, ev); err != nil {
		return "", down(fmt.Errorf("file the report: %w", err))
	}
	return i.ID, nil
}

// placeOf keeps of an address its path, when it is one.
func placeOf(page string) string {
	page, _, _ = strings.Cut(page, "?")
	page, _, _ = strings.Cut(page, "#")
	if !strings.HasPrefix(page, "/") || len(page) > 200 {
		return ""
	}
	return path.Clean(page)
}

// Incidents lists the reports, the open ones first.
func (s *Oversight) Incidents(ctx context.Context, who access.Principal) ([]IncidentView, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.HandleIncidents); err != nil {
		return nil, err
	}
	rows, err := s.Store.Incidents(ctx, reviewLimit)
	if err != nil {
		return nil, down(fmt.Errorf("list the reports: %w", err))
	}
	out := make([]IncidentView, 0, len(rows))
	for _, i := range rows {
		f := fields{ring: s.Ring, table: "incidents", row: string(i.ID)}
		out = append(out, IncidentView{i, f.open("text", i.Text), f.open("outcome", i.Outcome)})
		if f.err != nil {
			return nil, f.err
		}
	}
	return out, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.OversightRead, who, audit.Subject{}).With("what", "incidents"))
}

// Close closes a report with what came of it. One that is looked into is closed
// at the desk.
func (s *Oversight) Close(ctx context.Context, who access.Principal, id oversight.ID, outcome string) error {
	if err := (gate{s.Gate}).role(ctx, who, access.HandleIncidents); err != nil {
		return err
	}
	outcome, err := written(outcome, "outcome", true)
	if err != nil {
		return err
	}
	switch _, err := s.Store.Investigation(ctx, id); {
	case err == nil:
		return fault.New(fault.Conflict, "incident-opened", "This incident is being looked into. Close it on its own page.").In("outcome")
	case !errors.Is(err, meta.ErrNotFound):
		return down(err)
	}
	f := fields{ring: s.Ring, table: "incidents", row: string(id)}
	sealed := f.seal("outcome", outcome)
	if f.err != nil {
		return f.err
	}
	return gone(s.Store.CloseIncident(ctx, id, who.Person.ID, sealed, audit.NewEvent(audit.IncidentClosed, who, audit.Subject{Incident: string(id)})))
}

// gone tells of a change that came too late, or to nothing.
func gone(err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return errNoItem
	}
	return down(err)
}

// EmergencyView is an emergency access with its text opened.
type EmergencyView struct {
	oversight.Emergency
	Reason, Finding string
}

// Break gives who access to a patient of other teams, for a while, with a
// reason that an auditor reviews.
func (s *Oversight) Break(ctx context.Context, who access.Principal, patient media.PatientID, reason string) (EmergencyView, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.BreakGlass); err != nil {
		return EmergencyView{}, err
	}
	reason, err := written(reason, "reason", true)
	if err != nil {
		return EmergencyView{}, err
	}
	if !media.ValidID(string(patient)) {
		return EmergencyView{}, errNoItem
	}
	if _, err := s.Store.Patient(ctx, patient); err != nil {
		return EmergencyView{}, gone(err)
	}
	e := oversight.Emergency{ID: oversight.NewID(), Person: who.Person.ID, Patient: patient}
	f := fields{ring: s.Ring, table: "emergencies", row: string(e.ID)}
	e.Reason, e.Finding = f.seal("reason", reason), f.seal("finding", "")
	if f.err != nil {
		return EmergencyView{}, f.err
	}
	ev := audit.NewEvent(audit.GlassBroken, who, audit.Subject{Emergency: string(e.ID), Patient: string(patient)})
	if e, err = s.Store.AddEmergency(ctx, e, s.Lasts, ev); err != nil {
		return EmergencyView{}, Merged(fmt.Errorf("give emergency access: %w", err))
	}
	return EmergencyView{Emergency: e, Reason: reason}, nil
}

// End ends one's own emergency access before its time.
func (s *Oversight) End(ctx context.Context, who access.Principal, id oversight.ID) error {
	if err := (gate{s.Gate}).role(ctx, who, access.BreakGlass); err != nil {
		return err
	}
	return gone(s.Store.EndEmergency(ctx, id, who.Person.ID, audit.NewEvent(audit.EmergencyEnded, who, audit.Subject{Emergency: string(id)})))
}

// Live lists one's own emergency accesses that have not ended, without their
// text. It discloses nothing and records nothing.
func (s *Oversight) Live(ctx context.Context, who access.Principal) ([]oversight.Emergency, error) {
	if access.May(who, access.BreakGlass) != access.Allow {
		return nil, nil
	}
	out, err := s.Store.LiveEmergencies(ctx, who.Person.ID)
	return out, down(err)
}

// Emergencies lists every emergency access, those to review first.
func (s *Oversight) Emergencies(ctx context.Context, who access.Principal) ([]EmergencyView, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReviewEmergencies); err != nil {
		return nil, err
	}
	rows, err := s.Store.Emergencies(ctx, reviewLimit)
	if err != nil {
		return nil, down(fmt.Errorf("list the emergencies: %w", err))
	}
	out := make([]EmergencyView, 0, len(rows))
	for _, e := range rows {
		f := fields{ring: s.Ring, table: "emergencies", row: string(e.ID)}
		out = append(out, EmergencyView{e, f.open("reason", e.Reason), f.open("finding", e.Finding)})
		if f.err != nil {
			return nil, f.err
		}
	}
	return out, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.OversightRead, who, audit.Subject{}).With("what", "emergencies"))
}

// Review records what a review of an emergency access found.
func (s *Oversight) Review(ctx context.Context, who access.Principal, id oversight.ID, finding string) error {
	if err := (gate{s.Gate}).role(ctx, who, access.ReviewEmergencies); err != nil {
		return err
	}
	finding, err := written(finding, "finding", true)
	if err != nil {
		return err
	}
	f := fields{ring: s.Ring, table: "emergencies", row: string(id)}
	sealed := f.seal("finding", finding)
	if f.err != nil {
		return f.err
	}
	return gone(s.Store.ReviewEmergency(ctx, id, who.Person.ID, sealed, audit.NewEvent(audit.EmergencyReviewed, who, audit.Subject{Emergency: string(id)})))
}

// ToReview counts what waits for an auditor; for others it is none.
func (s *Oversight) ToReview(ctx context.Context, who access.Principal) (int, error) {
	if access.May(who, access.HandleIncidents) != access.Allow {
		return 0, nil
	}
	n, err := s.Store.CountToReview(ctx)
	return n, down(err)
}
