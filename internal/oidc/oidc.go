// Package oidc speaks OpenID Connect to one provider: it sends browsers there
// (authorisation code with PKCE), takes what comes back, and believes it only
// when signature, issuer, audience, times and nonce are right. It decides
// nothing about people; see internal/signin.
package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Config says which provider, and who we are there.
type Config struct {
	Issuer   string
	ClientID string
	Secret   string  // of the client; empty with a Key
	Post     bool    // send the secret in the form (client_secret_post), not in a header
	Key      *Signer // proves who we are instead of a secret (private_key_jwt)
	Scopes   []string
	ACR      []string // acr_values to ask for
	Claims   string   // what to ask for in the parameter claims (JSON)
	CAFile   string   // certificate authority (PEM), if not a public one
	UserInfo bool     // ask for more claims at the provider's userinfo endpoint
	Clock    func() time.Time
}

const (
	fetchFor    = 10 * time.Second // of one request to the provider
	maxResponse = 1 << 20
	skew        = time.Minute // that clocks may differ by
)

// algorithms are the signatures that are accepted: asymmetric ones alone.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Errors to branch on. ErrRefused means that what came is not to be believed or
// says no; ErrDown that the provider could not be asked.
var (
	ErrRefused = errors.New("refused")
	ErrDown    = errors.New("the provider cannot be reached")
)

func refused(format string, a ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, fmt.Errorf(format, a...))
}

// Provider is one provider. It is looked up when it is first needed, so that a
// provider that is down keeps nobody from signing in elsewhere. It is safe for
// concurrent use.
type Provider struct {
	cfg    Config
	client *http.Client

	mu    sync.Mutex
	found *found
}

// found is what the provider says of itself.
type found struct {
	*oidc.Provider
	more struct {
		EndSession string   `json:"end_session_endpoint"`
		UserInfo   string   `json:"userinfo_endpoint"`
		JWKS       string   `json:"jwks_uri"`
		Iss        bool     `json:"authorization_response_iss_parameter_supported"`
		PKCE       []string `json:"code_challenge_methods_supported"`
	}
	at time.Time
}

// knownFor is how long it is believed before it is asked again.
const knownFor = 24 * time.Hour

// New makes a Provider. Nothing is asked yet.
func New(cfg Config) (*Provider, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if err := secure(cfg.Issuer, cfg.Issuer); err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	if cfg.ClientID == "" || (cfg.Secret == "") == (cfg.Key == nil) {
		return nil, errors.New("a provider needs a client identifier, and either a secret or a key")
	}
	base := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: fetchFor, IdleConnTimeout: time.Minute}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		base.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !base.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", cfg.CAFile)
		}
	}
	return &Provider{cfg: cfg, client: &http.Client{
		Timeout: fetchFor, Transport: limited{base, cfg.Issuer},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("a provider does not redirect") },
	}}, nil
}

// secure refuses an address that is not TLS. Plain HTTP is for an issuer on
// this machine, as tests have one.
func secure(address, issuer string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("not an address")
	}
	if i, err := url.Parse(issuer); u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) && err == nil && i.Scheme == "http" && loopback(i.Hostname()) {
		return nil
	}
	return errors.New("the address must be https")
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// limited keeps requests to TLS, and answers to a size.
type limited struct {
	http.RoundTripper
	issuer string
}

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := secure(r.URL.String(), l.issuer); err != nil {
		return nil, err
	}
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxResponse)
	}
	return resp, err
}

// look asks the provider about itself, or remembers.
func (p *Provider) look(ctx context.Context) (*found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil && p.cfg.Clock().Sub(p.found.at) < knownFor {
		return p.found, nil
	}
	f := &found{at: p.cfg.Clock()}
	var err error
	if f.Provider, err = oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer); err != nil {
		if p.found != nil {
			return p.found, nil // better old than none
		}
		return nil, fmt.Errorf("%w: %w", ErrDown, err)
	}
	if err := f.Claims(&f.more); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDown, err)
	}
	for _, a := range []string{f.Endpoint().AuthURL, f.Endpoint().TokenURL, f.more.JWKS} {
		if err := secure(a, p.cfg.Issuer); err != nil {
			return nil, fmt.Errorf("%w: its endpoints: %w", ErrDown, err)
		}
	}
	if len(f.more.PKCE) > 0 && !slices.Contains(f.more.PKCE, "S256") {
		return nil, fmt.Errorf("%w: it knows no PKCE with S256", ErrDown)
	}
	p.found = f
	return f, nil
}

// oauth is how we speak to the token endpoint. The style is set, since finding
// it out would send a code twice.
func (p *Provider) oauth(f *found, back string) *oauth2.Config {
	e := f.Endpoint()
	e.AuthStyle = oauth2.AuthStyleInHeader
	if p.cfg.Key != nil || p.cfg.Post {
		e.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.Secret, Endpoint: e, RedirectURL: back, Scopes: p.cfg.Scopes}
}

// Trip is one way to a provider and back.
type Trip struct {
	State    string
	Nonce    string
	Verifier string // PKCE
	Back     string // the redirect address, exactly as it is registered
	Again    bool   // have the person prove anew who they are
}

// NewVerifier makes a PKCE verifier.
func NewVerifier() string { return oauth2.GenerateVerifier() }

// Out is the address to send the browser to.
func (p *Provider) Out(ctx context.Context, t Trip) (string, error) {
	f, err := p.look(ctx)
	if err != nil {
		return "", err
	}
	opts := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(t.Verifier), oidc.Nonce(t.Nonce)}
	if len(p.cfg.ACR) > 0 {
		opts = append(opts, oauth2.SetAuthURLParam("acr_values", strings.Join(p.cfg.ACR, " ")))
	}
	if p.cfg.Claims != "" {
		opts = append(opts, oauth2.SetAuthURLParam("claims", p.cfg.Claims))
	}
	if t.Again {
		opts = append(opts, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return p.oauth(f, t.Back).AuthCodeURL(t.State, opts...), nil
}

// Left is the address at which the provider ends its own session, or "" when
// it offers none. back is where the browser comes back to.
func (p *Provider) Left(ctx context.Context, back string) string {
	f, err := p.look(ctx)
	if err != nil || f.more.EndSession == "" || secure(f.more.EndSession, p.cfg.Issuer) != nil {
		return ""
	}
	u, err := url.Parse(f.more.EndSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.cfg.ClientID)
	q.Set("post_logout_redirect_uri", back)
	u.RawQuery = q.Encode()
	return u.String()
}
