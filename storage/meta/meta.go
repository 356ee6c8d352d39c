// Package meta keeps the metadata: everything but pictures, in SQLite or
// PostgreSQL, behind one set of methods.
//
// Every method that changes what is kept takes an audit event and commits both
// in one transaction: no event, no change. Times that decide anything (expiry,
// leases, order of events) are the database's own, so that servers with
// different clocks agree. A Store is safe for concurrent use.
//
// Nothing here is readable about patients: numbers come as keyed hashes and
// free text comes sealed; see crypto/keyring.
package meta

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
)

// Errors that callers branch on. All come wrapped.
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("exists already")
	ErrNewer       = errors.New("a newer version of the program has used this database: use that version, or restore a backup from before it")
	ErrUnavailable = errors.New("the database is unavailable")
	ErrFull        = errors.New("the database has no space left")
	ErrExpired     = errors.New("expired")
	ErrRevoked     = errors.New("revoked")
	ErrSpent       = errors.New("used up")
)

// Config says which database.
type Config struct {
	Driver string // "sqlite" or "postgres"
	DSN    string // the file of SQLite, or the URL of PostgreSQL (a secret)
}

// Store is the metadata of one deployment.
type Store struct {
	d       dialect
	w, r    *sql.DB // for changes and for reads; the same on PostgreSQL
	texts   sync.Map
	closing func() error
}

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the database without touching its schema; see Migrate.
func Open(cfg Config) (*Store, error) {
	switch cfg.Driver {
	case "sqlite":
		return openSQLite(cfg.DSN)
	case "postgres":
		return openPostgres(cfg.DSN)
	}
	return nil, fmt.Errorf("no such database driver: %q", cfg.Driver)
}

// Close closes the database.
func (s *Store) Close() error { return s.closing() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Now(ctx)
	return err
}

func (s *Store) goose() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(s.d.goose, s.w, files, s.d.migrating()...)
}

// Migrate brings the schema to the newest version; ErrNewer when it is of a
// version that this program does not know. Servers that start at once take
// turns.
func (s *Store) Migrate(ctx context.Context) error {
	p, err := s.goose()
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return s.d.classify(err)
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return s.d.classify(err)
	}
	if has > knows {
		return fmt.Errorf("%w: the database has schema %d, and this program knows up to %d", ErrNewer, has, knows)
	}
	return s.settle(ctx)
}

// MigrateTo brings an empty database to an older schema, for what was saved
// with it.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	p, err := s.goose()
	if err != nil {
		return err
	}
	if _, err := p.UpTo(ctx, version); err != nil {
		return s.d.classify(err)
	}
	return s.settle(ctx)
}

func (s *Store) settle(ctx context.Context) error {
	if s.d.settle == "" {
		return nil
	}
	_, err := s.w.ExecContext(ctx, s.d.settle)
	return s.d.classify(err)
}

// SchemaVersion is the version of the schema as it is.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	p, err := s.goose()
	if err != nil {
		return 0, err
	}
	v, err := p.GetDBVersion(ctx)
	return v, s.d.classify(err)
}

// Now is the database's clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	var now micros
	err := s.read(ctx, "SELECT {now}").Scan(&now)
	return now.time(), s.d.classify(err)
}
