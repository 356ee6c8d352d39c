package disposal

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/meta"
)

// The kinds of signed documents of a batch.
const (
	kindCertificate = "disposal certificate"
	kindStart       = "disposal start"
)

// Certificate says what was destroyed, under which rule, by whom and how. It
// names no patient, and holds nothing by which a picture could be seen.
type Certificate struct {
	V            int               `json:"v"` // 1
	Batch        retention.BatchID `json:"batch"`
	Final        bool              `json:"final"` // no backup can hold a key of it any more
	Organisation string            `json:"organisation"`
	Ground       retention.Ground  `json:"ground"`
	Schedule     *ScheduleNote     `json:"schedule,omitempty"` // when the ground is the end of a period
	Proposed     Signatory         `json:"proposed"`
	Approved     Signatory         `json:"approved"`
	UndoUntil    time.Time         `json:"undo_until"` // the end of the time in which it could have been undone
	StartedAt    time.Time         `json:"started_at"`
	FinishedAt   time.Time         `json:"finished_at"`
	HoldCheck    string            `json:"hold_check"`
	Method       []string          `json:"method"`
	Backups      Backups           `json:"backups"`
	Destroyed    []Line            `json:"destroyed"`
	Spared       []SparedLine      `json:"spared"`
}

// ScheduleNote says which edition of which schedule was applied.
type ScheduleNote struct {
	Jurisdiction retention.Jurisdiction `json:"jurisdiction"`
	Edition      string                 `json:"edition"`
	Version      int64                  `json:"version"` // here
	Source       string                 `json:"source"`
}

// Signatory is who decided, and when. By the system: Name says so, and Person
// is empty.
type Signatory struct {
	Person access.PersonID `json:"person,omitempty"`
	Name   string          `json:"name"`
	Role   access.Role     `json:"role,omitempty"`
	At     time.Time       `json:"at"`
}

// Backups says until when a copy of a key may be left.
type Backups struct {
	KeptFor   string    `json:"kept_for"`
	LastGone  time.Time `json:"last_gone"` // from then on no backup of the database holds a key of these
	OfObjects string    `json:"of_objects"`
}

// Line is one item that was destroyed.
type Line struct {
	Item         media.ItemID `json:"item"`
	Patient      string       `json:"patient"` // keyed hash of the patient's number: the records team can match a number against it
	Format       string       `json:"format"`
	Bytes        int64        `json:"bytes"`
	FiledAt      time.Time    `json:"filed_at"`
	Team         string       `json:"team"`
	Class        string       `json:"class"`
	Rule         string       `json:"rule"`    // where in the schedule's source
	Trigger      string       `json:"trigger"` // what ended the period
	DueOn        string       `json:"due_on"`  // could be reviewed from this day
	PlainSHA256  string       `json:"plain_sha256"`
	ObjectSHA256 string       `json:"object_sha256"`
	Renditions   int          `json:"renditions"` // each with a key and an object of its own
	KeysGoneAt   time.Time    `json:"keys_destroyed_at"`
	HandedOver   *HandedOver  `json:"handed_over,omitempty"` // where it is now, if anywhere
}

// HandedOver says to which organisation an item went, and what it said.
type HandedOver struct {
	Handover    retention.HandoverID `json:"handover"`
	To          string               `json:"to"`
	ConfirmedBy string               `json:"confirmed_by"` // there
	ConfirmedOn string               `json:"confirmed_on"`
	Reference   string               `json:"reference"`
}

// SparedLine is one item that was not destroyed.
type SparedLine struct {
	Item media.ItemID `json:"item"`
	Why  string       `json:"why"`
}

// method is what destruction does, in its order.
var method = []string{
	"The age identity of every rendition was destroyed: its row was deleted in one transaction that checked, under a lock, that no hold was on the item and that its time had come. From then on no one can decrypt any copy of its objects, wherever it is.",
	"Links to the item were revoked and grants ended in the same transaction. Previews, thumbnails, posters and playable forms are renditions like the original, each with a key of its own.",
	"Every version of every object was deleted from the object store, delete markers too.",
	"Notes, body site, receipt, manifest, annotations, search entries and, where nothing else is left of them, the case's title, the referral's thread, whom an invitation was for and the patient's details were removed.",
	"The database let go of the deleted rows (secure delete, checkpoint or vacuum).",
	"Servers keep no copy of a picture on disk; what they hold in memory is encrypted under the destroyed keys. Browsers are told to store nothing.",
}

