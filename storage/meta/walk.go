package meta

import (
	"context"
	"database/sql"
	"time"

	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
)

// Kept is a rendition with everything in the database that vouches for it, as
// it is: what is wrong with it is for the reader to find.
type Kept struct {
	media.RenditionRow                  // its Format is media.Unknown when the row's cannot be read
	Key                media.WrappedKey // Wrapped is nil when there is none
	Manifest, Receipt  media.Sealed     // of the item; only with the original
	DestroyedAt        time.Time        // of the item
	Ending             bool             // a batch is destroying the item just now
	NoItem             bool             // no such item
}

const keptQuery = `SELECT r.item, r.rendition, r.format, r.object_key, r.bytes, r.object_bytes, r.width, r.height, k.kek, k.wrapped,
	CASE WHEN r.rendition = 'original-clean' THEN i.manifest END, CASE WHEN r.rendition = 'original-clean' THEN i.receipt END, i.destroyed_at,
	EXISTS (SELECT 1 FROM batch_items bi WHERE bi.item = r.item AND bi.state = 'keyless')
	FROM renditions r LEFT JOIN wrapped_keys k ON k.item = r.item AND k.rendition = r.rendition LEFT JOIN items i ON i.id = r.item `

// KeptAfter pages through all renditions in the order of their object keys,
// byte by byte.
func (s *Store) KeptAfter(ctx context.Context, after string, limit int) ([]Kept, error) {
	return s.kept(ctx, s.r, "WHERE r.object_key > ? ORDER BY r.object_key LIMIT ?", after, limit)
}

// KeptAt finds the rendition that names an object; ErrNotFound when none does.
func (s *Store) KeptAt(ctx context.Context, key string) (Kept, error) {
	rows, err := s.kept(ctx, s.r, "WHERE r.object_key = ?", key)
	if err == nil && len(rows) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Kept{}, err
	}
	return rows[0], nil
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (s *Store) kept(ctx context.Context, from querier, where string, args ...any) ([]Kept, error) {
	rows, err := from.QueryContext(ctx, s.text(keptQuery+where), args...)
	if err != nil {
		return nil, s.d.classify(err)
	}
	defer rows.Close()
	var out []Kept
	for rows.Next() {
		var k Kept
		var format string
		var kek sql.NullString
		var destroyed sql.NullInt64
		if err := rows.Scan(&k.Item, &k.Rendition, &format, &k.ObjectKey, &k.Bytes, &k.ObjectBytes, &k.Width, &k.Height, &kek, &k.Key.Wrapped,
			(*[]byte)(&k.Manifest), (*[]byte)(&k.Receipt), &destroyed, &k.Ending); err != nil {
			return nil, err
		}
		k.Format, _ = media.ParseFormat(format)
		k.Key.Item, k.Key.Rendition, k.Key.KEK = k.Item, k.Rendition, kek.String
		k.NoItem, k.DestroyedAt = !destroyed.Valid, micros(destroyed.Int64).time()
		out = append(out, k)
	}
	return out, s.d.classify(rows.Err())
}

// CountRenditions counts them, for an estimate.
func (s *Store) CountRenditions(ctx context.Context) (int64, error) {
	var n int64
	err := s.read(ctx, "SELECT count(*) FROM renditions").Scan(&n)
	return n, s.d.classify(err)
}

// Stray is a row that should not stand as it does.
type Stray struct {
	Item      media.ItemID
	Rendition media.Rendition
}

// StrayKeys calls each for every wrapped key without a rendition, which the
// schema does not allow.
func (s *Store) StrayKeys(ctx context.Context, each func(Stray) error) error {
	return s.strays(ctx, each, "SELECT k.item, k.rendition FROM wrapped_keys k WHERE NOT EXISTS (SELECT 1 FROM renditions r JOIN items i ON i.id = r.item WHERE r.item = k.item AND r.rendition = k.rendition) ORDER BY k.item, k.rendition")
}

// KeysOfDestroyed calls each for every wrapped key of an item that was
// destroyed.
func (s *Store) KeysOfDestroyed(ctx context.Context, each func(Stray) error) error {
	return s.strays(ctx, each, "SELECT k.item, k.rendition FROM items i JOIN wrapped_keys k ON k.item = i.id WHERE i.destroyed_at <> 0 ORDER BY k.item, k.rendition")
}

// ItemsWithoutOriginal calls each for every item that is there and has no
// original.
func (s *Store) ItemsWithoutOriginal(ctx context.Context, each func(Stray) error) error {
	return s.strays(ctx, each, "SELECT i.id, 'original-clean' FROM items i WHERE i.destroyed_at = 0 AND NOT EXISTS (SELECT 1 FROM renditions r WHERE r.item = i.id AND r.rendition = 'original-clean') ORDER BY i.id")
}

func (s *Store) strays(ctx context.Context, each func(Stray) error, query string) error {
	return s.all(ctx, func(scan func(...any) error) error {
		var x Stray
		if err := scan(&x.Item, &x.Rendition); err != nil {
			return err
		}
		return each(x)
	}, query)
}

// ObjectNeeded reports whether an object is still one that a rendition of an
// item that is there, or a part of an upload, names.
func (s *Store) ObjectNeeded(ctx context.Context, key string) (bool, error) {
	var needed bool
	err := s.read(ctx, `SELECT EXISTS (SELECT 1 FROM renditions r JOIN items i ON i.id = r.item WHERE r.object_key = ? AND i.destroyed_at = 0)
		OR EXISTS (SELECT 1 FROM upload_parts WHERE object_key = ?)`, key, key).Scan(&needed)
	return needed, s.d.classify(err)
}

// DropDerivative removes the rows of a form that is made from the original,
// and adds the job that makes it again. It never touches an original, and is
// ErrNotFound when the row is another by now.
func (s *Store) DropDerivative(ctx context.Context, row media.RenditionRow, job Job, ev audit.Event) error {
	return s.change(ctx, ev, func(t *tx) error {
		// First, so that a destruction under way is waited for.
		if err := t.must("UPDATE items SET destroyed_at = 0 WHERE id = ? AND destroyed_at = 0", string(row.Item)); err != nil {
			return err
		}
		if _, err := t.exec(`DELETE FROM wrapped_keys WHERE item = ? AND rendition = ? AND rendition <> 'original-clean'
			AND EXISTS (SELECT 1 FROM renditions r WHERE r.item = wrapped_keys.item AND r.rendition = wrapped_keys.rendition AND r.object_key = ?)`, string(row.Item), string(row.Rendition), row.ObjectKey); err != nil {
			return err
		}
		if err := t.must("DELETE FROM renditions WHERE item = ? AND rendition = ? AND rendition <> 'original-clean' AND object_key = ?", string(row.Item), string(row.Rendition), row.ObjectKey); err != nil {
			return err
		}
		return t.addJob(job, row.Item)
	})
}
