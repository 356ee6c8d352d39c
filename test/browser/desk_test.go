package browser

import "testing"

// The auditor's day when somebody was added to a team by mistake, the reports,
// and passkeys, which a virtual authenticator of the browser makes.
func TestDesk(t *testing.T) {
	t.Parallel()
	walk(t, "desk.mjs", "URL="+demo(t))
}
