package signin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/oidc"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// Provider is somewhere else that staff sign in (OpenID Connect), and what the
// groups that they are in there make of them here.
type Provider struct {
	ID     string // in addresses and in the audit
	Name   string // on the button
	Issuer string
	OIDC   *oidc.Provider

	Account    string   // the claim that tells people apart
	NameClaim  string   // their name
	Username   string   // what new people are called here
	Groups     string   // the claim that lists their groups
	GroupParts []string // of groups that are objects: what they are told apart by
	// Factor are claims, with values of which one says that the provider asked
	// for a second factor.
	Factor map[string][]string
	Map    []Grant
}

// Grant is what one group gives.
type Grant struct {
	Group string
	Role  access.Role // may be empty: teams alone
	Teams []string    // by name
}

// ProviderStore is what signing in elsewhere needs of the database.
type ProviderStore interface {
	Now(ctx context.Context) (time.Time, error)
	AppendEvent(ctx context.Context, ev audit.Event) error
	PersonByIdentity(ctx context.Context, at meta.Identity) (meta.Person, error)
	Person(ctx context.Context, id access.PersonID) (meta.Person, error)
	Arrive(ctx context.Context, a meta.Arrival, tell func(meta.Changed) []audit.Event) error
	IdentitiesOf(ctx context.Context, id access.PersonID) ([]meta.Identity, error)
	AddIdentity(ctx context.Context, id access.PersonID, at meta.Identity, ev audit.Event) error
	RemoveIdentity(ctx context.Context, id access.PersonID, issuer string, ev audit.Event) error
	Forsake(ctx context.Context, id access.PersonID, at meta.Identity, ev audit.Event) error
	Depart(ctx context.Context, d meta.Departure, waits time.Duration) error
	Return(ctx context.Context, provider string, state, browser []byte) (meta.Departure, error)
	LoggedOut(ctx context.Context, at meta.Identity, sid string, jti []byte, lasts time.Duration, tell func(access.PersonID, access.SessionID) audit.Event) (int, error)
	Origin(ctx context.Context, id access.SessionID) (meta.Identity, error)
	Teams(ctx context.Context) ([]meta.Team, error)
}

// Providers are where else staff may sign in. It is safe for concurrent use.
type Providers struct {
	door  *Door
	staff *Staff
	store ProviderStore
	ring  Sealer
	site  func() string
	all   []Provider
}

// NewProviders makes Providers. site is how people reach this server.
func NewProviders(door *Door, staff *Staff, store ProviderStore, ring Sealer, site func() string, all []Provider) *Providers {
	return &Providers{door: door, staff: staff, store: store, ring: ring, site: site, all: all}
}

// Choice is a provider as people choose it.
type Choice struct{ ID, Name string }

// Choices lists where one may sign in.
func (p *Providers) Choices() []Choice {
	out := make([]Choice, 0, len(p.all))
	for _, x := range p.all {
		out = append(out, Choice{x.ID, x.Name})
	}
	return out
}

const departureFor = 10 * time.Minute

// freshBy is how much earlier than a step-up began its proof may be dated:
// clocks differ, and providers count whole seconds.
const freshBy = 30 * time.Second

var errProvider = fault.New(fault.NotFound, "provider-unknown", "Nobody signs in there. Go to the sign-in page and choose from what it offers.")

func (p *Providers) find(id string) (Provider, error) {
	i := slices.IndexFunc(p.all, func(x Provider) bool { return x.ID == id })
	if i < 0 {
		return Provider{}, errProvider
	}
	return p.all[i], nil
}

// trip is what is kept, sealed, of a sign-in that went to a provider.
type trip struct {
	Nonce, Verifier, Next string
	// To step up a session that there is, or to link who comes back to its person:
	Session access.SessionID
	Person  access.PersonID
	Link    bool
}

// Going is a sign-in that goes to a provider: where the browser goes, and what
// it keeps until it is back.
type Going struct {
	URL     string
	Browser token.Secret
}

// Begin begins to sign in at a provider. next is where to go afterwards.
func (p *Providers) Begin(ctx context.Context, provider, next string) (Going, error) {
	return p.depart(ctx, provider, trip{Next: next})
}

