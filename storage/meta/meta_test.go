package meta_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// each runs a test on both databases.
func each(t *testing.T, test func(t *testing.T, w world)) {
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, open(t, driver)))
		})
	}
}

// open gives a database with the newest schema and nothing in it.
func open(t *testing.T, driver string) *meta.Store {
	t.Helper()
	cfg := meta.Config{Driver: driver, DSN: filepath.Join(t.TempDir(), "w?#%.db")}
	migrated := func(dsn string) {
		s := opened(t, meta.Config{Driver: driver, DSN: dsn})
		if err := errors.Join(s.Migrate(context.Background()), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if driver == "postgres" {
		cfg.DSN = servers.PostgresCopy(t, migrated)
	} else {
		servers.SQLiteCopy(t, cfg.DSN, migrated)
	}
	return opened(t, cfg)
}

func opened(t *testing.T, cfg meta.Config) *meta.Store {
	t.Helper()
	s, err := meta.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Servers that start at once over an empty database make its schema once.
func TestServersThatStartAtOnce(t *testing.T) {
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				cfg := meta.Config{Driver: driver, DSN: filepath.Join(t.TempDir(), "w.db")}
				if driver == "postgres" {
					cfg.DSN = servers.Postgres(t)
				}
				s := opened(t, cfg)
				var starts sync.WaitGroup
				for range 2 {
					starts.Go(func() {
						if err := s.Migrate(context.Background()); err != nil {
							t.Error(err)
						}
					})
					if driver == "sqlite" { // one server has it
						starts.Wait()
					}
				}
				starts.Wait()
				if v, err := s.SchemaVersion(t.Context()); err != nil || v < 1 {
					t.Fatalf("schema version %d, %v", v, err)
				}
			}
		})
	}
}

// world is a store with some people and a patient in it.
type world struct {
	*meta.Store
	t                *testing.T
	nurse, colleague meta.Person
	consultant       meta.Person
	team, other      meta.Team
	patient          media.Patient
	kek              media.SealedKey
}

func newWorld(t *testing.T, s *meta.Store) world {
	w := world{Store: s, t: t}
	person := func(name string, role access.Role) meta.Person {
		p := meta.Person{Person: access.Person{ID: access.NewPersonID(), Username: name, Name: "Example " + name, Role: role}, PasswordHash: "x"}
		w.must(s.AddPerson(t.Context(), p, ev(audit.PersonAdded)))
		return p
	}
	w.nurse, w.colleague, w.consultant = person("nurse", access.Clinician), person("colleague", access.Clinician), person("consultant", access.Consultant)
	w.team, w.other = meta.Team{ID: access.NewTeamID(), Name: "Tissue viability"}, meta.Team{ID: access.NewTeamID(), Name: "Burns"}
	w.must(s.AddTeam(t.Context(), w.team, ev(audit.TeamAdded)))
	w.must(s.AddTeam(t.Context(), w.other, ev(audit.TeamAdded)))
	for _, p := range []meta.Person{w.nurse, w.colleague} {
		w.must(s.Join(t.Context(), w.team.ID, p.ID, ev(audit.TeamJoined)))
	}
	w.patient = media.Patient{ID: media.NewPatientID(), NumberIndex: []byte("index"), Details: media.Sealed("sealed")}
	w.must(s.AddPatient(t.Context(), w.patient, ev(audit.PatientAdded)))
	w.kek = media.SealedKey{ID: uuid.NewString(), Purpose: "kek", Period: "2026-11", Sealed: []byte("s"), CreatedAt: time.Now()}
	w.must(s.AddSealedKey(t.Context(), w.kek, ev(audit.KeyMade)))
	return w
}

func (w world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w world) wants(err, want error, what string) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func ev(t audit.Type) audit.Event { return audit.NewEvent(t, access.Principal{}, audit.Subject{}) }

func (w world) filing() meta.Filing {
	id := media.NewItemID()
	return meta.Filing{
		Item: media.Item{
			ID: id, Patient: w.patient.ID, Team: w.team.ID, Uploader: w.nurse.ID, Format: media.JPEG, Consent: media.ConsentRecord,
			BodySite: media.Sealed("b"), CapturedAt: time.UnixMicro(1234567).UTC(), Bytes: 7, Fingerprint: []byte(id), Receipt: media.Sealed("r"), Manifest: media.Sealed("m"),
			CapturedWith: media.CapturedFrame, ConsentGivenBy: media.GivenByAttorney, ConsentCapacity: media.LacksCapacity, ConsentDetail: media.Sealed("d"),
		},
		Rendition: media.RenditionRow{Item: id, Rendition: media.Original, Format: media.JPEG, ObjectKey: "items/" + string(id), Bytes: 7, ObjectBytes: 9, Width: 3, Height: 4},
		Key:       media.WrappedKey{Item: id, Rendition: media.Original, KEK: w.kek.ID, Wrapped: []byte("w")},
		Job:       &meta.Job{ID: uuid.NewString(), Kind: "derive"},
		Event:     audit.NewEvent(audit.ItemFiled, access.Principal{}, audit.Subject{Item: string(id)}),
	}
}

