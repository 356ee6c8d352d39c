package fsck

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// repair does what can be done without a doubt, and records it.
func (c *Checker) repair(ctx context.Context, f *Finding) error {
	if f.mend == nil && f.row != nil && f.row.Rendition != media.Original && f.Kind != MustBeGone && f.Kind != OldVersion && f.Kind != BadRow {
		f.mend = func(ctx context.Context) (string, error) { return c.again(ctx, f) }
	}
	switch {
	case f.mend == nil && f.Rendition == media.Original && f.Kind != MustBeGone && f.Kind != OldVersion:
		f.Unmended = "an original is never touched; restore it from a backup"
		return nil
	case f.mend == nil:
		f.Unmended = "nothing can be done here without a doubt"
		return nil
	}
	done, err := f.mend(ctx)
	switch {
	case errors.Is(err, blob.ErrLocked):
		f.Unmended = "the store has it locked"
		return nil
	case errors.Is(err, errDoubt):
		f.Unmended = err.Error()
		return nil
	case err != nil && ctx.Err() != nil:
		return err
	case err != nil:
		f.Unmended = err.Error()
		return nil
	case done == "":
		f.Unmended = "it changed meanwhile"
		return nil
	}
	f.Repaired = done
	if done == madeAgain { // recorded with the change
		return nil
	}
	if err := c.Store.AppendEvent(ctx, repaired(f, done)); err != nil {
		return fmt.Errorf("record a repair: %w", err)
	}
	return nil
}

func repaired(f *Finding, done string) audit.Event {
	return audit.NewEvent(audit.StoreRepaired, access.Principal{}, audit.Subject{Item: string(f.Item), Rendition: string(f.Rendition)}).With("kind", string(f.Kind)).With("done", done)
}

const madeAgain = "it will be made again from the original"

// again lets go of a form that is made from the original, and has it made
// again. The object that it leaves is for the sweep.
func (c *Checker) again(ctx context.Context, f *Finding) (string, error) {
	it, err := c.Store.Item(ctx, f.Item)
	if err != nil {
		return "", err
	}
	kind := transfer.DeriveJob
	if it.Format.Video() {
		kind = transfer.PosterJob
	}
	switch f.Rendition {
	case media.Playable:
		kind = transfer.PlayableJob
	case media.Detail:
		kind = transfer.DetailJob
	}
	job := meta.Job{ID: uuid.NewString(), Kind: kind, Item: f.Item}
	err = c.Store.DropDerivative(ctx, f.row.RenditionRow, job, repaired(f, madeAgain))
	if errors.Is(err, meta.ErrNotFound) {
		return "", nil
	}
	return madeAgain, err
}

// errDoubt says why something is left alone.
var errDoubt = errors.New("left alone")

// olderVersions is what a bucket keeps beside the one version there must be.
// right are the sums of the current one, when it is as it should be.
func (c *Checker) olderVersions(ctx context.Context, k meta.Kept, o object, right *sums, found finder) []*Finding {
	var out []*Finding
	for _, v := range o.rest {
		f := found(OldVersion, "the bucket keeps an older version")
		if v.Marker {
			f.Says = "the bucket keeps a delete marker under the object"
		}
		f.Version = v.Version
		switch {
		case v.Version == "" || right == nil:
		case v.Marker:
			f.mend = c.remove(v, "the delete marker was removed")
		default:
			same, err := c.same(ctx, v, right)
			switch {
			case err != nil:
				f.Kind, f.Says = Unchecked, err.Error()
			case same:
				f.Says += " with the same bytes"
				f.mend = c.remove(v, "the older version was removed")
			default:
				f.Says += " with other bytes: look into it"
			}
		}
		if right == nil && !c.Fast && c.verifies(ctx, k, v) {
			f.Says = "an older version is as it should be, and the current one is not: look into it, and put it back"
		}
		out = append(out, f)
	}
	return out
}

func (c *Checker) remove(v blob.Version, done string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return done, c.versions.DeleteVersion(ctx, v.Key, v.Version)
	}
}

// same reports whether a version has the bytes of one that is right.
func (c *Checker) same(ctx context.Context, v blob.Version, right *sums) (bool, error) {
	r, err := c.versions.OpenVersion(ctx, v.Key, v.Version)
	if err != nil {
		return false, err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return false, err
	}
	return [sha256.Size]byte(h.Sum(nil)) == right.object, nil
}

// hidden is an object that a delete marker hides. What lies under it can come
// back when it is what was signed.
func (c *Checker) hidden(ctx context.Context, k meta.Kept, o object, found finder) *Finding {
	f := found(Missing, "the object was deleted")
	var marks []blob.Version
	for _, v := range o.rest {
		if v.Marker {
			marks = append(marks, v)
		} else if f.mend == nil && c.verifies(ctx, k, v) {
			f.Says = "a delete marker hides the object, which is as it should be under it"
			f.Version = v.Version
			f.mend = func(ctx context.Context) (string, error) {
				for _, m := range marks {
					if err := c.versions.DeleteVersion(ctx, m.Key, m.Version); err != nil {
						return "", err
					}
				}
				info, err := c.Objects.Stat(ctx, o.key)
				if err != nil || info.Bytes != k.ObjectBytes {
					return "", fmt.Errorf("%w: it did not come back", errDoubt)
				}
				return "the delete marker was removed", nil
			}
		}
	}
	f.Kind = OldVersion
	if f.mend == nil {
		f.Kind = Missing
	}
	return f
}

// verifies reports whether a version is what its row, its key and, of an
// original, its manifest say.
func (c *Checker) verifies(ctx context.Context, k meta.Kept, v blob.Version) bool {
	if v.Marker || v.Bytes != k.ObjectBytes || k.Key.Wrapped == nil {
		return false
	}
	id, err := c.Ring.Unwrap(k.Key, k.Format)
	if err != nil {
		return false
	}
	m, _ := c.manifest(k, func(Kind, string, ...any) *Finding { return &Finding{} })
	if m == nil && k.Rendition == media.Original {
		return false
	}
	r, err := c.versions.OpenVersion(ctx, v.Key, v.Version)
	if err != nil {
		return false
	}
	defer r.Close()
	got, err := Authenticate(r, v.Bytes, id)
	if errors.Is(err, seal.ErrRefused) || err != nil {
		return false
	}
	return got.bytes == k.Bytes && (m == nil || m.ObjectSHA256 == got.object && m.PlainSHA256 == got.plain)
}
