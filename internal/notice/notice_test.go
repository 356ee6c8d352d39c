package notice_test

import (
	"strings"
	"testing"

	"github.com/wardseal/wardseal/internal/notice"
)

func TestEveryKindHasWords(t *testing.T) {
	for _, k := range notice.Kinds() {
		subject, body := k.Text("https://wardseal.example")
		if len(subject) < 15 || !strings.Contains(body, "https://wardseal.example/") || strings.ContainsAny(subject, "\r\n") {
			t.Errorf("%s: %q %q", k, subject, body)
		}
	}
}
