package process

import (
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// The program is started anew for every picture that is decoded, so nothing of
// ours does work before it is known what for: what packages make at their start
// is small. The runtime says how much that is.
func TestTheProgramStartsLightly(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(servers.Wardseal(t), "version")
	cmd.Env = append(cmd.Environ(), "GODEBUG=inittrace=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	found := regexp.MustCompile(`(?m)^init (github.com/wardseal/\S+) .* (\d+) bytes`).FindAllStringSubmatch(string(said), -1)
	if len(found) < 5 {
		t.Fatalf("the runtime says nothing of our packages:\n%s", said)
	}
	for _, f := range found {
		if n, err := strconv.Atoi(f[2]); err != nil || n > 1<<20 {
			t.Errorf("%s makes %s bytes before the program does anything", f[1], f[2])
		}
	}
}
