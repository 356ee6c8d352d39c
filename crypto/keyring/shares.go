package keyring

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

// An escrow identity can be given to several people, of whom a few together
// open what it opens: a random scalar is shared out by Shamir's scheme, and the
// identity is sealed under it. Each share carries the sealed identity, so that
// shares alone are enough. Too few of them tell nothing of either.

const (
	shareVersion = 1
	shareKit     = 8 // bytes that tell the shares of one splitting from others
	shareSum     = 4 // bytes against slips of the pen
	shareValue   = 32
	maxShares    = 16
)

// ErrShare means that a text is not a whole share.
var ErrShare = errors.New("this is not a whole share: copy every line of it, and look for letters that were misread")

// Share is one of the parts that an escrow identity was split into. It never
// prints; Reveal gives its text.
type Share struct {
	// Number is which share it is, from 1; Needed is how many together open.
	Number, Needed int

	kit    [shareKit]byte
	value  [shareValue]byte
	sealed []byte
}

// Format redacts the share under every verb.
func (Share) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// SplitEscrow splits an escrow identity (AGE-SECRET-KEY-PQ-1…) into shares of
// which any needed are enough.
func SplitEscrow(identity string, shares, needed int) ([]Share, error) {
	if needed < 2 || shares < needed || shares > maxShares {
		return nil, fmt.Errorf("an identity is split into 2 to %d shares, of which at least 2 are needed", maxShares)
	}
	if _, err := LoadRoots(strings.NewReader(identity)); err != nil {
		return nil, err
	}
	secret := group.Ristretto255.RandomNonZeroScalar(rand.Reader)
	key, err := shareKey(secret)
	if err != nil {
		return nil, err
	}
	sealed, err := box(shareVersion, key, []byte("wardseal escrow v1"), []byte(strings.TrimSpace(identity)))
	if err != nil {
		return nil, err
	}
	kit := sha256.Sum256(sealed)
	var out []Share
	// The library counts the parties that may be corrupted: one fewer than open.
	for i, part := range secretsharing.New(rand.Reader, uint(needed-1), secret).Share(uint(shares)) {
		value, err := part.Value.MarshalBinary()
		if err != nil || len(value) != shareValue {
			return nil, errors.New("a share cannot be written down")
		}
		out = append(out, Share{Number: i + 1, Needed: needed, kit: [shareKit]byte(kit[:]), value: [shareValue]byte(value), sealed: sealed})
	}
	return out, nil
}

// JoinEscrow gives the identity back from enough shares of one splitting.
func JoinEscrow(shares []Share) (Roots, error) {
	if len(shares) == 0 {
		return Roots{}, errors.New("there is no share")
	}
	first, seen, parts := shares[0], map[int]bool{}, []secretsharing.Share(nil)
	for _, s := range shares {
		if s.kit != first.kit || s.Needed != first.Needed {
			return Roots{}, fmt.Errorf("share %d is of another splitting than share %d", s.Number, first.Number)
		}
		if seen[s.Number] {
			continue
		}
		seen[s.Number] = true
		value := group.Ristretto255.NewScalar()
		if err := value.UnmarshalBinary(s.value[:]); err != nil {
			return Roots{}, ErrShare
		}
		parts = append(parts, secretsharing.Share{ID: group.Ristretto255.NewScalar().SetUint64(uint64(s.Number)), Value: value})
	}
	if len(parts) < first.Needed {
		return Roots{}, fmt.Errorf("%d different shares are needed; there are %d", first.Needed, len(parts))
	}
	secret, err := secretsharing.Recover(uint(first.Needed-1), parts[:first.Needed])
	if err != nil {
		return Roots{}, fmt.Errorf("join the shares: %w", err)
	}
	key, err := shareKey(secret)
	if err != nil {
		return Roots{}, err
	}
	identity, err := unbox(shareVersion, key, []byte("wardseal escrow v1"), first.sealed)
	if err != nil {
		return Roots{}, errors.New("these shares do not open their identity: one of them is not genuine")
	}
	defer clear(identity)
	return LoadRoots(bytes.NewReader(identity))
}

func shareKey(secret group.Scalar) ([]byte, error) {
	b, err := secret.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return hkdf.Key(sha256.New, b, nil, "wardseal escrow share v1", keyBytes)
}

var shareText = base32.StdEncoding.WithPadding(base32.NoPadding)

// Reveal writes a share as text that a person can copy by hand: groups of five
// letters and digits under a line that says what it is.
func (s Share) Reveal() string {
	b := append([]byte{shareVersion, byte(s.Needed), byte(s.Number)}, s.kit[:]...)
	b = append(append(b, s.value[:]...), s.sealed...)
	sum := sha256.Sum256(b)
	text := shareText.EncodeToString(append(b, sum[:shareSum]...))
	var out strings.Builder
	fmt.Fprintf(&out, "# Wardseal escrow share %d. Any %d shares of set %x open everything. Keep it apart from the others.\n", s.Number, s.Needed, s.kit)
	for i := 0; i < len(text); i += 5 {
		end := " "
		if i%50 == 45 || i+5 >= len(text) {
			end = "\n"
		}
		out.WriteString(text[i:min(i+5, len(text))] + end)
	}
	return out.String()
}

// ParseShare reads what Reveal wrote; spaces, line breaks, dashes and the case
// of letters do not matter. ErrShare when anything is missing or misread.
func ParseShare(r io.Reader) (Share, error) {
	var text strings.Builder
	if err := lines(r, func(line string) error {
		text.WriteString(strings.NewReplacer(" ", "", "-", "", "\t", "").Replace(strings.ToUpper(line)))
		return nil
	}); err != nil {
		return Share{}, ErrShare
	}
	b, err := shareText.DecodeString(text.String())
	const head = 3 + shareKit + shareValue
	if err != nil || len(b) <= head+shareSum || b[0] != shareVersion {
		return Share{}, ErrShare
	}
	body, sum := b[:len(b)-shareSum], sha256.Sum256(b[:len(b)-shareSum])
	s := Share{Needed: int(b[1]), Number: int(b[2]), sealed: body[head:]}
	copy(s.kit[:], body[3:])
	copy(s.value[:], body[3+shareKit:])
	kit := sha256.Sum256(s.sealed)
	if !bytes.Equal(sum[:shareSum], b[len(b)-shareSum:]) || !bytes.Equal(kit[:shareKit], s.kit[:]) ||
		s.Number < 1 || s.Number > maxShares || s.Needed < 2 || s.Needed > maxShares {
		return Share{}, ErrShare
	}
	return s, nil
}
