package transfer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/media/clean"
	"github.com/wardseal/wardseal/storage/blob"
)

// stored is one rendition that is durable in the object store, with the rows
// that account for it.
type stored struct {
	row  media.RenditionRow
	key  media.WrappedKey
	sums seal.Sums
}

// store mints an identity for one rendition, encrypts it into the object store
// and wraps the identity.
func store(ctx context.Context, objects blob.Store, ring *keyring.Ring, item media.ItemID, r media.Rendition, m clean.Media) (stored, error) {
	id, err := seal.Mint()
	if err != nil {
		return stored{}, fmt.Errorf("mint an item identity: %w", err)
	}
	wrapped, err := ring.Wrap(item, r, m.Format(), id)
	if err != nil {
		return stored{}, fmt.Errorf("wrap the item identity: %w", err)
	}
	// A name of its own for each attempt: what a crash left behind does not
	// stand in the way of the next. All of one item begin alike, in one of 256
	// folders: a new folder for each would be synced for each.
	shard := item[max(0, len(item)-2):]
	key, err := blob.ParseKey(fmt.Sprintf("items/%s/%s-%s-%s.age", shard, item, r, uuid.NewString()))
	if err != nil {
		return stored{}, err
	}
	sealed, err := seal.NewReader(ctx, id, m)
	if err != nil {
		return stored{}, fmt.Errorf("encrypt: %w", err)
	}
	if _, err := objects.Create(ctx, key, sealed, seal.Size(m.Size())); err != nil {
		return stored{}, fmt.Errorf("store the object: %w", err)
	}
	sums, err := sealed.Sums()
	if err != nil {
		return stored{}, fmt.Errorf("account for the object: %w", err)
	}
	return stored{
		row:  media.RenditionRow{Item: item, Rendition: r, Format: m.Format(), ObjectKey: string(key), Bytes: sums.PlainBytes, ObjectBytes: sums.ObjectBytes},
		key:  wrapped,
		sums: sums,
	}, nil
}

// fields seals several fields of one row and keeps the first error.
type fields struct {
	ring       *keyring.Ring
	table, row string
	err        error
}

func (f *fields) seal(column, text string) media.Sealed {
	if f.err != nil {
		return nil
	}
	s, err := f.ring.SealField(f.table, column, f.row, []byte(text))
	if err != nil {
		f.err = fmt.Errorf("seal %s.%s: %w", f.table, column, err)
	}
	return s
}

func (f *fields) open(column string, s media.Sealed) string {
	if f.err != nil || len(s) == 0 { // its text was destroyed
		return ""
	}
	text, err := f.ring.OpenField(f.table, column, f.row, s)
	if err != nil {
		f.err = fmt.Errorf("open %s.%s: %w", f.table, column, err)
	}
	return string(text)
}

func openReceipt(ring *keyring.Ring, it media.Item) (media.Receipt, error) {
	f := fields{ring: ring, table: "items", row: string(it.ID)}
	text := f.open("receipt", it.Receipt)
	if f.err != nil {
		return media.Receipt{}, f.err
	}
	var r media.Receipt
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return media.Receipt{}, fmt.Errorf("read the receipt: %w", err)
	}
	return r, nil
}
