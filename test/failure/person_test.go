package failure

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"testing"
	"time"

	"github.com/wardseal/wardseal/api"
)

// person speaks to a deployment in a session of their own. It is safe for
// concurrent use once signed in.
type person struct {
	t      *testing.T
	url    string
	cookie *http.Cookie
	team   string
}

// answer is what a request led to; err is for one that was not answered whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
	err    error
}

// code is the problem's code.
func (a answer) code() string {
	var p api.Problem
	_ = json.Unmarshal(a.body, &p)
	return p.Code
}

func (a answer) String() string {
	return fmt.Sprintf("%d %.300s %v (%s)", a.status, a.body, a.err, a.took.Round(time.Millisecond))
}

func signIn(t *testing.T, url, name string) *person {
	t.Helper()
	p := &person{t: t, url: url}
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", url+"/api/v1/session", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var me api.Me
	if err := json.NewDecoder(resp.Body).Decode(&me); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s cannot sign in: %d %v", name, resp.StatusCode, err)
	}
	for _, c := range resp.Cookies() {
		p.cookie = c
	}
	if len(me.Teams) > 0 {
		p.team = string(me.Teams[0])
	}
	return p
}

// elsewhere is the same session on another replica.
func (p *person) elsewhere(url string) *person {
	q := *p
	q.url = url
	return &q
}

func (p *person) send(method, path string, body io.Reader, headers ...string) (a answer) {
	began := time.Now()
	defer func() { a.took = time.Since(began) }()
	r, err := http.NewRequestWithContext(context.WithoutCancel(p.t.Context()), method, p.url+"/api/v1"+path, body)
	if err != nil {
		return answer{err: err}
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.AddCookie(p.cookie)
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: b, err: err}
}

func (p *person) ask(method, path string, in any) answer {
	b, err := json.Marshal(in)
	if err != nil {
		return answer{err: err}
	}
	return p.send(method, path, bytes.NewReader(b), "Content-Type", "application/json")
}

// must asks and fails the test at another status.
func (p *person) must(method, path string, want int, in, out any) {
	p.t.Helper()
	a := p.ask(method, path, in)
	if a.err == nil && a.status == want && out != nil {
		a.err = json.Unmarshal(a.body, out)
	}
	if a.err != nil || a.status != want {
		p.t.Fatalf("%s %s: want %d, got %s", method, path, want, a)
	}
}

func (p *person) register() {
	p.t.Helper()
	p.must("POST", "/patients", http.StatusCreated, map[string]string{"patient_number_kind": "nhs", "patient_number": number, "name": named, "date_of_birth": born}, nil)
}

// fields are the details of a picture.
func (p *person) fields(pic picture) map[string]string {
	return map[string]string{"patient_number_kind": "nhs", "patient_number": number, "date_of_birth": born, "team": p.team, "consent": "A",
		"body_site": pic.site, "note": pic.note, "allow_repeat": "true"}
}

// upload files a picture under an idempotency key.
func (p *person) upload(pic picture, key string) (string, answer) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for k, v := range p.fields(pic) {
		_ = w.WriteField(k, v)
	}
	f, _ := w.CreateFormFile("file", "a.jpg")
	_, _ = f.Write(pic.file)
	_ = w.Close()
	return filed(p.send("POST", "/items", &b, "Content-Type", w.FormDataContentType(), "Idempotency-Key", key))
}

// filed gives the item that an answer acknowledges, or "".
func filed(a answer) (string, answer) {
	if a.err != nil || a.status != http.StatusCreated && a.status != http.StatusOK {
		return "", a
	}
	var f api.Filing
	if a.err = json.Unmarshal(a.body, &f); a.err != nil {
		return "", a
	}
	return string(f.Item.ID), a
}

func (p *person) picture(item string) answer {
	return p.send("GET", "/items/"+item+"/renditions/original-clean", nil)
}

// items lists all that the person may see.
func (p *person) items() (ids []string) {
	p.t.Helper()
	for after := ""; ; {
		var page struct {
			Items []struct{ ID string }
			Next  string
		}
		p.must("GET", "/items?limit=200"+after, http.StatusOK, nil, &page)
		for _, i := range page.Items {
			ids = append(ids, i.ID)
		}
		if page.Next == "" {
			return ids
		}
		after = "&after=" + page.Next
	}
}

// filings gives how often each item was filed, as the audit has it.
func (d *deployment) filings() map[string]int {
	d.t.Helper()
	auditor, out := signIn(d.t, d.url(), "auditor"), map[string]int{}
	for after := ""; ; {
		var page struct {
			Events []struct{ Subject struct{ Item string } }
			Next   int64
		}
		auditor.must("GET", "/audit?limit=500&type=item.filed"+after, http.StatusOK, nil, &page)
		for _, e := range page.Events {
			out[e.Subject.Item]++
		}
		if page.Next == 0 {
			return out
		}
		after = fmt.Sprintf("&after=%d", page.Next)
	}
}
