package transfer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

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
	case !words.Legible(entry):
		return UploadState{}, ErrIllegible
	case utf8.RuneCountInString(entry) > 100:
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