func (w world) file(change func(*meta.Filing)) media.Item {
	w.t.Helper()
	f := w.filing()
	if change != nil {
		change(&f)
	}
	it, err := w.FileItem(w.t.Context(), f)
	w.must(err)
	return it
}

// session signs a person in and gives the principal.
func (w world) session(p meta.Person) access.Principal {
	w.t.Helper()
	hash := []byte(uuid.NewString())
	w.must(w.SignInSucceeded(w.t.Context(), p.ID, meta.Session{ID: access.NewSessionID(), Hash: hash, Person: p.ID, Kind: meta.KindSession, For: time.Hour}, ev(audit.SignedIn)))
	who, _, err := w.Principal(w.t.Context(), hash)
	w.must(err)
	return who
}

func TestEventsAreGaplessAndOrdered(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		before, err := w.Events(ctx, meta.EventFilter{Limit: 1})
		w.must(err)
		const n = 60
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				if i%3 == 0 { // these fail after they have changed something
					bad := ev(audit.TeamAdded)
					bad.Type = ""
					if err := w.AddTeam(ctx, meta.Team{ID: access.NewTeamID(), Name: fmt.Sprint("ghost ", i)}, bad); err == nil {
						t.Error("a change without a complete event was committed")
					}
					return
				}
				if err := w.AppendEvent(ctx, ev(audit.AuditRead)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		events, err := w.Events(ctx, meta.EventFilter{Type: audit.AuditRead, Limit: 1000})
		w.must(err)
		if len(events) != n-n/3 {
			t.Fatalf("%d events", len(events))
		}
		for i, e := range events {
			if want := before[0].Seq + int64(len(events)-i); e.Seq != want {
				t.Errorf("event %d has number %d, want %d", i, e.Seq, want)
			}
			if i > 0 && e.At.After(events[i-1].At) {
				t.Errorf("event %d is later than the one after it", e.Seq)
			}
		}
		teams, err := w.Teams(ctx)
		w.must(err)
		if len(teams) != 2 {
			t.Errorf("%d teams: a change outlived its event", len(teams))
		}
		same := ev(audit.AuditRead)
		w.must(w.AppendEvent(ctx, same))
		if err := w.AppendEvent(ctx, same); err == nil || errors.Is(err, meta.ErrExists) {
			t.Errorf("one event twice: %v", err)
		}
		page, err := w.Events(ctx, meta.EventFilter{After: events[3].Seq, Limit: 2})
		w.must(err)
		if len(page) != 2 || page[0].Seq != events[3].Seq-1 {
			t.Errorf("page %+v", page)
		}
	})
}

func TestEventFilters(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		who := access.Principal{Person: access.Person{ID: w.nurse.ID}}
		mine := audit.NewEvent(audit.PictureShown, who, audit.Subject{Item: "i", Patient: "p", Link: "l"})
		w.must(w.AppendEvent(ctx, mine))
		about := audit.NewEvent(audit.PersonUnlocked, access.Principal{}, audit.Subject{Person: string(w.nurse.ID)})
		w.must(w.AppendEvent(ctx, about))
		now, err := w.Now(ctx)
		w.must(err)
		for name, c := range map[string]struct {
			f    meta.EventFilter
			want []string
		}{
			"item":    {meta.EventFilter{Item: "i"}, []string{mine.ID}},
			"patient": {meta.EventFilter{Patient: "p"}, []string{mine.ID}},
			"link":    {meta.EventFilter{Link: "l"}, []string{mine.ID}},
			"person":  {meta.EventFilter{Person: w.nurse.ID}, []string{about.ID, mine.ID}},
			"type":    {meta.EventFilter{Type: audit.PictureShown}, []string{mine.ID}},
			"types":   {meta.EventFilter{Person: w.nurse.ID, Types: []audit.Type{audit.PictureShown, audit.SignedIn}}, []string{mine.ID}},
			"no type": {meta.EventFilter{Person: w.nurse.ID, Types: []audit.Type{}}, nil},
			"actor":   {meta.EventFilter{Actor: w.nurse.ID}, []string{mine.ID}},
			"past":    {meta.EventFilter{Item: "i", To: now.Add(-time.Hour)}, nil},
			"future":  {meta.EventFilter{Item: "i", From: now.Add(time.Hour)}, nil},
			"between": {meta.EventFilter{Item: "i", From: now.Add(-time.Hour), To: now.Add(time.Hour)}, []string{mine.ID}},
		} {
			c.f.Limit = 10
			got, err := w.Events(ctx, c.f)
			w.must(err)
			var ids []string
			for _, e := range got {
				ids = append(ids, e.ID)
			}
			if fmt.Sprint(ids) != fmt.Sprint(c.want) {
				t.Errorf("%s: %v, want %v", name, ids, c.want)
			}
		}

		// The bodies of the same, oldest first, a page at a time.
		all := meta.EventFilter{Person: w.nurse.ID, Limit: 1}
		first, last, err := w.EventBodies(ctx, all)
		w.must(err)
		all.Since = last
		second, end, err := w.EventBodies(ctx, all)
		w.must(err)
		all.Since = end
		third, _, err := w.EventBodies(ctx, all)
		w.must(err)
		if len(first) != 1 || len(second) != 1 || len(third) != 0 || end != last+1 {
			t.Fatalf("%s %s %s", first, second, third)
		}
		if a, err := audit.Parse(first[0]); err != nil || a.ID != mine.ID || a.Seq != last {
			t.Errorf("%+v %v", a, err)
		}
		if b, err := audit.Parse(second[0]); err != nil || b.ID != about.ID {
			t.Errorf("%+v %v", b, err)
		}
		all.Since, all.Until = 0, last-1
		if none, _, err := w.EventBodies(ctx, all); err != nil || len(none) != 0 {
			t.Errorf("up to before the first: %s %v", none, err)
		}
	})
}

