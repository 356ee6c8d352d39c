package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var trip = Trip{State: "state", Nonce: "nonce", Verifier: strings.Repeat("v", 43), Back: "https://wardseal.example/back"}

func (f *fake) back(p *Provider) (Claims, error) {
	return p.Back(f.t.Context(), trip, url.Values{"code": {"c"}})
}

// What is asked for is the code flow with PKCE, and what proves who we are
// stands where it should.
func TestOut(t *testing.T) {
	f := newFake(t)
	p := f.provider(func(c *Config) { c.ACR = []string{"one", "two"} })
	to, err := p.Out(t.Context(), trip)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(trip.Verifier))
	for name, want := range map[string]string{"response_type": "code", "client_id": "client", "state": "state", "nonce": "nonce", "redirect_uri": trip.Back, "acr_values": "one two",
		"code_challenge_method": "S256", "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "prompt": "", "max_age": "", "scope": "openid"} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	c, err := f.back(p)
	if err != nil || c.Subject != "sub" || !c.AuthTime.Equal(now) {
		t.Fatalf("%+v %v", c, err)
	}
	if f.asked.Get("code_verifier") != trip.Verifier || f.asked.Get("redirect_uri") != trip.Back || f.asked.Has("client_secret") {
		t.Errorf("the token endpoint was asked %v", f.asked)
	}
	again := trip
	again.Again = true
	if to, _ := p.Out(t.Context(), again); !strings.Contains(to, "prompt=login") || !strings.Contains(to, "max_age=0") {
		t.Errorf("to prove anew: %s", to)
	}
	if left := p.Left(t.Context(), "https://wardseal.example/sign-in"); left != f.URL+"/end?client_id=client&post_logout_redirect_uri=https%3A%2F%2Fwardseal.example%2Fsign-in" {
		t.Errorf("signing out there: %s", left)
	}
}