// BeginStepUp has who prove once more who they are, where they signed in.
func (p *Providers) BeginStepUp(ctx context.Context, who access.Principal, next string) (Going, error) {
	at, err := p.Of(ctx, who)
	if err != nil {
		return Going{}, err
	}
	if at.ID == "" {
		return Going{}, fault.New(fault.Conflict, "signed-in-here", "You signed in here, with a password. Enter it once more.")
	}
	return p.depart(ctx, at.ID, trip{Next: next, Session: who.Session, Person: who.Person.ID})
}

// Of gives the provider that who signed in at; the zero Choice means here.
func (p *Providers) Of(ctx context.Context, who access.Principal) (Choice, error) {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return Choice{}, denied(d)
	}
	at, err := p.store.Origin(ctx, who.Session)
	if err != nil {
		return Choice{}, down(fmt.Errorf("look where somebody signed in: %w", err))
	}
	for _, x := range p.all {
		if x.Issuer == at.Issuer {
			return Choice{x.ID, x.Name}, nil
		}
	}
	return Choice{}, nil
}

// Left gives the address at which the session of who ends at the provider too,
// or "".
func (p *Providers) Left(ctx context.Context, who access.Principal) string {
	at, err := p.Of(ctx, who)
	if err != nil || at.ID == "" {
		return ""
	}
	x, err := p.find(at.ID)
	if err != nil {
		return ""
	}
	return x.OIDC.Left(ctx, p.site()+"/sign-in")
}

// CallbackPath is where a provider sends browsers back to.
func CallbackPath(provider string) string { return "/sign-in/with/" + provider + "/callback" }

func (p *Providers) depart(ctx context.Context, provider string, t trip) (Going, error) {
	x, err := p.find(provider)
	if err != nil {
		return Going{}, err
	}
	nonce, _ := token.Mint(token.Half)
	t.Nonce, t.Verifier = nonce.Reveal(), oidc.NewVerifier()
	state, stateHash := token.Mint(token.Half)
	browser, browserHash := token.Mint(token.Half)
	to, err := x.OIDC.Out(ctx, oidc.Trip{State: state.Reveal(), Nonce: t.Nonce, Verifier: t.Verifier, Back: p.site() + CallbackPath(x.ID), Again: t.Session != ""})
	if err != nil {
		return Going{}, unreachable(ctx, x, err)
	}
	text, err := marshal(t)
	if err != nil {
		return Going{}, err
	}
	d := meta.Departure{ID: uuid.Must(uuid.NewV7()).String(), State: stateHash, Browser: browserHash, Provider: x.ID}
	if d.Data, err = p.ring.SealField("departures", "data", d.ID, text); err != nil {
		return Going{}, fmt.Errorf("seal a sign-in: %w", err)
	}
	if err := p.store.Depart(ctx, d, departureFor); err != nil {
		return Going{}, down(fmt.Errorf("begin a sign-in elsewhere: %w", err))
	}
	return Going{to, browser}, nil
}

func unreachable(ctx context.Context, x Provider, err error) error {
	slog.ErrorContext(ctx, "a sign-in provider cannot be used", "provider", x.ID, "error", err)
	return fault.New(fault.Unavailable, "provider-down", words.Say("{provider} cannot be reached just now. Try again in a moment; if you have a password here, it still works.", x.Name)).After(30 * time.Second).With(err)
}

// Arrived is a browser that came back from a provider. Secret is that of the
// session, and empty when one was stepped up, or when Half says that a second
// step here comes next.
type Arrived struct {
	Secret token.Secret
	Half   token.Secret
	Next   string
}

// Coming is what a browser brings back.
type Coming struct {
	Provider string
	Browser  string // what it kept
	Query    url.Values
	Device   string
	Request  string
}

var errReturn = fault.New(fault.Gone, "sign-in-over", "This sign-in took longer than ten minutes, was finished already, or began in another browser. Start again here.")

