package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/words"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// IntakeStore is what uploads that can be resumed need of the database.
type IntakeStore interface {
	AddUpload(ctx context.Context, u meta.Upload, liveFor time.Duration, limits meta.UploadLimits, ev audit.Event) error
	Upload(ctx context.Context, id string) (meta.Upload, error)
	UploadByEntry(ctx context.Context, who access.PersonID, entry string) (meta.Upload, error)
	AddPart(ctx context.Context, id string, p meta.UploadPart, liveFor time.Duration) error
	Parts(ctx context.Context, id string) ([]meta.UploadPart, error)
	PartKeyExists(ctx context.Context, key string) (bool, error)
	LeaseFiling(ctx context.Context, id string, leaseFor time.Duration) error
	HoldFiling(ctx context.Context, id string, a time.Duration) error
	EndUpload(ctx context.Context, u meta.Upload, ev audit.Event) error
	ForgetParts(ctx context.Context, id string) error
	ForgetUploads(ctx context.Context, after time.Duration) error
	ExpiredUploads(ctx context.Context) ([]meta.Upload, error)
	UploadsToFile(ctx context.Context) ([]meta.Upload, error)
	UploadsWithLeftParts(ctx context.Context) ([]meta.Upload, error)
	PrincipalOf(ctx context.Context, id access.PersonID) (access.Principal, error)
}

// Intake receives uploads that can be resumed. What arrives is one age file,
// encrypted on the phone to the intake identity, whose plaintext is a
// multipart/form-data body with the fields of any other upload; see
// docs/decisions/0014. It is kept in parts, as it arrived, in the object store,
// so that any server goes on where another stopped; when it is whole it is
// filed by the flow that files every upload. An upload is its person's alone.
// It is safe for concurrent use.
type Intake struct {
	Gate    GateStore
	Store   IntakeStore
	Objects blob.Store
	Ring    *keyring.Ring
	Spool   *spool.Spool
	Uploads *Uploads
	LiveFor time.Duration // an upload is kept this long after its last part
	Count   int           // how many one person may have open

	mu    sync.Mutex
	turns map[string]*turn
}

const (
	// partBytes is the most that is kept as one part: what is lost when a
	// server is killed, and what is held in memory of an upload.
	partBytes = 2 << 20
	// partFor is the longest that a part takes to arrive: on one bar of signal
	// parts are small, so that little is lost.
	partFor = 10 * time.Second
	// maxCrumbs bounds the parts of an upload that are smaller than that.
	maxCrumbs = 20_000
	// formBytes is what an upload may hold besides the file itself.
	formBytes = 1 << 20
	// keptFor is how long the outcome of an upload can be asked for.
	keptFor = 30 * 24 * time.Hour
)

// IntakeTerms are what a phone must know to encrypt and send.
type IntakeTerms struct {
	Recipient string // age, hybrid
	Key       string // identifies it
	MaxBytes  int64  // of one upload, as encrypted
	MaxFile   int64  // of the photo or video in it
	LiveFor   time.Duration
}

// UploadState is how far an upload is.
type UploadState struct {
	ID              string
	Bytes, Received int64
	State           string // "receiving", "filing", "filed", "refused", "removed" or "expired"
	ExpiresAt       time.Time
	Item            media.ItemID // of a filed one
	Repeated        bool
	Problem         *fault.Error // of a refused one
}

func (n *Intake) maxBytes() int64 { return seal.Size(n.Uploads.MaxBytes + formBytes) }

// Terms gives what to encrypt to, and the limits.
func (n *Intake) Terms(ctx context.Context, who access.Principal) (IntakeTerms, error) {
	if err := (gate{n.Gate}).role(ctx, who, access.UploadItem); err != nil {
		return IntakeTerms{}, err
	}
	recipient, key, err := n.Ring.Intake()
	return IntakeTerms{recipient, key, n.maxBytes(), n.Uploads.MaxBytes, n.LiveFor}, err
}

