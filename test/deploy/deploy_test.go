// Package deploy checks the files of docs/deploy: each with the tool that will
// read it where there is one, and against the program, so that no file names a
// setting, a metric or a page that is not there.
package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const folder = "../../docs/deploy"

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs a tool in the folder; it must succeed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(servers.Binary(t, name, "/usr/bin", "/bin"), args...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestAlerts(t *testing.T) {
	run(t, "promtool", "check", "rules", "alerts.yml")
	run(t, "promtool", "test", "rules", "alerts_test.yml")
}

var metric = regexp.MustCompile(`\b(?:wardseal|process|go)_[a-z_]+\b`)

// Every metric that an alert or the dashboard looks at is served, and every
// metric of ours is looked at by one of them.
func TestMetricsAreThere(t *testing.T) {
	dir := t.TempDir()
	if out, errs, status := servers.Run(t, "", "keys", "init", "--data", dir, "--escrow-out", filepath.Join(dir, "escrow-identity.txt")); status != 0 {
		t.Fatal(out, errs)
	}
	s := servers.Serve(t, "--data", dir, "--no-derivatives", "--audit-file", filepath.Join(dir, "checkpoints"))
	for _, url := range []string{s.URL + "/api/v1/openapi.json", s.URL + "/api/v1/items"} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	var served []byte
	for range 600 { // how long a round takes is told from when the first has begun
		resp, err := http.Get(s.Operations + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		served, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(served, []byte("\nwardseal_scrub_round_seconds ")) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	lint := exec.Command(servers.Binary(t, "promtool", "/usr/bin"), "check", "metrics")
	lint.Stdin = bytes.NewReader(served)
	if out, err := lint.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	var alerts struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	if err := yaml.Unmarshal(read(t, "alerts.yml"), &alerts); err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(read(t, "grafana.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			asked = append(asked, metric.FindAllString(r.Expr, -1)...)
		}
	}
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("the panel %q asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			asked = append(asked, metric.FindAllString(target.Expr, -1)...)
		}
	}
	if len(asked) < 20 {
		t.Fatalf("only %d metrics are asked for: %v", len(asked), asked)
	}
	for _, name := range asked {
		if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).Match(served) {
			t.Errorf("%s is asked for and not served", name)
		}
	}
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (wardseal_\w+)`).FindAllSubmatch(served, -1) {
		name := string(found[1])
		if !slices.ContainsFunc(asked, func(a string) bool { return strings.HasPrefix(a, name) }) && name != "wardseal_measures_failed" {
			t.Errorf("nobody looks at %s", name)
		}
	}
	for _, secret := range []string{"999", "AGE-SECRET", "wss_"} {
		if bytes.Contains(served, []byte(secret+"000")) || bytes.Contains(served, []byte("AGE-SECRET")) {
			t.Errorf("the metrics hold %s", secret)
		}
	}
}

// The unit is well-formed, and names flags that there are.
func TestUnit(t *testing.T) {
	unit := string(read(t, "wardseal.service"))
	cmd := exec.Command(servers.Binary(t, "systemd-analyze", "/usr/bin"), "verify", "wardseal.service")
	cmd.Dir = folder
	out, _ := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "is not executable") { // the program is not installed here
			t.Errorf("systemd-analyze: %s", line)
		}
	}
	help, _, _ := servers.Run(t, "", "serve", "--help")
	for _, flag := range regexp.MustCompile(`--[a-z][a-z-]+`).FindAllString(regexp.MustCompile(`(?m)^ExecStart=.*$`).FindString(unit), -1) {
		if !strings.Contains(help, flag) {
			t.Errorf("there is no flag %s", flag)
		}
	}
}

// The manifest's settings are settings, its secrets are those that it says how
// to make, and its volumes and ports are those that it names.
func TestKubernetes(t *testing.T) {
	text := string(read(t, "kubernetes.yaml"))
	help, _, _ := servers.Run(t, "", "serve", "--help")
	docs := yaml.NewDecoder(strings.NewReader(text))
	kinds := map[string]bool{}
	for {
		var doc struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
			Metadata   struct{ Name, Namespace string }
			Spec       struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Env   []struct{ Name, Value string }
							Ports []struct {
								Name string
								Port int `yaml:"containerPort"`
							}
							Mounts []struct {
								Name string
								Path string `yaml:"mountPath"`
							} `yaml:"volumeMounts"`
						}
						Volumes []struct{ Name string }
					}
				}
			}
		}
		err := docs.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if doc.APIVersion == "" || doc.Metadata.Name == "" || doc.Metadata.Namespace != "wardseal" {
			t.Errorf("%s %s is not whole", doc.Kind, doc.Metadata.Name)
		}
		kinds[doc.Kind] = true
		for _, c := range doc.Spec.Template.Spec.Containers {
			for _, e := range c.Env {
				if !strings.Contains(help, e.Name) {
					t.Errorf("there is no setting %s", e.Name)
				}
				if name, ok := strings.CutPrefix(e.Value, "/run/secrets/wardseal/"); ok && !strings.Contains(text, "--from-file="+name) {
					t.Errorf("nothing says how to make the secret %s", name)
				}
			}
			if len(c.Mounts) == 0 || len(c.Ports) != 2 {
				t.Errorf("%d mounts, %d ports", len(c.Mounts), len(c.Ports))
			}
			for _, m := range c.Mounts {
				if !slices.ContainsFunc(doc.Spec.Template.Spec.Volumes, func(v struct{ Name string }) bool { return v.Name == m.Name }) {
					t.Errorf("there is no volume %s", m.Name)
				}
			}
		}
	}
	for _, kind := range []string{"Deployment", "Service", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"} {
		if !kinds[kind] {
			t.Errorf("there is no %s", kind)
		}
	}
}
