package ledger

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	_ "modernc.org/sqlite"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/audit"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
	"github.com/wardseal/wardseal/storage/meta"
	"github.com/wardseal/wardseal/storage/sink"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	servers.Main(m)
}

// deployment is a database with a key and sinks, and who sequences it.
type deployment struct {
	*meta.Store
	t      *testing.T
	file   string // of SQLite
	signer note.Signer
	public note.Verifier
	sinks  []sink.Sink
}

func each(t *testing.T, test func(t *testing.T, d *deployment)) {
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) { test(t, open(t, driver)) })
	}
}

func open(t *testing.T, driver string) *deployment {
	t.Helper()
	d := &deployment{t: t, file: filepath.Join(t.TempDir(), "w.db")}
	cfg := meta.Config{Driver: driver, DSN: d.file}
	migrated := func(dsn string) {
		d.reopen(meta.Config{Driver: driver, DSN: dsn})
		if err := errors.Join(d.Migrate(t.Context()), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if driver == "postgres" {
		cfg.DSN = servers.PostgresCopy(t, migrated)
	} else {
		servers.SQLiteCopy(t, d.file, migrated)
	}
	d.reopen(cfg)
	private, public, err := note.GenerateKey(nil, "wardseal/audit/test")
	if err == nil {
		d.signer, err = note.NewSigner(private)
	}
	if err == nil {
		d.public, err = note.NewVerifier(public)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) reopen(cfg meta.Config) {
	d.t.Helper()
	var err error
	if d.Store, err = meta.Open(cfg); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = d.Close() })
}

// sequencer is a server's own.
func (d *deployment) sequencer() *Sequencer {
	return &Sequencer{Store: d.Store, Key: func() (note.Signer, note.Verifier, error) { return d.signer, d.public, nil }, Sinks: d.sinks}
}

func (d *deployment) record(n int) {
	d.t.Helper()
	for range n {
		if err := d.AppendEvent(d.t.Context(), audit.NewEvent(audit.AuditRead, access.Principal{}, audit.Subject{})); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *deployment) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// verify checks the whole database against its checkpoints and the sinks'.
func (d *deployment) verify() audit.Account {
	d.t.Helper()
	ctx := d.t.Context()
	l, err := d.Ledger(ctx)
	d.must(err)
	rows, err := d.Checkpoints(ctx, 0, 10_000)
	d.must(err)
	var known []audit.Signed
	add := func(signed []byte, kept string) error {
		c, err := audit.OpenCheckpoint(signed, d.public)
		known = append(known, audit.Signed{Checkpoint: c, Kept: kept})
		return err
	}
	for _, r := range rows {
		d.must(add(r.Note, "the database"))
	}
	for _, k := range d.sinks {
		if r, ok := k.(sink.Reader); ok {
			n := 0
			d.must(r.All(ctx, func(signed []byte) error { n++; return add(signed, k.Name()) }))
			if n != len(rows) {
				d.t.Errorf("%s has %d of %d checkpoints", k.Name(), n, len(rows))
			}
		}
	}
	v := audit.NewVerifier(l.Tree, known)
	for after := int64(0); ; {
		part, err := d.StoredEvents(ctx, after, after+1000)
		d.must(err)
		if len(part) == 0 {
			break
		}
		rows, err := d.TreeRows(ctx, after, after+1000)
		d.must(err)
		for i := range part {
			part[i].Hashes = rows[part[i].Seq]
		}
		d.must(v.Add(part))
		after = part[len(part)-1].Seq
	}
	got, err := v.Finish(l.Recorded)
	d.must(err)
	return got
}

func bucket(t *testing.T) *sink.Bucket {
	t.Helper()
	objects, err := filesystem.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return sink.NewBucket("bucket test", objects)
}

func TestSigningAndPublishing(t *testing.T) {
	each(t, func(t *testing.T, d *deployment) {
		ctx := t.Context()
		d.sinks = []sink.Sink{sink.NewFile(filepath.Join(t.TempDir(), "checkpoints")), bucket(t)}
		s := d.sequencer()
		s.after = 100
		d.must(s.Round(ctx, false))
		if l, err := d.Ledger(ctx); err != nil || l.Checkpoint.Size != 0 {
			t.Errorf("a checkpoint of nothing: %+v %v", l, err)
		}
		d.record(10)
		d.must(s.Round(ctx, false)) // there is no checkpoint yet: it is due at once
		d.record(230)
		d.must(s.Round(ctx, false)) // 230 wait: two hundred are due, and the rest is not
		rows, err := d.Checkpoints(ctx, 0, 10)
		d.must(err)
		if len(rows) != 3 || rows[0].Size != 10 || rows[1].Size != 110 || rows[2].Size != 210 {
			t.Fatalf("%+v", rows)
		}
		if l, err := d.Ledger(ctx); err != nil || l.Tree != 240 {
			t.Errorf("%+v %v", l, err)
		}
		if got := d.verify(); got.Events != 240 || got.Covered != 210 || got.Checkpoints != 9 {
			t.Errorf("%+v", got)
		}
		d.must(d.sequencer().Round(ctx, true)) // another server has not the lease
		if rows, err := d.Checkpoints(ctx, 210, 10); err != nil || len(rows) != 0 {
			t.Errorf("two servers sign at once: %+v %v", rows, err)
		}
		d.must(s.Round(ctx, true))
		if got := d.verify(); got.Covered != 240 {
			t.Errorf("%+v", got)
		}
		d.must(s.Round(ctx, true))
		if rows, err := d.Checkpoints(ctx, 240, 10); err != nil || len(rows) != 0 {
			t.Errorf("a checkpoint of nothing new: %+v %v", rows, err)
		}
	})
}

func TestDue(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := func(last, covered int64, ago time.Duration) meta.Ledger {
		return meta.Ledger{Now: now, Recorded: last, Last: last, Checkpoint: meta.CheckpointRow{Size: covered, At: now.Add(-ago)}}
	}
	for name, c := range map[string]struct {
		l    meta.Ledger
		now  bool
		want bool
	}{
		"nothing new":            {l(5, 5, time.Hour), true, false},
		"one, not long ago":      {l(6, 5, 59*time.Second), false, false},
		"one, wanted":            {l(6, 5, time.Second), true, true},
		"one, a minute ago":      {l(6, 5, time.Minute), false, true},
		"999":                    {l(1004, 5, time.Second), false, false},
		"1,000":                  {l(1005, 5, time.Second), false, true},
		"fewer than were signed": {l(4, 5, time.Second), false, true},
	} {
		if got := (&Sequencer{}).due(c.l, c.now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Servers that all sequence, while events are recorded, make one chain.
func TestManyServers(t *testing.T) {
	each(t, func(t *testing.T, d *deployment) {
		d.sinks = []sink.Sink{bucket(t)}
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				s := d.sequencer()
				for ctx.Err() == nil {
					if err := s.Round(ctx, true); err != nil && ctx.Err() == nil && !errors.Is(err, meta.ErrNotFound) {
						t.Error(err)
						return
					}
					if s.worker != "" { // give the lease up, for the others to have a turn
						_, _ = d.LeaseLedger(t.Context(), s.worker, 0)
					}
				}
			})
		}
		for range 10 {
			d.record(25)
		}
		stop()
		wg.Wait()
		time.Sleep(2 * time.Millisecond)
		s := d.sequencer()
		s.worker = "last"
		if _, err := d.LeaseLedger(t.Context(), "last", time.Minute); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool {
			if err := s.Round(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			l, err := d.Ledger(t.Context())
			return err == nil && l.Checkpoint.Size == l.Last
		})
		if got := d.verify(); got.Events != 250 || got.Covered != 250 {
			t.Errorf("%+v", got)
		}
	})
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * leaseFor); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatal("it did not come to an end")
}

// broken is a sink that fails for a while.
type broken struct {
	*sink.Bucket
	down bool
}

func (b *broken) Newest(ctx context.Context) ([]byte, error) {
	if b.down {
		return nil, errors.New("down")
	}
	return b.Bucket.Newest(ctx)
}

func (b *broken) Publish(ctx context.Context, c audit.Checkpoint, signed []byte) error {
	if b.down {
		return errors.New("down")
	}
	return b.Bucket.Publish(ctx, c, signed)
}

// A sink that is down loses no checkpoint, and keeps none from being signed.
func TestASinkThatIsDown(t *testing.T) {
	each(t, func(t *testing.T, d *deployment) {
		ctx := t.Context()
		b := &broken{Bucket: bucket(t), down: true}
		d.sinks = []sink.Sink{b, sink.NewFile(filepath.Join(t.TempDir(), "none", "checkpoints"))}
		s := d.sequencer()
		for range 3 {
			d.record(3)
			d.must(s.Round(ctx, true))
		}
		sinks, err := d.Sinks(ctx)
		if err != nil || len(sinks) != 2 || sinks[0].Waiting != 3 || sinks[0].Failure == "" || sinks[1].Waiting != 3 || sinks[1].Failure == "" {
			t.Errorf("%+v %v", sinks, err)
		}
		b.down = false
		d.sinks = d.sinks[:1]
		s.Sinks = d.sinks
		d.must(s.Round(ctx, true))
		if got := d.verify(); got.Covered != 9 || got.Checkpoints != 6 {
			t.Errorf("%+v", got)
		}
		if sinks, err = d.Sinks(ctx); err != nil || sinks[0].Waiting != 0 || sinks[0].Failure != "" {
			t.Errorf("%+v %v", sinks, err)
		}
	})
}

// refused expects that nothing is signed, and why, and that every server can
// tell.
func (d *deployment) refused(s *Sequencer, why string) {
	d.t.Helper()
	before, err := d.Checkpoints(d.t.Context(), 0, 1000)
	d.must(err)
	d.record(1)
	var r *Refusal
	if err := s.Round(d.t.Context(), true); !errors.As(err, &r) || !strings.Contains(r.Why, why) {
		d.t.Errorf("it says %v, and not %q", err, why)
	}
	after, err := d.Checkpoints(d.t.Context(), 0, 1000)
	d.must(err)
	if len(after) != len(before) {
		d.t.Error("and it is signed all the same")
	}
	if l, err := d.Ledger(d.t.Context()); err != nil || !strings.Contains(l.Refused, why) {
		d.t.Errorf("the database does not tell why: %q %v", l.Refused, err)
	}
}

// with changes the database behind the program's back, and puts it back.
func (d *deployment) with(change, back string, do func()) {
	d.t.Helper()
	db, err := sql.Open("sqlite", "file:"+d.file)
	d.must(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TEMP TABLE IF NOT EXISTS kept AS SELECT * FROM audit_events WHERE seq = 4")
	d.must(err)
	_, err = db.Exec("CREATE TEMP TABLE IF NOT EXISTS kept_hashes AS SELECT * FROM audit_hashes WHERE seq = 4")
	d.must(err)
	_, err = db.Exec(change)
	d.must(err)
	do()
	_, err = db.Exec(back)
	d.must(err)
}

func TestRefusals(t *testing.T) {
	d := open(t, "sqlite")
	d.sinks = []sink.Sink{sink.NewFile(filepath.Join(t.TempDir(), "checkpoints"))}
	s := d.sequencer()
	d.record(4)
	d.must(s.Round(t.Context(), true))

	d.with("DELETE FROM audit_hashes WHERE seq = 4", "INSERT INTO audit_hashes SELECT * FROM kept_hashes", func() { d.refused(s, "the stored tree has not the hashes") })
	d.with("UPDATE audit_hashes SET hashes = zeroblob(length(hashes)) WHERE seq = 4", "UPDATE audit_hashes SET hashes = (SELECT hashes FROM kept_hashes) WHERE seq = 4", func() {
		d.refused(s, "the log was rewritten")
	})
	d.with("UPDATE audit_sequencer SET size = 3", "UPDATE audit_sequencer SET size = 4", func() { d.refused(s, "the tree has 3 events, and a checkpoint of 4") })
	d.with("UPDATE audit_checkpoints SET root = zeroblob(32)", "SELECT 1", func() { d.refused(s, "was not signed by this deployment's key") })
	d.refused(s, "was not signed by this deployment's key") // nothing mends that
}

// A database that is put back to an older state is noticed: by the server that
// was there, from memory, and by one that starts anew, from the sink.
func TestRolledBack(t *testing.T) {
	d := open(t, "sqlite")
	path := filepath.Join(t.TempDir(), "checkpoints")
	d.sinks = []sink.Sink{sink.NewFile(path)}
	s := d.sequencer()
	d.record(5)
	d.must(s.Round(t.Context(), true))
	d.must(d.Close())
	old, err := os.ReadFile(d.file)
	d.must(err)
	d.reopen(meta.Config{Driver: "sqlite", DSN: d.file})
	s.Store = d.Store
	d.record(5)
	d.must(s.Round(t.Context(), true))
	d.must(d.Close())
	d.must(os.WriteFile(d.file, old, 0o600))
	d.reopen(meta.Config{Driver: "sqlite", DSN: d.file})
	s.Store = d.Store

	d.refused(s, "rolled back: this server's memory has a checkpoint of 10 events")
	if _, err := d.LeaseLedger(t.Context(), s.worker, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	anew := d.sequencer()
	d.refused(anew, "rolled back: the file "+path+" has a checkpoint of 10 events")
	d.sinks = []sink.Sink{sink.NewFile(path + ".new")} // an operator decides to go on from the backup
	if _, err := d.LeaseLedger(t.Context(), anew.worker, 0); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	d.must(d.sequencer().Round(t.Context(), true))
	if l, err := d.Ledger(t.Context()); err != nil || l.Refused != "" || l.Checkpoint.Size != l.Last {
		t.Errorf("%+v %v", l, err)
	}
}

// Checkpoints of another key in a sink are not passed over.
func TestForeignCheckpoints(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoints")
	one, other := open(t, "sqlite"), open(t, "sqlite")
	for i, d := range []*deployment{one, other} {
		d.sinks = []sink.Sink{sink.NewFile(path)}
		d.record(5)
		if i == 0 {
			d.must(d.sequencer().Round(t.Context(), true))
		} else {
			d.refused(d.sequencer(), "was not signed by this deployment's key")
		}
	}
}

// What is not as it was recorded does not get into the tree.
func TestAnEventChangedBeforeItIsIntegrated(t *testing.T) {
	d := open(t, "sqlite")
	s := d.sequencer()
	d.record(4)
	d.with("UPDATE audit_events SET actor = 'somebody else' WHERE seq = 4", "UPDATE audit_events SET actor = '' WHERE seq = 4", func() {
		d.refused(s, "event 4: its columns say something else")
	})
	d.with("DELETE FROM audit_events WHERE seq = 4", "INSERT INTO audit_events SELECT * FROM kept", func() { d.refused(s, "event 4: it is missing") })
	d.must(s.Round(t.Context(), true))
	if got := d.verify(); got.Covered != got.Events {
		t.Errorf("%+v", got)
	}
}
