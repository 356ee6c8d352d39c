package filesystem_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/blobtest"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
)

func TestConformance(t *testing.T) {
	blobtest.Conformance(t, 3<<20, func(t *testing.T) blob.Store {
		s, err := filesystem.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestUnfinishedFilesAreSweptOnceStale(t *testing.T) {
	dir := t.TempDir()
	if _, err := filesystem.Open(dir); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(dir, "unfinished", "old"), filepath.Join(dir, "unfinished", "fresh")
	for _, p := range []string{old, fresh} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if _, err := filesystem.Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Error("the stale one is still there")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Error("the fresh one is gone")
	}
}

func TestSymbolicLinksDoNotLeadOut(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := filesystem.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "objects", "way")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenAt(t.Context(), "way/secret", 0, -1); err == nil {
		t.Error("read a file outside of the folder")
	}
	if err := s.Delete(t.Context(), "way/secret"); err == nil {
		t.Error("deleted through a link")
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error("a file outside of the folder is gone")
	}
}
