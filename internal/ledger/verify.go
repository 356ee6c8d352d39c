package ledger

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/storage/sink"
)

// VerifyStore is what verifying needs of the database. It changes nothing.
type VerifyStore interface {
	Ledger(ctx context.Context) (meta.Ledger, error)
	Checkpoints(ctx context.Context, after int64, limit int) ([]meta.CheckpointRow, error)
	StoredEvents(ctx context.Context, after, to int64) ([]audit.Stored, error)
	TreeRows(ctx context.Context, after, to int64) (map[int64][]byte, error)
}

// Verified is what verifying found, when all is well.
type Verified struct {
	audit.Account
	Remarks []string // what is no fault, and somebody should know
}

// verifyAtOnce is how many events are read at once.
const verifyAtOnce = 2000

// Verify checks a whole log: each event on its own, the tree over all of them,
// and every signed checkpoint in the database and in the sinks. The first event
// that is wrong is an *audit.Fault.
func Verify(ctx context.Context, db VerifyStore, key note.Verifier, sinks []sink.Sink) (Verified, error) {
	var out Verified
	l, err := db.Ledger(ctx) // before the checkpoints: what comes later may be more, and never less
	if err != nil {
		return out, err
	}
	known, err := kept(ctx, db, key)
	if err != nil {
		return out, err
	}
	var gone error // checkpoints that the database has lost
	for _, k := range sinks {
		found, err := copies(ctx, key, k, known)
		if err != nil {
			return out, err
		}
		out.Remarks = append(out.Remarks, found.remarks...)
		known, gone = append(known, found.known...), errors.Join(gone, found.gone)
	}
	now, err := db.Ledger(ctx) // after the checkpoints: what they cover is there by now
	if err != nil {
		return out, err
	}
	before, err := db.StoredEvents(ctx, math.MinInt64, 0)
	if err != nil {
		return out, err
	}
	if len(before) > 0 {
		return out, &audit.Fault{From: before[0].Seq, Says: "no event has such a number"}
	}
	v := audit.NewVerifier(l.Tree, known)
	if err := feed(ctx, db, v, now.Last); err != nil {
		return out, err
	}
	if l.Last > l.Recorded {
		return out, &audit.Fault{From: l.Recorded + 1, To: l.Last, Says: fmt.Sprintf("only %d events were recorded", l.Recorded)}
	}
	out.Account, err = v.Finish(l.Recorded)
	out.Remarks = append(out.Remarks, remarks(out.Account)...)
	if err == nil { // else that tells more
		err = gone
	}
	return out, err
}

func remarks(a audit.Account) (out []string) {
	if a.ClockSteps > 0 {
		out = append(out, fmt.Sprintf("the database's clock went back %d times, first at event %d: the order of events is that of their numbers", a.ClockSteps, a.FirstStep))
	}
	if n := a.Events - a.Covered; n > 0 {
		out = append(out, fmt.Sprintf("no checkpoint covers the last %d events yet: nothing vouches for them", n))
	}
	return out
}

// page is a part of the events, or why it could not be read.
type page struct {
	events []audit.Stored
	err    error
}

