package process

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

// A server signs and publishes by itself, and the command verifies beside it.
func TestCheckpointsBySelf(t *testing.T) {
	dir := deploy(t)
	file := filepath.Join(t.TempDir(), "checkpoints")
	s := serve(t, dir, "--audit-file", file)
	waits := time.Now().Add(time.Minute)
	for {
		text, err := os.ReadFile(file)
		if err == nil && strings.HasSuffix(string(text), "\n") {
			break
		}
		if time.Now().After(waits) {
			t.Fatalf("no checkpoint is published: %v\n%s", err, s.Log(t))
		}
		time.Sleep(100 * time.Millisecond)
	}
	key := strings.TrimSpace(command(t, "", "audit", "key", "--data", dir))
	signIn(t, s.URL, "nurse", http.DefaultClient)
	said := command(t, "", "audit", "verify", "--data", dir, "--audit-file", file, "--key", key)
	if !strings.Contains(said, "events are as they were recorded") || !strings.Contains(said, "(2 checkpoints fit)") {
		t.Error(said)
	}
	if note := command(t, "", "audit", "checkpoint", "--data", dir); !strings.HasPrefix(note, "wardseal/audit/") {
		t.Error(note)
	}
	empty := t.TempDir()
	if _, errs, status := servers.Run(t, "", "audit", "verify", "--data", empty); status != 1 || !strings.Contains(errs, "look for the database") {
		t.Errorf("a folder without a database: %d %s", status, errs)
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) != 0 {
		t.Errorf("verifying leaves something behind: %v %v", left, err)
	}
}