// Start begins an upload of so many bytes. entry is the phone's own name for
// it: starting it again, because the answer was lost, gives the same upload.
// corrections may be empty, or a form sealed like the upload itself, whose
// fields count instead of those in the upload: what was mistyped without a
// signal can be put right, though the phone cannot read it back.
func (n *Intake) Start(ctx context.Context, who access.Principal, entry string, size int64, corrections []byte) (UploadState, error) {
	if err := (gate{n.Gate}).role(ctx, who, access.UploadItem); err != nil {
		return UploadState{}, err
	}
	switch {
	case size > n.maxBytes():
		return UploadState{}, n.Uploads.refused(ctx, who, n.Uploads.TooLarge())
	case size < int64(keyring.IntakeHeadBytes):
		return UploadState{}, n.Uploads.refused(ctx, who, errNotSealed)
	case len(corrections) > 0 && n.Ring.SealedToIntake(corrections) != nil:
		return UploadState{}, n.Uploads.refused(ctx, who, errNotSealed)
	case len(entry) > 100:
		return UploadState{}, fault.New(fault.Invalid, "upload-entry-long", "The name of an upload has at most 100 characters.")
	}
	u := meta.Upload{ID: uuid.Must(uuid.NewV7()).String(), Person: who.Person.ID, Entry: entry, Corrections: corrections, Bytes: size}
	if entry == "" {
		u.Entry = u.ID
	}
	ev := audit.NewEvent(audit.UploadStarted, who, audit.Subject{}).With("upload", u.ID)
	err := n.Store.AddUpload(ctx, u, n.LiveFor, meta.UploadLimits{Count: n.Count, Bytes: 2 * n.maxBytes()}, ev)
	switch {
	case errors.Is(err, meta.ErrExists):
		known, err := n.Store.UploadByEntry(ctx, who.Person.ID, u.Entry)
		if err == nil && known.Bytes != size {
			err = fault.New(fault.Conflict, "upload-entry-reused", "Another upload was started under this name. Use a new name for a new picture.")
		}
		return stateOf(known), down(err)
	case errors.Is(err, meta.ErrSpent):
		return UploadState{}, fault.New(fault.TooMany, "uploads-open", "You have many uploads on their way already. Let some of them finish first; nothing is lost.").After(time.Minute)
	case err != nil:
		return UploadState{}, down(fmt.Errorf("start an upload: %w", err))
	}
	u, err = n.Store.Upload(ctx, u.ID)
	return stateOf(u), down(err)
}

var errNotSealed = fault.New(fault.Unsupported, "not-sealed", "This was not encrypted to this server before it was sent, so nothing of it was kept. Open the page again and send it once more.")

func stateOf(u meta.Upload) UploadState {
	s := UploadState{ID: u.ID, Bytes: u.Bytes, Received: u.Received, State: u.State, ExpiresAt: u.ExpiresAt, Item: u.Item, Repeated: u.Repeated}
	switch {
	case u.State == meta.UploadOpen && u.Received == u.Bytes:
		s.State = "filing"
	case u.State == meta.UploadOpen && !u.ExpiresAt.After(u.Now):
		s.State = meta.UploadExpired
	case u.State == meta.UploadOpen:
		s.State = "receiving"
	case u.State == meta.UploadRefused:
		s.Problem = readProblem(u.Problem)
	}
	return s
}

// own finds an upload of the person's. Another's looks as if it did not exist.
func (n *Intake) own(ctx context.Context, who access.Principal, id string) (meta.Upload, error) {
	if err := (gate{n.Gate}).role(ctx, who, access.UploadItem); err != nil {
		return meta.Upload{}, err
	}
	if !media.ValidID(id) {
		return meta.Upload{}, errNoUpload
	}
	u, err := n.Store.Upload(ctx, id)
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return u, errNoUpload
	case err != nil:
		return u, down(fmt.Errorf("find the upload: %w", err))
	case u.Person != who.Person.ID:
		ev := audit.NewEvent(audit.AccessDenied, who, audit.Subject{Person: string(u.Person)}).With("action", string(access.UploadItem))
		return meta.Upload{}, errors.Join(errNoUpload, (gate{n.Gate}).record(ctx, ev))
	}
	return u, nil
}

