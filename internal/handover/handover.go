// Package handover is how items whose time has come go to another organisation
// instead of being destroyed here at once: one person proposes it and names the
// organisation's public key, another approves, and the first fetches a package
// that only that organisation can open. Once it has confirmed the package, the
// items are destroyed like all others, by package disposal.
package handover

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/referral"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Store is what handovers need of the database.
type Store interface {
	transfer.GateStore
	Now(ctx context.Context) (time.Time, error)
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Patient(ctx context.Context, id media.PatientID) (media.Patient, error)
	Case(ctx context.Context, id media.CaseID) (media.Case, error)
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	Teams(ctx context.Context) ([]meta.Team, error)
	Rendition(ctx context.Context, id media.ItemID, r media.Rendition) (media.RenditionRow, media.WrappedKey, error)
	Annotations(ctx context.Context, item media.ItemID, history bool) ([]media.Annotation, error)
	ReferralsAbout(ctx context.Context, item media.ItemID) ([]referral.Referral, error)
	ReferralItems(ctx context.Context, id referral.ID) ([]media.Item, error)
	Messages(ctx context.Context, id referral.ID) ([]referral.Message, error)
	AddHandover(ctx context.Context, h retention.Handover, items []media.ItemID, ev audit.Event) error
	ApproveHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, words media.Sealed, ev audit.Event) error
	EndHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, words media.Sealed, ev audit.Event) error
	SendHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, events []audit.Event) error
	ConfirmHandover(ctx context.Context, id retention.HandoverID, by access.PersonID, confirmation media.Sealed, ev audit.Event) error
	Handover(ctx context.Context, id retention.HandoverID) (retention.Handover, error)
	Handovers(ctx context.Context, after retention.HandoverID, limit int) ([]retention.Handover, error)
	HandoverItems(ctx context.Context, id retention.HandoverID) ([]media.ItemID, error)
}

// Desk proposes, approves, packs and confirms. It is safe for concurrent use.
type Desk struct {
	Store        Store
	Ring         *keyring.Ring
	Objects      blob.Reader
	StepUp       func(ctx context.Context, who access.Principal) error // refuses who has not just proved who they are
	Clock        func() time.Time
	Organisation string // as statements name the one that hands over
}

func (d *Desk) guard() transfer.Guard { return transfer.Guard{Store: d.Store} }

// MostItems is how many items one handover may have.
const MostItems = 1000

// New is a handover to propose.
type New struct {
	Items     []media.ItemID
	Receiver  string // the organisation
	Recipient string // its age recipient, X25519 or hybrid
	Reason    string
}

// View is a handover with its texts opened.
type View struct {
	retention.Handover
	Receiver, Reason, Decision string
	Confirmation               retention.Confirmation
	Lines                      []Line // of one that is shown by itself
}

// Line is one item of a handover.
type Line struct {
	Item     media.ItemID
	Patient  media.PatientID
	BodySite string // empty once it was destroyed
	FiledAt  time.Time
	Gone     bool
}

// Propose names the organisation that items whose time has come shall go to.
func (d *Desk) Propose(ctx context.Context, who access.Principal, n New) (retention.HandoverID, error) {
	if err := d.guard().Role(ctx, who, access.ProposeHandover); err != nil {
		return "", err
	}
	if err := transfer.Chosen(n.Items, MostItems, words.Say("A handover has at most {n} pictures. Split it.", MostItems)); err != nil {
		return "", err
	}
	if n.Receiver = strings.TrimSpace(n.Receiver); n.Receiver == "" || utf8.RuneCountInString(n.Receiver) > 200 {
		return "", fault.New(fault.Invalid, "receiver-missing", "Name the organisation that these go to, in 1 to 200 characters.").In("receiver")
	}
	to, err := archive.ParseParty(n.Recipient)
	if err != nil {
		return "", fault.New(fault.Invalid, "recipient-form", "Paste the organisation’s age recipient: one line that starts with age1. Never a line that starts with AGE-SECRET-KEY.").In("recipient").With(err)
	}
	if n.Reason, err = transfer.Written(n.Reason, "reason", true); err != nil {
		return "", err
	}
	h := retention.Handover{ID: retention.NewHandoverID(), Recipient: to.String(), ProposedBy: who.Person.ID}
	f := transfer.FieldsOf(d.Ring, "handovers", string(h.ID))
	h.Receiver, h.Reason = f.Seal("receiver", n.Receiver), f.Seal("reason", n.Reason)
	if f.Err() != nil {
		return "", f.Err()
	}
	ev := audit.NewEvent(audit.HandoverProposed, who, audit.Subject{Handover: string(h.ID)}).With("items", strconv.Itoa(len(n.Items)))
	err = d.Store.AddHandover(ctx, h, n.Items, ev)
	if errors.Is(err, meta.ErrNotEligible) || errors.Is(err, meta.ErrExists) {
		return "", fault.New(fault.Conflict, "not-eligible", "At least one of these cannot be handed over: it is under a hold, its time has not come, or a batch or another handover has it. Nothing was proposed; open the list again.").With(err)
	}
	return h.ID, transfer.Gone(err)
}

