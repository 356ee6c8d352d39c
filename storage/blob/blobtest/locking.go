package blobtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wardseal/wardseal/storage/blob"
)

// Locking checks a store whose objects can be locked: by a time and by a legal
// hold. A locked object is neither deleted nor touched; when the lock has ended
// it goes with every version.
func Locking(t *testing.T, s blob.Locker) {
	if err := s.CanLock(t.Context()); err != nil {
		t.Fatal(err)
	}
	retain := func(key blob.Key, until time.Time) {
		t.Helper()
		if err := s.Retain(t.Context(), key, until); err != nil {
			t.Fatal(err)
		}
	}
	hold := func(key blob.Key, on bool) {
		t.Helper()
		if err := s.LegalHold(t.Context(), key, on); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(key blob.Key, content []byte) {
		t.Helper()
		if err := s.Delete(t.Context(), key); !errors.Is(err, blob.ErrLocked) {
			t.Errorf("delete %s: %v", key, err)
		}
		if got, err := read(t, s, key, 0, -1); err != nil || string(got) != string(content) {
			t.Errorf("%s was touched: %d bytes, %v", key, len(got), err)
		}
	}
	gone := func(key blob.Key) {
		t.Helper()
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s when the lock has ended: %v", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s is still there: %v", key, err)
		}
		if v, ok := s.(interface {
			Versions(context.Context, blob.Key) ([]blob.Info, error)
		}); ok {
			if left, err := v.Versions(t.Context(), key); err != nil || len(left) != 0 {
				t.Errorf("%s: %d versions are left, %v", key, len(left), err)
			}
		}
	}
	retained, held := noise(100), noise(200)
	create(t, s, "locked/retained", retained)
	create(t, s, "locked/held", held)
	until := time.Now().Add(6 * time.Second).Truncate(time.Second)
	retain("locked/retained", until)
	retain("locked/retained", until.Add(-3*time.Second)) // shortens nothing
	hold("locked/held", true)
	if info, err := s.Stat(t.Context(), "locked/retained"); err != nil || !info.LockedUntil.Equal(until) || info.LegalHold {
		t.Errorf("retained: %+v, want until %v; %v", info, until, err)
	}
	if info, err := s.Stat(t.Context(), "locked/held"); err != nil || !info.LegalHold {
		t.Errorf("held: %+v, %v", info, err)
	}
	refused("locked/retained", retained)
	refused("locked/held", held)
	hold("locked/held", false)
	gone("locked/held")
	time.Sleep(time.Until(until.Add(1500 * time.Millisecond))) // the server's clock decides
	gone("locked/retained")
}
