package archive_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/wardseal/wardseal/crypto/archive"
)

// A stream opens for either kind of recipient, and for nobody else; one that was
// cut or changed never ends well.
func TestStreamsOpenForEitherKind(t *testing.T) {
	classic, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat([]byte("a picture\n"), 20_000)
	for to, secret := range map[string]string{classic.Recipient().String(): classic.String(), hybrid.Recipient().String(): hybrid.String()} {
		p, err := archive.ParseParty(" " + to + "\n")
		if err != nil || p.String() != to {
			t.Fatalf("%s: %v", to, err)
		}
		var out bytes.Buffer
		w, err := p.Encrypt(&out)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil || w.Close() != nil {
			t.Fatal(err)
		}
		ids, err := archive.ParseAnyIdentities("# theirs\n" + secret)
		if err != nil {
			t.Fatal(err)
		}
		read := func(b []byte) ([]byte, error) {
			r, err := ids.Reader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(r)
		}
		if got, err := read(out.Bytes()); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		for i := 0; i < out.Len(); i += 997 {
			if _, err := read(out.Bytes()[:i]); !errors.Is(err, archive.ErrRefused) {
				t.Fatalf("cut at %d: %v", i, err)
			}
			x := bytes.Clone(out.Bytes())
			x[i] ^= 1
			if _, err := read(x); err == nil {
				t.Fatalf("bit at %d: opened", i)
			}
		}
		stranger, err := age.GenerateHybridIdentity()
		if err != nil {
			t.Fatal(err)
		}
		if others, err := archive.ParseAnyIdentities(stranger.String()); err != nil {
			t.Fatal(err)
		} else if _, err := others.Reader(bytes.NewReader(out.Bytes())); !errors.Is(err, archive.ErrIdentity) {
			t.Errorf("a stranger: %v", err)
		}
	}
	for _, bad := range []string{"", "age1notone", hybrid.String(), classic.Recipient().String() + "\n" + classic.Recipient().String(), "ssh-ed25519 AAAA"} {
		if _, err := archive.ParseParty(bad); err == nil || len(bad) > 10 && strings.Contains(err.Error(), bad) {
			t.Errorf("%.12q: %v", bad, err)
		}
	}
	if _, err := archive.ParseAnyIdentities("x"); err == nil {
		t.Error("no identity passes for one")
	}
}
