package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/notice"
	"github.com/wardseal/wardseal/internal/referral"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// ReferralStore is what the conversation about pictures needs of the database,
// besides the gate.
type ReferralStore interface {
	itemFinder
	AddReferral(ctx context.Context, r referral.Referral, items []media.ItemID, ev audit.Event) (referral.Referral, error)
	Referral(ctx context.Context, id referral.ID, reader access.PersonID) (referral.Referral, error)
	ReadReferral(ctx context.Context, id referral.ID, by access.PersonID, asked bool, ev audit.Event) error
	AddMessage(ctx context.Context, id referral.ID, m referral.Message, from, to referral.State, items []media.ItemID, tell meta.Notify, ev audit.Event) error
	Messages(ctx context.Context, id referral.ID) ([]referral.Message, error)
	ReferralItems(ctx context.Context, id referral.ID) ([]media.Item, error)
	Referrals(ctx context.Context, f meta.ReferralFilter) ([]referral.Referral, error)
	CountReferrals(ctx context.Context, f meta.ReferralFilter) (int, error)
	Patient(ctx context.Context, id media.PatientID) (media.Patient, error)
}

// Referrals asks questions about pictures and carries the answers.
type Referrals struct {
	Gate     GateStore
	Store    ReferralStore
	Audience AudienceStore
	Ring     *keyring.Ring
	Clock    func() time.Time
	Overdue  time.Duration // a question that nobody has opened for this long is marked
}

// ReferralView is a referral with its text and patient opened. Messages and
// Items are only in a single one.
type ReferralView struct {
	referral.Referral
	Question string
	Patient  *Patient
	Side     referral.Side // on which who asked stands
	Unread   bool          // by who looks, since the last message
	Unopened bool          // by everybody whom it asks, since the last message
	Overdue  bool          // and that for too long
	Messages []MessageView
	Items    []ItemView
}

// MessageView is a message with its text opened.
type MessageView struct {
	referral.Message
	Text string
}

// Ask asks somebody about items, which must be of one patient and one team.
// They may see the items from now until the referral is closed.
func (s *Referrals) Ask(ctx context.Context, who access.Principal, ids []media.ItemID, to link.Audience, question string) (ReferralView, error) {
	items, err := s.pick(ctx, who, access.MakeReferral, ids)
	if err != nil {
		return ReferralView{}, err
	}
	if question, err = written(question, "question", true); err != nil {
		return ReferralView{}, err
	}
	if err := checkAudience(ctx, s.Audience, to); err != nil {
		return ReferralView{}, err
	}
	r := referral.Referral{ID: referral.NewID(), Patient: items[0].Patient, Team: items[0].Team, AskedBy: who.Person.ID, Audience: to, State: referral.Waiting}
	f := fields{ring: s.Ring, table: "referrals", row: string(r.ID)}
	if r.Question = f.seal("question", question); f.err != nil {
		return ReferralView{}, f.err
	}
	ev := audit.NewEvent(audit.ReferralMade, who, subjectOf(r)).With("audience", string(to.Kind)).With("items", strconv.Itoa(len(ids)))
	if to.Kind == link.ToRole {
		ev = ev.With("role", to.ID)
	}
	if r, err = s.Store.AddReferral(ctx, r, ids, ev); err != nil {
		return ReferralView{}, down(fmt.Errorf("ask: %w", err))
	}
	return s.open(ctx, who, r)
}

// subjectOf names a referral and whom it asks.
func subjectOf(r referral.Referral) audit.Subject {
	subject := audit.Subject{Referral: string(r.ID), Patient: string(r.Patient)}
	switch r.Audience.Kind {
	case link.ToPerson:
		subject.Person = r.Audience.ID
	case link.ToTeam:
		subject.Team = r.Audience.ID
	}
	return subject
}