// Finish takes a browser back. It signs in whom the provider names, as their
// groups there say, or steps up the session that it went for.
func (p *Providers) Finish(ctx context.Context, c Coming) (Arrived, error) {
	x, err := p.find(c.Provider)
	if err != nil {
		return Arrived{}, err
	}
	d, t, err := p.back(ctx, c)
	if err != nil {
		return Arrived{}, err
	}
	nobody := access.Principal{Request: c.Request}
	said, err := x.OIDC.Back(ctx, oidc.Trip{Nonce: t.Nonce, Verifier: t.Verifier, Back: p.site() + CallbackPath(x.ID)}, c.Query)
	switch {
	case errors.Is(err, oidc.ErrRefused):
		slog.WarnContext(ctx, "a sign-in elsewhere was refused", "provider", x.ID, "request", c.Request, "error", err)
		return Arrived{}, p.refuse(ctx, x, nobody, "", "provider-refused", fault.New(fault.Denied, "provider-refused", words.Say("{provider} did not confirm who you are. Start again; if it happens again, tell your administrator.", x.Name)).With(err))
	case err != nil:
		return Arrived{}, unreachable(ctx, x, err)
	}
	account := said.Subject
	if x.Account != "sub" {
		account = said.Text(x.Account)
	}
	if account == "" || len(account) > 255 {
		return Arrived{}, p.refuse(ctx, x, nobody, "", "no-account-claim", fault.New(fault.Denied, "provider-refused", words.Say("{provider} did not say which account is yours. Tell your administrator.", x.Name)))
	}
	at := meta.Identity{Issuer: x.Issuer, Subject: account}
	o := origin{Provider: x.ID, Issuer: x.Issuer, Subject: said.Subject, SID: said.SID, Strong: said.Has(x.Factor)}
	if t.Link {
		return p.link(ctx, x, at, said, d, t, nobody)
	}
	if t.Session != "" {
		return p.proved(ctx, x, at, o, said, d, t, nobody)
	}
	return p.arrive(ctx, x, at, o, said, c, t)
}

// back finds the sign-in that a browser comes back from. It is given once.
func (p *Providers) back(ctx context.Context, c Coming) (meta.Departure, trip, error) {
	var t trip
	state, err1 := token.Hash(c.Query.Get("state"), token.Half)
	browser, err2 := token.Hash(c.Browser, token.Half)
	if err := errors.Join(err1, err2); err != nil {
		return meta.Departure{}, t, errReturn.With(err)
	}
	d, err := p.store.Return(ctx, c.Provider, state, browser)
	if errors.Is(err, meta.ErrNotFound) {
		return d, t, errReturn
	}
	if err != nil {
		return d, t, down(fmt.Errorf("find a sign-in: %w", err))
	}
	text, err := p.ring.OpenField("departures", "data", d.ID, d.Data)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	return d, t, err
}

// refuse records a refused sign-in.
func (p *Providers) refuse(ctx context.Context, x Provider, nobody access.Principal, person access.PersonID, reason string, refusal error) error {
	ev := audit.NewEvent(audit.SignInFailed, nobody, audit.Subject{Person: string(person)}).With("reason", reason).With("provider", x.ID)
	if err := p.store.AppendEvent(ctx, ev); err != nil {
		return down(fmt.Errorf("record a failed sign-in: %w", err))
	}
	return refusal
}

// proved steps up a session: the same person has proved anew who they are.
func (p *Providers) proved(ctx context.Context, x Provider, at meta.Identity, o origin, said oidc.Claims, d meta.Departure, t trip, nobody access.Principal) (Arrived, error) {
	person, err := p.store.PersonByIdentity(ctx, at)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return Arrived{}, down(fmt.Errorf("find the account: %w", err))
	}
	if person.ID != t.Person || person.Suspended {
		return Arrived{}, p.refuse(ctx, x, nobody, t.Person, "another-person", fault.New(fault.Denied, "another-person", words.Say("Somebody else signed in at {provider}. Only whoever is signed in here can prove that it is still them.", x.Name)))
	}
	if !anew(said, d) {
		return Arrived{}, p.notAnew(ctx, x, t, nobody)
	}
	has, err := p.door.factors.of(ctx, person.ID)
	if err != nil {
		return Arrived{}, err
	}
	who := access.Principal{Person: person.Person, Session: t.Session, Request: nobody.Request}
	if len(has) > 0 && !o.Strong {
		o.StepUp = t.Session
		return p.second(ctx, person.ID, o, t.Next, who)
	}
	if !o.Strong && slices.Contains(p.door.cfg.FactorFor, person.Role) {
		return Arrived{}, p.refuse(ctx, x, nobody, person.ID, "one-factor", fault.New(fault.Denied, "one-factor", words.Say("{provider} asked you for one step only, and your role needs two. Set up a second step on your account page, or ask your administrator.", x.Name)))
	}
	return Arrived{Next: t.Next}, p.door.steppedUp(ctx, who, person, spending{by: "provider"})
}

