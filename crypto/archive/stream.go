package archive

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Party is somebody outside, to whom a stream is sealed: an X25519 recipient
// (age1…) or a post-quantum hybrid one (age1pq1…).
type Party struct {
	to   age.Recipient
	text string
}

// ParseParty reads one recipient, and tries whether something can be sealed to
// it.
func ParseParty(text string) (Party, error) {
	p := Party{text: strings.TrimSpace(text)}
	var err error
	if strings.HasPrefix(p.text, "age1pq1") {
		p.to, err = age.ParseHybridRecipient(p.text)
	} else {
		p.to, err = age.ParseX25519Recipient(p.text)
	}
	if err != nil {
		return Party{}, errors.New("it is no age recipient (age1… or age1pq1…)")
	}
	if _, err := p.Encrypt(io.Discard); err != nil {
		return Party{}, err
	}
	return p, nil
}

// String gives the recipient as text.
func (p Party) String() string { return p.text }

// Encrypt starts a complete age file in dst. It must be closed to be one.
func (p Party) Encrypt(dst io.Writer) (io.WriteCloser, error) {
	if p.to == nil {
		return nil, errors.New("a stream needs a recipient")
	}
	w, err := age.Encrypt(dst, p.to)
	if err != nil {
		return nil, fmt.Errorf("seal a stream: %w", err)
	}
	return w, nil
}

// ParseAnyIdentities is ParseIdentities for identities of both kinds.
func ParseAnyIdentities(text string) (Identities, error) {
	var ids Identities
	for _, line := range lines([]string{text}) {
		var id age.Identity
		id, err := age.ParseHybridIdentity(line)
		if err != nil {
			id, err = age.ParseX25519Identity(line)
		}
		if err != nil {
			return ids, errors.New("a line is no age identity (AGE-SECRET-KEY-…)")
		}
		ids.list = append(ids.list, id)
	}
	if len(ids.list) == 0 {
		return ids, errors.New("there is no identity in it")
	}
	return ids, nil
}

// Reader opens a stream: ErrIdentity when none of the identities fits. Every
// byte that it gives was authenticated, and only io.EOF says that it is whole;
// other errors have ErrRefused in their chain.
func (ids Identities) Reader(src io.Reader) (io.Reader, error) {
	if len(ids.list) == 0 {
		return nil, ErrIdentity
	}
	r, err := age.Decrypt(src, ids.list...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return nil, ErrIdentity
	}
	if err != nil {
		return nil, ErrRefused
	}
	return opened{r}, nil
}

type opened struct{ r io.Reader }

func (o opened) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %v", ErrRefused, err)
	}
	return n, err
}
