package audit

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Signed is a checkpoint whose signature was checked, and where it was kept.
type Signed struct {
	Checkpoint
	Kept string // in words: "the database", "file /var/…"
}

// Fault is the first thing that is wrong with a log: with event From or, where
// it cannot be told which, with one of the events From to To.
type Fault struct {
	From, To int64
	Says     string
}

// Error names the event first.
func (f *Fault) Error() string {
	if f.To > f.From {
		return fmt.Sprintf("events %d to %d: %s", f.From, f.To, f.Says)
	}
	return fmt.Sprintf("event %d: %s", f.From, f.Says)
}

// Account is what a log that verifies has.
type Account struct {
	Events      int64 // in all
	Covered     int64 // of them, under a checkpoint
	Checkpoints int   // that fit
	Root        Hash  // of all events; zero when there are none
	ClockSteps  int64 // how often the database's clock went back
	FirstStep   int64 // the first event with an earlier time than the one before it
}

// Verifier checks a log event by event, from the first, in constant memory.
// It changes nothing and believes nothing: bodies are read again, columns are
// compared with them, and the tree is built anew.
type Verifier struct {
	bare     bool // there are bodies only
	tree     int64
	known    []Signed // by size
	met      int
	edge     Edge
	row      []Hash
	lastAt   int64
	found    Account
	findings []finding
	restored []Event  // the events that say that the log was put back from a backup
	before   []Signed // checkpoints from elsewhere that do not fit after such an event: of the line before it
}

// NewVerifier makes a Verifier of a log as the database keeps it, of whose
// events the first tree are in the stored tree, and which the known
// checkpoints must fit.
func NewVerifier(tree int64, known []Signed) *Verifier {
	known = slices.Clone(known)
	slices.SortStableFunc(known, func(a, b Signed) int {
		switch {
		case a.Size < b.Size:
			return -1
		case a.Size > b.Size:
			return 1
		}
		return 0
	})
	return &Verifier{tree: tree, known: known}
}

// NewExportVerifier makes a Verifier of an export, which has bodies only.
func NewExportVerifier(known []Signed) *Verifier {
	v := NewVerifier(0, known)
	v.bare = true
	return v
}

// finding is what was found about one event on its own.
type finding struct {
	leaf Hash
	at   int64
	says string
}

// Add checks the events that come next. The first that is wrong is a *Fault,
// after which the Verifier must not be used.
func (v *Verifier) Add(events []Stored) error {
	if cap(v.findings) < len(events) {
		v.findings = make([]finding, len(events))
	}
	found := v.findings[:len(events)]
	var wg sync.WaitGroup
	share := max((len(events)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0), 64)
	for from := 0; from < len(events); from += share {
		to := min(from+share, len(events))
		wg.Go(func() {
			for i := from; i < to; i++ {
				found[i] = v.inspect(&events[i], v.edge.size+1+int64(i))
			}
		})
	}
	wg.Wait()
	for i := range events {
		if err := v.take(&events[i], &found[i]); err != nil {
			return err
		}
	}
	return nil
}

// inspect checks an event on its own; seq is the number that it must have.
func (v *Verifier) inspect(e *Stored, seq int64) finding {
	if !v.bare && e.Seq != seq {
		return finding{says: fmt.Sprintf("it is missing; the next is event %d", e.Seq)}
	}
	body, ok := look(e.Body)
	same := func() bool { return v.bare || body.same(e.Columns) }
	if !ok {
		parsed, err := Parse(e.Body)
		if err != nil {
			return finding{says: "its body was changed: " + err.Error()}
		}
		said := columnsOf(parsed)
		body.seq, body.at = parsed.Seq, said.At
		same = func() bool { return v.bare || said.same(e.Columns) }
	}
	switch {
	case body.seq != seq && v.bare:
		return finding{says: fmt.Sprintf("it is missing; in its place is event %d", body.seq)}
	case body.seq != seq:
		return finding{says: fmt.Sprintf("its body is that of event %d", body.seq)}
	case !same():
		return finding{says: "its columns say something else than its body"}
	}
	return finding{leaf: Leaf(e.Body), at: body.at}
}

