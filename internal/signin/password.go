package signin

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/wardseal/wardseal/internal/fault"
	"github.com/wardseal/wardseal/internal/words"
)

// params are OWASP's second choice for argon2id (19 MiB, 2 passes). The
// parallelism is fixed: the library's default follows the number of cores,
// which would tie hashes to the machine.
var params = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const (
	minPassword = 12
	maxPassword = 256 // bytes; longer ones would only cost time
)

// hasher bounds how many hashes are computed at once, and so their memory.
type hasher struct {
	room  chan struct{}
	dummy string
}

func newHasher() (*hasher, error) {
	dummy, err := argon2id.CreateHash("no account has this password", &params)
	if err != nil {
		return nil, fmt.Errorf("prepare password hashing: %w", err)
	}
	return &hasher{room: make(chan struct{}, 2), dummy: dummy}, nil
}

// matches compares. An account without a password, whose owner signs in
// elsewhere, has none that is right, and takes as long to say so.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	if hash == "" {
		h.waste(ctx, password)
		return false, ctx.Err()
	}
	if len(password) > maxPassword {
		return false, nil
	}
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}

func (h *hasher) waste(ctx context.Context, password string) {
	_, _ = h.matches(ctx, password, h.dummy)
}

// HashPassword checks a new password and returns its argon2id hash. Length is
// the only rule (NIST SP 800-63B), besides not being the username.
func HashPassword(username, password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", fault.New(fault.Invalid, "password-short", words.Say("Choose a password of at least {n} characters. Three random words do well.", minPassword)).In("password")
	case len(password) > maxPassword:
		return "", fault.New(fault.Invalid, "password-long", words.Say("A password can have at most {n} characters.", maxPassword)).In("password")
	case strings.EqualFold(password, username):
		return "", fault.New(fault.Invalid, "password-username", "Choose a password that is not the username.").In("password")
	}
	return argon2id.CreateHash(password, &params)
}
