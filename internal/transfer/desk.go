package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/oversight"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// DeskStore is what the incident desk needs of the database, besides the gate.
type DeskStore interface {
	Now(ctx context.Context) (time.Time, error)
	Incident(ctx context.Context, id oversight.ID) (oversight.Incident, error)
	AddInvestigation(ctx context.Context, i oversight.Investigation, report *oversight.Incident, evs ...audit.Event) (oversight.Investigation, error)
	Investigation(ctx context.Context, id oversight.ID) (oversight.Investigation, error)
	Investigations(ctx context.Context, limit int) ([]oversight.Investigation, error)
	AddEntry(ctx context.Context, e oversight.Entry, ev audit.Event) error
	Entries(ctx context.Context, id oversight.ID, limit int) ([]oversight.Entry, error)
	CloseIncident(ctx context.Context, id oversight.ID, by access.PersonID, outcome media.Sealed, ev audit.Event) error
	Contain(ctx context.Context, c meta.Containment, event func(audit.Type, audit.Subject) audit.Event, entry func(meta.Contained) (oversight.Entry, audit.Event)) (meta.Contained, error)
	factStore
}

// Desk looks into incidents: whom they are about, what that person could see
// and did see, how it is contained, and whether the regulator is told.
type Desk struct {
	Gate  GateStore
	Store DeskStore
	Ring  *keyring.Ring
}

// Opening is an incident to look into.
type Opening struct {
	Incident oversight.ID // that somebody reported; empty to add a report of one's own
	Cause    oversight.Cause
	Scope    oversight.Scope
	AwareAt  time.Time // zero: when it was reported, or now
	Text     string    // what happened; only where there is no report yet
}

// entriesMost is how many entries an investigation shows, and teamsMost how many
// teams one containment takes somebody out of.
const (
	entriesMost = 1000
	teamsMost   = 100
)

// Open starts to look into an incident. Nobody does that about themselves.
func (s *Desk) Open(ctx context.Context, who access.Principal, o Opening) (oversight.ID, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.Investigate); err != nil {
		return "", err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return "", down(err)
	}
	if err := s.check(ctx, who, &o, now); err != nil {
		return "", err
	}
	inv := oversight.Investigation{Incident: o.Incident, Cause: o.Cause, Scope: o.Scope, AwareAt: o.AwareAt, OpenedBy: who.Person.ID}
	var evs []audit.Event
	var report *oversight.Incident
	if inv.Incident == "" {
		if report, err = s.reportOf(who, o.Text); err != nil {
			return "", err
		}
		inv.Incident = report.ID
		evs = append(evs, audit.NewEvent(audit.IncidentReported, who, audit.Subject{Incident: string(report.ID)}).With("kind", string(report.Kind)))
	}
	evs = append(evs, audit.NewEvent(audit.IncidentOpened, who, caseSubject(inv)).With("cause", string(o.Cause)))
	switch _, err := s.Store.AddInvestigation(ctx, inv, report, evs...); {
	case errors.Is(err, meta.ErrExists):
		return "", fault.New(fault.Conflict, "incident-opened", "This incident is being looked into already.").With(err)
	case err != nil:
		return "", gone(err)
	}
	return inv.Incident, nil
}

