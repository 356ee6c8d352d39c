package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/pquerna/otp"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/meta"
)

// FactorStore is what second factors need of the database.
type FactorStore interface {
	Now(ctx context.Context) (time.Time, error)
	Factors(ctx context.Context, p access.PersonID) ([]meta.Factor, error)
	AddFactor(ctx context.Context, f meta.Factor, ceremony string, codes [][]byte, ev audit.Event) error
	RemoveFactor(ctx context.Context, p access.PersonID, id string, keep bool, ev audit.Event) error
	ResetFactors(ctx context.Context, p access.PersonID, ev audit.Event) error
	SetCodes(ctx context.Context, p access.PersonID, codes [][]byte, ev audit.Event) error
	CodesLeft(ctx context.Context, p access.PersonID) (int, error)
	AddCeremony(ctx context.Context, c meta.Ceremony, waits time.Duration, others bool, evs ...audit.Event) error
	Ceremony(ctx context.Context, hash []byte, purpose string) (meta.Ceremony, error)
}

// Sealer seals what must not be readable in the database.
type Sealer interface {
	SealField(table, column, row string, text []byte) (media.Sealed, error)
	OpenField(table, column, row string, s media.Sealed) ([]byte, error)
}

// Factors are people's second factors: codes of an app (RFC 6238), passkeys
// (WebAuthn), and recovery codes for when both are lost. It is safe for
// concurrent use.
type Factors struct {
	store FactorStore
	ring  Sealer
	// Site is how people reach this server, such as https://wardseal.example:
	// a passkey is bound to it.
	Site func() string
}

// NewFactors makes Factors.
func NewFactors(store FactorStore, ring Sealer, site func() string) *Factors {
	return &Factors{store: store, ring: ring, Site: site}
}

const (
	maxFactors  = 10 // of one person
	ceremonyFor = 5 * time.Minute
	codePeriod  = 30 // seconds
	codeCount   = 10
	// What ceremonies are for.
	forSignIn  = "sign-in"
	forTOTP    = "totp"
	forPasskey = "passkey"
	forAnswer  = "passkey-answer"
)

var (
	errNoFactor    = fault.New(fault.Denied, "second-factor-missing", "Your role needs a second step at sign-in. Set it up on your account page; then everything is open to you.")
	errCode        = fault.New(fault.Denied, "code-wrong", "This code is not right. Use the one that the app shows now, or a recovery code that you have not used.").In("code")
	errCodeUsed    = fault.New(fault.Denied, "code-used", "This code was used already. Wait until the app shows the next one.").In("code")
	errCodeMissing = fault.New(fault.Denied, "second-factor-needed", "Enter the code that your app shows now, or a recovery code.").In("code")
	errTooLate     = fault.New(fault.Gone, "ceremony-over", "This took longer than five minutes, or was done already. Start again.")
	errNoPasskey   = fault.New(fault.Denied, "passkey-wrong", "The passkey was not accepted. Try again, or use a code.").In("code")
)

// SecondStep says that the password was right and a second factor is needed.
// Half is the secret with which to go on; see Door.Second.
type SecondStep struct{ Half token.Secret }

// Error says so.
func (*SecondStep) Error() string { return "a second step is needed" }

// Unwrap gives what a caller may be told.
func (*SecondStep) Unwrap() error {
	return fault.New(fault.Unauthenticated, "second-factor-needed", "Enter the code that your app shows now, or a recovery code.").In("code")
}

// SecondProof is one second factor: a code of an app or a recovery code, or
// the answer of a passkey to what was asked under Asked.
type SecondProof struct {
	Code   string
	Answer []byte // JSON, as browsers give it
	Asked  string
}

// spending is a proof that holds, and what it was.
type spending struct {
	meta.Spend
	by string
}

// refused is what is said when it turns out to have been used before.
func (s spending) refused() error {
	if s.Recovery != nil {
		return errCode // it may as well never have been one
	}
	return errCodeUsed
}

func (f *Factors) of(ctx context.Context, p access.PersonID) ([]meta.Factor, error) {
	has, err := f.store.Factors(ctx, p)
	if err != nil {
		return nil, down(fmt.Errorf("look for a second factor: %w", err))
	}
	return has, nil
}

// begin begins a ceremony with sealed data, and gives the secret to go on with.
func (f *Factors) begin(ctx context.Context, p access.PersonID, purpose string, data []byte, others bool, evs ...audit.Event) (token.Secret, error) {
	secret, hash := token.Mint(token.Half)
	c := meta.Ceremony{ID: uuid.Must(uuid.NewV7()).String(), Hash: hash, Person: p, Purpose: purpose}
	var err error
	if c.Data, err = f.ring.SealField("ceremonies", "data", c.ID, data); err != nil {
		return "", fmt.Errorf("seal a ceremony: %w", err)
	}
	if err := f.store.AddCeremony(ctx, c, ceremonyFor, others, evs...); err != nil {
		return "", down(fmt.Errorf("begin a ceremony: %w", err))
	}
	return secret, nil
}

