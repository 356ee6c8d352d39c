// Package fsck compares what the database says is kept with what the object
// store keeps, reads every object to its end, and repairs what can be repaired
// without a doubt. It walks both in the order of object keys, side by side, so
// that it needs no memory in proportion to what there is.
package fsck

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Kind is what is wrong with something.
type Kind string

// The kinds of findings.
const (
	Missing     Kind = "missing"        // a row names an object that is not there, or an item has no original
	Orphan      Kind = "orphan"         // an object that no row names, older than any upload takes
	InFlight    Kind = "in-flight"      // one that is younger; nothing is wrong
	Altered     Kind = "altered"        // the bytes are not those that were stored
	Swapped     Kind = "swapped"        // an object, a key or a manifest stands in the place of another's
	OldVersion  Kind = "old-version"    // the bucket keeps more than the one version there must be, or a delete marker
	KeyMissing  Kind = "key-missing"    // a rendition has no wrapped key
	KeyWrong    Kind = "key-wrong"      // a wrapped key does not open
	KeyStray    Kind = "key-stray"      // a wrapped key of no rendition
	BadManifest Kind = "manifest"       // the signed account of an item does not verify, or says something else
	BadRow      Kind = "row"            // a row cannot be right
	MustBeGone  Kind = "must-be-gone"   // something is left of an item that was destroyed
	Unchecked   Kind = "could-not-read" // the store or the database did not answer
)

// Wrong reports whether such a finding means that something is wrong.
func (k Kind) Wrong() bool { return k != InFlight && k != Unchecked }

// Finding is one thing that was found. It names nothing of a patient.
type Finding struct {
	Kind      Kind            `json:"kind"`
	Object    string          `json:"object,omitempty"`
	Version   string          `json:"version,omitempty"`
	Item      media.ItemID    `json:"item,omitempty"`
	Rendition media.Rendition `json:"rendition,omitempty"`
	Other     string          `json:"other,omitempty"` // with what it was exchanged
	Says      string          `json:"says"`
	Repaired  string          `json:"repaired,omitempty"` // what was done about it
	Unmended  string          `json:"unmended,omitempty"` // why nothing was done, when repairing was asked for

	suspect *suspect
	row     *meta.Kept
	mend    func(context.Context) (string, error) // nil when nothing safe can be done
	begun   bool                                  // an event says so before mend is called
}

// String is the finding in a line.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-14s", f.Kind)
	if f.Object != "" {
		b.WriteString(" " + f.Object)
	}
	if f.Version != "" {
		b.WriteString(" version " + f.Version)
	}
	if f.Object == "" || !strings.Contains(f.Object, string(f.Item)) {
		fmt.Fprintf(&b, " item %s %s", f.Item, f.Rendition)
	}
	b.WriteString(": " + f.Says)
	if f.Repaired != "" {
		b.WriteString(" – repaired: " + f.Repaired)
	}
	if f.Unmended != "" {
		b.WriteString(" – not repaired: " + f.Unmended)
	}
	return b.String()
}

// Store is what checking and repairing need of the database.
type Store interface {
	KeptAfter(ctx context.Context, after string, limit int) ([]meta.Kept, error)
	KeptAt(ctx context.Context, key string) (meta.Kept, error)
	CountRenditions(ctx context.Context) (int64, error)
	StrayKeys(ctx context.Context, each func(meta.Stray) error) error
	KeysOfDestroyed(ctx context.Context, each func(meta.Stray) error) error
	ItemsWithoutOriginal(ctx context.Context, each func(meta.Stray) error) error
	ObjectKeyExists(ctx context.Context, key string) (bool, error)
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	UploadsWithParts(ctx context.Context, after string, limit int) ([]meta.Upload, error)
	Upload(ctx context.Context, id string) (meta.Upload, error)
	Parts(ctx context.Context, id string) ([]meta.UploadPart, error)
	PartKeyExists(ctx context.Context, key string) (bool, error)
	Batch(ctx context.Context, id retention.BatchID) (retention.Batch, error)
	Batches(ctx context.Context, after retention.BatchID, limit int) ([]retention.Batch, error)
	DropDerivative(ctx context.Context, row media.RenditionRow, job meta.Job, ev audit.Event) error
	AppendEvent(ctx context.Context, ev audit.Event) error
	Now(ctx context.Context) (time.Time, error)
}

