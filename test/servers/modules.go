package servers

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// Modules finds the npm packages of a folder in the cache that
// test/install.sh fills. They go by the hash of its lock file, so that another
// version's are never taken for them.
func Modules(tb testing.TB, folder string) string {
	tb.Helper()
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		tb.Fatal(err)
	}
	abs, err := filepath.Abs(folder)
	if err != nil {
		tb.Fatal(err)
	}
	bin := os.Getenv("WARDSEAL_TEST_BIN")
	if bin == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				tb.Fatal(err)
			}
			cache = filepath.Join(home, ".cache")
		}
		bin = filepath.Join(cache, "wardseal", "bin")
	}
	sum := sha256.Sum256(lock)
	at := filepath.Join(filepath.Dir(bin), "npm", filepath.Base(abs)+"-"+hex.EncodeToString(sum[:8]), "node_modules")
	if _, err := os.Stat(at); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("the npm packages of %s are not installed: run test/install.sh", filepath.Base(abs))
		}
		tb.Skipf("the npm packages of %s are not installed: run test/install.sh", filepath.Base(abs))
	}
	return at
}
