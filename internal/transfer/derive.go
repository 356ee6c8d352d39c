package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// DeriveStore is what making renditions needs of the database.
type DeriveStore interface {
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Rendition(ctx context.Context, id media.ItemID, r media.Rendition) (media.RenditionRow, media.WrappedKey, error)
	AddRendition(ctx context.Context, row media.RenditionRow, key media.WrappedKey, ev audit.Event) error
	AppendEvent(ctx context.Context, ev audit.Event) error
}

// Derivations makes previews and thumbnails from clean originals.
type Derivations struct {
	Store     DeriveStore
	Objects   blob.Store
	Ring      *keyring.Ring
	Maker     *derive.Maker
	MaxPixels int64
}

// Sizes are the renditions made of every picture.
func Sizes() []derive.Size {
	return []derive.Size{{Rendition: media.Preview, LongEdge: 2048}, {Rendition: media.Thumbnail, LongEdge: 320}}
}

// Handle makes the renditions of one item that do not exist yet. It is a
// jobs.Handler, and safe to repeat.
func (d *Derivations) Handle(ctx context.Context, job jobs.Job) error {
	err := d.derive(ctx, job.Item)
	for permanent, code := range map[error]string{derive.ErrBomb: "too-many-pixels", derive.ErrUndecodable: "undecodable"} {
		if errors.Is(err, permanent) {
			ev := audit.NewEvent(audit.RenditionFailed, access.Principal{}, audit.Subject{Item: string(job.Item)}).With("reason", code)
			if err := d.Store.AppendEvent(ctx, ev); err != nil {
				return fmt.Errorf("record the failure: %w", err)
			}
			return jobs.Permanent(code)
		}
	}
	return err
}

func (d *Derivations) derive(ctx context.Context, id media.ItemID) error {
	var missing []derive.Size
	for _, s := range Sizes() {
		_, _, err := d.Store.Rendition(ctx, id, s.Rendition)
		if errors.Is(err, meta.ErrNotFound) {
			missing = append(missing, s)
		} else if err != nil {
			return fmt.Errorf("look for a rendition: %w", err)
		}
	}
	if missing == nil {
		return nil
	}
	row, wrapped, err := d.Store.Rendition(ctx, id, media.Original)
	if err != nil {
		return fmt.Errorf("find the original: %w", err)
	}
	original, size, done, err := d.original(ctx, row, wrapped)
	if err != nil {
		return err
	}
	defer done()
	out, err := d.Maker.Derive(ctx, original, size, row.Format, missing)
	if err != nil {
		return fmt.Errorf("derive: %w", err)
	}
	for _, p := range out.Pictures {
		if err := d.keep(ctx, id, p); err != nil {
			return err
		}
	}
	return nil
}

func (d *Derivations) original(ctx context.Context, row media.RenditionRow, wrapped media.WrappedKey) (io.Reader, int64, func(), error) {
	id, err := d.Ring.Unwrap(wrapped, row.Format)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("unwrap the item identity: %w", err)
	}
	key, err := blob.ParseKey(row.ObjectKey)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("object key of a rendition: %w", err)
	}
	w := blob.NewWindow(ctx, d.Objects, key, row.ObjectBytes, nil)
	f, err := seal.Open(w, row.ObjectBytes, id)
	if err != nil {
		w.Close()
		return nil, 0, nil, fmt.Errorf("open the original: %w", err)
	}
	w.Expect(f.CipherRange(0, f.Size()))
	return io.NewSectionReader(f, 0, f.Size()), f.Size(), func() { w.Close() }, nil
}

// keep files one picture from the decoding child. The child has handled
// hostile bytes, so what it says is sanitised and verified like an upload.
func (d *Derivations) keep(ctx context.Context, id media.ItemID, p derive.Picture) error {
	cleaned, err := sanitise.File(ctx, bytes.NewReader(p.Bytes), int64(len(p.Bytes)), p.Format, sanitise.Options{MaxPixels: d.MaxPixels})
	if err != nil {
		return fmt.Errorf("check the %s: %w", p.Rendition, err)
	}
	s, err := store(ctx, d.Objects, d.Ring, id, p.Rendition, cleaned.Clean)
	if err != nil {
		return err
	}
	s.row.Width, s.row.Height = cleaned.Width, cleaned.Height
	ev := audit.NewEvent(audit.RenditionDerived, access.Principal{}, audit.Subject{Item: string(id), Rendition: string(p.Rendition)})
	if err := d.Store.AddRendition(ctx, s.row, s.key, ev); err != nil && !errors.Is(err, meta.ErrExists) {
		return fmt.Errorf("file the %s: %w", p.Rendition, err)
	}
	return nil
}
