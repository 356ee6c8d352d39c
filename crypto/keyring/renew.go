package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/wardseal/wardseal/internal/media"
)

// A key that takes the place of another has the period of the first with a
// generation behind it: "2026-11", then "2026-11.002"; "" then ".002". In the
// order of strings a later one comes after an earlier.

// Renewed is the period of the key that takes the place of the newest one of a
// purpose and, for a key-encryption key, of a month.
func Renewed(newest string) string {
	month, generation, ok := strings.Cut(newest, ".")
	n, err := strconv.Atoi(generation)
	if !ok || err != nil {
		n = 1
	}
	return fmt.Sprintf("%s.%03d", month, n+1)
}

// MonthOf is the month of a key-encryption key's period, whatever its
// generation.
func MonthOf(period string) string {
	month, _, _ := strings.Cut(period, ".")
	return month
}

// valid says whether there are keys of this purpose and period. Keys that only
// sign, find and seal have no second generation.
func (n Need) valid() bool {
	month, generation, renewed := strings.Cut(n.Period, ".")
	if renewed {
		if g, err := strconv.Atoi(generation); err != nil || len(generation) != 3 || g < 2 {
			return false
		}
	}
	switch n.Purpose {
	case PurposeKEK:
		_, err := time.Parse("2006-01", month)
		return err == nil
	case PurposeIntake:
		return month == ""
	}
	return slices.Contains(purposes(), n.Purpose) && n.Period == ""
}

// current is the ID of the newest key-encryption key of the months from and to.
func (k *keys) current(from, to string) string {
	best := ""
	for period := range k.periods { // next month's key may be there already
		if month := MonthOf(period); month >= from && month <= to && period > best {
			best = period
		}
	}
	return k.periods[best]
}

// newest is the last period that there is a key of a purpose for.
func (k *keys) newest(purpose string) string {
	best := ""
	for n := range k.seen {
		if n.Purpose == purpose {
			best = max(best, n.Period)
		}
	}
	return best
}

// sealKey encrypts the secret of a key to the roots and to escrow.
func sealKey(k media.SealedKey, secret []byte, roots Roots, escrow []Recipient) ([]byte, error) {
	var to []age.Recipient
	for _, id := range roots.ids {
		to = append(to, id.Recipient())
	}
	for _, r := range escrow {
		to = append(to, r.r)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err == nil {
		_, err = w.Write(append(identify(k), secret...))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("seal a key: %w", err)
	}
	return out.Bytes(), nil
}

// unseal is the inverse of sealKey, with any one of the roots.
func (r Roots) unseal(s media.SealedKey) ([]byte, error) {
	var ids []age.Identity
	for _, id := range r.ids {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, errors.New("there is no root identity")
	}
	plain, err := age.Decrypt(io.LimitReader(bytes.NewReader(s.Sealed), 64<<10), ids...)
	if err != nil {
		return nil, ErrWrongKey
	}
	b, err := io.ReadAll(io.LimitReader(plain, 4096))
	if err != nil {
		return nil, ErrWrongKey
	}
	secret, ok := bytes.CutPrefix(b, identify(s))
	if !ok || len(secret) != keyBytes && s.Purpose != PurposeIntake {
		return nil, ErrWrongKey
	}
	return secret, nil
}

// Reseal gives a key sealed anew, to other roots and escrow recipients. The
// key itself stays, and so does everything under it. with opens it: the roots
// it was sealed to, or the escrow identity when those are lost.
func Reseal(k media.SealedKey, with, roots Roots, escrow []Recipient) (media.SealedKey, error) {
	if len(roots.ids) == 0 || len(escrow) == 0 {
		return k, errors.New("a key needs a root and an escrow recipient")
	}
	secret, err := with.unseal(k)
	if err != nil {
		return k, fmt.Errorf("key %s (%s %s): %w", k.ID, k.Purpose, k.Period, err)
	}
	defer clear(secret)
	k.Sealed, err = sealKey(k, secret, roots, escrow)
	return k, err
}

// SealedTo counts the recipients of a sealed key: its roots and its escrow
// recipients together. The header of an age file tells no more about them.
func SealedTo(k media.SealedKey) int {
	head, _, _ := bytes.Cut(k.Sealed, []byte("\n---"))
	return bytes.Count(head, []byte("\n-> "))
}

// OpensWith reports whether a key opens with one of these identities.
func OpensWith(k media.SealedKey, ids Roots) bool {
	secret, err := ids.unseal(k)
	clear(secret)
	return err == nil
}

// again is how a ring gets to know keys that another server has made.
type again struct {
	sync.Mutex
	read func() ([]media.SealedKey, error)
	last time.Time
}

// againEvery is how often unknown keys may make a ring read all keys again, so
// that rows which name keys that never were cost little.
const againEvery = time.Second

// ReadAgain tells the ring how the keys are read anew when it meets one that
// it does not know. To be called before the ring is used.
func (r *Ring) ReadAgain(read func() ([]media.SealedKey, error)) { r.again.read = read }

// readAgain reads the keys anew, at most once in a while. Those who come
// meanwhile wait for the outcome.
func (r *Ring) readAgain() {
	r.again.Lock()
	defer r.again.Unlock()
	if r.again.read == nil || time.Since(r.again.last) < againEvery {
		return
	}
	if sealed, err := r.again.read(); err == nil {
		_ = r.Load(sealed) // the keys stay as they were when one does not open
	}
	r.again.last = time.Now()
}
