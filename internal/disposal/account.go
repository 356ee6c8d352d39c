package disposal

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/internal/retention"
	"github.com/wardseal/wardseal/storage/blob"
)

// Accounts is where the account of every batch is kept outside the database,
// so that restoring an old backup brings nothing back.
const Accounts = "disposals/"

const (
	startName       = "/start.json"
	certificateName = "/certificate.json"
)

// StartKey is where it stands what a batch is about to destroy.
func StartKey(id retention.BatchID) blob.Key { return blob.Key(Accounts + string(id) + startName) }

// CertificateKey is where it stands what a batch has destroyed.
func CertificateKey(id retention.BatchID) blob.Key {
	return blob.Key(Accounts + string(id) + certificateName)
}

// AccountOf gives the batch that an object is an account of; false for an
// object that is none.
func AccountOf(key blob.Key) (retention.BatchID, bool) {
	text, _, _ := strings.Cut(strings.TrimPrefix(string(key), Accounts), "/")
	id := retention.BatchID(text)
	return id, media.ValidID(text) && (key == StartKey(id) || key == CertificateKey(id))
}

// MostAccount is how long an account may be.
const MostAccount = maxDocument

// CheckAccount reports whether an account is what this deployment signed for
// that place: whoever put it there.
func CheckAccount(ring *keyring.Ring, key blob.Key, signed []byte) error {
	id, ok := AccountOf(key)
	if !ok {
		return keyring.ErrDocument
	}
	kind := kindStart
	if key == CertificateKey(id) {
		kind = kindCertificate
	}
	_, err := verifyAccount(ring, kind, id, signed)
	return err
}

// verifyAccount opens an account. One that is of another kind or another batch
// is refused.
func verifyAccount(ring *keyring.Ring, kind string, id retention.BatchID, signed []byte) ([]byte, error) {
	text, err := ring.VerifyOwn(kind, signed)
	if err != nil {
		return nil, err
	}
	var of struct{ Batch retention.BatchID }
	if err := json.Unmarshal(text, &of); err != nil || of.Batch != id {
		return nil, fmt.Errorf("it is of another batch: %w", keyring.ErrDocument)
	}
	return text, nil
}
