package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/custody"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// InitKeys makes the root identity of a new deployment and records its escrow
// recipient: the one given, or that of a new escrow identity, which is written
// to escrowOut for somebody to take offline. With rootRecipients, the root file
// is itself encrypted to those. It never overwrites a file.
func InitKeys(c Config, escrowOut, escrowRecipient string, rootRecipients ...string) error {
	if escrowRecipient == "" {
		identity, recipient, err := keyring.MintRoot()
		if err != nil {
			return fmt.Errorf("make the escrow identity: %w", err)
		}
		if err := NewSecretFile(escrowOut, "# Wardseal escrow identity. Keep it offline: it opens everything.\n"+identity+"\n"); err != nil {
			return fmt.Errorf("write the escrow identity: %w", err)
		}
		escrowRecipient = recipient
	}
	if _, err := keyring.ParseEscrow(strings.NewReader(escrowRecipient)); err != nil {
		return fmt.Errorf("the escrow recipient: %w", err)
	}
	if err := NewSecretFile(c.EscrowFile(), escrowRecipient+"\n"); err != nil {
		return fmt.Errorf("write the escrow recipient: %w", err)
	}
	identity, _, err := keyring.MintRoot()
	if err != nil {
		return fmt.Errorf("make the root identity: %w", err)
	}
	text, err := keyring.SealRoots("# Wardseal root identity.\n"+identity+"\n", rootRecipients)
	if err != nil {
		return fmt.Errorf("encrypt the root identity: %w", err)
	}
	if err := NewSecretFile(c.RootFile(), text); err != nil {
		return fmt.Errorf("write the root identity: %w", err)
	}
	return nil
}

