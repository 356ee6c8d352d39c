package derive

import (
	"os"
	"testing"
)

func films(t testing.TB, cfg FilmConfig) *Films {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Command = []string{self, "film"}
	f, err := NewFilms(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