// Each of these is refused, and the right one beside it is not.
func TestForged(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	unsigned := func(alg string) func(f *fake) func(map[string]any) string {
		return func(*fake) func(map[string]any) string {
			return func(claims map[string]any) string {
				b, _ := json.Marshal(claims)
				return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + "."
			}
		}
	}
	for name, c := range map[string]struct {
		more  map[string]any
		token func(f *fake) func(map[string]any) string
		query url.Values
		about map[string]any
		ok    bool
	}{
		"right":                 {ok: true},
		"right, of two clients": {more: map[string]any{"aud": []string{"client", "other"}, "azp": "client"}, ok: true},
		"right, with issuer":    {query: url.Values{"code": {"c"}, "iss": {"ISSUER"}}, about: map[string]any{"authorization_response_iss_parameter_supported": true}, ok: true},
		"other nonce":           {more: map[string]any{"nonce": "other"}},
		"no nonce":              {more: map[string]any{"nonce": nil}},
		"other issuer":          {more: map[string]any{"iss": "https://elsewhere.example"}},
		"other audience":        {more: map[string]any{"aud": "other"}},
		"two audiences":         {more: map[string]any{"aud": []string{"client", "other"}}},
		"other party":           {more: map[string]any{"azp": "other"}},
		"no subject":            {more: map[string]any{"sub": ""}},
		"expired":               {more: map[string]any{"exp": now.Add(-time.Second).Unix()}},
		"of tomorrow":           {more: map[string]any{"iat": now.Add(2 * time.Minute).Unix()}},
		"of yesterday":          {more: map[string]any{"iat": now.Add(-2 * time.Hour).Unix()}},
		"not yet":               {more: map[string]any{"nbf": now.Add(time.Hour).Unix()}},
		"other access token":    {more: map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
		"alg none":              {token: unsigned("none")},
		"no signature":          {token: unsigned("RS256")},
		"alg HS256 with the secret": {token: func(f *fake) func(map[string]any) string {
			return func(claims map[string]any) string {
				return sign(f.t, jose.HS256, []byte(strings.Repeat("secret", 6)), claims)
			}
		}},
		"alg HS256 with the public key": {token: func(f *fake) func(map[string]any) string {
			return func(claims map[string]any) string {
				return sign(f.t, jose.HS256, x509.MarshalPKCS1PublicKey(&theKey().PublicKey), claims)
			}
		}},
		"another key": {token: func(f *fake) func(map[string]any) string {
			return func(claims map[string]any) string { return sign(f.t, jose.RS256, other, claims) }
		}},
		"no token":            {token: func(*fake) func(map[string]any) string { return func(map[string]any) string { return "" } }},
		"answer of another":   {query: url.Values{"code": {"c"}, "iss": {"https://elsewhere.example"}}},
		"answer of nobody":    {about: map[string]any{"authorization_response_iss_parameter_supported": true}},
		"answer of a no":      {query: url.Values{"error": {"access_denied"}}},
		"answer without code": {query: url.Values{"x": {"y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			if c.more != nil {
				f.more = c.more
			}
			if c.token != nil {
				f.token = c.token(f)
			}
			if c.about != nil {
				f.about = c.about
			}
			q := url.Values{"code": {"c"}}
			if c.query != nil {
				q = url.Values{}
				for k, v := range c.query {
					q.Set(k, strings.ReplaceAll(v[0], "ISSUER", f.URL))
				}
			}
			said, err := f.provider(nil).Back(t.Context(), trip, q)
			if c.ok != (err == nil) || !c.ok && !errors.Is(err, ErrRefused) {
				t.Errorf("%+v %v", said, err)
			}
		})
	}
}

// A provider that cannot be believed about itself is down, and never asked more.
func TestDown(t *testing.T) {
	for name, about := range map[string]map[string]any{
		"another issuer":        {"issuer": "https://elsewhere.example"},
		"keys without TLS":      {"jwks_uri": "http://elsewhere.example/keys"},
		"tokens without TLS":    {"token_endpoint": "http://elsewhere.example/token"},
		"sign-in without TLS":   {"authorization_endpoint": "http://elsewhere.example/auth"},
		"a sign-in of no sort":  {"authorization_endpoint": "javascript:alert(1)"},
		"plain PKCE alone":      {"code_challenge_methods_supported": []string{"plain"}},
		"more than one can say": {"x": strings.Repeat("x", maxResponse)},
	} {
		f := newFake(t)
		f.about = about
		if to, err := f.provider(nil).Out(t.Context(), trip); !errors.Is(err, ErrDown) {
			t.Errorf("%s: %q %v", name, to, err)
		}
	}
	for _, issuer := range []string{"http://elsewhere.example", "ftp://elsewhere.example", "https://me:pass@elsewhere.example", "elsewhere", ""} {
		if _, err := New(Config{Issuer: issuer, ClientID: "c", Secret: "s"}); err == nil {
			t.Errorf("the issuer %q is taken", issuer)
		}
	}
	moved := httptest.NewServer(http.RedirectHandler("https://elsewhere.example", http.StatusFound))
	t.Cleanup(moved.Close)
	p, err := New(Config{Issuer: moved.URL, ClientID: "c", Secret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Out(t.Context(), trip); !errors.Is(err, ErrDown) || p.Left(t.Context(), "") != "" {
		t.Errorf("redirected: %v", err)
	}
}

// Groups are texts, or objects told apart by parts.
func TestClaims(t *testing.T) {
	f := newFake(t)
	f.more = map[string]any{"acr": "two", "amr": "mfa", "sid": "s", "one": "g", "many": []any{"a", 1, "b", map[string]any{"k": "v"}},
		"roles": []any{map[string]any{"org": "RXX", "code": "R1"}, map[string]any{"org": "RXX"}, "text"}}
	f.info = map[string]any{"sub": "sub", "name": "N", "one": "not this", "more": []any{"m"}}
	c, err := f.back(f.provider(func(c *Config) { c.UserInfo = true }))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name  string
		parts []string
		want  []string
	}{{"one", nil, []string{"g"}}, {"many", nil, []string{"a", "b"}}, {"roles", []string{"org", "code"}, []string{"RXX R1"}}, {"roles", nil, []string{"text"}}, {"more", nil, []string{"m"}}, {"none", nil, nil}} {
		if got := c.Groups(x.name, x.parts); !slices.Equal(got, x.want) {
			t.Errorf("%s: %q", x.name, got)
		}
	}
	if c.SID != "s" || c.Text("name") != "N" || !c.Has(map[string][]string{"acr": {"one", "two"}}) || !c.Has(map[string][]string{"x": {"y"}, "amr": {"mfa"}}) ||
		c.Has(map[string][]string{"acr": {"mfa"}, "amr": {"two"}}) || c.Has(nil) || (Claims{}).Has(map[string][]string{"acr": {""}}) {
		t.Errorf("%+v", c)
	}
	f.info = map[string]any{"sub": "other"}
	if _, err := f.back(f.provider(func(c *Config) { c.UserInfo = true })); !errors.Is(err, ErrRefused) {
		t.Errorf("user information of somebody else: %v", err)
	}
}

// A logout token is no ID token, and the other way round.
func TestLogout(t *testing.T) {
	event := func(v any) map[string]any {
		return map[string]any{"http://schemas.openid.net/event/backchannel-logout": v}
	}
	f := newFake(t)
	p := f.provider(nil)
	logout := func(more map[string]any) (Logout, error) {
		f.more = map[string]any{"nonce": nil, "auth_time": nil, "jti": "j", "sid": "s", "events": event(map[string]any{})}
		for k, v := range more {
			f.more[k] = v
		}
		return p.Logout(t.Context(), f.token(f.claims()))
	}
	if l, err := logout(nil); err != nil || l.Subject != "sub" || l.SID != "s" || l.ID != "j" {
		t.Fatalf("%+v %v", l, err)
	}
	if l, err := logout(map[string]any{"sub": nil}); err != nil || l.Subject != "" {
		t.Errorf("of a session alone: %v", err)
	}
	for name, more := range map[string]map[string]any{
		"a nonce": {"nonce": "n"}, "no event": {"events": nil}, "another event": {"events": map[string]any{"x": map[string]any{}}}, "an event of no sort": {"events": event("x")},
		"nobody": {"sub": nil, "sid": nil}, "no name of its own": {"jti": nil}, "another issuer": {"iss": "https://elsewhere.example"}, "another audience": {"aud": "other"},
		"expired": {"exp": now.Add(-time.Second).Unix()}, "no end": {"exp": nil}, "a far end": {"exp": now.Add(48 * time.Hour).Unix()}, "no time": {"iat": nil}, "old": {"iat": now.Add(-time.Hour).Unix()}, "of tomorrow": {"iat": now.Add(time.Hour).Unix()},
	} {
		if l, err := logout(more); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %+v %v", name, l, err)
		}
	}
	f.more = nil
	if _, err := p.Logout(t.Context(), f.token(f.claims())); !errors.Is(err, ErrRefused) {
		t.Errorf("an ID token: %v", err)
	}
	if f.fetch > 2 {
		t.Errorf("the keys were fetched %d times", f.fetch)
	}
}

// A private key proves who we are where one is registered.
func TestSigner(t *testing.T) {
	b, err := x509.MarshalPKCS8PrivateKey(theKey())
	if err != nil {
		t.Fatal(err)
	}
	key, err := NewSigner(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}), "kid-1")
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	if _, err := f.back(f.provider(func(c *Config) { c.Secret, c.Key = "", key })); err != nil {
		t.Fatal(err)
	}
	sig, err := jose.ParseSignedCompact(f.asked.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS512})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := sig.Verify(theKey().Public())
	var said struct {
		Iss, Sub, Aud, JTI string
		Exp                int64
	}
	if err := errors.Join(err, json.Unmarshal(claims, &said)); err != nil || said.Iss != "client" || said.Sub != "client" || said.Aud != f.URL+"/token" || said.JTI == "" || said.Exp > now.Add(5*time.Minute).Unix() || sig.Signatures[0].Header.KeyID != "kid-1" {
		t.Errorf("%s %v", claims, err)
	}
	if f.asked.Has("client_secret") {
		t.Error("a secret is sent too")
	}
	for _, bad := range []string{"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := NewSigner([]byte(bad), ""); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
}
