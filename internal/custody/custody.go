// Package custody is the care of the keys above the items: how they are, taking
// new ones in place of old while the servers go on, and getting them back when
// the root is lost. Objects never change: what changes is who opens their keys.
package custody

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// Store is what custody needs of the database.
type Store interface {
	Now(ctx context.Context) (time.Time, error)
	SealedKeys(ctx context.Context) ([]media.SealedKey, error)
	AddSealedKey(ctx context.Context, k media.SealedKey, ev audit.Event) error
	ReplaceSealedKeys(ctx context.Context, keys []media.SealedKey, ev audit.Event) error
	RetireKey(ctx context.Context, id string, ev audit.Event) error
	WrappedCounts(ctx context.Context) (map[string]int64, error)
	WrappedUnder(ctx context.Context, keks []string, after media.WrappedKey, limit int) ([]meta.WrappedRow, error)
	ReplaceWrapped(ctx context.Context, from []meta.WrappedRow, to []media.WrappedKey, ev audit.Event) (int, error)
	Purge(ctx context.Context) error
}

// Desk does the work. Two that work at once do no harm.
type Desk struct {
	Store  Store
	Roots  keyring.Roots
	Escrow []keyring.Recipient
	// Settle is how long it takes until every server knows a new key.
	Settle time.Duration
}

// Key is how one key of the keyring is.
type Key struct {
	ID, Purpose, Period string
	CreatedAt           time.Time
	SealedTo            int   // recipients: roots and escrow together
	Opens               bool  // with the roots at hand
	Wraps               int64 // what a key-encryption key wraps
	Old                 bool  // another has taken its place
}

// Status is how the keyring is, and what is to be done, if anything.
type Status struct {
	Keys          []Key
	Roots, Escrow int
	ToDo          []string
}

// Status looks at every key.
func (d *Desk) Status(ctx context.Context) (Status, error) {
	out := Status{Roots: d.Roots.Len(), Escrow: len(d.Escrow)}
	sealed, err := d.Store.SealedKeys(ctx)
	if err != nil {
		return out, fmt.Errorf("read the keys: %w", err)
	}
	wraps, err := d.Store.WrappedCounts(ctx)
	if err != nil {
		return out, fmt.Errorf("count what they wrap: %w", err)
	}
	now, err := d.Store.Now(ctx)
	if err != nil {
		return out, fmt.Errorf("read the database's clock: %w", err)
	}
	newest := newestOf(sealed)
	unopened, otherwise, unfinished := 0, 0, false
	for _, s := range sealed {
		k := Key{ID: s.ID, Purpose: s.Purpose, Period: s.Period, CreatedAt: s.CreatedAt, SealedTo: keyring.SealedTo(s),
			Opens: keyring.OpensWith(s, d.Roots), Wraps: wraps[s.ID], Old: s.Period != newest[monthly(s)]}
		out.Keys = append(out.Keys, k)
		if !k.Opens {
			unopened++
		}
		if k.SealedTo != out.Roots+out.Escrow {
			otherwise++
		}
		unfinished = unfinished || k.Old && k.Purpose == keyring.PurposeKEK && keyring.MonthOf(k.Period) >= keyring.Period(now)
	}
	if unopened > 0 {
		out.ToDo = append(out.ToDo, fmt.Sprintf("%d keys do not open with the root identities at hand: use the right ones, or “wardseal keys recover”", unopened))
	}
	if out.Roots > 1 {
		out.ToDo = append(out.ToDo, "the root is being replaced: once every server has the new root file, run “wardseal keys rotate root --finish”")
	} else if unopened == 0 && otherwise > 0 {
		out.ToDo = append(out.ToDo, fmt.Sprintf("%d keys are sealed to another number of recipients than the root and escrow files name: run “wardseal keys escrow change”", otherwise))
	}
	if unfinished {
		out.ToDo = append(out.ToDo, "a rotation was cut short: run “wardseal keys rotate kek” to finish it")
	}
	return out, nil
}

// monthly is what a key is the newest of: a purpose and, for a key-encryption
// key, a month.
func monthly(k media.SealedKey) keyring.Need {
	return keyring.Need{Purpose: k.Purpose, Period: keyring.MonthOf(k.Period)}
}

func newestOf(sealed []media.SealedKey) map[keyring.Need]string {
	out := map[keyring.Need]string{}
	for _, k := range sealed {
		out[monthly(k)] = max(out[monthly(k)], k.Period)
	}
	return out
}

// Reseal seals every key to the roots and escrow recipients of the desk. with
// opens them now: the roots they were sealed to, or the escrow identity when
// those are lost. why goes into the audit.
func (d *Desk) Reseal(ctx context.Context, with keyring.Roots, why string) (int, error) {
	for range 3 {
		sealed, err := d.Store.SealedKeys(ctx)
		if err != nil {
			return 0, fmt.Errorf("read the keys: %w", err)
		}
		if len(sealed) == 0 {
			return 0, errors.New("there are no keys in this database")
		}
		for i, k := range sealed {
			if sealed[i], err = keyring.Reseal(k, with, d.Roots, d.Escrow); err != nil {
				return 0, err
			}
		}
		ev := audit.NewEvent(audit.KeysResealed, access.Principal{}, audit.Subject{}).With("reason", why).With("count", strconv.Itoa(len(sealed)))
		err = d.Store.ReplaceSealedKeys(ctx, sealed, ev)
		if errors.Is(err, meta.ErrExists) || errors.Is(err, meta.ErrNotFound) {
			continue // a key was made or retired meanwhile
		}
		return len(sealed), err
	}
	return 0, errors.New("keys are being made or retired all the while; try again")
}

// RotateIntake makes a new identity for phones to encrypt to. The older ones go
// on opening what phones still hold.
func (d *Desk) RotateIntake(ctx context.Context) (media.SealedKey, error) {
	sealed, err := d.Store.SealedKeys(ctx)
	if err != nil {
		return media.SealedKey{}, fmt.Errorf("read the keys: %w", err)
	}
	return d.mint(ctx, keyring.Need{Purpose: keyring.PurposeIntake, Period: keyring.Renewed(newestOf(sealed)[keyring.Need{Purpose: keyring.PurposeIntake}])})
}

func (d *Desk) mint(ctx context.Context, n keyring.Need) (media.SealedKey, error) {
	now, err := d.Store.Now(ctx)
	if err != nil {
		return media.SealedKey{}, fmt.Errorf("read the database's clock: %w", err)
	}
	k, err := keyring.Mint(d.Roots, d.Escrow, n, now)
	if err != nil {
		return k, fmt.Errorf("make a key: %w", err)
	}
	ev := audit.NewEvent(audit.KeyMade, access.Principal{}, audit.Subject{Key: k.ID}).With("purpose", n.Purpose)
	if err := d.Store.AddSealedKey(ctx, k, ev); err != nil {
		return k, fmt.Errorf("keep a new key: %w", err)
	}
	return k, nil
}
