package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

const (
	// partBytes is the most that is kept as one part: what is lost when a
	// server is killed, and what is held in memory of an upload.
	partBytes = 2 << 20
	// partFor is the longest that a part takes to arrive: on one bar of signal
	// parts are small, so that little is lost.
	partFor = 10 * time.Second
	// maxCrumbs bounds the parts of an upload that are smaller than that.
	maxCrumbs = 20_000
)

// Append receives what body gives from the offset at. What has arrived when
// body fails is kept: the failure is not an error here, and the state says how
// far it came. cut ends body's reading early. When the upload is whole it is
// filed; a refusal is the upload's outcome and not an error either.
func (n *Intake) Append(ctx context.Context, who access.Principal, id string, at int64, body io.Reader, cut func()) (UploadState, error) {
	if _, err := n.own(ctx, who, id); err != nil {
		return UploadState{}, err
	}
	u, err := n.receive(ctx, who, id, at, body, cut)
	if err != nil {
		return stateOf(u), err
	}
	if u.State == meta.UploadOpen && u.Received == u.Bytes {
		if err := n.file(ctx, who, u); err != nil {
			return stateOf(u), err
		}
	}
	u, err = n.Store.Upload(context.WithoutCancel(ctx), id)
	return stateOf(u), down(err)
}

func (n *Intake) receive(ctx context.Context, who access.Principal, id string, at int64, body io.Reader, cut func()) (meta.Upload, error) {
	done, err := n.turn(ctx, id, cut)
	if err != nil {
		return meta.Upload{}, err
	}
	defer done()
	u, err := n.own(ctx, who, id)
	if err != nil {
		return u, err
	}
	if s := stateOf(u); s.State != "receiving" && s.State != "filing" {
		return u, fault.New(fault.Gone, "upload-ended", "This upload has ended. Its outcome says how.")
	}
	if at != u.Received {
		return u, errOffset
	}
	parts, err := n.Store.Parts(ctx, id)
	if err != nil {
		return u, down(fmt.Errorf("list the parts: %w", err))
	}
	if int64(len(parts)) > maxCrumbs+u.Bytes/partBytes {
		return u, n.refuse(ctx, who, u, fault.New(fault.Invalid, "upload-crumbs", "This upload came in too many small pieces. Send it again where the signal is better."))
	}
	// Who loses the signal must not lose what has arrived.
	ctx = context.WithoutCancel(ctx)
	arriving := &arriving{r: body, clock: n.Uploads.Clock}
	for u.Received < u.Bytes && arriving.err == nil {
		size, err := n.part(ctx, who, u, arriving)
		if err != nil {
			return u, err
		}
		if size == 0 {
			break
		}
		u.Received += size
	}
	return u, nil
}

var errOffset = fault.New(fault.Conflict, "upload-offset", "The upload is further, or less far, than this says. Ask where it is and go on from there.")

// arriving ends quietly where the signal is lost: what was read until then is
// as good as any.
type arriving struct {
	r     io.Reader
	err   error
	clock func() time.Time
	since time.Time // when the part in hand began
	got   bool      // something of it
}

// next begins a part.
func (a *arriving) next() { a.since, a.got = a.clock(), false }

func (a *arriving) Read(p []byte) (int, error) {
	if a.err != nil || a.got && a.clock().Sub(a.since) > partFor {
		return 0, io.EOF
	}
	n, err := a.r.Read(p)
	a.got = a.got || n > 0
	if err != nil {
		a.err, err = err, io.EOF
	}
	return n, err
}

// part makes the next part of what arrives, and gives its size.
func (n *Intake) part(ctx context.Context, who access.Principal, u meta.Upload, body *arriving) (int64, error) {
	want := min(partBytes, u.Bytes-u.Received)
	body.next()
	got, err := n.Spool.Fill(ctx, io.LimitReader(body, want), want)
	if err != nil {
		return 0, n.Uploads.unspooled(err)
	}
	defer closing(got)
	if u.Received == 0 {
		if enough, err := n.head(ctx, who, u, got, body); err != nil || !enough {
			return 0, err
		}
	}
	if got.Size() == 0 {
		return 0, nil
	}
	key, err := blob.ParseKey(fmt.Sprintf(Parts+"%s/%014d-%s", u.ID, u.Received, uuid.NewString()))
	if err != nil {
		return 0, err
	}
	if _, err := n.Objects.Create(ctx, key, io.NewSectionReader(got, 0, got.Size()), got.Size()); err != nil {
		return 0, down(fmt.Errorf("store a part: %w", err))
	}
	err = n.Store.AddPart(ctx, u.ID, meta.UploadPart{At: u.Received, Bytes: got.Size(), ObjectKey: string(key)}, n.LiveFor)
	if err == nil {
		return got.Size(), nil
	}
	if errors.Is(err, meta.ErrNotFound) { // another server was quicker, or it has ended
		n.delete(ctx, key)
		return 0, errOffset
	}
	return 0, down(fmt.Errorf("count a part: %w", err)) // if it was not counted after all, the sweep finds it
}

// head looks at the first bytes of an upload: what was not encrypted to the
// intake is refused before any of it is kept.
func (n *Intake) head(ctx context.Context, who access.Principal, u meta.Upload, got *spool.File, body *arriving) (bool, error) {
	head := make([]byte, keyring.IntakeHeadBytes)
	if got.Size() < int64(len(head)) {
		if errors.Is(body.err, io.EOF) && got.Size() > 0 {
			return false, fault.New(fault.Invalid, "upload-start-short", words.Say("The first part of an upload has at least {n} bytes.", len(head)))
		}
		return false, nil // the signal was lost at once
	}
	if _, err := got.ReadAt(head, 0); err != nil {
		return false, fmt.Errorf("read back the head of an upload: %w", err)
	}
	if err := n.Ring.SealedToIntake(head); err != nil {
		if !errors.Is(err, keyring.ErrWrongKey) {
			return false, err
		}
		return false, n.refuse(ctx, who, u, errNotSealed)
	}
	return true, nil
}
