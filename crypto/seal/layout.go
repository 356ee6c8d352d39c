package seal

import (
	"bytes"
	"fmt"
	"math"
)

// The layout of an object. A hybrid stanza carries an ML-KEM-768 ciphertext
// with an X25519 share (1,120 bytes) and a wrapped file key (32 bytes), both in
// base64 without padding, so that every header written here has one length and
// its line ends are at fixed places (C2SP age.md, "The mlkem768x25519 recipient
// type"; the body's single line is shorter than 64 columns and so the last).
const (
	intro       = "age-encryption.org/v1\n-> mlkem768x25519 "
	footer      = "--- "
	shareChars  = (1120*8 + 5) / 6
	bodyChars   = (32*8 + 5) / 6
	macChars    = (32*8 + 5) / 6
	bodyAt      = len(intro) + shareChars + 1
	footerAt    = bodyAt + bodyChars + 1
	headerBytes = footerAt + len(footer) + macChars + 1

	nonceBytes = 16
	payloadAt  = int64(headerBytes + nonceBytes)

	chunkBytes = 64 << 10
	tagBytes   = 16
	boxBytes   = chunkBytes + tagBytes // a chunk as encrypted
)

// maxPlain keeps Size from overflowing.
const maxPlain = math.MaxInt64 / 2

// Size is the exact length in bytes of the object that holds plain bytes, so
// that a store can be told beforehand. A plain below 0 or above half of the
// largest int64 has no object, and gives -1.
func Size(plain int64) int64 {
	if plain < 0 || plain > maxPlain {
		return -1
	}
	return payloadAt + plain + tagBytes*max(1, (plain+chunkBytes-1)/chunkBytes)
}

// plainSize is the inverse of Size, or an error where no plaintext has an
// object of this length.
func plainSize(object int64) (int64, error) {
	payload := object - payloadAt
	if payload < tagBytes || object > maxPlain {
		return 0, fmt.Errorf("%w: %d bytes is no length of an object", ErrRefused, object)
	}
	plain := payload - tagBytes*((payload+boxBytes-1)/boxBytes)
	if Size(plain) != object {
		return 0, fmt.Errorf("%w: %d bytes is no length of an object", ErrRefused, object)
	}
	return plain, nil
}

// checkHeader refuses, without any cost, a header that is not of the one shape
// that is written here: one hybrid stanza. The contents are for age to check.
func checkHeader(h []byte) error {
	if len(h) != headerBytes || !bytes.HasPrefix(h, []byte(intro)) || !bytes.HasPrefix(h[footerAt:], []byte(footer)) {
		return fmt.Errorf("%w: not an age file with one hybrid recipient", ErrRefused)
	}
	ends := []int{len("age-encryption.org/v1"), bodyAt - 1, footerAt - 1, headerBytes - 1}
	for i, b := range h {
		if b == '\n' {
			if len(ends) == 0 || ends[0] != i {
				return fmt.Errorf("%w: malformed age header", ErrRefused)
			}
			ends = ends[1:]
		}
	}
	if len(ends) != 0 {
		return fmt.Errorf("%w: malformed age header", ErrRefused)
	}
	return nil
}

// HeadBytes is how long the head of an object is: its header and the nonce
// after it.
const HeadBytes = int(payloadAt)

// CheckHead refuses, without any cost, a head that is not of the one shape
// that is written here, and by others who encrypt to one hybrid recipient.
func CheckHead(head []byte) error {
	if len(head) < HeadBytes {
		return fmt.Errorf("%w: shorter than its header", ErrRefused)
	}
	return checkHeader(head[:headerBytes])
}

// WholeChunks is how many bytes of plaintext the whole chunks hold that are in
// the first n bytes of an object: so much of one that is not all there can be
// authenticated.
func WholeChunks(n int64) int64 { return max(0, n-payloadAt) / boxBytes * chunkBytes }

// ChunkAt is where in an object the chunk begins that holds a byte of the
// plaintext.
func ChunkAt(plain int64) int64 { return payloadAt + plain/chunkBytes*boxBytes }