// Progress is how far a run has come.
type Progress struct {
	Checked, Total int64 // objects; Total is an estimate
	Bytes          int64 // read
	Last           string
	Wrong          int64
}

// Summary is the outcome of a run.
type Summary struct {
	Checked   int64          `json:"checked"`
	Bytes     int64          `json:"bytes"`
	Found     map[Kind]int64 `json:"found"`
	Wrong     int64          `json:"wrong"`
	Repaired  int64          `json:"repaired"`
	Unchecked int64          `json:"could_not_read"`
	Last      string         `json:"last"`  // the object after which a run can go on
	Whole     bool           `json:"whole"` // it came to the end
}

// Checker checks a deployment.
type Checker struct {
	Store    Store
	Objects  blob.Store
	Ring     *keyring.Ring
	Fast     bool // compare, and read no object
	Repair   bool
	By       string // who runs it, as the audit has it
	Found    func(Finding) error
	Progress func(Progress)
	Workers  int              // objects read at once; 4 when zero
	Clock    func() time.Time // the age of objects is told by it; time.Now when nil

	summary  Summary
	total    int64
	versions blob.Versioner // nil where there are none
	suspects []*Finding
	hid      map[blob.Key]bool // accounts of disposals that were found under a delete marker
}

// mostSuspects bounds what is kept to find out what was exchanged with what.
const mostSuspects = 400

// prefix is where the objects of items are.
const prefix = "items/"

// Run checks every item's objects after the object from, then the parts of
// uploads and the accounts of disposals, reports each finding, and records that
// it did. A failure to reach the store
// or the database as a whole is an error; what was found until then counts.
func (c *Checker) Run(ctx context.Context, from string) (Summary, error) {
	c.summary = Summary{Found: map[Kind]int64{}, Last: from}
	c.versions, _ = c.Objects.(blob.Versioner)
	var err error
	if c.total, err = c.Store.CountRenditions(ctx); err != nil {
		return c.summary, fmt.Errorf("count what there is: %w", err)
	}
	if err := c.rows(ctx); err != nil {
		return c.summary, err
	}
	if err := c.walk(ctx, from); err != nil {
		return c.summary, err
	}
	if err := c.identify(ctx); err != nil {
		return c.summary, err
	}
	if err := c.intake(ctx); err != nil {
		return c.summary, err
	}
	if err := c.accounts(ctx); err != nil {
		return c.summary, err
	}
	c.summary.Whole = true
	return c.summary, c.record(ctx)
}

// rows finds what the database alone shows.
func (c *Checker) rows(ctx context.Context) error {
	for _, look := range []struct {
		at   func(context.Context, func(meta.Stray) error) error
		kind Kind
		says string
	}{
		{c.Store.StrayKeys, KeyStray, "a wrapped key that belongs to no rendition"},
		{c.Store.KeysOfDestroyed, MustBeGone, "a wrapped key of an item that was destroyed: start the server, which destroys again what a backup brought back"},
		{c.Store.ItemsWithoutOriginal, Missing, "the item has no row for its original"},
	} {
		err := look.at(ctx, func(s meta.Stray) error {
			return c.tell(ctx, &Finding{Kind: look.kind, Item: s.Item, Rendition: s.Rendition, Says: look.says})
		})
		if err != nil {
			return fmt.Errorf("read the rows: %w", err)
		}
	}
	return nil
}

// tell repairs a finding, if that is asked for and safe, and reports it.
func (c *Checker) tell(ctx context.Context, f *Finding) error {
	if c.Repair && f.Kind.Wrong() {
		if err := c.repair(ctx, f); err != nil {
			return err
		}
	}
	c.summary.Found[f.Kind]++
	switch {
	case f.Kind == Unchecked:
		c.summary.Unchecked++
	case f.Repaired != "":
		c.summary.Repaired++
	case f.Kind.Wrong():
		c.summary.Wrong++
	}
	if c.Found == nil {
		return nil
	}
	return c.Found(*f)
}
