package config

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/ledger"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/storage/sink"
)

// Audit says where signed checkpoints of the audit are published: to places
// that whoever may write to the database should not be able to rewrite.
type Audit struct {
	File          string `type:"path" env:"WARDSEAL_AUDIT_FILE" help:"File to append signed checkpoints of the audit to; best on another machine's disk, or made append-only."`
	Bucket        string `env:"WARDSEAL_AUDIT_BUCKET" help:"Bucket for signed checkpoints of the audit, best with object lock and a default retention; it must exist."`
	Endpoint      string `env:"WARDSEAL_AUDIT_ENDPOINT" help:"Host and port of that bucket's S3 server. Without it the bucket is on the server of the objects, with the same keys."`
	Region        string `env:"WARDSEAL_AUDIT_REGION" default:"us-east-1" help:"Region of that bucket."`
	AccessKey     string `env:"WARDSEAL_AUDIT_ACCESS_KEY" help:"Access key identifier for that bucket."`
	SecretKeyFile string `type:"path" env:"WARDSEAL_AUDIT_SECRET_KEY_FILE" help:"File that holds the secret key for that bucket."`
	CAFile        string `type:"path" env:"WARDSEAL_AUDIT_CA_FILE" help:"Certificate authority (PEM) that the certificate of that server, or of the log collector, is checked against, if not a public one."`
	Syslog        string `env:"WARDSEAL_AUDIT_SYSLOG" placeholder:"URL" help:"Log collector (RFC 5424) for signed checkpoints of the audit: tls://host:6514, tcp://host:601, udp://host:514 or unix:///dev/log."`
}

func (a Audit) check(o Objects) (errs []error) {
	if a.Bucket != "" && a.Endpoint == "" && o.Kind != "s3" {
		errs = append(errs, errors.New("--audit-endpoint is missing: the bucket for checkpoints is on no server"))
	}
	if a.Bucket != "" && a.Endpoint != "" && (a.AccessKey == "" || a.SecretKeyFile == "") {
		errs = append(errs, errors.New("--audit-access-key and --audit-secret-key-file are missing: the bucket for checkpoints needs them"))
	}
	if a.Bucket != "" && a.Endpoint == "" && a.Bucket == o.Bucket {
		errs = append(errs, errors.New("--audit-bucket must be another bucket than that of the objects"))
	}
	if a.Syslog != "" {
		if u, err := url.Parse(a.Syslog); err != nil || u.Scheme == "" {
			errs = append(errs, errors.New("--audit-syslog must be like tls://host:6514"))
		}
	}
	return errs
}

// Sinks opens the places that checkpoints are published to. It asks none of
// them for anything.
func (c Config) Sinks() ([]sink.Sink, error) {
	var out []sink.Sink
	a := c.Audit
	if a.File != "" {
		out = append(out, sink.NewFile(a.File))
	}
	if a.Bucket != "" {
		from := Objects{Endpoint: a.Endpoint, Region: a.Region, AccessKey: a.AccessKey, SecretKeyFile: a.SecretKeyFile, CAFile: a.CAFile}
		if a.Endpoint == "" {
			from = c.Objects
		}
		secret, err := secretFile(from.SecretKeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the secret key of the bucket for checkpoints: %w", err)
		}
		objects, err := s3.Open(s3.Config{Endpoint: from.Endpoint, Bucket: a.Bucket, Region: from.Region, AccessKey: from.AccessKey, SecretKey: s3.Secret(secret), CAFile: from.CAFile, Insecure: from.Insecure})
		if err != nil {
			return nil, err
		}
		out = append(out, sink.NewBucket("bucket "+a.Bucket+" at "+from.Endpoint, objects))
	}
	if a.Syslog != "" {
		s, err := sink.NewSyslog(a.Syslog, a.CAFile, time.Now)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// openLedger makes the sequencer, and the metrics of what it has not done yet.
func (s *System) openLedger() error {
	sinks, err := s.Config.Sinks()
	if err != nil {
		return err
	}
	s.ledger = &ledger.Sequencer{Store: s.Store, Key: s.Ring.CheckpointKey, Sinks: sinks}
	return s.metrics.Registry.Register(lag{s, time.Now()})
}

// Checkpoint signs and publishes at once what goes on in the background from
// time to time.
func (s *System) Checkpoint(ctx context.Context) error { return s.ledger.Round(ctx, true) }

// CheckpointKey is the public half of the key that signs checkpoints, as text;
// it is read from the database and needs no root.
func CheckpointKey(ctx context.Context, db *meta.Store) (string, error) {
	keys, err := db.SealedKeys(ctx)
	if err != nil {
		return "", fmt.Errorf("read the keys: %w", err)
	}
	for _, k := range keys {
		if k.Purpose == keyring.PurposeCheckpoint {
			return keyring.CheckpointVerifier(k)
		}
	}
	return "", errors.New("there is no key yet that signs checkpoints: the server makes it at its first start")
}

// lag is the metrics of the audit tree. They are read from the database, so
// that every server tells the same.
type lag struct {
	s     *System
	since time.Time
}

var (
	lagUncovered = prometheus.NewDesc("wardseal_audit_events_uncovered", "Audit events that no signed checkpoint covers yet.", nil, nil)
	lagAge       = prometheus.NewDesc("wardseal_audit_checkpoint_age_seconds", "How long ago the latest checkpoint was signed; before the first, how long this server has been up.", nil, nil)
	lagEvents    = prometheus.NewDesc("wardseal_audit_events", "Audit events in all.", nil, nil)
	lagRefused   = prometheus.NewDesc("wardseal_audit_refused", "1 when no checkpoint is signed because the log does not fit what was signed before.", nil, nil)
	lagWaiting   = prometheus.NewDesc("wardseal_audit_checkpoints_unpublished", "Checkpoints that a sink does not have yet.", []string{"sink"}, nil)
)

// Describe implements prometheus.Collector.
func (lag) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagUncovered, lagAge, lagEvents, lagRefused, lagWaiting} {
		out <- d
	}
}

