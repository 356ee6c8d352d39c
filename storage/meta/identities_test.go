package meta_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// A sign-in on its way is given once, to the browser that went, in time.
func TestDepartures(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		depart := func(name string, waits time.Duration) {
			w.must(w.Depart(ctx, meta.Departure{ID: name, State: []byte(name), Browser: []byte("browser"), Provider: "trust", Data: media.Sealed("data")}, waits))
		}
		depart("a", time.Minute)
		for _, wrong := range []meta.Departure{
			{State: []byte("b"), Browser: []byte("browser"), Provider: "trust"}, {State: []byte("a"), Browser: []byte("other"), Provider: "trust"}, {State: []byte("a"), Browser: []byte("browser"), Provider: "cis2"},
		} {
			_, err := w.Return(ctx, wrong.Provider, wrong.State, wrong.Browser)
			w.wants(err, meta.ErrNotFound, "what is wrong")
		}
		var given atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if d, err := w.Return(ctx, "trust", []byte("a"), []byte("browser")); err == nil && string(d.Data) == "data" && !d.StartedAt.IsZero() {
					given.Add(1)
				}
			})
		}
		all.Wait()
		if given.Load() != 1 {
			t.Errorf("given %d times", given.Load())
		}
		depart("late", 0)
		_, err := w.Return(ctx, "trust", []byte("late"), []byte("browser"))
		w.wants(err, meta.ErrNotFound, "what is late")
	})
}

// A logout token ends what it names, at its issuer alone, and once.
func TestLoggedOut(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx, n := t.Context(), 0
		session := func(issuer, subject, sid string, kind meta.SessionKind) []byte {
			n++
			hash := []byte{byte(n)}
			s := meta.Session{ID: access.NewSessionID(), Hash: hash, Person: w.nurse.ID, Kind: kind, For: time.Hour, From: meta.Identity{Issuer: issuer, Subject: subject}, SID: sid}
			w.must(w.SignInSucceeded(ctx, w.nurse.ID, s, audit.NewEvent(audit.SignedIn, access.Principal{}, audit.Subject{})))
			return hash
		}
		here, other := session("", "", "", meta.KindSession), session("other", "sub", "1", meta.KindSession)
		one, two, them := session("trust", "sub", "1", meta.KindSession), session("trust", "sub", "2", meta.KindSession), session("trust", "else", "3", meta.KindSession)
		token := session("trust", "sub", "1", meta.KindToken)
		live := func(want string, hashes ...[]byte) {
			t.Helper()
			got := ""
			for _, h := range hashes {
				if _, _, err := w.Principal(ctx, h); err == nil {
					got += "+"
				} else {
					got += "-"
				}
			}
			if got != want {
				t.Errorf("live: %s, want %s", got, want)
			}
		}
		out := func(subject, sid, jti string) (int, error) {
			return w.LoggedOut(ctx, meta.Identity{Issuer: "trust", Subject: subject}, sid, []byte(jti), time.Minute, func(p access.PersonID, id access.SessionID) audit.Event {
				return audit.NewEvent(audit.SessionEnded, access.Principal{}, audit.Subject{Person: string(p), Token: string(id)})
			})
		}
		if n, err := out("else", "1", "j1"); n != 0 || err != nil {
			t.Errorf("a session of somebody else: %d %v", n, err)
		}
		if n, err := out("sub", "1", "j2"); n != 1 || err != nil {
			t.Errorf("one session: %d %v", n, err)
		}
		live("++-+++", here, other, one, two, them, token)
		again := session("trust", "sub", "1", meta.KindSession)
		_, err := out("sub", "1", "j2")
		w.wants(err, meta.ErrExists, "the same token twice")
		if n, err := out("sub", "", "j3"); n != 2 || err != nil {
			t.Errorf("all of theirs: %d %v", n, err)
		}
		live("++---++", here, other, one, two, again, them, token)
	})
}
