package fsck

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// object is what the store has under one key.
type object struct {
	key     blob.Key
	there   bool // there is a current version
	current blob.Info
	rest    []blob.Version // versions that a reader does not see, and delete markers
}

// suspect is what is remembered of a rendition that is not as it should be, to
// find out whether it was exchanged with another's.
type suspect struct {
	kept  meta.Kept
	bytes int64  // of the object that is there; 0 when it is not the object that is suspected
	what  string // "object", "key" or "manifest"
}

// check compares one rendition with its object and gives what is wrong.
func (c *Checker) check(ctx context.Context, k meta.Kept, o object) []*Finding {
	found := func(kind Kind, format string, a ...any) *Finding {
		return &Finding{Kind: kind, Object: k.ObjectKey, Item: k.Item, Rendition: k.Rendition, Says: fmt.Sprintf(format, a...), row: &k}
	}
	if k.NoItem {
		return []*Finding{found(BadRow, "there is no item of this rendition")}
	}
	if !k.DestroyedAt.IsZero() {
		if k.Ending {
			return []*Finding{found(InFlight, "a batch is destroying its item")}
		}
		return []*Finding{found(MustBeGone, "its item was destroyed on %s, and its row is still there", k.DestroyedAt.Format("2 January 2006"))}
	}
	var out []*Finding
	if item, r, ok := named(blob.Key(k.ObjectKey)); ok && (item != k.Item || r != k.Rendition) {
		f := found(Swapped, "the row names the object of another")
		f.Other = string(item) + " " + string(r)
		return append(out, f)
	}
	if k.Format == media.Unknown {
		return append(out, found(BadRow, "its format is not known"))
	}
	if !o.there {
		return append(out, c.absent(ctx, k, o, found)...)
	}
	if o.current.Bytes != k.ObjectBytes {
		f := found(Altered, "the object has %d bytes where there must be %d", o.current.Bytes, k.ObjectBytes)
		f.suspect = &suspect{k, o.current.Bytes, "object"}
		out = append(out, f)
	}
	if k.Key.Wrapped == nil {
		return append(out, found(KeyMissing, "its wrapped key is not there"))
	}
	if c.Fast {
		return append(out, c.olderVersions(ctx, k, o, nil, found)...)
	}
	m, bad := c.manifest(k, found)
	out = append(out, bad...)
	id, err := c.Ring.Unwrap(k.Key, k.Format)
	if err != nil {
		f := found(KeyWrong, "its wrapped key does not open in this place")
		f.suspect = &suspect{k, 0, "key"}
		return append(out, f)
	}
	if o.current.Bytes != k.ObjectBytes { // that it does not open is plain
		return append(out, c.olderVersions(ctx, k, o, nil, found)...)
	}
	sums, err := c.read(ctx, k, o.current.Bytes, id)
	c.addBytes(o.current.Bytes)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return append(out, c.absent(ctx, k, object{key: o.key}, found)...)
	case errors.Is(err, seal.ErrRefused):
		f := found(Altered, "the object does not authenticate")
		if m != nil && m.ObjectSHA256 == sums.object {
			f = found(KeyWrong, "the object is as it was signed, and its key does not open it")
		}
		f.suspect = &suspect{k, o.current.Bytes, "object"}
		return append(append(out, f), c.olderVersions(ctx, k, o, nil, found)...)
	case err != nil:
		return append(out, found(Unchecked, "%v", err))
	case sums.bytes != k.Bytes:
		out = append(out, found(BadRow, "it holds %d bytes where its row says %d", sums.bytes, k.Bytes))
	case m != nil && (m.ObjectSHA256 != sums.object || m.PlainSHA256 != sums.plain):
		out = append(out, found(Altered, "it opens, and is not what was signed"))
	}
	return append(out, c.olderVersions(ctx, k, o, &sums, found)...)
}

type finder func(kind Kind, format string, a ...any) *Finding

