package meta_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/invitation"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
)

// due files some items whose time has come.
func (w world) due(n int) (ids []media.ItemID) {
	w.t.Helper()
	for range n {
		it, err := w.FileItem(w.t.Context(), w.filing())
		w.must(err)
		ids = append(ids, it.ID)
	}
	w.date()
	return ids
}

// date gives every item of the patient a date that has passed.
func (w world) date() {
	w.t.Helper()
	r, err := w.Record(w.t.Context(), w.patient.ID)
	w.must(err)
	for i := range r.Items {
		r.Items[i].DueOn, r.Items[i].DueRule = time.Now().Add(-time.Hour), retention.Adult
	}
	ok, err := w.SetDates(w.t.Context(), []meta.Dates{{Patient: w.patient.ID, Stale: r.Stale, Items: r.Items}}, ev(audit.RecordsDated))
	if err != nil || !ok {
		w.t.Fatalf("date: %v %v", ok, err)
	}
}

// running is a batch that is being destroyed.
func (w world) running(items ...media.ItemID) retention.Batch {
	w.t.Helper()
	b := retention.Batch{ID: retention.NewBatchID(), Ground: retention.PeriodEnded, State: retention.Approved}
	w.must(w.AddBatch(w.t.Context(), b, items, 0, ev(audit.DisposalApproved)))
	w.must(w.StartBatch(w.t.Context(), b.ID, ev(audit.DisposalStarted)))
	return b
}

func (w world) destroy(b retention.Batch, id media.ItemID) string {
	w.t.Helper()
	why, err := w.DestroyKeys(w.t.Context(), b, id, []byte("{}"), ev(audit.KeyDestroyed), ev(audit.DisposalSpared))
	w.must(err)
	return why
}

// A record that changes between being read and being dated keeps its mark.
func TestDatesAreNotOvertaken(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		w.due(1)
		if stale, err := w.StalePatients(t.Context(), 10); err != nil || len(stale) != 0 {
			t.Fatalf("after being dated: %v %v", stale, err)
		}
		r, err := w.Record(t.Context(), w.patient.ID)
		w.must(err)
		if _, err := w.FileItem(t.Context(), w.filing()); err != nil {
			t.Fatal(err)
		}
		ok, err := w.SetDates(t.Context(), []meta.Dates{{Patient: w.patient.ID, Stale: r.Stale, Items: r.Items}}, ev(audit.RecordsDated))
		if err != nil || ok {
			t.Errorf("old dates were kept: %v %v", ok, err)
		}
		if stale, err := w.StalePatients(t.Context(), 10); err != nil || len(stale) != 1 {
			t.Errorf("the mark is gone: %v %v", stale, err)
		}
	})
}

// Of many who decide a proposal at once one does, never who proposed it; of
// many servers one claims it.
func TestBatchIsDecidedOnce(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		items := w.due(2)
		b := retention.Batch{ID: retention.NewBatchID(), Ground: retention.PeriodEnded, State: retention.Proposed, ProposedBy: w.nurse.ID}
		w.must(w.AddBatch(t.Context(), b, items, 0, ev(audit.DisposalProposed)))
		second := retention.Batch{ID: retention.NewBatchID(), Ground: retention.Erasure, State: retention.Proposed, ProposedBy: w.nurse.ID}
		w.wants(w.AddBatch(t.Context(), second, items[:1], 0, ev(audit.DisposalProposed)), meta.ErrNotEligible, "an item in two batches")
		w.wants(w.DecideBatch(t.Context(), b.ID, retention.Approved, w.nurse.ID, nil, 0, ev(audit.DisposalApproved)), meta.ErrNotFound, "by who proposed it")
		count := func(do func() error) (n int64) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if err := do(); err == nil {
						atomic.AddInt64(&n, 1)
					} else if !errors.Is(err, meta.ErrNotFound) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			return n
		}
		if n := count(func() error {
			return w.DecideBatch(t.Context(), b.ID, retention.Approved, w.colleague.ID, nil, 0, ev(audit.DisposalApproved))
		}); n != 1 {
			t.Errorf("approved %d times", n)
		}
		if n := count(func() error { _, err := w.ClaimBatch(t.Context(), time.Minute); return err }); n != 1 {
			t.Errorf("claimed %d times", n)
		}
		w.must(w.StartBatch(t.Context(), b.ID, ev(audit.DisposalStarted)))
		w.wants(w.UndoBatch(t.Context(), b.ID, nil, ev(audit.DisposalUndone)), meta.ErrNotFound, "undone too late")
		w.wants(w.FinishBatch(t.Context(), b.ID, []byte("c"), ev(audit.DisposalCertified)), meta.ErrNotFound, "certified before it is done")
		for _, id := range items {
			if why := w.destroy(b, id); why != "" {
				t.Errorf("spared: %s", why)
			}
			w.must(w.ForgetItem(t.Context(), b.ID, id, ev(audit.ItemDestroyed)))
			w.must(w.ForgetItem(t.Context(), b.ID, id, ev(audit.ItemDestroyed)))
		}
		w.must(w.FinishBatch(t.Context(), b.ID, []byte("c"), ev(audit.DisposalCertified)))
		if _, err := w.Patient(t.Context(), w.patient.ID); !errors.Is(err, meta.ErrNotFound) {
			t.Errorf("the patient of whom nothing is left: %v", err)
		}
	})
}