// take adds an event to the tree and compares what can be compared there.
func (v *Verifier) take(e *Stored, f *finding) error {
	seq := v.edge.size + 1
	if f.says != "" {
		return &Fault{From: seq, Says: f.says}
	}
	if f.at < v.lastAt {
		if v.found.ClockSteps++; v.found.FirstStep == 0 {
			v.found.FirstStep = seq
		}
	}
	v.lastAt = f.at
	v.row = v.edge.Add(f.leaf, v.row[:0])
	if seq <= v.tree {
		if len(e.Hashes) != len(v.row)*len(f.leaf) {
			return &Fault{From: seq, Says: "its hashes are missing from the stored tree"}
		}
		for i, h := range v.row {
			if string(e.Hashes[i*len(h):(i+1)*len(h)]) != string(h[:]) {
				return &Fault{From: seq, Says: "the stored tree has another hash: the event, or the tree, was changed after it was recorded"}
			}
		}
	}
	if bytes.Contains(e.Body, restoredType) {
		if ev, err := Parse(e.Body); err == nil && ev.Type == Restored {
			v.restored = append(v.restored, ev)
		}
	}
	covered := v.found.Covered
	for ; v.met < len(v.known) && v.known[v.met].Size == seq; v.met++ {
		c := v.known[v.met]
		root, _ := v.edge.Root()
		switch {
		case root == c.Root:
			v.found.Checkpoints++
			v.found.Covered = seq
		case c.Kept != InDatabase && len(v.restored) > 0:
			v.before = append(v.before, c)
		default:
			return &Fault{From: covered + 1, To: seq, Says: fmt.Sprintf("at least one of them is not what it was when the checkpoint of %d events (in %s) was signed: it was changed, or the database was put back to before it and went on", seq, c.Kept)}
		}
	}
	return nil
}

// InDatabase is where the checkpoints are kept that a log brings itself.
const InDatabase = "the database"

// restoredType is in the body of every event that says that the log was put
// back from a backup.
var restoredType = []byte(`"type":"` + string(Restored) + `"`)

// Finish ends the log, which must have at least so many events, and gives the
// account of it, or a *Fault.
func (v *Verifier) Finish(least int64) (Account, error) {
	n := v.edge.size
	v.found.Events = n
	v.found.Root, _ = v.edge.Root()
	if f := v.putBack(); f != nil {
		return v.found, f
	}
	if v.met < len(v.known) {
		c := v.known[len(v.known)-1]
		says := fmt.Sprintf("missing: a checkpoint of %d events was signed (in %s), and the log ends at %d", c.Size, c.Kept, n)
		if v.found.Covered < n {
			says += fmt.Sprintf("; nothing vouches for events %d to %d either", v.found.Covered+1, n)
		}
		return v.found, &Fault{From: n + 1, To: c.Size, Says: says}
	}
	if most := max(least, v.tree); n < most {
		return v.found, &Fault{From: n + 1, To: most, Says: fmt.Sprintf("missing: %d events were recorded", most)}
	}
	return v.found, nil
}

// putBack tells of a log that was restored from a backup, as one of its own
// events says, and of which somebody has checkpoints that are later than the
// backup: what they prove is missing. Nobody can tell from this who restored it.
func (v *Verifier) putBack() *Fault {
	later := append(slices.Clone(v.before), v.known[v.met:]...)
	if len(v.restored) == 0 || len(later) == 0 || slices.ContainsFunc(later, func(c Signed) bool { return c.Kept == InDatabase }) {
		return nil
	}
	at := v.restored[0]
	for _, r := range v.restored {
		if r.Seq <= later[0].Size {
			at = r
		}
	}
	last := later[len(later)-1]
	return &Fault{From: at.Seq, To: last.Size, Says: fmt.Sprintf("missing: event %d says that this log was restored from backup %s of %s, and %d later checkpoints of the line before it are in %s, up to %d events. What was recorded in that line after the backup is not here; what is here from before event %d is as it was signed. If nobody restored it on purpose, it was put back by somebody else",
		at.Seq, at.Detail["backup"], at.Detail["taken"], len(later), last.Kept, last.Size, at.Seq)}
}

// Leaves checks events on their own, the first of which must have the number
// after from, and gives their leaves. The first that is wrong is a *Fault.
func Leaves(from int64, events []Stored) ([]Hash, error) {
	out := make([]Hash, len(events))
	var v Verifier
	for i := range events {
		f := v.inspect(&events[i], from+1+int64(i))
		if f.says != "" {
			return nil, &Fault{From: from + 1 + int64(i), Says: f.says}
		}
		out[i] = f.leaf
	}
	return out, nil
}
