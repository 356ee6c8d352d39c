package backup

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Destination is what restoring needs of a database.
type Destination interface {
	Empty(ctx context.Context) error
	MigrateTo(ctx context.Context, version int64) error
	SchemaVersion(ctx context.Context) (int64, error)
	Migrate(ctx context.Context) error
	Import(ctx context.Context, do func(*meta.Import) error) error
}

// Restorer restores a backup into an empty deployment.
type Restorer struct {
	Store    Destination // without a schema, or with an empty one
	Objects  blob.Store
	Place    blob.Reader
	IDs      archive.Identities
	Roots    keyring.Roots     // the same identities, for the keys inside
	Key      ed25519.PublicKey // of the deployment's manifests; nil: the one inside is believed
	InPlace  bool              // the object store is the old one: what is there stays, and what lacks is copied
	Salvage  bool              // go on past objects that are damaged or missing
	Workers  int
	Progress func(done, total int64)

	manifest Manifest
	accounts []Part // of disposals: of this backup, and of the latest there is
	ring     *keyring.Ring
	out      Restored
}

// Restored is what a restore did.
type Restored struct {
	Manifest Manifest
	Rows     int64
	Copied   int64 // objects
	Kept     int64 // objects that were there already, and are right
	Newer    int64 // objects that the store has and the backup does not name
	Lost     []string
}

// ErrNotEmpty means that there is something where the backup should go.
var ErrNotEmpty = errors.New("this is not an empty deployment")

// Check reads a backup's manifest and all of its parts, and refuses it unless
// each is what was signed. An empty id is the latest. It changes nothing.
func (r *Restorer) Check(ctx context.Context, id string) (Manifest, error) {
	ids, err := List(ctx, r.Place)
	if err != nil {
		return Manifest{}, fmt.Errorf("look for backups: %w", err)
	}
	if len(ids) == 0 {
		return Manifest{}, errors.New("there is no backup in this place")
	}
	latest := ids[len(ids)-1]
	if id == "" {
		id = latest
	}
	m, signed, err := openManifest(ctx, r.Place, r.IDs, id)
	if err != nil {
		return m, err
	}
	if err := r.authenticate(ctx, m, signed); err != nil {
		return m, err
	}
	for _, t := range m.Tables {
		n := int64(0)
		err := r.rows(ctx, t, func([]any) error { n++; return nil })
		if err == nil && n != t.Rows {
			err = &Damage{"table " + t.Name, fmt.Errorf("%d rows where there must be %d", n, t.Rows)}
		}
		if err != nil {
			return m, err
		}
	}
	if r.accounts = m.Documents; id != latest { // what was destroyed since must not come back
		newest, signed, err := openManifest(ctx, r.Place, r.IDs, latest)
		if err == nil {
			_, err = r.ring.VerifyOwn(kind, signed)
		}
		if err != nil {
			return m, fmt.Errorf("read what was destroyed since: %w", err)
		}
		r.accounts = slices.Concat(m.Documents, newest.Documents)
	}
	for _, p := range slices.Concat(r.accounts, m.Dropped) {
		if _, err := openPart(ctx, r.Place, r.IDs, p); err != nil {
			return m, err
		}
	}
	r.manifest = m
	return m, nil
}

// authenticate opens the keys inside the backup, and checks the signature of
// the manifest with them and with the key that was written down, if one was.
func (r *Restorer) authenticate(ctx context.Context, m Manifest, signed []byte) error {
	i := slices.IndexFunc(m.Tables, func(t TablePart) bool { return t.Name == "sealed_keys" })
	if i < 0 {
		return &Damage{"manifest " + m.ID, errors.New("it has no keys")}
	}
	var sealed []media.SealedKey
	at := map[string]int{}
	for i, c := range m.Tables[i].Columns {
		at[c.Name] = i
	}
	err := r.rows(ctx, m.Tables[i], func(row []any) error {
		var k media.SealedKey
		for name, into := range map[string]*string{"id": &k.ID, "purpose": &k.Purpose, "period": &k.Period} {
			*into, _ = row[at[name]].(string)
		}
		for name, into := range map[string]*[]byte{"sealed": &k.Sealed, "public": &k.Public} {
			*into, _ = row[at[name]].([]byte)
		}
		sealed = append(sealed, k)
		return nil
	})
	if err != nil {
		return err
	}
	if r.ring, err = keyring.Open(r.Roots, sealed, time.Now); err != nil {
		return fmt.Errorf("open the keys inside the backup: %w", err)
	}
	if r.Key != nil {
		if _, err := keyring.VerifyDocument(r.Key, kind, signed); err != nil {
			return &Damage{"manifest " + m.ID, errors.New("it was not signed by the key that you gave")}
		}
	}
	if _, err := r.ring.VerifyOwn(kind, signed); err != nil {
		return &Damage{"manifest " + m.ID, err}
	}
	return nil
}

func (r *Restorer) rows(ctx context.Context, t TablePart, each func([]any) error) error {
	for _, p := range t.Parts {
		plain, err := openPart(ctx, r.Place, r.IDs, p)
		if err != nil {
			return err
		}
		n := int64(0)
		if err := eachRow(plain, t.Table, func(row []any) error { n++; return each(row) }); err != nil {
			return err
		}
		if n != p.Rows {
			return &Damage{"part " + p.Name, fmt.Errorf("%d rows where there must be %d", n, p.Rows)}
		}
	}
	return nil
}