var errNoUpload = fault.New(fault.NotFound, "upload-unknown", "There is no such upload of yours. Send the picture again from where it is kept.")

// State says how far an upload is. If a sender that lost its signal still
// holds it on this server, that one is cut off first, and what it had sent
// counts.
func (n *Intake) State(ctx context.Context, who access.Principal, id string) (UploadState, error) {
	if _, err := n.own(ctx, who, id); err != nil {
		return UploadState{}, err
	}
	done, err := n.turn(ctx, id, func() {})
	if err != nil {
		return UploadState{}, err
	}
	defer done()
	u, err := n.own(ctx, who, id)
	return stateOf(u), err
}

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
	key, err := blob.ParseKey(fmt.Sprintf("intake/%s/%014d-%s", u.ID, u.Received, uuid.NewString()))
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

// refuse ends an upload before it is whole, and gives the reason.
func (n *Intake) refuse(ctx context.Context, who access.Principal, u meta.Upload, why *fault.Error) error {
	return errors.Join(n.Uploads.refused(ctx, who, why), n.end(ctx, who, u, meta.UploadRefused, why))
}

// Remove ends an upload that its person does not want filed, with its parts.
func (n *Intake) Remove(ctx context.Context, who access.Principal, id string) error {
	if _, err := n.own(ctx, who, id); err != nil {
		return err
	}
	done, err := n.turn(ctx, id, func() {})
	if err != nil {
		return err
	}
	defer done()
	u, err := n.own(ctx, who, id)
	if err != nil {
		return err
	}
	if u.State == meta.UploadRemoved {
		return nil
	}
	err = n.end(ctx, who, u, meta.UploadRemoved, nil)
	if errors.Is(err, meta.ErrNotFound) {
		return fault.New(fault.Conflict, "upload-ended", "This upload has ended or is being filed. Its outcome says how.")
	}
	return err
}

// end records how an upload ended and takes its parts away.
func (n *Intake) end(ctx context.Context, who access.Principal, u meta.Upload, state string, why *fault.Error) error {
	u.State = state
	if why != nil {
		u.Problem = writeProblem(why)
	}
	ev := audit.NewEvent(audit.UploadEnded, who, audit.Subject{Item: string(u.Item)}).With("upload", u.ID).With("how", state)
	if err := n.Store.EndUpload(ctx, u, ev); err != nil {
		if errors.Is(err, meta.ErrNotFound) {
			return err
		}
		return down(fmt.Errorf("end the upload: %w", err))
	}
	if err := n.clear(ctx, u.ID); err != nil {
		slog.WarnContext(ctx, "remove the parts of an upload", "upload", u.ID, "error", err) // the sweep does it
	}
	return nil
}

// clear removes the parts of an ended upload.
func (n *Intake) clear(ctx context.Context, id string) error {
	parts, err := n.Store.Parts(ctx, id)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := n.Objects.Delete(ctx, blob.Key(p.ObjectKey)); err != nil {
			return err
		}
	}
	return n.Store.ForgetParts(ctx, id)
}

func (n *Intake) delete(ctx context.Context, key blob.Key) {
	if err := n.Objects.Delete(ctx, key); err != nil {
		slog.WarnContext(ctx, "remove a part", "error", err) // the sweep does it
	}
}

// problem is how the reason of a refusal is kept. It is what the phone is
// told, which never says anything about a person.
type problem struct {
	Kind        fault.Kind
	Code, Field string
	Message     words.Text // in English
}

func writeProblem(e *fault.Error) string {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(problem{e.Kind, e.Code, e.Field, e.Message}); err != nil {
		panic(err) // strings and a number
	}
	return b.String()
}

func readProblem(text string) *fault.Error {
	var p problem
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fault.From(fmt.Errorf("read the reason of a refusal: %w", err))
	}
	return &fault.Error{Kind: p.Kind, Code: p.Code, Message: p.Message, Field: p.Field}
}
