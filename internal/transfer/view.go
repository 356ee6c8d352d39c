package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/memory"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/link"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// ViewStore is what showing a picture needs of the database, besides the gate.
type ViewStore interface {
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Rendition(ctx context.Context, id media.ItemID, r media.Rendition) (media.RenditionRow, media.WrappedKey, error)
	Grant(ctx context.Context, id link.GrantID) (link.Grant, link.Link, error)
	RecordViewing(ctx context.Context, v meta.Viewing, within time.Duration, ev audit.Event) (bool, error)
}

const (
	// wholeBytes is the largest picture that is decrypted in one piece.
	wholeBytes = 16 << 20
	// wholeRoom bounds the memory of all pictures that are decrypted in one
	// piece and on their way. One that is larger, or finds no room since many
	// fetch theirs slowly, is authenticated in a first pass and served in a
	// second, for which the object is fetched twice.
	wholeRoom = 32 << 20
	// viewingFor is how long one audit event covers repeated requests for the
	// same rendition in the same session: the many ranges of one playing video
	// are one viewing.
	viewingFor = 5 * time.Minute
)

// Views shows pictures and videos. It is safe for concurrent use.
type Views struct {
	Gate    GateStore
	Store   ViewStore
	Objects blob.Reader
	Ring    *keyring.Ring
	Cache   *blob.Cache
	memory  memory.Pool // for pictures being shown
	room    *semaphore.Weighted
	once    sync.Once
}

// Span is a range of the plaintext that is about to be read, so that the
// object store is asked for just that. It may go beyond the end. The zero Span
// expects nothing.
type Span struct{ Off, Len int64 }

// Content is an opened rendition. Reads decrypt; what fails authentication is
// never given out. Close it.
type Content struct {
	io.ReadSeeker
	MediaType string
	ETag      string // strong: a rendition never changes
	FiledAt   time.Time
	Bytes     int64
	close     func()
}

// Close releases what the content holds.
func (c *Content) Close() { c.close() }

// Item opens a rendition for a person who stands in a relation to the item
// now. wanted is the range about to be read, if it is known. When shown is
// false (a HEAD request) nothing is disclosed and no viewing is recorded.
func (v *Views) Item(ctx context.Context, who access.Principal, id media.ItemID, r media.Rendition, wanted Span, shown bool) (*Content, error) {
	it, err := findItem(ctx, v.Store, gate{v.Gate}, who, access.ShowItem, id)
	if err != nil {
		return nil, err
	}
	return v.show(ctx, who, it, r, link.Grant{}, wanted, shown)
}

// Grant opens a rendition through an opened link. The grant must be of the
// same session; link, role and relation are checked anew each time.
func (v *Views) Grant(ctx context.Context, who access.Principal, id link.GrantID, r media.Rendition, wanted Span, shown bool) (*Content, error) {
	g, it, err := v.granted(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return v.show(ctx, who, it, r, g, wanted, shown)
}

// Opened gives a grant that would show its item now, without showing it.
func (v *Views) Opened(ctx context.Context, who access.Principal, id link.GrantID) (link.Grant, error) {
	g, _, err := v.granted(ctx, who, id)
	return g, err
}

func (v *Views) granted(ctx context.Context, who access.Principal, id link.GrantID) (link.Grant, media.Item, error) {
	none := func(err error) (link.Grant, media.Item, error) { return link.Grant{}, media.Item{}, err }
	g := gate{v.Gate}
	if err := g.role(ctx, who, access.ShowOpened); err != nil {
		return none(err)
	}
	if !media.ValidID(string(id)) {
		return none(errNoItem)
	}
	grant, l, err := v.Store.Grant(ctx, id)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return none(errNoItem)
	case errors.Is(err, meta.ErrExpired), errors.Is(err, meta.ErrRevoked):
		if grant.Session != who.Session { // what ended is only its owner's to know
			return none(errNoItem)
		}
		return none(errors.Join(ended(err), g.record(ctx, audit.NewEvent(audit.LinkRefused, who, audit.Subject{Grant: string(id), Link: string(grant.Link)}).With("reason", reason(err)))))
	case err != nil:
		return none(down(fmt.Errorf("find the grant: %w", err)))
	case grant.Session != who.Session || grant.Person != who.Person.ID || !l.Audience.Includes(who):
		return none(errors.Join(errNoItem, g.record(ctx, audit.NewEvent(audit.AccessDenied, who, audit.Subject{Grant: string(id), Link: string(grant.Link)}).With("action", string(access.ShowOpened)))))
	}
	it, err := v.Store.Item(ctx, grant.Item)
	if err != nil {
		return none(down(fmt.Errorf("find the item: %w", err)))
	}
	return grant, it, g.item(ctx, who, access.ShowOpened, it)
}