// A hold and a destruction that meet: either the key was gone before the hold
// was on record, or it stays.
func TestHoldAndDestructionMeet(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		outcomes := map[string]int{}
		for round := range 40 {
			items := w.due(1)
			b := w.running(items...)
			hold := retention.Hold{ID: retention.NewHoldID(), PlacedBy: w.nurse.ID, Criteria: retention.Criteria{Patients: []media.PatientID{w.patient.ID}}}
			placed := audit.NewEvent(audit.HoldPlaced, access.Principal{}, audit.Subject{Hold: string(hold.ID)})
			gone := audit.NewEvent(audit.KeyDestroyed, access.Principal{}, audit.Subject{Item: string(items[0])})
			var why string
			var err1, err2 error
			var wg sync.WaitGroup
			wg.Go(func() { err1 = w.PlaceHold(t.Context(), hold, placed) })
			wg.Go(func() {
				why, err2 = w.DestroyKeys(t.Context(), b, items[0], []byte("{}"), gone, ev(audit.DisposalSpared))
			})
			wg.Wait()
			if err1 != nil || err2 != nil {
				t.Fatalf("round %d: %v, %v", round, err1, err2)
			}
			outcomes[why]++
			if why == "" {
				if at, g := w.seq(placed), w.seq(gone); g > at {
					t.Fatalf("round %d: the key was destroyed (event %d) after the hold was on record (event %d)", round, g, at)
				}
			}
			w.must(w.ReleaseHold(t.Context(), hold.ID, w.nurse.ID, nil, ev(audit.HoldReleased)))
		}
		t.Logf("outcomes: %v", outcomes)
	})
}

// seq finds the number of an event.
func (w world) seq(e audit.Event) int64 {
	w.t.Helper()
	all, err := w.Events(w.t.Context(), meta.EventFilter{Type: e.Type, Limit: 1000})
	w.must(err)
	for _, got := range all {
		if got.ID == e.ID {
			return got.Seq
		}
	}
	w.t.Fatal("an event is missing")
	return 0
}

// A rendition that is made while its item is destroyed is not added.
func TestNoRenditionOfWhatIsDestroyed(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		for range 20 {
			items := w.due(1)
			b := w.running(items...)
			f := w.filing()
			row, key := f.Rendition, f.Key
			row.Item, row.Rendition, row.ObjectKey = items[0], media.Preview, fmt.Sprint("items/p-", items[0])
			key.Item, key.Rendition = items[0], media.Preview
			var wg sync.WaitGroup
			var err error
			wg.Go(func() { err = w.AddRendition(t.Context(), row, key, ev(audit.RenditionDerived)) })
			var destroying error
			wg.Go(func() {
				_, destroying = w.DestroyKeys(t.Context(), b, items[0], []byte("{}"), ev(audit.KeyDestroyed), ev(audit.DisposalSpared))
			})
			wg.Wait()
			w.must(destroying)
			if err != nil && !errors.Is(err, meta.ErrNotFound) {
				t.Fatal(err)
			}
			if _, _, err := w.Rendition(t.Context(), items[0], media.Preview); !errors.Is(err, meta.ErrNotFound) {
				t.Fatalf("a key is left: %v", err)
			}
		}
	})
}

// A patient of whom something is filed while the last of the rest is destroyed
// is not forgotten; or is, and then nothing is filed.
func TestNobodyIsForgottenWhoHasSomething(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		outcomes := map[string]int{}
		for range 20 {
			w.patient = media.Patient{ID: media.NewPatientID(), NumberIndex: []byte(media.NewPatientID()), Details: media.Sealed("sealed")}
			w.must(w.AddPatient(t.Context(), w.patient, ev(audit.PatientAdded)))
			items := w.due(1)
			b := w.running(items...)
			w.destroy(b, items[0])
			var wg sync.WaitGroup
			var filing, forgetting error
			wg.Go(func() { _, filing = w.FileItem(t.Context(), w.filing()) })
			wg.Go(func() { forgetting = w.ForgetItem(t.Context(), b.ID, items[0], ev(audit.ItemDestroyed)) })
			wg.Wait()
			w.must(forgetting)
			_, err := w.Patient(t.Context(), w.patient.ID)
			switch {
			case filing == nil && err == nil:
				outcomes["kept"]++
			case errors.Is(filing, meta.ErrNotFound) && errors.Is(err, meta.ErrNotFound):
				outcomes["forgotten"]++
			default:
				t.Fatalf("filed: %v; there: %v", filing, err)
			}
		}
		t.Logf("outcomes: %v", outcomes)
	})
}

// An invitation loses whom and what it was for with the last of its items.
func TestInvitationsAreForgottenWithTheirItems(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		items := w.due(2)
		v := invitation.Invitation{ID: invitation.NewID(), SecretHash: []byte("secret"), CreatedBy: w.nurse.ID, Patient: w.patient.ID, Recipient: []byte("r"), Items: items,
			Name: media.Sealed("name"), Email: media.Sealed("email"), Purpose: media.Sealed("purpose")}
		_, err := w.AddInvitation(t.Context(), v, time.Hour, ev(audit.InvitationMade))
		w.must(err)
		b := w.running(items...)
		for i, id := range items {
			w.destroy(b, id)
			w.must(w.ForgetItem(t.Context(), b.ID, id, ev(audit.ItemDestroyed)))
			got, err := w.Invitation(t.Context(), v.ID)
			if last := i == len(items)-1; last != (len(got.Name)+len(got.Email)+len(got.Purpose) == 0) || last != errors.Is(err, meta.ErrRevoked) {
				t.Errorf("after %d of %d: %q %q %q, %v", i+1, len(items), got.Name, got.Email, got.Purpose, err)
			}
		}
	})
}
