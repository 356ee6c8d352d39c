package api

import (
	"fmt"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPace(3, 60)
	p.now = func() time.Time { return now }
	for i := range 3 {
		if w := p.take("a"); w != 0 {
			t.Errorf("take %d waits %s", i, w)
		}
	}
	if w := p.take("a"); w != time.Second {
		t.Errorf("the fourth waits %s", w)
	}
	if p.take("b") != 0 {
		t.Error("one key slows down another")
	}
	p.giveBack("a")
	if p.take("a") != 0 {
		t.Error("what was given back is not there")
	}
	now = now.Add(time.Second)
	if p.take("a") != 0 || p.take("a") == 0 {
		t.Error("a second brings back other than one")
	}
	for i := range 10 * paceRoom {
		p.take(fmt.Sprint(i))
	}
	if n := len(p.fresh) + len(p.stale); n > 2*paceRoom {
		t.Errorf("it remembers %d keys", n)
	}
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "",
	} {
		if got := network(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
