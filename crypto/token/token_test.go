package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/crypto/token"
)

func TestMintAndHash(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range []token.Kind{token.Session, token.API, token.Link, token.Invitation, token.Visit, token.Ticket} {
		s, hash := token.Mint(k)
		text := s.Reveal()
		if seen[text] || !strings.HasPrefix(text, string(k)) {
			t.Fatalf("secret of %s", k)
		}
		seen[text] = true
		again, err := token.Hash(text, k)
		if err != nil || !bytes.Equal(hash, again) {
			t.Errorf("%s: hash differs: %v", k, err)
		}
		if bytes.Contains(hash, []byte(text[4:12])) {
			t.Error("the hash shows the secret")
		}
		for i := range text { // one slip anywhere is noticed
			b := []byte(text)
			b[i] ^= 1
			if _, err := token.Hash(string(b), k); !errors.Is(err, token.ErrMalformed) {
				t.Errorf("%s: slip at %d accepted", k, i)
			}
		}
	}
	s, _ := token.Mint(token.Link)
	for _, bad := range []string{"", "wsl_", s.Reveal() + "A", s.Reveal()[:20], strings.Replace(s.Reveal(), "wsl_", "wss_", 1)} {
		for _, k := range []token.Kind{token.Link, token.Session} {
			if _, err := token.Hash(bad, k); !errors.Is(err, token.ErrMalformed) {
				t.Errorf("accepted a malformed secret of %d characters", len(bad))
			}
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	s, _ := token.Mint(token.Session)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s)
	out, _ := json.Marshal(map[string]any{"s": s})
	all := log.String() + string(out) + fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s)
	if strings.Contains(all, s.Reveal()[4:]) || strings.Contains(all, fmt.Sprintf("%x", s.Reveal())) {
		t.Errorf("the secret shows: %s", all)
	}
}
