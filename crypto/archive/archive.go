// Package archive seals the parts of a backup: each is compressed and becomes a
// complete age file to every recipient, so that in a disaster the stock age
// command opens it with the escrow identity alone.
//
// It promises that nothing is given out that was not authenticated whole. age
// says nothing of who sealed a part: a backup's manifest is signed, and names
// each part by the hash of its plaintext.
package archive

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
)

var (
	// ErrIdentity means that none of the identities opens a part.
	ErrIdentity = errors.New("none of the identities opens it")
	// ErrRefused means that a part was damaged, cut or tampered with.
	ErrRefused = errors.New("it is damaged, or was changed")
)

// MaxPart is how long the plaintext of a part may be.
const MaxPart = 64 << 20

// Recipients are whom parts are sealed to.
type Recipients struct {
	list []age.Recipient
	text []string
}

// ParseRecipients reads recipients (age1pq1…), one a line; empty lines and
// lines that start with # are passed over. Doubles count once.
func ParseRecipients(texts ...string) (Recipients, error) {
	var out Recipients
	for _, line := range lines(texts) {
		r, err := age.ParseHybridRecipient(line)
		if err != nil {
			return out, errors.New("a line is not a hybrid age recipient (age1pq1…)")
		}
		out.add(r)
	}
	return out, nil
}

func (r *Recipients) add(one *age.HybridRecipient) {
	if text := one.String(); !slices.Contains(r.text, text) {
		r.list, r.text = append(r.list, one), append(r.text, text)
	}
}

// And gives both.
func (r Recipients) And(more Recipients) Recipients {
	out := Recipients{slices.Clone(r.list), slices.Clone(r.text)}
	for i, text := range more.text {
		if !slices.Contains(out.text, text) {
			out.list, out.text = append(out.list, more.list[i]), append(out.text, text)
		}
	}
	return out
}

// Len is how many there are.
func (r Recipients) Len() int { return len(r.list) }

// Lines gives the recipients as text, one a line.
func (r Recipients) Lines() string { return strings.Join(r.text, "\n") + "\n" }

// Name tells this set of recipients from others. It says nothing about them.
func (r Recipients) Name() string {
	text := slices.Sorted(slices.Values(r.text))
	sum := sha256.Sum256([]byte(strings.Join(text, "\n")))
	return hex.EncodeToString(sum[:8])
}

// Identities open parts. They never print.
type Identities struct{ list []age.Identity }

// String redacts the identities.
func (Identities) String() string { return "[redacted]" }

// GoString redacts the identities.
func (Identities) GoString() string { return "[redacted]" }

// Format redacts the identities under every verb.
func (Identities) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// ParseIdentities reads identities (AGE-SECRET-KEY-PQ-1…), one a line, and gives
// their recipients too. No error repeats a line.
func ParseIdentities(text string) (Identities, Recipients, error) {
	var ids Identities
	var to Recipients
	for _, line := range lines([]string{text}) {
		id, err := age.ParseHybridIdentity(line)
		if err != nil {
			return ids, to, errors.New("a line is not a hybrid age identity (AGE-SECRET-KEY-PQ-1…)")
		}
		ids.list = append(ids.list, id)
		to.add(id.Recipient())
	}
	if len(ids.list) == 0 {
		return ids, to, errors.New("there is no identity in it")
	}
	return ids, to, nil
}

func lines(texts []string) (out []string) {
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				out = append(out, line)
			}
		}
	}
	return out
}

// Seal compresses and encrypts a part.
func (r Recipients) Seal(plain []byte) ([]byte, error) {
	if len(r.list) == 0 {
		return nil, errors.New("a part needs a recipient")
	}
	if len(plain) > MaxPart {
		return nil, fmt.Errorf("a part of %d bytes is over the limit", len(plain))
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, r.list...)
	if err != nil {
		return nil, fmt.Errorf("seal a part: %w", err)
	}
	z := gzip.NewWriter(w)
	_, err = z.Write(plain)
	if err = errors.Join(err, z.Close(), w.Close()); err != nil {
		return nil, fmt.Errorf("seal a part: %w", err)
	}
	return out.Bytes(), nil
}

// Open is the inverse of Seal: ErrIdentity when none of the identities fits,
// ErrRefused when the part is not as it was sealed.
func (ids Identities) Open(sealed []byte) ([]byte, error) {
	if len(ids.list) == 0 {
		return nil, ErrIdentity
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), ids.list...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrIdentity
	}
	if err != nil {
		return nil, ErrRefused
	}
	packed, err := io.ReadAll(r) // authenticated to its end before any of it is used
	if err != nil {
		return nil, ErrRefused
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, ErrRefused
	}
	plain, err := io.ReadAll(io.LimitReader(z, MaxPart+1))
	if err != nil || len(plain) > MaxPart {
		return nil, ErrRefused
	}
	return plain, nil
}
