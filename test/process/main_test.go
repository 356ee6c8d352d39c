// Package process tests the program as operators run it: a process of its own
// that is started, stopped, killed and misconfigured.
package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const password = "correct horse battery staple"

// deploy makes a data folder with keys and a nurse, an auditor and a patient's
// number to use.
func deploy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command(t, "", "keys", "init", "--data", dir, "--escrow-out", filepath.Join(dir, "escrow-identity.txt"))
	command(t, password+"\n", "user", "add", "--own-password", "--data", dir, "nurse", "--name", "Example Nurse", "--role", "clinician", "--team", "Tissue viability")
	command(t, password+"\n", "user", "add", "--own-password", "--data", dir, "auditor", "--name", "Example Auditor", "--role", "auditor")
	return dir
}

// command runs wardseal, which must succeed, and gives what it said.
func command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, errs, status := servers.Run(t, stdin, args...)
	if status != 0 {
		t.Fatalf("wardseal %s: status %d\n%s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

// serve starts a server over a data folder, without derivatives.
func serve(t *testing.T, dir string, more ...string) *servers.Serving {
	t.Helper()
	return servers.Serve(t, append([]string{"--data", dir, "--no-derivatives"}, more...)...)
}

// person speaks to a server in a session of their own.
type person struct {
	t      *testing.T
	url    string
	client *http.Client
	cookie *http.Cookie
	team   string
}

func signIn(t *testing.T, url, name string, client *http.Client) *person {
	t.Helper()
	p := &person{t: t, url: url, client: client}
	var me api.Me
	p.json("POST", "/session", http.StatusOK, map[string]string{"username": name, "password": password}, &me)
	if len(me.Teams) > 0 {
		p.team = string(me.Teams[0])
	}
	return p
}

func (p *person) do(method, path, kind string, body io.Reader) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+"/api/v1"+path, body)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", kind)
	if p.cookie != nil {
		r.AddCookie(p.cookie)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		p.cookie = c
	}
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

func (p *person) json(method, path string, want int, in, out any) {
	p.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, got, err := p.do(method, path, "application/json", bytes.NewReader(b))
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%d, want %d: %s", resp.StatusCode, want, got)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(got, out)
	}
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (p *person) register() {
	p.t.Helper()
	p.json("POST", "/patients", http.StatusCreated, map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "name": "Test Patient", "date_of_birth": "1950-01-31"}, nil)
}

// form is the body of an upload, and its media type.
func (p *person) form(file []byte) ([]byte, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31", "team": p.team, "consent": "A", "body_site": "heel", "allow_repeat": "true"} {
		_ = w.WriteField(k, v)
	}
	f, _ := w.CreateFormFile("file", "a.jpg")
	_, _ = f.Write(file)
	_ = w.Close()
	return b.Bytes(), w.FormDataContentType()
}

// upload files a picture from body and gives its item.
func (p *person) upload(kind string, body io.Reader) (string, error) {
	resp, got, err := p.do("POST", "/items", kind, body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("%d %s", resp.StatusCode, got)
	}
	var f api.Filing
	err = json.Unmarshal(got, &f)
	return string(f.Item.ID), err
}

func (p *person) picture(item string) (*http.Response, []byte) {
	p.t.Helper()
	resp, got, err := p.do("GET", "/items/"+item+"/renditions/original-clean", "", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, got
}

func (p *person) items() (ids []string) {
	p.t.Helper()
	for after := ""; ; {
		var page struct {
			Items []struct{ ID string }
			Next  string
		}
		p.json("GET", "/items?limit=200"+after, http.StatusOK, nil, &page)
		for _, i := range page.Items {
			ids = append(ids, i.ID)
		}
		if page.Next == "" {
			return ids
		}
		after = "&after=" + page.Next
	}
}

func phone(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../cmd/wardseal/testdata/phone.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// objects lists the files of the object store.
func objects(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "objects", "objects"), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
