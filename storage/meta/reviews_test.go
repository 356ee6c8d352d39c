package meta_test

import (
	"slices"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/meta"
)

// dueSince gives items of the patient dates: each that many hours ago.
func (w world) dueSince(hours map[media.ItemID]int) {
	w.t.Helper()
	r, err := w.Record(w.t.Context(), w.patient.ID)
	w.must(err)
	now, err := w.Now(w.t.Context())
	w.must(err)
	now = now.Truncate(time.Hour) // so that those of one hour have one date
	for i, it := range r.Items {
		r.Items[i].DueOn, r.Items[i].DueRule = now.Add(-time.Duration(hours[it.Item])*time.Hour), retention.Adult
	}
	if ok, err := w.SetDates(w.t.Context(), []meta.Dates{{Patient: w.patient.ID, Stale: r.Stale, Items: r.Items}}, ev(audit.RecordsDated)); err != nil || !ok {
		w.t.Fatalf("date: %v %v", ok, err)
	}
}

// What is due comes once each, what has waited longest first and what came due
// together by identifier, however long the pages are; and nothing is passed over
// when the last of a page is kept for longer while somebody reads on.
func TestDueItemsPageByDate(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		hours, want := map[media.ItemID]int{}, []media.ItemID{}
		for _, since := range []int{3, 9, 3, 7, 3, 9, 5} { // due in another order than they were filed in
			id := w.file(nil).ID
			hours[id], want = since, append(want, id)
		}
		slices.SortStableFunc(want, func(a, b media.ItemID) int { return hours[b] - hours[a] })
		later, taken := w.file(nil).ID, w.file(nil).ID
		elsewhere := w.file(func(f *meta.Filing) { f.Item.Team = w.other.ID }).ID
		hours[later], hours[taken], hours[elsewhere] = -48, 8, 6
		w.dueSince(hours)
		w.must(w.AddBatch(t.Context(), retention.Batch{ID: retention.NewBatchID(), Ground: retention.PeriodEnded, State: retention.Proposed, ProposedBy: w.nurse.ID}, []media.ItemID{taken}, 0, ev(audit.DisposalProposed)))

		page := func(f meta.DueFilter) (ids []media.ItemID) {
			t.Helper()
			rows, err := w.DueItems(t.Context(), f)
			w.must(err)
			for _, r := range rows {
				ids = append(ids, r.Item)
			}
			return ids
		}
		for _, size := range []int{1, 2, 3, 50} {
			var got []media.ItemID
			for f := (meta.DueFilter{Team: w.team.ID, Limit: size}); ; f.After = got[len(got)-1] {
				next := page(f)
				if got = append(got, next...); len(next) < size {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("in pages of %d: %v, want %v", size, got, want)
			}
		}
		all := slices.Insert(slices.Clone(want), 3, elsewhere) // after those of nine and seven hours ago
		if got := page(meta.DueFilter{Limit: 50}); !slices.Equal(got, all) {
			t.Errorf("of every team: %v, want %v", got, all)
		}

		hours[want[1]] = -48
		w.dueSince(hours)
		if got, left := page(meta.DueFilter{Team: w.team.ID, After: want[1], Limit: 50}), slices.Delete(slices.Clone(want), 1, 2); !slices.Equal(got, left) {
			t.Errorf("after one that was kept meanwhile: %v, want %v", got, left)
		}
	})
}
