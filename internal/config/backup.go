package config

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/backup"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
	"github.com/wardseal/wardseal/storage/blob/s3"
	"github.com/wardseal/wardseal/storage/meta"
)

// Place says how to reach a bucket for backups. A folder needs nothing of it.
type Place struct {
	Endpoint      string `env:"WARDSEAL_BACKUP_ENDPOINT" help:"Host and port of the S3 server of the backups. Without it the bucket is on the server of the objects, with the same keys: better have it elsewhere."`
	Region        string `env:"WARDSEAL_BACKUP_REGION" default:"us-east-1" help:"Region of that bucket."`
	AccessKey     string `env:"WARDSEAL_BACKUP_ACCESS_KEY" help:"Access key identifier for that bucket."`
	SecretKeyFile string `type:"path" env:"WARDSEAL_BACKUP_SECRET_KEY_FILE" help:"File that holds the secret key for that bucket."`
	CAFile        string `type:"path" env:"WARDSEAL_BACKUP_CA_FILE" help:"Certificate authority (PEM) that the certificate of that server is checked against, if not a public one."`
}

// OpenPlace opens a folder, or a bucket written as s3:BUCKET.
func (c Config) OpenPlace(at string, p Place, exists bool) (blob.Store, error) {
	bucket, isBucket := strings.CutPrefix(at, "s3:")
	if !isBucket {
		dir, err := filepath.Abs(at)
		if err != nil {
			return nil, err
		}
		if rel, err := filepath.Rel(c.Data, dir); c.Data != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return nil, errors.New("a backup inside the data folder goes with it: choose a place elsewhere, best on another machine")
		}
		if _, err := os.Stat(dir); exists && err != nil {
			return nil, fmt.Errorf("look for the backups: %w", err)
		}
		return filesystem.Open(dir)
	}
	bucket = strings.TrimPrefix(bucket, "//")
	o := c.Objects
	if p.Endpoint != "" {
		o = Objects{Endpoint: p.Endpoint, Region: p.Region, AccessKey: p.AccessKey, SecretKeyFile: p.SecretKeyFile, CAFile: p.CAFile}
	} else if bucket == c.Objects.Bucket || c.Objects.Kind != "s3" {
		return nil, errors.New("say --place-endpoint and the keys for the bucket of backups, which must be another than that of the objects")
	}
	secret, err := secretFile(o.SecretKeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the secret key of the bucket for backups: %w", err)
	}
	return s3.Open(s3.Config{Endpoint: o.Endpoint, Bucket: bucket, Region: o.Region, AccessKey: o.AccessKey, SecretKey: s3.Secret(secret), CAFile: o.CAFile, Insecure: o.Insecure})
}

// KeepFor is how long backups may stay: as long as was asked for, or else a day
// less than certificates of destruction promise, so that a daily run keeps the
// promise. Longer than the promise is refused.
func (c Config) KeepFor(asked time.Duration) (time.Duration, error) {
	most := c.Records.Backups
	switch {
	case asked < 0:
		return 0, errors.New("--keep cannot be negative")
	case most == 0 || asked > 0 && asked <= most:
		return asked, nil
	case asked > most:
		return 0, fmt.Errorf("--keep is longer than --backups-kept-for (%s): certificates of destruction say that no key outlives that", most)
	}
	return most - min(24*time.Hour, most/2), nil
}

// Maker makes backups in a place, sealed to the escrow recipients, the roots,
// and others that are given, one a line.
func (p *Parts) Maker(place blob.Store, more ...string) (*backup.Maker, error) {
	escrowText, err := os.ReadFile(p.Config.EscrowFile())
	if err != nil {
		return nil, fmt.Errorf("read the escrow recipient: %w", err)
	}
	escrow, err := archive.ParseRecipients(string(escrowText))
	if err != nil || escrow.Len() == 0 {
		return nil, errors.Join(err, errors.New("there is no escrow recipient that a backup could be sealed to"))
	}
	top, err := Roots(p.Config)
	if err != nil {
		return nil, err
	}
	own, roots, err := archive.ParseIdentities(top.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the root identity: %w", err)
	}
	others, err := archive.ParseRecipients(more...)
	if err != nil {
		return nil, fmt.Errorf("--recipient: %w", err)
	}
	box, err := spool.New(spool.Config{Dir: filepath.Join(p.Config.Data, "spool"), MemoryBytes: 8 << 20, TotalMemoryBytes: 8 << 20})
	if err != nil {
		return nil, fmt.Errorf("open the spool: %w", err)
	}
	return &backup.Maker{
		Store: p.Store, Objects: p.Objects, Place: place, Ring: p.Ring, To: escrow.And(roots).And(others), Escrow: escrow, Own: own,
		Spool: box, Program: Version(), Database: p.Config.Database.Driver,
	}, nil
}

// Restoring is an opened place to restore into.
type Restoring struct {
	*backup.Restorer
	Config Config
	db     *meta.Store
}

// OpenRestore prepares to restore what is in a place into the deployment that
// the settings describe, with the root's identities or the escrow's.
func OpenRestore(ctx context.Context, c Config, place blob.Reader, roots keyring.Roots, key string) (_ *Restoring, err error) {
	if c.PublicURL == "" {
		c.PublicURL = "http://localhost" // not used
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("the configuration is not whole:\n%w", err)
	}
	ids, _, err := archive.ParseIdentities(roots.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the identity: %w", err)
	}
	r := &Restoring{Restorer: &backup.Restorer{Place: place, IDs: ids, Roots: roots}, Config: c}
	if key != "" {
		public, err := hex.DecodeString(key)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, errors.New("--key cannot be read: give it as “wardseal keys public” prints it")
		}
		r.Key = public
	}
	if r.Objects, err = openObjects(ctx, c); err != nil {
		return nil, fmt.Errorf("open the object store: %w", err)
	}
	if err := r.Objects.Check(ctx); err != nil {
		return nil, fmt.Errorf("check the object store: %w", err)
	}
	mc, err := c.metaConfig()
	if err != nil {
		return nil, err
	}
	if r.db, err = meta.Open(mc); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	r.Store = r.db
	return r, nil
}

// KeepEscrow writes the escrow recipients of the backup down, where there are
// none: a deployment does not start without.
func (r *Restoring) KeepEscrow(escrow string) error {
	err := NewSecretFile(r.Config.EscrowFile(), escrow)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// Close closes what OpenRestore opened.
func (r *Restoring) Close() error { return r.db.Close() }

// backupOverdue is how old the last backup may be before that is a fault: a
// night was missed.
const backupOverdue = 50 * time.Hour

// backupStatus tells an administrator when the last backup was made.
func (s *System) backupStatus(ctx context.Context) api.Part {
	p := api.Part{Name: "Backups"}
	now, err := s.Store.Now(ctx)
	var last []audit.Event
	if err == nil {
		last, err = s.Store.Events(ctx, meta.EventFilter{Type: audit.BackupMade, Limit: 1})
	}
	switch {
	case err != nil:
		p.Says = "It does not answer. The log says why."
	case len(last) == 0:
		p.OK, p.Says = true, "none was ever made with “wardseal backup”"
	default:
		made := last[0]
		p.OK = now.Sub(made.At) < backupOverdue && made.Detail["damaged"] == "0"
		damaged, late := made.Detail["damaged"], words.Text("")
		if damaged == "0" {
			damaged = ""
		}
		if now.Sub(made.At) >= backupOverdue {
			late = "which is too long ago"
		}
		p.Says = words.Say("the last was made on {when}[; objects that could NOT be copied: {n}; run “wardseal fsck”][, {late}]", stamp(made.At), damaged, late)
	}
	return p
}
