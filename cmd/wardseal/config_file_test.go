package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// parsed gives what "serve" gets of a file, flags and the environment.
func parsed(t *testing.T, file string, args ...string) (cli, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "wardseal.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var c cli
	k, err := kong.New(&c, kong.Configuration(readConfigFile), kong.Exit(func(int) { t.Error("it exits") }))
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Parse(append(args, "--config", path))
	return c, err
}

func TestConfigFile(t *testing.T) {
	t.Setenv("WARDSEAL_OBJECTS_BUCKET", "environment")
	c, err := parsed(t, `
listen: 127.0.0.1:1
public-url: https://wardseal.example
database:
  driver: postgres
  url-file: /etc/url
objects-bucket: file
objects-region: file
objects-lock: true
second-factor-for: [auditor, administrator]
max-upload-bytes: 12345
stop-within: 90s
`, "serve", "--objects-region", "flag")
	s := c.Serve
	if err != nil || s.Listen != "127.0.0.1:1" || s.PublicURL != "https://wardseal.example" || s.Database.Driver != "postgres" || s.Database.URLFile != "/etc/url" ||
		s.Objects.Bucket != "environment" || s.Objects.Region != "flag" || !s.Objects.Lock || !slices.Equal(s.Sessions.SecondFactorFor, []string{"auditor", "administrator"}) ||
		s.Limits.MaxUploadBytes != 12345 || s.Limits.StopWithin != 90*time.Second {
		t.Errorf("%v %+v", err, s.Config)
	}
	// Other commands take what is theirs of the same file.
	c, err = parsed(t, "public-url: https://wardseal.example\ndatabase-driver: postgres\n", "fsck")
	if err != nil || c.Fsck.Database.Driver != "postgres" {
		t.Errorf("%v %+v", err, c.Fsck)
	}
}

func TestConfigFileWithWhatIsNoSetting(t *testing.T) {
	for file, why := range map[string]string{
		"public_url: https://wardseal.example":                  "public_url",
		"database: {drivr: postgres}":                           "database-drivr",
		"listen: a\nlisten: b":                                  "already defined",
		"database: {driver: sqlite}\ndatabase-driver: postgres": "twice",
		"listen:":                "without a value",
		"help: true":             "help",
		"- listen":               "read the settings",
		"max-upload-bytes: many": "max-upload-bytes",
	} {
		if _, err := parsed(t, file, "serve"); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", file, err)
		}
	}
}