// anew reports whether the provider had somebody sign in after they went there.
func anew(said oidc.Claims, d meta.Departure) bool {
	return !said.AuthTime.IsZero() && !said.AuthTime.Before(d.StartedAt.Add(-freshBy))
}

func (p *Providers) notAnew(ctx context.Context, x Provider, t trip, nobody access.Principal) error {
	return p.refuse(ctx, x, nobody, t.Person, "not-fresh", fault.New(fault.Denied, "not-fresh", words.Say("{provider} did not ask you to sign in again, so this proves nothing. Sign out there and try again; if it happens again, tell your administrator.", x.Name)))
}

// second goes on to the second step here.
func (p *Providers) second(ctx context.Context, id access.PersonID, o origin, next string, who access.Principal) (Arrived, error) {
	err := p.door.factors.askSecond(ctx, id, o, who)
	if second := (*SecondStep)(nil); errors.As(err, &second) {
		return Arrived{Half: second.Half, Next: next}, nil
	}
	return Arrived{}, err
}

// Ended takes a provider's word that somebody has signed out there, or was
// signed out: their sessions here that came from there end.
func (p *Providers) Ended(ctx context.Context, provider, logout, request string) error {
	x, err := p.find(provider)
	if err != nil {
		return err
	}
	l, err := x.OIDC.Logout(ctx, logout)
	switch {
	case errors.Is(err, oidc.ErrRefused):
		slog.WarnContext(ctx, "a logout token was refused", "provider", x.ID, "request", request, "error", err)
		return fault.New(fault.Invalid, "logout-token", "This logout token is not right.").With(err)
	case err != nil:
		return unreachable(ctx, x, err)
	}
	now, err := p.store.Now(ctx)
	if err != nil {
		return down(err)
	}
	jti := sha256.Sum256([]byte(l.ID))
	tell := func(person access.PersonID, id access.SessionID) audit.Event {
		return audit.NewEvent(audit.SessionEnded, access.Principal{Request: request}, audit.Subject{Token: string(id), Person: string(person)}).With("provider", x.ID)
	}
	_, err = p.store.LoggedOut(ctx, meta.Identity{Issuer: x.Issuer, Subject: l.Subject}, l.SID, jti[:], max(l.Until.Sub(now), 0)+time.Hour, tell)
	if errors.Is(err, meta.ErrExists) {
		return fault.New(fault.Invalid, "logout-token", "This logout token was used already.").With(err)
	}
	return down(err)
}

// grants gives the role and the teams, by name, that groups give: the role of
// the first line of the map that fits, and the teams of all that do.
func (x Provider) grants(groups []string) (access.Role, []string) {
	var role access.Role
	var teams []string
	for _, g := range x.Map {
		if !slices.Contains(groups, g.Group) {
			continue
		}
		if role == "" {
			role = g.Role
		}
		teams = append(teams, g.Teams...)
	}
	return role, teams
}

// named are the teams that groups decide about.
func (x Provider) named() []string {
	var teams []string
	for _, g := range x.Map {
		teams = append(teams, g.Teams...)
	}
	return teams
}

// cutName makes what a provider calls somebody fit to be shown.
func cutName(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	for len(s) > 200 {
		s = s[:strings.LastIndexFunc(s[:201], func(rune) bool { return true })]
	}
	return s
}
