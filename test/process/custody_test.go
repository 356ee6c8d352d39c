package process

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wardseal/wardseal/test/servers"
)

// deployed is a deployment with one picture in it, and the picture.
func deployed(t *testing.T) (dir, item string, picture []byte) {
	t.Helper()
	dir = deploy(t)
	stopped(t, dir, func(nurse *person) {
		nurse.register()
		form, kind := nurse.form(phone(t))
		var err error
		if item, err = nurse.upload(kind, bytes.NewReader(form)); err != nil {
			t.Fatal(err)
		}
		_, picture = nurse.picture(item)
	})
	return dir, item, picture
}

// stopped has a nurse do something with a server that is stopped afterwards.
func stopped(t *testing.T, dir string, do func(nurse *person), more ...string) {
	t.Helper()
	s := serve(t, dir, more...)
	do(signIn(t, s.URL, "nurse", http.DefaultClient))
	s.Signal(syscall.SIGTERM)
	if status := s.Wait(); status != 0 {
		t.Fatalf("the server ends with %d: %s", status, s.Log(t))
	}
}

// opens sees that a server with these settings shows the picture.
func opens(t *testing.T, dir, item string, picture []byte, more ...string) {
	t.Helper()
	stopped(t, dir, func(nurse *person) {
		if _, got := nurse.picture(item); !bytes.Equal(got, picture) {
			t.Errorf("%d bytes are shown of %d", len(got), len(picture))
		}
	}, more...)
}

// refused runs a command that must fail, and gives what it said.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, status := servers.Run(t, "", args...)
	if status == 0 {
		t.Errorf("wardseal %s: status 0: %s", strings.Join(args, " "), out)
	}
	if strings.Contains(out+errs, "AGE-SECRET") {
		t.Errorf("wardseal %s tells a secret", strings.Join(args, " "))
	}
	return out + errs
}

