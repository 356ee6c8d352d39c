package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/wardseal/wardseal/internal/media"
)

// originOf is the name of the audit log whose checkpoints a key signs, and of
// the key itself in the signatures.
func originOf(id string) string { return "wardseal/audit/" + id }

// CheckpointVerifier gives the public half of a key that signs checkpoints, as
// the text that note.NewVerifier reads. It needs no root: this is what an
// auditor writes down on the first day.
func CheckpointVerifier(k media.SealedKey) (string, error) {
	if k.Purpose != PurposeCheckpoint || len(k.Public) != ed25519.PublicKeySize {
		return "", errors.New("this is not a key that signs checkpoints")
	}
	return note.NewEd25519VerifierKey(originOf(k.ID), k.Public)
}

// ed25519Note is the algorithm's number in keys of notes.
const ed25519Note = 1

// checkpointKey makes what signs and what verifies notes of a key's secret.
func checkpointKey(k media.SealedKey, seed []byte) (note.Signer, note.Verifier, error) {
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if !bytes.Equal(k.Public, public) {
		return nil, nil, errors.New("its public half does not fit")
	}
	name := originOf(k.ID)
	sum := sha256.Sum256(append([]byte(name+"\n"), append([]byte{ed25519Note}, public...)...))
	text := fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(append([]byte{ed25519Note}, seed...)))
	signs, err := note.NewSigner(text)
	if err != nil {
		return nil, nil, errors.New("it does not sign notes") // the error may repeat the key
	}
	open, err := CheckpointVerifier(k)
	if err != nil {
		return nil, nil, err
	}
	checks, err := note.NewVerifier(open)
	return signs, checks, err
}

// CheckpointKey gives what signs the checkpoints of the audit tree, and what
// verifies them.
func (r *Ring) CheckpointKey() (note.Signer, note.Verifier, error) {
	k := r.keys.Load()
	if k.checkpoint == nil {
		return nil, nil, fmt.Errorf("%w: no checkpoint key", ErrNotWhole)
	}
	return k.checkpoint, k.checks, nil
}
