package keyring_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/media"
)

// Any three of five open, any two do not, and what three give is the identity.
func TestEscrowShares(t *testing.T) {
	f := setUp(t)
	made, err := keyring.SplitEscrow(f.escrowText+"\n", 5, 3)
	if err != nil || len(made) != 5 {
		t.Fatalf("%d shares, %v", len(made), err)
	}
	var shares []keyring.Share
	for _, s := range made { // by way of paper, with some slips that do not matter
		text := s.Reveal()
		if strings.Contains(text, "AGE-SECRET") || strings.Contains(fmt.Sprintf("%v %+v %s", s, s, s), fmt.Sprint(s.Needed)+"}") {
			t.Error("a share prints")
		}
		again, err := keyring.ParseShare(strings.NewReader(strings.ToLower(strings.ReplaceAll(text, " ", "-  "))))
		if err != nil {
			t.Fatal(err)
		}
		shares = append(shares, again)
	}
	for set := range 32 {
		var some []keyring.Share
		for i, s := range shares {
			if set>>i&1 == 1 {
				some = append(some, s)
			}
		}
		got, err := keyring.JoinEscrow(some)
		if enough := len(some) >= 3; (err == nil) != enough {
			t.Errorf("set %05b: %v", set, err)
		} else if enough && strings.TrimSpace(got.Reveal()) != f.escrowText {
			t.Errorf("set %05b gives another identity", set)
		}
	}
	if _, err := keyring.JoinEscrow([]keyring.Share{shares[0], shares[0], shares[0]}); err == nil {
		t.Error("one share opens when it is given three times")
	}
	others, err := keyring.SplitEscrow(f.escrowText, 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.JoinEscrow([]keyring.Share{shares[0], shares[1], others[2]}); err == nil || !strings.Contains(err.Error(), "another splitting") {
		t.Errorf("shares of two splittings: %v", err)
	}
}

// No slip of the pen goes unnoticed, and nonsense is no share.
func TestSharesAreChecked(t *testing.T) {
	f := setUp(t)
	made, err := keyring.SplitEscrow(f.escrowText, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	text := made[0].Reveal()
	head := strings.IndexByte(text, '\n') + 1
	for i := head; i < len(text); i++ {
		if text[i] == ' ' || text[i] == '\n' {
			continue
		}
		other := byte('A')
		if text[i] == other {
			other = 'B'
		}
		if _, err := keyring.ParseShare(strings.NewReader(text[:i] + string(other) + text[i+1:])); err == nil && i < len(text)-2 {
			t.Errorf("letter %d changed: it is taken", i)
		}
	}
	for _, bad := range []string{"", "# only words", text[:len(text)/2], text + "AAAAA", "ÄÖÜ", f.escrowText} {
		if _, err := keyring.ParseShare(strings.NewReader(bad)); !errors.Is(err, keyring.ErrShare) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	for _, c := range [][2]int{{1, 1}, {3, 1}, {2, 3}, {17, 3}, {0, 0}} {
		if _, err := keyring.SplitEscrow(f.escrowText, c[0], c[1]); err == nil {
			t.Errorf("split %v", c)
		}
	}
	if _, err := keyring.SplitEscrow("not an identity", 5, 3); err == nil || strings.Contains(err.Error(), "not an identity") {
		t.Errorf("split nonsense: %v", err)
	}
}

// FuzzParseShare: whatever is typed, a share is whole or refused.
func FuzzParseShare(f *testing.F) {
	made, err := keyring.SplitEscrow(setUp(f).escrowText, 3, 2)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(made[0].Reveal())
	f.Add("AAAAA BBBBB")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := keyring.ParseShare(strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := keyring.ParseShare(strings.NewReader(s.Reveal()))
		if err != nil || again.Reveal() != s.Reveal() {
			t.Errorf("a share that was read is not written again: %v", err)
		}
		_, _ = keyring.JoinEscrow([]keyring.Share{s, made[1]})
	})
}

// A key-encryption key is renewed: what the old one wraps is wrapped anew, the
// identity stays, and a server that has not heard of the new key reads it.
func TestRewrap(t *testing.T) {
	f := setUp(t)
	id, w := f.wrapped(t, "item-1")
	other, err := keyring.Open(f.roots, f.sealed, clock)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyring.Mint(f.roots, f.escrow, keyring.Need{Purpose: keyring.PurposeKEK, Period: keyring.Renewed("2026-11")}, november)
	if err != nil || k.Period != "2026-11.002" {
		t.Fatalf("%q %v", k.Period, err)
	}
	all := append(f.sealed[:len(f.sealed):len(f.sealed)], k)
	if err := f.ring.Load(all); err != nil {
		t.Fatal(err)
	}
	n, err := f.ring.Rewrap(w, media.JPEG)
	if err != nil || n.KEK != k.ID || n.Item != w.Item {
		t.Fatalf("%+v %v", n.KEK, err)
	}
	if got, err := f.ring.Unwrap(n, media.JPEG); err != nil || got.Reveal() != id {
		t.Errorf("after: %v", err)
	}
	if _, err := other.Unwrap(n, media.JPEG); !errors.Is(err, keyring.ErrWrongKey) {
		t.Errorf("a server without the key: %v", err)
	}
	reads := 0
	other.ReadAgain(func() ([]media.SealedKey, error) { reads++; return all, nil })
	if got, err := other.Unwrap(n, media.JPEG); err != nil || got.Reveal() != id {
		t.Errorf("a server that reads the keys again: %v", err)
	}
	n.KEK = "never was"
	for range 10 {
		if _, err := other.Unwrap(n, media.JPEG); !errors.Is(err, keyring.ErrWrongKey) {
			t.Errorf("a key that never was: %v", err)
		}
	}
	if reads != 1 {
		t.Errorf("the keys were read %d times", reads)
	}
	if _, err := f.ring.Rewrap(n, media.JPEG); !errors.Is(err, keyring.ErrWrongKey) {
		t.Errorf("rewrapped from a key that never was: %v", err)
	}
	// The old key is gone: new pictures go on.
	var without []media.SealedKey
	for _, s := range all {
		if s.ID != w.KEK {
			without = append(without, s)
		}
	}
	if err := f.ring.Load(without); err != nil {
		t.Fatal(err)
	}
	if missing := f.ring.Missing("2026-11"); len(missing) != 0 {
		t.Errorf("missing %v", missing)
	}
	if _, w := f.wrapped(t, "item-2"); w.KEK != k.ID {
		t.Error("a new item is not under the new key")
	}
}

// wrapped makes an identity and wraps it.
func (f fixture) wrapped(t *testing.T, item media.ItemID) (string, media.WrappedKey) {
	t.Helper()
	id, err := seal.Mint()
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.ring.Wrap(item, media.Original, media.JPEG, id)
	if err != nil {
		t.Fatal(err)
	}
	return id.Reveal(), w
}

// A root is replaced, and one that is lost is replaced with the help of escrow.
func TestReseal(t *testing.T) {
	f := setUp(t)
	text, _, err := keyring.MintRoot()
	if err != nil {
		t.Fatal(err)
	}
	roots, err := keyring.LoadRoots(strings.NewReader(text + "\n" + f.rootText))
	if err != nil || roots.Len() != 2 {
		t.Fatal(err)
	}
	escrow, err := keyring.LoadRoots(strings.NewReader(f.escrowText))
	if err != nil {
		t.Fatal(err)
	}
	strange, _, _ := keyring.MintRoot()
	stranger, err := keyring.LoadRoots(strings.NewReader(strange))
	if err != nil {
		t.Fatal(err)
	}
	for name, with := range map[string]keyring.Roots{"the old root": f.roots, "escrow": escrow} {
		var sealed []media.SealedKey
		for _, k := range f.sealed {
			if _, err := keyring.Reseal(k, stranger, roots, f.escrow); !errors.Is(err, keyring.ErrWrongKey) {
				t.Errorf("%s: a stranger reseals: %v", name, err)
			}
			k, err := keyring.Reseal(k, with, roots.Newest(), f.escrow)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if keyring.SealedTo(k) != 2 || keyring.OpensWith(k, f.roots) || !keyring.OpensWith(k, escrow) || !keyring.OpensWith(k, roots) {
				t.Errorf("%s: sealed to %d", name, keyring.SealedTo(k))
			}
			sealed = append(sealed, k)
		}
		ring, err := keyring.Open(roots.Newest(), sealed, clock)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if string(ring.Index("x", []byte("y"))) != string(f.ring.Index("x", []byte("y"))) {
			t.Errorf("%s: the keys are not the same", name)
		}
		if _, err := keyring.Open(f.roots, sealed, clock); err == nil {
			t.Errorf("%s: the old root still opens", name)
		}
	}
	if got := roots.Newest().Reveal(); got != text+"\n" {
		t.Error("the newest root is not the first line")
	}
}

// Phones that still hold something to an older intake are heard.
func TestIntakeIsRenewed(t *testing.T) {
	f := setUp(t)
	old := sealedTo(t, "from yesterday", intakeOf(t, f.ring))
	k, err := keyring.Mint(f.roots, f.escrow, keyring.Need{Purpose: keyring.PurposeIntake, Period: keyring.Renewed("")}, november)
	if err != nil {
		t.Fatal(err)
	}
	_, before, _ := f.ring.Intake()
	if err := f.ring.Load(append([]media.SealedKey{k}, f.sealed...)); err != nil { // in whatever order
		t.Fatal(err)
	}
	if _, now, err := f.ring.Intake(); err != nil || now != k.ID || now == before {
		t.Errorf("the intake is %s, %v", now, err)
	}
	for _, b := range [][]byte{old, sealedTo(t, "from today", intakeOf(t, f.ring))} {
		if err := f.ring.SealedToIntake(b[:keyring.IntakeHeadBytes]); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []keyring.Need{{Purpose: keyring.PurposeIndex, Period: ".002"}, {Purpose: keyring.PurposeKEK, Period: "2026-11.2"},
		{Purpose: keyring.PurposeKEK, Period: ".002"}, {Purpose: keyring.PurposeIntake, Period: "2026-11"}, {Purpose: keyring.PurposeKEK, Period: "2026-13"}} {
		if _, err := keyring.Mint(f.roots, f.escrow, n, november); err == nil {
			t.Errorf("made a key for %+v", n)
		}
	}
}

func intakeOf(t *testing.T, r *keyring.Ring) age.Recipient {
	t.Helper()
	text, _, err := r.Intake()
	if err != nil {
		t.Fatal(err)
	}
	to, err := age.ParseHybridRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	return to
}