func TestPeople(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		w.wants(w.AddPerson(ctx, meta.Person{Person: access.Person{ID: access.NewPersonID(), Username: "nurse", Role: access.Clinician}}, ev(audit.PersonAdded)), meta.ErrExists, "the same username")
		if p, err := w.PersonByUsername(ctx, "nurse"); err != nil || p.ID != w.nurse.ID || p.Role != access.Clinician || p.CreatedAt.IsZero() {
			t.Errorf("%+v, %v", p, err)
		}
		_, err := w.PersonByUsername(ctx, "nobody")
		w.wants(err, meta.ErrNotFound, "an unknown username")
		who := w.session(w.nurse)
		if len(who.Teams) != 1 || who.Teams[0] != w.team.ID || who.Person.ID != w.nurse.ID {
			t.Errorf("%+v", who)
		}
		w.wants(w.Join(ctx, w.team.ID, w.nurse.ID, ev(audit.TeamJoined)), meta.ErrExists, "joining twice")
		w.wants(w.Join(ctx, "none", w.nurse.ID, ev(audit.TeamJoined)), meta.ErrNotFound, "joining nothing")
		w.must(w.Leave(ctx, w.team.ID, w.nurse.ID, ev(audit.TeamLeft)))
		w.wants(w.Leave(ctx, w.team.ID, w.nurse.ID, ev(audit.TeamLeft)), meta.ErrNotFound, "leaving twice")
		if m, err := w.Members(ctx, w.team.ID); err != nil || len(m) != 1 {
			t.Errorf("%v, %v", m, err)
		}
		people, err := w.People(ctx)
		if err != nil || len(people) != 3 || people[0].Username != "colleague" {
			t.Errorf("%v, %v", people, err)
		}
	})
}

// Whatever shuts a person out does so from their next request on.
func TestSessionsEnd(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		session := func(p meta.Person, liveFor, idle time.Duration) ([]byte, access.SessionID) {
			s := meta.Session{ID: access.NewSessionID(), Hash: []byte(uuid.NewString()), Person: p.ID, Kind: meta.KindSession, For: liveFor, IdleFor: idle}
			w.must(w.SignInSucceeded(ctx, p.ID, s, ev(audit.SignedIn)))
			return s.Hash, s.ID
		}
		gone := func(hash []byte, what string) {
			t.Helper()
			_, _, err := w.Principal(ctx, hash)
			w.wants(err, meta.ErrNotFound, what)
		}
		short, _ := session(w.nurse, time.Millisecond, 0)
		idle, idleID := session(w.nurse, time.Hour, 2*time.Millisecond)
		ended, id := session(w.nurse, time.Hour, time.Hour)
		stays, _ := session(w.nurse, time.Hour, time.Hour)
		time.Sleep(10 * time.Millisecond)
		gone(short, "an expired session")
		w.must(w.Touch(ctx, idleID))
		gone(idle, "an idle session")
		w.must(w.EndSession(ctx, id, ev(audit.SignedOut)))
		w.wants(w.EndSession(ctx, id, ev(audit.SignedOut)), meta.ErrNotFound, "ending twice")
		gone(ended, "an ended session")
		if live, err := w.SessionsOf(ctx, w.nurse.ID); err != nil || len(live) != 1 || live[0].IdleFor != time.Hour {
			t.Errorf("%+v, %v", live, err)
		}
		w.must(w.ChangePerson(ctx, w.nurse.ID, "New name", access.Clinician, ev(audit.PersonChanged)))
		if who, _, err := w.Principal(ctx, stays); err != nil || who.Person.Name != "New name" {
			t.Errorf("after a new name: %v, %v", who, err)
		}
		w.must(w.ChangePerson(ctx, w.nurse.ID, "New name", access.Auditor, ev(audit.PersonChanged)))
		gone(stays, "after a new role")

		a, _ := session(w.consultant, time.Hour, 0)
		w.must(w.SetPassword(ctx, w.consultant.ID, "y", ev(audit.PasswordChanged)))
		gone(a, "after a new password")
		token := []byte("token")
		w.must(w.AddToken(ctx, meta.Session{ID: access.NewSessionID(), Hash: token, Person: w.consultant.ID, Kind: meta.KindToken, Name: "n", For: time.Hour}, ev(audit.TokenMinted)))
		w.must(w.SetSuspended(ctx, w.consultant.ID, true, ev(audit.PersonSuspended)))
		gone(token, "a suspended person's token")
		w.wants(w.SignInSucceeded(ctx, w.consultant.ID, meta.Session{ID: access.NewSessionID(), Hash: []byte("z"), Person: w.consultant.ID, Kind: meta.KindSession, For: time.Hour}, ev(audit.SignedIn)), meta.ErrNotFound, "a suspended person signing in")
		w.must(w.SetSuspended(ctx, w.consultant.ID, false, ev(audit.PersonRestored)))
		gone(token, "a token after the suspension")
	})
}

