package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/imaging/sanitise"
	"github.com/wardseal/wardseal/imaging/sniff"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// UploadStore is what filing an item needs of the database, besides the gate.
type UploadStore interface {
	FileItem(ctx context.Context, f meta.Filing) (media.Item, error)
	FiledBefore(ctx context.Context, i meta.Idempotency) (media.ItemID, []byte, error)
	ItemByFingerprint(ctx context.Context, p media.PatientID, fingerprint []byte) (media.Item, error)
	Item(ctx context.Context, id media.ItemID) (media.Item, error)
	Case(ctx context.Context, id media.CaseID) (media.Case, error)
}

// Uploads files photos and videos. It is safe for concurrent use.
type Uploads struct {
	Gate      GateStore
	Store     UploadStore
	Patients  PatientFinder
	Objects   blob.Store
	Ring      *keyring.Ring
	Spool     *spool.Spool
	Clock     func() time.Time
	MaxBytes  int64  // of one file
	MaxPixels int64  // of one picture
	NoSound   bool   // policy: the sound of videos is always removed
	Filed     func() // called after a filing, to wake the job runner

	// Step, if set, hears of each step that is done in memory, by its name, so
	// that tests can end the server there.
	Step func(name string)
}

// step marks in the request's span that a step is done.
func (u *Uploads) step(ctx context.Context, name string) {
	trace.SpanFromContext(ctx).AddEvent(name)
	if u.Step != nil {
		u.Step(name)
	}
}

// Filed is the outcome of an upload.
type Filed struct {
	Item     media.Item
	Receipt  media.Receipt
	Repeated bool // nothing new was stored: the same file, or the same request, was filed before
}

// Upload receives one photo or video and files it. It returns only when both
// the encrypted object and the item's row are durable. A refused upload stores
// nothing, is recorded in the audit, and gives a *fault.Error.
//
// The object is stored before the row, so a crash between the two leaves an
// object without a row, which Sweep removes, and never a row without its
// object.
func (u *Uploads) Upload(ctx context.Context, who access.Principal, form Form) (Filed, error) {
	if err := (gate{u.Gate}).role(ctx, who, access.UploadItem); err != nil {
		return Filed{}, err
	}
	filed, err := u.upload(ctx, who, form)
	if err == nil {
		return filed, nil
	}
	if ours(err) { // whatever was made of it: it says nothing about the picture
		err = errSpool.With(err)
	}
	return Filed{}, u.refused(ctx, who, down(err))
}

// RefuseTooLarge refuses an upload that says beforehand that it is over the
// limit, before any of it is read.
func (u *Uploads) RefuseTooLarge(ctx context.Context, who access.Principal) error {
	if err := (gate{u.Gate}).role(ctx, who, access.UploadItem); err != nil {
		return err
	}
	return u.refused(ctx, who, u.TooLarge())
}

func (u *Uploads) refused(ctx context.Context, who access.Principal, err error) error {
	ev := audit.NewEvent(audit.ItemRefused, who, audit.Subject{}).With("reason", fault.From(err).Code)
	return errors.Join(err, (gate{u.Gate}).record(ctx, ev))
}

