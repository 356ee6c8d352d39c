package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/meta"
)

// InitKeys makes the root identity of a new deployment and records its escrow
// recipient: the one given, or that of a new escrow identity, which is written
// to escrowOut for somebody to take offline. It never overwrites a file.
func InitKeys(c Config, escrowOut, escrowRecipient string) error {
	if escrowRecipient == "" {
		identity, recipient, err := keyring.MintRoot()
		if err != nil {
			return fmt.Errorf("make the escrow identity: %w", err)
		}
		if err := newSecretFile(escrowOut, "# Wardseal escrow identity. Keep it offline: it opens everything.\n"+identity+"\n"); err != nil {
			return fmt.Errorf("write the escrow identity: %w", err)
		}
		escrowRecipient = recipient
	}
	if _, err := keyring.ParseEscrow(strings.NewReader(escrowRecipient)); err != nil {
		return fmt.Errorf("the escrow recipient: %w", err)
	}
	if err := newSecretFile(c.EscrowFile(), escrowRecipient+"\n"); err != nil {
		return fmt.Errorf("write the escrow recipient: %w", err)
	}
	identity, _, err := keyring.MintRoot()
	if err != nil {
		return fmt.Errorf("make the root identity: %w", err)
	}
	if err := newSecretFile(c.RootFile(), "# Wardseal root identity.\n"+identity+"\n"); err != nil {
		return fmt.Errorf("write the root identity: %w", err)
	}
	return nil
}

func newSecretFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// openKeys reads the keys at the top. The ring is empty until refresh.
func openKeys(c Config, db *meta.Store) (*keys, error) {
	rootText, err := secretFile(c.RootFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no root identity at %s: run “wardseal keys init” for a new deployment, or restore it", c.RootFile())
	}
	if err != nil {
		return nil, fmt.Errorf("read the root identity: %w", err)
	}
	roots, err := keyring.LoadRoots(strings.NewReader(rootText))
	if err != nil {
		return nil, fmt.Errorf("the root identity: %w", err)
	}
	escrowText, err := os.ReadFile(c.EscrowFile())
	if err != nil {
		return nil, fmt.Errorf("read the escrow recipient (without escrow, a lost root key loses every picture): %w", err)
	}
	escrow, err := keyring.ParseEscrow(strings.NewReader(string(escrowText)))
	if err != nil {
		return nil, fmt.Errorf("the escrow recipient: %w", err)
	}
	ring, err := keyring.Open(roots, nil, time.Now)
	if err != nil {
		return nil, fmt.Errorf("open the keyring: %w", err)
	}
	return &keys{ring: ring, roots: roots, escrow: escrow, db: db}, nil
}

// keys is the keyring and what keeps it whole.
type keys struct {
	ring   *keyring.Ring
	roots  keyring.Roots
	escrow []keyring.Recipient
	db     *meta.Store
}

// ahead is how long before a month its key is made: long enough for every
// server to have heard of it when the month begins.
const ahead = 7 * 24 * time.Hour

// refresh reads the keys again and makes those that are missing. Of several
// servers that make one at once, one wins and the others read its key.
func (k *keys) refresh(ctx context.Context) error {
	now, err := k.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	for range 3 {
		sealed, err := k.db.SealedKeys(ctx)
		if err != nil {
			return fmt.Errorf("read the keys: %w", err)
		}
		if err := k.ring.Load(sealed); err != nil {
			return fmt.Errorf("open the keyring: %w", err)
		}
		needs := k.ring.Missing(keyring.Period(now))
		if len(needs) == 0 {
			needs = k.ring.Missing(keyring.Period(now.Add(ahead)))
		}
		if len(needs) == 0 {
			return nil
		}
		for _, need := range needs {
			if err := k.mint(ctx, need, now); err != nil {
				return err
			}
		}
	}
	return errors.New("the keyring does not become whole")
}

func (k *keys) mint(ctx context.Context, need keyring.Need, now time.Time) error {
	key, err := keyring.Mint(k.roots, k.escrow, need, now)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	ev := audit.NewEvent(audit.KeyMade, access.Principal{}, audit.Subject{Key: key.ID}).With("purpose", need.Purpose)
	if err := k.db.AddSealedKey(ctx, key, ev); err != nil && !errors.Is(err, meta.ErrExists) {
		return fmt.Errorf("keep a new key: %w", err)
	}
	return nil
}
