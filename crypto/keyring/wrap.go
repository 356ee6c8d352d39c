package keyring

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/wardseal/wardseal/crypto/seal"
	"github.com/wardseal/wardseal/internal/media"
)

// Version bytes of what is kept, so that a later form can be told apart.
const (
	wrapVersion  = 1
	fieldVersion = 1
)

// Wrap encrypts the identity of one rendition under this month's
// key-encryption key (XChaCha20-Poly1305, random nonce), bound to the item, the
// rendition, the format and the key.
func (r *Ring) Wrap(item media.ItemID, rendition media.Rendition, f media.Format, id seal.Identity) (media.WrappedKey, error) {
	k := r.keys.Load()
	now := Period(r.clock())
	kek := k.current("", now)
	if kek == "" {
		return media.WrappedKey{}, fmt.Errorf("%w: no key-encryption key up to %s", ErrNotWhole, now)
	}
	secret := id.Reveal()
	if secret == "" {
		return media.WrappedKey{}, seal.ErrIdentity
	}
	w := media.WrappedKey{Item: item, Rendition: rendition, KEK: kek}
	var err error
	w.Wrapped, err = box(wrapVersion, k.kek[kek], wrapPlace(w, f), []byte(secret))
	return w, err
}

// Unwrap is the inverse of Wrap: ErrWrongKey when the row is not the one that
// was wrapped.
func (r *Ring) Unwrap(w media.WrappedKey, f media.Format) (seal.Identity, error) {
	secret, err := r.unwrap(w, f)
	if err != nil {
		return seal.Identity{}, err
	}
	defer clear(secret)
	id, err := seal.ParseIdentity(string(secret))
	if err != nil {
		return seal.Identity{}, fmt.Errorf("%w: %v", ErrWrongKey, err)
	}
	return id, nil
}

// unwrap gives the identity as text. A key that another server has made since
// the ring was read is read first.
func (r *Ring) unwrap(w media.WrappedKey, f media.Format) ([]byte, error) {
	kek, ok := r.keys.Load().kek[w.KEK]
	if !ok {
		r.readAgain()
		kek, ok = r.keys.Load().kek[w.KEK]
	}
	if !ok {
		return nil, fmt.Errorf("%w: its key-encryption key is not known here", ErrWrongKey)
	}
	return unbox(wrapVersion, kek, wrapPlace(w, f), w.Wrapped)
}

// Rewrap takes the identity of a rendition from the key-encryption key that
// wraps it to the newest one: the object and its identity stay as they are.
func (r *Ring) Rewrap(w media.WrappedKey, f media.Format) (media.WrappedKey, error) {
	secret, err := r.unwrap(w, f)
	if err != nil {
		return w, err
	}
	defer clear(secret)
	k := r.keys.Load()
	if w.KEK = k.current("", Period(r.clock())); w.KEK == "" {
		return w, ErrNotWhole
	}
	w.Wrapped, err = box(wrapVersion, k.kek[w.KEK], wrapPlace(w, f), secret)
	return w, err
}

func wrapPlace(w media.WrappedKey, f media.Format) []byte {
	return encode("wardseal item key v1", string(w.Item), string(w.Rendition), f.String(), w.KEK)
}

// padTo is what sealed texts are padded to, so that lengths tell little.
const padTo = 32

// SealField encrypts a text bound to one column of one row. An empty text is
// sealed too: that a note is missing is nobody's business.
func (r *Ring) SealField(table, column, row string, text []byte) (media.Sealed, error) {
	k := r.keys.Load()
	if k.newField == "" {
		return nil, fmt.Errorf("%w: no field key", ErrNotWhole)
	}
	if len(text) > 1<<20 {
		return nil, fmt.Errorf("a field of %d bytes is over the limit", len(text))
	}
	padded := make([]byte, (4+len(text)+padTo-1)/padTo*padTo)
	binary.BigEndian.PutUint32(padded, uint32(len(text)))
	copy(padded[4:], text)
	b, err := box(fieldVersion, k.field[k.newField], fieldPlace(table, column, row, k.newField), padded)
	if err != nil {
		return nil, err
	}
	return append(encode(k.newField), b...), nil
}

// OpenField is the inverse of SealField: ErrWrongKey when the field was sealed
// for another place or was tampered with.
func (r *Ring) OpenField(table, column, row string, s media.Sealed) ([]byte, error) {
	const idBytes = 36 // a UUID
	if len(s) < 4+idBytes || binary.BigEndian.Uint32(s) != idBytes {
		return nil, ErrWrongKey
	}
	id := string(s[4 : 4+idBytes])
	key, ok := r.keys.Load().field[id]
	if !ok {
		return nil, fmt.Errorf("%w: its field key is not known here", ErrWrongKey)
	}
	padded, err := unbox(fieldVersion, key, fieldPlace(table, column, row, id), s[4+idBytes:])
	if err != nil {
		return nil, err
	}
	if len(padded) < 4 {
		return nil, ErrWrongKey
	}
	n := binary.BigEndian.Uint32(padded)
	if int64(n) > int64(len(padded)-4) || len(bytes.Trim(padded[4+n:], "\x00")) != 0 {
		return nil, ErrWrongKey
	}
	return padded[4 : 4+n], nil
}

func fieldPlace(table, column, row, key string) []byte {
	return encode("wardseal field v1", table, column, row, key)
}

// box is version, nonce and ciphertext.
func box(version byte, key, place, plain []byte) ([]byte, error) {
	c, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1+c.NonceSize(), 1+c.NonceSize()+len(plain)+c.Overhead())
	out[0] = version
	if _, err := rand.Read(out[1:]); err != nil {
		return nil, err
	}
	return c.Seal(out, out[1:], plain, place), nil // #nosec G407 -- the nonce was drawn just now
}

func unbox(version byte, key, place, b []byte) ([]byte, error) {
	var c cipher.AEAD
	c, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	if len(b) < 1+c.NonceSize()+c.Overhead() || b[0] != version {
		return nil, ErrWrongKey
	}
	plain, err := c.Open(nil, b[1:1+c.NonceSize()], b[1+c.NonceSize():], place)
	if err != nil {
		return nil, ErrWrongKey
	}
	return plain, nil
}