// pick finds the items of a referral and decides access to each.
func (s *Referrals) pick(ctx context.Context, who access.Principal, a access.Action, ids []media.ItemID) ([]media.Item, error) {
	if err := (gate{s.Gate}).role(ctx, who, a); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > referral.MaxItems {
		return nil, fault.New(fault.Invalid, "items", words.Say("Choose from 1 to {n} pictures.", referral.MaxItems)).In("items")
	}
	var items []media.Item
	for _, id := range ids {
		it, err := findItem(ctx, s.Store, gate{s.Gate}, who, a, id)
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
	if slices.ContainsFunc(items, func(it media.Item) bool { return it.Patient != items[0].Patient || it.Team != items[0].Team }) {
		return nil, fault.New(fault.Invalid, "items-mixed", "These pictures are not all of one patient and one team. Ask about them one patient at a time.").In("items")
	}
	return items, nil
}

// written checks free text.
func written(text, field string, needed bool) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "" && needed:
		return "", fault.New(fault.Invalid, field+"-missing", "Write a few words.").In(field)
	case utf8.RuneCountInString(text) > referral.MaxText:
		return "", fault.New(fault.Invalid, field+"-long", words.Say("Keep this to {n} characters.", referral.MaxText)).In(field)
	}
	return text, nil
}

// find finds a referral and decides access to it.
func (s *Referrals) find(ctx context.Context, who access.Principal, a access.Action, id referral.ID) (referral.Referral, referral.Side, error) {
	g := gate{s.Gate}
	if err := g.role(ctx, who, a); err != nil {
		return referral.Referral{}, 0, err
	}
	if !media.ValidID(string(id)) {
		return referral.Referral{}, 0, errNoItem
	}
	r, err := s.Store.Referral(ctx, id, who.Person.ID)
	if errors.Is(err, meta.ErrNotFound) {
		return r, 0, errNoItem
	}
	if err != nil {
		return r, 0, down(fmt.Errorf("find the referral: %w", err))
	}
	rel, side := standing(who, r)
	return r, side, g.refuse(ctx, who, a, access.Decide(who, a, rel), audit.Subject{Referral: string(id), Patient: string(r.Patient)})
}

// standing is how a person stands to a referral.
func standing(who access.Principal, r referral.Referral) (rel access.Relation, side referral.Side) {
	if r.AskedBy == who.Person.ID {
		rel, side = rel|access.Uploader, side|referral.Asking
	}
	if who.In(r.Team) {
		rel, side = rel|access.SameTeam, side|referral.Asking
	}
	if r.Audience.Includes(who) {
		rel, side = rel|access.Asked, side|referral.Asked
	}
	return rel, side
}

// Read gives a referral with its thread and items, and records that who read
// it. It shows no picture.
func (s *Referrals) Read(ctx context.Context, who access.Principal, id referral.ID) (ReferralView, error) {
	r, side, err := s.find(ctx, who, access.ReadReferral, id)
	if err != nil {
		return ReferralView{}, err
	}
	v, err := s.open(ctx, who, r)
	if err != nil {
		return v, err
	}
	if err := s.thread(ctx, who, &v); err != nil {
		return v, err
	}
	ev := audit.NewEvent(audit.ReferralRead, who, audit.Subject{Referral: string(id), Patient: string(r.Patient)})
	return v, down(s.Store.ReadReferral(ctx, id, who.Person.ID, side&referral.Asked != 0, ev))
}

func (s *Referrals) open(ctx context.Context, who access.Principal, r referral.Referral) (ReferralView, error) {
	f := fields{ring: s.Ring, table: "referrals", row: string(r.ID)}
	v := ReferralView{Referral: r, Question: f.open("question", r.Question)}
	_, v.Side = standing(who, r)
	v.Unread = r.ReadAt.Before(r.ChangedAt)
	v.Unopened = r.State == referral.Waiting && r.SeenAt.Before(r.ChangedAt)
	v.Overdue = v.Unopened && s.Clock().Sub(r.ChangedAt) >= s.Overdue
	if f.err != nil {
		return v, f.err
	}
	row, err := s.Store.Patient(ctx, r.Patient)
	if errors.Is(err, meta.ErrNotFound) { // forgotten with the last of their items
		v.Patient = &Patient{ID: r.Patient, PatientDetails: media.PatientDetails{Name: "Record destroyed"}}
		return v, nil
	}
	if err != nil {
		return v, down(fmt.Errorf("find the patient: %w", err))
	}
	p, err := PatientFinder{nil, s.Ring}.open(row)
	v.Patient = &p
	return v, err
}