// feed reads the events up to the last, some pages ahead of what is checked.
func feed(ctx context.Context, db VerifyStore, v *audit.Verifier, last int64) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pages := make(chan chan page, 2) // in their order, while they are being read
	go func() {
		defer close(pages)
		for after := int64(0); after < last; after += verifyAtOnce {
			next := make(chan page, 1)
			select {
			case pages <- next:
			case <-ctx.Done():
				return
			}
			go func() {
				events, err := read(ctx, db, after, min(after+verifyAtOnce, last))
				next <- page{events, err}
			}()
		}
	}()
	for next := range pages {
		p := <-next
		if p.err != nil {
			return fmt.Errorf("read the events: %w", p.err)
		}
		if err := v.Add(p.events); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read gives a page of events with their rows of the tree.
func read(ctx context.Context, db VerifyStore, after, to int64) ([]audit.Stored, error) {
	events, err := db.StoredEvents(ctx, after, to)
	if err != nil {
		return nil, err
	}
	rows, err := db.TreeRows(ctx, after, to)
	if err != nil {
		return nil, err
	}
	for i := range events {
		events[i].Hashes = rows[events[i].Seq]
	}
	return events, nil
}

// kept gives the checkpoints of the database, each with its signature checked.
func kept(ctx context.Context, db VerifyStore, key note.Verifier) ([]audit.Signed, error) {
	var out []audit.Signed
	for after := int64(0); ; {
		rows, err := db.Checkpoints(ctx, after, 1000)
		if err != nil {
			return nil, fmt.Errorf("read the checkpoints: %w", err)
		}
		if len(rows) == 0 {
			return out, nil
		}
		for _, r := range rows {
			c, err := audit.OpenCheckpoint(r.Note, key)
			if err != nil || c.Size != r.Size || c.Root != r.Root {
				return nil, fmt.Errorf("the checkpoint of %d events in the database was not signed by this key, or was changed", r.Size)
			}
			out = append(out, audit.Signed{Checkpoint: c, Kept: audit.InDatabase})
			after = r.Size
		}
	}
}

// copied is what a sink has.
type copied struct {
	remarks []string
	known   []audit.Signed
	gone    error // a checkpoint that is in the sink, and no longer in the database
}

// copies gives the checkpoints in a sink, each with its signature checked, and
// compares which are there with which are in the database.
func copies(ctx context.Context, key note.Verifier, k sink.Sink, known []audit.Signed) (out copied, err error) {
	r, ok := k.(sink.Reader)
	if !ok {
		return copied{remarks: []string{"the copies in the " + k.Name() + " cannot be read back from here"}}, nil
	}
	here, there := map[int64]bool{}, map[int64]bool{}
	for _, c := range known {
		here[c.Size] = true
	}
	torn := 0
	err = r.All(ctx, func(signed []byte) error {
		c, err := audit.OpenCheckpoint(signed, key)
		switch {
		case errors.Is(err, audit.ErrNotNote):
			torn++
			return nil
		case err != nil:
			return errForeign
		}
		there[c.Size] = true
		out.known = append(out.known, audit.Signed{Checkpoint: c, Kept: "the " + k.Name()})
		return nil
	})
	if errors.Is(err, errForeign) {
		return out, fmt.Errorf("the %s has a checkpoint that was not signed by this key", k.Name())
	}
	if err != nil {
		return out, fmt.Errorf("read the copies in the %s: %w", k.Name(), err)
	}
	largest := int64(0)
	for _, c := range known {
		largest = max(largest, c.Size)
	}
	for _, c := range out.known { // a later one is told by the events that are missing, or was signed meanwhile
		if !here[c.Size] && c.Size < largest {
			out.gone = fmt.Errorf("the checkpoint of %d events is in the %s, and no longer in the database", c.Size, k.Name())
		}
	}
	if torn > 0 {
		out.remarks = append(out.remarks, fmt.Sprintf("%d things in the %s are no checkpoints", torn, k.Name()))
	}
	missing := 0
	for _, c := range known {
		if c.Kept == audit.InDatabase && !there[c.Size] {
			missing++
		}
	}
	if missing > 0 {
		out.remarks = append(out.remarks, fmt.Sprintf("%d checkpoints of the database are not in the %s", missing, k.Name()))
	}
	return out, nil
}

var errForeign = errors.New("foreign")

// maxLine bounds a line of an export.
const maxLine = 64 << 10

// VerifyExport checks an export (JSON Lines, whole, from the first event) and
// the checkpoints that somebody kept, with nothing else at hand.
func VerifyExport(export io.Reader, checkpoints []byte, key note.Verifier) (Verified, error) {
	var known []audit.Signed
	for _, n := range audit.Notes(checkpoints) {
		c, err := audit.OpenCheckpoint(n, key)
		if err != nil {
			return Verified{}, fmt.Errorf("a checkpoint: %w", err)
		}
		known = append(known, audit.Signed{Checkpoint: c, Kept: "the file"})
	}
	if len(known) == 0 {
		return Verified{}, errors.New("there is no checkpoint in the file of checkpoints")
	}
	v := audit.NewExportVerifier(known)
	lines := bufio.NewScanner(export)
	lines.Buffer(make([]byte, maxLine), maxLine)
	lines.Split(exactLines)
	part := make([]audit.Stored, 0, verifyAtOnce)
	for lines.Scan() {
		if part = append(part, audit.Stored{Body: bytes.Clone(lines.Bytes())}); len(part) == cap(part) {
			if err := v.Add(part); err != nil {
				return Verified{}, err
			}
			part = part[:0]
		}
	}
	if err := lines.Err(); err != nil {
		return Verified{}, fmt.Errorf("read the export: %w", err)
	}
	if err := v.Add(part); err != nil {
		return Verified{}, err
	}
	found, err := v.Finish(0)
	return Verified{found, remarks(found)}, err
}

// exactLines splits at newlines and keeps everything else.
func exactLines(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