// Collect implements prometheus.Collector. Without the database there is
// nothing to tell.
func (g lag) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	l, sinks, err := g.s.published(ctx)
	if err != nil {
		slog.WarnContext(ctx, "measure the audit tree", "error", err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(lagEvents, float64(l.Last))
	gauge(lagUncovered, float64(l.Last-l.Checkpoint.Size))
	refused := 0.0
	if l.Refused != "" {
		refused = 1
	}
	gauge(lagRefused, refused)
	age := time.Since(g.since)
	if l.Checkpoint.Size > 0 {
		age = l.Now.Sub(l.Checkpoint.At)
	}
	gauge(lagAge, age.Seconds())
	for _, k := range sinks {
		gauge(lagWaiting, float64(k.Waiting), k.Name)
	}
}

// published gives how far the tree has come, and each sink that is set.
func (s *System) published(ctx context.Context) (meta.Ledger, []meta.Sink, error) {
	l, err := s.Store.Ledger(ctx)
	if err != nil {
		return l, nil, err
	}
	rows, err := s.Store.Sinks(ctx)
	var out []meta.Sink
	for _, k := range s.ledger.Sinks {
		for _, row := range rows {
			if row.Name == k.Name() {
				out = append(out, row)
			}
		}
	}
	return l, out, err
}

// overdue is how long an event may be without a checkpoint before that is a
// fault: several times as long as it takes when all is well.
const overdue = 5 * ledger.SignEvery

// auditStatus tells an administrator how the audit tree and its sinks are.
func (s *System) auditStatus(ctx context.Context) []api.Part {
	l, sinks, err := s.published(ctx)
	if err != nil {
		return []api.Part{{Name: "Audit checkpoints", Says: "It does not answer. The log says why."}}
	}
	waiting := l.Last - l.Checkpoint.Size
	tree := api.Part{Name: "Audit checkpoints", OK: true}
	switch {
	case l.Refused != "":
		tree.OK = false
		tree.Says = words.Say("NONE IS SIGNED ANY MORE since {when}: {why}. Treat it as an incident: see docs/checkpoints.md.", stamp(l.RefusedAt), l.Refused)
	case l.Checkpoint.Size == 0:
		tree.Says = words.Count(waiting, "none yet; {n} event waits for one", "none yet; {n} events wait for one")
	default:
		late := ""
		if tree.OK = waiting == 0 || l.Now.Sub(l.Checkpoint.At) < overdue || waiting < ledger.SignAfter && s.fresh(ctx, l); !tree.OK {
			late = stamp(l.Checkpoint.At)
		}
		tree.Says = words.Say("events covered: {n} of {all}; waiting: {waiting}[; the last was signed at {when}, which is too long ago]", l.Checkpoint.Size, l.Last, waiting, late)
	}
	if len(s.ledger.Sinks) == 0 {
		return []api.Part{tree, {Name: "Audit sinks", OK: true, Says: "none is set: checkpoints stay in the database, where whoever rewrites it could remove them. Set --audit-file, --audit-bucket or --audit-syslog."}}
	}
	out := []api.Part{tree}
	for _, k := range sinks {
		p := api.Part{Name: "Audit sink", OK: k.Failure == "", Says: words.Say("{sink}: has all events up to number {n}; checkpoints waiting: {waiting}", k.Name, k.Size, k.Waiting)}
		if k.Failure != "" {
			p.Says = words.Say("{state}; at {when}: {why}", p.Says, stamp(k.FailedAt), k.Failure)
		}
		for _, at := range s.ledger.Sinks {
			if b, ok := at.(*sink.Bucket); ok && b.Name() == k.Name && p.OK && k.Size > 0 {
				p.Says = words.Say("{state}{lock}", p.Says, locked(ctx, b))
			}
		}
		out = append(out, p)
	}
	return out
}

// fresh reports whether what waits began to wait only now: the first event
// after a quiet time is covered within moments, and not at once.
func (s *System) fresh(ctx context.Context, l meta.Ledger) bool {
	bodies, _, err := s.Store.EventBodies(ctx, meta.EventFilter{Since: l.Checkpoint.Size, Limit: 1})
	if err != nil || len(bodies) != 1 {
		return false
	}
	first, err := audit.Parse(bodies[0])
	return err == nil && l.Now.Sub(first.At) < overdue
}

func locked(ctx context.Context, b *sink.Bucket) words.Text {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	locks, err := b.Locks(ctx)
	switch {
	case err != nil:
		return "; whether it locks them cannot be told"
	case locks == "":
		return "; the bucket does not lock them: give it object lock and a default retention"
	}
	return words.Say("; each locked for {time}", locks)
}
