package keyring_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/keyring"
)

// sealedTo is what a phone makes with the stock format.
func sealedTo(t *testing.T, plain string, to ...age.Recipient) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err == nil {
		_, err = io.WriteString(w, plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestIntakeOpensWhatWasSealedToItAlone(t *testing.T) {
	f := setUp(t)
	text, id, err := f.ring.Intake()
	if err != nil || id == "" {
		t.Fatal(id, err)
	}
	to, err := age.ParseHybridRecipient(text)
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Repeat("a form ", 50_000)
	whole := sealedTo(t, plain, to)
	open := func(b []byte) (string, error) {
		r, err := f.ring.OpenIntake(bytes.NewReader(b))
		if err != nil {
			return "", err
		}
		got, err := io.ReadAll(r)
		return string(got), err
	}
	if got, err := open(whole); err != nil || got != plain {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := f.ring.SealedToIntake(whole[:keyring.IntakeHeadBytes]); err != nil {
		t.Errorf("by its head: %v", err)
	}
	if _, err := open(whole[:len(whole)-1]); err == nil {
		t.Error("a file without its last byte passes")
	}

	other, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	bent := bytes.Clone(whole)
	bent[keyring.IntakeHeadBytes-30] ^= 1
	for name, b := range map[string][]byte{
		"nothing":       nil,
		"a short head":  whole[:keyring.IntakeHeadBytes-1],
		"plaintext":     []byte(plain),
		"to another":    sealedTo(t, plain, other.Recipient()),
		"to two":        sealedTo(t, plain, to, other.Recipient()),
		"a bent header": bent,
	} {
		if _, err := open(b); !errors.Is(err, keyring.ErrWrongKey) {
			t.Errorf("%s: %v", name, err)
		}
	}

	// The private half is nowhere in what the database holds, and another's
	// public half beside it is noticed.
	for _, k := range f.sealed {
		if k.Purpose != keyring.PurposeIntake {
			continue
		}
		if string(k.Public) != text || bytes.Contains(k.Sealed, []byte("AGE-SECRET-KEY")) {
			t.Error("the row of the intake key is not what it should be")
		}
		k.Public = []byte(other.Recipient().String())
		if _, err := keyring.Open(f.roots, append(f.sealed[:0:0], k), clock); err == nil {
			t.Error("another's recipient passes for the intake")
		}
	}
	empty, err := keyring.Open(f.roots, nil, clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := empty.Intake(); !errors.Is(err, keyring.ErrNotWhole) {
		t.Errorf("an empty ring has an intake: %v", err)
	}
}
