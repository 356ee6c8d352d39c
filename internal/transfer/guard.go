package transfer

import (
	"context"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// Guard is the gate for flows in other packages, whose actions need no
// relation to an item: the role decides.
type Guard struct{ Store GateStore }

// Role refuses a principal whose role may not do a, and records the refusal.
func (g Guard) Role(ctx context.Context, who access.Principal, a access.Action) error {
	return gate{g.Store}.role(ctx, who, a)
}

// Record commits an event even when the client has gone away meanwhile.
func (g Guard) Record(ctx context.Context, ev audit.Event) error {
	return gate{g.Store}.record(ctx, ev)
}

// Down turns a failure of storage into what the caller may be told.
func Down(err error) error { return down(err) }

// Gone is Down for a change that came too late, or to nothing.
func Gone(err error) error { return gone(err) }

// Written checks free text that people typed into a field.
func Written(text, field string, needed bool) (string, error) { return written(text, field, needed) }

// Fields seals and opens several fields of one row, and keeps the first error.
type Fields struct{ fields }

// FieldsOf starts on a row of a table.
func FieldsOf(ring *keyring.Ring, table, row string) *Fields {
	return &Fields{fields{ring: ring, table: table, row: row}}
}

// Seal encrypts text for a column.
func (f *Fields) Seal(column, text string) media.Sealed { return f.seal(column, text) }

// Open decrypts a column; one whose text was destroyed is empty.
func (f *Fields) Open(column string, s media.Sealed) string { return f.open(column, s) }

// Err gives the first error.
func (f *Fields) Err() error { return f.err }

// Open gives a patient's details.
func (f PatientFinder) Open(row media.Patient) (Patient, error) { return f.open(row) }

// Find looks a patient up by kind of number, number and date of birth, all of
// which must match.
func (f PatientFinder) Find(ctx context.Context, kind, number, born string) (Patient, error) {
	return f.find(ctx, kind, number, born, "")
}

// SiteIndex is the keyed hash under which one of media.Sites is kept.
func SiteIndex(ring *keyring.Ring, site string) []byte { return ring.Index("site", []byte(site)) }
