package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
)

// client speaks to a server as one person, as any program of the hospital
// would: through the public API.
type client struct {
	base   string
	cookie *http.Cookie
}

// answer is a response read whole.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// problem is the code and detail of a refusal.
func (a answer) problem() (code, detail string) {
	var p struct{ Code, Detail string }
	_ = json.Unmarshal(a.Body, &p)
	return p.Code, p.Detail
}

func (c *client) do(ctx context.Context, method, path, contentType string, body io.Reader) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	for _, k := range resp.Cookies() {
		c.cookie = k
	}
	return answer{resp.StatusCode, resp.Header, b}, nil
}

// json sends in and reads the answer into out, if there is an out; a status
// other than want is an error that says what the server said.
func (c *client) json(ctx context.Context, method, path string, in, out any, want int) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	a, err := c.do(ctx, method, path, "application/json", body)
	if err != nil {
		return err
	}
	if a.Status != want {
		code, detail := a.problem()
		return fmt.Errorf("%s %s answered %d (%s: %s)", method, path, a.Status, code, detail)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.Body, out)
}

func (c *client) signIn(ctx context.Context, username, password string) error {
	return c.json(ctx, http.MethodPost, "/api/v1/session", map[string]string{"username": username, "password": password}, nil, http.StatusOK)
}

// upload sends a file with its fields.
func (c *client) upload(ctx context.Context, fields map[string]string, name string, file []byte) (answer, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := w.WriteField(k, v); err != nil {
			return answer{}, err
		}
	}
	p, err := w.CreateFormFile("file", name)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.Write(file); err != nil {
		return answer{}, err
	}
	if err := w.Close(); err != nil {
		return answer{}, err
	}
	return c.do(ctx, http.MethodPost, "/api/v1/items", w.FormDataContentType(), &b)
}

// secretOf is the part of a link that follows the # sign.
func secretOf(url string) string {
	_, s, _ := strings.Cut(url, "#")
	return s
}
