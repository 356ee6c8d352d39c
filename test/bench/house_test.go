package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/storage/blob"
	"github.com/wardseal/wardseal/storage/blob/filesystem"
	"github.com/wardseal/wardseal/test/servers"
)

const password = "correct horse battery staple"

// house is a wardseal server, a process of its own, and a nurse who is signed in.
type house struct {
	*servers.Serving
	dir     string
	objects blob.Store
	team    string
	jar     *http.Cookie
}

// open starts a server over a folder or over a bucket of srv.
func open(b *testing.B, srv *servers.S3) *house {
	b.Helper()
	return openWith(b, srv, false, "--no-derivatives")
}

func openWith(b *testing.B, srv *servers.S3, versioned bool, more ...string) *house {
	b.Helper()
	h := &house{dir: b.TempDir()}
	var database []string
	for i := 0; i+1 < len(more); i++ {
		if strings.HasPrefix(more[i], "--database-") {
			database = append(database, more[i], more[i+1])
		}
	}
	run := func(stdin string, args ...string) {
		if _, errs, status := servers.Run(b, stdin, args...); status != 0 {
			b.Fatalf("wardseal %s: %s", strings.Join(args, " "), errs)
		}
	}
	run("", "keys", "init", "--data", h.dir, "--escrow-out", filepath.Join(h.dir, "escrow-identity.txt"))
	run(password+"\n", append([]string{"user", "add", "--own-password", "--data", h.dir, "nurse", "--name", "Example Nurse", "--role", "clinician", "--team", "Tissue viability"}, database...)...)
	settings := append([]string{"--data", h.dir}, more...)
	if srv != nil {
		key := filepath.Join(h.dir, "secret-key")
		if err := os.WriteFile(key, []byte(srv.SecretKey), 0o600); err != nil {
			b.Fatal(err)
		}
		bucket := srv.NewBucket(b, versioned)
		h.objects = openBucket(b, *srv, bucket)
		settings = append(settings, "--objects-kind", "s3", "--objects-endpoint", srv.Endpoint, "--objects-bucket", bucket,
			"--objects-region", srv.Region, "--objects-access-key", srv.AccessKey, "--objects-secret-key-file", key, "--objects-ca-file", srv.CAFile)
	}
	h.Serving = servers.Serve(b, settings...)
	if srv == nil {
		var err error
		if h.objects, err = filesystem.Open(filepath.Join(h.dir, "objects")); err != nil {
			b.Fatal(err)
		}
	}
	var me api.Me
	h.json(b, "POST", "/session", map[string]string{"username": "nurse", "password": password}, &me)
	h.team = string(me.Teams[0])
	h.json(b, "POST", "/patients", map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "name": "Test Patient", "date_of_birth": "1950-01-31"}, nil)
	return h
}

// over are the settings for a PostgreSQL database.
func over(b *testing.B, url string) []string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "url")
	if err := os.WriteFile(file, []byte(url), 0o600); err != nil {
		b.Fatal(err)
	}
	return []string{"--database-driver", "postgres", "--database-url-file", file}
}

func (h *house) json(b *testing.B, method, path string, in, out any) {
	b.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	var got bytes.Buffer
	if _, err = h.do(method, path, &got, "Content-Type", "application/json", "", string(body)); err == nil && out != nil {
		err = json.Unmarshal(got.Bytes(), out)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// do sends a request; a header named "" is the body.
func (h *house) do(method, path string, to io.Writer, headers ...string) (int64, error) {
	r, err := http.NewRequest(method, h.URL+"/api/v1"+path, nil)
	if err != nil {
		return 0, err
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "" {
			r.ContentLength, r.Body = int64(len(headers[i+1])), io.NopCloser(strings.NewReader(headers[i+1]))
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	return h.send(r, to)
}

func (h *house) send(r *http.Request, to io.Writer) (int64, error) {
	if h.jar != nil {
		r.AddCookie(h.jar)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		h.jar = c
	}
	if resp.StatusCode >= 300 {
		said, _ := io.ReadAll(resp.Body)
		return 0, fmt.Errorf("%s %s: %d %s", r.Method, r.URL.Path, resp.StatusCode, said)
	}
	return io.CopyBuffer(struct{ io.Writer }{to}, resp.Body, make([]byte, 128<<10))
}

// upload files size bytes of a file and gives the item.
func (h *house) upload(name string, file io.Reader, size int64) (string, error) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	for k, v := range map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31", "team": h.team, "consent": "A", "body_site": "heel", "allow_repeat": "true"} {
		_ = w.WriteField(k, v)
	}
	_, _ = w.CreateFormFile("file", name)
	before := head.Len()
	_ = w.Close()
	form := head.Bytes()
	r, err := http.NewRequest("POST", h.URL+"/api/v1/items", io.MultiReader(bytes.NewReader(form[:before]), file, bytes.NewReader(form[before:])))
	if err != nil {
		return "", err
	}
	r.ContentLength = int64(len(form)) + size
	r.Header.Set("Content-Type", w.FormDataContentType())
	var got bytes.Buffer
	var filed api.Filing
	if _, err = h.send(r, &got); err == nil {
		err = json.Unmarshal(got.Bytes(), &filed)
	}
	return string(filed.Item.ID), err
}

// view downloads an item's picture or, with a range, a part of it.
func (h *house) view(item string, want int64, headers ...string) error {
	n, err := h.do("GET", "/items/"+item+"/renditions/original-clean", io.Discard, headers...)
	if err == nil && n != want {
		err = errors.New("not all bytes came")
	}
	return err
}
