package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wardseal/wardseal/crypto/archive"
	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/spool"
	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/internal/disposal"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/meta"
)

// Source is what making a backup needs of the database.
type Source interface {
	Snapshot(ctx context.Context, do func(*meta.Snapshot) error) error
	ObjectNeeded(ctx context.Context, key string) (bool, error)
	AppendEvent(ctx context.Context, ev audit.Event) error
}

// Maker makes backups of one deployment in one place. It serves one goroutine.
type Maker struct {
	Store    Source
	Objects  blob.Reader
	Place    blob.Store
	Ring     *keyring.Ring
	To       archive.Recipients // whom parts are sealed to
	Escrow   archive.Recipients // of the deployment, for the one that is restored
	Own      archive.Identities // to read what earlier runs wrote
	Spool    *spool.Spool
	Program  string
	Database string
	Keep     time.Duration // backups older than this are removed; 0 keeps all
	Workers  int           // objects copied at once; 4 when zero
	Progress func(copied, known int64)
	Settled  time.Duration // how old a thing in the place must be before it is taken for one that no other run is just making; an hour when zero

	have map[string]bool // parts that are in the place
	made Made
}

// Made is what a run did.
type Made struct {
	Manifest   Manifest
	NewParts   int64
	PartBytes  int64 // written, of parts
	NewObjects int64
	NewBytes   int64 // written, of objects
	Damaged    []string
	MoreDamage int64 // over those named in Damaged
	Pruned     []string
	Locked     int64 // what should have been removed, and is locked
}

// Make makes a backup. One that is cut short leaves nothing but copies that the
// next finds and need not make again.
func (m *Maker) Make(ctx context.Context) (Made, error) {
	m.made, m.have = Made{}, map[string]bool{}
	began := time.Now()
	if m.Settled == 0 {
		m.Settled = time.Hour
	}
	if err := claim(ctx, m.Place, m.Ring); err != nil {
		return m.made, fmt.Errorf("claim the place: %w", err)
	}
	if err := m.parts(ctx, func(name string, _ blob.Info) error { m.have[name] = true; return nil }); err != nil {
		return m.made, err
	}
	man := &m.made.Manifest
	*man = Manifest{V: 1, Program: m.Program, Database: m.Database, Recipients: m.To.Lines(), Escrow: m.Escrow.Lines()}
	named, err := m.database(ctx)
	if err != nil {
		return m.made, fmt.Errorf("copy the database: %w", err)
	}
	defer named.Close()
	if man.Documents, err = m.documents(ctx); err != nil {
		return m.made, fmt.Errorf("copy the accounts of disposals: %w", err)
	}
	if err := m.objects(ctx, named, began); err != nil {
		return m.made, fmt.Errorf("copy the objects: %w", err)
	}
	if err := m.publish(ctx); err != nil {
		return m.made, fmt.Errorf("finish the backup: %w", err)
	}
	ev := audit.NewEvent(audit.BackupMade, access.Principal{}, audit.Subject{}).With("backup", man.ID).With("objects", strconv.FormatInt(man.Objects, 10)).
		With("copied", strconv.FormatInt(m.made.NewObjects, 10)).With("damaged", strconv.FormatInt(int64(len(m.made.Damaged))+m.made.MoreDamage, 10))
	if err := m.Store.AppendEvent(ctx, ev); err != nil {
		return m.made, fmt.Errorf("the backup is there; record it: %w", err)
	}
	if err := m.prune(ctx, began); err != nil {
		return m.made, fmt.Errorf("the backup is there; remove old ones: %w", err)
	}
	return m.made, nil
}

// parts lists the parts that are in the place.
func (m *Maker) parts(ctx context.Context, each func(name string, i blob.Info) error) error {
	return m.Place.List(ctx, parts, func(i blob.Info) error {
		_, name, _ := strings.Cut(strings.TrimPrefix(string(i.Key), parts), "/")
		if name, ok := strings.CutSuffix(name, ".age"); ok {
			return each(name, i)
		}
		return nil
	})
}

// put seals a part and writes it, unless it is there already.
func (m *Maker) put(ctx context.Context, plain []byte, rows int64) (Part, error) {
	sum := sha256.Sum256(plain)
	// A keyed hash, so that the name tells nobody what is inside; of whom it is
	// sealed to as well, so that a new recipient gets parts of their own.
	p := Part{Name: hex.EncodeToString(m.Ring.Index("backup part "+m.To.Name(), plain)), SHA256: hex.EncodeToString(sum[:]), Rows: rows}
	if m.have[p.Name] {
		return p, nil
	}
	sealed, err := m.To.Seal(plain)
	if err != nil {
		return p, err
	}
	key, err := partKey(p.Name)
	if err != nil {
		return p, err
	}
	if _, err := m.Place.Create(ctx, key, bytes.NewReader(sealed), int64(len(sealed))); err != nil && !errors.Is(err, blob.ErrExists) {
		return p, err
	}
	m.have[p.Name] = true
	m.made.NewParts++
	m.made.PartBytes += int64(len(sealed))
	return p, nil
}

