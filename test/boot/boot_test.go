// Package boot installs Wardseal on a Debian of its own as docs/operations.md
// says, starts that system with its systemd, and does the main job there. It
// needs root, debootstrap and systemd-nspawn: "make boot".
package boot

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const password = "correct horse battery staple"

// machine is a Debian in a folder, and while it runs, the process that is its
// first. It shares this machine's loopback network.
type machine struct {
	t    *testing.T
	root string
	init string
	off  chan struct{}
}

// debian copies a Debian of the release that this one is, with what the server
// uses.
func debian(t *testing.T) *machine {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	const include = "systemd,dbus,ca-certificates,ffmpeg,libjpeg-turbo-progs"
	base := filepath.Join(cache, "wardseal", "boot")
	if _, err := os.Stat(base); err != nil {
		t.Log("making a Debian")
		said, err := exec.Command("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages").Output()
		release, mirror, ok := strings.Cut(strings.SplitN(string(said), "\n", 2)[0], " ")
		if err != nil || !ok {
			t.Fatalf("where packages come from: %v %q", err, said)
		}
		sh(t, fmt.Sprintf("rm -rf %[1]s.new; debootstrap --variant=minbase --include=%[2]s %[3]s %[1]s.new %[4]s && mv %[1]s.new %[1]s", base, include, release, mirror))
	}
	m := &machine{t: t, root: t.TempDir()}
	sh(t, "cp -a "+base+"/. "+m.root)
	return m
}

// sh runs a script here and gives what it says.
func sh(t *testing.T, script string, env ...string) string {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, script, out)
	}
	return string(out)
}

// start boots, and waits until the system has come up.
func (m *machine) start() {
	m.t.Helper()
	cmd := exec.Command("systemd-nspawn", "--directory", m.root, "--boot", "--register=no", "--keep-unit", "--console=read-only", "--machine", "wardseal-boot",
		"--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self") // nspawn forbids them; a kernel of one's own would not
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	m.t.Cleanup(m.end)
	m.off = servers.Start(m.t, cmd, func() error {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if err != nil {
			return err
		}
		m.init = strings.TrimSpace(string(children))
		_, err = m.try("systemctl is-system-running --wait")
		return err
	})
}

// end ends the first process, and all others with it.
func (m *machine) end() {
	if pid, err := strconv.Atoi(m.init); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-m.off
}

// stop shuts the system down as its power button would.
func (m *machine) stop() {
	m.t.Helper()
	_, _ = m.try("systemctl --no-block poweroff")
	select {
	case <-m.off:
		m.init = ""
	case <-time.After(2 * time.Minute):
		m.t.Fatal("the system does not shut down")
	}
}

// try runs a script on the machine, as its root.
func (m *machine) try(script string) (string, error) {
	out, err := exec.Command("nsenter", "-t", m.init, "-m", "-u", "-i", "-p", "--root", "--", "env", "-i", "-C", "/root",
		"PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin", "EDITOR=cp settings.yaml", "bash", "-euo", "pipefail", "-c", script).CombinedOutput()
	return string(out), err
}

func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		m.t.Fatalf("%v: %s\n%s", err, script, out)
	}
	return out
}