// absent is a rendition whose object was not listed: it asks both again.
func (c *Checker) absent(ctx context.Context, k meta.Kept, o object, found finder) []*Finding {
	now, err := c.Store.KeptAt(ctx, k.ObjectKey)
	if errors.Is(err, meta.ErrNotFound) || err == nil && !now.DestroyedAt.IsZero() {
		return nil // destroyed meanwhile
	}
	if err != nil {
		return []*Finding{found(Unchecked, "%v", err)}
	}
	info, err := c.Objects.Stat(ctx, blob.Key(k.ObjectKey))
	if err == nil {
		return c.check(ctx, k, object{key: o.key, there: true, current: info})
	}
	if !errors.Is(err, blob.ErrNotFound) {
		return []*Finding{found(Unchecked, "%v", err)}
	}
	if len(o.rest) == 0 {
		return []*Finding{found(Missing, "there is no object")}
	}
	return []*Finding{c.hidden(ctx, k, o, found)}
}

// manifest checks the signed account of an original.
func (c *Checker) manifest(k meta.Kept, found finder) (*keyring.Manifest, []*Finding) {
	if k.Rendition != media.Original {
		return nil, nil
	}
	bad := func(format string, a ...any) (*keyring.Manifest, []*Finding) {
		f := found(BadManifest, format, a...)
		f.suspect = &suspect{k, 0, "manifest"}
		return nil, []*Finding{f}
	}
	text, err := c.Ring.OpenField("items", "manifest", string(k.Item), k.Manifest)
	if err != nil {
		return bad("its manifest does not open in this place")
	}
	m, err := c.Ring.OwnManifest(text)
	if err != nil {
		return bad("its manifest does not verify")
	}
	if m.Item != k.Item {
		f := found(Swapped, "its manifest is signed for another item")
		f.Other = string(m.Item)
		return nil, []*Finding{f}
	}
	if m.ObjectBytes != k.ObjectBytes || m.PlainBytes != k.Bytes || m.Format != k.Format {
		return &m, []*Finding{found(BadManifest, "its row does not say what its manifest says of length or format")}
	}
	receipt, err := c.Ring.OpenField("items", "receipt", string(k.Item), k.Receipt)
	if err != nil || sha256.Sum256(receipt) != m.ReceiptSHA256 {
		return &m, []*Finding{found(BadManifest, "its receipt is not the one that its manifest vouches for")}
	}
	return &m, nil
}

// sums are of an object that was read.
type sums struct {
	object, plain [sha256.Size]byte
	bytes         int64
}

// hashing has seal.DecryptAll hash and count a plaintext without keeping it.
type hashing struct {
	hash.Hash
	n int64
}

func (h *hashing) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(h.Hash, r)
	h.n += n
	return n, err
}

// read reads and authenticates an object to its end.
func (c *Checker) read(ctx context.Context, k meta.Kept, size int64, id seal.Identity) (sums, error) {
	r, err := c.Objects.OpenAt(ctx, blob.Key(k.ObjectKey), 0, -1)
	if err != nil {
		return sums{}, err
	}
	defer r.Close()
	return Authenticate(r, size, id)
}

// Authenticate reads an object of size bytes to its end. When it is refused
// the sum of the object is right all the same.
func Authenticate(r io.Reader, size int64, id seal.Identity) (sums, error) {
	whole, plain := sha256.New(), &hashing{Hash: sha256.New()}
	err := seal.DecryptAll(plain, io.TeeReader(r, whole), size, id)
	if errors.Is(err, seal.ErrRefused) {
		if _, more := io.Copy(whole, io.LimitReader(r, size)); more != nil {
			return sums{}, more
		}
	}
	out := sums{bytes: plain.n}
	whole.Sum(out.object[:0])
	plain.Sum(out.plain[:0])
	return out, err
}

