package handover

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/internal/transfer"
	"github.com/wardseal/wardseal/storage/blob"
)

// kindStatement is the kind of the signed document of a package.
const kindStatement = "handover statement"

// Statement says what a package holds, for whom, and who decided on it. It is
// signed, and comes last in the package: one without it is not whole.
type Statement struct {
	V         int                  `json:"v"` // 1
	Handover  retention.HandoverID `json:"handover"`
	From      string               `json:"from"`
	To        string               `json:"to"`
	Recipient string               `json:"recipient"` // the age recipient that it is sealed to
	Proposed  Signatory            `json:"proposed"`
	Approved  Signatory            `json:"approved"`
	MadeAt    time.Time            `json:"made_at"`
	Items     []media.ItemID       `json:"items"`
	Files     []File               `json:"files"` // every other file of the package, in its order
}

// Signatory is who decided, and when.
type Signatory struct {
	Person access.PersonID `json:"person"`
	Name   string          `json:"name"`
	Role   access.Role     `json:"role"`
	At     time.Time       `json:"at"`
}

// File is one file of a package.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Package is an approved handover that is ready to be written out.
type Package struct {
	d         *Desk
	to        archive.Party
	patients  []media.PatientID // of the items, in their order
	statement Statement
	teams     map[access.TeamID]string
}

// Package records that who fetches the package of an approved handover, for
// every item in it, and gives it ready to be written. Who fetches it proves
// once more who they are.
func (d *Desk) Package(ctx context.Context, who access.Principal, id retention.HandoverID) (*Package, error) {
	if err := d.guard().Role(ctx, who, access.ProposeHandover); err != nil {
		return nil, err
	}
	h, err := d.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if h.State != retention.HandoverApproved {
		return nil, fault.New(fault.Conflict, "handover-not-approved", "There is a package only while a handover is approved and not confirmed.")
	}
	if err := d.StepUp(ctx, who); err != nil {
		return nil, err
	}
	p := &Package{d: d}
	if p.to, err = archive.ParseParty(h.Recipient); err != nil {
		return nil, fmt.Errorf("read the recipient of a handover: %w", err)
	}
	if err := p.prepare(ctx, h); err != nil {
		return nil, err
	}
	events := make([]audit.Event, 0, len(p.patients))
	for i, patient := range p.patients {
		events = append(events, audit.NewEvent(audit.ItemHandedOver, who, audit.Subject{Item: string(p.statement.Items[i]), Rendition: string(media.Original), Patient: string(patient), Handover: string(id)}))
	}
	return p, decided(d.Store.SendHandover(ctx, id, who.Person.ID, events))
}

func (p *Package) prepare(ctx context.Context, h retention.Handover) error {
	v, err := p.d.open(h)
	if err != nil {
		return err
	}
	p.statement = Statement{V: 1, Handover: h.ID, From: p.d.Organisation, To: v.Receiver, Recipient: h.Recipient, Files: []File{}}
	if p.statement.MadeAt, err = p.d.Store.Now(ctx); err != nil {
		return transfer.Down(err)
	}
	for _, by := range []struct {
		into *Signatory
		id   access.PersonID
		at   time.Time
	}{{&p.statement.Proposed, h.ProposedBy, h.ProposedAt}, {&p.statement.Approved, h.DecidedBy, h.DecidedAt}} {
		person, err := p.d.Store.Person(ctx, by.id)
		if err != nil {
			return transfer.Gone(err)
		}
		*by.into = Signatory{by.id, person.Name, person.Role, by.at}
	}
	teams, err := p.d.Store.Teams(ctx)
	if err != nil {
		return transfer.Down(err)
	}
	p.teams = map[access.TeamID]string{}
	for _, t := range teams {
		p.teams[t.ID] = t.Name
	}
	if p.statement.Items, err = p.d.Store.HandoverItems(ctx, h.ID); err != nil {
		return transfer.Down(err)
	}
	for _, id := range p.statement.Items {
		it, err := p.d.Store.Item(ctx, id)
		if err != nil {
			return transfer.Gone(err)
		}
		p.patients = append(p.patients, it.Patient)
	}
	return nil
}

const readme = `This package holds photos and videos that one organisation hands over to another.

items/ID/original.EXT   the picture or video
items/ID/metadata.json  what is recorded of it: patient, when, by whom, consent, notes,
                        what was drawn over it, questions about it and their answers
items/ID/receipt.json   what was removed from the file when it was filed
items/ID/manifest.json  the signed account of it
SHA256SUMS              the hash of every file above, for "sha256sum -c"
statement.json          the signed list of all of it, and who decided

Check and unpack it at once:
wardseal retention open PACKAGE --identity FILE --key HEX -o DIR
Ask the sender for HEX by another way than the package came.
`

