package words

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Legible reports whether text that somebody sent can be kept: it is UTF-8,
// without the zero byte, which PostgreSQL keeps in no text. Anything else would
// stand in the way of every backup.
func Legible(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// Plain is a name on one line, without the marks that turn the direction of
// reading around: they would turn around what stands beside it too, such as a
// patient's number.
func Plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Bidi_Control, r):
			return -1
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, text))
}
