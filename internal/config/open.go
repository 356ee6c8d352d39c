package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/fsck"
	"github.com/wardseal/wardseal/internal/handover"
	"github.com/wardseal/wardseal/internal/invitation"
	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/internal/ledger"
	"github.com/wardseal/wardseal/internal/records"
	"github.com/wardseal/wardseal/internal/signin"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/storage/meta"
	"go.opentelemetry.io/otel/sdk/trace"
)

// ChildArgument is the one argument with which the binary becomes the confined
// child that decodes pictures.
const ChildArgument = "decode-child"

// FilmArgument is the first argument with which the binary becomes the
// confined child that turns into the video tool; more follow.
const FilmArgument = "film-child"

// System is an opened deployment: every part, ready to serve.
type System struct {
	Config  Config
	Store   *meta.Store
	Objects blob.Store
	Ring    *keyring.Ring
	Staff   *signin.Staff

	flows  api.Flows
	send   transfer.SendMail // nil without a mail server
	intake *transfer.Intake

	records   *records.Desk
	disposal  *disposal.Desk
	handover  *handover.Desk
	locks     *records.Locks // nil without
	runners   []*jobs.Runner
	metrics   *api.Metrics
	spool     *spool.Spool
	traces    *trace.TracerProvider // nil without
	keys      *keys
	site      string // the public URL, once it is known
	passwords signin.Passwords
	ledger    *ledger.Sequencer
	scrubber  *fsck.Scrubber
}

// metaConfig says where the metadata is, and makes the folder for it.
func (c Config) metaConfig() (meta.Config, error) {
	mc := meta.Config{Driver: c.Database.Driver, DSN: filepath.Join(c.Data, "wardseal.db")}
	switch c.Database.Driver {
	case "postgres":
		url, err := secretFile(c.Database.URLFile)
		if err != nil {
			return mc, fmt.Errorf("read the database URL: %w", err)
		}
		mc.DSN = url
	case "sqlite":
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return mc, fmt.Errorf("make the data folder: %w", err)
		}
	}
	return mc, nil
}

// OpenDatabase opens the metadata alone, brought to the newest schema.
func OpenDatabase(ctx context.Context, c Config) (*meta.Store, error) {
	mc, err := c.metaConfig()
	if err != nil {
		return nil, err
	}
	db, err := meta.Open(mc)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("bring the database to the newest schema: %w", err), db.Close())
	}
	return db, nil
}

// ReadDatabase opens the metadata as it is, to be looked at only: it neither
// makes a database nor brings one to another schema.
func ReadDatabase(ctx context.Context, c Config) (*meta.Store, error) {
	mc := meta.Config{Driver: c.Database.Driver, DSN: filepath.Join(c.Data, "wardseal.db")}
	if mc.Driver == "postgres" {
		url, err := secretFile(c.Database.URLFile)
		if err != nil {
			return nil, fmt.Errorf("read the database URL: %w", err)
		}
		mc.DSN = url
	} else if _, err := os.Stat(mc.DSN); err != nil {
		return nil, fmt.Errorf("look for the database: %w", err)
	}
	db, err := meta.Open(mc)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if v, err := db.SchemaVersion(ctx); err != nil || v < schemaOfTree {
		return nil, errors.Join(err, errors.New("this database is of a version without an audit tree: start the server once"), db.Close())
	}
	return db, nil
}

// schemaOfTree is the first schema with an audit tree.
const schemaOfTree = 11

func openObjects(ctx context.Context, c Config) (blob.Store, error) {
	if c.Objects.Kind != "s3" {
		return filesystem.Open(filepath.Join(c.Data, "objects"))
	}
	secret, err := secretFile(c.Objects.SecretKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the secret key: %w", err)
	}
	return s3.Open(s3.Config{
		Endpoint: c.Objects.Endpoint, Bucket: c.Objects.Bucket, Region: c.Objects.Region,
		AccessKey: c.Objects.AccessKey, SecretKey: s3.Secret(secret), CAFile: c.Objects.CAFile, Insecure: c.Objects.Insecure,
	})
}