func newSalt() string {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand never fails
	}
	return hex.EncodeToString(b)
}

// reference is how a certificate names a patient.
func reference(salt string, p media.PatientDetails) string {
	h := hmac.New(sha256.New, []byte(salt))
	h.Write([]byte(string(p.Kind) + ":" + p.Number))
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// facts are what a certificate will say of an item, while they are known.
func (d *Desk) facts(ctx context.Context, b retention.Batch, it media.Item, teams map[access.TeamID]string) ([]byte, error) {
	id := it.ID
	row, err := d.Store.Patient(ctx, it.Patient)
	if err != nil {
		return nil, err
	}
	p, err := (transfer.PatientFinder{Ring: d.Ring}).Open(row)
	if err != nil {
		return nil, err
	}
	f := transfer.FieldsOf(d.Ring, "batches", string(b.ID))
	salt := f.Open("salt", b.Salt)
	g := transfer.FieldsOf(d.Ring, "items", string(id))
	manifest := g.Open("manifest", it.Manifest)
	if f.Err() != nil || g.Err() != nil {
		return nil, fmt.Errorf("open what the certificate says: %w, %w", f.Err(), g.Err())
	}
	m, err := d.Ring.OwnManifest([]byte(manifest))
	if err != nil {
		return nil, err
	}
	renditions, err := d.Store.Renditions(ctx, id)
	if err != nil {
		return nil, err
	}
	line := Line{
		Item: id, Patient: reference(salt, p.PatientDetails), Format: it.Format.String(), Bytes: it.Bytes, FiledAt: it.FiledAt, Team: teams[it.Team],
		PlainSHA256: hex.EncodeToString(m.PlainSHA256[:]), ObjectSHA256: hex.EncodeToString(m.ObjectSHA256[:]), Renditions: len(renditions),
	}
	why, err := d.Records.Why(ctx, id, it.Patient)
	if err != nil {
		return nil, err
	}
	line.Class, line.Rule, line.Trigger = why.Due.Rule.Title, why.Due.Rule.Source, string(why.Due.Trigger)
	if !why.DueOn.IsZero() {
		line.DueOn = why.DueOn.Format(time.DateOnly)
	}
	if line.HandedOver, err = d.handedOver(ctx, id); err != nil {
		return nil, err
	}
	return json.Marshal(line)
}

// handedOver tells of the last handover of an item that was confirmed; nil when
// there is none.
func (d *Desk) handedOver(ctx context.Context, id media.ItemID) (*HandedOver, error) {
	h, err := d.Store.HandedOver(ctx, id)
	if errors.Is(err, meta.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, transfer.Down(err)
	}
	f := transfer.FieldsOf(d.Ring, "handovers", string(h.ID))
	to, text := f.Open("receiver", h.Receiver), f.Open("confirmation", h.Confirmation)
	if f.Err() != nil {
		return nil, f.Err()
	}
	var c retention.Confirmation
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("read the confirmation of a handover: %w", err)
	}
	return &HandedOver{h.ID, to, c.By, c.On, c.Reference}, nil
}

// certify writes and signs the certificate of a batch.
func (d *Desk) certify(ctx context.Context, b retention.Batch, finished time.Time) ([]byte, error) {
	c := Certificate{
		V: 1, Batch: b.ID, Organisation: d.Policy.Organisation, Ground: b.Ground, UndoUntil: b.RunAt, StartedAt: b.StartedAt, FinishedAt: finished,
		HoldCheck: "Every item was tested against every live hold three times: when proposed, when approved, and in the transaction that destroyed its keys.",
		Method:    method,
		Backups: Backups{
			KeptFor: days(d.Policy.Backups), LastGone: finished.Add(d.Policy.Backups),
			OfObjects: "Copies of objects in backups of the object store are ciphertext without a key.",
		},
		Destroyed: []Line{}, Spared: []SparedLine{},
	}
	var err error
	if c.Proposed, err = d.signatory(ctx, b.ProposedBy, b.ProposedAt); err != nil {
		return nil, err
	}
	at := b.DecidedAt
	if b.DecidedBy == "" {
		at = b.ProposedAt
	}
	if c.Approved, err = d.signatory(ctx, b.DecidedBy, at); err != nil {
		return nil, err
	}
	if b.Ground == retention.PeriodEnded {
		s, err := d.Store.Schedule(ctx)
		if err != nil {
			return nil, err
		}
		c.Schedule = &ScheduleNote{s.Schedule.Jurisdiction, s.Schedule.Edition, s.Version, s.Schedule.Source}
	}
	err = d.eachItem(ctx, b.ID, func(i retention.BatchItem) error {
		if i.State == retention.Spared {
			c.Spared = append(c.Spared, SparedLine{i.Item, i.Why})
			return nil
		}
		var line Line
		if err := json.Unmarshal(i.Facts, &line); err != nil {
			return fmt.Errorf("read what the certificate says of an item: %w", err)
		}
		line.KeysGoneAt = i.DestroyedAt
		c.Destroyed = append(c.Destroyed, line)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d.sign(c)
}

func (d *Desk) sign(c Certificate) ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return d.Ring.SignDocument(kindCertificate, text)
}

func days(t time.Duration) string {
	if t%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", t/(24*time.Hour))
	}
	return t.String()
}

