package keyring

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
	"filippo.io/age/plugin"
)

// Roots are the identities at the top. They never print.
type Roots struct{ ids []*age.HybridIdentity }

// String redacts the roots.
func (Roots) String() string { return "[redacted]" }

// GoString redacts the roots.
func (Roots) GoString() string { return "[redacted]" }

// Format redacts the roots under every verb.
func (Roots) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// Recipient is one that every key of the ring is also sealed to.
type Recipient struct{ r *age.HybridRecipient }

// LoadRoots reads root identities, one a line (AGE-SECRET-KEY-PQ-1…); empty
// lines and lines that start with # are passed over. The first is the newest,
// and keys are sealed to all of them, so that an old root may stay while it is
// being replaced. No error repeats a line.
func LoadRoots(r io.Reader) (Roots, error) {
	var roots Roots
	err := lines(r, func(line string) error {
		id, err := age.ParseHybridIdentity(line)
		if err != nil {
			return errors.New("a line is not a hybrid age identity (AGE-SECRET-KEY-PQ-1…)")
		}
		roots.ids = append(roots.ids, id)
		return nil
	})
	if err == nil && len(roots.ids) == 0 {
		err = errors.New("there is no identity in it")
	}
	return roots, err
}

// Len is how many identities there are.
func (r Roots) Len() int { return len(r.ids) }

// Newest is the first identity alone: the one that stays when a root has been
// replaced.
func (r Roots) Newest() Roots { return Roots{r.ids[:min(1, len(r.ids))]} }

// Reveal writes the identities as LoadRoots reads them, for the root file.
func (r Roots) Reveal() string {
	var out strings.Builder
	for _, id := range r.ids {
		out.WriteString(id.String() + "\n")
	}
	return out.String()
}

// ParseEscrow reads escrow recipients, one a line (age1pq1…), at least one.
func ParseEscrow(r io.Reader) ([]Recipient, error) {
	var out []Recipient
	err := lines(r, func(line string) error {
		if strings.HasPrefix(strings.ToUpper(line), "AGE-SECRET-KEY") {
			return errors.New("a line is a secret identity: only its recipient (age1pq1…) belongs here; keep the identity offline")
		}
		rec, err := age.ParseHybridRecipient(line)
		if err != nil {
			return errors.New("a line is not a hybrid age recipient (age1pq1…)")
		}
		out = append(out, Recipient{rec})
		return nil
	})
	if err == nil && len(out) == 0 {
		err = errors.New("there is no recipient in it")
	}
	return out, err
}

func lines(r io.Reader, each func(string) error) error {
	in := bufio.NewScanner(io.LimitReader(r, 1<<20))
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := each(line); err != nil {
			return err
		}
	}
	return in.Err()
}

// MintRoot makes a new identity for the top (or for escrow) and its recipient,
// as texts for files.
func MintRoot() (identity, recipient string, err error) {
	id, err := age.GenerateHybridIdentity()
	if err != nil {
		return "", "", fmt.Errorf("make an identity: %w", err)
	}
	return id.String(), id.Recipient().String(), nil
}

// OpenRoots reads root identities as LoadRoots does, or from an age file
// (binary or armoured) that the identities in openers decrypt: an age plugin's
// (AGE-PLUGIN-…), for a TPM, a YubiKey or a key service, or age's own. A plugin
// that wants to ask something is refused: nobody is there when a server starts.
func OpenRoots(text, openers string) (Roots, error) {
	src := io.Reader(strings.NewReader(text))
	switch {
	case strings.HasPrefix(text, armor.Header):
		src = armor.NewReader(src)
	case !strings.HasPrefix(text, "age-encryption.org/"):
		return LoadRoots(src)
	}
	var ids []age.Identity
	if err := lines(strings.NewReader(openers), func(line string) error {
		id, err := opener(line)
		ids = append(ids, id)
		return err
	}); err != nil {
		return Roots{}, err
	}
	if len(ids) == 0 {
		return Roots{}, errors.New("it is encrypted, and no identity is given that opens it")
	}
	plain, err := age.Decrypt(src, ids...)
	if err != nil {
		var missing *plugin.NotFoundError
		if errors.As(err, &missing) {
			return Roots{}, fmt.Errorf("the plugin age-plugin-%s is not on the PATH", missing.Name)
		}
		return Roots{}, errors.New("it is encrypted, and the identities given do not open it")
	}
	return LoadRoots(plain)
}

// SealRoots encrypts the text of a root file to age recipients, a plugin's or
// age's own, armoured; without any it stays as it is.
func SealRoots(text string, recipients []string) (string, error) {
	if len(recipients) == 0 {
		return text, nil
	}
	var to []age.Recipient
	for _, line := range recipients {
		r, err := sealer(strings.TrimSpace(line))
		if err != nil {
			return "", err
		}
		to = append(to, r)
	}
	var out strings.Builder
	framed := armor.NewWriter(&out)
	w, err := age.Encrypt(framed, to...)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	err = errors.Join(err, framed.Close())
	return out.String(), err
}

// unattended answers no question of a plugin.
var unattended = &plugin.ClientUI{
	DisplayMessage: func(string, string) error { return nil },
	RequestValue:   func(string, string, bool) (string, error) { return "", errors.New("nobody is here to answer") },
	Confirm: func(string, string, string, string) (bool, error) {
		return false, errors.New("nobody is here to answer")
	},
	WaitTimer: func(string) {},
}

func opener(line string) (age.Identity, error) {
	switch {
	case strings.HasPrefix(line, "AGE-PLUGIN-"):
		id, err := plugin.NewIdentity(line, unattended)
		if err != nil {
			return nil, errors.New("a line is not the identity of a plugin (AGE-PLUGIN-…)")
		}
		return id, nil
	case strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-"):
		if id, err := age.ParseHybridIdentity(line); err == nil {
			return id, nil
		}
	default:
		if id, err := age.ParseX25519Identity(line); err == nil {
			return id, nil
		}
	}
	return nil, errors.New("a line is no age identity")
}

func sealer(line string) (age.Recipient, error) {
	if r, err := age.ParseHybridRecipient(line); err == nil {
		return r, nil
	}
	if r, err := age.ParseX25519Recipient(line); err == nil {
		return r, nil
	}
	if strings.HasPrefix(line, "AGE-PLUGIN-") { // the identity of a plugin that encrypts to identities
		if id, err := plugin.NewIdentity(line, unattended); err == nil {
			return id.Recipient(), nil
		}
	}
	r, err := plugin.NewRecipient(line, unattended)
	if err != nil {
		return nil, errors.New("a recipient is neither age's own (age1…) nor a plugin's")
	}
	return r, nil
}