func TestSignInFailuresCountExactly(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		var wg sync.WaitGroup
		var locks atomic.Int64
		for range 10 {
			wg.Go(func() {
				_, until, err := w.SignInFailed(ctx, w.nurse.ID, 10, time.Millisecond, ev(audit.SignInFailed), ev(audit.SignInLocked))
				if err != nil {
					t.Error(err)
				}
				if !until.IsZero() {
					locks.Add(1)
				}
			})
		}
		wg.Wait()
		p, err := w.Person(ctx, w.nurse.ID)
		w.must(err)
		if locks.Load() != 1 || p.FailedSignIns != 10 || p.LockedUntil.IsZero() {
			t.Errorf("%d locks, %+v", locks.Load(), p)
		}
		time.Sleep(10 * time.Millisecond)
		n, until, err := w.SignInFailed(ctx, w.nurse.ID, 10, time.Hour, ev(audit.SignInFailed), ev(audit.SignInLocked))
		if n != 1 || !until.IsZero() || err != nil {
			t.Errorf("after the lock: %d, %v, %v", n, until, err)
		}
		w.must(w.Unlock(ctx, w.nurse.ID, ev(audit.PersonUnlocked)))
		if p, err := w.Person(ctx, w.nurse.ID); err != nil || p.FailedSignIns != 0 {
			t.Errorf("%+v, %v", p, err)
		}
		_, _, err = w.SignInFailed(ctx, "none", 10, time.Hour, ev(audit.SignInFailed), ev(audit.SignInLocked))
		w.wants(err, meta.ErrNotFound, "nobody failing")
	})
}

func TestFileItem(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		idem := meta.Idempotency{Person: w.nurse.ID, Key: "k", RequestHash: []byte("h")}
		f := w.filing()
		f.Idempotency, f.Sole = idem, true
		it, err := w.FileItem(ctx, f)
		w.must(err)
		got, err := w.Item(ctx, it.ID)
		w.must(err)
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", it) || got.FiledAt.IsZero() || !got.CapturedAt.Equal(f.Item.CapturedAt) || got.Case != "" {
			t.Errorf("got %+v\nwant %+v", got, it)
		}
		row, key, err := w.Rendition(ctx, it.ID, media.Original)
		if err != nil || row != f.Rendition || string(key.Wrapped) != "w" || key.KEK != w.kek.ID {
			t.Errorf("%+v %+v %v", row, key, err)
		}
		id, hash, err := w.FiledBefore(ctx, idem)
		if id != it.ID || string(hash) != "h" || err != nil {
			t.Errorf("%v %v %v", id, hash, err)
		}
		_, _, err = w.FiledBefore(ctx, meta.Idempotency{Person: w.colleague.ID, Key: "k"})
		w.wants(err, meta.ErrNotFound, "another person's key")
		if same, err := w.ItemByFingerprint(ctx, it.Patient, it.Fingerprint); err != nil || same.ID != it.ID {
			t.Errorf("%v %v", same, err)
		}
		again := w.filing()
		again.Idempotency = idem
		_, err = w.FileItem(ctx, again)
		w.wants(err, meta.ErrExists, "the same idempotency key")
		_, err = w.Item(ctx, again.Item.ID)
		w.wants(err, meta.ErrNotFound, "the item of a refused filing")
		again = w.filing()
		again.Item.Fingerprint, again.Sole = it.Fingerprint, true
		_, err = w.FileItem(ctx, again)
		w.wants(err, meta.ErrExists, "the same fingerprint")
		again.Sole = false
		_, err = w.FileItem(ctx, again)
		w.must(err)
		if ok, err := w.ObjectKeyExists(ctx, f.Rendition.ObjectKey); !ok || err != nil {
			t.Error("the object key is not known")
		}
		if ok, err := w.ObjectKeyExists(ctx, "items/none"); ok || err != nil {
			t.Error("an unknown object key is known")
		}
		thumb := media.RenditionRow{Item: it.ID, Rendition: media.Thumbnail, Format: media.JPEG, ObjectKey: "t", Bytes: 1, ObjectBytes: 2}
		k := media.WrappedKey{Item: it.ID, Rendition: media.Thumbnail, KEK: w.kek.ID, Wrapped: []byte("x")}
		w.must(w.AddRendition(ctx, thumb, k, ev(audit.RenditionDerived)))
		w.wants(w.AddRendition(ctx, thumb, k, ev(audit.RenditionDerived)), meta.ErrExists, "a second thumbnail")
		if all, err := w.Renditions(ctx, it.ID); err != nil || len(all) != 2 {
			t.Errorf("%v %v", all, err)
		}
	})
}

