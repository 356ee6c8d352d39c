package audit

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/wardseal/wardseal/internal/access"
)

// recorded makes n events as a ward makes them.
func recorded(t testing.TB, n int) []Stored {
	t.Helper()
	id := func() string { return uuid.Must(uuid.NewV7()).String() }
	who := access.Principal{Person: access.Person{ID: access.NewPersonID()}, Session: access.NewSessionID(), Request: id()}
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	var edge Edge
	out := make([]Stored, 0, n)
	for i := range n {
		ev := NewEvent(PictureShown, who, Subject{Item: id(), Rendition: "preview", Patient: id(), Grant: id()})
		switch i % 4 {
		case 1:
			ev = NewEvent(SignInFailed, access.Principal{}, Subject{}).With("reason", "unknown-account")
		case 2:
			ev = NewEvent(LinkMade, who, Subject{Link: id(), Item: id(), Person: id()}).With("uses", "1").With("audience", "person")
		}
		at = at.Add(time.Duration(i%7) * 333 * time.Millisecond)
		ev.Seq, ev.At = int64(i+1), at
		body, err := ev.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Stored{Seq: ev.Seq, Columns: columnsOf(ev).Join(), Body: body, Hashes: PutRow(edge.Add(Leaf(body), nil))})
	}
	return out
}

// signedAt gives the checkpoints of a log at some sizes.
func signedAt(log []Stored, kept string, sizes ...int64) []Signed {
	var out []Signed
	var edge Edge
	for _, e := range log {
		edge.Add(Leaf(e.Body), nil)
		if slices.Contains(sizes, edge.Size()) {
			root, _ := edge.Root()
			out = append(out, Signed{Checkpoint{"test", edge.Size(), root}, kept})
		}
	}
	return out
}

func check(log []Stored, tree int64, known []Signed, least int64) (Account, error) {
	v := NewVerifier(tree, known)
	for part := range slices.Chunk(log, 100) {
		if err := v.Add(part); err != nil {
			return Account{}, err
		}
	}
	return v.Finish(least)
}

func TestAWholeLogVerifies(t *testing.T) {
	log := recorded(t, 1000)
	known := signedAt(log, "the database", 1, 500, 777, 1000)
	got, err := check(log, 1000, known, 1000)
	if err != nil || got.Events != 1000 || got.Covered != 1000 || got.Checkpoints != 4 || got.Root != known[3].Root || got.ClockSteps != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := check(nil, 0, nil, 0); err != nil || got.Events != 0 {
		t.Errorf("an empty log: %+v %v", got, err)
	}
	v := NewExportVerifier(known)
	var bodies []Stored
	for _, e := range log {
		bodies = append(bodies, Stored{Body: e.Body})
	}
	if err := v.Add(bodies); err != nil {
		t.Fatal(err)
	}
	if got, err := v.Finish(0); err != nil || got.Root != known[3].Root {
		t.Errorf("the export: %+v %v", got, err)
	}
	back := signedAt(log, "x", 1000)
	ev, err := Parse(log[499].Body)
	if err != nil {
		t.Fatal(err)
	}
	ev.At = ev.At.Add(-time.Hour)
	log[499].Body, _ = ev.Canonical()
	log[499].Columns = columnsOf(ev).Join()
	if got, err := check(log, 0, nil, 0); err != nil || got.ClockSteps != 1 || got.FirstStep != 500 {
		t.Errorf("a clock that goes back is told: %+v %v", got, err)
	}
	if _, err := check(log, 0, back, 0); err == nil {
		t.Error("and is no excuse")
	}
}

// mutation changes a log as somebody who may write to the database can. It
// gives the first event that it touched.
type mutation struct {
	name string
	do   func(r *rand.Rand, log []Stored) ([]Stored, int64)
}

// rewrite changes an event and makes its columns agree.
func rewrite(e *Stored, change func(*Event)) {
	ev, err := Parse(e.Body)
	if err != nil {
		panic(err)
	}
	change(&ev)
	if e.Body, err = ev.Canonical(); err != nil {
		panic(err)
	}
	e.Seq, e.Columns = ev.Seq, columnsOf(ev).Join()
}

// renumber makes a log gapless again from an index on.
func renumber(log []Stored, from int) {
	for i := from; i < len(log); i++ {
		rewrite(&log[i], func(e *Event) { e.Seq = int64(i + 1) })
	}
}

