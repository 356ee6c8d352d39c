package failure

import (
	"database/sql"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/config"
)

// inside is a deployment that is served by this process, so that thousands of
// damages are looked at in a moment.
type inside struct {
	d     *deployment
	sys   *config.System
	url   string
	nurse *person
	db    *sql.DB // of SQLite, for what a thief could write to it
}

func within(t *testing.T, kind string) *inside {
	t.Helper()
	d := deploy(t, kind, nil)
	sys, err := config.Open(t.Context(), d.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sys.Close() })
	edge, err := api.New(sys.Flows(), sys.Edge("https://wardseal.example"))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(edge)
	t.Cleanup(srv.Close)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(d.cfg.Data, "wardseal.db")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	in := &inside{d: d, sys: sys, url: srv.URL, nurse: signIn(t, srv.URL, "nurse"), db: db}
	in.nurse.register()
	return in
}

func (in *inside) run(query string, args ...any) {
	in.d.t.Helper()
	if _, err := in.db.ExecContext(in.d.t.Context(), query, args...); err != nil {
		in.d.t.Fatal(err)
	}
}

// object is the file of an item's picture.
func (in *inside) object(item string) string {
	in.d.t.Helper()
	var key string
	if err := in.db.QueryRowContext(in.d.t.Context(), "SELECT object_key FROM renditions WHERE item = ? AND rendition = 'original-clean'", item).Scan(&key); err != nil {
		in.d.t.Fatal(err)
	}
	return filepath.Join(in.d.cfg.Data, "objects", "objects", filepath.FromSlash(key))
}
