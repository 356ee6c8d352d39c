package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/archive"
)

func mint(t *testing.T) (archive.Identities, archive.Recipients, string) {
	t.Helper()
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	ids, to, err := archive.ParseIdentities("# a comment\n\n" + id.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return ids, to, id.String()
}

func TestPartsOpenForEachRecipient(t *testing.T) {
	one, toOne, secret := mint(t)
	two, toTwo, _ := mint(t)
	stranger, _, _ := mint(t)
	plain := bytes.Repeat([]byte("a row\n"), 10_000)
	to := toOne.And(toTwo).And(toOne)
	if to.Len() != 2 || to.Name() != toTwo.And(toOne).Name() || to.Name() == toOne.Name() {
		t.Error("a set of recipients is not told by who they are")
	}
	sealed, err := to.Seal(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, ids := range []archive.Identities{one, two} {
		if got, err := ids.Open(sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if _, err := stranger.Open(sealed); !errors.Is(err, archive.ErrIdentity) {
		t.Errorf("a stranger: %v", err)
	}
	for i := range sealed {
		x := bytes.Clone(sealed)
		x[i] ^= 1
		if got, err := one.Open(x); err == nil || got != nil {
			t.Fatalf("bit at %d: %d bytes, %v", i, len(got), err)
		}
	}
	for i := range sealed {
		if i%61 == 0 {
			if _, err := one.Open(sealed[:i]); err == nil {
				t.Fatalf("cut at %d: opened", i)
			}
		}
	}
	if said := fmt.Sprintf("%v %+v %#v %s", one, one, one, one); strings.Contains(said, secret[20:40]) || strings.Contains(said, "0x") {
		t.Error(said)
	}
	if _, err := (archive.Recipients{}).Seal(plain); err == nil {
		t.Error("sealed to nobody")
	}
	if _, err := archive.ParseRecipients("age1notone"); err == nil || strings.Contains(err.Error(), "age1notone") {
		t.Errorf("no recipient: %v", err)
	}
}
