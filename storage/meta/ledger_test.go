package meta_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
)

// integrate puts the events that are not in the tree yet into it.
func (w world) integrate(worker string) audit.Checkpoint {
	w.t.Helper()
	ctx := w.t.Context()
	l, err := w.Ledger(ctx)
	w.must(err)
	peaks, err := w.TreeHashes(ctx, audit.Peaks(l.Tree))
	w.must(err)
	edge, err := audit.NewEdge(l.Tree, peaks)
	w.must(err)
	events, err := w.StoredEvents(ctx, l.Tree, l.Last)
	w.must(err)
	var rows [][]byte
	for _, e := range events {
		rows = append(rows, audit.PutRow(edge.Add(audit.Leaf(e.Body), nil)))
	}
	w.must(w.AppendHashes(ctx, worker, l.Tree, rows))
	root, _ := edge.Root()
	return audit.Checkpoint{Origin: "test", Size: edge.Size(), Root: root}
}

func TestLedger(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		l, err := w.Ledger(ctx)
		w.must(err)
		if l.Recorded == 0 || l.Last != l.Recorded || l.Tree != 0 || l.Refused != "" || l.Checkpoint.Size != 0 || time.Since(l.Now).Abs() > time.Hour {
			t.Errorf("before: %+v", l)
		}

		// One at a time.
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if ok, err := w.LeaseLedger(ctx, fmt.Sprint("w", i), time.Hour); err != nil {
					t.Error(err)
				} else if ok {
					won.Add(1)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d have the lease", won.Load())
		}
		mine := ""
		for i := range 8 {
			if ok, err := w.LeaseLedger(ctx, fmt.Sprint("w", i), time.Hour); err != nil {
				t.Fatal(err)
			} else if ok {
				mine = fmt.Sprint("w", i)
			}
		}
		w.wants(w.AppendHashes(ctx, "another", 0, [][]byte{make([]byte, 32)}), meta.ErrNotFound, "integrating without the lease")
		w.wants(w.AppendHashes(ctx, mine, 5, [][]byte{make([]byte, 32)}), meta.ErrNotFound, "integrating at another size")

		for range 600 {
			w.must(w.AppendEvent(ctx, ev(audit.AuditRead)))
		}
		first := w.integrate(mine)
		w.must(w.RefuseLedger(ctx, mine, "for a test"))
		w.must(w.RefuseLedger(ctx, mine, ""))
		if l, err = w.Ledger(ctx); err != nil || l.Refused != "" || !l.RefusedAt.IsZero() {
			t.Errorf("%+v %v", l, err)
		}
		w.must(w.RefuseLedger(ctx, mine, "for a test"))
		if l, err = w.Ledger(ctx); err != nil || l.Refused != "for a test" || l.RefusedAt.IsZero() || l.Tree != first.Size || l.Tree != l.Recorded {
			t.Errorf("%+v %v", l, err)
		}
		w.wants(w.AddCheckpoint(ctx, "another", first, []byte("n")), meta.ErrNotFound, "signing without the lease")
		w.must(w.AddCheckpoint(ctx, mine, first, []byte("one")))
		w.wants(w.AddCheckpoint(ctx, mine, first, []byte("two")), meta.ErrExists, "a second checkpoint of this size")
		w.must(w.AppendEvent(ctx, ev(audit.AuditRead)))
		w.wants(w.AddCheckpoint(ctx, mine, audit.Checkpoint{Size: first.Size + 1}, []byte("n")), meta.ErrNotFound, "signing what is not in the tree")
		second := w.integrate(mine)
		w.must(w.AddCheckpoint(ctx, mine, second, []byte("two")))
		if l, err = w.Ledger(ctx); err != nil || l.Refused != "" || l.Checkpoint.Size != second.Size || l.Checkpoint.Root != second.Root || string(l.Checkpoint.Note) != "two" || l.Checkpoint.At.IsZero() {
			t.Errorf("%+v %v", l, err)
		}
		if got, err := w.Checkpoints(ctx, 0, 10); err != nil || len(got) != 2 || got[0].Size != first.Size {
			t.Errorf("%+v %v", got, err)
		}
		if got, err := w.Checkpoints(ctx, first.Size, 10); err != nil || len(got) != 1 || got[0].Size != second.Size {
			t.Errorf("%+v %v", got, err)
		}

		// What is stored verifies, page by page.
		v := audit.NewVerifier(l.Tree, []audit.Signed{{Checkpoint: first, Kept: "x"}, {Checkpoint: second, Kept: "x"}})
		for after := int64(0); after < l.Last; {
			part, err := w.StoredEvents(ctx, after, after+100)
			w.must(err)
			rows, err := w.TreeRows(ctx, after, after+100)
			w.must(err)
			for i := range part {
				part[i].Hashes = rows[part[i].Seq]
			}
			w.must(v.Add(part))
			after = part[len(part)-1].Seq
		}
		if got, err := v.Finish(l.Recorded); err != nil || got.Root != second.Root || got.Covered != second.Size {
			t.Errorf("%+v %v", got, err)
		}

		// A lease that has run out is another's.
		if ok, err := w.LeaseLedger(ctx, mine, time.Millisecond); !ok || err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		w.must(w.AppendEvent(ctx, ev(audit.AuditRead)))
		w.wants(w.AppendHashes(ctx, mine, second.Size, [][]byte{make([]byte, 32)}), meta.ErrNotFound, "integrating under a lease that ran out")
		if ok, err := w.LeaseLedger(ctx, "another", time.Hour); !ok || err != nil {
			t.Errorf("taking over: %v %v", ok, err)
		}
	})
}

func TestSinks(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ctx := t.Context()
		if ok, err := w.LeaseLedger(ctx, "w", time.Hour); !ok || err != nil {
			t.Fatal(err)
		}
		c := w.integrate("w")
		w.must(w.AddCheckpoint(ctx, "w", c, []byte("n")))
		w.must(w.AddSink(ctx, "a file"))
		w.must(w.SetSinkFailed(ctx, "a file", "no space"))
		w.must(w.AddSink(ctx, "a file"))
		w.must(w.SetPublished(ctx, "a bucket", c.Size))
		got, err := w.Sinks(ctx)
		if err != nil || len(got) != 2 || got[0].Name != "a bucket" || got[0].Waiting != 0 || got[0].Size != c.Size || got[0].PublishedAt.IsZero() || got[1].Failure != "no space" || got[1].Waiting != 1 {
			t.Errorf("%+v %v", got, err)
		}
		w.must(w.SetPublished(ctx, "a file", c.Size))
		w.must(w.SetSinkFailed(ctx, "a bucket", "down"))
		if got, err := w.Sinks(ctx); err != nil || got[1].Failure != "" || !got[1].FailedAt.IsZero() || got[0].Failure != "down" || got[0].Size != c.Size {
			t.Errorf("%+v %v", got, err)
		}
	})
}
