// Package seal turns one clean rendition into one encrypted object, and back.
//
// An object is a complete age file (age-encryption.org/v1, C2SP age.md) to one
// post-quantum hybrid recipient, so that the stock age command opens it when
// given the rendition's Identity. Every rendition has an Identity of its own:
// destroying it destroys the rendition, and putting one object in the place of
// another is refused because the identity does not fit.
//
// It promises that nothing but a clean.Media can be encrypted, that a file
// which could not be read to its end never becomes a complete object, and that
// no byte is given out that was not authenticated. DecryptAll authenticates the
// whole; a File authenticates its length at once and each chunk of 64 KiB as
// it is read. Objects with any other header than the one written here are
// refused before a key is tried on them.
//
// age says nothing of who encrypted: that is the manifest's part, in
// crypto/keyring.
package seal

import (
	"errors"
	"fmt"
	"log/slog"

	"filippo.io/age"
)

var (
	// ErrIdentity means that the identity is missing or malformed.
	ErrIdentity = errors.New("not an item identity")
	// ErrRefused means that the object was not made for this identity, or was
	// damaged, cut or tampered with. Which of these it was is not told apart.
	ErrRefused = errors.New("the object was refused")
)

// Identity is the age post-quantum hybrid identity of one rendition: the
// secret that opens its object. It never prints: every verb of fmt, slog and
// encoding/json give "[redacted]". The zero Identity opens nothing. It is
// immutable and safe for concurrent use.
type Identity struct{ key *age.HybridIdentity }

// Mint makes a new random identity.
func Mint() (Identity, error) {
	k, err := age.GenerateHybridIdentity()
	if err != nil {
		return Identity{}, fmt.Errorf("mint an identity: %w", err)
	}
	return Identity{k}, nil
}

// ParseIdentity reads what Reveal gave. Identities of any other kind, such as
// X25519, are refused with ErrIdentity; the error does not repeat the text.
func ParseIdentity(text string) (Identity, error) {
	k, err := age.ParseHybridIdentity(text)
	if err != nil {
		return Identity{}, ErrIdentity // age's own error may quote the text
	}
	return Identity{k}, nil
}

// Reveal gives the identity's text, "AGE-SECRET-KEY-PQ-1…", as the stock age
// command takes it. It is empty for the zero Identity.
func (id Identity) Reveal() string {
	if id.key == nil {
		return ""
	}
	return id.key.String()
}

const redacted = "[redacted]"

// String redacts the identity.
func (Identity) String() string { return redacted }

// GoString redacts the identity.
func (Identity) GoString() string { return redacted }

// Format redacts the identity under every verb.
func (Identity) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue redacts the identity.
func (Identity) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts the identity, for encoding/json too.
func (Identity) MarshalText() ([]byte, error) { return []byte(redacted), nil }
