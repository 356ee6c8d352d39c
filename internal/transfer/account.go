package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// EventStore is what searching the audit needs of the database.
type EventStore interface {
	Events(ctx context.Context, f meta.EventFilter) ([]audit.Event, error)
	EventBodies(ctx context.Context, f meta.EventFilter) ([][]byte, int64, error)
	Ledger(ctx context.Context) (meta.Ledger, error)
	TreeHashes(ctx context.Context, places []int64) ([]audit.Hash, error)
	LinkBySecret(ctx context.Context, hash []byte) (link.Link, error)
}

// Account answers who saw what, when and why.
type Account struct {
	Gate  GateStore
	Store EventStore
	// StepUp refuses who has not just proved who they are.
	StepUp func(ctx context.Context, who access.Principal) error
}

// EventFilter chooses the audit events to give.
type EventFilter = meta.EventFilter

// Events gives a page of audit events, newest first, and whether there are
// more. Reading the audit is itself an event.
func (s *Account) Events(ctx context.Context, who access.Principal, f EventFilter) ([]audit.Event, bool, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReadAudit); err != nil {
		return nil, false, err
	}
	limit := min(max(f.Limit, 1), 500)
	f.Limit = limit + 1
	events, err := s.Store.Events(ctx, f)
	if err != nil {
		return nil, false, down(fmt.Errorf("search the audit: %w", err))
	}
	more := len(events) > limit
	if more {
		events = events[:limit]
	}
	return events, more, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.AuditRead, who, about(f)))
}

// about is what a search is about, as an event tells it.
func about(f EventFilter) audit.Subject {
	person := f.Person
	if person == "" {
		person = f.Actor
	}
	return audit.Subject{Item: string(f.Item), Patient: string(f.Patient), Person: string(person), Link: string(f.Link)}
}

// Question is what an auditor asks: who saw this patient, what did this person
// see, or what went through this link. Exactly one of the three is set.
type Question struct {
	Patient  media.PatientID
	Person   access.PersonID
	Link     link.ID
	All      bool      // everything that was done, and not only what was seen
	From, To time.Time // From included, To not
	After    int64     // to page: events with a smaller number
	Limit    int
}

// Filter is the search that answers a question.
func (q Question) Filter() (EventFilter, error) {
	set := 0
	for _, id := range []string{string(q.Patient), string(q.Person), string(q.Link)} {
		if id == "" {
			continue
		}
		if set++; !media.ValidID(id) {
			return EventFilter{}, errQuestion
		}
	}
	if set != 1 {
		return EventFilter{}, errQuestion
	}
	f := EventFilter{Patient: q.Patient, Actor: q.Person, Link: q.Link, From: q.From, To: q.To, After: q.After, Limit: q.Limit}
	if !q.All && q.Link == "" { // of a link everything is of interest
		f.Types = audit.Disclosing()
	}
	return f, nil
}

var errQuestion = fault.New(fault.Invalid, "question-wrong", "Ask about one patient, one person or one link, by the identifier that this server gave out.")

// Answer answers a question with a page of events, newest first.
func (s *Account) Answer(ctx context.Context, who access.Principal, q Question) ([]audit.Event, bool, error) {
	f, err := q.Filter()
	if err != nil {
		if access.May(who, access.ReadAudit) == access.Allow {
			return nil, false, err
		}
		return nil, false, (gate{s.Gate}).role(ctx, who, access.ReadAudit)
	}
	return s.Events(ctx, who, f)
}

// FindLink finds the link that an address with its secret is of, for somebody
// who asks what went through it. It opens nothing.
func (s *Account) FindLink(ctx context.Context, who access.Principal, secret string) (link.ID, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReadAudit); err != nil {
		return "", err
	}
	hash, err := token.Hash(secret, token.Link)
	if err == nil {
		var l link.Link
		if l, err = s.Store.LinkBySecret(ctx, hash); err == nil {
			return l.ID, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.AuditRead, who, audit.Subject{Link: string(l.ID)}))
		}
		if !errors.Is(err, meta.ErrNotFound) {
			return "", down(fmt.Errorf("find the link: %w", err))
		}
	}
	return "", fault.New(fault.Invalid, "link-unknown", "This is not a link that was made here. Paste the whole address, or the identifier as it stands in the audit.").In("link")
}