// named gives the item and rendition that the key of an object speaks of.
func named(key blob.Key) (media.ItemID, media.Rendition, bool) {
	const id = 36 // a UUID
	_, name, ok := strings.Cut(strings.TrimPrefix(string(key), prefix), "/")
	name, age := strings.CutSuffix(name, ".age")
	if !ok || !age || len(name) < 2*id+3 || name[id] != '-' || name[len(name)-id-1] != '-' {
		return "", "", false
	}
	item, r := media.ItemID(name[:id]), media.Rendition(name[id+1:len(name)-id-1])
	return item, r, media.ValidID(string(item)) && r.Valid()
}

// identify finds out, of what is not as it should be, what was exchanged with
// what, and reports it.
func (c *Checker) identify(ctx context.Context) error {
	suspects := c.suspects
	c.suspects = nil
	if len(suspects) > 0 && !c.Fast {
		c.pairs(suspects)
		if err := c.owners(ctx, suspects); err != nil {
			return err
		}
	}
	for _, f := range suspects {
		if err := c.tell(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// pairs tries each suspect key and manifest in the places of the others.
func (c *Checker) pairs(suspects []*Finding) {
	for _, f := range suspects {
		s := f.suspect
		for _, g := range suspects {
			other := g.suspect.kept
			if f == g || other.Item == s.kept.Item && other.Rendition == s.kept.Rendition {
				continue
			}
			switch s.what {
			case "key":
				w := s.kept.Key
				w.Item, w.Rendition = other.Item, other.Rendition
				if _, err := c.Ring.Unwrap(w, other.Format); err == nil {
					f.exchanged(other, "its wrapped key is that of another")
				}
			case "manifest":
				if _, err := c.Ring.OpenField("items", "manifest", string(other.Item), s.kept.Manifest); err == nil {
					f.exchanged(other, "its manifest is that of another")
				}
			}
		}
	}
}

func (f *Finding) exchanged(other meta.Kept, says string) {
	f.Kind, f.Says, f.Other = Swapped, says, string(other.Item)+" "+string(other.Rendition)
}

// mostTrials bounds how many keys are tried on suspect objects.
const mostTrials = 100_000

// owners goes through all rows once more and looks whose the suspect objects
// and keys are.
func (c *Checker) owners(ctx context.Context, suspects []*Finding) error {
	bySize := map[int64][]*Finding{}
	for _, f := range suspects {
		if s := f.suspect; s.what != "manifest" && f.Kind != Swapped {
			bySize[s.bytes] = append(bySize[s.bytes], f)
		}
	}
	trials := 0
	for after := ""; len(bySize) > 0; {
		page, err := c.Store.KeptAfter(ctx, after, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].ObjectKey
		for _, k := range page {
			for _, f := range bySize[0] {
				if s := f.suspect.kept; s.ObjectKey != k.ObjectKey && bytes.Equal(s.Key.Wrapped, k.Key.Wrapped) && k.Key.Wrapped != nil {
					f.exchanged(k, "its wrapped key is that of another")
				}
			}
			for _, f := range bySize[k.ObjectBytes] {
				if f.suspect.kept.ObjectKey == k.ObjectKey || k.ObjectBytes == 0 || k.Key.Wrapped == nil {
					continue
				}
				if trials++; trials > mostTrials {
					return nil
				}
				if c.opens(ctx, f.suspect, k) {
					f.exchanged(k, "the object is that of another, and opens with its key only")
				}
			}
		}
	}
	return nil
}

// opens reports whether another's key opens the suspect's object.
func (c *Checker) opens(ctx context.Context, s *suspect, other meta.Kept) bool {
	id, err := c.Ring.Unwrap(other.Key, other.Format)
	if err != nil {
		return false
	}
	w := blob.NewWindow(ctx, c.Objects, blob.Key(s.kept.ObjectKey), s.bytes, nil)
	defer w.Close()
	_, err = seal.Open(w, s.bytes, id)
	return err == nil
}