// Approve is the second person's yes, after they have proved once more who
// they are.
func (d *Desk) Approve(ctx context.Context, who access.Principal, id retention.HandoverID, words string) error {
	if err := d.guard().Role(ctx, who, access.ApproveHandover); err != nil {
		return err
	}
	h, err := d.find(ctx, id)
	if err != nil {
		return err
	}
	if err := transfer.Second(who, h.ProposedBy); err != nil {
		return err
	}
	if err := d.StepUp(ctx, who); err != nil {
		return err
	}
	sealed, err := transfer.Decision(d.Ring, "handovers", string(id), words, false)
	if err != nil {
		return err
	}
	return decided(d.Store.ApproveHandover(ctx, id, who.Person.ID, sealed, audit.NewEvent(audit.HandoverApproved, who, audit.Subject{Handover: string(id)})))
}

// End refuses a handover, or takes it back: what is in it is due again. What
// the receiver has it keeps.
func (d *Desk) End(ctx context.Context, who access.Principal, id retention.HandoverID, words string) error {
	if err := d.guard().Role(ctx, who, access.ProposeHandover); err != nil {
		return err
	}
	if _, err := d.find(ctx, id); err != nil {
		return err
	}
	sealed, err := transfer.Decision(d.Ring, "handovers", string(id), words, true)
	if err != nil {
		return err
	}
	return decided(d.Store.EndHandover(ctx, id, who.Person.ID, sealed, audit.NewEvent(audit.HandoverEnded, who, audit.Subject{Handover: string(id)})))
}

func decided(err error) error {
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.Conflict, "handover-decided", "This handover has been decided already, or is over.").With(err)
	}
	return transfer.Down(err)
}

// Confirm records what the receiver said of the package. From then on what is
// in it can be proposed for destruction.
func (d *Desk) Confirm(ctx context.Context, who access.Principal, id retention.HandoverID, c retention.Confirmation) error {
	if err := d.guard().Role(ctx, who, access.ProposeHandover); err != nil {
		return err
	}
	h, err := d.find(ctx, id)
	if err != nil {
		return err
	}
	on, err := time.Parse(time.DateOnly, c.On)
	switch {
	case err != nil:
		return fault.New(fault.Invalid, "day-form", "Enter the day as YYYY-MM-DD, for example 2026-03-27.").In("on")
	case on.After(d.Clock().UTC().AddDate(0, 0, 1)):
		return fault.New(fault.Invalid, "day-future", "This day has not come yet. Record it when it has.").In("on")
	case h.SentAt.IsZero():
		return fault.New(fault.Conflict, "not-sent", "The package has not been fetched yet, so nobody can have it.")
	}
	if c.By, err = transfer.Written(c.By, "confirmed_by", true); err != nil {
		return err
	}
	if c.Reference, err = transfer.Written(c.Reference, "reference", true); err != nil {
		return err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	f := transfer.FieldsOf(d.Ring, "handovers", string(id))
	sealed := f.Seal("confirmation", string(text))
	if f.Err() != nil {
		return f.Err()
	}
	return decided(d.Store.ConfirmHandover(ctx, id, who.Person.ID, sealed, audit.NewEvent(audit.HandoverConfirmed, who, audit.Subject{Handover: string(id)})))
}

// AtOnce is how many handovers are listed at once.
const AtOnce = 100

// List lists handovers, newest first, older than after.
func (d *Desk) List(ctx context.Context, who access.Principal, after retention.HandoverID) ([]View, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return nil, err
	}
	rows, err := d.Store.Handovers(ctx, after, AtOnce)
	if err != nil {
		return nil, transfer.Down(err)
	}
	out := make([]View, 0, len(rows))
	for _, h := range rows {
		v, err := d.open(h)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{}).With("what", "handovers"))
}

// Show gives one handover with what is in it.
func (d *Desk) Show(ctx context.Context, who access.Principal, id retention.HandoverID) (View, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return View{}, err
	}
	h, err := d.find(ctx, id)
	if err != nil {
		return View{}, err
	}
	v, err := d.open(h)
	if err != nil {
		return v, err
	}
	items, err := d.Store.HandoverItems(ctx, id)
	if err != nil {
		return v, transfer.Down(err)
	}
	for _, item := range items {
		it, err := d.Store.Item(ctx, item)
		if err != nil {
			return v, transfer.Gone(err)
		}
		f := transfer.FieldsOf(d.Ring, "items", string(item))
		v.Lines = append(v.Lines, Line{item, it.Patient, f.Open("body_site", it.BodySite), it.FiledAt, !it.DestroyedAt.IsZero()})
		if f.Err() != nil {
			return v, f.Err()
		}
	}
	return v, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{Handover: string(id)}).With("what", "handover"))
}

func (d *Desk) find(ctx context.Context, id retention.HandoverID) (retention.Handover, error) {
	if !media.ValidID(string(id)) {
		return retention.Handover{}, transfer.Gone(meta.ErrNotFound)
	}
	h, err := d.Store.Handover(ctx, id)
	return h, transfer.Gone(err)
}

func (d *Desk) open(h retention.Handover) (View, error) {
	f := transfer.FieldsOf(d.Ring, "handovers", string(h.ID))
	v := View{Handover: h, Receiver: f.Open("receiver", h.Receiver), Reason: f.Open("reason", h.Reason), Decision: f.Open("decision", h.Decision)}
	text := f.Open("confirmation", h.Confirmation)
	if f.Err() != nil || text == "" {
		return v, f.Err()
	}
	return v, json.Unmarshal([]byte(text), &v.Confirmation)
}
