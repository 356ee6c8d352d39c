//go:build attack

package attack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardseal/wardseal/test/servers"
)

// said is one finding of a scanner.
type said struct {
	ID, Severity, Finding string
}

// ourMaking are findings about the test's own certificate, which nobody signed
// and which nobody can ask about.
var ourMaking = map[string]bool{
	"cert_chain_of_trust": true, "cert_trust": true, "cert_revocation": true, "OCSP_stapling": true, "DNS_CAArecord": true, "cert_crlDistributionPoints": true, "cert_ocspURL": true,
	"cert_notAfter": true, "cert_extlifeSpan": true, "cert_validityPeriod": true, "cert_certificatePolicies_EV": true, "cert_expirationStatus": true, "cert_subjectAltName": true, "cert_commonName": true,
	"overall_grade": true, "engine_problem": true, "HTTP_status_code": true, "grade_cap_reason_1": true, "certs_countServer": true,
}

// testssl.sh finds nothing of low severity or more in the program's own TLS.
func TestTestSSL(t *testing.T) {
	cert, key := servers.Certificate(t, t.TempDir())
	s := serve(t, "--no-derivatives", "--tls-cert", cert, "--tls-key", key)
	out := filepath.Join(t.TempDir(), "out.json")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, servers.Binary(t, "testssl"), "--quiet", "--color", "0", "--warnings", "off", "--add-ca", cert, "--jsonfile", out, "-p", "-P", "-S", "-h", "-U", strings.TrimPrefix(s.URL, "https://"))
	text, err := cmd.CombinedOutput()
	b, err2 := os.ReadFile(out)
	if err2 != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var findings []said
	if err := json.Unmarshal(b, &findings); err != nil {
		t.Fatal(err)
	}
	if len(findings) < 30 {
		t.Fatalf("only %d findings: %v\n%s", len(findings), err, text)
	}
	seen, bad := map[string]int{}, 0
	for _, f := range findings {
		seen[f.Severity]++
		if f.Severity == "OK" || f.Severity == "INFO" || f.Severity == "DEBUG" {
			continue
		}
		id, _, _ := strings.Cut(f.ID, " ") // of which certificate
		if ourMaking[id] {
			t.Logf("of the test's certificate: %s: %s", f.ID, f.Finding)
			continue
		}
		bad++
		t.Errorf("%s, %s: %s", f.ID, f.Severity, f.Finding)
	}
	t.Logf("testssl.sh: %d findings, %v, %d of the program", len(findings), seen, bad)
}

// decided are what wapiti reports and is as it should be, and why.
var decided = map[string]string{
	"Cross Site Request Forgery":           "forms carry no token: the origin is checked and the cookie is strict (docs/decisions/0010)",
	"X-XSS-Protection is not set":          "browsers have given it up; the content security policy does more",
	"Strict-Transport-Security is not set": "it is set over TLS, which this server stands behind",
}

// wapiti, signed in as a nurse, finds nothing.
func TestWapiti(t *testing.T) {
	s := serve(t, "--no-derivatives")
	resp, err := http.Post(s.URL+"/api/v1/session", "application/json", strings.NewReader(`{"username":"nurse","password":"`+password+`"}`))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	cookie := resp.Cookies()[0]
	ask := func(method, path, form string) string {
		r, err := http.NewRequest(method, s.URL+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookie.String())
		r.Header.Set("Origin", s.URL)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	version := regexp.MustCompile(`name="version" value="([^"]+)"`).FindStringSubmatch(ask("GET", "/guidance", ""))
	if version == nil {
		t.Fatal("there is no guidance to read")
	}
	ask("POST", "/guidance", "version="+version[1])
	// What stands in between keeps it signed in: what wapiti 3.0.4 has for that,
	// leaving addresses out, ends in an error with the Python of today.
	behind, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int64
	var signedIn atomic.Bool
	front := httptest.NewServer(&httputil.ReverseProxy{ModifyResponse: func(r *http.Response) error {
		requests.Add(1)
		if r.Request.URL.Path == "/pictures" && r.StatusCode == http.StatusOK {
			signedIn.Store(true)
		}
		return nil
	}, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		if strings.HasPrefix(r.In.URL.Path, "/sign-out") || strings.HasPrefix(r.In.URL.Path, "/account/") {
			r.Out.URL.Path = "/left-out"
		}
		r.Out.Header.Set("Cookie", cookie.Name+"="+cookie.Value)
		r.Out.Header.Set("Origin", s.URL)
	}})
	defer front.Close()
	dir := t.TempDir()
	out := filepath.Join(dir, "out.json")
	limit := times(t, "SCAN_SECONDS", 300)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(limit+240)*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, servers.Binary(t, "wapiti"), "-u", front.URL+"/", "-s", front.URL+"/send", "-s", front.URL+"/pictures", "-s", front.URL+"/account", "-s", front.URL+"/report", "-s", front.URL+"/links",
		"--scope", "domain",
		"-m", "backup,blindsql,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,redirect,shellshock,sql,xss",
		"--max-scan-time", fmt.Sprint(limit), "--max-attack-time", "60", "--flush-session", "--store-session", dir, "--store-config", dir, "--no-bugreport", "-v", "1", "-f", "json", "-o", out)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	text, err := cmd.CombinedOutput()
	b, err2 := os.ReadFile(out)
	if err2 != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var report struct {
		Vulnerabilities, Anomalies map[string][]struct {
			Method, Path, Info, Parameter string
			Level                         int
		}
		Infos json.RawMessage
	}
	if err := json.Unmarshal(b, &report); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	found := 0
	for name, all := range report.Vulnerabilities {
		for _, v := range all {
			if why := cmp.Or(decided[name], decided[v.Info]); why != "" {
				t.Logf("%s at %s: as decided: %s", name, v.Path, why)
				continue
			}
			found++
			t.Errorf("%s: %s %s: %s", name, v.Method, v.Path, v.Info)
		}
	}
	for name, all := range report.Anomalies {
		for _, v := range all {
			found++
			t.Errorf("%s: %s %s: %s", name, v.Method, v.Path, v.Info)
		}
	}
	if !signedIn.Load() || requests.Load() < 200 || bytes.Contains(text, []byte("Traceback")) {
		t.Errorf("it came nowhere: %d requests\n%s", requests.Load(), text)
	}
	t.Logf("wapiti: %d requests, %d findings; %s", requests.Load(), found, report.Infos)
}