func (u *Uploads) upload(ctx context.Context, who access.Principal, form Form) (Filed, error) {
	d, file, err := u.receive(ctx, form)
	if err != nil {
		return Filed{}, err
	}
	defer closing(file)
	u.step(ctx, "spooled")
	patient, err := u.whom(ctx, who, d)
	if err != nil {
		return Filed{}, err
	}
	request := u.requestHash(d, file, patient)
	if filed, done, err := u.repeated(ctx, who, d, file, patient, request); done || err != nil {
		return filed, err
	}
	cleaned, err := u.clean(ctx, file, d.dropSound || u.NoSound)
	if err != nil {
		return Filed{}, err
	}
	filing, err := u.sealAndStore(ctx, who, d, file, patient, cleaned)
	if err != nil {
		return Filed{}, err
	}
	u.step(ctx, "stored")
	filing.Sole = !d.allowRepeat
	filing.Idempotency = meta.Idempotency{Person: who.Person.ID, Key: d.idempotencyKey, RequestHash: request}
	item, err := u.Store.FileItem(ctx, filing)
	if errors.Is(err, meta.ErrExists) { // its twin won a race; our object is swept as an orphan
		filed, done, err := u.repeated(ctx, who, d, file, patient, request)
		if err == nil && !done {
			err = errors.New("what was filed meanwhile is not to be found")
		}
		return filed, err
	}
	if errors.Is(err, meta.ErrNotFound) { // an upload that can be resumed is tried again by itself
		return Filed{}, fault.New(fault.Unavailable, "patient-changed", "This patient's record was merged with another just now, and nothing was filed. Send it again.").After(time.Second).With(err)
	}
	if err != nil {
		return Filed{}, fmt.Errorf("file the item: %w", err)
	}
	u.step(ctx, "committed")
	if u.Filed != nil {
		u.Filed()
	}
	receipt, err := openReceipt(u.Ring, item)
	return Filed{Item: item, Receipt: receipt}, err
}

func closing(f *spool.File) {
	if err := f.Close(); err != nil {
		slog.Error("close a spooled upload", "error", err)
	}
}

// whom decides access to the team and case, and finds the patient.
func (u *Uploads) whom(ctx context.Context, who access.Principal, d details) (media.PatientID, error) {
	if err := (gate{u.Gate}).team(ctx, who, access.UploadItem, d.team); err != nil {
		if fault.Is(err, fault.NotFound) {
			return "", fault.New(fault.Invalid, "team-unknown", "You are not in this team, or it does not exist. Choose one of your teams.").In("team")
		}
		return "", err
	}
	if d.capturedAt.After(u.Clock().Add(5 * time.Minute)) {
		return "", fault.New(fault.Invalid, "captured-at-future", "The time of the picture is in the future. Check it, or leave it out.").In("captured_at")
	}
	found, err := u.Patients.find(ctx, d.patientKind, d.patientNumber, d.dateOfBirth, d.sex)
	if err != nil {
		return "", err
	}
	if !d.capturedAt.IsZero() && beforeBirth(d.capturedAt, d.dateOfBirth) {
		return "", fault.New(fault.Invalid, "captured-at-before-birth", "The time of the picture is before the patient was born. Check it, or leave it out.").In("captured_at")
	}
	if d.caseID == "" {
		return found.ID, nil
	}
	c, err := u.Store.Case(ctx, d.caseID)
	switch {
	case errors.Is(err, meta.ErrNotFound) || err == nil && (c.Patient != found.ID || c.Team != d.team):
		return "", fault.New(fault.Invalid, "case-unknown", "This patient has no such case in this team. Choose one from the list or leave it out.").In("case")
	case err != nil:
		return "", fmt.Errorf("find the case: %w", err)
	}
	return found.ID, nil
}

// aDay is how far a clock may be from UTC, and more.
const aDay = 24 * time.Hour

func beforeBirth(t time.Time, born string) bool {
	day, err := time.Parse(time.DateOnly, born)
	return err == nil && t.Before(day.Add(-aDay))
}

// suggested is when a file says that it was captured, unless its clock was
// wrong: what nobody may say of a picture, its file may not either.
func (u *Uploads) suggested(at *time.Time, born string) time.Time {
	if at == nil || at.After(u.Clock().Add(aDay)) || beforeBirth(*at, born) {
		return time.Time{}
	}
	return *at
}

// requestHash tells whether two requests with one idempotency key are the same.
func (u *Uploads) requestHash(d details, file *spool.File, patient media.PatientID) []byte {
	sum := file.SHA256()
	what := []any{sum[:], patient, d.team, d.caseID, d.consent, d.bodySite, d.note, d.capturedAt, d.allowRepeat, d.dropSound}
	if d.capture != notStated { // what says nothing of these hashes as it did before they were asked for
		what = append(what, d.capture.with, d.capture.givenBy, d.capture.capacity, d.capture.detail)
	}
	b, err := json.Marshal(what)
	if err != nil {
		panic(err) // strings, bytes and times only
	}
	return u.Ring.Index("request", b)
}