// Format is how events are exported.
type Format string

const (
	JSONLines Format = "jsonl" // each event's canonical body, a line each
	CSV       Format = "csv"
	FHIR      Format = "fhir" // one R4 Bundle
)

// MediaType is what an export is, for HTTP.
func (f Format) MediaType() string {
	return map[Format]string{JSONLines: "application/jsonl", CSV: "text/csv; charset=utf-8", FHIR: "application/fhir+json"}[f]
}

// Export is an export that was recorded and is about to be written.
type Export struct {
	Format Format
	filter EventFilter
	store  EventStore
	at     time.Time
}

// exportPage is how many events are held in memory at once.
const exportPage = 500

// Export decides and records an export, before its first byte. It takes away more
// than a page shows, and so needs proof that it is still them. It holds every
// event up to and with the one that records it.
func (s *Account) Export(ctx context.Context, who access.Principal, f EventFilter, as Format) (*Export, error) {
	g := gate{s.Gate}
	if err := g.role(ctx, who, access.ReadAudit); err != nil {
		return nil, err
	}
	if as.MediaType() == "" {
		return nil, fault.New(fault.Invalid, "format-unknown", "Choose csv, jsonl or fhir.").In("format")
	}
	if err := s.StepUp(ctx, who); err != nil {
		return nil, err
	}
	if err := g.record(ctx, audit.NewEvent(audit.AuditRead, who, about(f)).With("export", string(as))); err != nil {
		return nil, err
	}
	l, err := s.Store.Ledger(ctx)
	if err != nil {
		return nil, down(fmt.Errorf("look where the audit ends: %w", err))
	}
	f.After, f.Until, f.Limit = 0, l.Last, exportPage
	return &Export{as, f, s.Store, l.Now}, nil
}

// writer takes the events of an export.
type writer struct {
	body  func([]byte) error // the canonical body, or else
	event func(audit.Event) error
	page  func() error // a page is written
	end   func() error
}

// Write writes the export, oldest first, in constant memory.
func (e *Export) Write(ctx context.Context, out io.Writer, n audit.Names, url string) error {
	w, err := e.writer(out, n, url)
	if err != nil {
		return err
	}
	f := e.filter
	for {
		bodies, last, err := e.store.EventBodies(ctx, f)
		if err != nil {
			return down(fmt.Errorf("read the audit: %w", err))
		}
		for _, b := range bodies {
			if w.event == nil {
				err = w.body(b)
			} else {
				var ev audit.Event
				if ev, err = audit.Parse(b); err != nil {
					return fmt.Errorf("an audit event cannot be read: %w", err)
				}
				err = w.event(ev)
			}
			if err != nil {
				return err
			}
		}
		if w.page != nil {
			if err := w.page(); err != nil {
				return err
			}
		}
		if len(bodies) < exportPage {
			break
		}
		f.Since = last
	}
	if w.end == nil {
		return nil
	}
	return w.end()
}

func (e *Export) writer(out io.Writer, n audit.Names, url string) (writer, error) {
	switch e.Format {
	case CSV:
		c, err := audit.NewCSVWriter(out, n)
		if err != nil {
			return writer{}, err
		}
		return writer{event: c.Write, page: c.Flush}, nil
	case FHIR:
		f, err := audit.NewFHIRWriter(out, n, url, e.at)
		if err != nil {
			return writer{}, err
		}
		return writer{event: f.Write, end: f.Close}, nil
	}
	return writer{body: func(b []byte) error { _, err := out.Write(append(b, '\n')); return err }}, nil
}

// Checkpoint gives the latest signed checkpoint. It tells of nobody, and is
// meant for others to have, so that having it is no event: whoever watches
// the log would otherwise make it grow.
func (s *Account) Checkpoint(ctx context.Context, who access.Principal) ([]byte, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReadAudit); err != nil {
		return nil, err
	}
	l, err := s.Store.Ledger(ctx)
	if err != nil {
		return nil, down(fmt.Errorf("read the latest checkpoint: %w", err))
	}
	if l.Checkpoint.Size == 0 {
		return nil, errNoCheckpoint
	}
	return l.Checkpoint.Note, nil
}

