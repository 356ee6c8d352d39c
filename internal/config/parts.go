package config

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/fsck"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Parts are what a deployment keeps, opened to be checked or copied: nothing is
// made, brought to another schema or destroyed again by opening them.
type Parts struct {
	Config  Config
	Store   *meta.Store
	Objects blob.Store
	Ring    *keyring.Ring
}

// schemaOfParts is the first schema that checking and backing up know.
const schemaOfParts = 17

// OpenParts opens the database as it is, the object store and the keys.
func OpenParts(ctx context.Context, c Config) (p *Parts, err error) {
	if c.PublicURL == "" {
		c.PublicURL = "http://localhost" // not used
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("the configuration is not whole:\n%w", err)
	}
	db, err := ReadDatabase(ctx, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if v, err := db.SchemaVersion(ctx); err != nil || v < schemaOfParts {
		return nil, errors.Join(err, errors.New("this database is of an older version: start the server once"))
	}
	k, err := openKeys(c, db)
	if err != nil {
		return nil, err
	}
	sealed, err := db.SealedKeys(ctx)
	if err == nil {
		err = k.ring.Load(sealed)
	}
	if err != nil {
		return nil, fmt.Errorf("open the keyring: %w", err)
	}
	objects, err := openObjects(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open the object store: %w", err)
	}
	if err := objects.Check(ctx); err != nil {
		return nil, fmt.Errorf("check the object store: %w", err)
	}
	return &Parts{Config: c, Store: db, Objects: objects, Ring: k.ring}, nil
}

// Close closes what OpenParts opened.
func (p *Parts) Close() error { return p.Store.Close() }

// Checker compares and reads what is kept.
func (p *Parts) Checker() *fsck.Checker {
	return &fsck.Checker{Store: p.Store, Objects: p.Objects, Ring: p.Ring}
}
