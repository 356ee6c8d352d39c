// Package compose checks docker-compose.yml with the parser that compose
// itself uses: no engine runs in the tests, but the file must be right.
package compose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func load(t *testing.T) *types.Project {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	opts, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithWorkingDirectory(root))
	if err != nil {
		t.Fatal(err)
	}
	p, err := opts.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeFile(t *testing.T) {
	p := load(t)
	for _, name := range []string{"wardseal", "proxy", "database", "objects", "bucket"} {
		s, ok := p.Services[name]
		if !ok {
			t.Fatalf("there is no service %s", name)
		}
		if !s.ReadOnly {
			t.Errorf("%s may write to its root file system", name)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may gain privileges", name)
		}
		if s.Privileged {
			t.Errorf("%s is privileged", name)
		}
		if name != "proxy" && len(s.Ports) > 0 {
			t.Errorf("%s has a port to the outside", name)
		}
		if s.Image != "" && (!strings.Contains(s.Image, ":") || strings.HasSuffix(s.Image, ":latest")) {
			t.Errorf("%s: the image %s is not pinned", name, s.Image)
		}
		for _, secret := range s.Secrets {
			if _, ok := p.Secrets[secret.Source]; !ok {
				t.Errorf("%s wants the secret %s, which is not defined", name, secret.Source)
			}
		}
	}
	// Those that start as root, to change to a user of their own, need the
	// privileges for that; the others need none.
	for _, name := range []string{"wardseal", "proxy", "objects", "bucket"} {
		if !slices.Equal(p.Services[name].CapDrop, []string{"ALL"}) {
			t.Errorf("%s keeps privileges", name)
		}
	}
	if add := p.Services["proxy"].CapAdd; !slices.Equal(add, []string{"NET_BIND_SERVICE"}) {
		t.Errorf("the proxy adds %v", add)
	}
	if n := p.Networks["back"]; !n.Internal {
		t.Error("the network of the stores leads outside")
	}
	for _, name := range []string{"database", "objects", "bucket"} {
		if _, front := p.Services[name].Networks["front"]; front {
			t.Errorf("%s is on the proxy's network", name)
		}
	}
	if u := p.Services["wardseal"].User; u == "" || strings.HasPrefix(u, "0") {
		t.Errorf("wardseal runs as %q", u)
	}
}

// TestSettingsExist: a misspelt variable would be ignored in silence.
func TestSettingsExist(t *testing.T) {
	source, err := os.ReadFile("../../internal/config/config.go")
	if err != nil {
		t.Fatal(err)
	}
	for name := range load(t).Services["wardseal"].Environment {
		if !strings.Contains(string(source), `env:"`+name+`"`) {
			t.Errorf("wardseal has no setting %s", name)
		}
	}
}

func TestDockerfile(t *testing.T) {
	b, err := os.ReadFile("../../docs/deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if strings.Count(text, "\nFROM ") < 2 {
		t.Error("the Dockerfile has one stage")
	}
	for _, line := range strings.Split(text, "\n") {
		if image, ok := strings.CutPrefix(line, "FROM "); ok && (!strings.Contains(image, ":") || strings.Contains(image, ":latest")) {
			t.Errorf("the image %s is not pinned", image)
		}
	}
	last := text[strings.LastIndex(text, "\nFROM "):]
	for _, need := range []string{"ffmpeg", "libjpeg-turbo-progs", "ca-certificates", "chmod a-s"} {
		if !strings.Contains(last, need) {
			t.Errorf("the last stage lacks %s", need)
		}
	}
	if i := strings.LastIndex(text, "\nUSER "); i < 0 || strings.HasPrefix(text[i+6:], "0") || strings.HasPrefix(text[i+6:], "root") {
		t.Error("the image runs as root")
	}
}