var mutations = []mutation{
	{"a byte of a body", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		log[i].Body[r.IntN(len(log[i].Body))] ^= 1 << r.IntN(8)
		return log, int64(i + 1)
	}},
	{"another actor, columns and all", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		rewrite(&log[i], func(e *Event) { e.Actor = access.NewPersonID() })
		return log, int64(i + 1)
	}},
	{"a later time, columns and all", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		rewrite(&log[i], func(e *Event) { e.At = e.At.Add(time.Microsecond) })
		return log, int64(i + 1)
	}},
	{"a column", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		ev, err := Parse(log[i].Body)
		if err != nil {
			panic(err)
		}
		c := columnsOf(ev)
		switch r.IntN(7) {
		case 0:
			c.At++
		case 1:
			c.ID = uuid.NewString()
		case 2:
			c.Type = string(TokenMinted)
		case 3:
			c.Actor = uuid.NewString()
		case 4:
			c.Patient = uuid.NewString()
		case 5:
			c.Link = uuid.NewString()
		case 6:
			c.Item, c.Type = "", c.Type+Between+c.Item
		}
		log[i].Columns = c.Join()
		return log, int64(i + 1)
	}},
	{"one deleted", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		return slices.Delete(log, i, i+1), int64(i + 1)
	}},
	{"one deleted, the rest numbered again", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		log = slices.Delete(log, i, i+1)
		renumber(log, i)
		return log, int64(i + 1)
	}},
	{"one made up, the rest numbered again", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		made := recorded(nil2{}, 1)[0]
		made.Hashes = log[i].Hashes
		log = slices.Insert(log, i, made)
		renumber(log, i)
		return log, int64(i + 1)
	}},
	{"two that change places", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log) - 1)
		j := i + 1 + r.IntN(len(log)-i-1)
		log[i].Body, log[j].Body = log[j].Body, log[i].Body
		if r.IntN(2) == 0 { // thoroughly
			rewrite(&log[i], func(e *Event) { e.Seq = int64(i + 1) })
			rewrite(&log[j], func(e *Event) { e.Seq = int64(j + 1) })
		}
		return log, int64(i + 1)
	}},
	{"the end cut off", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		return log[:i], int64(i + 1)
	}},
	{"an old one again, in the place of another", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		j := 1 + r.IntN(len(log)-1)
		i := r.IntN(j)
		log[j].Body = bytes.Clone(log[i].Body)
		rewrite(&log[j], func(e *Event) { e.Seq = int64(j + 1) })
		return log, int64(j + 1)
	}},
	{"a hash of the stored tree", func(r *rand.Rand, log []Stored) ([]Stored, int64) {
		i := r.IntN(len(log))
		log[i].Hashes[r.IntN(len(log[i].Hashes))] ^= 1 << r.IntN(8)
		return log, int64(i + 1)
	}},
}

// nil2 lets recorded be called where there is no test to fail.
type nil2 struct{ testing.TB }

func (nil2) Helper() {}

// A thousand random changes, each by somebody who may write to the database:
// either to the events alone, or to the stored tree as well, so that it fits.
// In a third of them everything is rolled back first, and only a sink has a
// later checkpoint.
func TestAThousandMutations(t *testing.T) {
	log := recorded(t, 300)
	known := signedAt(log, "the database", 100, 200, 300)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	caught := map[string]int{}
	for n := range 1000 {
		m := mutations[n%len(mutations)]
		mine := slices.Clone(log)
		for i := range mine {
			mine[i].Body, mine[i].Hashes = bytes.Clone(mine[i].Body), bytes.Clone(mine[i].Hashes)
		}
		mine, first := m.do(r, mine)
		tree := int64(len(log))
		thorough := r.IntN(2) == 0 && m.name != "a hash of the stored tree"
		if thorough { // the stored tree is made to fit, and what counts events with it
			var edge Edge
			for i := range mine {
				mine[i].Hashes = PutRow(edge.Add(Leaf(mine[i].Body), nil))
			}
			tree = int64(len(mine))
		}
		got, err := check(mine, tree, known, tree)
		var f *Fault
		if !errors.As(err, &f) {
			t.Fatalf("seed %d, %d: %s (thorough: %v) is not detected: %v", seed, n, m.name, thorough, err)
		}
		unvouched := strings.Contains(f.Says, "nothing vouches") && got.Covered < first
		if f.From > first && !unvouched || max(f.To, f.From) < first {
			t.Errorf("seed %d, %d: %s (thorough: %v) at event %d is told as: %v", seed, n, m.name, thorough, first, f)
		}
		if !thorough && m.name != "the end cut off" && f.From != first {
			t.Errorf("seed %d, %d: %s at event %d is told as: %v", seed, n, m.name, first, f)
		}
		caught[m.name]++
	}
	for _, m := range mutations {
		if caught[m.name] < 80 {
			t.Errorf("%s was tried %d times only", m.name, caught[m.name])
		}
	}
}

