package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"slices"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

const (
	filingLease = time.Minute      // kept alive; how soon another server takes over from a dead one
	filingFor   = 30 * time.Minute // the most that filing may take
	filingAgain = 20 * time.Second // after storage was down
)

// Outcome says how an upload ended, or how far it is. One that is whole and
// that nobody files, because the server was killed just then, is filed first.
func (n *Intake) Outcome(ctx context.Context, who access.Principal, id string) (UploadState, error) {
	u, err := n.own(ctx, who, id)
	if err != nil {
		return UploadState{}, err
	}
	if s := stateOf(u); s.State == "filing" && !u.FilingUntil.After(u.Now) {
		if err := n.file(ctx, who, u); err != nil {
			return UploadState{}, err
		}
		if u, err = n.Store.Upload(context.WithoutCancel(ctx), id); err != nil {
			return UploadState{}, down(err)
		}
	}
	return stateOf(u), nil
}

// file files an upload that is whole, unless somebody else is at it. It goes
// on when the phone goes away meanwhile. A refusal is the upload's outcome; an
// error means that filing is tried again later.
func (n *Intake) file(ctx context.Context, who access.Principal, u meta.Upload) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), filingFor)
	defer cancel()
	if err := n.Store.LeaseFiling(ctx, u.ID, filingLease); errors.Is(err, meta.ErrNotFound) {
		return nil
	} else if err != nil {
		return down(fmt.Errorf("begin to file an upload: %w", err))
	}
	stop := n.hold(ctx, u.ID)
	filed, err := n.fileOnce(ctx, who, u)
	stop()
	var refusal *fault.Error
	switch {
	case err == nil:
		u.Item, u.Repeated = filed.Item.ID, filed.Repeated
		err = n.end(ctx, who, u, meta.UploadFiled, nil)
	case errors.As(err, &refusal) && final(refusal.Kind):
		err = n.end(ctx, who, u, meta.UploadRefused, refusal)
	default:
		if held := n.Store.HoldFiling(ctx, u.ID, filingAgain); held != nil {
			slog.WarnContext(ctx, "give back the filing of an upload", "upload", u.ID, "error", held)
		}
		return err
	}
	if errors.Is(err, meta.ErrNotFound) { // it ended meanwhile, by another server: the same outcome
		return nil
	}
	return err
}

// final tells a refusal that would be the same again from what may pass.
func final(k fault.Kind) bool {
	switch k {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.Conflict, fault.TooLarge, fault.Unsupported, fault.Gone:
		return true
	}
	return false
}

// hold keeps the lease alive until the function that it gives is called.
func (n *Intake) hold(ctx context.Context, id string) func() {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(filingLease / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if err := n.Store.HoldFiling(ctx, id, filingLease); err != nil && ctx.Err() == nil {
					slog.WarnContext(ctx, "keep the filing of an upload", "upload", id, "error", err)
				}
			}
		}
	}()
	return func() { cancel(); <-done }
}

// fileOnce decrypts the parts as a stream and gives them to the flow that
// files every upload. Who asks decides what is allowed: as they are now.
func (n *Intake) fileOnce(ctx context.Context, who access.Principal, u meta.Upload) (filed Filed, err error) {
	defer func() {
		if p := recover(); p != nil { // not only requests come here
			slog.ErrorContext(ctx, "filing an upload panicked", "upload", u.ID, "panic", fmt.Sprintf("%T", p))
			err = fmt.Errorf("panic of type %T", p)
		}
	}()
	parts, err := n.Store.Parts(ctx, u.ID)
	if err != nil {
		return Filed{}, down(fmt.Errorf("list the parts: %w", err))
	}
	src := &joined{ctx: ctx, objects: n.Objects, parts: parts}
	defer src.close()
	plain, err := n.Ring.OpenIntake(src)
	switch {
	case src.err != nil:
		return Filed{}, src.failure()
	case errors.Is(err, keyring.ErrWrongKey):
		return Filed{}, n.Uploads.refused(ctx, who, errNotSealed)
	case err != nil:
		return Filed{}, err
	}
	right, err := n.corrections(u)
	if err != nil {
		return Filed{}, n.Uploads.refused(ctx, who, err)
	}
	form := &sealedForm{plain: bufio.NewReaderSize(plain, 128<<10), right: right, key: "upload " + u.ID}
	filed, err = n.Uploads.Upload(ctx, who, form)
	if err != nil && src.err != nil {
		return Filed{}, src.failure() // and nothing that the sender could put right
	}
	return filed, err
}

// joined reads the parts one after the other.
type joined struct {
	ctx     context.Context
	objects blob.Reader
	parts   []meta.UploadPart
	open    io.ReadCloser
	at      int64
	err     error // of the store
}

func (j *joined) failure() error { return fault.From(down(fmt.Errorf("read the parts: %w", j.err))) }

func (j *joined) close() {
	if j.open != nil {
		_ = j.open.Close()
		j.open = nil
	}
}