func TestItemsShowWhatMayBeSeen(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		c := media.Case{ID: media.NewCaseID(), Patient: w.patient.ID, Team: w.team.ID, Title: media.Sealed("c"), CreatedBy: w.nurse.ID}
		w.must(w.AddCase(ctx, c, ev(audit.CaseOpened)))
		if got, err := w.CasesOf(ctx, w.patient.ID); err != nil || len(got) != 1 || got[0].ID != c.ID {
			t.Errorf("%v %v", got, err)
		}
		mine := w.file(func(f *meta.Filing) { f.Item.Case = c.ID })
		elsewhere := w.file(func(f *meta.Filing) { f.Item.Team, f.Item.Uploader = w.other.ID, w.consultant.ID })
		l, err := w.AddLink(ctx, link.Link{ID: link.NewID(), SecretHash: []byte("1"), Item: elsewhere.ID, CreatedBy: w.consultant.ID,
			Audience: link.Audience{Kind: link.ToRole, ID: string(access.RecordsOfficer)}, Uses: 1, UsesLeft: 1}, time.Hour, ev(audit.LinkMade))
		w.must(err)
		seen := func(v meta.Visibility, f meta.ItemFilter) string {
			t.Helper()
			f.Visible, f.Limit = v, 10
			items, err := w.Items(ctx, f)
			w.must(err)
			var out string
			for _, it := range items {
				switch it.ID {
				case mine.ID:
					out += "mine "
				case elsewhere.ID:
					out += "elsewhere "
				}
			}
			return out
		}
		for name, c := range map[string]struct {
			v    meta.Visibility
			f    meta.ItemFilter
			want string
		}{
			"nobody":        {meta.Visibility{}, meta.ItemFilter{}, ""},
			"all":           {meta.Visibility{All: true}, meta.ItemFilter{}, "elsewhere mine "},
			"uploader":      {meta.Visibility{Person: w.nurse.ID}, meta.ItemFilter{}, "mine "},
			"team":          {meta.Visibility{Person: w.colleague.ID, Teams: []access.TeamID{w.team.ID}}, meta.ItemFilter{}, "mine "},
			"link to role":  {meta.Visibility{Person: w.colleague.ID, Role: access.RecordsOfficer}, meta.ItemFilter{}, "elsewhere "},
			"other role":    {meta.Visibility{Person: w.colleague.ID, Role: access.Clinician}, meta.ItemFilter{}, ""},
			"by patient":    {meta.Visibility{All: true}, meta.ItemFilter{Patient: w.patient.ID}, "elsewhere mine "},
			"other patient": {meta.Visibility{All: true}, meta.ItemFilter{Patient: "none"}, ""},
			"by case":       {meta.Visibility{All: true}, meta.ItemFilter{Case: c.ID}, "mine "},
			"by team":       {meta.Visibility{All: true}, meta.ItemFilter{Team: w.other.ID}, "elsewhere "},
			"by uploader":   {meta.Visibility{All: true}, meta.ItemFilter{Uploader: w.nurse.ID}, "mine "},
			"after":         {meta.Visibility{All: true}, meta.ItemFilter{After: elsewhere.ID}, "mine "},
		} {
			if got := seen(c.v, c.f); got != c.want {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		w.must(w.RevokeLink(ctx, l.ID, ev(audit.LinkRevoked)))
		if got := seen(meta.Visibility{Person: w.colleague.ID, Role: access.RecordsOfficer}, meta.ItemFilter{}); got != "" {
			t.Errorf("after revocation: %q", got)
		}
	})
}

