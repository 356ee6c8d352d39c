package keyring

import (
	"bytes"
	"crypto/ed25519"
	"testing"
)

// FuzzVerifyDocument: nothing that was changed, or that another key signed,
// passes, and nothing makes the check panic.
func FuzzVerifyDocument(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	r := &Ring{}
	r.keys.Store(&keys{manifest: key, signer: "k"})
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		f.Fatal("not Ed25519")
	}
	good, err := r.SignDocument("kind", []byte(`{"v":1}`))
	if err != nil {
		f.Fatal(err)
	}
	if _, err := VerifyDocument(public, "kind", good); err != nil {
		f.Fatal(err)
	}
	if _, err := VerifyDocument(public, "another kind", good); err == nil {
		f.Fatal("one kind passes for another")
	}
	f.Add(good)
	f.Add(bytes.Replace(good, []byte(`"v":1`), []byte(`"v":2`), 1))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, signed []byte) {
		text, err := VerifyDocument(public, "kind", signed)
		if err == nil && string(text) != `{"v":1}` {
			t.Errorf("%q passes as %q", signed, text)
		}
	})
}
