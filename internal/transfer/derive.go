package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/imaging/derive"
	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/jobs"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// The kinds of jobs that make renditions. Those for videos are apart, so that
// a server without the video tool leaves them to one that has it, and so that
// no photo waits for a long video.
const (
	DeriveJob   = "derive"   // a picture's preview and thumbnail
	DetailJob   = "detail"   // a picture's every pixel, for browsers that do not show its format
	PosterJob   = "poster"   // a video's poster and thumbnail
	PlayableJob = "playable" // a video's playable form
)

// DeriveStore is what making renditions needs of the database.
type DeriveStore interface {
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Rendition(ctx context.Context, id media.ItemID, r media.Rendition) (media.RenditionRow, media.WrappedKey, error)
	AddRendition(ctx context.Context, row media.RenditionRow, key media.WrappedKey, ev audit.Event) error
	SetQuality(ctx context.Context, id media.ItemID, q media.Quality, ev audit.Event) error
	AddJob(ctx context.Context, j meta.Job) error
	SetProgress(ctx context.Context, job string, thousandths int) error
	AppendEvent(ctx context.Context, ev audit.Event) error
}

// Derivations makes the forms that people look at from clean originals.
type Derivations struct {
	Store     DeriveStore
	Objects   blob.Store
	Ring      *keyring.Ring
	Maker     *derive.Maker
	Films     *derive.Films   // nil when there is no video tool
	Recoder   *derive.Recoder // nil when there is no tool to recode JPEGs
	Spool     *spool.Spool
	MaxBytes  int64 // of a playable form
	MaxPixels int64
	Wake      func() // called when a job was added
}

// Handlers gives what handles each kind of job of pictures and posters.
func (d *Derivations) Handlers() map[string]jobs.Handler {
	h := map[string]jobs.Handler{DeriveJob: d.handler(d.pictures), DetailJob: d.handler(d.detail)}
	if d.Films != nil {
		h[PosterJob] = d.handler(d.poster)
	}
	return h
}

// SlowHandlers gives what handles the jobs that may take hours.
func (d *Derivations) SlowHandlers() map[string]jobs.Handler {
	if d.Films == nil {
		return nil
	}
	return map[string]jobs.Handler{PlayableJob: d.handler(d.playable)}
}

// The codes of failures that are the deriving code's and not the picture's, as
// a newer version may show.
const (
	undecodable  = "undecodable"
	tooDemanding = "too-demanding"
)

// AgainLater gives the codes of failures after which a newer version of the
// deriving code tries again.
func AgainLater() []string { return []string{undecodable, tooDemanding} }

// tries is how often a picture may reach a limit of memory or time, which a
// busy machine can cause, before it is given up.
const tries = 3

// handler records a failure that another try will not mend.
func (d *Derivations) handler(do func(context.Context, jobs.Job) error) jobs.Handler {
	return func(ctx context.Context, job jobs.Job) error {
		err := do(ctx, job)
		code := hopeless(err, job.Attempts)
		if code == "" {
			return err
		}
		slog.WarnContext(ctx, "a rendition cannot be made", "item", job.Item, "kind", job.Kind, "code", code, "error", err)
		ev := audit.NewEvent(audit.RenditionFailed, access.Principal{}, audit.Subject{Item: string(job.Item)}).With("reason", code).With("job", job.Kind)
		if err := d.Store.AppendEvent(ctx, ev); err != nil {
			return fmt.Errorf("record the failure: %w", err)
		}
		return jobs.Permanent(code)
	}
}

// hopeless gives the code of an error that will not go away, or "".
func hopeless(err error, attempts int) string {
	var refused *fault.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, derive.ErrBomb):
		return "too-many-pixels"
	case errors.Is(err, derive.ErrUndecodable):
		return undecodable
	case errors.Is(err, spool.ErrTooLarge):
		return "too-large"
	case errors.As(err, &refused):
		return "not-certified"
	case errors.Is(err, derive.ErrLimit) && attempts >= tries:
		return tooDemanding
	}
	return ""
}

// missing gives those of the sizes that an item does not have yet, so that a
// job is safe to repeat.
func (d *Derivations) missing(ctx context.Context, id media.ItemID, sizes []derive.Size) ([]derive.Size, error) {
	var missing []derive.Size
	for _, s := range sizes {
		_, _, err := d.Store.Rendition(ctx, id, s.Rendition)
		if errors.Is(err, meta.ErrNotFound) {
			missing = append(missing, s)
		} else if err != nil {
			return nil, fmt.Errorf("look for a rendition: %w", err)
		}
	}
	return missing, nil
}

// pictures makes a photo's preview and thumbnail, and keeps what was measured.
func (d *Derivations) pictures(ctx context.Context, job jobs.Job) error {
	item, err := d.Store.Item(ctx, job.Item)
	if err != nil {
		return fmt.Errorf("find the item: %w", err)
	}
	missing, err := d.missing(ctx, job.Item, derive.Sizes())
	if err != nil {
		return err
	}
	if missing == nil && item.Quality == nil {
		missing = derive.Sizes()[1:] // made before pictures were measured
	}
	if missing == nil {
		return nil
	}
	out, recoded, err := d.derive(ctx, job.Item, missing)
	if err != nil {
		return err
	}
	if recoded || !item.Format.Shown() { // after what is looked at first
		if err := d.add(ctx, DetailJob, job); err != nil {
			return err
		}
	}
	if err := d.keepAll(ctx, job.Item, out.Pictures); err != nil || item.Quality != nil {
		return err
	}
	ev := audit.NewEvent(audit.QualityMeasured, access.Principal{}, audit.Subject{Item: string(job.Item)})
	if err := d.Store.SetQuality(ctx, job.Item, out.Quality, ev); err != nil {
		return fmt.Errorf("keep the quality: %w", err)
	}
	return nil
}

