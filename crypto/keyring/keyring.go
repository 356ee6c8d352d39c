// Package keyring holds the keys above the items: it wraps item identities,
// seals database fields, makes keyed hashes for lookups, and signs manifests.
//
// At the top is a root identity, which never enters the database, and an
// escrow recipient, whose identity stays offline. Below are the ring's keys,
// each an age file to both: so the database alone opens nothing, and a lost
// root can be recovered from escrow. Below those is one age identity for each
// rendition, wrapped by the key-encryption key of the month it was made in.
//
// Everything wrapped or sealed is bound to its place (table, column, row; or
// item, rendition, format), so that a row moved elsewhere does not open.
package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"github.com/wardseal/wardseal/internal/media"
)

// The purposes of the ring's keys. There is a key-encryption key for each
// month and one of each of the others.
const (
	PurposeKEK      = "kek"      // wraps item identities
	PurposeIndex    = "index"    // keyed hashes, to find patients without their numbers
	PurposeField    = "field"    // seals free text and details
	PurposeManifest = "manifest" // signs the manifest of each item
	PurposeIntake   = "intake"   // what phones encrypt to before they send

	PurposeCheckpoint = "checkpoint" // signs the head of the audit tree
)

const keyBytes = 32

var (
	// ErrWrongKey means that something does not open here: it was made for
	// another place or by another key, or it was tampered with.
	ErrWrongKey = errors.New("it does not open with this key in this place")
	// ErrNotWhole means that the ring lacks a key that the operation needs.
	ErrNotWhole = errors.New("the keyring is not whole")
)

// Need is a key that the ring lacks.
type Need struct{ Purpose, Period string }

// Period is the month that a key-encryption key is made for, such as
// "2026-11".
func Period(t time.Time) string { return t.UTC().Format("2006-01") }

// Mint makes a key for the ring, sealed to the roots and to escrow. Its period
// is the month of a key-encryption key and "" for the others; the key that
// takes the place of another has what Renewed gives.
func Mint(roots Roots, escrow []Recipient, n Need, now time.Time) (media.SealedKey, error) {
	if len(roots.ids) == 0 || len(escrow) == 0 {
		return media.SealedKey{}, errors.New("a key needs a root and an escrow recipient")
	}
	if !n.valid() {
		return media.SealedKey{}, fmt.Errorf("no key is made for %q in %q", n.Purpose, n.Period)
	}
	secret, err := mintSecret(n.Purpose)
	if err != nil {
		return media.SealedKey{}, err
	}
	defer clear(secret)
	k := media.SealedKey{ID: uuid.Must(uuid.NewV7()).String(), Purpose: n.Purpose, Period: n.Period, CreatedAt: now.UTC()}
	switch n.Purpose {
	case PurposeManifest, PurposeCheckpoint:
		k.Public = ed25519.NewKeyFromSeed(secret).Public().(ed25519.PublicKey)
	case PurposeIntake:
		id, err := age.ParseHybridIdentity(string(secret))
		if err != nil {
			return media.SealedKey{}, errors.New("the intake identity made just now cannot be read")
		}
		k.Public = []byte(id.Recipient().String())
	}
	k.Sealed, err = sealKey(k, secret, roots, escrow)
	return k, err
}

func purposes() []string {
	return []string{PurposeKEK, PurposeIndex, PurposeField, PurposeManifest, PurposeIntake, PurposeCheckpoint}
}

// mintSecret makes the secret of a key: random bytes or, for the intake, an age
// identity as text.
func mintSecret(purpose string) ([]byte, error) {
	if purpose == PurposeIntake {
		id, err := age.GenerateHybridIdentity()
		if err != nil {
			return nil, fmt.Errorf("make an identity: %w", err)
		}
		return []byte(id.String()), nil
	}
	secret := make([]byte, keyBytes)
	_, err := rand.Read(secret)
	return secret, err
}

// identify is the head of a sealed key's plaintext. It binds the key to its
// row, so that the keys of two purposes cannot change places.
func identify(k media.SealedKey) []byte {
	return encode("wardseal key v1", k.ID, k.Purpose, k.Period)
}

// Ring is the opened keys. It is safe for concurrent use.
type Ring struct {
	roots Roots
	clock func() time.Time
	keys  atomic.Pointer[keys]
	again again
}

