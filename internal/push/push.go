// Package push tells browsers that something waits (Web Push, RFC 8030), by
// the services of their makers. What is sent is encrypted for the browser (RFC
// 8291) and says nothing about a patient even so.
package push

import (
	"context"
	"crypto/ecdh"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	webpush "github.com/SherClockHolmes/webpush-go"
)

// Config says which services may be spoken to.
type Config struct {
	Services   []string // hosts, such as fcm.googleapis.com, or *.notify.windows.com for all under one
	Subscriber string   // an address for the services to complain to
	CAFile     string   // authority of their certificates, if not a public one
}

// Subscription is where one browser is told, as it says itself.
type Subscription struct {
	Endpoint string `json:"endpoint"`
	Key      string `json:"p256dh"` // base64url
	Auth     string `json:"auth"`   // base64url
}

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	cfg             Config
	private, public string
	client          *http.Client
}

// ErrGone means that the browser no longer wants to be told.
var ErrGone = errors.New("the subscription has ended")

// New makes a Sender with a key pair in base64url; it does not connect yet.
func New(cfg Config, private, public string) (*Sender, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authority of the push services: %w", err)
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", cfg.CAFile)
		}
	}
	return &Sender{cfg: cfg, private: private, public: public, client: &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it could lead anywhere
	}}, nil
}

// Public is the key that browsers subscribe with.
func (s *Sender) Public() string { return s.public }

// Accepts reports whether a subscription is whole and leads to one of the
// services: a browser says where it is, and must not send this server
// elsewhere.
func (s *Sender) Accepts(sub Subscription) bool {
	u, err := url.Parse(sub.Endpoint)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || len(sub.Endpoint) > 2000 {
		return false
	}
	if !slices.ContainsFunc(s.cfg.Services, func(host string) bool {
		under, any := strings.CutPrefix(host, "*")
		return u.Host == host || any && strings.HasPrefix(under, ".") && strings.HasSuffix(u.Host, under)
	}) {
		return false
	}
	key, err := base64.RawURLEncoding.DecodeString(sub.Key)
	if err == nil {
		_, err = ecdh.P256().NewPublicKey(key)
	}
	auth, err2 := base64.RawURLEncoding.DecodeString(sub.Auth)
	return err == nil && err2 == nil && len(auth) == 16
}

// Send sends one message, which the service keeps for keepFor at most while
// the browser cannot be reached. No error repeats the endpoint, which is a
// secret of the browser's.
func (s *Sender) Send(ctx context.Context, sub Subscription, message string, keepFor time.Duration) error {
	if !s.Accepts(sub) {
		return ErrGone // since the services were chosen anew
	}
	resp, err := webpush.SendNotificationWithContext(ctx, []byte(message), &webpush.Subscription{Endpoint: sub.Endpoint, Keys: webpush.Keys{Auth: sub.Auth, P256dh: sub.Key}}, &webpush.Options{
		HTTPClient: s.client, Subscriber: s.cfg.Subscriber, TTL: int(keepFor / time.Second), Topic: "wardseal", Urgency: webpush.UrgencyHigh,
		VAPIDPublicKey: s.public, VAPIDPrivateKey: s.private,
	})
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return fmt.Errorf("push: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16))
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return ErrGone
	case resp.StatusCode >= 300:
		return fmt.Errorf("push: the service answers %d", resp.StatusCode)
	}
	return nil
}