func (s *Referrals) thread(ctx context.Context, who access.Principal, v *ReferralView) error {
	messages, err := s.Store.Messages(ctx, v.ID)
	if err != nil {
		return down(fmt.Errorf("list the messages: %w", err))
	}
	for _, m := range messages {
		f := fields{ring: s.Ring, table: "referral_messages", row: m.ID}
		v.Messages = append(v.Messages, MessageView{m, f.open("text", m.Text)})
		if f.err != nil {
			return f.err
		}
	}
	items, err := s.Store.ReferralItems(ctx, v.ID)
	if err != nil {
		return down(fmt.Errorf("list the items: %w", err))
	}
	for _, it := range items {
		opened, err := (&Items{Gate: s.Gate, Ring: s.Ring}).open(ctx, who, it)
		if err != nil {
			return err
		}
		v.Items = append(v.Items, opened)
	}
	return nil
}

// Write adds a message of kind k to a referral; items are those to add, for
// referral.Items. What may be written depends on the state and on who writes:
// see referral.Next.
func (s *Referrals) Write(ctx context.Context, who access.Principal, id referral.ID, k referral.Kind, text string, ids []media.ItemID) error {
	r, side, err := s.find(ctx, who, access.AnswerReferral, id)
	if err != nil {
		return err
	}
	next, ok := referral.Next(r.State, k, side)
	if !ok {
		return fault.New(fault.Conflict, "referral-turn", "This cannot be done now: the question may have been closed meanwhile, or it is for the other side to do. Look at it again.")
	}
	if text, err = written(text, "text", k == referral.Answer || k == referral.AskMore || k == referral.Note); err != nil {
		return err
	}
	if k == referral.Items {
		items, err := s.pick(ctx, who, access.MakeReferral, ids)
		if err != nil {
			return err
		}
		if items[0].Patient != r.Patient || items[0].Team != r.Team {
			return fault.New(fault.Invalid, "items-mixed", "This picture is of another patient or another team than the question.").In("items")
		}
	} else if len(ids) > 0 {
		return fault.New(fault.Invalid, "items", "Pictures can only be added with a message of the kind \"items\".").In("items")
	}
	m := referral.Message{ID: uuid.Must(uuid.NewV7()).String(), Person: who.Person.ID, Kind: k}
	f := fields{ring: s.Ring, table: "referral_messages", row: m.ID}
	if m.Text = f.seal("text", text); f.err != nil {
		return f.err
	}
	ev := audit.NewEvent(audit.ReferralWritten, who, audit.Subject{Referral: string(id), Patient: string(r.Patient)}).With("kind", string(k)).With("state", string(next))
	err = s.Store.AddMessage(ctx, id, m, r.State, next, ids, telling(r, k, who), ev)
	if errors.Is(err, meta.ErrExists) {
		return fault.New(fault.Conflict, "referral-changed", "Somebody else wrote here at the same moment. Look at it again; what you wrote was not added.")
	}
	return down(err)
}

// telling says who is told of a message: the other side.
func telling(r referral.Referral, k referral.Kind, who access.Principal) meta.Notify {
	asker := link.Audience{Kind: link.ToPerson, ID: string(r.AskedBy)}
	n := meta.Notify{But: who.Person.ID}
	switch k {
	case referral.Answer:
		n.Kind, n.To = notice.Answered, asker
	case referral.AskMore:
		n.Kind, n.To = notice.More, asker
	case referral.Note, referral.Items, referral.Reopen:
		n.Kind, n.To = notice.Added, r.Audience
	}
	return n // nobody waits for a question to be closed
}