// NewSecretFile writes a file that only its owner may read, and never over another.
func NewSecretFile(path, content string) error {
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

// WriteRoots replaces the root file with these identities, encrypted to the
// recipients if there are any; the file is the old one or the new one, whatever
// happens. It refuses to write what the servers would not read.
func WriteRoots(c Config, roots keyring.Roots, recipients []string) error {
	path := c.RootFile()
	if _, set := os.LookupEnv(rootVariable); set {
		return fmt.Errorf("the root identities come from %s: name a file with --keys-root-file, without the variable, and carry what is in it to where they are kept", rootVariable)
	}
	if c.Keys.RootIdentityFile != "" && len(recipients) == 0 {
		return errors.New("the root file is encrypted: say with --root-recipient to whom the new one is")
	}
	text, err := keyring.SealRoots("# Wardseal root identities; the first is the newest.\n"+roots.Reveal(), recipients)
	if err != nil {
		return fmt.Errorf("encrypt the root identities: %w", err)
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := NewSecretFile(next, text); err != nil {
		return err
	}
	if err := sameOwner(next, path); err != nil {
		return fmt.Errorf("give the new root file to the owner of the old: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// sameOwner gives a file to the owner of another or, where that is not there, of
// the folder: root may run this for a server that runs as somebody else.
func sameOwner(path, like string) error {
	info, err := os.Stat(like)
	if errors.Is(err, os.ErrNotExist) {
		info, err = os.Stat(filepath.Dir(like))
	}
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}

// openKeys reads the keys at the top. The ring is empty until refresh.
func openKeys(c Config, db *meta.Store) (*keys, error) {
	roots, err := Roots(c)
	if err != nil {
		return nil, err
	}
	escrow, err := Escrow(c)
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Open(roots, nil, time.Now)
	if err != nil {
		return nil, fmt.Errorf("open the keyring: %w", err)
	}
	ring.ReadAgain(func() ([]media.SealedKey, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return db.SealedKeys(ctx)
	})
	return &keys{ring: ring, roots: roots, escrow: escrow, db: db}, nil
}

// rootVariable and rootCredential are where the root identities may be other
// than in a file of the operator's.
const (
	rootVariable   = "WARDSEAL_KEYS_ROOT"
	rootCredential = "wardseal-root"
)

// HasRoot reports whether there are root identities anywhere that Roots looks.
func HasRoot(c Config) bool {
	if _, set := os.LookupEnv(rootVariable); set {
		return true
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, rootCredential)); err == nil {
			return true
		}
	}
	_, err := os.Stat(c.RootFile())
	return !errors.Is(err, os.ErrNotExist)
}

// Roots reads the root identities: from the file that was named, or else the
// environment, a systemd credential, or the data folder.
func Roots(c Config) (keyring.Roots, error) {
	text, inEnvironment := os.LookupEnv(rootVariable)
	credential := filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), rootCredential)
	switch _, err := os.Stat(credential); {
	case inEnvironment && c.Keys.RootFile != "":
		return keyring.Roots{}, fmt.Errorf("both %s and a root file are given: which is meant?", rootVariable)
	case inEnvironment:
	case c.Keys.RootFile == "" && os.Getenv("CREDENTIALS_DIRECTORY") != "" && err == nil:
		c.Keys.RootFile = credential
		fallthrough
	default:
		text, err = secretFileWhole(c.RootFile())
		if errors.Is(err, os.ErrNotExist) {
			return keyring.Roots{}, fmt.Errorf("there is no root identity at %s: run “wardseal keys init” for a new deployment, or restore it; if it is lost, “wardseal keys recover” makes a new one with the help of escrow", c.RootFile())
		}
		if err != nil {
			return keyring.Roots{}, fmt.Errorf("read the root identity: %w", err)
		}
	}
	var openers string
	if c.Keys.RootIdentityFile != "" {
		var err error
		if openers, err = secretFile(c.Keys.RootIdentityFile); err != nil {
			return keyring.Roots{}, fmt.Errorf("read the identities that open the root file: %w", err)
		}
	}
	roots, err := keyring.OpenRoots(text, openers)
	if err != nil {
		return roots, fmt.Errorf("the root identity: %w", err)
	}
	return roots, nil
}

// Escrow reads the escrow recipients.
func Escrow(c Config) ([]keyring.Recipient, error) {
	escrowText, err := os.ReadFile(c.EscrowFile())
	if err != nil {
		return nil, fmt.Errorf("read the escrow recipient (without escrow, a lost root key loses every picture): %w", err)
	}
	escrow, err := keyring.ParseEscrow(strings.NewReader(string(escrowText)))
	if err != nil {
		return nil, fmt.Errorf("the escrow recipient: %w", err)
	}
	return escrow, nil
}

// keys is the keyring and what keeps it whole.
type keys struct {
	ring   *keyring.Ring
	roots  keyring.Roots
	escrow []keyring.Recipient
	db     *meta.Store

	sync.Mutex // refreshes do not overlap
	known      []media.SealedKey
}

func same(a, b media.SealedKey) bool { return a.ID == b.ID && bytes.Equal(a.Sealed, b.Sealed) }

// ahead is how long before a month its key is made: long enough for every
// server to have heard of it when the month begins.
const ahead = 7 * 24 * time.Hour

// RefreshKeys takes up keys that another server, or an operator, has made.
func (s *System) RefreshKeys(ctx context.Context) error { return s.keys.refresh(ctx) }

// keysEvery is how often a server looks for new keys: three times in the minute
// that a rotation waits for it.
const keysEvery = 20 * time.Second

// keepKeys takes up new keys, and makes those that are missing, until ctx ends.
func (s *System) keepKeys(ctx context.Context) error {
	t := time.NewTicker(keysEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := s.RefreshKeys(ctx); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "refresh the keys", "error", err)
		}
	}
}

// Custody opens what cares for the keys: the database and the keys at the top,
// nothing else. Who only looks leaves the database at the schema that it has.
func Custody(ctx context.Context, c Config, roots keyring.Roots, escrow []keyring.Recipient, look bool) (*custody.Desk, func() error, error) {
	open := OpenDatabase
	if look {
		open = ReadDatabase
	}
	db, err := open(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return &custody.Desk{Store: db, Roots: roots, Escrow: escrow}, db.Close, nil
}

// refresh reads the keys again and makes those that are missing. Of several
// servers that make one at once, one wins and the others read its key.
func (k *keys) refresh(ctx context.Context) error {
	k.Lock()
	defer k.Unlock()
	now, err := k.db.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	for range 3 {
		sealed, err := k.db.SealedKeys(ctx)
		if err != nil {
			return fmt.Errorf("read the keys: %w", err)
		}
		if !slices.EqualFunc(sealed, k.known, same) {
			if err := k.ring.Load(sealed); err != nil {
				return fmt.Errorf("open the keyring: %w", err)
			}
			k.known = sealed
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
