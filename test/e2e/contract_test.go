package e2e

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// contract checks real answers against the document that the server serves.
type contract struct {
	once  sync.Once
	valid validator.Validator
	mu    sync.Mutex
	seen  map[string]int
}

var document contract

var identifiers = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)

// check validates a few answers of each kind: the same shape ten thousand
// times proves no more.
func (c *contract) check(t *testing.T, h *house, r *http.Request, resp *http.Response, body []byte) {
	c.once.Do(func() {
		got, err := http.Get(h.url + "/api/v1/openapi.json")
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		text, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := libopenapi.NewDocument(text)
		if err != nil {
			t.Fatal(err)
		}
		v, errs := validator.NewValidator(doc)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		if ok, found := v.ValidateDocument(); !ok {
			t.Fatalf("the contract itself is wrong: %v", found)
		}
		c.valid, c.seen = v, map[string]int{}
	})
	if c.valid == nil || !strings.HasPrefix(r.URL.Path, "/api/v1/") || strings.HasPrefix(resp.Header.Get("Content-Type"), "image/") || r.Method == http.MethodHead {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kind := r.Method + identifiers.ReplaceAllString(r.URL.Path, "*") + resp.Status
	if c.seen[kind]++; c.seen[kind] > 3 || resp.StatusCode == http.StatusNotFound && strings.Contains(string(body), "no-such-page") {
		return
	}
	if resp.StatusCode < 300 && r.GetBody != nil && r.Header.Get("Content-Type") == "application/json" { // what works must be what is documented
		sent := r.Clone(t.Context())
		var err error
		if sent.Body, err = r.GetBody(); err != nil {
			t.Fatal(err)
		}
		if ok, errs := c.valid.ValidateHttpRequest(sent); !ok {
			for _, e := range errs {
				t.Errorf("%s %s: the request does not keep to the contract: %s; %s; %v", r.Method, r.URL.Path, e.Message, e.Reason, e.SchemaValidationErrors)
			}
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if ok, errs := c.valid.ValidateHttpResponse(r, resp); !ok {
		for _, e := range errs {
			t.Errorf("%s %s, %s, does not keep to the contract: %s; %s; %v", r.Method, r.URL.Path, resp.Status, e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}

// Every route is in the contract, and every path of the contract is a route.
func TestContractNamesEveryRoute(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	var doc struct {
		Paths map[string]map[string]any
	}
	h.nobody().ask("GET", "/openapi.json", nil).into(t, &doc)
	routes := map[string]bool{}
	param := regexp.MustCompile(`:([a-z]+)`)
	for _, r := range h.api.Routes() {
		if path, ok := strings.CutPrefix(r.Path, "/api/v1"); ok {
			routes[strings.ToLower(r.Method)+" "+param.ReplaceAllString(path, "{$1}")] = true
		}
	}
	for path, methods := range doc.Paths {
		for m := range methods {
			if !routes[m+" "+path] {
				t.Errorf("%s %s is in the contract only", m, path)
			}
			delete(routes, m+" "+path)
		}
	}
	for r := range routes {
		t.Errorf("%s is not in the contract", r)
	}
}

// One answer of each route that the other tests do not ask.
func TestAnswersOfEveryRoute(t *testing.T) {
	t.Parallel()
	h := open(t, "sqlite+filesystem", nil)
	nurse, admin := h.as("nurse"), h.as("admin")
	var made struct{ ID string }
	nurse.proves().must("POST", "/tokens", http.StatusCreated, map[string]any{"name": "script", "scopes": []string{"items.read"}, "ttl_seconds": 3600}).into(t, &made)
	nurse.must("GET", "/tokens", http.StatusOK, nil)
	nurse.must("DELETE", "/tokens/"+made.ID, http.StatusNoContent, nil)
	nurse.must("GET", "/people", http.StatusOK, nil)
	nurse.must("GET", "/teams", http.StatusOK, nil)
	var patient struct{ ID string }
	nurse.must("POST", "/patients/find", http.StatusOK, map[string]string{"patient_number_kind": "nhs", "patient_number": "9990000018", "date_of_birth": "1950-01-31"}).into(t, &patient)
	nurse.must("POST", "/patients/"+patient.ID+"/cases", http.StatusCreated, map[string]string{"team": string(h.team), "title": "heel"})
	nurse.must("GET", "/patients/"+patient.ID+"/cases", http.StatusOK, nil)
	item := h.filed()
	nurse.must("GET", "/items/"+item, http.StatusOK, nil)
	nurse.must("GET", "/items?limit=1&patient="+patient.ID, http.StatusOK, nil)
	h.link(item, nil)
	nurse.must("GET", "/links", http.StatusOK, nil)
	admin.must("POST", "/people", http.StatusCreated, map[string]any{"username": "new", "name": "Example New", "role": "auditor", "password": password})
	id := string(h.ids["outsider"])
	admin.must("PUT", "/people/"+id, http.StatusNoContent, map[string]string{"name": "Example", "role": "clinician"})
	admin.must("PUT", "/teams/"+string(h.team)+"/members/"+id, http.StatusNoContent, nil)
	admin.must("DELETE", "/teams/"+string(h.team)+"/members/"+id, http.StatusNoContent, nil)
	admin.must("POST", "/teams", http.StatusCreated, map[string]string{"name": "Burns"})
	admin.must("POST", "/people/"+id+"/suspend", http.StatusNoContent, nil)
	admin.must("POST", "/people/"+id+"/restore", http.StatusNoContent, nil)
	h.as("auditor").must("GET", "/audit?limit=5", http.StatusOK, nil)
	nurse.must("PUT", "/session/password", http.StatusNoContent, map[string]string{"present_password": password, "password": password + " two"})
	nurse.must("GET", "/session", http.StatusUnauthorized, nil)
}
