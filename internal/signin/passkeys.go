package signin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/wardseal/wardseal/crypto/token"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/storage/meta"
)

func escapePath(s string) string { return url.PathEscape(s) }

// holder is a person as the WebAuthn library wants one. The handle is the
// identifier, which says nothing about the person.
type holder struct {
	id, name    string
	credentials []webauthn.Credential
	factors     []string // whose they are, in the same order
}

func (h holder) WebAuthnID() []byte                         { return []byte(h.id) }
func (h holder) WebAuthnName() string                       { return h.name }
func (h holder) WebAuthnDisplayName() string                { return h.name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.credentials }

// party is this server as the other side of passkeys.
func (f *Factors) party() (*webauthn.WebAuthn, error) {
	site, err := url.Parse(f.Site())
	if err != nil || site.Hostname() == "" {
		return nil, fmt.Errorf("passkeys need the address of this server")
	}
	return webauthn.New(&webauthn.Config{
		RPID: site.Hostname(), RPDisplayName: "Wardseal", RPOrigins: []string{site.Scheme + "://" + site.Host}, AttestationPreference: protocol.PreferNoAttestation,
	})
}

func (f *Factors) holder(id access.PersonID, name string, has []meta.Factor) (holder, error) {
	h := holder{id: string(id), name: name}
	for _, x := range has {
		if x.Kind != meta.KindPasskey {
			continue
		}
		text, err := f.ring.OpenField("factors", "secret", x.ID, x.Secret)
		if err != nil {
			return h, fmt.Errorf("open a passkey: %w", err)
		}
		var c webauthn.Credential
		if err := json.Unmarshal(text, &c); err != nil {
			return h, fmt.Errorf("read a passkey: %w", err)
		}
		h.credentials, h.factors = append(h.credentials, c), append(h.factors, x.ID)
	}
	return h, nil
}

// Asked is what a browser is to do with a passkey: the options, as JSON, and
// the secret that goes back with its answer.
type Asked struct {
	Secret  token.Secret
	Options string
}

// BeginPasskey begins to set up a passkey.
func (f *Factors) BeginPasskey(ctx context.Context, who access.Principal) (Asked, error) {
	if err := f.room(ctx, who); err != nil {
		return Asked{}, err
	}
	has, err := f.of(ctx, who.Person.ID)
	if err != nil {
		return Asked{}, err
	}
	h, err := f.holder(who.Person.ID, who.Person.Username, has)
	if err != nil {
		return Asked{}, err
	}
	party, err := f.party()
	if err != nil {
		return Asked{}, err
	}
	known := make([]protocol.CredentialDescriptor, 0, len(h.credentials))
	for _, c := range h.credentials {
		known = append(known, c.Descriptor())
	}
	made, session, err := party.BeginRegistration(h, webauthn.WithExclusions(known),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementDiscouraged, UserVerification: protocol.VerificationPreferred}))
	if err != nil {
		return Asked{}, fmt.Errorf("begin a passkey: %w", err)
	}
	return f.asked(ctx, who.Person.ID, forPasskey, made.Response, session)
}

func (f *Factors) asked(ctx context.Context, p access.PersonID, purpose string, options any, session *webauthn.SessionData) (Asked, error) {
	data, err := marshal(session)
	if err != nil {
		return Asked{}, err
	}
	text, err := marshal(options)
	if err != nil {
		return Asked{}, err
	}
	secret, err := f.begin(ctx, p, purpose, data, purpose == forAnswer)
	return Asked{secret, string(text)}, err
}

// FinishPasskey adds the passkey that the browser made. With the first factor
// come recovery codes, which are shown this once.
func (f *Factors) FinishPasskey(ctx context.Context, who access.Principal, setup string, answer []byte, name string) ([]string, error) {
	c, data, err := f.data(ctx, who.Person.ID, setup, forPasskey)
	if err != nil {
		return nil, err
	}
	refused := fault.New(fault.Invalid, "passkey-wrong", "The passkey could not be set up. Try again, or use an app.")
	var session webauthn.SessionData
	if err := json.Unmarshal(data, &session); err != nil {
		return nil, fmt.Errorf("read a ceremony: %w", err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBody(bytes.NewReader(answer))
	if err != nil {
		return nil, refused.With(err)
	}
	party, err := f.party()
	if err != nil {
		return nil, err
	}
	made, err := party.CreateCredential(holder{id: string(who.Person.ID), name: who.Person.Username}, session, parsed)
	if err != nil {
		return nil, refused.With(err)
	}
	text, err := marshal(made)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(made.ID)
	return f.add(ctx, who, c, meta.Factor{Kind: meta.KindPasskey, Name: name, Credential: sum[:]}, text)
}

// AskPasskey asks for one of the passkeys of somebody whose sign-in is half
// done; the options are empty when they have none.
func (f *Factors) AskPasskey(ctx context.Context, half string) (Asked, error) {
	c, err := f.ceremony(ctx, half, forSignIn)
	if err != nil {
		return Asked{}, err
	}
	return f.askOf(ctx, c.Person)
}

// AskOwnPasskey asks for one of who's own passkeys, for StepUp.
func (f *Factors) AskOwnPasskey(ctx context.Context, who access.Principal) (Asked, error) {
	if d := access.Decide(who, access.OwnAccount, 0); d != access.Allow {
		return Asked{}, denied(d)
	}
	return f.askOf(ctx, who.Person.ID)
}

func (f *Factors) askOf(ctx context.Context, p access.PersonID) (Asked, error) {
	has, err := f.of(ctx, p)
	if err != nil {
		return Asked{}, err
	}
	h, err := f.holder(p, "", has)
	if err != nil || len(h.credentials) == 0 {
		return Asked{}, err
	}
	party, err := f.party()
	if err != nil {
		return Asked{}, err
	}
	ask, session, err := party.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return Asked{}, fmt.Errorf("ask for a passkey: %w", err)
	}
	return f.asked(ctx, p, forAnswer, ask.Response, session)
}

// answer checks what a passkey answered. Each question is answered once.
func (f *Factors) answer(ctx context.Context, p access.PersonID, has []meta.Factor, proof SecondProof) (spending, error) {
	c, data, err := f.data(ctx, p, proof.Asked, forAnswer)
	if err != nil {
		return spending{}, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(data, &session); err != nil {
		return spending{}, fmt.Errorf("read a ceremony: %w", err)
	}
	h, err := f.holder(p, "", has)
	if err != nil {
		return spending{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBody(bytes.NewReader(proof.Answer))
	if err != nil {
		return spending{}, errNoPasskey.With(err)
	}
	party, err := f.party()
	if err != nil {
		return spending{}, err
	}
	now, err := party.ValidateLogin(h, session, parsed)
	if err != nil {
		return spending{}, errNoPasskey.With(err)
	}
	if now.Authenticator.CloneWarning { // its counter went back: somebody has a copy
		return spending{}, errNoPasskey
	}
	for i, known := range h.credentials {
		if bytes.Equal(known.ID, now.ID) {
			text, err := marshal(now)
			if err != nil {
				return spending{}, err
			}
			sealed, err := f.ring.SealField("factors", "secret", h.factors[i], text)
			return spending{meta.Spend{Question: c.ID, Factor: h.factors[i], Secret: sealed}, "passkey"}, err
		}
	}
	return spending{}, errNoPasskey
}