// Box is whose referrals are listed.
type Box string

const (
	ToMe Box = "to-me" // that ask who looks, their teams or their role
	Mine Box = "mine"  // that who looks asked
	Team Box = "team"  // that the teams of who looks asked
)

// ReferralOrder chooses referrals to list; the zero State is any, and the zero
// Sort the latest first.
type ReferralOrder struct {
	Box     Box
	State   referral.State
	Patient media.PatientID
	Live    bool // only those that are not closed
	Sort    referral.Order
	After   referral.ID
	Limit   int
}

func (o ReferralOrder) filter(who access.Principal) (meta.ReferralFilter, bool) {
	f := meta.ReferralFilter{Reader: who.Person.ID, Patient: o.Patient, State: o.State, Live: o.Live, Order: o.Sort, After: o.After}
	switch o.Box {
	case ToMe:
		f.To = &meta.Visibility{Person: who.Person.ID, Teams: who.Teams, Role: who.Person.Role}
	case Mine:
		f.By = who.Person.ID
	case Team:
		f.Teams = slices.Clone(who.Teams)
	default:
		return f, false
	}
	return f, true
}

// List gives referrals with their patients, in the order that is asked for, and
// whether there are more.
func (s *Referrals) List(ctx context.Context, who access.Principal, o ReferralOrder) ([]ReferralView, bool, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ListReferrals); err != nil {
		return nil, false, err
	}
	f, ok := o.filter(who)
	if !ok || o.State != "" && !o.State.Valid() || o.After != "" && !media.ValidID(string(o.After)) || o.Patient != "" && !media.ValidID(string(o.Patient)) || o.Sort != "" && !o.Sort.Valid() {
		return nil, false, fault.New(fault.Invalid, "filter-wrong", "Choose the box to-me, mine or team, a state that is known, and an order that is known.")
	}
	limit := min(max(o.Limit, 1), 100)
	f.Limit = limit + 1
	rows, err := s.Store.Referrals(ctx, f)
	if err != nil {
		return nil, false, down(fmt.Errorf("list the referrals: %w", err))
	}
	more := len(rows) > limit
	out := make([]ReferralView, 0, limit)
	for _, r := range rows[:min(len(rows), limit)] {
		v, err := s.open(ctx, who, r)
		if err != nil {
			return nil, false, err
		}
		ev := audit.NewEvent(audit.PatientShown, who, audit.Subject{Patient: string(r.Patient), Referral: string(r.ID)}).With("what", "referrals")
		if err := (gate{s.Gate}).record(ctx, ev); err != nil {
			return nil, false, err
		}
		out = append(out, v)
	}
	ev := audit.NewEvent(audit.ReferralsListed, who, audit.Subject{Patient: string(o.Patient)}).With("box", string(o.Box)).With("count", strconv.Itoa(len(out)))
	return out, more, (gate{s.Gate}).record(ctx, ev)
}

// Counts says how many referrals wait for who: to answer, and to send another
// picture to. It discloses nothing about a patient and records nothing.
func (s *Referrals) Counts(ctx context.Context, who access.Principal) (waiting, more int, err error) {
	if access.May(who, access.ListReferrals) != access.Allow {
		return 0, 0, nil
	}
	f, _ := ReferralOrder{Box: ToMe, State: referral.Waiting}.filter(who)
	if waiting, err = s.Store.CountReferrals(ctx, f); err != nil {
		return 0, 0, down(fmt.Errorf("count the referrals: %w", err))
	}
	f, _ = ReferralOrder{Box: Mine, State: referral.More}.filter(who)
	if more, err = s.Store.CountReferrals(ctx, f); err != nil {
		return 0, 0, down(fmt.Errorf("count the referrals: %w", err))
	}
	return waiting, more, nil
}
