package api

import (
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// How much may go wrong before one is asked to wait. Only what is wrong counts:
// a ward of a hundred people behind one address signs in as often as it likes.
// The numbers stand in docs/operations.md.
const (
	wrongByAddress, wrongByAddressAMinute = 100, 20 // wrong passwords, codes and secrets from one address
	wrongByAccount, wrongByAccountAMinute = 20, 4   // by one person who is signed in
	uploads, uploadsAMinute               = 3000, 600
)

// guesses are the faults that somebody meets who tries what they do not know.
// What ended or is meant for somebody else is none: who has it was given it.
var guesses = map[string]bool{
	"sign-in-wrong": true, "sign-in-locked": true, "password-wrong": true, "code-wrong": true, "code-used": true, "passkey-wrong": true,
	"link-unknown": true, "invitation-unknown": true, "ticket-unknown": true,
}

// keyGuessed is set on a request that was a wrong guess.
const keyGuessed = "guessed"

func noteGuess(c *gin.Context, err error) {
	if guesses[fault.From(err).Code] {
		c.Set(keyGuessed, true)
	}
}

// paces keep count of who goes too fast. Each server counts for itself.
type paces struct{ address, account, uploads *pace }

func newPaces() paces {
	return paces{newPace(wrongByAddress, wrongByAddressAMinute), newPace(wrongByAccount, wrongByAccountAMinute), newPace(uploads, uploadsAMinute)}
}

// guessing slows down who guesses at a route, by their address and, where they
// are signed in, by their account. A guess is counted before it is looked at,
// and taken back when it was right, so that many at once gain nothing.
func (s *Server) guessing(c *gin.Context) {
	address := network(c.ClientIP())
	wait := s.paces.address.take(address)
	if wait > 0 {
		tooFast(c, wait, "There were too many wrong tries from this network. Try again in a minute. If you are signed in already, you can go on.")
		return
	}
	who := string(principal(c).Person.ID)
	if who != "" {
		if wait = s.paces.account.take(who); wait > 0 {
			s.paces.address.giveBack(address)
			tooFast(c, wait, "There were too many wrong tries. Wait a minute, and check what you enter before you try again.")
			return
		}
	}
	c.Next()
	if c.GetBool(keyGuessed) {
		return
	}
	s.paces.address.giveBack(address)
	if who != "" {
		s.paces.account.giveBack(who)
	}
}

// uploading keeps one account from filling the store as fast as it can send.
func (s *Server) uploading(c *gin.Context) {
	if wait := s.paces.uploads.take(string(principal(c).Person.ID)); wait > 0 {
		tooFast(c, wait, "Very many pictures were sent from this account in a short time. Wait a minute and go on; what is on the phone stays there until it is sent.")
	}
}

func tooFast(c *gin.Context, wait time.Duration, text words.Text) {
	slog.WarnContext(c.Request.Context(), "too fast", "request", requestID(c), "route", c.FullPath())
	err := fault.New(fault.TooMany, "too-fast", text).After(max(wait, time.Second))
	if inAPI(c) {
		fail(c, err)
		return
	}
	failPage(c, err)
}

// network is what counts as one address: all of IPv4, and the half of IPv6 that
// one customer is given, since they may choose the other half as they like.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap()
	if a.Is4() {
		return a.String()
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// paceRoom is of how many one pace knows at once, twice over.
const paceRoom = 20_000

// pace allows each key a number of things at once, which come back at a rate.
// Its memory is bounded: when there are too many keys, those that have not been
// heard of for longest are forgotten.
type pace struct {
	burst, rate  float64 // rate a second
	now          func() time.Time
	mu           sync.Mutex
	fresh, stale map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

func newPace(burst, aMinute float64) *pace {
	return &pace{burst: burst, rate: aMinute / 60, now: time.Now, fresh: map[string]*bucket{}}
}

// take takes one from a key, or says how long to wait for it.
func (p *pace) take(key string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.of(key)
	if b.left < 1 {
		return time.Duration(math.Ceil((1-b.left)/p.rate)) * time.Second
	}
	b.left--
	return 0
}

// giveBack undoes a take.
func (p *pace) giveBack(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.of(key)
	b.left = min(b.left+1, p.burst)
}

func (p *pace) of(key string) *bucket {
	now := p.now()
	b := p.fresh[key]
	if b == nil {
		if b = p.stale[key]; b == nil {
			b = &bucket{left: p.burst, at: now}
		}
		if len(p.fresh) >= paceRoom {
			p.stale, p.fresh = p.fresh, map[string]*bucket{}
		}
		p.fresh[key] = b
	}
	b.left = min(p.burst, b.left+p.rate*now.Sub(b.at).Seconds())
	b.at = now
	return b
}
