package meta

import (
	"context"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// SealedKeys gives every key of the keyring, oldest first.
func (s *Store) SealedKeys(ctx context.Context) ([]media.SealedKey, error) {
	var out []media.SealedKey
	err := s.all(ctx, func(scan func(...any) error) error {
		var k media.SealedKey
		var made micros
		err := scan(&k.ID, &k.Purpose, &k.Period, &k.Sealed, &k.Public, &made)
		k.CreatedAt = made.time()
		out = append(out, k)
		return err
	}, "SELECT id, purpose, period, sealed, public, created_at FROM sealed_keys ORDER BY id")
	return out, err
}

// AddSealedKey keeps a new key; ErrExists when there is one of its purpose and
// period.
func (s *Store) AddSealedKey(ctx context.Context, k media.SealedKey, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		_, err := t.exec("INSERT INTO sealed_keys (id, purpose, period, sealed, public, created_at) VALUES (?,?,?,?,?,?)",
			k.ID, k.Purpose, k.Period, blob(k.Sealed), blob(k.Public), at(k.CreatedAt))
		return err
	})
}
