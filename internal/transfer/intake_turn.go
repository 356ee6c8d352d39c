package transfer

import (
	"context"
	"time"

	"github.com/wardseal/wardseal/internal/fault"
)

// turn lets one request at a time work on an upload on this server. Who comes
// later is the phone that has lost its signal and come back: it cuts off who
// was there before, which then keeps what it has.
type turn struct {
	cut  func()
	done chan struct{}
}

func (n *Intake) turn(ctx context.Context, id string, cut func()) (func(), error) {
	for {
		n.mu.Lock()
		before := n.turns[id]
		if before == nil {
			if n.turns == nil {
				n.turns = map[string]*turn{}
			}
			mine := &turn{cut, make(chan struct{})}
			n.turns[id] = mine
			n.mu.Unlock()
			return func() {
				n.mu.Lock()
				delete(n.turns, id)
				n.mu.Unlock()
				close(mine.done)
			}, nil
		}
		n.mu.Unlock()
		before.cut()
		select {
		case <-before.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(15 * time.Second):
			return nil, fault.New(fault.Unavailable, "upload-busy", "This upload is busy just now. It goes on in a moment; nothing is lost.").After(5 * time.Second)
		}
	}
}