// cut gives what stands in a text between two marks.
func cut(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	part, _, end := strings.Cut(rest, to)
	if !ok || !end {
		t.Fatalf("the text has no part between %q and %q", from, to)
	}
	return part
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The unit serves as the guide installs it: whole, confined, and again after
// it was killed and after the machine was started anew.
func TestUnit(t *testing.T) {
	m, docs := debian(t), filepath.Join("..", "..", "docs")
	at := servers.NewAddresses(t)
	url := "http://" + at.Listen
	sh(t, `cp "$PROGRAM" "$ROOT/root/wardseal" && mkdir -p "$ROOT/root/docs" && cp -r "$DOCS/deploy" "$ROOT/root/docs/" && cat > "$ROOT/root/settings.yaml"`+
		fmt.Sprintf(" <<END\nlisten: %s\noperations: %s\npublic-url: %s\nsecond-factor-for: [none]\nEND\n", at.Listen, at.Operations, url),
		"PROGRAM="+servers.Wardseal(t), "ROOT="+m.root, "DOCS="+docs)
	m.start()

	guide := read(t, docs, "operations.md")
	m.run("./wardseal keys init --data . --escrow-out escrow-identity.txt")
	m.run(cut(t, cut(t, guide, "## Under systemd", "## On Kubernetes"), "```\n", "```"))
	alive(t, m, at)
	add := "echo '" + password + "' | systemd-run --quiet --pipe" + cut(t, guide, "systemd-run --pty", " --own-password ada")
	m.run(add + " --own-password nurse --name 'Example Nurse' --role clinician --team 'Tissue viability'")
	m.run(add + " --own-password consultant --name 'Example Consultant' --role consultant")

	dir := t.TempDir()
	sh(t, "cp ../../cmd/wardseal/testdata/phone.jpg "+dir+"/photo.jpg")
	walk := "cd " + dir + "\n" + cut(t, read(t, "..", "..", "README.md"), "<!-- walk-through -->\n```sh\n", "```\n<!-- end -->")
	env := []string{"URL=" + url, "PASSWORD=" + password}
	patient := `curl -sSf -o /dev/null -H "Cookie: $NURSE" -H 'Content-Type: application/json' -d '{"patient_number_kind":"nhs","patient_number":"9990000018","name":"Test Patient","date_of_birth":"1950-01-31"}' "$URL/api/v1/patients"
# File`
	sh(t, strings.Replace(walk, "# File", patient, 1), env...)
	if strings.Contains(read(t, dir, "seen.jpg"), "SN-4711") {
		t.Error("the serial number is in what the consultant sees")
	}
	film := `
ffmpeg -loglevel error -f lavfi -i testsrc2=s=640x360:d=2:r=25 -c:v libx265 -x265-params log-level=error -tag:v hvc1 film.mov
FILM=$(curl -sS -H "Cookie: $NURSE" -F file=@film.mov -F patient_number_kind=nhs -F patient_number=9990000018 -F date_of_birth=1950-01-31 \
  -F team="$TEAM" -F consent=A -F body_site=heel "$URL/api/v1/items" | field item id)
for i in $(seq 300); do
  for id in "$ITEM" "$FILM"; do curl -sS -H "Cookie: $NURSE" "$URL/api/v1/items/$id"; echo; done > detail
  [[ $(grep -c '"deriving":"done"' detail) == 2 ]] && break; sleep 0.2
done
cat detail`
	// Every confined child does its work inside the unit's own confinement.
	detail := sh(t, strings.Replace(walk, "# Make a link", film+"\n# Make a link", 1), env...)
	for _, want := range []string{`"thumbnail"`, `"preview"`, `"poster"`, `"playable"`} {
		if !strings.Contains(detail, want) {
			t.Errorf("no %s was made: %s\n%s", want, regexp.MustCompile(`"deriving[^,]*,[^,]*`).FindAllString(detail, -1), m.run("journalctl --no-pager --unit wardseal | tail -20"))
		}
	}

	confined(t, m)
	exposure := m.run("systemd-analyze security --no-pager wardseal.service | tail -1")
	t.Log(strings.TrimSpace(exposure))

	m.run("systemctl kill --kill-whom=main --signal=KILL wardseal")
	time.Sleep(3 * time.Second)
	alive(t, m, at)
	if n := strings.TrimSpace(m.run("systemctl show -P NRestarts wardseal")); n != "1" {
		t.Errorf("it was started anew %s times", n)
	}
	m.stop()
	m.start()
	alive(t, m, at)
	shown := sh(t, walk[:strings.Index(walk, "# File")]+`
curl -sS -H "Cookie: $NURSE" "$URL/api/v1/items?patient_number_kind=nhs&patient_number=9990000018"`, env...)
	if n := strings.Count(shown, `"format":`); n != 2 {
		t.Errorf("%d items are there after a boot: %s", n, shown)
	}
	m.run("systemctl stop wardseal")
	if result := strings.TrimSpace(m.run("systemctl show -P Result wardseal")); result != "success" {
		t.Errorf("it stopped: %s", result)
	}
	journal := m.run("journalctl --no-pager --unit wardseal")
	for _, secret := range []string{"9990000018", "Test Patient", "AGE-SECRET-KEY"} {
		if strings.Contains(journal, secret) || !strings.Contains(journal, "wardseal") {
			t.Errorf("the journal tells of %s", secret)
		}
	}
	left := m.run("ls -A /run/credentials /root/keys; grep -rl AGE-SECRET-KEY /etc /var /run 2>/dev/null || true")
	if strings.Contains(left, "root.txt") || strings.Contains(left, "wardseal-root") || regexp.MustCompile(`(?m)^/(etc|var|run)/\S+[^:]$`).MatchString(left) {
		t.Errorf("the root identity is left in the clear:\n%s", left)
	}
	m.stop()
}

// alive waits until the server is ready.
func alive(t *testing.T, m *machine, at servers.Addresses) {
	t.Helper()
	for range 300 {
		if resp, err := http.Get("http://" + at.Operations + "/readyz"); err == nil {
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			t.Logf("not ready: %s", bytes.TrimSpace(body))
		}
		time.Sleep(100 * time.Millisecond)
	}
	said, _ := m.try("journalctl --no-pager --unit wardseal | tail -8; cat /etc/wardseal/wardseal.yaml")
	t.Fatalf("the server is not ready\n%s", said)
}

// confined looks at the running server from outside.
func confined(t *testing.T, m *machine) {
	t.Helper()
	pid := strings.TrimSpace(m.run("systemctl show -P MainPID wardseal"))
	status := m.run("cat /proc/" + pid + "/status")
	for field, want := range map[string]string{"CapEff": "0000000000000000", "CapBnd": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"} {
		if got := regexp.MustCompile(`(?m)^` + field + `:\s+(\S+)$`).FindStringSubmatch(status); got == nil || got[1] != want {
			t.Errorf("%s is %v, not %s", field, got, want)
		}
	}
	uid := regexp.MustCompile(`(?m)^Uid:\s+(\d+)`).FindStringSubmatch(status)
	if n, err := strconv.Atoi(uid[1]); err != nil || n < 61184 || n > 65519 { // systemd's range for users that exist while a unit runs
		t.Errorf("it runs as user %s", uid[1])
	}
	if mode := strings.TrimSpace(m.run("stat -L -c %a /var/lib/wardseal")); mode != "700" {
		t.Errorf("its folder has mode %s", mode)
	}
}
