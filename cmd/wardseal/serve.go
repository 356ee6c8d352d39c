package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
)

// serveCmd is production.
type serveCmd struct{ config.Config }

// memoryGoal is what the server keeps its memory near, unless GOMEMLIMIT says
// otherwise: what it needs is bounded, and what it has needed goes back. The
// pages of the program itself, some 55 MB, and those of pictures on their way
// come on top. Up to there the collector may take its time (gcPercent, unless
// GOGC says otherwise): little of the heap stays, and age makes much that does
// not.
const (
	memoryGoal = 80 << 20
	gcPercent  = 300
)

func (s *serveCmd) Run(ctx context.Context) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryGoal)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	srv, err := startServer(ctx, s.Config)
	if err != nil {
		return err
	}
	slog.Warn("serving", "url", srv.url, "operations", srv.operations)
	select {
	case <-ctx.Done():
	case err = <-srv.failed:
	}
	return errors.Join(err, srv.stop())
}

// server is a running system with its two listeners.
type server struct {
	url        string // where people reach it
	operations string // address of the operations listener
	system     *config.System
	failed     chan error
	stop       func() error // finishes what is in flight
}

// startServer opens the system and listens. The listeners are bound when it
// returns.
func startServer(ctx context.Context, cfg config.Config) (*server, error) {
	sys, err := config.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	people, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen: %w", err), sys.Close())
	}
	ops, err := net.Listen("tcp", cfg.Operations)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for operations: %w", err), people.Close(), sys.Close())
	}
	url := cfg.PublicURL
	if _, port, _ := net.SplitHostPort(cfg.Listen); port == "0" { // the demo's and the tests' choice
		url = fmt.Sprintf("http://localhost:%d", people.Addr().(*net.TCPAddr).Port)
	}
	edge, err := api.New(sys.Flows(), sys.Edge(url))
	if err != nil {
		return nil, errors.Join(err, people.Close(), ops.Close(), sys.Close())
	}
	s := &server{url: url, operations: ops.Addr().String(), system: sys, failed: make(chan error, 3)}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		if err := sys.Work(work); err != nil {
			s.failed <- fmt.Errorf("background work: %w", err)
		}
	})
	main, second := httpServer(edge), httpServer(edge.Operations())
	running.Go(func() { s.serve(main, people, cfg) })
	running.Go(func() { s.serve(second, ops, config.Config{}) })
	s.stop = func() error {
		grace, done := context.WithTimeout(context.Background(), cfg.Limits.StopWithin)
		defer done()
		err := errors.Join(main.Shutdown(grace), second.Shutdown(grace))
		cancel()
		running.Wait()
		return errors.Join(err, sys.Close())
	}
	return s, nil
}

// httpServer has limits for everything but the bodies of uploads and views,
// which move their own deadlines as long as bytes flow. A connection cannot be
// resumed by a ticket, whose key would be worth stealing for days.
func httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true}, ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelInfo),
	}
}

func (s *server) serve(h *http.Server, l net.Listener, cfg config.Config) {
	var err error
	if cfg.TLSCert != "" {
		err = h.ServeTLS(l, cfg.TLSCert, cfg.TLSKey)
	} else {
		err = h.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.failed <- err
	}
}
