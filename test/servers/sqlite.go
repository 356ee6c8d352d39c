package servers

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

var sqlite struct {
	sync.Mutex
	template []byte
}

// SQLiteCopy makes file a copy of a database that fill was given the place of,
// under the same name, once in the life of the tests: to make the schema takes
// longer than many a test.
func SQLiteCopy(tb testing.TB, file string, fill func(file string)) {
	tb.Helper()
	sqlite.Lock()
	defer sqlite.Unlock()
	if sqlite.template == nil {
		first := filepath.Join(tb.TempDir(), filepath.Base(file))
		fill(first)
		var err error
		if sqlite.template, err = os.ReadFile(first); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.WriteFile(file, sqlite.template, 0o600); err != nil {
		tb.Fatal(err)
	}
}