var errNoCheckpoint = fault.New(fault.NotFound, "no-checkpoint", "No checkpoint has been signed yet. The first is signed within a minute of the first event.")

// Coverage is how far the audit is signed.
type Coverage struct {
	Events, Covered int64
	SignedAt        time.Time // of the latest checkpoint; zero when there is none
	Refused         string    // why no checkpoint is signed any more; empty when all is well
}

// Coverage tells an auditor how far the audit is signed. It tells of nobody,
// and is no event.
func (s *Account) Coverage(ctx context.Context, who access.Principal) (Coverage, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReadAudit); err != nil {
		return Coverage{}, err
	}
	l, err := s.Store.Ledger(ctx)
	return Coverage{l.Last, l.Checkpoint.Size, l.Checkpoint.At, l.Refused}, down(err)
}

// Inclusion is the proof that an event is in the tree of a size (RFC 6962,
// section 2.1.1).
type Inclusion struct {
	Seq, Size  int64
	Leaf, Root audit.Hash
	Proof      []audit.Hash
}

// Inclusion proves that event seq is in the tree of size events; without a
// size, in that of the latest checkpoint.
func (s *Account) Inclusion(ctx context.Context, who access.Principal, seq, size int64) (Inclusion, error) {
	size, read, err := s.tree(ctx, who, size)
	if err != nil {
		return Inclusion{}, err
	}
	if seq < 1 || seq > size {
		return Inclusion{}, errNotInTree
	}
	p := Inclusion{Seq: seq, Size: size}
	if p.Proof, err = tlog.ProveRecord(size, seq-1, read); err == nil {
		p.Root, err = tlog.TreeHash(size, read)
	}
	if err == nil {
		var leaf []audit.Hash
		if leaf, err = read.ReadHashes([]int64{tlog.StoredHashIndex(0, seq-1)}); err == nil {
			p.Leaf = leaf[0]
		}
	}
	return p, down(err)
}

// Consistency is the proof that one tree goes on from another (RFC 6962,
// section 2.1.2).
type Consistency struct {
	From, To         int64
	FromRoot, ToRoot audit.Hash
	Proof            []audit.Hash
}

// Consistency proves that the tree of to events, or of the latest checkpoint,
// begins with that of from events.
func (s *Account) Consistency(ctx context.Context, who access.Principal, from, to int64) (Consistency, error) {
	to, read, err := s.tree(ctx, who, to)
	if err != nil {
		return Consistency{}, err
	}
	if from < 1 || from > to {
		return Consistency{}, errNotInTree
	}
	p := Consistency{From: from, To: to}
	if p.Proof, err = tlog.ProveTree(to, from, read); err == nil {
		p.FromRoot, err = tlog.TreeHash(from, read)
	}
	if err == nil {
		p.ToRoot, err = tlog.TreeHash(to, read)
	}
	return p, down(err)
}

var errNotInTree = fault.New(fault.NotFound, "not-in-tree", "The audit tree has no such event or size yet. Events come into it within a minute.")

// tree gives the size of a tree that proofs are asked about, and its hashes.
// Proofs hold hashes alone, and like checkpoints are no event.
func (s *Account) tree(ctx context.Context, who access.Principal, size int64) (int64, tlog.HashReader, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ReadAudit); err != nil {
		return 0, nil, err
	}
	l, err := s.Store.Ledger(ctx)
	if err != nil {
		return 0, nil, down(fmt.Errorf("look at the audit tree: %w", err))
	}
	if size == 0 {
		if size = l.Checkpoint.Size; size == 0 {
			return 0, nil, errNoCheckpoint
		}
	}
	if size < 1 || size > l.Tree {
		return 0, nil, errNotInTree
	}
	return size, tlog.HashReaderFunc(func(places []int64) ([]tlog.Hash, error) { return s.Store.TreeHashes(ctx, places) }), nil
}
