package words

import (
	"strings"
	"unicode/utf8"
)

// Legible reports whether text that somebody sent can be kept: it is UTF-8,
// without the zero byte, which PostgreSQL keeps in no text. Anything else would
// stand in the way of every backup.
func Legible(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }
