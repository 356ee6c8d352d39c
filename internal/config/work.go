package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/internal/mail"
	"github.com/wardseal/wardseal/internal/push"
	"github.com/wardseal/wardseal/internal/transfer"
)

// mails makes the runner that tells staff by mail, if there is a mail server.
func (s *System) mails() error {
	m := s.Config.Mail
	if m.Server == "" {
		return nil
	}
	password := ""
	if m.PasswordFile != "" {
		b, err := os.ReadFile(m.PasswordFile)
		if err != nil {
			return fmt.Errorf("read the password of the mail server: %w", err)
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	sender, err := mail.New(mail.Config{Server: m.Server, From: m.From, Username: m.Username, Password: password, CAFile: m.CAFile, Plain: m.Plain})
	if err != nil {
		return err
	}
	s.send = sender.Send
	n := &transfer.Notifier{Store: s.Store, Send: sender.Send, Base: strings.TrimSuffix(s.Config.PublicURL, "/")}
	s.runners = append(s.runners, jobs.New(queue{db: s.Store}, n.Handlers(), jobs.Config{Backoff: 30 * time.Second}))
	return nil
}

// pushes makes what tells browsers, and its runner if there is a service that
// may be used.
func (s *System) pushes() (*transfer.Pushes, error) {
	out := &transfer.Pushes{Gate: s.Store, Store: s.Store, Ring: s.Ring}
	c := s.Config.Push
	if len(c.Services) == 0 {
		return out, nil
	}
	if c.Contact == "" {
		c.Contact = s.Config.Mail.From
	}
	if !mail.Address(c.Contact) {
		return nil, errors.New("--push-contact is missing: the services for messages want an e-mail address")
	}
	var err error
	private, public := s.Ring.Push()
	if out.Sender, err = push.New(push.Config{Services: c.Services, Subscriber: c.Contact, CAFile: c.CAFile}, private, public); err != nil {
		return nil, err
	}
	s.runners = append(s.runners, jobs.New(queue{db: s.Store}, out.Handlers(), jobs.Config{Backoff: 30 * time.Second}))
	return out, nil
}

// jobs makes the runners of background jobs, unless this server makes no
// derivatives, and reports whether videos are looked after too.
func (s *System) jobs(box *spool.Spool) (films bool, err error) {
	limits := s.Config.Limits
	if limits.NoDerivatives {
		return true, nil // by another server
	}
	self, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("find this program, to start it as the decoding child: %w", err)
	}
	maker, err := derive.New(derive.Config{Command: []string{self, ChildArgument}, MaxPixels: limits.MaxPixels})
	if err != nil {
		return false, fmt.Errorf("prepare the decoding child: %w", err)
	}
	d := &transfer.Derivations{
		Store: s.Store, Objects: s.Objects, Ring: s.Ring, Maker: maker, Spool: box,
		MaxBytes: limits.MaxUploadBytes, MaxPixels: limits.MaxPixels, Wake: s.wake,
	}
	d.Films, err = derive.NewFilms(derive.FilmConfig{Command: []string{self, FilmArgument}, FFmpeg: s.Config.FFmpeg, MaxPixels: limits.MaxPixels})
	if err != nil {
		slog.Warn("videos get no posters and no playable form on this server, and a few kinds of stills no preview", "error", err)
		d.Films = nil
	}
	d.Recoder, err = derive.NewRecoder(derive.RecoderConfig{Command: []string{self, FilmArgument}, JPEGTran: s.Config.JPEGTran})
	if err != nil {
		slog.Info("JPEGs that are coded arithmetically get no preview on this server", "error", err)
		d.Recoder = nil
	}
	q := queue{db: s.Store, version: derive.Version, again: transfer.AgainLater()}
	s.runners = append(s.runners, jobs.New(q, d.Handlers(), jobs.Config{}))
	if d.Films != nil {
		s.runners = append(s.runners, jobs.New(q, d.SlowHandlers(), jobs.Config{}))
	}
	return d.Films != nil, nil
}

func (s *System) wake() {
	for _, r := range s.runners {
		r.Wake()
	}
}

// sweepEvery is how often objects without a row are looked for, and keys made
// by other servers are read.
const sweepEvery = time.Hour

// Work does what goes on in the background until ctx ends: jobs and sweeps.
func (s *System) Work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range s.runners {
		g.Go(func() error { return r.Run(ctx) })
	}
	g.Go(func() error { return s.sweep(ctx) })
	g.Go(func() error { return s.keepKeys(ctx) })
	g.Go(func() error { return s.resume(ctx) })
	g.Go(func() error { return s.keepRecords(ctx) })
	g.Go(func() error { return s.ledger.Run(ctx) })
	g.Go(func() error { return s.scrubber.Run(ctx) })
	return g.Wait()
}

func (s *System) sweep(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		if _, err := transfer.Sweep(ctx, s.Objects, s.Store, time.Now()); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "sweep", "error", err) // the next one may do better
		}
		if err := s.intake.Sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "sweep the intake", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// resumeEvery is how often uploads are looked for that are whole and that
// nobody files, because the server that was at it was killed.
const resumeEvery = time.Minute

func (s *System) resume(ctx context.Context) error {
	t := time.NewTicker(resumeEvery)
	defer t.Stop()
	for {
		if err := s.intake.Resume(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "file whole uploads", "error", err) // the next round may do better
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// Sweep does at once what goes on in the background from time to time.
func (s *System) Sweep(ctx context.Context, now time.Time) error {
	_, err := transfer.Sweep(ctx, s.Objects, s.Store, now)
	return errors.Join(err, s.intake.Sweep(ctx, now))
}
