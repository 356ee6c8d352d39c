package keyring_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/media"
)

var november = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

func clock() time.Time { return november }

type fixture struct {
	rootText, escrowText string
	roots                keyring.Roots
	escrow               []keyring.Recipient
	sealed               []media.SealedKey
	ring                 *keyring.Ring
}

func setUp(t testing.TB) fixture {
	t.Helper()
	var f fixture
	var recipient string
	var err error
	if f.rootText, _, err = keyring.MintRoot(); err != nil {
		t.Fatal(err)
	}
	if f.escrowText, recipient, err = keyring.MintRoot(); err != nil {
		t.Fatal(err)
	}
	if f.roots, err = keyring.LoadRoots(strings.NewReader("# root\n\n" + f.rootText + "\n")); err != nil {
		t.Fatal(err)
	}
	if f.escrow, err = keyring.ParseEscrow(strings.NewReader(recipient)); err != nil {
		t.Fatal(err)
	}
	empty, err := keyring.Open(f.roots, nil, clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range empty.Missing("2026-11") {
		k, err := keyring.Mint(f.roots, f.escrow, n, november)
		if err != nil {
			t.Fatal(err)
		}
		f.sealed = append(f.sealed, k)
	}
	if f.ring, err = keyring.Open(f.roots, f.sealed, clock); err != nil {
		t.Fatal(err)
	}
	if missing := f.ring.Missing("2026-11"); len(missing) != 0 {
		t.Fatalf("still missing %v", missing)
	}
	return f
}

func TestWrappedKeysOpenInTheirPlaceOnly(t *testing.T) {
	f := setUp(t)
	id, err := seal.Mint()
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.ring.Wrap("item-1", media.Original, media.JPEG, id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.ring.Unwrap(w, media.JPEG)
	if err != nil || got.Reveal() != id.Reveal() {
		t.Fatalf("unwrap: %v", err)
	}
	change := map[string]func(*media.WrappedKey){
		"item":      func(w *media.WrappedKey) { w.Item = "item-2" },
		"rendition": func(w *media.WrappedKey) { w.Rendition = media.Preview },
		"kek":       func(w *media.WrappedKey) { w.KEK = "other" },
		"bytes":     func(w *media.WrappedKey) { w.Wrapped = append([]byte(nil), w.Wrapped...); w.Wrapped[40] ^= 1 },
		"version":   func(w *media.WrappedKey) { w.Wrapped = append([]byte(nil), w.Wrapped...); w.Wrapped[0]++ },
		"cut":       func(w *media.WrappedKey) { w.Wrapped = w.Wrapped[:20] },
		"empty":     func(w *media.WrappedKey) { w.Wrapped = nil },
	}
	for name, c := range change {
		x := w
		c(&x)
		if _, err := f.ring.Unwrap(x, media.JPEG); !errors.Is(err, keyring.ErrWrongKey) {
			t.Errorf("%s changed: %v", name, err)
		}
	}
	if _, err := f.ring.Unwrap(w, media.PNG); !errors.Is(err, keyring.ErrWrongKey) {
		t.Errorf("another format: %v", err)
	}
	if _, err := f.ring.Wrap("item-1", media.Original, media.JPEG, seal.Identity{}); err == nil {
		t.Error("wrapped no identity")
	}
}

// Of the months' keys, the newest that has begun is used, so that servers which
// have not heard of next month's key yet are not given anything they cannot open.
func TestMonths(t *testing.T) {
	f := setUp(t)
	next, err := keyring.Mint(f.roots, f.escrow, keyring.Need{Purpose: keyring.PurposeKEK, Period: "2026-12"}, november)
	if err != nil {
		t.Fatal(err)
	}
	now := november
	ring, err := keyring.Open(f.roots, append(f.sealed, next), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	id, _ := seal.Mint()
	before, err := ring.Wrap("i", media.Original, media.JPEG, id)
	if err != nil || before.KEK == next.ID {
		t.Errorf("next month's key was used early: %v", err)
	}
	now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) // January's is late: December's serves
	after, err := ring.Wrap("i", media.Original, media.JPEG, id)
	if err != nil || after.KEK != next.ID {
		t.Errorf("the newest key was not used: %v", err)
	}
	if m := ring.Missing("2027-01"); len(m) != 1 || m[0].Purpose != keyring.PurposeKEK {
		t.Errorf("missing %v", m)
	}
	if _, err := f.ring.Unwrap(after, media.JPEG); !errors.Is(err, keyring.ErrWrongKey) {
		t.Errorf("an unknown month: %v", err)
	}
	if err := f.ring.Load(append(f.sealed, next)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ring.Unwrap(after, media.JPEG); err != nil {
		t.Errorf("after loading: %v", err)
	}
	if _, err := f.ring.Unwrap(before, media.JPEG); err != nil {
		t.Errorf("the old month: %v", err)
	}
}

func TestOpenFailsClosed(t *testing.T) {
	f := setUp(t)
	other := setUp(t)
	tamper := func(i int, change func(*media.SealedKey)) []media.SealedKey {
		s := append([]media.SealedKey(nil), f.sealed...)
		s[i].Sealed = append([]byte(nil), s[i].Sealed...)
		change(&s[i])
		return s
	}
	cases := map[string][]media.SealedKey{
		"foreign key":    append(append([]media.SealedKey(nil), f.sealed...), other.sealed[3]),
		"flipped bit":    tamper(0, func(k *media.SealedKey) { k.Sealed[len(k.Sealed)-1] ^= 1 }),
		"purposes moved": tamper(0, func(k *media.SealedKey) { k.Sealed = f.sealed[1].Sealed }),
		"period changed": tamper(3, func(k *media.SealedKey) { k.Period = "2026-10" }),
		"public changed": tamper(2, func(k *media.SealedKey) { k.Public = other.sealed[2].Public }),
		"no purpose":     tamper(0, func(k *media.SealedKey) { k.Purpose = "other" }),
		"twice":          append(append([]media.SealedKey(nil), f.sealed...), f.sealed[0]),
	}
	for name, sealed := range cases {
		if _, err := keyring.Open(f.roots, sealed, clock); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, err := keyring.Open(keyring.Roots{}, f.sealed, clock); err == nil {
		t.Error("opened without a root")
	}
	if _, err := keyring.Mint(f.roots, nil, keyring.Need{Purpose: keyring.PurposeIndex}, november); err == nil {
		t.Error("made a key without escrow")
	}
	for _, text := range []string{"", "# nothing\n", "AGE-SECRET-KEY-1QQQ", "age1pq1xyz"} {
		if _, err := keyring.LoadRoots(strings.NewReader(text)); err == nil {
			t.Errorf("%q taken for a root", text)
		}
	}
	if _, err := keyring.ParseEscrow(strings.NewReader(f.escrowText)); err == nil || strings.Contains(err.Error(), f.escrowText) {
		t.Errorf("an escrow identity in place of its recipient: %v", err)
	}
}

// With the root lost, the escrow identity opens the ring and all below it.
func TestEscrowRecovers(t *testing.T) {
	f := setUp(t)
	id, _ := seal.Mint()
	w, err := f.ring.Wrap("item", media.Original, media.PNG, id)
	if err != nil {
		t.Fatal(err)
	}
	escrow, err := keyring.LoadRoots(strings.NewReader(f.escrowText))
	if err != nil {
		t.Fatal(err)
	}
	recovered, err := keyring.Open(escrow, f.sealed, clock)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := recovered.Unwrap(w, media.PNG); err != nil || got.Reveal() != id.Reveal() {
		t.Errorf("recovered ring: %v", err)
	}
}

func TestFieldsOpenInTheirPlaceOnly(t *testing.T) {
	f := setUp(t)
	for _, n := range []int{0, 1, 27, 28, 29, 32, 1000} {
		text := bytes.Repeat([]byte("n"), n)
		s, err := f.ring.SealField("items", "note", "row-1", text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.ring.OpenField("items", "note", "row-1", s)
		if err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if n > 8 && bytes.Contains(s, text) {
			t.Error("the text shows")
		}
		for _, place := range [][3]string{{"patients", "note", "row-1"}, {"items", "body_site", "row-1"}, {"items", "note", "row-2"}, {"itemsn", "ote", "row-1"}} {
			if _, err := f.ring.OpenField(place[0], place[1], place[2], s); !errors.Is(err, keyring.ErrWrongKey) {
				t.Errorf("opened at %v: %v", place, err)
			}
		}
		for i := range s {
			x := append(media.Sealed(nil), s...)
			x[i] ^= 0x10
			if _, err := f.ring.OpenField("items", "note", "row-1", x); !errors.Is(err, keyring.ErrWrongKey) {
				t.Fatalf("bit at %d: %v", i, err)
			}
		}
	}
	short, _ := f.ring.SealField("t", "c", "r", []byte("a"))
	long, _ := f.ring.SealField("t", "c", "r", []byte("left forearm, healing"))
	if len(short) != len(long) {
		t.Error("the length tells the text apart")
	}
}

func TestIndex(t *testing.T) {
	f, other := setUp(t), setUp(t)
	a := f.ring.Index("patient-number", []byte("nhs:9990000018"))
	if !bytes.Equal(a, f.ring.Index("patient-number", []byte("nhs:9990000018"))) || len(a) != 32 {
		t.Error("not steady")
	}
	for name, b := range map[string][]byte{
		"label": f.ring.Index("fingerprint", []byte("nhs:9990000018")),
		"value": f.ring.Index("patient-number", []byte("nhs:9990000019")),
		"moved": f.ring.Index("patient-numbern", []byte("hs:9990000018")),
		"key":   other.ring.Index("patient-number", []byte("nhs:9990000018")),
	} {
		if bytes.Equal(a, b) {
			t.Errorf("another %s gives the same", name)
		}
	}
}

// The services of browsers know a deployment by one key, which another has not.
func TestPushKey(t *testing.T) {
	f, other := setUp(t), setUp(t)
	private, public := f.ring.Push()
	again, same := f.ring.Push()
	theirs, _ := other.ring.Push()
	if private != again || public != same || private == theirs || len(private) != 43 || len(public) != 87 {
		t.Errorf("keys of %d and %d characters", len(private), len(public))
	}
}

func manifest() keyring.Manifest {
	return keyring.Manifest{
		Item: "i", Patient: "p", Team: "t", Uploader: "u", Format: media.JPEG, Consent: media.ConsentRecord, FiledAt: november,
		PlainBytes: 10, ObjectBytes: 20, PlainSHA256: [32]byte{1}, ObjectSHA256: [32]byte{2}, ReceiptSHA256: [32]byte{3},
		ConsentGivenBy: media.GivenByPatient, ConsentCapacity: media.HasCapacity, CapturedWith: media.CapturedCamera,
	}
}

func TestManifest(t *testing.T) {
	f, other := setUp(t), setUp(t)
	m := manifest()
	text, err := f.ring.SignManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	public := ed25519.PublicKey(f.sealed[2].Public)
	got, err := keyring.VerifyManifest(public, text)
	if err != nil || got != m {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range text {
		x := append([]byte(nil), text...)
		x[i] ^= 1
		got, err := keyring.VerifyManifest(public, x)
		if err == nil && got != m {
			t.Fatalf("changed at %d and accepted: %s", i, x)
		}
	}
	if _, err := keyring.VerifyManifest(other.sealed[2].Public, text); !errors.Is(err, keyring.ErrManifest) {
		t.Errorf("another key: %v", err)
	}
	if _, err := keyring.VerifyManifest(nil, text); !errors.Is(err, keyring.ErrManifest) {
		t.Errorf("no key: %v", err)
	}
	m.CapturedWith = ""
	if text, err := f.ring.SignManifest(m); err == nil {
		t.Errorf("signed without saying how it was taken: %s", text)
	}
}

// Manifests from before who consented was asked for verify still, and only
// in the form that they had.
func TestManifestOfVersion1(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	const sum = "0100000000000000000000000000000000000000000000000000000000000000"
	one := func(v, more string) []byte {
		text := `{"v":` + v + `,"item":"i","patient":"p","team":"t","uploader":"u","format":"JPEG","consent":"A","filed_at":"2026-11-01T00:00:00Z","plain_bytes":10,"object_bytes":20,` +
			`"plain_sha256":"` + sum + `","object_sha256":"` + sum + `","receipt_sha256":"` + sum + `"` + more + `}`
		sig, err := private.Sign(nil, []byte(text), &ed25519.Options{Context: "wardseal item manifest v1"})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Appendf(nil, `{"manifest":%s,"key":"k","signature":"%x"}`, text, sig)
	}
	if m, err := keyring.VerifyManifest(public, one("1", "")); err != nil || m.Item != "i" || m.CapturedWith != "" {
		t.Errorf("%+v, %v", m, err)
	}
	for name, text := range map[string][]byte{
		"1 with fields of 2": one("1", `,"captured_with":"camera"`), "2 without its fields": one("2", ""), "3": one("3", ""),
		"2 with an unknown way": one("2", `,"consent_given_by":"patient","consent_capacity":"has-capacity","captured_with":"drone"`),
	} {
		if m, err := keyring.VerifyManifest(public, text); !errors.Is(err, keyring.ErrManifest) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestRootsDoNotPrint(t *testing.T) {
	f := setUp(t)
	if all := fmt.Sprintf("%v %+v %#v %s %q", f.roots, f.roots, f.roots, f.roots, f.roots); strings.Contains(all, "AGE-SECRET") || strings.Contains(all, "0x") {
		t.Error(all)
	}
}

func FuzzOpenField(f *testing.F) {
	x := setUp(f)
	s, _ := x.ring.SealField("t", "c", "r", []byte("text"))
	f.Add([]byte(s))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := x.ring.OpenField("t", "c", "r", b); err == nil && !bytes.Equal(b, s) {
			t.Errorf("forged: %q", got)
		}
	})
}

func FuzzVerifyManifest(f *testing.F) {
	x := setUp(f)
	text, _ := x.ring.SignManifest(manifest())
	f.Add(text)
	f.Add([]byte(`{"manifest":{},"key":"","signature":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := keyring.VerifyManifest(x.sealed[2].Public, b); err == nil && m != manifest() {
			t.Errorf("forged: %+v", m)
		}
	})
}

// Checkpoints are signed by the ring and verified by what needs no root.
func TestCheckpointKey(t *testing.T) {
	f := setUp(t)
	signs, checks, err := f.ring.CheckpointKey()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: "a text\n"}, signs)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range f.sealed {
		text, err := keyring.CheckpointVerifier(k)
		if k.Purpose != keyring.PurposeCheckpoint {
			if err == nil {
				t.Errorf("a key for %s passes for one that signs checkpoints", k.Purpose)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		public, err := note.NewVerifier(text)
		if err != nil || public.Name() != "wardseal/audit/"+k.ID || checks.KeyHash() != public.KeyHash() {
			t.Errorf("%v %v", text, err)
		}
		if _, err := note.Open(signed, note.VerifierList(public)); err != nil {
			t.Error(err)
		}
		bad := k
		bad.Public = make([]byte, len(k.Public))
		if _, err := keyring.Open(f.roots, []media.SealedKey{bad}, time.Now); err == nil {
			t.Error("a public half that does not fit is taken")
		}
	}
	empty, err := keyring.Open(f.roots, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := empty.CheckpointKey(); !errors.Is(err, keyring.ErrNotWhole) {
		t.Errorf("without a key: %v", err)
	}
}