// fingerprint finds the same file again, for the same patient in the same
// team: another team's copy is theirs.
func (u *Uploads) fingerprint(file *spool.File, patient media.PatientID, team access.TeamID) []byte {
	sum := file.SHA256()
	return fingerprint(u.Ring, sum[:], patient, team)
}

func fingerprint(ring *keyring.Ring, sum []byte, patient media.PatientID, team access.TeamID) []byte {
	return ring.Index("fingerprint", append([]byte(string(team)+"\x00"+string(patient)+"\x00"), sum...))
}

// FingerprintFor is the fingerprint that an item's file has for another
// patient; nil when the item is destroyed.
func FingerprintFor(ring *keyring.Ring, it media.Item, patient media.PatientID) ([]byte, error) {
	if !it.DestroyedAt.IsZero() {
		return nil, nil
	}
	receipt, err := openReceipt(ring, it)
	if err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(receipt.SHA256Before)
	if err != nil {
		return nil, fmt.Errorf("read the hash in a receipt: %w", err)
	}
	return fingerprint(ring, sum, patient, it.Team), nil
}

// repeated answers an upload that was filed before: the same request again, or
// the same file for the same patient.
func (u *Uploads) repeated(ctx context.Context, who access.Principal, d details, file *spool.File, patient media.PatientID, request []byte) (Filed, bool, error) {
	if d.idempotencyKey != "" {
		filed, err := u.replay(ctx, who, d, request)
		if !errors.Is(err, meta.ErrNotFound) {
			return filed, true, err
		}
	}
	if d.allowRepeat {
		return Filed{}, false, nil
	}
	item, err := u.Store.ItemByFingerprint(ctx, patient, u.fingerprint(file, patient, d.team))
	switch {
	case errors.Is(err, meta.ErrNotFound):
		return Filed{}, false, nil
	case err != nil:
		return Filed{}, true, fmt.Errorf("look for the same file: %w", err)
	}
	filed, err := u.again(ctx, who, item, "same-file")
	return filed, true, err
}

// replay answers a request whose idempotency key was used before, or gives an
// error that wraps meta.ErrNotFound.
func (u *Uploads) replay(ctx context.Context, who access.Principal, d details, request []byte) (Filed, error) {
	id, hash, err := u.Store.FiledBefore(ctx, meta.Idempotency{Person: who.Person.ID, Key: d.idempotencyKey})
	if err != nil {
		return Filed{}, fmt.Errorf("look for the same request: %w", err)
	}
	if string(hash) != string(request) {
		return Filed{}, fault.New(fault.Conflict, "idempotency-key-reused", "This idempotency key was used for another upload. Use a new key for a new picture.").In("idempotency_key")
	}
	item, err := u.Store.Item(ctx, id)
	if err != nil {
		return Filed{}, fmt.Errorf("find the item filed before: %v", err) // its absence is a defect, not "not found"
	}
	return u.again(ctx, who, item, "same-request")
}

func (u *Uploads) again(ctx context.Context, who access.Principal, item media.Item, why string) (Filed, error) {
	receipt, err := openReceipt(u.Ring, item)
	if err != nil {
		return Filed{}, err
	}
	ev := audit.NewEvent(audit.ItemRepeated, who, audit.Subject{Item: string(item.ID), Patient: string(item.Patient)}).With("reason", why)
	return Filed{Item: item, Receipt: receipt, Repeated: true}, (gate{u.Gate}).record(ctx, ev)
}

