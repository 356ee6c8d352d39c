package process

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// An operator opens one picture without the server, with the stock age command;
// the release is an event, and only root may ask for it.
func TestKeysItem(t *testing.T) {
	dir := deploy(t)
	s := serve(t, dir)
	nurse := signIn(t, s.URL, "nurse", http.DefaultClient)
	nurse.register()
	form, kind := nurse.form(phone(t))
	item, err := nurse.upload(kind, bytes.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	_, want := nurse.picture(item)
	released := func() int {
		var page struct{ Events []struct{} }
		signIn(t, s.URL, "auditor", http.DefaultClient).json("GET", "/audit?type=key.released&item="+item, http.StatusOK, nil, &page)
		return len(page.Events)
	}
	if os.Geteuid() != 0 {
		if _, said, status := servers.Run(t, "", "keys", "item", "--data", dir, item); status == 0 || !strings.Contains(said, "only root") {
			t.Errorf("status %d: %s", status, said)
		}
		return
	}
	identity := filepath.Join(t.TempDir(), "identity.txt")
	if err := os.WriteFile(identity, []byte(command(t, "", "keys", "item", "--data", dir, item)), 0o600); err != nil {
		t.Fatal(err)
	}
	if released() != 1 {
		t.Error("the release is not recorded")
	}
	got, err := exec.Command(servers.Binary(t, "age"), "-d", "-i", identity, objects(t, dir)[0]).Output()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("age gives %d bytes of %d: %v", len(got), len(want), err)
	}

	// Somebody else on the same machine.
	public := t.TempDir()
	for d := public; d != "/" && strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(servers.Wardseal(t))
	if err == nil {
		err = os.WriteFile(filepath.Join(public, "wardseal"), program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(public, "wardseal"), "keys", "item", "--data", dir, item)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "only root") {
		t.Errorf("somebody else: %v: %s", err, said)
	}
	for _, unknown := range []string{"0190a5e6-0000-7000-8000-000000000000", "../x"} {
		if _, _, status := servers.Run(t, "", "keys", "item", "--data", dir, unknown); status == 0 {
			t.Errorf("%s: status 0", unknown)
		}
	}
	if released() != 1 {
		t.Error("a release that did not happen is recorded")
	}
}
