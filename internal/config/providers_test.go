package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodProvider = `providers:
  - id: trust
    name: Example Trust
    issuer: https://idp.example
    client-id: wardseal
    client-secret-file: SECRET
    groups-claim: groups
    map:
      - {group: a, role: clinician, teams: [Burns]}
`

// A file of providers that is not wholly right is refused.
func TestProviders(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, open := write("secret", "s", 0o600), write("open", "s", 0o644)
	read := func(text string) error {
		c := Default(dir)
		c.Sessions.Providers = write("providers.yaml", strings.ReplaceAll(text, "SECRET", secret), 0o600)
		_, err := c.providers()
		return err
	}
	if err := read(goodProvider); err != nil {
		t.Fatal(err)
	}
	twice := goodProvider + strings.TrimPrefix(goodProvider, "providers:\n")
	for name, text := range map[string]string{
		"nothing": "", "none": "providers: []", "not YAML": "{", "a slip of a setting": strings.Replace(goodProvider, "groups-claim", "group-claim", 1),
		"an id for no address": strings.Replace(goodProvider, "id: trust", "id: ../x", 1), "no name": strings.Replace(goodProvider, "Example Trust", "", 1),
		"no TLS": strings.Replace(goodProvider, "https:", "http:", 1), "no groups": strings.Replace(goodProvider, "groups-claim: groups", "", 1),
		"no client": strings.Replace(goodProvider, "client-id: wardseal", "", 1), "no secret": strings.Replace(goodProvider, "client-secret-file: SECRET", "", 1),
		"an open secret": strings.Replace(goodProvider, "SECRET", open, 1), "a key that is none": strings.Replace(goodProvider, "client-secret-file", "client-key-file", 1),
		"no role": strings.Replace(goodProvider, "role: clinician, teams: [Burns]", "", 1), "another role": strings.Replace(goodProvider, "clinician", "chief", 1),
		"somebody outside": strings.Replace(goodProvider, "clinician", "external", 1), "no group": strings.Replace(goodProvider, "group: a, ", "", 1),
		"a team of no name": strings.Replace(goodProvider, "Burns", `""`, 1), "another way to say who we are": strings.Replace(goodProvider, "client-id", "client-auth: none\n    client-id", 1),
		"one twice": twice, "one issuer twice": strings.Replace(twice, "id: trust", "id: other", 1), "no authority": strings.Replace(goodProvider, "client-id", "ca-file: /none\n    client-id", 1),
	} {
		if read(text) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
