package fsck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// intake checks the parts of uploads that are not filed yet: first what is
// there, then what must be.
func (c *Checker) intake(ctx context.Context) error {
	err := c.list(ctx, transfer.Parts, "", func(o object) error {
		for _, f := range c.part(ctx, o) {
			if err := c.tell(ctx, f); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("check the parts of uploads: %w", err)
	}
	for after := ""; ; {
		page, err := c.Store.UploadsWithParts(ctx, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, u := range page {
			f, err := c.upload(ctx, u)
			if err != nil {
				return fmt.Errorf("check an upload: %w", err)
			}
			if f != nil {
				if err := c.tell(ctx, f); err != nil {
					return err
				}
			}
		}
		after = page[len(page)-1].ID
	}
}

// part is an object among the parts of uploads.
func (c *Checker) part(ctx context.Context, o object) []*Finding {
	c.summary.Checked++
	f := &Finding{Object: string(o.key)}
	known, err := c.Store.PartKeyExists(ctx, string(o.key))
	switch {
	case err != nil:
		f.Kind, f.Says = Unchecked, err.Error()
	case known && len(o.rest) > 0:
		f.Kind, f.Says = OldVersion, "the bucket keeps an older version of a part of an upload, or a delete marker; it goes with the upload"
	case known:
		return nil
	default:
		newest := newestOf(o)
		f.Kind, f.Says = Orphan, "no upload has this part"
		if !transfer.Stale(newest.Modified, c.now()) {
			f.Kind, f.Says = InFlight, "no upload has this part yet"
			break
		}
		f.mend = func(ctx context.Context) (string, error) {
			if gone, err := transfer.RemovePart(ctx, c.Objects, c.Store, newest, c.now()); err != nil || !gone {
				return "", err
			}
			return "every version was removed", nil
		}
	}
	return []*Finding{f}
}

// newestOf is what was written last under a key.
func newestOf(o object) blob.Info {
	newest := o.current
	for _, v := range o.rest {
		if !o.there && v.Modified.After(newest.Modified) {
			newest = v.Info
		}
	}
	newest.Key = o.key
	return newest
}

// upload checks what has arrived of one upload; nil when it is as it was, or has
// changed meanwhile. What is wrong with it is for its phone to send again:
// it keeps the picture until it is filed.
func (c *Checker) upload(ctx context.Context, u meta.Upload) (*Finding, error) {
	parts, err := c.Store.Parts(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	f, err := c.arrived(ctx, u, parts)
	if f == nil || err != nil {
		return nil, err
	}
	if f.Kind == Unchecked {
		return f, nil
	}
	now, err := c.Store.Upload(ctx, u.ID)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	same, err := c.Store.Parts(ctx, u.ID)
	if err != nil || now.State != u.State || !slices.Equal(same, parts) {
		return nil, err
	}
	return f, nil
}

func (c *Checker) arrived(ctx context.Context, u meta.Upload, parts []meta.UploadPart) (*Finding, error) {
	about := transfer.Parts + u.ID
	if u.State != meta.UploadOpen {
		if len(parts) == 0 {
			return nil, nil
		}
		return &Finding{Kind: InFlight, Object: about, Says: "the upload has ended, and its parts go with the next sweep"}, nil
	}
	var at int64
	for _, p := range parts {
		if p.At != at {
			break
		}
		at += p.Bytes
	}
	if at != u.Received {
		return &Finding{Kind: BadRow, Object: about, Says: fmt.Sprintf("its parts join to %d bytes where %d have arrived", at, u.Received)}, nil
	}
	for _, p := range parts {
		info, err := c.Objects.Stat(ctx, blob.Key(p.ObjectKey))
		switch {
		case errors.Is(err, blob.ErrNotFound):
			return &Finding{Kind: Missing, Object: p.ObjectKey, Says: "a part of an upload is not there"}, nil
		case err != nil:
			return &Finding{Kind: Unchecked, Object: p.ObjectKey, Says: err.Error()}, nil
		case info.Bytes != p.Bytes:
			return &Finding{Kind: Altered, Object: p.ObjectKey, Says: fmt.Sprintf("the part has %d bytes where there must be %d", info.Bytes, p.Bytes)}, nil
		}
	}
	if c.Fast || len(parts) == 0 {
		return nil, nil
	}
	return c.authenticate(ctx, u, parts), nil
}

// authenticate reads what has arrived of an upload. Of one that is not whole its
// last chunk, of up to 64 KiB, cannot be told.
func (c *Checker) authenticate(ctx context.Context, u meta.Upload, parts []meta.UploadPart) *Finding {
	src := &joined{ctx: ctx, c: c, parts: parts}
	defer src.close()
	unread := func() *Finding {
		return &Finding{Kind: Unchecked, Object: transfer.Parts + u.ID, Says: src.err.Error()}
	}
	altered := func(at int64) *Finding {
		i := len(parts) - 1
		for i > 0 && parts[i].At > at {
			i--
		}
		return &Finding{Kind: Altered, Object: parts[i].ObjectKey, Says: "what has arrived of the upload does not authenticate here"}
	}
	if u.Received < int64(keyring.IntakeHeadBytes) {
		return nil
	}
	plain, err := c.Ring.OpenIntake(src)
	var n int64
	if err == nil {
		n, err = io.Copy(io.Discard, plain)
	}
	c.addBytes(src.read)
	switch {
	case src.err != nil:
		return unread()
	case err == nil, u.Received < u.Bytes && n >= seal.WholeChunks(u.Received):
		return nil
	}
	return altered(seal.ChunkAt(n))
}

// joined reads parts one after the other.
type joined struct {
	ctx   context.Context
	c     *Checker
	parts []meta.UploadPart
	open  io.ReadCloser
	read  int64
	err   error // of the store
}

func (j *joined) close() {
	if j.open != nil {
		_ = j.open.Close()
		j.open = nil
	}
}

// Read implements io.Reader.
func (j *joined) Read(p []byte) (int, error) {
	for j.err == nil {
		if j.open == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			if j.open, j.err = j.c.Objects.OpenAt(j.ctx, blob.Key(j.parts[0].ObjectKey), 0, j.parts[0].Bytes); j.err != nil {
				break
			}
			j.parts = j.parts[1:]
		}
		n, err := j.open.Read(p)
		j.read += int64(n)
		if err == io.EOF {
			j.close()
			err = nil
		}
		j.err = err
		if n > 0 {
			return n, nil
		}
	}
	return 0, j.err
}