func (w world) link(change func(*link.Link), liveFor time.Duration) link.Link {
	w.t.Helper()
	l := link.Link{ID: link.NewID(), SecretHash: []byte(uuid.NewString()), Item: w.file(nil).ID, CreatedBy: w.nurse.ID,
		Audience: link.Audience{Kind: link.ToPerson, ID: string(w.consultant.ID)}, Purpose: media.Sealed("p"), Uses: 1, UsesLeft: 1}
	if change != nil {
		change(&l)
	}
	l, err := w.AddLink(w.t.Context(), l, liveFor, ev(audit.LinkMade))
	w.must(err)
	return l
}

func TestSingleUseLinkIsRedeemedOnce(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		l, who := w.link(nil, time.Hour), w.session(w.consultant)
		var won, spent atomic.Int64
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				g := link.Grant{ID: link.NewGrantID(), Link: l.ID, Item: l.Item, Person: who.Person.ID, Session: who.Session}
				switch _, err := w.Redeem(ctx, l.ID, g, time.Minute, ev(audit.LinkOpened)); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, meta.ErrSpent):
					spent.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || spent.Load() != 199 {
			t.Errorf("%d opened it, %d found it used up", won.Load(), spent.Load())
		}
		opened, err := w.Events(ctx, meta.EventFilter{Type: audit.LinkOpened, Limit: 10})
		if err != nil || len(opened) != 1 {
			t.Errorf("%d events, %v", len(opened), err)
		}
	})
}

func TestLinksAndGrants(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx, who := t.Context(), w.session(w.consultant)
		redeem := func(l link.Link, d time.Duration) (link.Grant, error) {
			return w.Redeem(ctx, l.ID, link.Grant{ID: link.NewGrantID(), Link: l.ID, Item: l.Item, Person: who.Person.ID, Session: who.Session}, d, ev(audit.LinkOpened))
		}
		l := w.link(nil, time.Hour)
		if got, err := w.LinkBySecret(ctx, l.SecretHash); err != nil || got.ID != l.ID || got.Audience != l.Audience || got.ExpiresAt.Sub(got.CreatedAt).Round(time.Second) != time.Hour {
			t.Errorf("%+v %v", got, err)
		}
		g, err := redeem(l, 24*time.Hour)
		w.must(err)
		if !g.ExpiresAt.Equal(l.ExpiresAt) {
			t.Errorf("the grant ends %v, the link %v", g.ExpiresAt, l.ExpiresAt)
		}
		again, of, err := w.Grant(ctx, g.ID)
		if err != nil || again != g || of.ID != l.ID || of.UsesLeft != 0 {
			t.Errorf("a used-up link's grant: %+v %+v %v", again, of, err)
		}
		w.must(w.RevokeLink(ctx, l.ID, ev(audit.LinkRevoked)))
		w.must(w.RevokeLink(ctx, l.ID, ev(audit.LinkRevoked))) // twice is once
		w.wants(w.RevokeLink(ctx, "none", ev(audit.LinkRevoked)), meta.ErrNotFound, "revoking nothing")
		again, _, err = w.Grant(ctx, g.ID)
		w.wants(err, meta.ErrRevoked, "the grant of a revoked link")
		if again.Session != who.Session {
			t.Error("a revoked grant does not say whose it is")
		}
		_, err = redeem(l, time.Hour)
		w.wants(err, meta.ErrRevoked, "opening a revoked link")

		short := w.link(nil, time.Millisecond)
		time.Sleep(5 * time.Millisecond)
		_, err = redeem(short, time.Hour)
		w.wants(err, meta.ErrExpired, "opening an expired link")
		brief, err := redeem(w.link(nil, time.Hour), time.Millisecond)
		w.must(err)
		time.Sleep(5 * time.Millisecond)
		_, _, err = w.Grant(ctx, brief.ID)
		w.wants(err, meta.ErrExpired, "an expired grant")
		_, _, err = w.Grant(ctx, "none")
		w.wants(err, meta.ErrNotFound, "no grant")

		for name, c := range map[string]struct {
			a    link.Audience
			want bool
		}{
			"person":       {link.Audience{Kind: link.ToPerson, ID: string(w.consultant.ID)}, true},
			"role":         {link.Audience{Kind: link.ToRole, ID: string(access.Consultant)}, true},
			"other person": {link.Audience{Kind: link.ToPerson, ID: string(w.nurse.ID)}, false},
			"team":         {link.Audience{Kind: link.ToTeam, ID: string(w.team.ID)}, false},
		} {
			l := w.link(func(l *link.Link) { l.Audience = c.a }, time.Hour)
			if got, err := w.LinksTo(ctx, l.Item, who); got != c.want || err != nil {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		live, err := w.LinksMadeBy(ctx, w.nurse.ID)
		w.must(err)
		if len(live) != 5 {
			t.Errorf("%d live links", len(live))
		}
		n, err := w.RevokeLinksTo(ctx, w.colleague.ID, w.consultant.ID, ev(audit.LinkRevoked))
		if n != 0 || err != nil {
			t.Errorf("somebody else's links: %d, %v", n, err)
		}
		n, err = w.RevokeLinksTo(ctx, w.nurse.ID, w.consultant.ID, ev(audit.LinkRevoked))
		if n != 2 || err != nil {
			t.Errorf("%d revoked, %v", n, err)
		}
		w.must(w.SetSuspended(ctx, w.nurse.ID, true, ev(audit.PersonSuspended)))
		if live, err := w.LinksMadeBy(ctx, w.nurse.ID); err != nil || len(live) != 0 {
			t.Errorf("a suspended person's links: %d, %v", len(live), err)
		}
	})
}

