// Package token makes the secrets that a browser or a program carries: those
// of sessions, API tokens, links, invitations, visits and tickets, and of what waits for its second half. Only their hashes are stored, so a stolen
// database opens nothing.
//
// A secret is a prefix that names its kind (so that scanners find leaked
// ones), 256 random bits, and a checksum that tells a mistyped or cut secret
// from a wrong one without asking the database.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"slices"
	"strings"
)

// Kind says what a secret is for; it is the secret's prefix.
type Kind string

const (
	Session Kind = "wss_"
	API     Kind = "wst_"
	Link    Kind = "wsl_"
	Half    Kind = "wsh_" // what waits for its second half, such as a sign-in

	Invitation Kind = "wsi_"
	Visit      Kind = "wsv_"
	Ticket     Kind = "wsp_" // to choose a password
)

// ErrMalformed means that a text has not the form of a secret made here. It
// never repeats the text.
var ErrMalformed = errors.New("not a Wardseal secret")

const (
	randomBytes = 32
	bodyChars   = (randomBytes + crc32.Size) * 4 / 3 // 36 bytes: no padding
)

// Secret is the secret itself. It prints as "[redacted]" everywhere; Reveal
// gives the text.
type Secret string

// Reveal gives the text, to hand to its owner once.
func (s Secret) Reveal() string { return string(s) }

// String redacts the secret.
func (Secret) String() string { return "[redacted]" }

// GoString redacts the secret.
func (Secret) GoString() string { return "[redacted]" }

// Format redacts the secret under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// LogValue redacts the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText redacts the secret, for encoding/json too.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Mint makes a new random secret and the hash to store.
func Mint(k Kind) (Secret, []byte) {
	b := make([]byte, randomBytes, randomBytes+crc32.Size)
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand documents that it never fails
	}
	b = binary.BigEndian.AppendUint32(b, checksum(k, b))
	s := Secret(string(k) + base64.RawURLEncoding.EncodeToString(b))
	return s, hashOf(s)
}

// Hash gives what is stored of a secret of one of the kinds, or ErrMalformed.
func Hash(text string, kinds ...Kind) ([]byte, error) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return strings.HasPrefix(text, string(k)) })
	if i < 0 || len(text) != len(kinds[i])+bodyChars {
		return nil, ErrMalformed
	}
	k, body := kinds[i], text[len(kinds[i]):]
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || binary.BigEndian.Uint32(b[randomBytes:]) != checksum(k, b[:randomBytes]) {
		return nil, ErrMalformed
	}
	return hashOf(Secret(text)), nil
}

// checksum is no protection, only a sieve for slips.
func checksum(k Kind, b []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(k)), crc32.IEEETable, b)
}

// hashOf is plain SHA-256: a secret of 256 random bits needs no slow hash.
func hashOf(s Secret) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}