// Open opens every part in order, or none: what cannot be opened is an error.
func Open(ctx context.Context, c Config) (sys *System, err error) {
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("the configuration is not whole:\n%w", err)
	}
	sys = &System{Config: c, metrics: api.NewMetrics()}
	if sys.Store, err = OpenDatabase(ctx, c); err != nil {
		return nil, err
	}
	db := sys.Store // an error clears sys
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if sys.keys, err = openKeys(c, sys.Store); err != nil {
		return nil, err
	}
	if err := sys.keys.refresh(ctx); err != nil {
		return nil, err
	}
	sys.Ring = sys.keys.ring
	if sys.Objects, err = openObjects(ctx, c); err != nil {
		return nil, fmt.Errorf("open the object store: %w", err)
	}
	if err := sys.Objects.Check(ctx); err != nil {
		return nil, fmt.Errorf("check the object store: %w", err)
	}
	if sys.traces, err = c.Traces.provider(ctx); err != nil {
		return nil, err
	}
	if err := sys.compose(); err != nil {
		return nil, err
	}
	if err := sys.locking(ctx); err != nil {
		return nil, err
	}
	if err := sys.records.Begin(ctx); err != nil {
		return nil, err
	}
	// Before anybody can look: what a restored backup has brought back goes.
	if _, err := sys.disposal.Replay(ctx); err != nil {
		return nil, fmt.Errorf("replay the disposals: %w", err)
	}
	return sys, nil
}

// compose makes the flows out of the parts.
func (s *System) compose() error {
	c, db := s.Config, s.Store
	box, err := spool.New(spool.Config{Dir: filepath.Join(c.Data, "spool"), MemoryBytes: min(8<<20, c.Limits.SpoolMemory), TotalMemoryBytes: c.Limits.SpoolMemory})
	if err != nil {
		return fmt.Errorf("open the spool: %w", err)
	}
	s.spool = box
	if err := s.metrics.Registry.Register(measures{s}); err != nil {
		return err
	}
	factors := signin.NewFactors(db, s.Ring, func() string { return s.site })
	door, err := signin.NewDoor(c.Sessions.config(), db, db, factors)
	if err != nil {
		return err
	}
	if s.passwords, err = c.Passwords.Open(c.Records.Organisation); err != nil {
		return err
	}
	own, err := signin.NewAccount(db, door.SteppedUp, s.passwords)
	if err != nil {
		return err
	}
	s.Staff = signin.NewStaff(db, db, s.passwords, c.Sessions.FirstPasswordFor)
	if err := s.desks(door); err != nil {
		return err
	}
	elsewhere, err := c.providers()
	if err != nil {
		return err
	}
	films, err := s.jobs(box)
	if err != nil {
		return err
	}
	if err := s.mails(); err != nil {
		return err
	}
	if err := s.openLedger(); err != nil {
		return err
	}
	if err := s.openScrub(); err != nil {
		return err
	}
	pushes, err := s.pushes()
	if err != nil {
		return err
	}
	guidance, err := c.guidance(db)
	if err != nil {
		return err
	}
	uploads := &transfer.Uploads{
		Gate: db, Store: db, Patients: transfer.PatientFinder{Store: db, Ring: s.Ring}, Objects: s.Objects, Ring: s.Ring, Spool: box,
		Clock: time.Now, MaxBytes: c.Limits.MaxUploadBytes, MaxPixels: c.Limits.MaxPixels, NoSound: c.Limits.NoSound, Filed: s.wake,
	}
	s.intake = &transfer.Intake{
		Gate: db, Store: db, Objects: s.Objects, Ring: s.Ring, Spool: box, Uploads: uploads, LiveFor: c.Limits.UploadsFor, Count: c.Limits.UploadsOpen,
	}
	views := &transfer.Views{Gate: db, Store: db, Objects: s.Objects, Ring: s.Ring, Cache: blob.NewCache(16 << 20)}
	s.flows = api.Flows{
		Door: door, Own: own, Staff: s.Staff, Providers: signin.NewProviders(door, s.Staff, db, s.Ring, func() string { return s.site }, elsewhere), Uploads: uploads, Intake: s.intake,
		Views:    views,
		Marks:    &transfer.Annotations{Gate: db, Store: db, Views: views, Ring: s.Ring},
		Items:    &transfer.Items{Gate: db, Store: db, Ring: s.Ring, Films: films},
		Links:    &transfer.Links{Gate: db, Store: db, Redeem: db, Audience: db, Ring: s.Ring},
		Patients: &transfer.Patients{Gate: db, Store: db, Ring: s.Ring, Clock: time.Now},
		Account:  &transfer.Account{Gate: db, Store: db, StepUp: door.SteppedUp},
		Looks:    &transfer.Looks{Gate: db, Store: db, Ring: s.Ring},

		Referrals: &transfer.Referrals{Gate: db, Store: db, Audience: db, Ring: s.Ring, Clock: time.Now, Overdue: c.Limits.OverdueAfter},
		Seen:      &transfer.Seen{Gate: db, Store: db},
		Oversight: &transfer.Oversight{Gate: db, Store: db, Ring: s.Ring, Lasts: c.Limits.EmergencyFor},
		Guidance:  guidance,

		Records:     s.records,
		Disposal:    s.disposal,
		Handover:    s.handover,
		Reports:     &transfer.Reports{Gate: db, Store: db},
		Factors:     factors,
		Desk:        &transfer.Desk{Gate: db, Store: db, Ring: s.Ring},
		Pushes:      pushes,
		Tickets:     &signin.Tickets{Store: db, Staff: s.Staff, Passwords: s.passwords, For: c.Sessions.TicketFor, Proof: door.SteppedUp, Send: s.send, Site: func() string { return s.site }},
		Invitations: &transfer.Invitations{Gate: db, Store: db, Ring: s.Ring, Send: s.send, Base: strings.TrimSuffix(c.PublicURL, "/")},
		Guests:      &transfer.Guests{Gate: db, Store: db, Ring: s.Ring, Send: s.send, CodeFor: invitation.CodeFor, CodeEvery: invitation.CodeEvery},
	}
	return nil
}