func (d *Desk) signatory(ctx context.Context, id access.PersonID, at time.Time) (Signatory, error) {
	if id == "" {
		return Signatory{Name: "This system, under the organisation's policy of automatic disposal", At: at}, nil
	}
	p, err := d.Store.Person(ctx, id)
	return Signatory{id, p.Name, p.Role, at}, err
}

// VerifyCertificate checks a signed certificate against the public half of the
// key that must have signed it. It needs nothing but the two.
func VerifyCertificate(public ed25519.PublicKey, signed []byte) (Certificate, error) {
	text, err := keyring.VerifyDocument(public, kindCertificate, signed)
	if err != nil {
		return Certificate{}, err
	}
	return parseCertificate(text)
}

func parseCertificate(text []byte) (c Certificate, err error) {
	if err := json.Unmarshal(text, &c); err != nil || c.V != 1 {
		return c, fmt.Errorf("read the certificate: %w", keyring.ErrDocument)
	}
	return c, nil
}

// Certificate gives the signed certificate of a batch: the final one, once
// there is one.
func (d *Desk) Certificate(ctx context.Context, who access.Principal, id retention.BatchID) (Certificate, []byte, error) {
	if err := d.guard().Role(ctx, who, access.ReadRecords); err != nil {
		return Certificate{}, nil, err
	}
	b, err := d.batch(ctx, id)
	if err != nil {
		return Certificate{}, nil, err
	}
	signed := b.Certificate
	if len(b.Final) > 0 {
		signed = b.Final
	}
	if len(signed) == 0 {
		return Certificate{}, nil, fault.New(fault.Conflict, "not-certified", "This batch has not been destroyed, so it has no certificate yet.")
	}
	c, err := d.own(signed)
	if err != nil {
		return c, nil, err
	}
	return c, signed, d.guard().Record(ctx, audit.NewEvent(audit.RecordsRead, who, audit.Subject{Batch: string(id)}).With("what", "certificate"))
}

// own opens a certificate that was signed here.
func (d *Desk) own(signed []byte) (Certificate, error) {
	text, err := d.Ring.VerifyOwn(kindCertificate, signed)
	if err != nil {
		return Certificate{}, fmt.Errorf("the certificate of a batch does not verify: %w", err)
	}
	return parseCertificate(text)
}

// Match tells how many of the items that a certificate says are destroyed were
// of the patient with a number: the certificate itself names nobody.
func (d *Desk) Match(ctx context.Context, who access.Principal, id retention.BatchID, kind, number string) (int, error) {
	c, _, err := d.Certificate(ctx, who, id)
	if err != nil {
		return 0, err
	}
	digits, err := media.ParseNumber(media.NumberKind(kind), number)
	if err != nil {
		return 0, err
	}
	b, err := d.batch(ctx, id)
	if err != nil {
		return 0, err
	}
	f := transfer.FieldsOf(d.Ring, "batches", string(id))
	ref := reference(f.Open("salt", b.Salt), media.PatientDetails{Kind: media.NumberKind(kind), Number: digits})
	n := 0
	for _, l := range c.Destroyed {
		if hmac.Equal([]byte(l.Patient), []byte(ref)) {
			n++
		}
	}
	return n, f.Err()
}
