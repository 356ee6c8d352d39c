package keyring

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrDocument means that a document was not signed by the key given as the
// kind that was asked for, or was changed since.
var ErrDocument = errors.New("the signature does not verify")

// document is a signed text of a kind. The text inside is signed byte for
// byte, as it stands between the braces.
type document struct {
	Kind      string          `json:"kind"`
	Document  json.RawMessage `json:"document"`
	Key       string          `json:"key"`
	Public    string          `json:"public"` // hexadecimal; whoever verifies must know it from elsewhere
	Signature string          `json:"signature"`
}

// documentContext separates the signatures of one kind from those of another,
// and from manifests (Ed25519ctx, RFC 8032 section 5.1).
func documentContext(kind string) string { return "wardseal document " + kind + " v1" }

// SignDocument signs a JSON text, as a kind such as "disposal certificate",
// with the key that signs manifests. VerifyDocument checks it offline.
func (r *Ring) SignDocument(kind string, text []byte) ([]byte, error) {
	k := r.keys.Load()
	if k.manifest == nil {
		return nil, fmt.Errorf("%w: no manifest key", ErrNotWhole)
	}
	if !json.Valid(text) {
		return nil, errors.New("a document to sign is JSON")
	}
	sig, err := k.manifest.Sign(nil, text, &ed25519.Options{Context: documentContext(kind)})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	public, ok := k.manifest.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the manifest key is not Ed25519")
	}
	return json.Marshal(document{kind, text, k.signer, hex.EncodeToString(public), hex.EncodeToString(sig)})
}

// VerifyDocument checks a document against the public half of the key that
// must have signed it and gives the text, or ErrDocument.
func VerifyDocument(public ed25519.PublicKey, kind string, signed []byte) ([]byte, error) {
	var d document
	if err := strict(signed, &d); err != nil || d.Kind != kind || len(public) != ed25519.PublicKeySize {
		return nil, ErrDocument
	}
	sig, err := hex.DecodeString(d.Signature)
	if err != nil || ed25519.VerifyWithOptions(public, d.Document, sig, &ed25519.Options{Context: documentContext(kind)}) != nil {
		return nil, ErrDocument
	}
	return d.Document, nil
}

// VerifyOwn checks a document that this deployment should have signed.
func (r *Ring) VerifyOwn(kind string, signed []byte) ([]byte, error) {
	k := r.keys.Load()
	if k.manifest == nil {
		return nil, fmt.Errorf("%w: no manifest key", ErrNotWhole)
	}
	public, ok := k.manifest.Public().(ed25519.PublicKey)
	if !ok {
		return nil, ErrDocument
	}
	return VerifyDocument(public, kind, signed)
}
