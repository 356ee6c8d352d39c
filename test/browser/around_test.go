package browser

import (
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// Somebody outside is let in by mail; the pages work by the keyboard alone and
// by night, warn before a session ends, and keep to their own policy.
func TestAround(t *testing.T) {
	t.Parallel()
	post := servers.Mail(t)
	url := demo(t, "--mail-server", post.Server, "--mail-from", "wardseal@example.org", "--mail-ca-file", post.CAFile)
	walk(t, "around.mjs", "URL="+url, "MAIL="+post.Folder())
}
