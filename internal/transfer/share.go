package transfer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// LinkStore is what sharing needs of the database, besides the gate.
type LinkStore interface {
	AddLink(ctx context.Context, l link.Link, liveFor time.Duration, ev audit.Event) (link.Link, error)
	LinksMadeBy(ctx context.Context, p access.PersonID) ([]link.Link, error)
	Link(ctx context.Context, id link.ID) (link.Link, error)
	RevokeLink(ctx context.Context, id link.ID, ev audit.Event) error
	RevokeLinksTo(ctx context.Context, by, to access.PersonID, ev audit.Event) (int, error)
}

// RedeemStore is what opening a link needs of the database, besides the gate.
type RedeemStore interface {
	LinkBySecret(ctx context.Context, hash []byte) (link.Link, error)
	Redeem(ctx context.Context, id link.ID, g link.Grant, grantFor time.Duration, ev audit.Event) (link.Grant, error)
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
}

// AudienceStore checks that an audience exists.
type AudienceStore interface {
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	Team(ctx context.Context, id access.TeamID) (meta.Team, error)
}

// Links makes, lists, opens and revokes links.
type Links struct {
	Gate     GateStore
	Store    LinkStore
	Redeem   RedeemStore
	Audience AudienceStore
	Ring     *keyring.Ring
}

// LinkOrder is a link to make. The zero For is link.DefaultFor, the zero Uses is one.
type LinkOrder struct {
	Audience link.Audience
	Purpose  string
	For      time.Duration
	Uses     int
}

// LinkView is a link with its purpose opened.
type LinkView struct {
	link.Link
	Purpose string
}

// Make makes a link to an item. The secret is returned this once; only its
// hash is kept.
func (s *Links) Make(ctx context.Context, who access.Principal, id media.ItemID, o LinkOrder) (token.Secret, LinkView, error) {
	it, err := findItem(ctx, s.Redeem, gate{s.Gate}, who, access.MakeLink, id)
	if err != nil {
		return "", LinkView{}, err
	}
	if err := s.check(ctx, &o); err != nil {
		return "", LinkView{}, err
	}
	secret, hash := token.Mint(token.Link)
	l := link.Link{ID: link.NewID(), SecretHash: hash, Item: it.ID, CreatedBy: who.Person.ID, Audience: o.Audience, Uses: o.Uses, UsesLeft: o.Uses}
	f := fields{ring: s.Ring, table: "links", row: string(l.ID)}
	if l.Purpose = f.seal("purpose", o.Purpose); f.err != nil {
		return "", LinkView{}, f.err
	}
	subject := audit.Subject{Link: string(l.ID), Item: string(it.ID), Patient: string(it.Patient)}
	switch o.Audience.Kind {
	case link.ToPerson:
		subject.Person = o.Audience.ID
	case link.ToTeam:
		subject.Team = o.Audience.ID
	}
	ev := audit.NewEvent(audit.LinkMade, who, subject).With("audience", string(o.Audience.Kind)).
		With("seconds", strconv.Itoa(int(o.For/time.Second))).With("uses", strconv.Itoa(o.Uses))
	if o.Audience.Kind == link.ToRole {
		ev = ev.With("role", o.Audience.ID)
	}
	if l, err = s.Store.AddLink(ctx, l, o.For, ev); err != nil {
		return "", LinkView{}, down(fmt.Errorf("make the link: %w", err))
	}
	return secret, LinkView{l, o.Purpose}, nil
}

// check completes an order and refuses what is wrong with it.
func (s *Links) check(ctx context.Context, o *LinkOrder) error {
	if o.For == 0 {
		o.For = link.DefaultFor
	}
	if o.Uses == 0 {
		o.Uses = 1
	}
	o.Purpose = strings.TrimSpace(o.Purpose)
	switch {
	case o.For < time.Second || o.For > link.MaxFor:
		return fault.New(fault.Invalid, "link-time", "A link can live from 1 second to 72 hours. Choose a time in between.").In("ttl_seconds")
	case o.Uses < 1 || o.Uses > link.MaxUses:
		return fault.New(fault.Invalid, "link-uses", "A link can be opened from 1 to 100 times. Choose a number in between.").In("uses")
	case o.Purpose == "" || utf8.RuneCountInString(o.Purpose) > 500:
		return fault.New(fault.Invalid, "link-purpose", "Say in a few words (at most 500 characters) what the link is for, for example: advice on dressing.").In("purpose")
	}
	return checkAudience(ctx, s.Audience, o.Audience)
}

