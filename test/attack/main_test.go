// Package attack does to the real program what attackers do: it holds
// connections open, sends what is two things at once, and runs scanners that
// others wrote. "make test" runs a little of it, "make attack" all.
package attack

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const password = "correct horse battery staple"

// times is a count from the environment.
func times(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// serve starts the program over a new data folder with a nurse and a patient's
// number to use.
func serve(t *testing.T, more ...string) *servers.Serving {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"keys", "init", "--data", dir, "--escrow-out", filepath.Join(dir, "escrow-identity.txt")},
		{"user", "add", "--own-password", "--data", dir, "nurse", "--name", "Example Nurse", "--role", "clinician", "--team", "Tissue viability"},
	} {
		if out, errs, status := servers.Run(t, password+"\n", args...); status != 0 {
			t.Fatalf("%v: %s%s", args, out, errs)
		}
	}
	return servers.Serve(t, append([]string{"--data", dir}, more...)...)
}
