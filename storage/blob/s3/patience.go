package s3

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// patience is how long a server may keep one operation waiting, all of its
	// attempts together, while next to nothing moves: somebody waits for the
	// answer, and a server that is silent this long is not there.
	patience = 6 * time.Second
	// completing is the patience with a server that puts a large object
	// together, which takes it as long as copying it.
	completing = time.Minute
	// something is how many bytes must move for patience to begin again.
	something = 64 << 10
)

// silent is the error of a server that kept an operation waiting for too long.
type silent struct{}

func (silent) Error() string   { return "the server does not answer in time" }
func (silent) Timeout() bool   { return true }
func (silent) Temporary() bool { return true }

// operation is one thing asked of a server, in as many attempts as it takes.
type operation struct {
	mu    sync.Mutex
	all   time.Duration
	left  time.Duration // of the patience
	moved int64         // bytes since it began
	since time.Time     // of waiting; zero while this side is at work
	timer *time.Timer
	cut   func()
}

type operationKey struct{}

// asking begins an operation that the server may keep waiting for so long.
func asking(ctx context.Context, patience time.Duration) context.Context {
	return context.WithValue(ctx, operationKey{}, &operation{all: patience, left: patience})
}

// wait has the clock run until goOn.
func (o *operation) wait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer == nil {
		o.since, o.timer = time.Now(), time.AfterFunc(max(o.left, 0), o.cut)
	}
}

// goOn stops the clock, after so many bytes have moved.
func (o *operation) goOn(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer != nil {
		o.timer.Stop()
		o.left, o.timer = o.left-time.Since(o.since), nil
	}
	if o.moved += int64(n); o.moved >= something {
		o.left, o.moved = o.all, 0
	}
}

// patient cuts off attempts whose operation has waited for too long. Only the
// time in which the server is waited for counts: not that of a slow viewer.
type patient struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	o, ok := r.Context().Value(operationKey{}).(*operation)
	if !ok { // a page of a long list
		o = &operation{all: patience, left: patience}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	o.mu.Lock()
	o.cut = func() { cancel(silent{}) }
	o.mu.Unlock()
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = sending{r.Body, o}
	}
	o.wait()
	resp, err := p.next.RoundTrip(r)
	o.goOn(0)
	if err != nil {
		err = told(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = receiving{resp.Body, o, ctx, cancel}
	return resp, nil
}

// told gives the reason why an attempt was cut off.
func told(ctx context.Context, err error) error {
	if s, ok := context.Cause(ctx).(silent); ok && err != nil && err != io.EOF {
		return s
	}
	return err
}

// sending is a request's body. Between two reads of it the server is waited for.
type sending struct {
	io.ReadCloser
	o *operation
}

func (s sending) Read(p []byte) (int, error) {
	s.o.goOn(0)
	n, err := s.ReadCloser.Read(p)
	s.o.goOn(n)
	s.o.wait()
	return n, err
}

// receiving is a response's body.
type receiving struct {
	io.ReadCloser
	o      *operation
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (r receiving) Read(p []byte) (int, error) {
	r.o.wait()
	n, err := r.ReadCloser.Read(p)
	r.o.goOn(n)
	return n, told(r.ctx, err)
}

func (r receiving) Close() error {
	err := r.ReadCloser.Close()
	r.cancel(nil)
	return err
}
