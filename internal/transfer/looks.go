package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// LookStore is what telling a patient who looked needs of the database.
type LookStore interface {
	PatientStore
	Events(ctx context.Context, f meta.EventFilter) ([]audit.Event, error)
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	People(ctx context.Context) ([]meta.Person, error)
	Teams(ctx context.Context) ([]meta.Team, error)
	Members(ctx context.Context, team access.TeamID) ([]access.PersonID, error)
}

// Looks lists who looked at one patient's pictures, in plain words, for the
// patient to have.
type Looks struct {
	Gate  GateStore
	Store LookStore
	Ring  *keyring.Ring
}

// Look is one person looking at one picture, on one day.
type Look struct {
	First, Last time.Time
	Times       int
	Name        words.Text
	Role        access.Role
	Teams       []string   // of the person, as they are today
	What        words.Text // such as “looked at”
	Picture     words.Text // such as “a photo: left heel”; empty when it is about all of them
	FiledAt     time.Time
}

// Looked is the answer for one patient.
type Looked struct {
	Patient Patient
	Looks   []Look // newest first
	More    bool   // there are older ones
}

// lookMost is how many events one list is made of at most.
const lookMost = 10_000

// told are the types that the list is made of, with what a patient reads.
var told = map[audit.Type]words.Text{
	audit.PictureShown: "looked at", audit.ItemFiled: "took or filed", audit.GlassBroken: "took emergency access to your pictures",
	audit.ItemHandedOver: "fetched, sealed for another organisation,",
}

// Find finds the patient that somebody asks about, by number and date of birth.
func (s *Looks) Find(ctx context.Context, who access.Principal, kind, number, born string) (Patient, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.TellPatient); err != nil {
		return Patient{}, err
	}
	p, err := (PatientFinder{s.Store, s.Ring}).find(ctx, kind, number, born, "")
	ev := audit.NewEvent(audit.PatientFound, who, audit.Subject{Patient: string(p.ID)}).With("outcome", "found")
	switch {
	case fault.Is(err, fault.Invalid): // guessing must leave a trace
		return Patient{}, errors.Join(err, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.PatientFound, who, audit.Subject{}).With("outcome", fault.From(err).Code)))
	case err != nil:
		return Patient{}, down(err)
	}
	return p, (gate{s.Gate}).record(ctx, ev)
}

// Of lists who looked at a patient's pictures, from and to a time if they are
// set. A list of small pictures counts, and is told as what it is.
func (s *Looks) Of(ctx context.Context, who access.Principal, id media.PatientID, from, to time.Time) (Looked, error) {
	g := gate{s.Gate}
	if err := g.role(ctx, who, access.TellPatient); err != nil {
		return Looked{}, err
	}
	if !media.ValidID(string(id)) {
		return Looked{}, errNoItem
	}
	row, err := s.Store.Patient(ctx, id)
	if err != nil {
		return Looked{}, gone(err)
	}
	var out Looked
	if out.Patient, err = (PatientFinder{s.Store, s.Ring}).open(row); err != nil {
		return Looked{}, err
	}
	// Before anything is told: no event, no list.
	if err := g.record(ctx, audit.NewEvent(audit.PatientShown, who, audit.Subject{Patient: string(id)}).With("what", "who-looked")); err != nil {
		return Looked{}, err
	}
	events, more, err := s.events(ctx, id, from, to)
	if err != nil {
		return Looked{}, err
	}
	out.More = more
	out.Looks, err = s.tell(ctx, events)
	return out, err
}

func (s *Looks) events(ctx context.Context, id media.PatientID, from, to time.Time) (all []audit.Event, more bool, err error) {
	f := meta.EventFilter{Patient: id, From: from, To: to, Limit: seenPage}
	for t := range told {
		f.Types = append(f.Types, t)
	}
	slices.Sort(f.Types) // one text for one query
	for {
		events, err := s.Store.Events(ctx, f)
		if err != nil {
			return nil, false, down(fmt.Errorf("look who has seen the patient: %w", err))
		}
		all = append(all, events...)
		if len(events) < seenPage {
			return all, false, nil
		}
		if len(all) >= lookMost {
			return all, true, nil
		}
		f.After = events[len(events)-1].Seq
	}
}

// tell turns events, newest first, into lines: repeated looks of one person at
// one picture on one day are one line.
func (s *Looks) tell(ctx context.Context, events []audit.Event) ([]Look, error) {
	staff, err := s.staff(ctx)
	if err != nil {
		return nil, err
	}
	pictures := map[string]Look{}
	lines := map[[4]string]int{}
	var out []Look
	for _, ev := range events {
		if ev.Actor == "" {
			continue // the server itself, which looks at nothing
		}
		l, ok := pictures[ev.Subject.Item]
		if !ok {
			if l, err = s.picture(ctx, media.ItemID(ev.Subject.Item)); err != nil {
				return nil, err
			}
			pictures[ev.Subject.Item] = l
		}
		what := told[ev.Type]
		if ev.Subject.Rendition == string(media.Thumbnail) {
			what = "saw in a list, small,"
		}
		key := [4]string{ev.At.In(zone).Format(time.DateOnly), string(ev.Actor), ev.Subject.Item, string(what)}
		if i, ok := lines[key]; ok {
			out[i].First = ev.At
			out[i].Times++
			continue
		}
		who, ok := staff[ev.Actor]
		if !ok {
			who = Look{Name: "somebody who has left"}
		}
		lines[key] = len(out)
		out = append(out, Look{First: ev.At, Last: ev.At, Times: 1, Name: who.Name, Role: who.Role, Teams: who.Teams, What: what, Picture: l.Picture, FiledAt: l.FiledAt})
	}
	return out, nil
}

// zone is where patients' days begin and end.
var zone = func() *time.Location {
	z, err := time.LoadLocation("Europe/London")
	if err != nil {
		return time.UTC
	}
	return z
}()

// picture says what an item is, in words that its patient understands.
func (s *Looks) picture(ctx context.Context, id media.ItemID) (Look, error) {
	if id == "" {
		return Look{}, nil
	}
	it, err := s.Store.Item(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return Look{Picture: "a picture that has been destroyed since"}, nil
	}
	if err != nil {
		return Look{}, down(fmt.Errorf("find an item: %w", err))
	}
	f := fields{ring: s.Ring, table: "items", row: string(id)}
	site := f.open("body_site", it.BodySite)
	if f.err != nil {
		return Look{}, f.err
	}
	kind := words.Text("a photo[: {site}]")
	if it.Format.Video() {
		kind = "a video[: {site}]"
	}
	return Look{Picture: words.Say(kind, strings.TrimSpace(site)), FiledAt: it.FiledAt}, nil
}

// staff gives everybody's name, role and teams.
func (s *Looks) staff(ctx context.Context) (map[access.PersonID]Look, error) {
	people, err := s.Store.People(ctx)
	if err != nil {
		return nil, down(fmt.Errorf("list the staff: %w", err))
	}
	out := map[access.PersonID]Look{}
	for _, p := range people {
		out[p.ID] = Look{Name: words.Data(p.Name), Role: p.Role}
	}
	teams, err := s.Store.Teams(ctx)
	if err != nil {
		return nil, down(fmt.Errorf("list the teams: %w", err))
	}
	for _, t := range teams {
		members, err := s.Store.Members(ctx, t.ID)
		if err != nil {
			return nil, down(fmt.Errorf("list a team: %w", err))
		}
		for _, m := range members {
			l := out[m]
			l.Teams = append(l.Teams, t.Name)
			out[m] = l
		}
	}
	return out, nil
}
