package fsck

import (
	"errors"
	"fmt"
	"io"

	"github.com/wardseal/wardseal/crypto/keyring"
	"github.com/wardseal/wardseal/internal/media"
	"github.com/wardseal/wardseal/storage/meta"
)

// Genuine reads an object to its end and reports whether it is what its row,
// its key and, of an original, its manifest say.
func Genuine(ring *keyring.Ring, k meta.Kept, r io.Reader) error {
	if k.Key.Wrapped == nil {
		return errors.New("its wrapped key is not there")
	}
	id, err := ring.Unwrap(k.Key, k.Format)
	if err != nil {
		return fmt.Errorf("its wrapped key: %w", err)
	}
	var says string
	m, bad := (&Checker{Ring: ring}).manifest(k, func(_ Kind, format string, a ...any) *Finding {
		says = fmt.Sprintf(format, a...)
		return &Finding{}
	})
	if len(bad) > 0 {
		return errors.New(says)
	}
	got, err := Authenticate(r, k.ObjectBytes, id)
	if err != nil {
		return err
	}
	if got.bytes != k.Bytes || m == nil && k.Rendition == media.Original || m != nil && (m.ObjectSHA256 != got.object || m.PlainSHA256 != got.plain) {
		return errors.New("it opens, and is not what was signed")
	}
	return nil
}