type keys struct {
	seen     map[Need]bool
	kek      map[string][]byte // by key ID
	periods  map[string]string // period to key ID
	index    []byte
	field    map[string][]byte
	newField string
	manifest ed25519.PrivateKey
	signer   string              // ID of the manifest key
	intake   *age.HybridIdentity // what phones are told; the newest
	intakeID string
	intakes  []age.Identity // every one that still opens what it was told

	checkpoint note.Signer
	checks     note.Verifier // the public half
}

// Open opens a ring. It fails when any key does not open: a deployment that
// has lost one must not go on without noticing. clock says which month it is.
func Open(roots Roots, sealed []media.SealedKey, clock func() time.Time) (*Ring, error) {
	r := &Ring{roots: roots, clock: clock}
	return r, r.Load(sealed)
}

// Load replaces the ring's keys with those given, all or none, so that keys
// made by another server become known.
func (r *Ring) Load(sealed []media.SealedKey) error {
	k := &keys{seen: map[Need]bool{}, kek: map[string][]byte{}, periods: map[string]string{}, field: map[string][]byte{}}
	for _, s := range sealed {
		secret, err := r.roots.unseal(s)
		if err != nil {
			return fmt.Errorf("key %s (%s %s): %w", s.ID, s.Purpose, s.Period, err)
		}
		if err := k.add(s, secret); err != nil {
			return err
		}
	}
	r.keys.Store(k)
	return nil
}

func (k *keys) add(s media.SealedKey, secret []byte) error {
	n := Need{s.Purpose, s.Period}
	if !n.valid() {
		return fmt.Errorf("key %s: purpose %q with period %q is not known", s.ID, s.Purpose, s.Period)
	}
	if k.seen[n] {
		return fmt.Errorf("key %s: there are two keys for %s %s", s.ID, s.Purpose, s.Period)
	}
	k.seen[n] = true
	switch s.Purpose {
	case PurposeKEK:
		k.kek[s.ID], k.periods[s.Period] = secret, s.ID
	case PurposeIndex:
		k.index = secret
	case PurposeField:
		k.field[s.ID], k.newField = secret, s.ID
	case PurposeManifest:
		k.manifest, k.signer = ed25519.NewKeyFromSeed(secret), s.ID
		if !bytes.Equal(s.Public, k.manifest.Public().(ed25519.PublicKey)) {
			return fmt.Errorf("key %s: its public half does not fit", s.ID)
		}
	case PurposeCheckpoint:
		var err error
		if k.checkpoint, k.checks, err = checkpointKey(s, secret); err != nil {
			return fmt.Errorf("key %s: %w", s.ID, err)
		}
	case PurposeIntake:
		id, err := age.ParseHybridIdentity(string(secret))
		if err != nil || string(s.Public) != id.Recipient().String() {
			return fmt.Errorf("key %s: its public half does not fit", s.ID)
		}
		k.intakes = append(k.intakes, id)
		if newest := k.newest(PurposeIntake); newest == s.Period {
			k.intake, k.intakeID = id, s.ID
		}
	}
	return nil
}

// Missing lists what must be made before the ring is whole for a month, or, when
// no month is given, for now with whatever key-encryption key there is so far.
func (r *Ring) Missing(period string) []Need {
	k, out := r.keys.Load(), []Need(nil)
	if k.index == nil {
		out = append(out, Need{Purpose: PurposeIndex})
	}
	if k.newField == "" {
		out = append(out, Need{Purpose: PurposeField})
	}
	if k.manifest == nil {
		out = append(out, Need{Purpose: PurposeManifest})
	}
	if k.intake == nil {
		out = append(out, Need{Purpose: PurposeIntake})
	}
	if k.checkpoint == nil {
		out = append(out, Need{Purpose: PurposeCheckpoint})
	}
	from, to := period, period
	if period == "" {
		to = Period(r.clock())
	}
	if k.current(from, to) == "" {
		out = append(out, Need{Purpose: PurposeKEK, Period: period})
	}
	return out
}

// Index is the keyed hash (HMAC-SHA-256) of a value under a label, by which a
// row is found without its plaintext. It panics on a ring without an index key,
// which Missing tells.
func (r *Ring) Index(label string, value []byte) []byte {
	k := r.keys.Load()
	if k.index == nil {
		panic(ErrNotWhole)
	}
	h := hmac.New(sha256.New, k.index)
	h.Write(encode("wardseal index v1", label))
	h.Write(value)
	return h.Sum(nil)
}

// encode joins parts so that no two lists of parts give the same bytes.
func encode(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, byte(len(p)>>24), byte(len(p)>>16), byte(len(p)>>8), byte(len(p)))
		b = append(b, p...)
	}
	return b
}
