// Package mail sends short plain messages over SMTP (RFC 5321), always under
// TLS unless the server is on this machine.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strconv"
	"time"

	smtp "github.com/wneessen/go-mail"
)

// Config says which server takes the mail.
type Config struct {
	Server   string // host:port
	From     string // the sender's address
	Username string // empty for none
	Password string
	CAFile   string // authority of the server's certificate, if not a public one
	Plain    bool   // without TLS; only for a server on this machine
}

// Sender sends mail. It is safe for concurrent use.
type Sender struct {
	cfg     Config
	options []smtp.Option
	host    string
}

// ErrAddress means that the server refuses the recipient for good.
var ErrAddress = errors.New("the address was refused")

// New makes a Sender; it does not connect yet.
func New(cfg Config) (*Sender, error) {
	host, port, err := net.SplitHostPort(cfg.Server)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: %w", cfg.Server, err)
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return nil, fmt.Errorf("mail server %q: no such port", cfg.Server)
	}
	if !Address(cfg.From) {
		return nil, errors.New("the sender of mail is not an address such as wardseal@example.org")
	}
	s := &Sender{cfg: cfg, host: host, options: []smtp.Option{smtp.WithPort(n), smtp.WithTimeout(20 * time.Second)}}
	if cfg.Plain {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return nil, errors.New("mail without TLS is only for a server on this machine")
		}
		s.options = append(s.options, smtp.WithTLSPolicy(smtp.NoTLS))
	} else {
		trust := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
		if cfg.CAFile != "" {
			pem, err := os.ReadFile(cfg.CAFile)
			if err != nil {
				return nil, fmt.Errorf("read the mail server's authority: %w", err)
			}
			trust.RootCAs = x509.NewCertPool()
			if !trust.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("%s holds no certificate", cfg.CAFile)
			}
		}
		s.options = append(s.options, smtp.WithTLSConfig(trust), smtp.WithTLSPolicy(smtp.TLSMandatory))
		if n == 465 {
			s.options = append(s.options, smtp.WithSSL())
		}
	}
	if cfg.Username != "" {
		s.options = append(s.options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(cfg.Username), smtp.WithPassword(cfg.Password))
	}
	return s, nil
}

// Send sends one message, or says why not. An error may name the recipient.
func (s *Sender) Send(ctx context.Context, to, subject, body string) error {
	m := smtp.NewMsg()
	if err := errors.Join(m.From(s.cfg.From), m.To(to)); err != nil {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	m.Subject(subject)
	m.SetBodyString(smtp.TypeTextPlain, body)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday answers
	m.SetDate()
	m.SetMessageID()
	c, err := smtp.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	err = c.DialAndSendWithContext(ctx, m)
	var sending *smtp.SendError
	if errors.As(err, &sending) && sending.Reason == smtp.ErrSMTPRcptTo && !sending.IsTemp() {
		return fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	return nil
}

// Address reports whether a is one plain address, without a name.
func Address(a string) bool {
	p, err := mail.ParseAddress(a)
	return err == nil && p.Address == a && len(a) <= 254
}
