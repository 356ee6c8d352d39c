package sink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
)

// Syslog sends checkpoints to a collector of logs (RFC 5424), over TLS
// (RFC 5425), TCP (RFC 6587, with octet counts), UDP (RFC 5426) or a local
// socket. A collector says nothing back: what was handed over counts as
// published.
type Syslog struct {
	network, address, host string
	tls                    *tls.Config
	clock                  func() time.Time
}

// syslogWithin bounds one delivery.
const syslogWithin = 10 * time.Second

// notice is the facility “log audit” (13) at the severity “notice” (5).
const notice = 13*8 + 5

// NewSyslog makes a Syslog of an address: tls://host:6514, tcp://host:601,
// udp://host:514 or unix:///dev/log. caFile (PEM) is for tls, when the
// certificate is not of a public authority.
func NewSyslog(address, caFile string, clock func() time.Time) (*Syslog, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the address of the log collector cannot be read: use tls://host:6514")
	}
	s := &Syslog{network: u.Scheme, address: u.Host, host: "-", clock: clock}
	if name, err := os.Hostname(); err == nil && printable(name) {
		s.host = name
	}
	switch u.Scheme {
	case "tls":
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
		if caFile != "" {
			pem, err := os.ReadFile(caFile)
			if err != nil {
				return nil, fmt.Errorf("read the log collector's certificate authority: %w", err)
			}
			s.tls.RootCAs = x509.NewCertPool()
			if !s.tls.RootCAs.AppendCertsFromPEM(pem) {
				return nil, errors.New("the log collector's certificate authority file has no certificate")
			}
		}
	case "tcp", "udp":
	case "unix":
		s.address = u.Path
		return s, nil
	default:
		return nil, fmt.Errorf("the address of the log collector starts with %q: use tls, tcp, udp or unix", u.Scheme)
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return nil, errors.New("the address of the log collector has no port")
	}
	return s, nil
}

func printable(s string) bool {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// Name implements Sink.
func (s *Syslog) Name() string { return "syslog " + s.network + "://" + s.address }

// Publish implements Sink.
func (s *Syslog) Publish(ctx context.Context, c audit.Checkpoint, signed []byte) (err error) {
	ctx, cancel := context.WithTimeout(ctx, syslogWithin)
	defer cancel()
	conn, framed, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return err
		}
	}
	m := fmt.Sprintf("<%d>1 %s %s wardseal - checkpoint - %s", notice, s.clock().UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, audit.Line(c, signed))
	if framed {
		m = strconv.Itoa(len(m)) + " " + m
	}
	_, err = conn.Write([]byte(m))
	return err
}

// dial connects, and tells whether a message must say how long it is.
func (s *Syslog) dial(ctx context.Context) (net.Conn, bool, error) {
	var d net.Dialer
	switch s.network {
	case "tls":
		conn, err := (&tls.Dialer{NetDialer: &d, Config: s.tls}).DialContext(ctx, "tcp", s.address)
		return conn, true, err
	case "unix":
		if conn, err := d.DialContext(ctx, "unixgram", s.address); err == nil {
			return conn, false, nil
		}
		conn, err := d.DialContext(ctx, "unix", s.address)
		return conn, true, err
	}
	conn, err := d.DialContext(ctx, s.network, s.address)
	return conn, s.network == "tcp", err
}
