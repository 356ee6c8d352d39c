package meta

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// silentFor is how long PostgreSQL may say nothing before it is asked
	// whether it is there: a long query is no reason to give up.
	silentFor = 3 * time.Second
	// greetFor is how long it may take to say that it is, and to connect.
	greetFor = 5 * time.Second
	// downFor is how long it is then taken to be down without another try, so
	// that a crowd does not wait one after the other.
	downFor = time.Second
)

// session is what each connection asks for: a server that died or hangs, or
// whose machine is gone, must not hold up the others with what it has locked.
const session = `SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
	SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '8s'`

// connectPostgres opens a pool of connections that do not wait for ever for a
// server that is not there.
func connectPostgres(url string) (*sql.DB, error) {
	if strings.HasPrefix(url, "registeredConnConfig") { // made by stdlib.RegisterConnConfig, as benchmarks do
		return sql.Open("pgx", url)
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be read") // the error may repeat it
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = greetFor
	}
	g := &greeter{dialer: net.Dialer{Timeout: greetFor, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}}
	cfg.DialFunc = g.dial
	return stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, session)
		return err
	})), nil
}

// greeter dials PostgreSQL and finds out whether it is there.
type greeter struct {
	dialer net.Dialer
	until  atomic.Int64 // it is taken to be down until then
}

// absent is the error of a server that does not answer.
type absent struct{ error }

func (absent) Timeout() bool   { return true }
func (absent) Temporary() bool { return true }

func (g *greeter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if time.Now().UnixNano() < g.until.Load() {
		return nil, absent{errors.New("PostgreSQL did not answer a moment ago")}
	}
	c, err := g.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &patient{Conn: c, g: g, greet: func() error { return g.greet(network, addr) }, made: time.Now()}, nil
}

// greet asks whether the server speaks TLS, which any state of it answers.
func (g *greeter) greet(network, addr string) error {
	c, err := g.dialer.Dial(network, addr)
	if err == nil {
		defer c.Close()
		err = c.SetDeadline(time.Now().Add(greetFor))
	}
	if err == nil {
		_, err = c.Write([]byte{0, 0, 0, 8, 4, 210, 22, 47}) // SSLRequest
	}
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err != nil {
		g.down()
		return absent{fmt.Errorf("PostgreSQL does not answer: %w", err)}
	}
	return nil
}

func (g *greeter) down() { g.until.Store(time.Now().Add(downFor).UnixNano()) }

// patient is a connection that asks after a silence whether the server is there.
type patient struct {
	net.Conn
	g     *greeter
	greet func() error
	made  time.Time
	heard atomic.Bool // anything, ever

	mu    sync.Mutex
	limit time.Time // that pgx has set
}

// SetDeadline implements net.Conn; pgx sets no other deadline.
func (p *patient) SetDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = t
	return p.Conn.SetDeadline(t)
}

// silence sets how long the next read may wait.
func (p *patient) silence() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := time.Now().Add(silentFor)
	if !p.limit.IsZero() && p.limit.Before(t) {
		t = p.limit
	}
	return p.SetReadDeadline(t)
}

func (p *patient) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.limit.IsZero() && !time.Now().Before(p.limit)
}

// Read implements net.Conn.
func (p *patient) Read(b []byte) (int, error) {
	for {
		if err := p.silence(); err != nil {
			return 0, err
		}
		n, err := p.Conn.Read(b)
		if n > 0 {
			p.heard.Store(true)
		} else if err != nil && !p.heard.Load() && time.Since(p.made) >= greetFor {
			p.g.down() // it takes connections and says nothing
		}
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || p.ended() {
			return n, err
		}
		if err := p.greet(); err != nil {
			return 0, err
		}
	}
}
