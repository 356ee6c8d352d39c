package meta

import (
	"context"
	"errors"
	"strconv"
	"strings"

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

// ErrKeyInUse means that something still needs a key that is to go.
var ErrKeyInUse = errors.New("the key is still in use")

// ReplaceSealedKeys replaces how keys are sealed, all of them or none. ErrExists
// when there are keys that are not among those given: somebody has made one
// meanwhile.
func (s *Store) ReplaceSealedKeys(ctx context.Context, keys []media.SealedKey, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		for _, k := range keys {
			if err := t.must("UPDATE sealed_keys SET sealed = ? WHERE id = ?", blob(k.Sealed), k.ID); err != nil {
				return err
			}
		}
		n := 0
		if err := t.row("SELECT count(*) FROM sealed_keys").Scan(&n); err != nil {
			return err
		}
		if n != len(keys) {
			return ErrExists
		}
		return nil
	})
}

// RetireKey removes a key for good; ErrKeyInUse while it still wraps anything.
func (s *Store) RetireKey(ctx context.Context, id string, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		var used bool
		if err := t.row("SELECT EXISTS (SELECT 1 FROM wrapped_keys WHERE kek = ?)", id).Scan(&used); err != nil {
			return err
		}
		if used {
			return ErrKeyInUse
		}
		return t.must("DELETE FROM sealed_keys WHERE id = ?", id) // one that is wrapped meanwhile makes this fail
	})
}

// WrappedCounts counts what each key-encryption key wraps, by its ID.
func (s *Store) WrappedCounts(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.all(ctx, func(scan func(...any) error) error {
		var id string
		var n int64
		err := scan(&id, &n)
		out[id] = n
		return err
	}, "SELECT kek, count(*) FROM wrapped_keys GROUP BY kek")
	return out, err
}

// WrappedRow is a wrapped key and the format that it is bound to.
type WrappedRow struct {
	media.WrappedKey
	Format media.Format
}

// WrappedUnder lists what some key-encryption keys wrap, in the order of items
// and renditions, from behind one of them.
func (s *Store) WrappedUnder(ctx context.Context, keks []string, after media.WrappedKey, limit int) ([]WrappedRow, error) {
	in, args := list(keks)
	var out []WrappedRow
	err := s.all(ctx, func(scan func(...any) error) error {
		var w WrappedRow
		var format string
		err := scan(&w.Item, &w.Rendition, &w.KEK, &w.Wrapped, &format)
		if err == nil {
			w.Format, err = parseFormat(format)
		}
		out = append(out, w)
		return err
	}, `SELECT k.item, k.rendition, k.kek, k.wrapped, r.format FROM wrapped_keys k
		JOIN renditions r ON r.item = k.item AND r.rendition = k.rendition
		WHERE k.kek IN `+in+` AND (k.item, k.rendition) > (?, ?) ORDER BY k.item, k.rendition LIMIT ?`,
		append(args, string(after.Item), string(after.Rendition), limit)...)
	return out, err
}

// ReplaceWrapped replaces wrapped keys and says how many. One that is no longer
// wrapped as from says was destroyed or replaced meanwhile, and stays so.
func (s *Store) ReplaceWrapped(ctx context.Context, from []WrappedRow, to []media.WrappedKey, ev audit.Event) (int, error) {
	done := 0
	err := s.within(ctx, func(t *tx) error {
		for len(to) > 0 {
			n := 1
			if len(to) >= replacedAtOnce {
				n = replacedAtOnce
			}
			var args []any
			for i, w := range to[:n] {
				args = append(args, w.KEK, blob(w.Wrapped), string(w.Item), string(w.Rendition), from[i].KEK)
			}
			changed, err := t.exec(`UPDATE wrapped_keys SET kek = v.column1, wrapped = v.column2
				FROM (VALUES `+replacedRow+strings.Repeat(", "+replacedRow, n-1)+`) AS v
				WHERE item = v.column3 AND rendition = v.column4 AND kek = v.column5`, args...)
			if err != nil {
				return err
			}
			done += int(changed)
			from, to = from[n:], to[n:]
		}
		return t.record(ev.With("count", strconv.Itoa(done)))
	})
	return done, err
}

// replacedAtOnce is how many rows one statement replaces; the rest go singly,
// so that there are two texts of it and not hundreds.
const (
	replacedAtOnce = 100
	replacedRow    = "(CAST(? AS TEXT), CAST(? AS {bytes}), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT))"
)
