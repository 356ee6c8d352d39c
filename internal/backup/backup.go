// Package backup copies a deployment to a place of its own, and back. A backup
// is one moment of the database, in sealed parts, with every object that it
// names, as the ciphertext that it is already. What is in the place already is
// not copied again: objects never change, and unchanged parts of the database
// have the same names.
//
// It promises that nothing readable leaves memory; that a backup is there whole
// or not at all, whenever its making is cut short; that what is restored is
// what was backed up, bit for bit, or is refused.
package backup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Where things are in a place for backups.
const (
	top       = "wardseal-backup-1/"
	manifests = top + "backups/"
	parts     = top + "parts/"
	objects   = top + "objects/" // followed by the object's own key
	owner     = blob.Key(top + "deployment")
)

// kind is that of the signed document that a manifest is.
const kind = "backup"

// Part is a sealed piece of a backup.
type Part struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of its plaintext
	Rows   int64  `json:"rows"`
}

// TablePart is a table with its parts, in the order of the table's key.
type TablePart struct {
	meta.Table
	Rows  int64  `json:"rows"`
	Parts []Part `json:"parts"`
}

// Manifest is the account of one backup.
type Manifest struct {
	V          int         `json:"v"`
	ID         string      `json:"id"`
	TakenAt    time.Time   `json:"taken_at"` // by the database's clock
	Program    string      `json:"program"`
	Database   string      `json:"database"`
	Schema     int64       `json:"schema"`
	Recipients string      `json:"recipients"` // whom its parts are sealed to, one a line
	Escrow     string      `json:"escrow"`     // the deployment's escrow recipients, one a line
	Events     int64       `json:"events"`     // recorded by then
	Tables     []TablePart `json:"tables"`
	Documents  []Part      `json:"documents"` // the accounts of disposals
	Dropped    []Part      `json:"dropped"`   // objects in the place that this backup does not name
	Objects    int64       `json:"objects"`
	Bytes      int64       `json:"bytes"` // of the objects
}

// newID makes the name of a backup: its time first, so that names sort, to the
// millisecond, so that the second of two in one second is the later.
func newID(t time.Time) string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return t.UTC().Format("20060102t150405.000z") + "-" + hex.EncodeToString(b)
}

// timeOf is when a backup was made, by its name.
func timeOf(id string) (time.Time, bool) {
	at, _, _ := strings.Cut(id, "-")
	t, err := time.Parse("20060102t150405z", at) // takes a fraction as well
	return t, err == nil
}

func manifestKey(id string) blob.Key { return blob.Key(manifests + id + ".age") }

func partKey(name string) (blob.Key, error) {
	if len(name) < 3 {
		return "", blob.ErrKey
	}
	return blob.ParseKey(parts + name[:2] + "/" + name + ".age")
}

// List gives the names of the backups in a place, oldest first.
func List(ctx context.Context, place blob.Reader) ([]string, error) {
	var out []string
	err := place.List(ctx, manifests, func(i blob.Info) error {
		id, ok := strings.CutSuffix(strings.TrimPrefix(string(i.Key), manifests), ".age")
		if _, dated := timeOf(id); ok && dated {
			out = append(out, id)
		}
		return nil
	})
	return out, err
}

// Damage is what is wrong with a backup: what it was, and how.
type Damage struct {
	What string
	Err  error
}

func (d *Damage) Error() string { return d.What + ": " + d.Err.Error() }
func (d *Damage) Unwrap() error { return d.Err }

// readAll reads an object of the place that is not large.
func readAll(ctx context.Context, place blob.Reader, key blob.Key) ([]byte, error) {
	r, err := place.OpenAt(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, 2*archive.MaxPart))
	if err == nil && len(b) == 2*archive.MaxPart {
		err = errors.New("it is too long")
	}
	return b, err
}

// openPart reads a part, and refuses it when it is not the one that the
// manifest names.
func openPart(ctx context.Context, place blob.Reader, ids archive.Identities, p Part) ([]byte, error) {
	damaged := func(err error) error { return &Damage{"part " + p.Name, err} }
	key, err := partKey(p.Name)
	if err != nil {
		return nil, damaged(err)
	}
	sealed, err := readAll(ctx, place, key)
	if err != nil {
		return nil, damaged(err)
	}
	plain, err := ids.Open(sealed)
	if err != nil {
		return nil, damaged(err)
	}
	if sum := sha256.Sum256(plain); hex.EncodeToString(sum[:]) != p.SHA256 {
		return nil, damaged(archive.ErrRefused)
	}
	return plain, nil
}

// openManifest reads a manifest and gives what it says with its signed form,
// which only the keys inside the backup can check.
func openManifest(ctx context.Context, place blob.Reader, ids archive.Identities, id string) (m Manifest, signed []byte, err error) {
	damaged := func(err error) error { return &Damage{"manifest " + id, err} }
	sealed, err := readAll(ctx, place, manifestKey(id))
	if err != nil {
		return m, nil, damaged(err)
	}
	if signed, err = ids.Open(sealed); err != nil {
		return m, nil, damaged(err)
	}
	var d struct {
		Document json.RawMessage `json:"document"`
	}
	if err := json.Unmarshal(signed, &d); err != nil {
		return m, nil, damaged(err)
	}
	if err := json.Unmarshal(d.Document, &m); err != nil {
		return m, nil, damaged(err)
	}
	if m.ID != id || m.V != 1 {
		return m, nil, damaged(errors.New("it is of another backup, or of a version that is not known"))
	}
	return m, signed, nil
}

// mine is what tells this deployment's backups from others'.
func mine(ring *keyring.Ring) string {
	return hex.EncodeToString(ring.Index("backups of this deployment", nil)) + "\n"
}

// claim makes a place this deployment's, or refuses one that is another's.
func claim(ctx context.Context, place blob.Store, ring *keyring.Ring) error {
	text := mine(ring)
	_, err := place.Create(ctx, owner, strings.NewReader(text), int64(len(text)))
	if err == nil || !errors.Is(err, blob.ErrExists) {
		return err
	}
	got, err := readAll(ctx, place, owner)
	if err != nil {
		return err
	}
	if string(got) != text {
		return errors.New("this place holds the backups of another deployment: give each a place of its own")
	}
	return nil
}
