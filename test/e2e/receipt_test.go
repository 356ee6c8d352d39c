package e2e

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/wardseal/wardseal/crypto/keyring"
)

// The receipt of an item is signed, and a change of one letter shows.
func TestReceiptIsSigned(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	id := h.filed()
	a := h.as("nurse").must("GET", "/items/"+id+"/receipt", http.StatusOK, nil)
	var doc map[string]json.RawMessage
	a.into(t, &doc)
	receipt := doc["receipt"]
	delete(doc, "receipt")
	signed, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := h.sys.Store.SealedKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var public ed25519.PublicKey
	for _, k := range keys {
		if k.Purpose == keyring.PurposeManifest {
			public = k.Public
		}
	}
	var spaced bytes.Buffer
	if err := json.Indent(&spaced, receipt, "", "  "); err != nil {
		t.Fatal(err)
	}
	m, err := keyring.VerifyReceipt(public, spaced.Bytes(), signed)
	if err != nil || string(m.Item) != id {
		t.Errorf("%v, %+v", err, m)
	}
	forged := bytes.Replace(receipt, []byte("EXIF GPS position"), []byte("EXIF GPS positiom"), 1)
	if bytes.Equal(forged, receipt) {
		t.Fatalf("there is no position in %s", receipt)
	}
	if _, err := keyring.VerifyReceipt(public, forged, signed); err == nil {
		t.Error("a changed receipt verifies")
	}
	if a := h.as("outsider").ask("GET", "/items/"+id+"/receipt", nil); a.status != http.StatusNotFound {
		t.Errorf("an outsider gets %d", a.status)
	}
}