// ceremony finds one that is not over.
func (f *Factors) ceremony(ctx context.Context, secret, purpose string) (meta.Ceremony, error) {
	hash, err := token.Hash(secret, token.Half)
	if err != nil {
		return meta.Ceremony{}, errTooLate.With(err)
	}
	c, err := f.store.Ceremony(ctx, hash, purpose)
	if errors.Is(err, meta.ErrNotFound) {
		return c, errTooLate
	}
	return c, down(err)
}

// data opens what a ceremony of who holds.
func (f *Factors) data(ctx context.Context, who access.PersonID, secret, purpose string) (meta.Ceremony, []byte, error) {
	c, err := f.ceremony(ctx, secret, purpose)
	if err != nil {
		return c, nil, err
	}
	if c.Person != who {
		return c, nil, errTooLate
	}
	data, err := f.ring.OpenField("ceremonies", "data", c.ID, c.Data)
	return c, data, err
}

// askSecond begins the second half of a sign-in.
func (f *Factors) askSecond(ctx context.Context, p access.PersonID, o origin, nobody access.Principal) error {
	var data []byte
	if o != (origin{}) {
		var err error
		if data, err = marshal(o); err != nil {
			return err
		}
	}
	half, err := f.begin(ctx, p, forSignIn, data, true, audit.NewEvent(audit.SignInHalf, nobody, audit.Subject{Person: string(p)}))
	if err != nil {
		return err
	}
	return &SecondStep{half}
}

// check checks a second factor; an error of kind Denied means that it is wrong.
func (f *Factors) check(ctx context.Context, p access.PersonID, proof SecondProof) (spending, error) {
	has, err := f.of(ctx, p)
	if err != nil {
		return spending{}, err
	}
	if len(proof.Answer) > 0 {
		return f.answer(ctx, p, has, proof)
	}
	return f.code(ctx, p, has, proof.Code)
}

// code checks a code of an app, or a recovery code.
func (f *Factors) code(ctx context.Context, p access.PersonID, has []meta.Factor, text string) (spending, error) {
	text = strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(text))
	if len(text) != int(otp.DigitsSix) {
		if len(has) == 0 {
			return spending{}, errCode
		}
		return spending{meta.Spend{Recovery: recoveryHash(p, text)}, "recovery-code"}, nil // spending it finds out whether it is one
	}
	now, err := f.store.Now(ctx)
	if err != nil {
		return spending{}, down(err)
	}
	for _, x := range has {
		if x.Kind != meta.KindTOTP {
			continue
		}
		seed, err := f.ring.OpenField("factors", "secret", x.ID, x.Secret)
		if err != nil {
			return spending{}, fmt.Errorf("open a second factor: %w", err)
		}
		step, ok := stepOf(string(seed), text, now)
		switch {
		case ok && step <= x.LastStep:
			return spending{}, errCodeUsed
		case ok:
			return spending{meta.Spend{Factor: x.ID, Step: step}, "totp"}, nil
		}
	}
	return spending{}, errCode
}

var base32Code = base32.StdEncoding.WithPadding(base32.NoPadding)

// codeChars is the length of a recovery code: 120 random bits, of which a plain
// hash is enough. Those made before had 80, and count until there are new ones.
const codeChars = 24

// mintCodes makes recovery codes, as people write them down, and their hashes.
func mintCodes(p access.PersonID) (codes []string, hashes [][]byte) {
	for range codeCount {
		b := make([]byte, codeChars*5/8)
		if _, err := rand.Read(b); err != nil {
			panic(err) // crypto/rand documents that it never fails
		}
		code := strings.ToLower(base32Code.EncodeToString(b))
		var groups []string
		for g := range slices.Chunk([]byte(code), 4) {
			groups = append(groups, string(g))
		}
		codes = append(codes, strings.Join(groups, "-"))
		hashes = append(hashes, recoveryHash(p, code))
	}
	return codes, hashes
}

// recoveryHash is what is kept of a code; of so many random bits no slow hash is needed.
func recoveryHash(p access.PersonID, code string) []byte {
	sum := sha256.Sum256([]byte("wardseal recovery code\x00" + string(p) + "\x00" + strings.ToLower(code)))
	return sum[:]
}

// Factor is a second factor as its owner sees it.
type Factor struct {
	ID                string
	Kind              meta.FactorKind
	Name              string
	CreatedAt, UsedAt time.Time
}

// Overview is what somebody has besides their password.
type Overview struct {
	Factors []Factor
	Codes   int // recovery codes that are left
}