// detail makes a photo's form with every pixel.
func (d *Derivations) detail(ctx context.Context, job jobs.Job) error {
	missing, err := d.missing(ctx, job.Item, derive.Details())
	if err != nil || missing == nil {
		return err
	}
	out, _, err := d.derive(ctx, job.Item, missing)
	if err != nil {
		return err
	}
	return d.keepAll(ctx, job.Item, out.Pictures)
}

// derive makes pictures of an item's original, and reports whether it had to
// be recoded for that: by jpegtran, or, where nothing else reads it, by the
// video tool.
func (d *Derivations) derive(ctx context.Context, id media.ItemID, sizes []derive.Size) (out derive.Output, recoded bool, err error) {
	original, format, done, err := d.original(ctx, id)
	if err != nil {
		return out, false, err
	}
	defer done()
	out, err = d.Maker.Derive(ctx, original, original.Size(), format, sizes)
	if errors.Is(err, derive.ErrUndecodable) && format == media.JPEG && d.Recoder != nil {
		recoded = true
		// In Huffman codes it is some tenths larger.
		b, rerr := d.Recoder.Huffman(ctx, io.NewSectionReader(original, 0, original.Size()), 2*original.Size()+1<<20)
		if err = rerr; err == nil {
			out, err = d.Maker.Derive(ctx, bytes.NewReader(b), int64(len(b)), media.JPEG, sizes)
		}
	}
	if d.Films != nil && (errors.Is(err, derive.ErrUndecodable) || errors.Is(err, derive.ErrLimit)) {
		still, serr := d.Films.Still(ctx, io.NewSectionReader(original, 0, original.Size()), original.Size(), format)
		if serr == nil {
			recoded = true
			out, err = d.Maker.DeriveStill(ctx, still, sizes)
		} else if !errors.Is(serr, derive.ErrUndecodable) {
			err = serr
		}
	}
	if err != nil {
		err = fmt.Errorf("derive: %w", err)
	}
	return out, recoded, err
}

// add files a further job that follows from one, once.
func (d *Derivations) add(ctx context.Context, kind string, from jobs.Job) error {
	more := meta.Job{ID: uuid.NewSHA1(uuid.MustParse(from.ID), []byte(kind)).String(), Kind: kind, Item: from.Item}
	if err := d.Store.AddJob(ctx, more); err != nil && !errors.Is(err, meta.ErrExists) {
		return fmt.Errorf("file the job %s: %w", kind, err)
	}
	d.Wake()
	return nil
}

// original opens an item's original-clean rendition from its start.
func (d *Derivations) original(ctx context.Context, id media.ItemID) (*io.SectionReader, media.Format, func(), error) {
	row, wrapped, err := d.Store.Rendition(ctx, id, media.Original)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("find the original: %w", err)
	}
	identity, err := d.Ring.Unwrap(wrapped, row.Format)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("unwrap the item identity: %w", err)
	}
	key, err := blob.ParseKey(row.ObjectKey)
	if err != nil {
		return nil, 0, nil, fmt.Errorf("object key of a rendition: %w", err)
	}
	w := blob.NewWindow(ctx, d.Objects, key, row.ObjectBytes, nil)
	f, err := seal.Open(w, row.ObjectBytes, identity)
	if err != nil {
		_ = w.Close() // it only lets go
		return nil, 0, nil, fmt.Errorf("open the original: %w", err)
	}
	w.Expect(f.CipherRange(0, f.Size()))
	return io.NewSectionReader(f, 0, f.Size()), row.Format, func() { _ = w.Close() }, nil
}

func (d *Derivations) keepAll(ctx context.Context, id media.ItemID, pictures []derive.Picture) error {
	for _, p := range pictures {
		if err := d.keep(ctx, id, p.Rendition, p.Format, bytes.NewReader(p.Bytes), int64(len(p.Bytes))); err != nil {
			return err
		}
	}
	return nil
}

// keep files one rendition from a child. The child has handled hostile bytes,
// so what it says is sanitised and verified like an upload.
func (d *Derivations) keep(ctx context.Context, id media.ItemID, r media.Rendition, f media.Format, src io.ReaderAt, size int64) error {
	cleaned, err := sanitise.File(ctx, src, size, f, sanitise.Options{MaxPixels: d.MaxPixels})
	if err != nil {
		return fmt.Errorf("check the %s: %w", r, err)
	}
	s, err := store(ctx, d.Objects, d.Ring, id, r, cleaned.Clean)
	if err != nil {
		return err
	}
	s.row.Width, s.row.Height = cleaned.Width, cleaned.Height
	ev := audit.NewEvent(audit.RenditionDerived, access.Principal{}, audit.Subject{Item: string(id), Rendition: string(r)})
	if err := d.Store.AddRendition(ctx, s.row, s.key, ev); err != nil && !errors.Is(err, meta.ErrExists) {
		return fmt.Errorf("file the %s: %w", r, err)
	}
	return nil
}
