package signin

import (
	"errors"
	"testing"

	"github.com/wardseal/wardseal/internal/access"
	"github.com/wardseal/wardseal/internal/fault"
)

// seen are passwords of a list; broken cannot be read.
type seen map[string]bool

func (s seen) Has(password string) (bool, error) { return s[password], nil }

type broken struct{}

func (broken) Has(string) (bool, error) { return false, errors.New("the disk is gone") }

// What is guessed early is refused, each for its reason; what is not is taken.
func TestPasswordsThatAreGuessed(t *testing.T) {
	own := access.Person{Username: "e.nurse", Name: "Example Nurse-Marlowe"}
	p := Passwords{Words: []string{"Northmoor Health Board", "Elmfield"}, Breached: seen{"violet tractor harbour": true}}
	for password, want := range map[string]string{
		"elevenchars": "password-short", "ÄÖÜäöüßÄÖÜä": "password-short", "e.nurse": "password-short",
		// Most used ones, some with something added.
		"123456789012": "password-common", "qwertyuiop123": "password-common", "1qaz2wsx3edc": "password-common", "q1w2e3r4t5y6": "password-common", "unbelievable": "password-common",
		"iloveyou1234": "password-common", "letmein letmein": "password-common", "Summer2026!!!": "password-common", "abcabcabcabcabc": "password-common", "aaaaaaaaaaaaaaaa": "password-common",
		"Liverpool-2026": "password-common", "manchester united": "password-common", "counterstrike": "password-common", "hunter2hunter2": "password-common",
		// What others know of them and of the place.
		"Marlowe-1984!": "password-words", "marlowe.example": "password-words", "Wardseal12345": "password-words", "ward nurse 2026": "password-words", "Northmoor2026!": "password-words",
		"elmfieldelmfield": "password-words", "elmfield hospital 7": "password-words", "Password1234!": "password-words", "M4rl0we-M4rl0we": "password-common",
		"violet tractor harbour": "password-breached",
		// Those that take long.
		"three plain words": "", "correct horse battery staple": "", "bluelampriver": "", "xk7$Lq9!vbnA": "", "wr%&(!?+t;:x": "", "Elmfield cats like buttered toast": "", "Ärger über zwölf Boxkämpfer": "",
	} {
		err := p.check(own, password)
		got := ""
		if err != nil {
			got = fault.From(err).Code
		}
		if got != want {
			t.Errorf("%q: %q, want %q", password, got, want)
		}
	}
	username := access.Person{Username: "someone@example.org"}
	if err := p.check(username, "Someone@example.org"); fault.From(err).Code != "password-username" {
		t.Error(err)
	}
	if _, err := (Passwords{Breached: broken{}}).Hash(own, "three plain words"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("with a list that cannot be read: %v", err)
	}
}

// A long password costs little to judge, whatever it is made of.
func BenchmarkJudging(b *testing.B) {
	for b.Loop() {
		guesses("a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6g7h8i9j0a1b2c3d4e5f6g7h8i9j0", nil)
	}
}