// database copies the tables as they are at one moment, and gives the objects
// that they name then.
func (m *Maker) database(ctx context.Context) (*spool.File, error) {
	var named *spool.File
	err := m.Store.Snapshot(ctx, func(n *meta.Snapshot) error {
		man := &m.made.Manifest
		var err error
		if man.Schema, err = n.Schema(); err != nil {
			return err
		}
		if man.TakenAt, err = n.Now(); err != nil {
			return err
		}
		man.ID = newID(man.TakenAt)
		tables, err := n.Tables()
		if err != nil {
			return err
		}
		for _, t := range tables {
			tp, err := m.table(ctx, n, t)
			if err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
			man.Tables = append(man.Tables, tp)
			if t.Name == "audit_events" {
				man.Events = tp.Rows
			}
		}
		named, err = m.list(ctx, n.Objects)
		return err
	})
	return named, err
}

func (m *Maker) table(ctx context.Context, n *meta.Snapshot, t meta.Table) (TablePart, error) {
	out := TablePart{Table: t}
	keyed := map[string]bool{}
	for _, k := range t.Key {
		keyed[k] = true
	}
	var b, key []byte
	rows := int64(0)
	flush := func() error {
		if rows == 0 {
			return nil
		}
		p, err := m.put(ctx, b, rows)
		out.Parts = append(out.Parts, p)
		b, rows = b[:0], 0
		return err
	}
	err := n.Rows(t, func(row []any) error {
		var err error
		if b, err = appendRow(b, t, row); err != nil {
			return err
		}
		key = key[:0]
		for i, c := range t.Columns {
			if keyed[c.Name] {
				key = fmt.Appendf(key, "%v\x00", row[i])
			}
		}
		out.Rows++
		rows++
		if rows >= leastRows && cuts(key) || len(b) >= partBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	return out, flush()
}

// list keeps a list of objects in the spool, where it is encrypted under a key
// that nobody has once this process ends.
func (m *Maker) list(ctx context.Context, from func(each func(key string, bytes int64) error) error) (*spool.File, error) {
	r, w := io.Pipe()
	go func() {
		out := bufio.NewWriterSize(w, 64<<10)
		err := from(func(key string, bytes int64) error {
			_, err := fmt.Fprintf(out, "%s %d\n", key, bytes)
			return err
		})
		if err == nil {
			err = out.Flush()
		}
		w.CloseWithError(err)
	}()
	f, err := m.Spool.Fill(ctx, r, 1<<40)
	_ = r.CloseWithError(io.ErrClosedPipe)
	return f, err
}

// documents copies the signed accounts of disposals, without which a restored
// database would bring back what was destroyed.
func (m *Maker) documents(ctx context.Context) ([]Part, error) {
	w := &lineParts{m: m, ctx: ctx}
	err := m.eachDocument(ctx, func(key string, body []byte) error {
		line, err := json.Marshal(document{key, body})
		if err != nil {
			return err
		}
		return w.add(line)
	})
	if err != nil {
		return nil, err
	}
	return w.done()
}

type document struct {
	Key  string `json:"key"`
	Body []byte `json:"body"`
}

func (m *Maker) eachDocument(ctx context.Context, each func(key string, body []byte) error) error {
	return m.Objects.List(ctx, disposal.Accounts, func(i blob.Info) error {
		body, err := readAll(ctx, m.Objects, i.Key)
		if err != nil {
			return err
		}
		return each(string(i.Key), body)
	})
}

// lineParts collects lines into parts.
type lineParts struct {
	m    *Maker
	ctx  context.Context
	b    []byte
	rows int64
	out  []Part
}

func (w *lineParts) add(line []byte) error {
	w.b = append(append(w.b, line...), '\n')
	w.rows++
	if len(w.b) >= partBytes || w.rows >= leastRows && cuts(line) {
		return w.flush()
	}
	return nil
}

func (w *lineParts) flush() error {
	if w.rows == 0 {
		return nil
	}
	p, err := w.m.put(w.ctx, w.b, w.rows)
	w.out = append(w.out, p)
	w.b, w.rows = w.b[:0], 0
	return err
}

func (w *lineParts) done() ([]Part, error) {
	err := w.flush()
	return w.out, err
}

// publish writes the manifest, and so makes the backup one. Before that it
// looks whether every part is still there: another run may have removed some.
func (m *Maker) publish(ctx context.Context) error {
	man := m.made.Manifest
	there := map[string]bool{}
	if err := m.parts(ctx, func(name string, _ blob.Info) error { there[name] = true; return nil }); err != nil {
		return err
	}
	for name := range man.names() {
		if !there[name] {
			return errors.New("a part has gone meanwhile: run it again, and only one at a time")
		}
	}
	text, err := json.Marshal(man)
	if err != nil {
		return err
	}
	signed, err := m.Ring.SignDocument(kind, text)
	if err != nil {
		return err
	}
	sealed, err := m.To.Seal(signed)
	if err != nil {
		return err
	}
	_, err = m.Place.Create(ctx, manifestKey(man.ID), bytes.NewReader(sealed), int64(len(sealed)))
	return err
}

// names are the parts of a backup.
func (man Manifest) names() map[string]bool {
	out := map[string]bool{}
	add := func(ps []Part) {
		for _, p := range ps {
			out[p.Name] = true
		}
	}
	for _, t := range man.Tables {
		add(t.Parts)
	}
	add(man.Documents)
	add(man.Dropped)
	return out
}