func TestRecordViewing(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx, who := t.Context(), w.session(w.nurse)
		v := meta.Viewing{Session: who.Session, Item: "i", Rendition: media.Original}
		var wg sync.WaitGroup
		var n atomic.Int64
		for range 20 {
			wg.Go(func() {
				ok, err := w.RecordViewing(ctx, v, time.Hour, ev(audit.PictureShown))
				if err != nil {
					t.Error(err)
				}
				if ok {
					n.Add(1)
				}
			})
		}
		wg.Wait()
		v.Rendition = media.Preview
		other, err := w.RecordViewing(ctx, v, time.Hour, ev(audit.PictureShown))
		w.must(err)
		time.Sleep(2 * time.Millisecond)
		later, err := w.RecordViewing(ctx, v, time.Millisecond, ev(audit.PictureShown))
		w.must(err)
		events, err := w.Events(ctx, meta.EventFilter{Type: audit.PictureShown, Limit: 50})
		if n.Load() != 1 || !other || !later || len(events) != 3 || err != nil {
			t.Errorf("%d, %v, %v, %d events, %v", n.Load(), other, later, len(events), err)
		}
	})
}

func TestJobs(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		it := w.file(nil)
		_, err := w.LeaseJob(ctx, "a", []string{"other"}, time.Hour)
		w.wants(err, meta.ErrNotFound, "another kind")
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if _, err := w.LeaseJob(ctx, fmt.Sprint("w", i), []string{"derive"}, time.Millisecond); err == nil {
					won.Add(1)
				} else if !errors.Is(err, meta.ErrNotFound) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		time.Sleep(5 * time.Millisecond)
		j, err := w.LeaseJob(ctx, "b", []string{"derive"}, time.Hour) // the first worker died
		w.must(err)
		if won.Load() < 1 || j.Item != it.ID || j.Attempts < 2 {
			t.Errorf("%d, %+v", won.Load(), j)
		}
		w.wants(w.FinishJob(ctx, j.ID, "w0"), meta.ErrNotFound, "finishing with a lost lease")
		w.must(w.ExtendJob(ctx, j.ID, "b", time.Hour))
		w.must(w.RetryJob(ctx, j.ID, "b", "code", 0, 100, 1))
		j, err = w.LeaseJob(ctx, "c", []string{"derive"}, time.Hour)
		if err != nil || j.LastError != "code" {
			t.Errorf("%+v %v", j, err)
		}
		w.must(w.RetryJob(ctx, j.ID, "c", "worse", 0, 1, 1))
		_, err = w.LeaseJob(ctx, "d", []string{"derive"}, time.Hour)
		w.wants(err, meta.ErrNotFound, "a dead job")
		w.file(nil)
		j, err = w.LeaseJob(ctx, "d", []string{"derive"}, time.Hour)
		w.must(err)
		w.must(w.FinishJob(ctx, j.ID, "d"))
		counts, err := w.JobCounts(ctx)
		if err != nil || counts[meta.JobDone] != 1 || counts[meta.JobDead] != 1 || counts[meta.JobReady] != 0 {
			t.Errorf("%v %v", counts, err)
		}
		if jobs, err := w.JobsOf(ctx, it.ID); err != nil || len(jobs) != 1 || jobs[0].State != meta.JobDead {
			t.Errorf("%v %v", jobs, err)
		}
	})
}