// check puts an opening in order, or says what is wrong with it.
func (s *Desk) check(ctx context.Context, who access.Principal, o *Opening, now time.Time) error {
	wrong := func(code string, text words.Text, field string) error {
		return fault.New(fault.Invalid, code, text).In(field)
	}
	c := &o.Scope
	if !o.Cause.Valid() {
		return wrong("cause-missing", "Choose what happened.", "cause")
	}
	if !media.ValidID(string(c.Person)) {
		return wrong("person-missing", "Choose whom it is about.", "person")
	}
	if c.Person == who.Person.ID {
		return fault.New(fault.Denied, "own-incident", "You cannot look into an incident about yourself. Report it, and another auditor will.")
	}
	if _, err := s.Store.Person(ctx, c.Person); errors.Is(err, meta.ErrNotFound) {
		return wrong("person-unknown", "There is no such member of staff.", "person")
	} else if err != nil {
		return down(err)
	}
	for field, id := range map[string]string{"team": string(c.Team), "session": string(c.Session), "link": string(c.Link), "patient": string(c.Patient), "incident": string(o.Incident)} {
		if id != "" && !media.ValidID(id) {
			return wrong("identifier-wrong", "Enter an identifier as the audit shows it, or leave it out.", field)
		}
	}
	if c.Within.From.IsZero() || c.Within.From.After(now) {
		return wrong("from-wrong", "Say from when it may have gone on: a time that has passed.", "from")
	}
	if !c.Within.To.IsZero() && !c.Within.To.After(c.Within.From) {
		return wrong("to-wrong", "The end comes after the beginning. Leave it out while it may still go on.", "to")
	}
	if o.Incident != "" {
		i, err := s.Store.Incident(ctx, o.Incident)
		if err != nil {
			return gone(err)
		}
		if o.AwareAt.IsZero() {
			o.AwareAt = i.At
		}
	}
	if o.AwareAt.IsZero() {
		o.AwareAt = now
	}
	if o.AwareAt.After(now) {
		return wrong("aware-wrong", "You cannot become aware of it in the future.", "aware")
	}
	return nil
}

// reportOf makes the report that stands for an incident which nobody reported.
func (s *Desk) reportOf(who access.Principal, text string) (*oversight.Incident, error) {
	text, err := written(text, "text", true)
	if err != nil {
		return nil, err
	}
	i := &oversight.Incident{ID: oversight.NewID(), Kind: oversight.Breach, ReportedBy: who.Person.ID}
	f := fields{ring: s.Ring, table: "incidents", row: string(i.ID)}
	i.Text, i.Outcome = f.seal("text", text), f.seal("outcome", "")
	return i, f.err
}

func caseSubject(i oversight.Investigation) audit.Subject {
	c := i.Scope
	return audit.Subject{Incident: string(i.Incident), Person: string(c.Person), Team: string(c.Team), Link: string(c.Link), Patient: string(c.Patient)}
}

// find finds an investigation that who may see.
func (s *Desk) find(ctx context.Context, who access.Principal, id oversight.ID) (oversight.Investigation, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.Investigate); err != nil {
		return oversight.Investigation{}, err
	}
	if !media.ValidID(string(id)) {
		return oversight.Investigation{}, errNoItem
	}
	i, err := s.Store.Investigation(ctx, id)
	if err != nil {
		return i, gone(err)
	}
	if i.Scope.Person == who.Person.ID {
		return i, fault.New(fault.Denied, "own-incident", "This incident is about you, so another auditor looks into it.")
	}
	return i, nil
}

// EntryView is an entry with its text opened.
type EntryView struct {
	oversight.Entry
	Text string
}

// add seals an entry and adds it with its event.
func (s *Desk) add(ctx context.Context, e oversight.Entry, text string, ev audit.Event) error {
	f := fields{ring: s.Ring, table: "investigation_entries", row: string(e.ID)}
	if e.Text = f.seal("text", text); f.err != nil {
		return f.err
	}
	return gone(s.Store.AddEntry(ctx, e, ev))
}

func entryOf(who access.Principal, id oversight.ID, kind oversight.EntryKind, value string) oversight.Entry {
	return oversight.Entry{ID: oversight.NewID(), Incident: id, Kind: kind, Value: value, By: who.Person.ID}
}

