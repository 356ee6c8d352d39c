package transfer

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// ItemStore is what describing items needs of the database.
type ItemStore interface {
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Items(ctx context.Context, f meta.ItemFilter) ([]media.Item, error)
	Renditions(ctx context.Context, id media.ItemID) ([]media.RenditionRow, error)
	JobsOf(ctx context.Context, id media.ItemID) ([]meta.Job, error)
	Patient(ctx context.Context, id media.PatientID) (media.Patient, error)
}

// Items describes items, without their pictures.
type Items struct {
	Gate  GateStore
	Store ItemStore
	Ring  *keyring.Ring
	Films bool // this server can make posters and playable forms of videos
}

// ItemView is an item with its fields opened.
type ItemView struct {
	media.Item
	BodySite, Note string
	Receipt        media.Receipt
	Renditions     []media.RenditionRow
	Deriving       Deriving
	Relation       access.Relation // in which who asked stands to it now
	Patient        *Patient        // only in a single description
	ConsentDetail  string
}

// List gives a page of the items that who may see described, newest first,
// and whether there are more. The filter's Visible is set here, whatever it
// was.
func (s *Items) List(ctx context.Context, who access.Principal, f meta.ItemFilter) ([]ItemView, bool, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ListItems); err != nil {
		return nil, false, err
	}
	f.Visible = meta.Visibility{
		All:    access.Decide(who, access.DescribeItem, 0) == access.Allow,
		Person: who.Person.ID, Teams: who.Teams, Role: who.Person.Role,
	}
	limit := min(max(f.Limit, 1), 200)
	f.Limit = limit + 1
	rows, err := s.Store.Items(ctx, f)
	if err != nil {
		return nil, false, down(fmt.Errorf("list the items: %w", err))
	}
	more := len(rows) > limit
	if more {
		rows = rows[:limit]
	}
	out := make([]ItemView, 0, len(rows))
	for _, it := range rows {
		v, err := s.open(ctx, who, it)
		if err != nil {
			return nil, false, err
		}
		out = append(out, v)
	}
	ev := audit.NewEvent(audit.ItemsListed, who, audit.Subject{Patient: string(f.Patient), Case: string(f.Case), Team: string(f.Team)}).With("count", strconv.Itoa(len(out)))
	return out, more, (gate{s.Gate}).record(ctx, ev)
}

// Describe gives one item with its patient, renditions and receipt.
func (s *Items) Describe(ctx context.Context, who access.Principal, id media.ItemID) (ItemView, error) {
	deriving, unknown := s.deriving(ctx, id) // before the rest, which then has all that this calls done
	it, err := findItem(ctx, s.Store, gate{s.Gate}, who, access.DescribeItem, id)
	if err == nil {
		err = unknown
	}
	if err != nil {
		return ItemView{}, err
	}
	v, err := s.open(ctx, who, it)
	if err != nil {
		return v, err
	}
	v.Deriving = deriving
	if v.Renditions, err = s.Store.Renditions(ctx, id); err != nil {
		return v, down(fmt.Errorf("list the renditions: %w", err))
	}
	row, err := s.Store.Patient(ctx, it.Patient)
	if err != nil {
		return v, down(fmt.Errorf("find the patient: %w", err))
	}
	p, err := PatientFinder{nil, s.Ring}.open(row)
	if err != nil {
		return v, err
	}
	v.Patient = &p
	return v, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.ItemDescribed, who, audit.Subject{Item: string(id), Patient: string(it.Patient)}))
}

// SignedReceipt is a receipt with the signed manifest that vouches for it, both
// as JSON. keyring.VerifyReceipt checks them offline.
type SignedReceipt struct{ Receipt, Signed []byte }

