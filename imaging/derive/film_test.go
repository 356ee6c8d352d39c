package derive

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"os"
	"testing"

	"github.com/wardseal/wardseal/internal/media"
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