// Aware puts right when the organisation became aware, with the reason why.
func (s *Desk) Aware(ctx context.Context, who access.Principal, id oversight.ID, at time.Time, reason string) error {
	i, err := s.find(ctx, who, id)
	if err != nil {
		return err
	}
	now, err := s.Store.Now(ctx)
	if err != nil {
		return down(err)
	}
	if at.IsZero() || at.After(now) {
		return fault.New(fault.Invalid, "aware-wrong", "Enter the date and time at which somebody here first knew: a time that has passed.").In("aware")
	}
	if reason, err = written(reason, "aware_reason", true); err != nil {
		return err
	}
	e := entryOf(who, id, oversight.AwareEntry, "")
	e.When = at
	return s.add(ctx, e, reason, audit.NewEvent(audit.IncidentAware, who, caseSubject(i)))
}

// Decide records whether the regulator is told (of is DecisionEntry) or the
// people affected are (PeopleEntry), and why. At is when they were told.
func (s *Desk) Decide(ctx context.Context, who access.Principal, id oversight.ID, of oversight.EntryKind, d oversight.Decision, at time.Time, reason string) error {
	i, err := s.find(ctx, who, id)
	if err != nil {
		return err
	}
	field := string(of)
	if of != oversight.DecisionEntry && of != oversight.PeopleEntry || !d.Valid() {
		return fault.New(fault.Invalid, "decision-missing", "Choose one of the answers.").In(field)
	}
	e := entryOf(who, id, of, string(d))
	if d == oversight.Told {
		now, err := s.Store.Now(ctx)
		if err != nil {
			return down(err)
		}
		if e.When = at; at.IsZero() {
			e.When = now
		}
		if e.When.After(now) || e.When.Before(i.Scope.Within.From) {
			return fault.New(fault.Invalid, "told-wrong", "Enter when they were told: a time that has passed, after it happened.").In(field + "_at")
		}
	}
	if reason, err = written(reason, field+"_reason", true); err != nil {
		return err
	}
	what := "regulator"
	if of == oversight.PeopleEntry {
		what = "people"
	}
	return s.add(ctx, e, reason, audit.NewEvent(audit.IncidentDecided, who, caseSubject(i)).With("what", what).With("decision", string(d)))
}