// Receipt gives what sanitising removed from an item, signed.
func (s *Items) Receipt(ctx context.Context, who access.Principal, id media.ItemID) (SignedReceipt, error) {
	it, err := findItem(ctx, s.Store, gate{s.Gate}, who, access.DescribeItem, id)
	if err != nil {
		return SignedReceipt{}, err
	}
	f := fields{ring: s.Ring, table: "items", row: string(it.ID)}
	out := SignedReceipt{[]byte(f.open("receipt", it.Receipt)), []byte(f.open("manifest", it.Manifest))}
	if f.err != nil {
		return SignedReceipt{}, f.err
	}
	return out, (gate{s.Gate}).record(ctx, audit.NewEvent(audit.ItemDescribed, who, audit.Subject{Item: string(id), Patient: string(it.Patient)}).With("part", "receipt"))
}

// Deriving is how far the making of an item's renditions is.
type Deriving struct {
	State    string   // "none", "done", "waiting", "failed", or "unavailable": no video tool here
	Reason   string   // a code, when it failed
	Progress *float64 // from 0 to 1, of what is being made now, if it is known
}

// deriving sums up an item's jobs: what failed is said first, then what is
// still to come.
func (s *Items) deriving(ctx context.Context, id media.ItemID) (Deriving, error) {
	jobs, err := s.Store.JobsOf(ctx, id)
	if err != nil {
		return Deriving{}, down(fmt.Errorf("list the jobs: %w", err))
	}
	out := Deriving{State: "none"}
	for _, j := range jobs {
		switch {
		case j.State == meta.JobDead:
			return Deriving{State: "failed", Reason: j.LastError}, nil
		case j.State == meta.JobReady && (j.Kind == PosterJob || j.Kind == PlayableJob) && !s.Films:
			out = Deriving{State: "unavailable"}
		case j.State == meta.JobReady:
			out = Deriving{State: "waiting"}
			if j.Progress > 0 {
				share := float64(j.Progress) / 1000
				out.Progress = &share
			}
		case out.State == "none":
			out.State = "done"
		}
	}
	return out, nil
}

func (s *Items) open(ctx context.Context, who access.Principal, it media.Item) (ItemView, error) {
	rel, err := (gate{s.Gate}).relation(ctx, who, it)
	if err != nil {
		return ItemView{}, down(err)
	}
	if !it.DestroyedAt.IsZero() { // nothing that was written about it is left
		return ItemView{Item: it, Relation: rel}, nil
	}
	f := fields{ring: s.Ring, table: "items", row: string(it.ID)}
	v := ItemView{Item: it, Relation: rel, BodySite: f.open("body_site", it.BodySite), Note: f.open("note", it.Note)}
	if len(it.ConsentDetail) > 0 { // items from before it was asked for have none
		v.ConsentDetail = f.open("consent_detail", it.ConsentDetail)
	}
	if f.err != nil {
		return v, f.err
	}
	v.Receipt, err = openReceipt(s.Ring, it)
	return v, err
}

// itemFinder is the one method that findItem needs.
type itemFinder interface {
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
}

// findItem finds an item and decides access to it. What does not exist and
// what may not be seen look the same to the caller, unless their role could
// never see it.
func findItem(ctx context.Context, store itemFinder, g gate, who access.Principal, a access.Action, id media.ItemID) (media.Item, error) {
	if err := g.role(ctx, who, a); err != nil {
		return media.Item{}, err
	}
	if !media.ValidID(string(id)) {
		return media.Item{}, errNoItem
	}
	it, err := store.Item(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return media.Item{}, errNoItem
	}
	if err != nil {
		return media.Item{}, down(fmt.Errorf("find the item: %w", err))
	}
	if err := g.item(ctx, who, a, it); err != nil {
		return it, err
	}
	if !it.DestroyedAt.IsZero() {
		return it, fault.New(fault.Gone, "item-destroyed", words.Say("This was destroyed on {day}. The records team holds the certificate.", words.Date(it.DestroyedAt)))
	}
	return it, nil
}

// ItemFilter chooses the items to list.
type ItemFilter = meta.ItemFilter