// What one version of the code gave up, a newer one gets again: once, and only
// with an error that a newer one may mend.
func TestJobsGivenUpAreTriedByANewerVersion(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		kinds, errs := []string{"derive"}, []string{"code", "other"}
		for _, code := range []string{"code", "hopeless"} {
			w.file(nil)
			j, err := w.LeaseJob(ctx, "a", kinds, time.Hour)
			w.must(err)
			w.must(w.SetProgress(ctx, j.ID, 500))
			w.must(w.RetryJob(ctx, j.ID, "a", code, 0, 0, 1))
		}
		_, err := w.LeaseAgain(ctx, "a", kinds, errs, 1, time.Hour)
		w.wants(err, meta.ErrNotFound, "the same version again")
		_, err = w.LeaseAgain(ctx, "a", []string{"other"}, errs, 2, time.Hour)
		w.wants(err, meta.ErrNotFound, "another kind")
		j, err := w.LeaseAgain(ctx, "b", kinds, errs, 2, time.Millisecond)
		if err != nil || j.LastError != "code" || j.State != meta.JobReady || j.Attempts != 1 || j.Progress != 0 {
			t.Fatalf("%+v %v", j, err)
		}
		_, err = w.LeaseAgain(ctx, "c", kinds, errs, 2, time.Hour)
		w.wants(err, meta.ErrNotFound, "what somebody has, or what is hopeless")
		time.Sleep(5 * time.Millisecond) // its worker died: it is a job like others
		j, err = w.LeaseJob(ctx, "d", kinds, time.Hour)
		if err != nil || j.Attempts != 2 {
			t.Fatalf("%+v %v", j, err)
		}
		w.must(w.RetryJob(ctx, j.ID, "d", "code", 0, 0, 2))
		_, err = w.LeaseAgain(ctx, "e", kinds, errs, 2, time.Hour)
		w.wants(err, meta.ErrNotFound, "a second time by one version")
		_, err = w.LeaseAgain(ctx, "e", kinds, errs, 3, time.Hour)
		w.must(err)
	})
}

func TestProgressAndQuality(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		it := w.file(nil)
		more := meta.Job{ID: uuid.NewString(), Kind: "playable", Item: it.ID}
		w.must(w.AddJob(ctx, more))
		w.wants(w.AddJob(ctx, more), meta.ErrExists, "the same job again")
		w.must(w.SetProgress(ctx, more.ID, 4200))
		w.wants(w.SetProgress(ctx, uuid.NewString(), 1), meta.ErrNotFound, "progress of no job")
		jobs, err := w.JobsOf(ctx, it.ID)
		if err != nil || len(jobs) != 2 || jobs[1].Kind != "playable" || jobs[1].Progress != 1000 || jobs[0].Progress != 0 {
			t.Errorf("%+v %v", jobs, err)
		}
		if it, err := w.Item(ctx, it.ID); err != nil || it.Quality != nil {
			t.Errorf("%+v %v", it.Quality, err)
		}
		q := media.Quality{Width: 3, Height: 4, Sharpness: 1.5, Shadows: 0.25, Flags: []media.Flag{media.Dark}}
		w.must(w.SetQuality(ctx, it.ID, q, ev(audit.QualityMeasured)))
		w.wants(w.SetQuality(ctx, media.NewItemID(), q, ev(audit.QualityMeasured)), meta.ErrNotFound, "quality of no item")
		got, err := w.Item(ctx, it.ID)
		if err != nil || got.Quality == nil || !reflect.DeepEqual(*got.Quality, q) {
			t.Errorf("%+v %v", got.Quality, err)
		}
		if events, err := w.Events(ctx, meta.EventFilter{Type: audit.QualityMeasured, Limit: 5}); err != nil || len(events) != 1 {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}

func TestKeysAndPatients(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		twin := w.kek
		twin.ID = uuid.NewString()
		w.wants(w.AddSealedKey(ctx, twin, ev(audit.KeyMade)), meta.ErrExists, "a second key of the month")
		if k, err := w.SealedKeys(ctx); err != nil || len(k) != 1 || k[0].ID != w.kek.ID {
			t.Errorf("%v %v", k, err)
		}
		p := media.Patient{ID: media.NewPatientID(), NumberIndex: []byte("index")}
		w.wants(w.AddPatient(ctx, p, ev(audit.PatientAdded)), meta.ErrExists, "the same number")
		if got, err := w.PatientByIndex(ctx, []byte("index")); err != nil || got.ID != w.patient.ID || string(got.Details) != "sealed" {
			t.Errorf("%v %v", got, err)
		}
		_, err := w.Patient(ctx, "none")
		w.wants(err, meta.ErrNotFound, "no patient")
	})
}

func TestUnavailable(t *testing.T) {
	s, err := meta.Open(meta.Config{Driver: "postgres", DSN: fmt.Sprintf("postgres://u:p@127.0.0.1:%d/d?sslmode=disable&connect_timeout=2", servers.FreePort(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ping(t.Context()); !errors.Is(err, meta.ErrUnavailable) {
		t.Errorf("no server: %v", err)
	}
	if err := s.AppendEvent(t.Context(), ev(audit.AuditRead)); !errors.Is(err, meta.ErrUnavailable) {
		t.Errorf("no server: %v", err)
	}
	if _, err := meta.Open(meta.Config{Driver: "oracle"}); err == nil {
		t.Error("an unknown driver was opened")
	}
	if _, err := meta.Open(meta.Config{Driver: "sqlite", DSN: filepath.Join(t.TempDir(), "none", "x.db")}); err == nil {
		t.Error("a database in no folder was opened")
	}
}