// KeepDraft keeps a version of the report.
func (s *Desk) KeepDraft(ctx context.Context, who access.Principal, id oversight.ID, d oversight.Draft) error {
	i, err := s.find(ctx, who, id)
	if err != nil {
		return err
	}
	for field, text := range map[string]*string{"nature": &d.Nature, "people": &d.People, "records": &d.Records, "contact": &d.Contact, "consequences": &d.Consequences, "measures": &d.Measures} {
		if *text, err = written(*text, field, false); err != nil {
			return err
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.add(ctx, entryOf(who, id, oversight.DraftEntry, ""), string(text), audit.NewEvent(audit.IncidentDrafted, who, caseSubject(i)))
}

// Close closes the incident with what was learnt from it, once both questions
// have an answer that is carried out.
func (s *Desk) Close(ctx context.Context, who access.Principal, id oversight.ID, lessons string) error {
	i, err := s.find(ctx, who, id)
	if err != nil {
		return err
	}
	entries, err := s.Store.Entries(ctx, id, entriesMost)
	if err != nil {
		return down(err)
	}
	last := map[oversight.EntryKind]oversight.Decision{}
	for _, e := range entries {
		last[e.Kind] = oversight.Decision(e.Value)
	}
	for _, q := range []struct {
		kind          oversight.EntryKind
		missing, open words.Text
	}{
		{oversight.DecisionEntry, "Decide first whether the regulator is told, and say why.", "You decided that the regulator is told. Record that it was done, or decide anew, and then close it."},
		{oversight.PeopleEntry, "Decide first whether the people affected are told, and say why.", "You decided that the people affected are told. Record that it was done, or decide anew, and then close it."},
	} {
		switch last[q.kind] {
		case "":
			return fault.New(fault.Conflict, "decision-missing", q.missing).In(string(q.kind))
		case oversight.Tell:
			return fault.New(fault.Conflict, "decision-open", q.open).In(string(q.kind))
		}
	}
	if lessons, err = written(lessons, "lessons", true); err != nil {
		return err
	}
	f := fields{ring: s.Ring, table: "incidents", row: string(id)}
	sealed := f.seal("outcome", lessons)
	if f.err != nil {
		return f.err
	}
	return gone(s.Store.CloseIncident(ctx, id, who.Person.ID, sealed, audit.NewEvent(audit.IncidentClosed, who, caseSubject(i))))
}

// Ending says which access of the person to end.
type Ending struct {
	Links, Sessions, Suspend bool
	Teams                    []access.TeamID
	Reason                   string
}

// Contain ends what is ticked, at once and together.
func (s *Desk) Contain(ctx context.Context, who access.Principal, id oversight.ID, e Ending) (meta.Contained, error) {
	i, err := s.find(ctx, who, id)
	if err != nil {
		return meta.Contained{}, err
	}
	if !e.Links && !e.Sessions && !e.Suspend && len(e.Teams) == 0 {
		return meta.Contained{}, fault.New(fault.Invalid, "contain-missing", "Tick what is to be ended.").In("contain")
	}
	if len(e.Teams) > teamsMost || slices.ContainsFunc(e.Teams, func(t access.TeamID) bool { return !media.ValidID(string(t)) }) {
		return meta.Contained{}, fault.New(fault.Invalid, "team-unknown", "There is no such team.").In("contain")
	}
	reason, err := written(e.Reason, "contain_reason", false)
	if err != nil {
		return meta.Contained{}, err
	}
	row := entryOf(who, id, oversight.ContainEntry, "")
	f := fields{ring: s.Ring, table: "investigation_entries", row: string(row.ID)}
	if row.Text = f.seal("text", reason); f.err != nil {
		return meta.Contained{}, f.err
	}
	subject := caseSubject(i)
	did, err := s.Store.Contain(ctx, meta.Containment{Person: i.Scope.Person, Links: e.Links, Session: e.Sessions, Suspend: e.Suspend, Teams: e.Teams},
		func(t audit.Type, sub audit.Subject) audit.Event {
			sub.Incident = string(id)
			return audit.NewEvent(t, who, sub)
		},
		func(did meta.Contained) (oversight.Entry, audit.Event) {
			row.Value = valueOf(did)
			ev := audit.NewEvent(audit.IncidentContained, who, subject)
			for name, n := range map[string]int{"links": did.Links, "emergencies": did.Emergencies, "sessions": did.Sessions, "tokens": did.Tokens} {
				ev = ev.With(name, strconv.Itoa(n))
			}
			return row, ev.With("suspended", strconv.FormatBool(did.Suspended)).With("teams", strconv.Itoa(len(did.Left)))
		})
	if err != nil {
		return did, gone(err)
	}
	return did, nil
}

// valueOf writes what was ended as an entry keeps it; ParseContained reads it.
func valueOf(did meta.Contained) string {
	text := fmt.Sprintf("links=%d emergencies=%d sessions=%d tokens=%d suspended=%t", did.Links, did.Emergencies, did.Sessions, did.Tokens, did.Suspended)
	for _, t := range did.Left {
		text += " team=" + string(t)
	}
	return text
}

// ParseContained reads what an entry says was ended.
func ParseContained(value string) (did meta.Contained) {
	for _, word := range strings.Fields(value) {
		name, v, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(v)
		switch name {
		case "links":
			did.Links = n
		case "emergencies":
			did.Emergencies = n
		case "sessions":
			did.Sessions = n
		case "tokens":
			did.Tokens = n
		case "suspended":
			did.Suspended = v == "true"
		case "team":
			did.Left = append(did.Left, access.TeamID(v))
		}
	}
	return did
}

// grantsOf gives the grants of a scope's link.
func (s *Desk) grantsOf(ctx context.Context, id link.ID) (map[string]bool, error) {
	if id == "" {
		return nil, nil
	}
	g, err := s.Store.GrantsOf(ctx, id)
	return g, down(err)
}

// Contained is what a containment ended.
type Contained = meta.Contained