// Restore restores a backup that Check has passed: the whole database in one
// transaction, which is committed only once every object is there and has been
// read. Cut short, it leaves an empty database, and objects that the next run
// finds.
func (r *Restorer) Restore(ctx context.Context) (Restored, error) {
	m := r.manifest
	r.out = Restored{Manifest: m}
	if m.ID == "" {
		return r.out, errors.New("the backup has not been checked")
	}
	if err := r.empty(ctx); err != nil {
		return r.out, err
	}
	if err := r.Store.MigrateTo(ctx, m.Schema); err != nil {
		return r.out, fmt.Errorf("make the tables: %w", err)
	}
	if v, err := r.Store.SchemaVersion(ctx); err != nil || v != m.Schema {
		return r.out, errors.Join(err, fmt.Errorf("the backup is of schema %d, and here is %d: use a program that is not older, and a database with nothing in it", m.Schema, v))
	}
	err := r.Store.Import(ctx, func(to *meta.Import) error {
		if err := r.fill(ctx, to); err != nil {
			return err
		}
		if err := r.documents(ctx); err != nil {
			return fmt.Errorf("restore the accounts of disposals: %w", err)
		}
		if err := r.objects(ctx, to); err != nil {
			return err
		}
		ev := audit.NewEvent(audit.Restored, access.Principal{}, audit.Subject{}).With("backup", m.ID).With("taken", m.TakenAt.UTC().Format(time.RFC3339)).
			With("events", strconv.FormatInt(m.Events, 10)).With("lost", strconv.Itoa(len(r.out.Lost)))
		return to.Close(ev)
	})
	if err != nil {
		return r.out, err
	}
	return r.out, r.Store.Migrate(ctx)
}

// empty refuses a deployment that has anything. Objects that the backup names
// too are what an interrupted restore left.
func (r *Restorer) empty(ctx context.Context) error {
	if v, err := r.Store.SchemaVersion(ctx); err != nil {
		return fmt.Errorf("look at the database: %w", err)
	} else if v > 0 {
		if err := r.Store.Empty(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrNotEmpty, err)
		}
	}
	if r.InPlace {
		return nil
	}
	found := errors.New("found")
	var first blob.Key
	err := r.Objects.List(ctx, "", func(i blob.Info) error {
		if first == "" {
			first = i.Key
		}
		return found
	})
	if err != nil && !errors.Is(err, found) {
		return fmt.Errorf("look at the object store: %w", err)
	}
	if first == "" {
		return nil
	}
	if _, err := r.Place.Stat(ctx, blob.Key(objects+string(first))); err == nil {
		return nil
	}
	for _, p := range r.accounts {
		plain, err := openPart(ctx, r.Place, r.IDs, p)
		if err != nil {
			return err
		}
		if bytes.Contains(plain, []byte(strconv.Quote(string(first)))) {
			return nil
		}
	}
	return fmt.Errorf("%w: the object store has %s, which the backup does not name. If it is the old store, say --objects-in-place", ErrNotEmpty, first)
}

// fill adds the rows of every table.
func (r *Restorer) fill(ctx context.Context, to *meta.Import) error {
	here, err := to.Tables()
	if err != nil {
		return err
	}
	if len(here) != len(r.manifest.Tables) {
		return fmt.Errorf("the backup has %d tables, and there are %d", len(r.manifest.Tables), len(here))
	}
	for _, t := range here { // in the order of what refers to what
		i := slices.IndexFunc(r.manifest.Tables, func(p TablePart) bool { return p.Name == t.Name })
		if i < 0 || !alike(t.Columns, r.manifest.Tables[i].Columns) {
			return fmt.Errorf("table %s has other columns in the backup", t.Name)
		}
		from := r.manifest.Tables[i]
		t.Columns = from.Columns
		var batch [][]any
		err := r.rows(ctx, from, func(row []any) error {
			r.out.Rows++
			if batch = append(batch, row); len(batch) < 250 {
				return nil
			}
			err := to.Insert(t, batch)
			batch = batch[:0]
			return err
		})
		if err == nil {
			err = to.Insert(t, batch)
		}
		if err == nil {
			err = to.Done(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func alike(a, b []meta.Column) bool {
	sorted := func(cs []meta.Column) []meta.Column {
		cs = slices.Clone(cs)
		sort.Slice(cs, func(i, j int) bool { return cs[i].Name < cs[j].Name })
		return cs
	}
	return slices.Equal(sorted(a), sorted(b))
}

// documents puts the accounts of disposals back.
func (r *Restorer) documents(ctx context.Context) error {
	for _, p := range r.accounts {
		plain, err := openPart(ctx, r.Place, r.IDs, p)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(plain) {
			var d document
			if err := json.Unmarshal(line, &d); err != nil {
				return &Damage{"part " + p.Name, err}
			}
			key, err := blob.ParseKey(d.Key)
			if err != nil {
				return &Damage{"part " + p.Name, err}
			}
			if _, err := r.Objects.Create(ctx, key, bytes.NewReader(d.Body), int64(len(d.Body))); err != nil && !errors.Is(err, blob.ErrExists) {
				return err
			}
		}
	}
	return nil
}
