package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// now is what the clock of these tests says.
var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

var theKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// fake is a provider that says what a test wants it to.
type fake struct {
	*httptest.Server
	t     *testing.T
	about map[string]any // what it says of itself, changed
	token func(claims map[string]any) string
	more  map[string]any // what its tokens say
	info  map[string]any // what its userinfo endpoint says
	asked url.Values     // what the token endpoint was asked
	fetch int            // how often its keys were asked for
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, about: map[string]any{}, more: map[string]any{}, info: map[string]any{"sub": "sub"}}
	f.token = func(claims map[string]any) string { return sign(t, jose.RS256, theKey(), claims) }
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		about := map[string]any{"issuer": f.URL, "authorization_endpoint": f.URL + "/auth", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys",
			"userinfo_endpoint": f.URL + "/me", "end_session_endpoint": f.URL + "/end", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
		for k, v := range f.about {
			about[k] = v
		}
		answer(w, about)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		f.fetch++
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: theKey().Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		f.asked = r.PostForm
		answer(w, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": f.token(f.claims())})
	})
	mux.HandleFunc("/me", func(w http.ResponseWriter, _ *http.Request) { answer(w, f.info) })
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// claims are right ones, changed as the test wants: nil takes one away.
func (f *fake) claims() map[string]any {
	all := map[string]any{"iss": f.URL, "aud": "client", "sub": "sub", "nonce": "nonce", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "auth_time": now.Unix()}
	for k, v := range f.more {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return all
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (f *fake) provider(change func(*Config)) *Provider {
	f.t.Helper()
	cfg := Config{Issuer: f.URL, ClientID: "client", Secret: "secret", Scopes: []string{"openid"}, Clock: func() time.Time { return now }}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}