// Overview gives who's own second factors.
func (f *Factors) Overview(ctx context.Context, who access.Principal) (Overview, error) {
	var out Overview
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return out, denied(d)
	}
	has, err := f.of(ctx, who.Person.ID)
	if err != nil {
		return out, err
	}
	for _, x := range has {
		out.Factors = append(out.Factors, Factor{x.ID, x.Kind, x.Name, x.CreatedAt, x.UsedAt})
	}
	out.Codes, err = f.store.CodesLeft(ctx, who.Person.ID)
	return out, down(err)
}

// Kinds says which kinds of second factor an unfinished sign-in may go on with.
func (f *Factors) Kinds(ctx context.Context, half string) (totp, passkey bool, err error) {
	c, err := f.ceremony(ctx, half, forSignIn)
	if err != nil {
		return false, false, err
	}
	has, err := f.of(ctx, c.Person)
	is := func(k meta.FactorKind) bool {
		return slices.ContainsFunc(has, func(x meta.Factor) bool { return x.Kind == k })
	}
	return is(meta.KindTOTP), is(meta.KindPasskey), err
}

// room refuses who may not set up another factor.
func (f *Factors) room(ctx context.Context, who access.Principal) error {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return denied(d)
	}
	has, err := f.of(ctx, who.Person.ID)
	if err == nil && len(has) >= maxFactors {
		return fault.New(fault.Conflict, "factors-many", words.Say("You have {n} already. Remove one that you no longer use.", maxFactors))
	}
	return err
}

// add adds a factor, sealed, and makes recovery codes with the first.
func (f *Factors) add(ctx context.Context, who access.Principal, c meta.Ceremony, x meta.Factor, secret []byte) ([]string, error) {
	if err := f.room(ctx, who); err != nil {
		return nil, err
	}
	has, err := f.of(ctx, who.Person.ID)
	if err != nil {
		return nil, err
	}
	x.ID, x.Person, x.Name = uuid.Must(uuid.NewV7()).String(), who.Person.ID, strings.TrimSpace(x.Name)
	if x.Name == "" {
		x.Name = map[meta.FactorKind]string{meta.KindTOTP: "App", meta.KindPasskey: "Passkey"}[x.Kind]
	}
	if utf8.RuneCountInString(x.Name) > 100 {
		return nil, fault.New(fault.Invalid, "factor-name", "Give it a name of at most 100 characters.").In("name")
	}
	if x.Secret, err = f.ring.SealField("factors", "secret", x.ID, secret); err != nil {
		return nil, fmt.Errorf("seal a second factor: %w", err)
	}
	var codes []string
	var hashes [][]byte
	if len(has) == 0 {
		codes, hashes = mintCodes(who.Person.ID)
	}
	ev := audit.NewEvent(audit.FactorAdded, who, audit.Subject{Person: string(who.Person.ID)}).With("kind", string(x.Kind))
	switch err := f.store.AddFactor(ctx, x, c.ID, hashes, ev); {
	case errors.Is(err, meta.ErrNotFound):
		return nil, errTooLate
	case errors.Is(err, meta.ErrExists):
		return nil, fault.New(fault.Conflict, "passkey-known", "This passkey is set up already.")
	case err != nil:
		return nil, down(fmt.Errorf("add a second factor: %w", err))
	}
	return codes, nil
}

// Remove removes one of who's factors. Where their role needs one, the last
// stays.
func (d *Door) Remove(ctx context.Context, who access.Principal, id string) error {
	if err := d.SteppedUp(ctx, who); err != nil {
		return err
	}
	ev := audit.NewEvent(audit.FactorRemoved, who, audit.Subject{Person: string(who.Person.ID)})
	switch err := d.factors.store.RemoveFactor(ctx, who.Person.ID, id, slices.Contains(d.cfg.FactorFor, who.Person.Role), ev); {
	case errors.Is(err, meta.ErrExists):
		return fault.New(fault.Conflict, "factor-last", "Your role needs a second step, and this is your only one. Set up another first.")
	case errors.Is(err, meta.ErrNotFound):
		return fault.New(fault.NotFound, "factor-unknown", "You have no such second step.")
	default:
		return down(err)
	}
}

// NewCodes makes new recovery codes, which are shown this once; the old ones
// are void.
func (d *Door) NewCodes(ctx context.Context, who access.Principal) ([]string, error) {
	if err := d.SteppedUp(ctx, who); err != nil {
		return nil, err
	}
	has, err := d.factors.of(ctx, who.Person.ID)
	if err != nil {
		return nil, err
	}
	if len(has) == 0 {
		return nil, fault.New(fault.Conflict, "factor-none", "Set up a second step first; recovery codes come with it.")
	}
	codes, hashes := mintCodes(who.Person.ID)
	ev := audit.NewEvent(audit.CodesMade, who, audit.Subject{Person: string(who.Person.ID)})
	return codes, down(d.factors.store.SetCodes(ctx, who.Person.ID, hashes, ev))
}

// marshal is json.Marshal for values that always can be.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write a ceremony: %w", err)
	}
	return b, nil
}
