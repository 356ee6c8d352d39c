package fsck

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// accounts checks what is kept of disposals outside the database: first what is
// there, then what must be. Nothing but doubles of a version is ever removed.
func (c *Checker) accounts(ctx context.Context) error {
	c.hid = map[blob.Key]bool{}
	err := c.list(ctx, disposal.Accounts, "", func(o object) error {
		found, err := c.account(ctx, o)
		for _, f := range found {
			err = errors.Join(err, c.tell(ctx, f))
		}
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return fmt.Errorf("check the accounts of disposals: %w", err)
	}
	for after := retention.BatchID(""); ; {
		page, err := c.Store.Batches(ctx, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, b := range page {
			if err := c.accountsOf(ctx, b); err != nil {
				return fmt.Errorf("check the accounts of a disposal: %w", err)
			}
		}
		after = page[len(page)-1].ID
	}
}

// account is an object among the accounts of disposals.
func (c *Checker) account(ctx context.Context, o object) ([]*Finding, error) {
	if !o.there {
		return c.hiddenAccount(ctx, o), nil
	}
	c.summary.Checked++
	found := func(kind Kind, format string, a ...any) *Finding {
		return &Finding{Kind: kind, Object: string(o.key), Says: fmt.Sprintf(format, a...)}
	}
	id, ok := disposal.AccountOf(o.key)
	if !ok {
		return []*Finding{found(Orphan, "this is no account of a disposal")}, nil
	}
	var out []*Finding
	b, err := c.Store.Batch(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		out = append(out, found(InFlight, "the database does not know this disposal: the server destroys again what is in it when it starts"))
		b = retention.Batch{}
	} else if err != nil {
		return nil, err
	}
	if c.Fast {
		return append(out, c.olderVersions(ctx, meta.Kept{}, o, nil, found)...), nil
	}
	signed, err := c.document(ctx, o.key)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return out, nil // accountsOf finds it
	case err != nil:
		return append(out, found(Unchecked, "%v", err)), nil
	case disposal.CheckAccount(c.Ring, o.key, signed) != nil:
		return append(append(out, found(Altered, "the account of a disposal is not what was signed")), c.olderVersions(ctx, meta.Kept{}, o, nil, found)...), nil
	case o.key == disposal.CertificateKey(id) && b.State == retention.Destroyed && !bytes.Equal(signed, b.Certificate):
		return append(append(out, found(Altered, "the certificate is not the one in the database")), c.olderVersions(ctx, meta.Kept{}, o, nil, found)...), nil
	}
	return append(out, c.olderVersions(ctx, meta.Kept{}, o, &sums{object: sha256.Sum256(signed)}, found)...), nil
}

// hiddenAccount is an account that a delete marker hides. What lies under it can
// come back when it is what was signed; what does not is left to accountsOf.
func (c *Checker) hiddenAccount(ctx context.Context, o object) []*Finding {
	var marks []blob.Version
	var under *blob.Version
	for _, v := range o.rest {
		if v.Marker {
			marks = append(marks, v)
		} else if under == nil || v.Modified.After(under.Modified) {
			under = &v
		}
	}
	if under == nil {
		return nil
	}
	r, err := c.versions.OpenVersion(ctx, o.key, under.Version)
	if err != nil {
		return nil
	}
	defer r.Close()
	signed, err := io.ReadAll(io.LimitReader(r, disposal.MostAccount+1))
	if err != nil || disposal.CheckAccount(c.Ring, o.key, signed) != nil {
		return nil
	}
	f := &Finding{Kind: OldVersion, Object: string(o.key), Version: under.Version, Says: "a delete marker hides the account of a disposal, which is as it should be under it"}
	f.mend = func(ctx context.Context) (string, error) { return c.unhide(ctx, o.key, marks, under.Bytes) }
	c.hid[o.key] = true
	return []*Finding{f}
}

func (c *Checker) document(ctx context.Context, key blob.Key) ([]byte, error) {
	r, err := c.Objects.OpenAt(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	signed, err := io.ReadAll(io.LimitReader(r, disposal.MostAccount+1))
	c.addBytes(int64(len(signed)))
	return signed, err
}

// accountsOf looks for what there must be of a batch.
func (c *Checker) accountsOf(ctx context.Context, b retention.Batch) error {
	var must []blob.Key
	switch b.State {
	case retention.Destroyed:
		must = []blob.Key{disposal.StartKey(b.ID), disposal.CertificateKey(b.ID)}
	case retention.Running:
		must = []blob.Key{disposal.StartKey(b.ID)}
	}
	for _, key := range must {
		if c.hid[key] {
			continue
		}
		_, err := c.Objects.Stat(ctx, key)
		if err == nil {
			continue
		}
		f := &Finding{Kind: Missing, Object: string(key), Says: "there is no account of this disposal outside the database: an old backup would bring back what it destroyed"}
		if !errors.Is(err, blob.ErrNotFound) {
			f.Kind, f.Says = Unchecked, err.Error()
		}
		if key == disposal.CertificateKey(b.ID) && disposal.CheckAccount(c.Ring, key, b.Certificate) == nil {
			f.mend = func(ctx context.Context) (string, error) {
				_, err := c.Objects.Create(ctx, key, bytes.NewReader(b.Certificate), int64(len(b.Certificate)))
				return "the certificate was written again, as the database has it", err
			}
		}
		if err := c.tell(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
