package servers

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Push is a service that takes messages for browsers, and the one browser that
// it has, which decrypts them (RFC 8291).
type Push struct {
	Host, CAFile string
	Endpoint     string // of the browser
	Key, Auth    string // as the browser gives them
	Status       int    // what the service answers; 0 means 201

	url      string
	private  *ecdh.PrivateKey
	auth     []byte
	mu       sync.Mutex
	messages []string
	wrong    []string
}

// Browsers starts a push service.
func Browsers(tb testing.TB) *Push {
	tb.Helper()
	p := &Push{auth: make([]byte, 16)}
	var err error
	if p.private, err = ecdh.P256().GenerateKey(rand.Reader); err != nil {
		tb.Fatal(err)
	}
	_, _ = rand.Read(p.auth)
	srv := httptest.NewTLSServer(p)
	tb.Cleanup(srv.Close)
	p.url, p.Host = srv.URL, strings.TrimPrefix(srv.URL, "https://")
	p.Endpoint = srv.URL + "/browser/secret-of-the-browser"
	p.Key, p.Auth = base64.RawURLEncoding.EncodeToString(p.private.PublicKey().Bytes()), base64.RawURLEncoding.EncodeToString(p.auth)
	p.CAFile = filepath.Join(tb.TempDir(), "push.pem")
	if err := os.WriteFile(p.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		tb.Fatal(err)
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *Push) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	text := ""
	if err == nil {
		text, err = p.open(r, body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.wrong = append(p.wrong, err.Error())
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.messages = append(p.messages, text)
	w.WriteHeader(max(p.Status, http.StatusCreated))
}

// Answer has the service answer with another status from now on.
func (p *Push) Answer(status int) { p.mu.Lock(); p.Status = status; p.mu.Unlock() }

// Received gives the messages so far, and what was wrong with others.
func (p *Push) Received() (messages, wrong []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.messages...), append([]string{}, p.wrong...)
}

// open checks who sends (RFC 8292) and decrypts.
func (p *Push) open(r *http.Request, body []byte) (string, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/browser/secret-of-the-browser" || r.Header.Get("Content-Encoding") != "aes128gcm" || r.Header.Get("TTL") == "" {
		return "", fmt.Errorf("%s %s %v", r.Method, r.URL.Path, r.Header)
	}
	if err := p.sender(r.Header.Get("Authorization")); err != nil {
		return "", err
	}
	if len(body) < 86 || body[20] != 65 {
		return "", fmt.Errorf("a message of %d bytes", len(body))
	}
	salt, theirs := body[:16], body[21:86]
	public, err := ecdh.P256().NewPublicKey(theirs)
	if err != nil {
		return "", err
	}
	shared, err := p.private.ECDH(public)
	if err != nil {
		return "", err
	}
	info := "WebPush: info\x00" + string(p.private.PublicKey().Bytes()) + string(theirs)
	ikm, err := hkdf.Key(sha256.New, shared, p.auth, info, 32)
	if err != nil {
		return "", err
	}
	key, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return "", err
	}
	nonce, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return "", err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	plain, err := gcm.Open(nil, nonce, body[86:], nil)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(plain), "\x00")
	if !strings.HasSuffix(text, "\x02") {
		return "", fmt.Errorf("no end of the last record")
	}
	return strings.TrimSuffix(text, "\x02"), nil
}

// sender checks the signature of who sends, and for whom it was made.
func (p *Push) sender(header string) error {
	var token, key string
	for part := range strings.SplitSeq(strings.TrimPrefix(header, "vapid "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			token = value
		case "k":
			key = value
		}
	}
	k, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil || len(k) != 65 {
		return fmt.Errorf("no key in %q", header)
	}
	cut := strings.LastIndex(token, ".")
	if cut < 0 {
		return fmt.Errorf("no token in %q", header)
	}
	signature, err := base64.RawURLEncoding.DecodeString(token[cut+1:])
	if err != nil || len(signature) != 64 {
		return fmt.Errorf("a signature of %d bytes", len(signature))
	}
	hash := sha256.Sum256([]byte(token[:cut]))
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), k)
	if err != nil {
		return err
	}
	if !ecdsa.Verify(public, hash[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return fmt.Errorf("the signature is wrong")
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		return err
	}
	var said struct{ Aud, Sub string }
	if err := json.Unmarshal(claims, &said); err != nil || said.Aud != p.url || !strings.HasPrefix(said.Sub, "mailto:") {
		return fmt.Errorf("the claims: %s", claims)
	}
	return nil
}