// clean sniffs, sanitises and verifies.
func (u *Uploads) clean(ctx context.Context, file *spool.File, dropSound bool) (sanitise.Result, error) {
	head := make([]byte, min(4096, file.Size()))
	if len(head) > 0 {
		if n, err := file.ReadAt(head, 0); n < len(head) {
			return sanitise.Result{}, fmt.Errorf("read back the upload: %w", err)
		}
	}
	format, err := sniff.Format(head)
	if err != nil {
		return sanitise.Result{}, err
	}
	u.step(ctx, "sniffed")
	step := func(name string) { u.step(ctx, name) }
	return sanitise.File(ctx, file, file.Size(), format, sanitise.Options{MaxPixels: u.MaxPixels, DropSound: dropSound, Step: step})
}

// sealAndStore encrypts the clean file into the object store and prepares the
// row that accounts for it.
func (u *Uploads) sealAndStore(ctx context.Context, who access.Principal, d details, file *spool.File, patient media.PatientID, c sanitise.Result) (meta.Filing, error) {
	id, format := media.NewItemID(), c.Clean.Format()
	stored, err := store(ctx, u.Objects, u.Ring, id, media.Original, c.Clean)
	if err != nil {
		return meta.Filing{}, err
	}
	stored.row.Width, stored.row.Height = c.Width, c.Height

	before := file.SHA256()
	c.Receipt.SHA256Before = hex.EncodeToString(before[:])
	c.Receipt.SHA256After = hex.EncodeToString(stored.sums.PlainSHA256[:])
	receipt, err := json.Marshal(c.Receipt)
	if err != nil {
		return meta.Filing{}, fmt.Errorf("write the receipt: %w", err)
	}
	captured := d.capturedAt
	if captured.IsZero() {
		captured = u.suggested(c.Receipt.CapturedAt, d.dateOfBirth)
	}
	sum := sha256.Sum256(receipt)
	manifest, err := u.Ring.SignManifest(keyring.Manifest{
		Item: id, Patient: patient, Team: d.team, Uploader: who.Person.ID, Format: format, Consent: d.consent, FiledAt: u.Clock().UTC(),
		ConsentGivenBy: d.capture.givenBy, ConsentCapacity: d.capture.capacity, CapturedWith: d.capture.with,
		PlainBytes: stored.sums.PlainBytes, ObjectBytes: stored.sums.ObjectBytes,
		PlainSHA256: stored.sums.PlainSHA256, ObjectSHA256: stored.sums.ObjectSHA256, ReceiptSHA256: sum,
	})
	if err != nil {
		return meta.Filing{}, fmt.Errorf("sign the manifest: %w", err)
	}
	signed := sha256.Sum256(manifest)
	f := fields{ring: u.Ring, table: "items", row: string(id)}
	filing := meta.Filing{
		Item: media.Item{
			ID: id, Patient: patient, Case: d.caseID, Team: d.team, Uploader: who.Person.ID, Format: format, Consent: d.consent,
			BodySite: f.seal("body_site", d.bodySite), Note: f.seal("note", d.note), CapturedAt: captured, Bytes: stored.sums.PlainBytes,
			Fingerprint: u.fingerprint(file, patient, d.team), Receipt: f.seal("receipt", string(receipt)), Manifest: f.seal("manifest", string(manifest)),
			CapturedWith: d.capture.with, ConsentGivenBy: d.capture.givenBy, ConsentCapacity: d.capture.capacity, ConsentDetail: f.seal("consent_detail", d.capture.detail),
		},
		Rendition: stored.row,
		Key:       stored.key,
		Job:       u.job(id, format),
		Event: audit.NewEvent(audit.ItemFiled, who, audit.Subject{Item: string(id), Patient: string(patient), Case: string(d.caseID), Team: string(d.team)}).
			With("format", format.String()).With("consent", string(d.consent)).With("manifest_sha256", hex.EncodeToString(signed[:])),
	}
	if site, ok := media.SiteOf(d.bodySite); ok {
		filing.Item.Site = SiteIndex(u.Ring, site)
	}
	return filing, f.err
}

func (u *Uploads) job(id media.ItemID, format media.Format) *meta.Job {
	kind := DeriveJob
	if format.Video() {
		kind = PosterJob
	}
	return &meta.Job{ID: uuid.Must(uuid.NewV7()).String(), Kind: kind, Item: id}
}
