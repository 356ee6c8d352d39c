package servers

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// OIDCIssuer is one issuer of a certified OpenID provider (oidc-provider) that
// the tests start: its port, its clients as it wants them registered, and
// which claims each scope has.
type OIDCIssuer struct {
	Port    int                 `json:"port"`
	Clients []map[string]any    `json:"clients"`
	Claims  map[string][]string `json:"claims"`
}

// URL is the issuer.
func (o OIDCIssuer) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", o.Port) }

// OIDC starts the issuers.
func OIDC(tb testing.TB, issuers ...OIDCIssuer) {
	tb.Helper()
	settings, err := json.Marshal(issuers)
	if err != nil {
		tb.Fatal(err)
	}
	_, here, _, _ := runtime.Caller(0)
	home := filepath.Join(filepath.Dir(here), "oidc")
	// Modules are looked for from where the script is, so it stands beside them.
	text, err := os.ReadFile(filepath.Join(home, "server.mjs"))
	if err != nil {
		tb.Fatal(err)
	}
	dir := folder(tb)
	sum := sha256.Sum256(text)
	script := filepath.Join(dir, fmt.Sprintf("server-%x.mjs", sum[:4]))
	if err := errors.Join(os.WriteFile(script, text, 0o600), os.Symlink(Modules(tb, home), filepath.Join(dir, "node_modules"))); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(Binary(tb, "node"), script)
	cmd.Env = append(os.Environ(), "WARDSEAL_OIDC="+string(settings))
	Start(tb, cmd, func() error {
		client := &http.Client{Timeout: 5 * time.Second}
		for _, i := range issuers {
			resp, err := client.Get(i.URL() + "/.well-known/openid-configuration")
			if err != nil {
				return err
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return errors.New(resp.Status)
			}
		}
		return nil
	})
}