// show records the viewing and opens the rendition: no event, no picture.
func (v *Views) show(ctx context.Context, who access.Principal, it media.Item, r media.Rendition, g link.Grant, wanted Span, shown bool) (*Content, error) {
	row, wrapped, err := v.Store.Rendition(ctx, it.ID, r)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "rendition-missing", "This form of the picture does not exist, or is still being made.")
	}
	if err != nil {
		return nil, down(fmt.Errorf("find the rendition: %w", err))
	}
	if shown {
		subject := audit.Subject{Item: string(it.ID), Rendition: string(r), Patient: string(it.Patient), Grant: string(g.ID), Link: string(g.Link)}
		if who.Person.Role == access.External {
			subject.Invitation = string(who.Person.ID)
		}
		ev := audit.NewEvent(audit.PictureShown, who, subject)
		seen := meta.Viewing{Session: who.Session, Item: it.ID, Rendition: r, Grant: g.ID}
		if _, err := v.Store.RecordViewing(ctx, seen, viewingFor, ev); err != nil {
			return nil, down(fmt.Errorf("record the viewing: %w", err))
		}
	}
	c := &Content{
		MediaType: row.Format.MediaType(), ETag: fmt.Sprintf(`"%s-%s"`, it.ID, r), FiledAt: it.FiledAt, Bytes: row.Bytes, close: func() {},
	}
	if !shown { // length and type are enough
		c.ReadSeeker = io.NewSectionReader(nothing{}, 0, row.Bytes)
		return c, nil
	}
	id, err := v.Ring.Unwrap(wrapped, row.Format)
	if err != nil {
		return nil, fmt.Errorf("unwrap the item identity: %w", err)
	}
	if err := v.open(ctx, c, row, id, wanted); err != nil {
		return nil, down(err)
	}
	return c, nil
}

type nothing struct{}

func (nothing) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("a HEAD request has no content")
}

func (v *Views) open(ctx context.Context, c *Content, row media.RenditionRow, id seal.Identity, wanted Span) error {
	key, err := blob.ParseKey(row.ObjectKey)
	if err != nil {
		return fmt.Errorf("object key of a rendition: %w", err)
	}
	v.once.Do(func() { v.room = semaphore.NewWeighted(wholeRoom) })
	if !row.Format.Video() && row.ObjectBytes <= wholeBytes && v.room.TryAcquire(row.ObjectBytes) {
		return v.whole(ctx, c, key, row, id)
	}
	window := blob.NewWindow(ctx, v.Objects, key, row.ObjectBytes, v.Cache)
	c.close = func() { _ = window.Close() }
	f, err := seal.Open(window, row.ObjectBytes, id)
	if err == nil && f.Size() != row.Bytes {
		err = errors.New("the object's length does not match its row")
	}
	if err == nil && !row.Format.Video() {
		window.Expect(f.CipherRange(0, f.Size()))
		_, err = v.memory.Copy(io.Discard, io.NewSectionReader(f, 0, f.Size()))
	}
	if err != nil {
		_ = window.Close() // it only lets go
		return fmt.Errorf("open the object: %w", err)
	}
	window.Expect(f.CipherRange(wanted.Off, wanted.Len))
	c.ReadSeeker = io.NewSectionReader(f, 0, f.Size())
	return nil
}

// whole fetches a picture, for which there is room, and decrypts and
// authenticates it, in the same memory, before its first byte is given.
func (v *Views) whole(ctx context.Context, c *Content, key blob.Key, row media.RenditionRow, id seal.Identity) (err error) {
	buf := v.memory.New()
	forget := sync.OnceFunc(func() { buf.Free(); v.room.Release(row.ObjectBytes) })
	defer func() {
		if err != nil {
			forget()
		}
	}()
	body, err := v.Objects.OpenAt(ctx, key, 0, -1)
	if err != nil {
		return fmt.Errorf("fetch the object: %w", err)
	}
	defer body.Close()
	if n, err := buf.ReadFrom(io.LimitReader(body, row.ObjectBytes+1)); err != nil {
		return fmt.Errorf("fetch the object: %w", err)
	} else if n != row.ObjectBytes {
		return fmt.Errorf("open the object: %w: it has another length than its row says", seal.ErrRefused)
	}
	f, err := seal.Open(buf, row.ObjectBytes, id)
	if err == nil && f.Size() != row.Bytes {
		err = errors.New("its length does not match its row")
	}
	if err == nil {
		err = buf.Replace(f, f.Size())
	}
	if err != nil {
		return fmt.Errorf("open the object: %w", err)
	}
	c.ReadSeeker, c.close = io.NewSectionReader(buf, 0, buf.Len()), forget
	return nil
}
