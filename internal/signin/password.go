package signin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/trustelem/zxcvbn"

	"github.com/wardseal/wardseal/internal/access"
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

// Breached knows passwords that were seen in breaches.
type Breached interface {
	Has(password string) (bool, error)
}

// Passwords says which passwords are refused, wherever one is set. There are no
// rules of composition (NIST SP 800-63B): a password is long enough, and not one
// that is guessed early.
type Passwords struct {
	Words    []string // known to everybody here: the organisation's name, its places
	Breached Breached // nil for none
}

// serviceWords come to mind where a password for this service is chosen;
// docs/operations.md lists them.
var serviceWords = []string{
	"wardseal", "password", "nhs", "trust", "health", "board", "hospital", "clinic", "clinical", "clinician", "consultant", "nurse", "doctor", "records", "officer",
	"auditor", "administrator", "admin", "patient", "ward", "wound", "picture", "pictures", "photo", "photos", "video", "image", "images", "camera", "transfer", "secure", "login", "welcome",
}

const (
	minBeside  = 8   // letters and figures that a password has besides words known to everybody
	minGuesses = 1e8 // what zxcvbn's authors call safe against guessing at a server
	maxJudged  = 64  // characters that guessing is worked out of; longer is not easier
)

// Hash checks a new password of own and returns its argon2id hash.
func (p Passwords) Hash(own access.Person, password string) (string, error) {
	if err := p.check(own, password); err != nil {
		return "", err
	}
	return argon2id.CreateHash(password, &params)
}

func (p Passwords) check(own access.Person, password string) error {
	refuse := func(code string, text words.Text) error { return fault.New(fault.Invalid, code, text).In("password") }
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return refuse("password-short", words.Say("Choose a password of at least {n} characters. Three random words do well.", minPassword))
	case len(password) > maxPassword:
		return refuse("password-long", words.Say("A password can have at most {n} characters.", maxPassword))
	case strings.EqualFold(password, own.Username):
		return refuse("password-username", "Choose a password that is not the username.")
	}
	known := p.words(own)
	if found, beside := without(password, known); len(found) > 0 && beside < minBeside {
		return refuse("password-words", words.Count(beside, "This password has {n} letter or figure besides what everybody here knows ({words}), and needs {least}. Three random words that have nothing to do with you or your work do well.",
			"This password has {n} letters or figures besides what everybody here knows ({words}), and needs {least}. Three random words that have nothing to do with you or your work do well.", strings.Join(found, ", "), minBeside))
	}
	if guesses(password, known) < minGuesses {
		return refuse("password-common", "This password is one of the first that are guessed: a common word or password, a pattern, or one of these with something added. Three random words do well.")
	}
	if p.Breached == nil {
		return nil
	}
	seen, err := p.Breached.Has(password)
	if err != nil {
		return fault.New(fault.Unavailable, "passwords-down", "The password could not be checked just now, and nothing was changed. Try again, or tell your administrator.").With(err)
	}
	if seen {
		return refuse("password-breached", "This password was seen in a breach somewhere else, so attackers try it. Choose one that you use nowhere else. Three random words do well.")
	}
	return nil
}

// words are those that others know of somebody and of this place, the longest
// first.
func (p Passwords) words(own access.Person) []string {
	var out []string
	for _, text := range append(append([]string{own.Username, own.Name}, p.Words...), serviceWords...) {
		text = strings.ToLower(text)
		for _, w := range append(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }), text) {
			if utf8.RuneCountInString(w) > 2 && !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b string) int { return len(b) - len(a) })
	return out
}

// without gives which of the words are in a password, and how many letters and
// figures it has besides them.
func without(password string, words []string) (found []string, beside int) {
	left := strings.ToLower(password)
	for _, w := range words {
		if strings.Contains(left, w) {
			found = append(found, w)
			left = strings.ReplaceAll(left, w, " ")
		}
	}
	for _, r := range left {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			beside++
		}
	}
	return found, beside
}

// guesses is how many guesses a password takes, worked out by zxcvbn from lists
// of common passwords, words, names, patterns of keys, dates and repetitions. A
// few spaces and signs between them are looked through.
func guesses(password string, words []string) float64 {
	runes := []rune(password)
	judged := string(runes[:min(len(runes), maxJudged)])
	bare := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, judged)
	n := zxcvbn.PasswordStrength(judged, words).Guesses
	if utf8.RuneCountInString(judged)-utf8.RuneCountInString(bare) <= 3 {
		n = min(n, zxcvbn.PasswordStrength(bare, words).Guesses)
	}
	return n
}