func (j *joined) Read(p []byte) (int, error) {
	for j.err == nil {
		if j.open == nil {
			if len(j.parts) == 0 {
				return 0, io.EOF
			}
			if j.parts[0].At != j.at {
				j.err = errors.New("a part is missing")
				break
			}
			if j.open, j.err = j.objects.OpenAt(j.ctx, blob.Key(j.parts[0].ObjectKey), 0, j.parts[0].Bytes); j.err != nil {
				break
			}
		}
		n, err := j.open.Read(p)
		j.at += int64(n)
		if err == io.EOF {
			if j.at != j.parts[0].At+j.parts[0].Bytes {
				j.err = errors.New("a part is shorter than it was")
				break
			}
			j.close()
			j.parts, err = j.parts[1:], nil
		}
		if err != nil {
			j.err = err
			break
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, j.err
}

// sealedForm is the form in an upload that was encrypted on the phone. The
// boundary is what its first line says.
type sealedForm struct {
	plain *bufio.Reader
	parts *multipart.Reader
	right []field // count instead of those in the form
	key   string  // when the form brings none, so that filing twice makes one item
	keyed bool
	ended bool
}

var errSealedForm = fault.New(fault.Invalid, "sealed-form", "What was encrypted is not a form that can be read here, so nothing was filed. Open the page again and send it once more.")

// Next implements Form.
func (f *sealedForm) Next() (string, io.Reader, error) {
	if f.parts == nil {
		line, err := f.plain.Peek(80) // a boundary has at most 70 characters (RFC 2046, section 5.1.1)
		if err != nil && err != io.EOF {
			return "", nil, err
		}
		first, _, ended := strings.Cut(string(line), "\r\n")
		boundary, dashed := strings.CutPrefix(first, "--")
		if !ended || !dashed || boundary == "" || len(boundary) > 70 {
			return "", nil, errSealedForm
		}
		f.parts = multipart.NewReader(Bounded(f.plain), boundary)
	}
	if f.ended {
		return f.added()
	}
	p, err := f.parts.NextRawPart()
	for err == nil && slices.ContainsFunc(f.right, func(r field) bool { return r.name == p.FormName() }) {
		p, err = f.parts.NextRawPart()
	}
	if err == io.EOF {
		// Only the end of the stream proves that nothing was cut off.
		if _, err := io.Copy(io.Discard, f.plain); err != nil {
			return "", nil, err
		}
		f.ended = true
		return f.added()
	}
	if err != nil {
		return "", nil, err
	}
	f.keyed = f.keyed || p.FormName() == "idempotency_key"
	return p.FormName(), p, nil
}

// added gives what comes besides what is in the form.
func (f *sealedForm) added() (string, io.Reader, error) {
	if len(f.right) > 0 {
		r := f.right[0]
		f.right = f.right[1:]
		return r.name, strings.NewReader(r.text), nil
	}
	if f.keyed {
		return "", nil, io.EOF
	}
	f.keyed = true
	return "idempotency_key", strings.NewReader(f.key), nil
}

// field is one text field of a form.
type field struct{ name, text string }

// corrections reads the fields that count instead of those in the upload.
func (n *Intake) corrections(u meta.Upload) ([]field, error) {
	if len(u.Corrections) == 0 {
		return nil, nil
	}
	plain, err := n.Ring.OpenIntake(bytes.NewReader(u.Corrections))
	if err != nil {
		return nil, errNotSealed.With(err)
	}
	form := &sealedForm{plain: bufio.NewReader(plain), keyed: true}
	var out []field
	for {
		name, content, err := form.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, broken(err)
		}
		text, err := io.ReadAll(io.LimitReader(content, maxField+1))
		if err != nil {
			return nil, broken(err)
		}
		if name == "file" || name == "idempotency_key" || len(out) == maxFields {
			return nil, fault.New(fault.Invalid, "corrections-form", "What was put right may be any text of the form, and nothing else. Nothing was filed.")
		}
		out = append(out, field{name, string(text)})
	}
}

// Resume files uploads that are whole and that nobody files: those that a
// killed server left, and those that came while storage was down.
func (n *Intake) Resume(ctx context.Context) error {
	whole, err := n.Store.UploadsToFile(ctx)
	if err != nil {
		return fmt.Errorf("look for uploads to file: %w", err)
	}
	var errs []error
	for _, u := range whole {
		if ctx.Err() != nil {
			break
		}
		who, err := n.Store.PrincipalOf(ctx, u.Person)
		if err == nil {
			err = n.file(ctx, who, u)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("file upload %s: %w", u.ID, err))
		}
	}
	return errors.Join(errs...)
}

// Sweep ends uploads whose time is over, and removes parts that nothing names
// any more.
func (n *Intake) Sweep(ctx context.Context, now time.Time) error {
	expired, err := n.Store.ExpiredUploads(ctx)
	if err != nil {
		return fmt.Errorf("look for expired uploads: %w", err)
	}
	for _, u := range expired {
		if err := n.end(ctx, access.Principal{}, u, meta.UploadExpired, nil); err != nil && !errors.Is(err, meta.ErrNotFound) {
			return err
		}
	}
	left, err := n.Store.UploadsWithLeftParts(ctx)
	if err != nil {
		return fmt.Errorf("look for left parts: %w", err)
	}
	for _, u := range left {
		if err := n.clear(ctx, u.ID); err != nil {
			return fmt.Errorf("remove left parts: %w", err)
		}
	}
	if err := n.Store.ForgetUploads(ctx, keptFor); err != nil {
		return fmt.Errorf("forget old uploads: %w", err)
	}
	_, err = sweep(ctx, n.Objects, Parts, n.Store.PartKeyExists, now)
	return err
}