// The root is replaced in two steps, between which servers with the old and the
// new file both work; afterwards the old one opens nothing.
func TestRootIsReplaced(t *testing.T) {
	dir, item, picture := deployed(t)
	root := filepath.Join(dir, "keys", "root.txt")
	aside := filepath.Join(t.TempDir(), "old-root.txt")
	old, err := os.ReadFile(root)
	if err == nil {
		err = os.WriteFile(aside, old, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if said := refused(t, "keys", "rotate", "root", "--finish", "--data", dir); !strings.Contains(said, "no other") {
		t.Errorf("finished what was not begun: %s", said)
	}
	command(t, "", "keys", "rotate", "root", "--data", dir)
	command(t, "", "keys", "rotate", "root", "--data", dir) // again does no harm
	if said := refused(t, "keys", "status", "--data", dir); !strings.Contains(said, "--finish") {
		t.Errorf("in between: %s", said)
	}
	opens(t, dir, item, picture)
	opens(t, dir, item, picture, "--keys-root-file", aside)
	command(t, "", "keys", "rotate", "root", "--finish", "--data", dir)
	if said := command(t, "", "keys", "status", "--data", dir); strings.Contains(said, "NO") {
		t.Error(said)
	}
	opens(t, dir, item, picture)
	if now, err := os.ReadFile(root); err != nil || bytes.Contains(now, bytes.TrimSpace(bytes.SplitN(old, []byte("\n"), 2)[1])) || bytes.Count(now, []byte("AGE-SECRET")) != 1 {
		t.Error("the old identity is still in the file")
	}
	if said := refused(t, "serve", "--data", dir, "--keys-root-file", aside, "--public-url", "http://127.0.0.1:1"); !strings.Contains(said, "does not open") {
		t.Errorf("a server with the old root: %s", said)
	}

	t.Setenv("WARDSEAL_KEYS_ROOT", string(old))
	if said := refused(t, "keys", "status", "--data", dir); !strings.Contains(said, "do not open") {
		t.Errorf("the old root from the environment: %s", said)
	}
	now, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("WARDSEAL_KEYS_ROOT", string(now))
	if said := refused(t, "keys", "status", "--data", dir, "--keys-root-file", root); !strings.Contains(said, "which is meant") {
		t.Errorf("two roots: %s", said)
	}
	if err := os.Rename(root, filepath.Join(t.TempDir(), "wardseal-root")); err != nil {
		t.Fatal(err)
	}
	opens(t, dir, item, picture) // from the environment alone
}

// The escrow identity is split among five people; the root is lost; three of
// them bring everything back, two do not.
func TestRootIsRecoveredFromShares(t *testing.T) {
	dir, item, picture := deployed(t)
	escrow, parts := filepath.Join(dir, "escrow-identity.txt"), filepath.Join(t.TempDir(), "shares")
	command(t, "", "keys", "escrow", "split", "--identity", escrow, "--out", parts)
	if err := os.Remove(escrow); err != nil {
		t.Fatal(err)
	}
	share := func(numbers string) (args []string) {
		for _, n := range numbers {
			args = append(args, "--share", filepath.Join(parts, "share-"+string(n)+"-of-5.txt"))
		}
		return args
	}
	if said := command(t, "", append([]string{"keys", "escrow", "check", "--data", dir}, share("124")...)...); !strings.Contains(said, "keys open") {
		t.Error(said)
	}
	if said := refused(t, append([]string{"keys", "escrow", "check", "--data", dir}, share("12")...)...); !strings.Contains(said, "3 different shares are needed") {
		t.Error(said)
	}
	if said := refused(t, append([]string{"keys", "recover", "--data", dir}, share("135")...)...); !strings.Contains(said, "there is a root file") {
		t.Error(said)
	}
	lost := filepath.Join(dir, "keys", "root.txt")
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	if said := refused(t, "serve", "--data", dir, "--public-url", "http://127.0.0.1:1"); !strings.Contains(said, "keys recover") {
		t.Errorf("a server without a root: %s", said)
	}
	if said := refused(t, append([]string{"keys", "recover", "--data", dir}, share("15")...)...); !strings.Contains(said, "3 different shares are needed") {
		t.Error(said)
	}
	if _, err := os.Stat(lost); err == nil {
		t.Error("a root file is there after a recovery that failed")
	}
	command(t, "", append([]string{"keys", "recover", "--data", dir}, share("531")...)...)
	opens(t, dir, item, picture)

	// Whoever held shares opens nothing after the escrow has changed.
	other := filepath.Join(t.TempDir(), "other")
	command(t, "", "keys", "init", "--data", other, "--escrow-out", filepath.Join(other, "identity.txt"))
	if err := os.Rename(filepath.Join(other, "keys", "escrow.txt"), filepath.Join(dir, "keys", "escrow.txt")); err != nil {
		t.Fatal(err)
	}
	command(t, "", "keys", "escrow", "change", "--data", dir)
	if said := refused(t, append([]string{"keys", "escrow", "check", "--data", dir}, share("135")...)...); !strings.Contains(said, "0 of") {
		t.Error(said)
	}
	command(t, "", "keys", "escrow", "check", "--data", dir, "--identity", filepath.Join(other, "identity.txt"))
	opens(t, dir, item, picture)
}

// The root file can be encrypted to a plugin of age, without which a stolen disk
// opens nothing; the server asks the plugin when it starts.
func TestRootBehindAPlugin(t *testing.T) {
	plugin := servers.Binary(t, "age-plugin-batchpass")
	t.Setenv("PATH", filepath.Dir(plugin)+":"+os.Getenv("PATH"))
	t.Setenv("AGE_PASSPHRASE", "what the hardware knows")
	t.Setenv("AGE_PASSPHRASE_WORK_FACTOR", "8")
	dir, identity := t.TempDir(), filepath.Join(t.TempDir(), "plugin.txt")
	const batchpass = "AGE-PLUGIN-BATCHPASS-1JCS0Q9"
	if err := os.WriteFile(identity, []byte("# the plugin\n"+batchpass+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := []string{"--data", dir, "--keys-root-identity-file", identity}
	command(t, "", "keys", "init", "--data", dir, "--escrow-out", filepath.Join(dir, "escrow-identity.txt"), "--root-recipient", batchpass)
	root, err := os.ReadFile(filepath.Join(dir, "keys", "root.txt"))
	if err != nil || bytes.Contains(root, []byte("AGE-SECRET")) || !bytes.HasPrefix(root, []byte("-----BEGIN AGE ENCRYPTED FILE-----")) {
		t.Fatalf("the root file is not encrypted: %v", err)
	}
	command(t, password+"\n", "user", "add", "--own-password", "nurse", "--name", "Example Nurse", "--role", "clinician", "--team", "Tissue viability", "--data", dir)
	stopped(t, dir, func(nurse *person) { nurse.register() }, with[2:]...)
	if said := refused(t, "keys", "rotate", "root", "--data", dir, "--keys-root-identity-file", identity); !strings.Contains(said, "--root-recipient") {
		t.Errorf("a root file that would not be encrypted any more: %s", said)
	}
	command(t, "", append([]string{"keys", "rotate", "root", "--root-recipient", batchpass}, with...)...)
	command(t, "", append([]string{"keys", "rotate", "root", "--finish", "--root-recipient", batchpass}, with...)...)
	command(t, "", append([]string{"keys", "status"}, with...)...)
	t.Setenv("AGE_PASSPHRASE", "a guess")
	if said := refused(t, append([]string{"keys", "status"}, with...)...); !strings.Contains(said, "do not open it") {
		t.Errorf("a guess: %s", said)
	}
	if said := refused(t, "keys", "status", "--data", dir); !strings.Contains(said, "no identity is given") {
		t.Errorf("without the identity: %s", said)
	}
	t.Setenv("PATH", "/nowhere")
	if said := refused(t, append([]string{"keys", "status"}, with...)...); !strings.Contains(said, "not on the PATH") {
		t.Errorf("without the plugin: %s", said)
	}
}
