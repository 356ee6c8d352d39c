package servers

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Relay passes connections on to a server, until it is cut: a server that is
// down, as its clients see it.
type Relay struct {
	Address string
	target  string
	mu      sync.Mutex
	l       net.Listener
	open    map[net.Conn]bool
}

// NewRelay starts a Relay to target, a host and port.
func NewRelay(tb testing.TB, target string) *Relay {
	tb.Helper()
	r := &Relay{Address: "127.0.0.1:0", target: target, open: map[net.Conn]bool{}}
	r.Mend(tb)
	tb.Cleanup(r.Cut)
	return r
}

// Mend has it pass connections on again.
func (r *Relay) Mend(tb testing.TB) {
	tb.Helper()
	l, err := net.Listen("tcp", r.Address)
	if err != nil {
		tb.Fatal(err)
	}
	r.l, r.Address = l, l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // cut
			}
			go r.pass(c)
		}
	}()
}

// Cut breaks all connections and refuses new ones.
func (r *Relay) Cut() {
	_ = r.l.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		_ = c.Close()
	}
}

func (r *Relay) pass(c net.Conn) {
	defer r.forget(c)
	s, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer r.forget(s)
	r.mu.Lock()
	r.open[c], r.open[s] = true, true
	r.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, s}, {s, c}} {
		go func() {
			_, _ = io.Copy(way[0], way[1])
			done <- struct{}{}
		}()
	}
	<-done
}

func (r *Relay) forget(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}