// A database that is rolled back to an older state, whole and in itself right,
// does not fit the later checkpoint of a sink; neither does one that went on
// from there.
func TestRolledBack(t *testing.T) {
	log := recorded(t, 400)
	sink := signedAt(log, "a sink", 100, 200, 300)
	for _, size := range []int{0, 1, 100, 150, 299} {
		old := log[:size]
		if _, err := check(old, int64(size), signedAt(old, "the database", 100), int64(size)); err != nil {
			t.Fatalf("in itself it is right: %v", err)
		}
		_, err := check(old, int64(size), append(signedAt(old, "the database", 100), sink...), int64(size))
		var f *Fault
		if !errors.As(err, &f) || f.From != int64(size)+1 || f.To != 300 || !strings.Contains(f.Says, "a sink") {
			t.Errorf("rolled back to %d: %v", size, err)
		}
	}
	went := append(slices.Clone(log[:250]), recorded(t, 150)...)
	renumber(went, 250)
	var edge Edge
	for i := range went {
		went[i].Hashes = PutRow(edge.Add(Leaf(went[i].Body), nil))
	}
	_, err := check(went, 400, append(signedAt(went, "the database", 100, 200, 300, 400), sink...), 400)
	var f *Fault
	if !errors.As(err, &f) || f.From > 251 || f.To != 300 {
		t.Errorf("rolled back and gone on: %v", err)
	}
}

// The quick way to read a body accepts nothing that Parse refuses, and says
// the same.
func FuzzLook(f *testing.F) {
	for _, e := range recorded(f, 4) {
		f.Add(e.Body)
	}
	f.Add([]byte(`{"v":1,"seq":1,"id":"a","at":"2026-02-30T00:00:00Z","type":"x","subject":{}}`))
	f.Add([]byte(`{"v":1,"seq":1,"id":"a","at":"2026-02-28T00:00:00.10Z","type":"x","subject":{},"detail":{"b":"","a":""}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, ok := look(body)
		if !ok {
			return
		}
		ev, err := Parse(body)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if said := columnsOf(ev); v.seq != ev.Seq || v.same(said.Join()) != said.same(said.Join()) {
			t.Fatalf("%s: %+v", body, v)
		}
	})
}

// The usual bodies go the quick way: a field added to the vocabulary in
// another order would make verifying slow and not wrong.
func TestUsualBodiesAreQuick(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, e := range recorded(t, 50) {
		if v, ok := look(e.Body); !ok || v.seq != e.Seq || !v.same(e.Columns) {
			t.Fatalf("%s", e.Body)
		}
		for range 2000 { // and what it accepts of their mutations, Parse does too
			b := bytes.Clone(e.Body)
			for range 1 + r.IntN(2) {
				switch i := r.IntN(len(b)); r.IntN(3) {
				case 0:
					b[i] = byte(r.IntN(256))
				case 1:
					b = slices.Delete(b, i, i+1)
				case 2:
					b = slices.Insert(b, i, b[r.IntN(len(b))])
				}
			}
			if v, ok := look(b); ok {
				if ev, err := Parse(b); err != nil || v.same(columnsOf(ev).Join()) != columnsOf(ev).same(columnsOf(ev).Join()) {
					t.Fatalf("%s: %v", b, err)
				}
			}
		}
	}
}

// The tree is the one of RFC 6962, as the library has it.
func TestTheTreeIsTheLibrarys(t *testing.T) {
	var edge Edge
	var stored []tlog.Hash
	rows := map[int64][]byte{}
	read := tlog.HashReaderFunc(func(places []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, p := range places {
			seq, at := Row(p)
			h, err := TakeRow(rows[seq], at)
			if err != nil {
				return nil, err
			}
			if h != stored[p] {
				return nil, fmt.Errorf("place %d is not row %d, %d", p, seq, at)
			}
			out = append(out, h)
		}
		return out, nil
	})
	for n := range int64(200) {
		body := fmt.Append(nil, "event ", n)
		want, err := tlog.StoredHashes(n, body, tlog.HashReaderFunc(func(places []int64) (out []tlog.Hash, err error) {
			for _, p := range places {
				out = append(out, stored[p])
			}
			return out, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, want...)
		row := edge.Add(Leaf(body), nil)
		if !slices.Equal(row, want) {
			t.Fatalf("row of leaf %d", n)
		}
		rows[n+1] = PutRow(row)
		root, _ := edge.Root()
		if lib, err := tlog.TreeHash(n+1, read); err != nil || lib != root {
			t.Fatalf("root of %d: %v", n+1, err)
		}
		peaks, err := read.ReadHashes(Peaks(n + 1))
		if err != nil {
			t.Fatal(err)
		}
		again, err := NewEdge(n+1, peaks)
		if err != nil {
			t.Fatal(err)
		}
		if r, _ := again.Root(); r != root {
			t.Fatalf("edge of %d read again", n+1)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	log := recorded(b, 20_000)
	known := signedAt(log, "x", 20_000)
	for b.Loop() {
		if _, err := check(log, int64(len(log)), known, int64(len(log))); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(log))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