// checkAudience refuses an audience that nobody is in.
func checkAudience(ctx context.Context, store AudienceStore, a link.Audience) error {
	unknown := fault.New(fault.Invalid, "audience", "Say whom it is for: an active member of staff, a team, or the role clinician or consultant.").In("audience")
	switch a.Kind {
	case link.ToPerson:
		p, err := store.Person(ctx, access.PersonID(a.ID))
		if errors.Is(err, meta.ErrNotFound) || err == nil && p.Suspended {
			return unknown
		}
		return down(err)
	case link.ToTeam:
		_, err := store.Team(ctx, access.TeamID(a.ID))
		if errors.Is(err, meta.ErrNotFound) {
			return unknown
		}
		return down(err)
	case link.ToRole:
		if r := access.Role(a.ID); r == access.Clinician || r == access.Consultant {
			return nil
		}
	}
	return unknown
}

// Mine lists who's live links, newest first.
func (s *Links) Mine(ctx context.Context, who access.Principal) ([]LinkView, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.ListLinks); err != nil {
		return nil, err
	}
	rows, err := s.Store.LinksMadeBy(ctx, who.Person.ID)
	if err != nil {
		return nil, down(fmt.Errorf("list the links: %w", err))
	}
	out := make([]LinkView, 0, len(rows))
	for _, l := range rows {
		v, err := s.open(l)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (s *Links) open(l link.Link) (LinkView, error) {
	f := fields{ring: s.Ring, table: "links", row: string(l.ID)}
	return LinkView{l, f.open("purpose", l.Purpose)}, f.err
}

// Revoke ends a link and its grants at once. Whoever may make links to the
// item may end them.
func (s *Links) Revoke(ctx context.Context, who access.Principal, id link.ID) error {
	if err := (gate{s.Gate}).role(ctx, who, access.RevokeLink); err != nil {
		return err
	}
	if !media.ValidID(string(id)) {
		return errNoItem
	}
	l, err := s.Store.Link(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return errNoItem
	}
	if err != nil {
		return down(fmt.Errorf("find the link: %w", err))
	}
	if _, err := findItem(ctx, s.Redeem, gate{s.Gate}, who, access.RevokeLink, l.Item); err != nil {
		return err
	}
	ev := audit.NewEvent(audit.LinkRevoked, who, audit.Subject{Link: string(id), Item: string(l.Item)})
	return down(s.Store.RevokeLink(ctx, id, ev))
}

// RevokeTo ends every live link that who made for one person, and says how
// many.
func (s *Links) RevokeTo(ctx context.Context, who access.Principal, to access.PersonID) (int, error) {
	if err := (gate{s.Gate}).role(ctx, who, access.RevokeLink); err != nil {
		return 0, err
	}
	if _, err := s.Audience.Person(ctx, to); errors.Is(err, meta.ErrNotFound) {
		return 0, fault.New(fault.Invalid, "person-unknown", "There is no such member of staff.").In("person")
	}
	ev := audit.NewEvent(audit.LinkRevoked, who, audit.Subject{Person: string(to)}).With("scope", "all-to-person")
	n, err := s.Store.RevokeLinksTo(ctx, who.Person.ID, to, ev)
	return n, down(err)
}

// Visit tells a signed-in person of the audience what a link is, without
// opening it: nothing is used up and no picture is shown.
func (s *Links) Visit(ctx context.Context, who access.Principal, secret string) (LinkView, error) {
	l, err := s.admit(ctx, who, secret)
	if err != nil {
		return LinkView{}, err
	}
	v, err := s.open(l)
	if err != nil {
		return LinkView{}, err
	}
	ev := audit.NewEvent(audit.LinkVisited, who, audit.Subject{Link: string(l.ID), Item: string(l.Item)})
	return v, (gate{s.Gate}).record(ctx, ev)
}

// Open turns a link into a grant for who's session. Of any number of people
// who open a link at once, no more succeed than it has uses: that is decided
// in one transaction on the database's clock.
func (s *Links) Open(ctx context.Context, who access.Principal, secret string) (link.Grant, error) {
	l, err := s.admit(ctx, who, secret)
	if err != nil {
		return link.Grant{}, err
	}
	subject := audit.Subject{Link: string(l.ID), Item: string(l.Item)}
	g := link.Grant{ID: link.NewGrantID(), Link: l.ID, Item: l.Item, Person: who.Person.ID, Session: who.Session}
	subject.Grant = string(g.ID)
	g, err = s.Redeem.Redeem(ctx, l.ID, g, link.GrantFor, audit.NewEvent(audit.LinkOpened, who, subject))
	switch {
	case errors.Is(err, meta.ErrExpired), errors.Is(err, meta.ErrRevoked), errors.Is(err, meta.ErrSpent):
		subject.Grant = ""
		return link.Grant{}, errors.Join(ended(err), (gate{s.Gate}).record(ctx, audit.NewEvent(audit.LinkRefused, who, subject).With("reason", reason(err))))
	case err != nil:
		return link.Grant{}, down(fmt.Errorf("open the link: %w", err))
	}
	return g, nil
}

// admit finds a link by its secret and decides access: the role, and being in
// the audience. The secret alone gives nothing.
func (s *Links) admit(ctx context.Context, who access.Principal, secret string) (link.Link, error) {
	g := gate{s.Gate}
	if err := g.role(ctx, who, access.OpenLink); err != nil {
		return link.Link{}, err
	}
	hash, err := token.Hash(secret, token.Link)
	if err == nil {
		var l link.Link
		if l, err = s.Redeem.LinkBySecret(ctx, hash); err == nil {
			return l, s.included(ctx, who, l)
		}
		if !errors.Is(err, meta.ErrNotFound) {
			return link.Link{}, down(fmt.Errorf("find the link: %w", err))
		}
	}
	return link.Link{}, errors.Join(
		fault.New(fault.NotFound, "link-unknown", "This is not a link that is known here. Check that the whole link was copied, or ask for a new one."),
		g.record(ctx, audit.NewEvent(audit.LinkRefused, who, audit.Subject{}).With("reason", "unknown")))
}

func (s *Links) included(ctx context.Context, who access.Principal, l link.Link) error {
	var rel access.Relation
	if l.Audience.Includes(who) {
		rel = access.Referred
	}
	if access.Decide(who, access.OpenLink, rel) == access.Allow {
		return nil
	}
	ev := audit.NewEvent(audit.LinkRefused, who, audit.Subject{Link: string(l.ID), Item: string(l.Item)}).With("reason", "not-addressed")
	return errors.Join(
		fault.New(fault.Denied, "link-not-for-you", "This link was made for somebody else, and holding it is not enough. Ask whoever sent it to make one for you."),
		(gate{s.Gate}).record(ctx, ev))
}

func reason(err error) string {
	switch {
	case errors.Is(err, meta.ErrExpired):
		return "expired"
	case errors.Is(err, meta.ErrRevoked):
		return "revoked"
	}
	return "used-up"
}

func ended(err error) error {
	switch reason(err) {
	case "expired":
		return fault.New(fault.Gone, "link-expired", "This link has expired. Ask whoever sent it for a new one.")
	case "revoked":
		return fault.New(fault.Gone, "link-revoked", "This link was revoked. Ask whoever sent it if you still need the picture.")
	}
	return fault.New(fault.Gone, "link-used", "This link has been used up. Ask whoever sent it for a new one.")
}