// guidance reads the text that staff must acknowledge.
func (c Config) guidance(db signin.GuidanceStore) (*signin.Guidance, error) {
	if c.GuidanceFile == "" {
		return signin.NewGuidance(db, ""), nil
	}
	text, err := os.ReadFile(c.GuidanceFile)
	if err != nil {
		return nil, fmt.Errorf("read the guidance for staff: %w", err)
	}
	if len(strings.TrimSpace(string(text))) == 0 || !utf8.Valid(text) {
		return nil, fmt.Errorf("the guidance for staff in %s is empty or not UTF-8", c.GuidanceFile)
	}
	return signin.NewGuidance(db, string(text)), nil
}

// Flows are what the edge serves.
func (s *System) Flows() api.Flows { return s.flows }

// Edge is how the edge serves them at a public URL.
func (s *System) Edge(url string) api.Config {
	s.site = strings.TrimSuffix(url, "/")
	out := api.Config{
		PublicURL: strings.TrimSuffix(url, "/"), MaxBytes: s.Config.Limits.MaxUploadBytes, Trusted: s.Config.Proxies, Metrics: s.metrics, Ready: s.ready, Status: s.status, IdleFor: s.Config.Sessions.IdleFor,
		Mails: s.Config.Mail.Server != "",
	}
	if s.traces != nil {
		out.Traces = s.traces
	}
	return out
}

// ready asks each part whether it could do its work now: whether the database
// takes changes, the objects answer, and there is a key for new pictures.
func (s *System) ready(ctx context.Context) map[string]error {
	var database, objects, keys error
	var asked sync.WaitGroup // at once: one that is silent must not use up the other's time
	asked.Go(func() { database = s.Store.Writable(ctx) })
	asked.Go(func() { objects = s.Objects.Check(ctx) })
	asked.Wait()
	if missing := s.Ring.Missing(""); len(missing) > 0 {
		keys = fmt.Errorf("%d keys are missing", len(missing))
	}
	parts := map[string]error{"database": database, "objects": objects, "keys": keys}
	for name, err := range parts {
		if err != nil {
			slog.WarnContext(ctx, "not ready", "part", name, "error", err)
		}
	}
	return parts
}

// Close closes what Open opened. Stop serving first.
func (s *System) Close() error {
	if s.traces != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.traces.Shutdown(ctx) // the last spans, if the collector takes them
	}
	var list error
	if c, ok := s.passwords.Breached.(io.Closer); ok {
		list = c.Close()
	}
	return errors.Join(list, s.Store.Close())
}