// Write streams the package as a tar archive in an age file, in memory that does
// not grow with it. What fails leaves a file that has no statement and does not
// open to its end.
func (p *Package) Write(ctx context.Context, out io.Writer) error {
	sealed, err := p.to.Encrypt(out)
	if err != nil {
		return err
	}
	w := &packer{Writer: tar.NewWriter(sealed), at: p.statement.MadeAt}
	if err := w.file("README.txt", []byte(readme)); err != nil {
		return err
	}
	for i, id := range p.statement.Items {
		if err := ctx.Err(); err != nil {
			return err
		}
		it, err := p.d.Store.Item(ctx, id)
		if err == nil && it.Patient != p.patients[i] {
			err = errors.New("it was given to another patient meanwhile")
		}
		if err == nil {
			err = p.item(ctx, w, it)
		}
		if err != nil {
			return fmt.Errorf("pack an item: %w", err)
		}
	}
	var sums bytes.Buffer
	for _, f := range w.files {
		fmt.Fprintf(&sums, "%s  %s\n", f.SHA256, f.Path)
	}
	if err := w.file("SHA256SUMS", sums.Bytes()); err != nil {
		return err
	}
	p.statement.Files = w.files
	text, err := json.Marshal(p.statement)
	if err != nil {
		return err
	}
	signed, err := p.d.Ring.SignDocument(kindStatement, text)
	if err != nil {
		return err
	}
	if err := w.file("statement.json", signed); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return sealed.Close()
}

// item packs one item: the original first, since its hash is in the rest.
func (p *Package) item(ctx context.Context, w *packer, it media.Item) error {
	f := transfer.FieldsOf(p.d.Ring, "items", string(it.ID))
	manifest, receipt := f.Open("manifest", it.Manifest), f.Open("receipt", it.Receipt)
	if f.Err() != nil {
		return f.Err()
	}
	m, err := p.d.Ring.OwnManifest([]byte(manifest))
	if err != nil {
		return err
	}
	data, err := p.metadata(ctx, it, m)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return err
	}
	dir := "items/" + string(it.ID) + "/"
	if err := p.original(ctx, w, dir+data.File, it, m); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{"metadata.json", text}, {"receipt.json", []byte(receipt)}, {"manifest.json", []byte(manifest)}} {
		if err := w.file(dir+f.name, f.text); err != nil {
			return err
		}
	}
	return nil
}

// original decrypts the original into the package, chunk by chunk, each of
// which was authenticated; the whole must be what its manifest says.
func (p *Package) original(ctx context.Context, w *packer, name string, it media.Item, m keyring.Manifest) error {
	row, wrapped, err := p.d.Store.Rendition(ctx, it.ID, media.Original)
	if err != nil {
		return err
	}
	id, err := p.d.Ring.Unwrap(wrapped, row.Format)
	if err != nil {
		return err
	}
	key, err := blob.ParseKey(row.ObjectKey)
	if err != nil {
		return err
	}
	body, err := p.d.Objects.OpenAt(ctx, key, 0, -1)
	if err != nil {
		return err
	}
	defer body.Close()
	return w.stream(name, row.Bytes, hex.EncodeToString(m.PlainSHA256[:]), func(dst io.ReaderFrom) error {
		return seal.DecryptAll(dst, body, row.ObjectBytes, id)
	})
}

// packer writes files into an archive, and keeps what it wrote.
type packer struct {
	*tar.Writer
	at    time.Time
	files []File
}

func (w *packer) head(name string, size int64) error {
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.at.Truncate(time.Second), Format: tar.FormatPAX})
}

func (w *packer) file(name string, text []byte) error {
	if len(text) > maxText {
		return errors.New("what is recorded of it is too long for a package")
	}
	if err := w.head(name, int64(len(text))); err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	w.files = append(w.files, File{name, int64(len(text)), hex.EncodeToString(sum[:])})
	_, err := w.Writer.Write(text)
	return err
}

func (w *packer) stream(name string, size int64, want string, from func(dst io.ReaderFrom) error) error {
	if err := w.head(name, size); err != nil {
		return err
	}
	into := &sink{w: w.Writer, hash: sha256.New()}
	if err := from(into); err != nil {
		return err
	}
	if got := hex.EncodeToString(into.hash.Sum(nil)); got != want {
		return errors.New("the object is not what its manifest says")
	}
	w.files = append(w.files, File{name, size, want})
	return nil
}

// sink passes on and hashes what it reads.
type sink struct {
	w    io.Writer
	hash hash.Hash
}

// ReadFrom implements io.ReaderFrom.
func (s *sink) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(io.MultiWriter(s.w, s.hash), r)
}
